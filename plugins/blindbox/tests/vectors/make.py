"""Writes `vectors.json`: a closed series, receipts of a buyer, and what a cheat could change in them.

Both verifiers are held against the same file. Run it after a change of the format: `python make.py`.
"""

import copy
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from threepeat_blindbox import evidence, odds

FILE = Path(__file__).with_name("vectors.json")
SEED = sha256(b"a seed for tests").hexdigest()
SIGNER = evidence.Signer(sha256(b"a key for tests").hexdigest())
OTHER = evidence.Signer(sha256(b"another key").hexdigest())
ORDERS = [("ann", 2), ("bob", 1), ("ann", 3), ("eve", 2), ("bob", 3), ("ann", 1), ("eve", 4), ("bob", 4)]
ITEMS = (
    {"item": "cup", "name": "Cup", "weight": 60, "left": None, "hidden": False, "floor": False, "value": 4_900},
    {"item": "pan", "name": "Pan", "weight": 40, "left": 3, "hidden": False, "floor": False, "value": 6_900},
    {"item": "owl", "name": "猫头鹰", "weight": 10, "left": None, "hidden": True, "floor": True, "value": 19_900},
)


def pool(
    number, items, *, after=0, previous="", why="opened", seed=SEED, signer=SIGNER, mode="replacement", pity=5
):
    return evidence.written(
        {
            "format": evidence.POOL, "store": "7", "series": "3", "version": number, "why": why, "after": after,
            "commitment": evidence.commitment(bytes.fromhex(seed)), "key": signer.public, "previous": previous,
            "mode": mode, "pity": pity, "sku": "box", "price": 5_900, "currency": "CNY", "items": list(items),
        }
    )  # fmt: skip


def close(
    items=ITEMS, *, seed=SEED, signer=SIGNER, mode="replacement", pity=5, orders=ORDERS, cheat=None, again=None
):
    """Draw a whole series as a store does.

    A cheat decides some draws itself, by their numbers, and draws again for orders by their places.
    """
    versions = [pool(1, items, seed=seed, signer=signer, mode=mode, pity=pity)]
    now, left = evidence.read_pool(versions[0]), {one["item"]: one["left"] for one in items}
    misses, receipts, own, head = {}, [], [], ""
    for place, (buyer, boxes) in enumerate(orders):
        first = (again or {}).get(place, place)
        order, nonce = f"o{first}", sha256(f"nonce {first}".encode()).hexdigest()[:32]
        named = evidence.order_hash(nonce, order)
        for ordinal in range(1, boxes + 1):
            number, before = len(receipts) + 1, misses.get(buyer, 0)
            told = evidence.message(7, 3, len(versions), number, named, ordinal)
            item = odds.draw(now, left, before, bytes.fromhex(seed), told)
            if cheat and number in cheat:
                item = next(one for one in now.items if one.item == cheat[number])
            misses[buyer] = now.misses(before, item)
            body = evidence.receipt(
                {
                    "store": "7", "series": "3", "version": len(versions), "pool": evidence.hashed(versions[-1]),
                    "commitment": evidence.commitment(bytes.fromhex(seed)), "draw": number, "order": named,
                    "ordinal": ordinal, "derived": False, "buyer": sha256(buyer.encode()).hexdigest()[:24],
                    "pity": [before, misses[buyer]], "item": item.item, "hidden": item.hidden, "previous": head,
                },
                datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=number),
            )  # fmt: skip
            head = evidence.hashed(body)
            receipts.append({"body": body, "signature": signer.sign(body)})
            if buyer == "ann":
                own.append({**receipts[-1], "order_id": order, "nonce": nonce})
            if left[item.item] is not None:
                left[item.item] -= 1
                if left[item.item] == 0 and mode == "replacement":
                    rest = [one | {"left": left[one["item"]]} for one in items if left[one["item"]] != 0]
                    versions.append(
                        pool(
                            len(versions) + 1, rest, after=number, previous=evidence.hashed(versions[-1]),
                            why="sold_out", seed=seed, signer=signer, pity=pity,
                        )
                    )  # fmt: skip
                    now = evidence.read_pool(versions[-1])
    found = {
        "format": evidence.EVIDENCE, "store": "7", "series": "3", "name": "Kitchen", "key": signer.public,
        "commitment": evidence.commitment(bytes.fromhex(seed)), "seed": seed, "draws": len(receipts), "head": head,
        "versions": versions, "receipts": receipts,
    }  # fmt: skip
    return found, own


def renewed(found, place, **changes):
    """The evidence with one receipt changed, and everything after it chained and signed anew by the store."""
    again, head = copy.deepcopy(found), ""
    for number, one in enumerate(again["receipts"], 1):
        said = json.loads(one["body"])
        if number == place:
            said |= changes
        said["previous"] = head
        one["body"] = evidence.written(said)
        one["signature"] = SIGNER.sign(one["body"])
        head = evidence.hashed(one["body"])
    return again | {"head": head}


def changed(found, path, value):
    """The evidence with one thing changed."""
    again = copy.deepcopy(found)
    at = again
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return again


