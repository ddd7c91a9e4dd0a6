"""What a merchant reads about orders, beside another store with the same members and orders."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from threepeat.events import metrics
from threepeat.plugins import Registry
from threepeat_orders.plugin import plugin

DAY = timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAYS = 7


def at(days_ago, hour=12):
    """An hour of a local day."""
    today = datetime.now(SHANGHAI).date()  # not once for all tests: midnight comes while they run
    return datetime.combine(today - DAY * days_ago, time(hour), tzinfo=SHANGHAI).astimezone(UTC)


ORDERS = (
    ("1", "ann", 100, at(40)),
    ("2", "ann", 100, at(6, 0)),  # the first moment of the period
    ("3", "bob", 200, at(3, 0)),
    ("4", "bob", 200, at(3, 23)),
    ("5", "eve", 400, at(0, 0)),
    ("6", "dan", 800, at(7, 23)),  # in the period before
    ("7", "ann", 800, at(8)),
    ("8", "cat", 800, at(9)),
)


@pytest.fixture
def platform(open_platform):
    return open_platform(registry=Registry.load([("orders", plugin)]))


@pytest.fixture
def trade(send, worker):
    def made(tenant, *, scale, orders=ORDERS):
        money = {"currency": "CNY"}
        paid = [
            send.event("order.paid", who, order_id=order, total=total * scale, time=when, **money)
            for order, who, total, when in orders
        ]
        back = send.event(
            "order.refunded", "bob", refund_id="r1", order_id="4", amount=50 * scale, time=at(1, 23), **money
        )
        send.batch(tenant, [*paid, back])
        worker.drain()

    return made


@pytest.fixture
def asked(platform):
    def ask(tenant):
        with platform.database.tenant(tenant.id) as scope:
            period = metrics.period(tenant.store, at(0, 0), DAYS)
            found = metrics.report(platform.inside(scope, tenant), platform.registry["orders"], period)
        assert [one.error for one in found] == [None] * len(found)
        return {one.metric.name: one.answer for one in found}

    return ask


def test_orders_and_money_are_counted_by_the_stores_days(tenant, other_tenant, trade, asked):
    trade(tenant, scale=1)
    trade(other_tenant, scale=7, orders=ORDERS[:4])
    found, theirs = asked(tenant), asked(other_tenant)
    assert list(found["orders"].lines.values()) == [(1, 0, 0, 2, 0, 0, 1)]
    assert {str(name): line for name, line in found["revenue"].lines.items()} == {
        "Paid": (100, 0, 0, 400, 0, 0, 400),
        "Refunded": (0, 0, 0, 0, 0, 50, 0),
    }
    assert found["revenue"].unit == "money"
    assert list(theirs["orders"].lines.values()) == [(1, 0, 0, 2, 0, 0, 0)]
    assert next(iter(theirs["revenue"].lines.values())) == (700, 0, 0, 2800, 0, 0, 0)


def test_a_buyer_has_come_back_who_had_bought_before_the_last_order(tenant, other_tenant, trade, asked, platform):
    assert (asked(tenant)["returning"].value, asked(tenant)["returning"].before) == (None, None)
    trade(tenant, scale=1)
    trade(other_tenant, scale=1, orders=ORDERS[4:5])
    share = asked(tenant)["returning"]
    # Of ann, bob and eve the first two; in the days before, of ann, cat and dan, ann alone.
    assert (share.value, share.unit, share.before) == (6_666, "percent", 3_333)
    assert (asked(other_tenant)["returning"].value, asked(other_tenant)["returning"].before) == (0, None)
    with platform.database.tenant(tenant.id) as scope:  # as erasure leaves them
        for table in ("header", "buyer"):
            scope.run(text(f"UPDATE orders.{table} SET member_id = -member_id WHERE tenant_id = :tenant"))
    assert asked(tenant)["returning"].value == 6_666
