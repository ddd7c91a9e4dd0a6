"""Odds: exact, computed from the pool that draws, and kept by the draws themselves."""

import hmac
import math
import os
from collections import Counter
from fractions import Fraction
from hashlib import sha256
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat_blindbox.odds import SPAN, Pool, PoolItem, base, choose, draw, effective, numbers, pick
from threepeat_blindbox.words import percent

SEED = bytes(range(32))
WEIGHTS = {"cup": 60, "pan": 29, "tin": 10, "owl": 1}
FIXED = Pool("replacement", tuple(PoolItem(item, weight) for item, weight in WEIGHTS.items()))
KEPT = Pool("replacement", tuple(PoolItem(i, w, floor=i in {"tin", "owl"}) for i, w in WEIGHTS.items()), 8)
URN = Pool("urn", tuple(PoolItem(item, weight, weight) for item, weight in WEIGHTS.items()))


def endless(pool):
    return {one.item: one.left for one in pool.items}


def p_value(statistic, degrees):
    """How likely a chi-square is at least so large: the regularised upper incomplete gamma function."""
    a, x = degrees / 2, statistic / 2
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, 10_000):
            term *= x / (a + n)
            total += term
        return 1 - total * math.exp(-x + a * math.log(x) - math.lgamma(a)) if x else 1.0
    b, c, d = x + 1 - a, 1e300, 1 / (x + 1 - a)
    h = d
    for n in range(1, 10_000):
        step = -n * (n - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        h *= c * d
    return math.exp(-x + a * math.log(x) - math.lgamma(a)) * h


def chi_square(counted, rates, total):
    return sum((counted[item] - rate * total) ** 2 / (rate * total) for item, rate in rates.items() if rate)


def long_run(draws):
    """Draws of one buyer after another with a guarantee; how often each item came, and the runs between hits."""
    left, misses, counted, runs, run = endless(KEPT), 0, Counter(), Counter(), 0
    for number in range(draws):
        item = draw(KEPT, left, misses, SEED, f"kept|{number}")
        counted[item.item] += 1
        run += 1
        if item.floor:
            runs[run] += 1
            run = 0
        misses = KEPT.misses(misses, item)
    return counted, runs


def test_the_p_value_is_that_of_the_tables():
    for statistic, degrees, wanted in ((3.841, 1, 0.05), (16.266, 3, 0.001), (18.307, 10, 0.05), (0.103, 2, 0.95)):
        assert p_value(statistic, degrees) == pytest.approx(wanted, rel=0.02)


def test_a_number_that_would_favour_some_is_passed_over():
    """Elsewhere the interval had its last number, too: one outcome more than weights, and it matched nothing."""
    for total in (1, 2, 3, 100, 10**8, SPAN):
        end = SPAN - SPAN % total
        assert pick(total, iter([end - 1])) == total - 1
        if end < SPAN:
            assert pick(total, iter([end, SPAN - 1, 0])) == 0
    weighted = [(one, one.weight) for one in FIXED.items]
    assert [choose(weighted, number).item for number in (0, 59, 60, 88, 89, 98, 99)] == [
        "cup", "cup", "pan", "pan", "tin", "tin", "owl",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="100 is not below 100"):
        choose(weighted, 100)


def test_numbers_follow_from_seed_and_message_alone():
    wanted = [int.from_bytes(hmac.digest(SEED, f"m|{n}".encode(), sha256)[:8], "big") for n in range(3)]
    assert list(islice(numbers(SEED, "m"), 3)) == wanted


def test_every_outcome_of_small_numbers_is_as_likely_as_any_other(monkeypatch):
    """Counted, not tried: of all numbers that eight bits can be, each weight gets the same share."""
    monkeypatch.setattr("threepeat_blindbox.odds.SPAN", 256)
    for total in range(1, 257):
        counted = Counter(pick(total, iter([number, 0])) for number in range(256 - 256 % total))
        assert set(counted.values()) == {256 // total}


@given(
    weights=st.lists(st.integers(1, 50), min_size=2, max_size=6),
    floors=st.data(),
    pity=st.integers(1, 12),
)
def test_the_rate_with_the_guarantee_is_that_of_the_chain(weights, floors, pity):
    """Held against the stationary distribution, computed step by step."""
    marks = floors.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
    if all(marks) or not any(marks):
        return
    items = tuple(PoolItem(str(n), w, floor=m) for n, (w, m) in enumerate(zip(weights, marks, strict=True)))
    pool = Pool("replacement", items, pity)
    hit = Fraction(sum(one.weight for one in items if one.floor), sum(weights))
    state = [(1 - hit) ** n for n in range(pity)]
    state = [one / sum(state) for one in state]
    got = effective(pool, endless(pool))
    for one in items:
        plain, among = (
            Fraction(one.weight, sum(weights)),
            Fraction(one.weight, sum(w.weight for w in items if w.floor)),
        )
        wanted = sum(
            share * ((among if one.floor else 0) if pool.forced(n) else plain) for n, share in enumerate(state)
        )
        assert got[one.item] == wanted
    assert sum(got.values()) == 1


def test_odds_are_those_of_what_is_left_in_a_case():
    left = endless(URN) | {"cup": 0, "pan": 3, "tin": 1, "owl": 1}
    assert base(URN, left) == {"cup": 0, "pan": Fraction(3, 5), "tin": Fraction(1, 5), "owl": Fraction(1, 5)}
    assert effective(URN, left) == base(URN, left)
    assert base(KEPT, endless(KEPT))["owl"] == Fraction(1, 100)


def test_a_guarantee_comes_with_its_draw_and_not_later():
    left, misses = endless(KEPT), 0
    for number in range(2_000):
        assert misses < KEPT.pity
        misses = KEPT.misses(misses, draw(KEPT, left, misses, SEED, f"g|{number}"))
    always = Pool("replacement", KEPT.items, 1)
    assert {draw(always, left, 0, SEED, f"a|{n}").item for n in range(200)} == {"tin", "owl"}
    assert effective(always, left) == {"cup": 0, "pan": 0, "tin": Fraction(10, 11), "owl": Fraction(1, 11)}


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (Fraction(0), "0%"),
        (Fraction(1, 10**8), "<0.0001%"),
        (Fraction(1, 10**6), "0.0001%"),
        (Fraction(1, 144), "0.6944%"),
        (1 - Fraction(1, 10**6), "99.9999%"),
        (1 - Fraction(1, 10**8), ">99.9999%"),
        (Fraction(1), "100%"),
    ],
)
def test_what_can_come_is_not_published_as_nothing(rate, said):
    assert percent(rate) == said


