"""The pure rules: sizes of shares, windows, and what is worse for members."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat_tiers.rules import Rules, TierRule, cut_sizes
from threepeat_tiers.settings import TiersSettings
from threepeat_tiers.windows import DAY, next_review, window_end, window_start

DAYS = st.dates(date(2000, 1, 1), date(2060, 12, 31))


def rules(*tiers, **settings):
    return Rules.of(TiersSettings(**settings), [TierRule(**tier) for tier in tiers])


BASE = {"level": 1, "name": "a"}
GOLD = {"level": 2, "name": "b", "qualify": 100, "retain": 80, "percent_off": 10, "earn_factor": Decimal("1.5")}


@given(shares=st.lists(st.integers(0, 20), max_size=5), members=st.integers(0, 10**6))
def test_the_sizes_add_up_and_each_is_its_share_rounded_down_or_up(shares, members):
    sizes = cut_sizes(shares, members)
    assert sum(sizes) == members
    for size, share in zip(sizes, [*shares, 100 - sum(shares)], strict=True):
        assert 0 <= size * 100 - members * share + 99 < 199


def test_the_largest_remainder_goes_first():
    assert cut_sizes([5, 30], 100) == [5, 30, 65]
    assert cut_sizes([5, 30], 10) == [1, 3, 6]
    assert cut_sizes([5, 30], 3) == [0, 1, 2]
    assert cut_sizes([50], 1) == [1, 0]


@given(joined=DAYS, day=DAYS, window=st.sampled_from(["rolling", "calendar_year", "membership_year", "lifetime"]))
def test_a_window_holds_its_day_and_is_reviewed_after_it(joined, day, window):
    one = rules(BASE, window=window, window_days=90)
    day = max(day, joined)
    start, last = window_start(one, joined, day), window_end(one, joined, day)
    assert start <= day <= last
    assert window_start(one, joined, min(last, date(2100, 1, 1))) <= day
    if window in {"calendar_year", "membership_year"}:
        assert window_start(one, joined, last) == start
        assert next_review(one, joined, day) == last + DAY
        assert 365 <= (last - start).days + 1 <= 366
    assert day < next_review(one, joined, day)


@pytest.mark.parametrize(
    ("changed", "worse"),
    [
        ({}, False),
        ({"qualify": 90, "retain": 70}, False),
        ({"percent_off": 12}, False),
        ({"contact": "call Lin"}, False),
        ({"name": "c"}, False),
        ({"qualify": 101}, True),
        ({"retain": 81}, True),
        ({"percent_off": 9}, True),
        ({"earn_factor": Decimal("1.4")}, True),
        ({"scope": {"categories": ("tea",)}}, True),
        ({"scope": {"excluded_skus": ("t1",)}}, True),
        ({"level": 3}, True),
    ],
)
def test_what_is_worse_for_members(changed, worse):
    before, after = rules(BASE, GOLD), rules(BASE, {**GOLD, **changed})
    assert after.worsens(before) is worse


@pytest.mark.parametrize(
    ("changed", "worse"),
    [
        ({"grace_days": 31}, False),
        ({"growth_per_unit": 2}, False),
        ({"interactions": [{"kind": "visit.made", "growth": 6, "most_a_day": 2}]}, False),
        ({"interactions": []}, True),
        ({"interactions": [{"kind": "visit.made", "growth": 4, "most_a_day": 2}]}, True),
        ({"grace_days": 29}, True),
        ({"growth_per_unit": 0}, True),
        ({"downgrade": "recompute"}, True),
        ({"window": "lifetime"}, True),
        ({"mode": "share"}, True),
    ],
)
def test_which_settings_are_worse_for_members(changed, worse):
    visits = {"interactions": [{"kind": "visit.made", "growth": 5, "most_a_day": 1}]}
    assert rules(BASE, GOLD, **{**visits, **changed}).worsens(rules(BASE, GOLD, **visits)) is worse


def test_an_added_tier_is_no_loss_and_one_that_is_gone_is():
    assert not rules(BASE, GOLD).worsens(rules(BASE))
    assert rules(BASE).worsens(rules(BASE, GOLD))
