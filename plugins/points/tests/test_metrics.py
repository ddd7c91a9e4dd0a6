"""What a merchant reads about points, beside another store with the same members and orders."""

import json
from datetime import UTC, datetime, time, timedelta
from secrets import token_hex
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from threepeat.events import metrics
from threepeat.plugins import Registry
from threepeat.plugins.translations import translate
from threepeat.sdk import Amount, Spend, Store
from threepeat.tenancy import members
from threepeat_points.payments import Return, give_back
from threepeat_points.plugin import plugin
from threepeat_points.settings import PointsSettings

DAY = timedelta(days=1)
SHANGHAI = ZoneInfo("Asia/Shanghai")
DAYS = 30


def at(days_ago, hour=12):
    """An hour of a local day."""
    today = datetime.now(SHANGHAI).date()  # not once for all tests: midnight comes while they run
    return datetime.combine(today - DAY * days_ago, time(hour), tzinfo=SHANGHAI).astimezone(UTC)


@pytest.fixture
def store(make_tenant):
    return make_tenant(f"tea-{token_hex(6)}", enable=("points",))


@pytest.fixture
def other(make_tenant):
    return make_tenant(f"coffee-{token_hex(6)}", enable=("points",))


@pytest.fixture
def trade(send, worker, act, platform):
    """Orders, a refund and a payment in a store."""

    def made(tenant, *, scale):
        money = {"currency": "CNY"}
        orders = {
            "1": ("ann", 100_00, at(20)),
            "2": ("ann", 50_00, at(10, 0)),
            "3": ("bob", 30_00, at(10, 23)),
            "4": ("eve", 50, at(3)),
            "5": ("dan", 80_00, at(735)),
            "6": ("dan", 5_00, at(DAYS)),
        }
        send.batch(
            tenant,
            [
                send.event("order.paid", who, order_id=order, total=total * scale, time=when, **money)
                for order, (who, total, when) in orders.items()
            ]
            + [
                send.event(
                    "order.refunded",
                    "bob",
                    refund_id="r1",
                    order_id="3",
                    amount=10_00 * scale,
                    time=at(2),
                    **money,
                )
            ],
        )
        worker.drain()
        with platform.database.tenant(tenant.id) as scope:
            ann = members.get(scope, "ann").id
        act(tenant, "points", lambda ctx: ctx.spend("points", [Spend(ann, 120 * scale, "gift")]))

    return made


@pytest.fixture
def asked(platform):
    """The answers of a store's points, by name."""

    def ask(tenant, name="points"):
        with platform.database.tenant(tenant.id) as scope:
            period = metrics.period(tenant.store, scope.now, DAYS)
            found = metrics.report(platform.inside(scope, tenant), platform.registry[name], period)
        assert [one.error for one in found] == [None] * len(found)
        return {one.metric.name: one.answer for one in found}

    return ask


def by_day(line):
    """The figures that are not 0, by how many days ago."""
    return {DAYS - 1 - place: figure for place, figure in enumerate(line) if figure}


def test_points_are_counted_by_the_day_they_came_and_went(store, other, trade, asked):
    trade(store, scale=1)
    trade(other, scale=3)
    for tenant, scale in ((store, 1), (other, 3)):
        found = asked(tenant)["daily"]
        eve = {3: 1} if scale == 3 else {}
        expected = {
            "Earned": {20: 100, 10: 80} | eve,
            "Spent": {0: 120},
            "Given back": {},
            "Taken back": {2: 10},
            "Expired": {5: 80},
        }
        expected = {
            name: {day: points * (1 if points == 1 else scale) for day, points in line.items()}
            for name, line in expected.items()
        }
        assert {name: by_day(line) for name, line in found.lines.items()} == expected
        assert found.kind == "bar"


def test_what_members_hold_is_what_they_can_spend_and_its_worth(store, other, trade, asked, platform):
    trade(store, scale=1)
    before = asked(other)
    assert (before["held"].value, before["worth"].value, before["cycle"].value) == (0, 0, None)
    assert [count for _, count in before["funnel"].steps] == [0, 0, 0]
    found = asked(store)
    assert found["held"].value == 30 + 20 + 5
    assert (found["worth"].value, found["worth"].unit) == (55, "money")
    with platform.database.tenant(store.id) as scope:
        scope.run(
            text("UPDATE points.lot SET member_id = -member_id WHERE tenant_id = :tenant AND order_id = '6'")
        )
    assert asked(store)["held"].value == 50  # nobody can claim what an erased member had


def test_the_funnel_follows_the_same_members_from_an_order_to_a_payment(store, other, trade, asked):
    trade(store, scale=1)
    trade(other, scale=1)
    steps = asked(store)["funnel"].steps
    assert [(str(name), count) for name, count in steps] == [
        ("Ordered", 3),
        ("Earned points", 2),
        ("Spent points", 1),
    ]


