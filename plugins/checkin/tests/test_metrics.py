"""What the merchant sees: whether those who check in buy, and when they only tap."""

import pytest

from threepeat.events.metrics import period, report
from threepeat.sdk import Funnel, Series, Table
from threepeat_checkin.metrics import ONLY_TAPS


def ask(shop, days=7):
    """Every metric's answer by name, as core reports it."""
    with shop.platform.database.directory() as connection:
        tenant = shop.current(connection)
    with shop.platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
        opened = shop.platform.inside(scope, tenant)
        plugin = shop.platform.registry["checkin"]
        reported = report(opened, plugin, period(tenant.store, scope.now, days))
    assert [one.error for one in reported] == [None] * 5
    return {one.metric.name: one.answer for one in reported}


def lines(shop, days):
    return {name: list(figures) for name, figures in ask(shop, days)["daily"].lines.items()}


def steps(shop):
    return [tuple(step) for step in ask(shop)["bought"].steps]


def rows_of(shop, name, days=7):
    return [tuple(row) for row in ask(shop, days)[name].rows]


def test_a_store_without_check_ins_is_answered_too(open_shop):
    shop = open_shop()
    found = ask(shop)
    assert isinstance(found["daily"], Series)
    assert isinstance(found["bought"], Funnel)
    assert [tuple(step) for step in found["bought"].steps] == [("Checked in", 0), ("Bought within 7 days", 0)]
    assert rows_of(shop, "value") == [
        ("This period", 0, 0, 0, None, None),
        ("As many days before", None, None, None, None, None),
    ]
    assert isinstance(found["streaks"], Table)
    assert rows_of(shop, "missed") == []


def test_check_ins_and_made_up_days_of_each_day(open_shop):
    shop = open_shop(make_ups_per_month=3, make_up_price=None)
    shop.taps(0, 1, 3)
    shop.tap("bob")
    shop.make_up(2)
    assert lines(shop, 5) == {"Checked in": [0, 1, 1, 0, 2], "Made up for": [0, 0, 0, 1, 0]}
    assert lines(shop, 2) == {"Checked in": [0, 2], "Made up for": [1, 0]}


def test_members_by_the_streak_that_they_are_in(open_shop):
    shop = open_shop()
    shop.taps(0, name="gone")
    shop.taps(*range(2, 34), name="old")
    for name, days in (("ann", (33,)), ("bob", (31, 32, 33)), ("eve", (32,)), ("seven", range(26, 33))):
        shop.taps(*days, name=name)
    shop.day(33)
    assert rows_of(shop, "streaks") == [
        ("1 or 2 days", 2),
        ("3 to 6 days", 1),
        ("7 to 29 days", 1),
        ("30 days or more", 1),
    ]


def test_who_bought_within_a_week_of_a_check_in(open_shop):
    shop = open_shop()
    for name, day in (("same-day", 0), ("a-week-later", 7), ("too-late", 8), ("before", -1)):
        shop.taps(0, name=name)
        shop.pay(name, number=day)
    shop.pay("never-checked-in")
    shop.worker.drain()
    shop.day(6)
    assert steps(shop) == [("Checked in", 4), ("Bought within 7 days", 2)]
    shop.day(7)
    assert steps(shop) == [("Checked in", 0), ("Bought within 7 days", 0)]


def test_an_order_that_is_paid_or_sent_twice_counts_once(open_shop):
    shop = open_shop()
    shop.tap()
    for _ in range(2):
        shop.pay("ann", order="o-1")
        shop.worker.drain()
    shop.pay("ann", order="o-1", number=1)
    shop.pay("ann", order="o-1", number=2)
    shop.worker.drain()
    assert rows_of(shop, "value")[0] == ("This period", 1, 1, 1, 100, 10_000)


@pytest.mark.parametrize(
    ("after", "orders", "warned"),
    [(range(7, 14), 1, True), (range(7, 14), 3, False), ((7, 8, 9), 1, False)],
    ids=["taps rise and orders fall", "both rise", "both fall"],
)
def test_more_taps_and_fewer_orders_are_called_what_they_are(open_shop, after, orders, warned):
    shop = open_shop()
    shop.taps(0, 2, 4, 5)
    for number in (0, 2):
        shop.pay("ann", number=number)
    shop.taps(*after)
    for _ in range(orders):
        shop.pay("ann", number=8)
    shop.worker.drain()
    shop.day(13)
    rows = rows_of(shop, "value")
    assert rows[:2] == [
        ("This period", len(list(after)), 1, orders, orders * 100, 10_000),
        ("As many days before", 4, 1, 2, 200, 10_000),
    ]
    assert (rows[2:] == [(ONLY_TAPS, None, None, None, None, None)]) is warned
    assert len(rows) == 2 + warned


def test_days_on_which_the_tactic_was_not_there_are_not_compared(open_shop):
    shop = open_shop()
    shop.taps(8)
    shop.pay("ann", number=1)
    shop.worker.drain()
    shop.taps(*range(9, 14))
    assert rows_of(shop, "value") == [
        ("This period", 6, 1, 0, 0, 0),
        ("As many days before", None, None, None, None, None),
    ]


def test_rewards_that_did_not_come_are_told_with_the_reason(open_shop):
    shop = open_shop()
    shop.save(monthly_budget=5)
    shop.taps(0)
    shop.taps(0, name="bob")
    shop.off("points")
    shop.taps(1)
    assert rows_of(shop, "missed") == [
        ("The store does not give this reward at the moment", "points", 1),
        ("The month's budget was used up", "points", 1),
    ]


def test_a_store_sees_its_own_figures_only(open_shop):
    one, two = open_shop(), open_shop()
    one.taps(0)
    for name in ("ann", "bob"):
        two.taps(0, name=name)
        two.pay(name)
        two.worker.drain()
    assert rows_of(one, "value")[0] == ("This period", 1, 1, 0, 0, 0)
    assert rows_of(two, "value")[0] == ("This period", 2, 2, 2, 100, 10_000)
