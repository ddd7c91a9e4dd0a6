"""A hundred thousand boxes over the API: bought, drawn, published and verified, and as often as the odds say."""

import os
from collections import Counter
from fractions import Fraction

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from threepeat_blindbox.evidence import read_pool
from threepeat_blindbox.odds import base
from threepeat_blindbox.verifier import verify as verifier

DRAWS = int(os.environ.get("DRAWS", "100000"))
EACH, PITY, PRICE = 500, 8, 5_900
ITEMS = [
    {"sku": "cup", "name": "Cup", "weight": 60},
    {"sku": "pan", "name": "Pan", "weight": 29},
    {"sku": "tin", "name": "Tin", "weight": 10, "floor": True},
    {"sku": "owl", "name": "Owl", "weight": 1, "floor": True, "hidden": True},
]
LIMITS = {1: 10.828, 3: 16.266, 7: 24.322}
"""What a chi-square is above once in a thousand times, by its degrees of freedom."""


def off(counted, rates, total):
    return sum((counted[key] - rate * total) ** 2 / (rate * total) for key, rate in rates.items())


def signed(public, text, signature):
    """As the verifier does, by a library in C: a hundred thousand signatures take it minutes."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text.encode())
    except InvalidSignature:
        return False
    return True


def sell(shop, orders):
    """Quote, reserve and pay, everything over HTTP; a worker draws."""
    for number in range(orders):
        name = f"m{number % 20}"
        quote = shop.held(name, EACH, nonce=f"{number:032x}")
        line = {"sku": "box", "quantity": EACH, "amount": EACH * PRICE}
        data = {"order_id": f"o{number}", "total": EACH * PRICE, "currency": "CNY", "lines": [line]}
        paid = {
            "specversion": "1.0", "id": f"o{number}", "source": "shop", "type": "order.paid", "subject": name,
            "time": shop.now.isoformat(), "data": data | {"reservation_id": quote["id"]},
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {shop.key}", "Content-Type": "application/cloudevents+json"}
        answer = shop.client.post("/v1/events", headers=headers, json=paid)
        assert answer.is_success, answer.text
        shop.worker.drain()


def published(shop, series):
    """The evidence as a phone reads it, page by page."""
    found = shop.evidence(series, "m0")
    while found["next"]:
        more = shop.ask("GET", f"evidence/{series}?after={found['next']}", "m0").json()
        found["receipts"] += more["receipts"]
        found["next"] = more["next"]
    return found


@pytest.mark.long
def test_draws_over_the_api_agree_with_the_published_odds(shop, monkeypatch):
    series = shop.series(items=ITEMS, pity=PITY)
    for number in range(20):
        shop.declare(f"m{number}")
    sell(shop, DRAWS // EACH)
    shop.step(series, "close")
    evidence = published(shop, series)
    assert len(evidence["receipts"]) == evidence["draws"] == DRAWS // EACH * EACH
    monkeypatch.setattr(verifier, "signed", signed)
    verifier.verify(evidence)
    rows = shop.rows("SELECT buyer, item, misses_before FROM blindbox.draw ORDER BY draw_no")
    pool = read_pool(evidence["versions"][0])
    rates = base(pool, dict.fromkeys(("cup", "pan", "tin", "owl")))
    free = Counter(item for _, item, misses in rows if misses < PITY - 1)
    forced = Counter(item for _, item, misses in rows if misses == PITY - 1)
    assert off(free, rates, free.total()) < LIMITS[3], "what no guarantee decides follows the odds"
    among = {"tin": Fraction(10, 11), "owl": Fraction(1, 11)}
    assert set(forced) <= set(among)
    assert off(forced, among, forced.total()) < LIMITS[1], "what it decides is divided by the same weights"
    ends = Counter(misses + 1 for _, item, misses in rows if item in among)
    miss = 1 - Fraction(11, 100)
    stretch = {n: miss ** (n - 1) * (1 - miss if n < PITY else 1) for n in range(1, PITY + 1)}
    assert off(ends, stretch, ends.total()) < LIMITS[7], "and it comes when it should"