def cases():
    found, own = close()
    receipts, versions = found["receipts"], found["versions"]
    assert len(versions) == 2, "an item is sold out on the way"
    first = json.loads(receipts[0]["body"])
    other = next(one["item"] for one in ITEMS if one["item"] != first["item"])
    heavier = [one | {"weight": 500} if one["item"] == "cup" else one for one in ITEMS]
    case = [one | {"left": 7, "weight": 7, "floor": False} for one in ITEMS]
    urn, urn_own = close(case, mode="urn", pity=0)
    swapped = copy.deepcopy(found)
    swapped["receipts"][2:4] = reversed(swapped["receipts"][2:4])
    seeds = {"seed": sha256(b"another seed").hexdigest()}
    rewritten, _ = close(heavier)
    reseeded, _ = close(seed=seeds["seed"])
    rekeyed, _ = close(signer=OTHER)
    cheated, _ = close(cheat={5: "owl"})
    rerolled, rerolled_own = close(again={2: 0})
    heavy, _ = close([one | {"weight": 2**60} for one in ITEMS], orders=ORDERS[:1])
    stranger = own[0] | {"body": own[0]["body"].replace('"series":"3"', '"series":"4"')}
    return [
        ("everything fits", "", found, own),
        ("without receipts of one's own", "", found, []),
        ("a case", "", urn, urn_own),
        ("a changed item", "is not signed|does not follow|seed leads",
         changed(found, ["receipts", 0, "body"], receipts[0]["body"].replace(first["item"], other)), []),
        ("a changed item that the store signs anew", "and the seed leads to", renewed(found, 1, item=other), []),
        ("a draw that the store decided itself", "draw 5 is owl, and the seed leads to", cheated, []),
        ("a changed weight", "does not follow the one before it",
         changed(found, ["versions", 0], versions[0].replace('"weight":60', '"weight":61')), []),
        ("a changed weight of which all is signed anew", "is not in the evidence", rewritten, own),
        ("a changed weight of a later version", "version 2 changes the weight of cup",
         changed(found, ["versions", 1], versions[1].replace('"weight":60', '"weight":61')), []),
        ("another order of draws", "has another number", swapped, []),
        ("a draw that is missing", "has another number",
         changed(found, ["receipts"], receipts[:3] + receipts[4:]), []),
        ("draws that are missing at the end", "draws are missing",
         changed(found, ["receipts"], receipts[:-2]), []),
        ("an end that was cut off with its count", "the last draw is another one",
         changed(found | {"draws": len(receipts) - 2}, ["receipts"], receipts[:-2]), []),
        ("another receipt for the buyer", "is not in the evidence",
         renewed(found, 1, order="0" * 64), own),
        ("a receipt of another order", "is of another order", found, [own[0] | {"order_id": "o99"}]),
        ("a signature that is not the store's", "is not signed by the store",
         changed(found, ["receipts", 1, "signature"], OTHER.sign(receipts[1]["body"])), []),
        ("another seed", "is not the one that was committed to", found | seeds, []),
        ("another seed with its commitment", "names another commitment",
         found | seeds | {"commitment": reseeded["commitment"]}, []),
        ("another seed of which all is signed anew", "is not in the evidence", reseeded, own),
        ("another key of which all is signed anew", "is not in the evidence", rekeyed, own),
        ("misses that are counted otherwise", "counts other misses|counts on otherwise",
         renewed(found, 3, pity=[0, 0]), []),
        ("a hidden item that is none", "whether it is hidden", renewed(found, 1, hidden=not first["hidden"]), []),
        ("no evidence", "no evidence|damaged", {"format": "x"}, []),
        ("a damaged file", "damaged|hexadecimal", changed(found, ["seed"], "zz"), []),
        ("a receipt that is no JSON", "damaged", changed(found, ["receipts", 0, "body"], "{"), []),
        ("a box that is drawn for until it pleases", "is for a box that was drawn for before", rerolled,
         rerolled_own),
        ("a box by another name", "is for no box", renewed(found, 1, ordinal="1"), []),
        ("weights that nobody can count", "nothing can be drawn", heavy, []),
        ("another currency", "version 2 has other terms",
         changed(found, ["versions", 1], versions[1].replace("CNY", "USD")), []),
        ("a version for draws before it", "version 2 is for draws before it",
         changed(found, ["versions", 1], versions[1].replace('"after":', '"after":-')), []),
        ("a seed in other digits", "hexadecimal number is damaged", found | {"seed": SEED.upper()}, []),
        ("receipts in no list", "the lists are damaged", found | {"receipts": {}, "draws": 0, "head": ""}, []),
        ("receipts of another series", "none of your receipts is of this series", found, [stranger]),
        ("receipts of one's own in no list", "your receipts are no list", found, own[0]),
        ("nothing", "this is no evidence", None, []),
    ]  # fmt: skip


def text():
    made = [{"name": n, "wrong": wrong, "evidence": e, "receipts": own} for n, wrong, e, own in cases()]
    return json.dumps(made, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
