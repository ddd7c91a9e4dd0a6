"""What points let others know."""

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import pytest
from sqlalchemy import text

from threepeat.events.context import Cause
from threepeat.sdk import Audience
from threepeat.tenancy import switches
from threepeat_points import routes

NOW = datetime.now(UTC)
RICH = Audience.model_validate({"fact": "points.available", "op": "at_least", "value": 100})


@pytest.fixture
def store(make_tenant):
    return make_tenant(f"tea-{token_hex(6)}", enable=("points",))


@contextmanager
def asking(platform, store, member=None):
    with platform.database.tenant(store.id) as scope:
        opened = platform.inside(scope, store)
        yield opened.context(platform.registry["points"], cause=Cause("test"), member=member)


@pytest.fixture
def ids(platform, store, send, worker):
    """Ann has points, some of bob's have expired and some went back, eve's debt is larger than her points."""
    long_ago = NOW - timedelta(days=1_000)
    money = {"currency": "CNY"}
    send.batch(
        store,
        [
            send.event("order.paid", "ann", order_id="1", total=10_000, **money),
            send.event("order.paid", "ann", order_id="2", total=5_000, **money),
            send.event("order.paid", "bob", order_id="3", total=90_000, time=long_ago, **money),
            send.event("order.paid", "bob", order_id="4", total=20_000, **money),
            send.event("order.refunded", "bob", refund_id="r1", order_id="4", amount=5_000, **money),
            send.event("order.refunded", "eve", refund_id="r2", order_id=None, amount=3_000, **money),
            send.event("page.viewed", "dan", page="home"),
        ],
    )
    worker.drain()
    with platform.database.tenant(store.id) as scope:
        rows = scope.run(text("SELECT value, member_id FROM core.identity WHERE tenant_id = :tenant"))
    return {row.value: row.member_id for row in rows}


def test_points_available_are_those_of_the_balance(platform, store, ids):
    with asking(platform, store) as ctx:
        found = ctx.facts(["points.available"], ids.values())["points.available"]
        assert found == {ids["ann"]: 150, ids["bob"]: 150, ids["eve"]: 0, ids["dan"]: 0}
        assert ctx.matching(RICH, ids.values()) == {ids["ann"], ids["bob"]}
    for member, points in found.items():
        with asking(platform, store, member) as ctx:
            assert routes.balance(ctx).available == points


def test_points_are_known_until_the_tactic_is_off(platform, store, ids):
    ann = ids["ann"]
    with platform.database.tenant(store.id) as scope:
        closing = switches.disable(scope, store, platform.registry, "points", by="test", act=platform.act)
    assert closing.state == "closing"
    with asking(platform, store) as ctx:
        assert ctx.matching(RICH, [ann]) == {ann}
    with platform.database.tenant(store.id) as scope:
        scope.run(text("UPDATE core.activation SET state = 'off' WHERE tenant_id = :tenant AND plugin = 'points'"))
    with asking(platform, store) as ctx:
        assert ctx.facts(["points.available"], [ann]) == {"points.available": {}}
        assert ctx.matching(RICH, [ann]) == frozenset()


def test_the_points_of_two_stores_with_the_same_members_never_meet(platform, make_tenant, ids):
    other = make_tenant(f"coffee-{token_hex(6)}", enable=("points",))
    with asking(platform, other) as ctx:
        assert ctx.facts(["points.available"], ids.values()) == {"points.available": {}}


def test_its_fact_is_said_in_both_languages(platform):
    facts = platform.registry["points"].facts
    RICH.check(facts)
    said = [RICH.sentence(facts, locale, currency="CNY") for locale in ("en", "zh")]
    assert said == ["members whose number of points available is at least 100", "可用积分不少于100的会员"]