def test_a_case_is_drawn_to_its_last_piece_exactly():
    """Elsewhere a hit on an item that was sold out became no prize, and the published odds were wrong."""
    left, counted = endless(URN), Counter()
    for number in range(100):
        item = draw(URN, left, 0, SEED, f"urn|{number}")
        left[item.item] -= 1
        counted[item.item] += 1
    assert counted == WEIGHTS
    assert URN.room(left) == 0


def test_a_pool_without_the_guaranteed_items_has_no_room():
    rest = Pool("replacement", tuple(one for one in KEPT.items if not one.floor), 8)
    assert (rest.kept, rest.room(endless(rest))) == (False, 0)
    assert KEPT.room(endless(KEPT)) is None


def test_a_wrong_interval_is_seen():
    """The alarm of the long proofs: one outcome more than there are weights shows in far fewer draws."""
    total = 100_000
    counted = Counter(choose([(one, one.weight) for one in FIXED.items], n % 99).item for n in range(total))
    assert p_value(chi_square(counted, base(FIXED, endless(FIXED)), total), 3) < 0.001


@pytest.mark.parametrize(
    "draws", [100_000, pytest.param(int(os.environ.get("DRAWS", "10000000")), marks=pytest.mark.long)]
)
def test_draws_agree_with_the_published_odds(draws):
    left = endless(FIXED)
    counted = Counter(draw(FIXED, left, 0, SEED, f"fixed|{number}").item for number in range(draws))
    assert p_value(chi_square(counted, base(FIXED, left), draws), 3) > 0.001
    kept, runs = long_run(draws)
    hits = sum(runs.values())
    hit = Fraction(11, 100)
    stretch = {n: (1 - hit) ** (n - 1) * (hit if n < KEPT.pity else 1) for n in range(1, KEPT.pity + 1)}
    assert p_value(chi_square(runs, stretch, hits), KEPT.pity - 1) > 0.001, "each stretch ends as it should"
    for item, rate in effective(KEPT, left).items():
        assert kept[item] / draws == pytest.approx(float(rate), rel=40 / math.sqrt(draws * rate))
    among = {"tin": Fraction(10, 11), "owl": Fraction(1, 11)}
    assert p_value(chi_square(kept, among, hits), 1) > 0.001