def test_the_cycle_is_the_age_of_the_middle_point(store, trade, asked, platform):
    trade(store, scale=1)
    noon = round((datetime.now(UTC) - at(20)) / DAY)
    cycle = asked(store)["cycle"]
    assert (cycle.value, cycle.unit, cycle.before) == (noon, "days", None)
    assert cycle.warning == ""
    late = {"tenant": store.id}
    with platform.database.ops.begin() as ops:  # the store itself cannot change its journal
        ops.execute(
            text("UPDATE points.allocation SET points = 1000 WHERE tenant_id = :tenant AND points = 20"), late
        )
    assert asked(store)["cycle"].value == round((datetime.now(UTC) - at(10, 0)) / DAY)
    with platform.database.ops.begin() as ops:
        ops.execute(
            text(
                "UPDATE points.entry SET occurred_at = occurred_at - interval '31 days' WHERE tenant_id = :tenant"
            ),
            late,
        )
    assert asked(store)["cycle"].value is None
    assert asked(store)["cycle"].before is not None


@pytest.mark.parametrize(
    ("currency", "minor_units", "english", "chinese"),
    [
        ("CNY", 100, "An order of CN¥128.00 earns 256 points", "¥128.00 的订单得 256 积分"),
        ("JPY", 1, "An order of ¥128 earns 256 points", "JP¥128 的订单得 256 积分"),
    ],
)
def test_an_example_says_what_the_settings_come_to(currency, minor_units, english, chinese):
    found = Registry.discover()["points"]
    store = Store(1, "tea", "Tea", currency, minor_units, SHANGHAI)
    earns, worth, expires = PointsSettings(points_per_unit=2, expires_after_days=1).worked(store)
    assert (earns, translate(found, earns, "zh_CN")) == (english, chinese)
    assert worth.values["worth"] == Amount(
        256 * minor_units // 100 + (256 * minor_units % 100 > 0), currency, minor_units
    )
    assert expires == "Points that are not spent within 1 day of the order expire"
    assert len(list(PointsSettings(expires_after_days=None).worked(store))) == 2


@pytest.mark.parametrize(("period", "chinese"), [("month", "月底"), ("quarter", "季末"), ("year", "年底")])
def test_an_example_says_that_points_expire_together(period, chinese):
    found = Registry.discover()["points"]
    store = Store(1, "tea", "Tea", "CNY", 100, SHANGHAI)
    *_, last = PointsSettings(expires_at_end_of=period).worked(store)
    assert chinese in translate(found, last, "zh_CN")


def test_an_example_of_paying_names_only_what_can_be_paid():
    store = Store(1, "tea", "Tea", "CNY", 100, SHANGHAI)
    *_, pays = PointsSettings(pay_percent=50, pay_step=5_000).worked(store)
    assert pays == "5,000 points pay CN¥50.00 of an order of CN¥128.00"
    assert len(list(PointsSettings(pay_percent=50, pay_step=10_000).worked(store))) == 3


def test_who_waits_too_long_with_spending_is_warned_of(store, trade, asked, platform):
    trade(store, scale=1)
    with platform.database.ops.begin() as ops:
        late = text("UPDATE points.lot SET earned_at = earned_at - interval '60 days' WHERE tenant_id = :tenant")
        ops.execute(late, {"tenant": store.id})
    cycle = asked(store)["cycle"]
    assert cycle.value > 45
    assert cycle.warning.startswith(f"Members spend points after {cycle.value} days")
    assert "中位数" in translate(Registry.discover()["points"], cycle.warning, "zh_CN")


def test_what_came_back_was_not_spent(store, trade, asked, act, platform):
    trade(store, scale=1)
    with platform.database.tenant(store.id) as scope:
        ann = members.get(scope, "ann").id
    act(store, "points", lambda ctx: give_back(ctx, [Return(ann, "spend:points:gift", 120, "cancel:1")]))
    found = asked(store)
    assert found["cycle"].value is None
    assert by_day(found["daily"].lines["Given back"]) == {0: 120}
    assert found["held"].value == 30 + 20 + 5 + 120


def test_what_is_owed_is_said_with_its_numbers(store, trade, act):
    trade(store, scale=1)
    found = Registry.discover()["points"]
    owed = act(store, "points", lambda ctx: list(plugin.open_obligations(ctx)))
    assert owed == ["3 members hold 55 points"]
    assert translate(found, owed[0], "zh_CN") == "3 位会员共持有 55 积分"


def test_a_forms_schema_holds_plain_texts():
    field = PointsSettings.model_json_schema()["properties"]["points_per_unit"]
    assert field["title"] == "Points per unit of money"
    assert (field["threepeat"]["group"], field["threepeat"]["unit"]) == ("Earning", "points")
    assert {type(one) for one in json.loads(json.dumps(field)).values()} <= {str, int, dict}
