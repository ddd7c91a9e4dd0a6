"""What the orders service lets others know, and what an audience makes of it."""

import secrets
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from threepeat.events.context import Cause
from threepeat.sdk import Audience

NOW = datetime.now(UTC)
ORDERS = ["orders.count", "orders.spend", "orders.first_at", "orders.last_at"]


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory):
    """One platform for a file; every test makes stores of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture
def store(make_tenant):
    return make_tenant(f"tea-{secrets.token_hex(4)}")


@contextmanager
def asking(platform, store):
    with platform.database.tenant(store.id) as scope:
        yield platform.inside(scope, store).context(platform.registry["orders"], cause=Cause("test"))


def members(platform, store):
    with platform.database.tenant(store.id) as scope:
        rows = scope.run(text("SELECT value, member_id FROM core.identity WHERE tenant_id = :tenant"))
    return {row.value: row.member_id for row in rows}


def paid(send, member, order, total, *, days):
    return send.event(
        "order.paid", member, order_id=order, total=total, currency="CNY", time=NOW - timedelta(days=days)
    )


@pytest.fixture
def ids(platform, store, send, worker):
    """Ann bought twice, bob long ago, eve looked, dan only has a refund."""
    send.batch(
        store,
        [
            paid(send, "ann", "1", 10_000, days=50),
            paid(send, "ann", "2", 2_500, days=3),
            paid(send, "bob", "3", 900, days=45),
            send.event("order.refunded", "ann", refund_id="r1", order_id="1", amount=500, currency="CNY"),
            send.event("order.refunded", "dan", refund_id="r2", order_id=None, amount=70, currency="CNY"),
            send.event("page.viewed", "eve", page="home"),
        ],
    )
    worker.drain()
    return members(platform, store)


def test_buyers_are_known_by_number_money_and_time(platform, store, ids):
    with asking(platform, store) as ctx:
        found = ctx.facts(ORDERS, ids.values())
    ann, bob, eve, dan = (ids[name] for name in ("ann", "bob", "eve", "dan"))
    assert found["orders.count"] == {ann: 2, bob: 1, eve: 0, dan: 0}
    assert found["orders.spend"] == {ann: 12_000, bob: 900, eve: 0, dan: -70}
    assert {m: (NOW - at).days for m, at in found["orders.first_at"].items()} == {ann: 50, bob: 45}
    assert {m: (NOW - at).days for m, at in found["orders.last_at"].items()} == {ann: 3, bob: 45}


@pytest.mark.parametrize(
    ("tree", "names"),
    [
        ({}, {"ann", "bob", "eve", "dan"}),
        ({"fact": "orders.count", "op": "at_least", "value": 2}, {"ann"}),
        ({"fact": "orders.count", "op": "equals", "value": 0}, {"eve", "dan"}),
        ({"fact": "orders.spend", "op": "between", "value": [900, 12_000]}, {"ann", "bob"}),
        ({"fact": "orders.spend", "op": "less_than", "value": 0}, {"dan"}),
        ({"fact": "orders.last_at", "op": "within_days", "value": 30}, {"ann"}),
        ({"fact": "orders.last_at", "op": "more_than_days_ago", "value": 30}, {"bob"}),
        ({"not": {"fact": "orders.last_at", "op": "within_days", "value": 30}}, {"bob", "eve", "dan"}),
        ({"fact": "orders.first_at", "op": "never"}, {"eve", "dan"}),
        (
            {
                "all": [
                    {"fact": "orders.count", "op": "at_least", "value": 1},
                    {"not": {"fact": "orders.last_at", "op": "within_days", "value": 30}},
                ]
            },
            {"bob"},
        ),
    ],
)
def test_an_audience_of_buyers(platform, store, ids, tree, names):
    with asking(platform, store) as ctx:
        found = ctx.matching(Audience.model_validate(tree), ids.values())
    assert found == {ids[name] for name in names}


def test_the_facts_of_two_stores_with_the_same_members_never_meet(platform, make_tenant, store, ids, send, worker):
    other = make_tenant(f"coffee-{secrets.token_hex(4)}")
    send.batch(other, [paid(send, "ann", "1", 77, days=1)])
    worker.drain()
    theirs = members(platform, other)["ann"]
    with asking(platform, other) as ctx:
        assert ctx.facts(["orders.spend"], [theirs, ids["ann"]]) == {"orders.spend": {theirs: 77}}
    with asking(platform, store) as ctx:
        assert ctx.facts(["orders.spend"], [theirs, ids["ann"]]) == {"orders.spend": {ids["ann"]: 12_000}}


def test_its_facts_are_said_in_both_languages(platform):
    facts = platform.registry["orders"].facts
    tree = {
        "all": [
            {"fact": "orders.spend", "op": "at_least", "value": 12_890},
            {"fact": "orders.first_at", "op": "within_days", "value": 7},
        ]
    }
    audience = Audience.model_validate(tree)
    audience.check(facts)
    assert audience.sentence(facts, "en", currency="CNY") == (
        "members whose total spending is at least CN¥128.90 and whose first order was within the last 7 days"
    )
    assert audience.sentence(facts, "zh", currency="CNY") == "累计消费金额不少于¥128.90且首次下单在最近7天内的会员"
