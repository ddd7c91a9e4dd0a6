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
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
SPAN = 2**64
MOST = 2**53
"""Below it a browser counts exactly."""

Point = Any
"""A point of the curve, in extended coordinates."""
Pools = Any
"""Texts of pools, each with what it says."""


class WrongError(Exception):
    """What does not fit; the message says what."""


def sha256(text: str) -> str:
    """The hash of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def unhex(text: str) -> bytes:
    """The bytes that small hexadecimal digits stand for."""
    check("a hexadecimal number is damaged", re.fullmatch("([0-9a-f]{2})*", text) is not None)
    return bytes.fromhex(text)


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
    raw, key = unhex(signature), unhex(public)
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
    total = sum(weight for _, weight in weighted)
    whole = all(type(weight) is int and 0 <= weight < MOST for _, weight in weighted)
    check("nothing can be drawn", whole and 0 < total < MOST)
    place = number(seed, message, total)
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
    before, after = "", 0
    for place, (body, pool) in enumerate(pools, 1):
        where = f"version {place}"
        check(f"{where} has another number", pool["version"] == place)
        check(f"{where} does not follow the one before it", pool["previous"] == before)
        check(f"{where} is for draws before it", pool["after"] >= after)
        for name in ("store", "series", "commitment", "key"):
            check(f"{where} names another {name}", pool[name] == evidence[name])
        check(f"{where} has an item twice", len({one["item"] for one in pool["items"]}) == len(pool["items"]))
        before, after = sha256(body), pool["after"]


def check_change(before: Any, after: Any, left: dict[str, Any]) -> None:
    """Whether a new pool only adds, or leaves out what is sold out."""
    where = f"version {after['version']}"
    known = {one["item"]: one for one in before["items"]}
    now = {one["item"]: one for one in after["items"]}
    terms = ("mode", "pity", "sku", "price", "currency")
    check(f"{where} has other terms", all(before[name] == after[name] for name in terms))
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
        self.boxes: set[tuple[str, int]] = set()
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
        order, ordinal = said["order"], said["ordinal"]
        check(f"{where} is for no box", isinstance(order, str) and type(ordinal) is int and ordinal > 0)
        check(f"{where} is for a box that was drawn for before", (order, ordinal) not in self.boxes)
        self.boxes.add((order, ordinal))
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


def check_own(evidence: Any, own: Sequence[Any]) -> int:
    """Whether the receipts that a buyer kept stand in the evidence, word for word; how many are of the series."""
    check("your receipts are no list", isinstance(own, (list, tuple)))
    there = {(one["body"], one["signature"]) for one in evidence["receipts"]}
    found = 0
    for place, one in enumerate(own, 1):
        said = read(one["body"], "threepeat-draw/1")
        if said["series"] != evidence["series"] or said["store"] != evidence["store"]:
            continue
        found += 1
        check(f"your receipt {place} is not in the evidence", (one["body"], one["signature"]) in there)
        if one.get("order_id") and one.get("nonce"):
            check(
                f"your receipt {place} is of another order",
                said["order"] == sha256(one["nonce"] + "|" + one["order_id"]),
            )
    check("none of your receipts is of this series", found > 0 or not own)
    return found


def verify(evidence: Any, own: Sequence[Any] = ()) -> int:
    """Check evidence and a buyer's own receipts; how many of those are of the series.

    Raises:
        WrongError: Something does not fit.
    """
    try:
        known = isinstance(evidence, dict) and evidence.get("format") == "threepeat-evidence/1"
        check("this is no evidence", known)
        seed = unhex(evidence["seed"])
        check(
            "the seed is not the one that was committed to",
            hashlib.sha256(seed).hexdigest() == evidence["commitment"],
        )
        check("the lists are damaged", all(isinstance(evidence[name], list) for name in ("versions", "receipts")))
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
        return check_own(evidence, own)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError, RecursionError) as error:
        raise WrongError(f"the file is damaged: {type(error).__name__} {error}") from None


def load(name: str) -> Any:
    """What a file says."""
    try:
        return json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WrongError(f"the file {name} cannot be read: {error}") from None


def main(given: Sequence[str]) -> int:
    """Run on files, as the page above says."""
    if len(given) not in {1, 3} or given[1:2] not in ([], ["--receipts"]):
        sys.stderr.write(__doc__ or "")
        return 2
    try:
        evidence = load(given[0])
        own = verify(evidence, load(given[2]) if len(given) > 1 else ())
    except WrongError as error:
        sys.stdout.write(f"WRONG: {error}\n")
        return 1
    sys.stdout.write(f"Everything fits: {len(evidence['receipts'])} draws, {own} receipts of your own.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
