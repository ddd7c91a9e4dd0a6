"""What nobody should send: refused with the field's name, never a fault, and nothing is left of it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from threepeat.events import collections
from threepeat.sdk import Refused
from threepeat.tenancy.errors import Invalid, NotFound

BODIES = [
    {},
    {"month": 2, "day": 30},
    {"month": 0, "day": 1},
    {"month": 13, "day": 1},
    {"month": 2**63, "day": 1},
    {"month": "February", "day": 1},
    {"month": 2, "day": None},
    {"month": 2.5, "day": 1},
    [],
]


def test_birthdays_that_are_none(shop):
    shop.paid("ann", "1", 1_000)
    for body in BODIES:
        answer = shop.call("POST", "/birthday", "ann", json=body)
        assert answer.status_code == 422, (body, answer.text)
    assert shop.call("POST", "/birthday", "ann", json={"month": 2, "day": 29}).status_code == 200
    assert shop.rows("SELECT month_day FROM tiers.birthday") == [("02-29",)]


WRONG = [
    {"level": 0},
    {"level": 11},
    {"level": 2**63},
    {"name": ""},
    {"name": "x\0"},
    {"name": "\ud800"},
    {"qualify": -1},
    {"qualify": 2**63},
    {"percent_off": 91},
    {"percent_off": "NaN"},
    {"earn_factor": "NaN"},
    {"earn_factor": "Infinity"},
    {"earn_factor": "0.5"},
    {"sold_as": [""]},
    {"categories": ["x" * 129]},
    {"entry_rewards": [{"kind": "nothing", "amount": 1}]},
    {"birthday_rewards": [{"kind": "points", "amount": 0}]},
]


def test_tiers_that_are_none(shop):
    for wrong in WRONG:
        form = {"level": 7, "name": "x", "qualify": 9_000, **wrong}
        with pytest.raises(Invalid, match=next(iter(wrong))):
            shop.inside(lambda opened, form=form: collections.create(opened, "tiers", "tiers", form, by="test"))
    assert shop.rows("SELECT count(*) FROM tiers.tier WHERE tenant_id = :tenant") == [(3,)]


def test_items_that_are_none(shop):
    for item in ("0", "00", "07", "-1", "11", "99", "x", "9" * 40):
        for name in ("tiers", "grants"):
            with pytest.raises(NotFound):
                shop.inside(lambda opened, name=name, item=item: collections.read(opened, "tiers", name, item))


def test_grants_that_are_none(shop):
    shop.paid("ann", "1", 10)
    good = {"customer": "ann", "level": 2, "last_day": str(date(2025, 1, 10) + timedelta(days=9)), "reason": "x"}
    for wrong in (
        {"reason": " "},
        {"customer": "a\0"},
        {"last_day": "2101-01-01"},
        {"last_day": "soon"},
        {"level": 0},
    ):
        with pytest.raises(Invalid, match=next(iter(wrong))):
            shop.inside(
                lambda opened, wrong=wrong: collections.create(
                    opened, "tiers", "grants", {**good, **wrong}, by="test"
                )
            )
    with pytest.raises(Refused):
        shop.inside(
            lambda opened: collections.create(opened, "tiers", "grants", {**good, "customer": "'; --"}, by="test")
        )
    assert shop.rows("SELECT count(*) FROM tiers.floor") == [(0,)]


def test_the_largest_amounts_are_counted(shop):
    most = 10**15
    shop.save(growth_per_unit=1000)
    shop.batch(*(shop.event("order.paid", "ann", order_id=str(number), total=most) for number in range(5)))
    shop.batch(*(shop.event("order.refunded", "bob", refund_id=str(number), amount=most) for number in range(5)))
    lines = [{"sku": "card", "quantity": 10**9, "amount": 1}]
    shop.tier(3, name="c", qualify=5_000, sold_as=["card"], sold_days=3660)
    shop.batch(shop.event("order.paid", "eve", order_id="x", total=1, lines=lines))
    assert shop.levels() == {"ann": 3, "eve": 3}
    assert shop.mine("ann")["growth"] == 5 * 10**12


def test_a_tier_that_is_bought_for_ever_ends_at_last(shop):
    lines = [{"sku": "card", "quantity": 10**9, "amount": 1}]
    shop.tier(3, name="c", qualify=5_000, sold_as=["card"], sold_days=3660)
    shop.batch(*(shop.event("order.paid", "ann", order_id=str(n), total=1, lines=lines) for n in range(90)))
    assert shop.level("ann") == 3
    assert shop.rows("SELECT max(until) FROM tiers.floor") == [(datetime(2300, 1, 1, tzinfo=UTC),)]


def test_a_tiers_page_lists_by_state_and_name(shop):
    from threepeat.sdk import Query

    shop.retire(3)
    found = shop.inside(lambda opened: collections.find(opened, "tiers", "tiers", Query(state="retired"))).items
    assert [item.title for item in found] == ["金卡会员"]
    found = shop.inside(lambda opened: collections.find(opened, "tiers", "tiers", Query(search="银"))).items
    assert [item.id for item in found] == ["2"]
    item = shop.inside(lambda opened: collections.read(opened, "tiers", "tiers", "1"))
    assert item.figures == {"Members": 0}
