#!/usr/bin/env python3
"""Checks the evidence of a blind box series. It needs Python 3.9 or newer and nothing else, not even a network.

    python3 verify.py evidence.json [--receipts mine.json]

`evidence.json` is what the store publishes when a series is closed; `mine.json` is what a buyer kept, a list of
receipts. It says what is wrong and ends with 1, or that everything fits and ends with 0.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
SPAN = 2**64

Point = Any
"""A point of the curve, in extended coordinates."""
Pools = Any
"""Texts of pools, each with what it says."""


class WrongError(Exception):
    """What does not fit; the message says what."""


def sha256(text: str) -> str:
    """The hash of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


# --- Ed25519 (RFC 8032), checking only


def _x_of(y: int, sign: int) -> int | None:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x % 2 != sign else x


def _point(raw: bytes) -> Point | None:
    number = int.from_bytes(raw, "little")
    y, sign = number % 2**255, number >> 255
    x = _x_of(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def _add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _times(number: int, p: Point) -> Point:
    found = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = _add(found, p)
        p = _add(p, p)
        number >>= 1
    return found


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE: Point = _point(BASE_Y.to_bytes(32, "little"))


def signed(public: str, text: str, signature: str) -> bool:
    """Whether a public key signed a text; all in hexadecimal digits but the text."""
    raw, key = bytes.fromhex(signature), bytes.fromhex(public)
    if len(raw) != 64 or len(key) != 32:
        return False
    a, r, s = _point(key), _point(raw[:32]), int.from_bytes(raw[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(raw[:32] + key + text.encode()).digest(), "little") % L
    left, right = _times(s, BASE), _add(r, _times(k, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % P or (left[1] * right[2] - right[1] * left[2]) % P)


# --- The draw


def number(seed: bytes, message: str, total: int) -> int:
    """The number below a total that a seed and a message lead to; what would favour some is passed over."""
    count = 0
    while True:
        found = int.from_bytes(hmac.new(seed, f"{message}|{count}".encode(), "sha256").digest()[:8], "big")
        if found < SPAN - SPAN % total:
            return found % total
        count += 1


def drawn(pool: Any, left: dict[str, Any], misses: int, seed: bytes, message: str) -> Any:
    """The item that has to come."""
    forced = pool["pity"] > 0 and misses >= pool["pity"] - 1
    weighted = [
        (one, left[one["item"]] if pool["mode"] == "urn" else one["weight"])
        for one in pool["items"]
        if one["floor"] or not forced
    ]
    place = number(seed, message, sum(weight for _, weight in weighted))
    for one, weight in weighted:
        if place < weight:
            return one
        place -= weight
    raise WrongError("nothing can be drawn")


# --- The evidence


def check(what: str, holds: bool) -> None:
    """Raise what is wrong if something does not hold."""
    if not holds:
        raise WrongError(what)


def read(text: str, kind: str) -> Any:
    """A text that says of itself what it is."""
    found = json.loads(text)
    check(f"a text is no {kind}", isinstance(found, dict) and found.get("format") == kind)
    return found


def check_versions(evidence: Any, pools: Pools) -> None:
    """Whether the pools follow one another, and all were bound to the seed before it was known."""
    before = ""
    for place, (body, pool) in enumerate(pools, 1):
        where = f"version {place}"
        check(f"{where} has another number", pool["version"] == place)
        check(f"{where} does not follow the one before it", pool["previous"] == before)
        for name in ("store", "series", "commitment", "key"):
            check(f"{where} names another {name}", pool[name] == evidence[name])
        check(f"{where} has an item twice", len({one["item"] for one in pool["items"]}) == len(pool["items"]))
        before = sha256(body)


def check_change(before: Any, after: Any, left: dict[str, Any]) -> None:
    """Whether a new pool only adds, or leaves out what is sold out."""
    where = f"version {after['version']}"
    known = {one["item"]: one for one in before["items"]}
    now = {one["item"]: one for one in after["items"]}
    check(
        f"{where} has other terms", all(before[name] == after[name] for name in ("mode", "pity", "price", "sku"))
    )
    for item, one in known.items():
        if item not in now:
            check(f"{where} leaves out {item}, which is not sold out", left[item] == 0)
            continue
        for name in ("weight", "floor", "hidden"):
            same = after["mode"] == "urn" and name == "weight"
            check(f"{where} changes the {name} of {item}", same or now[item][name] == one[name])
        if left[item] is not None and now[item]["left"] is not None:
            check(f"{where} has fewer of {item} than were left", now[item]["left"] >= left[item])
        check(f"{where} limits {item}", left[item] is not None or now[item]["left"] is None)


class Replay:
    """Draws a series again."""

    def __init__(self, evidence: Any, pools: Pools, seed: bytes) -> None:
        self.evidence, self.pools, self.seed = evidence, pools, seed
        self.at, self.head = 0, ""
        self.left: dict[str, Any] = {}
        self.misses: dict[str, int] = {}
        self.step()

    def step(self) -> None:
        """Go on to the next pool."""
        after = self.pools[self.at][1]
        if self.at:
            check_change(self.pools[self.at - 1][1], after, self.left)
        self.left = {one["item"]: one["left"] for one in after["items"]}
        self.at += 1

    def draw(self, place: int, body: str, signature: str) -> None:
        """Check one receipt."""
        where, said = f"draw {place}", read(body, "threepeat-draw/1")
        check(f"{where} has another number", said["draw"] == place)
        check(f"{where} does not follow the one before it", said["previous"] == self.head)
        while self.at < len(self.pools) and self.pools[self.at][1]["after"] < place:
            self.step()
        text, pool = self.pools[self.at - 1]
        check(f"{where} is not from the pool that was on sale", said["version"] == pool["version"])
        check(f"{where} names another pool", said["pool"] == sha256(text))
        for name in ("store", "series", "commitment"):
            check(f"{where} names another {name}", said[name] == self.evidence[name])
        misses, after = said["pity"]
        check(f"{where} counts other misses", misses == self.misses.get(said["buyer"], 0))
        told = "{format}|{store}|{series}|{version}|{draw}|{order}|{ordinal}".format(**said)
        item = drawn(pool, self.left, misses, self.seed, told)
        check(f"{where} is {said['item']}, and the seed leads to {item['item']}", said["item"] == item["item"])
        check(f"{where} says something else of whether it is hidden", said["hidden"] == item["hidden"])
        check(f"{where} counts on otherwise", after == (0 if item["floor"] or not pool["pity"] else misses + 1))
        check(f"{where} is not signed by the store", signed(self.evidence["key"], body, signature))
        self.misses[said["buyer"]] = after
        if self.left[item["item"]] is not None:
            self.left[item["item"]] -= 1
            check(f"{where} is more than there was", self.left[item["item"]] >= 0)
        self.head = sha256(body)


def check_own(evidence: Any, own: Sequence[Any]) -> None:
    """Whether the receipts that a buyer kept stand in the evidence, word for word."""
    there = {(one["body"], one["signature"]) for one in evidence["receipts"]}
    for place, one in enumerate(own, 1):
        said = read(one["body"], "threepeat-draw/1")
        if said["series"] != evidence["series"] or said["store"] != evidence["store"]:
            continue
        check(f"your receipt {place} is not in the evidence", (one["body"], one["signature"]) in there)
        if one.get("order_id") and one.get("nonce"):
            check(
                f"your receipt {place} is of another order",
                said["order"] == sha256(one["nonce"] + "|" + one["order_id"]),
            )


def verify(evidence: Any, own: Sequence[Any] = ()) -> None:
    """Check evidence and a buyer's own receipts.

    Raises:
        WrongError: Something does not fit.
    """
    try:
        check("this is no evidence", evidence["format"] == "threepeat-evidence/1")
        seed = bytes.fromhex(evidence["seed"])
        check(
            "the seed is not the one that was committed to",
            hashlib.sha256(seed).hexdigest() == evidence["commitment"],
        )
        pools = [(body, read(body, "threepeat-pool/1")) for body in evidence["versions"]]
        check("there is no pool", bool(pools))
        check_versions(evidence, pools)
        replay = Replay(evidence, pools, seed)
        for place, one in enumerate(evidence["receipts"], 1):
            replay.draw(place, one["body"], one["signature"])
        while replay.at < len(pools):
            check("a version is for later draws", pools[replay.at][1]["after"] <= len(evidence["receipts"]))
            replay.step()
        check("draws are missing", len(evidence["receipts"]) == evidence["draws"])
        check("the last draw is another one", replay.head == evidence["head"])
        check_own(evidence, own)
    except (
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        RecursionError,
        ZeroDivisionError,
    ) as error:
        raise WrongError(f"the file is damaged: {type(error).__name__} {error}") from None


def main(given: Sequence[str]) -> int:
    """Run on files, as the page above says."""
    own: Sequence[Any] = ()
    if "--receipts" in given:
        place = given.index("--receipts")
        own = json.loads(Path(given[place + 1]).read_text(encoding="utf-8"))
        given = [*given[:place], *given[place + 2 :]]
    if len(given) != 1:
        sys.stderr.write(__doc__ or "")
        return 2
    evidence = json.loads(Path(given[0]).read_text(encoding="utf-8"))
    try:
        verify(evidence, own)
    except WrongError as error:
        sys.stdout.write(f"WRONG: {error}\n")
        return 1
    sys.stdout.write(f"Everything fits: {len(evidence['receipts'])} draws, {len(own)} receipts of your own.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
