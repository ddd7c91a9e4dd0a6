"""The read model of orders, as other plugins see it."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest

from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, get, hookimpl
from threepeat_orders.plugin import plugin as orders_plugin

START = datetime(2026, 1, 10, 12, tzinfo=UTC)


class Asking(Plugin[PluginSettings]):
    """A tactic that only asks the orders service."""

    manifest = Manifest(id="asking", kind="tactic", title="Asking", summary="Asks.", requires=("orders",))
    settings_model = PluginSettings
    answers: ClassVar[dict] = {}

    @hookimpl
    def routes(self):
        yield get("/ask", self.ask, summary="Ask")

    def ask(self, ctx) -> dict:
        found = ctx.orders.summaries([ctx.member])
        self.answers["summary"] = found.get(ctx.member)
        self.answers["categories"] = ctx.orders.categories([ctx.member])
        self.answers["nobody"] = ctx.orders.summaries([2**62])
        return {}


@pytest.fixture
def platform(open_platform):
    return open_platform(registry=Registry.load([("orders", orders_plugin), ("asking", Asking())]))


@pytest.fixture
def ask(client, make_key):
    def ask(tenant, member):
        key = make_key(tenant, "manage")
        token = client.post(f"/v1/members/{member}/token", headers={"authorization": f"Bearer {key}"}).json()[
            "token"
        ]
        answer = client.get("/v1/me/asking/ask", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return Asking.answers

    return ask


def paid(send, tenant, member, order, total, *, time=START, lines=(), **more):
    return send(
        tenant,
        "order.paid",
        member,
        order_id=order,
        total=total,
        currency="CNY",
        time=time,
        lines=[{"sku": sku, "category": category, "quantity": n, "amount": 1} for sku, category, n in lines],
        **more,
    )


def test_summaries_and_categories_tell_what_a_member_bought(make_tenant, send, worker, ask):
    store = make_tenant("tea", enable=("asking",))
    paid(send, store, "ann", "1", 1_000, lines=[("a", "green", 2), ("b", "", 5)])
    paid(send, store, "ann", "2", 500, time=START + timedelta(days=3), lines=[("c", "green", 1), ("d", "dark", 1)])
    paid(send, store, "bob", "3", 900, lines=[("a", "green", 7)])
    send(store, "order.refunded", "ann", refund_id="r1", order_id="1", amount=300, currency="CNY")
    send(store, "order.refunded", "ann", refund_id="r2", order_id=None, amount=50, currency="CNY")
    worker.drain()
    told = ask(store, "ann")
    assert (told["summary"].orders, told["summary"].spend) == (2, 1_150)
    assert told["summary"].first_order_at == START
    assert told["summary"].last_order_at == START + timedelta(days=3)
    assert list(told["categories"].values()) == [{"green": 3, "dark": 1}]
    assert told["nobody"] == {}


def test_an_order_or_refund_reported_twice_counts_once(make_tenant, send, worker, ask):
    store = make_tenant("tea", enable=("asking",))
    for event_id in ("a", "b"):
        paid(send, store, "ann", "1", 1_000, id=event_id)
        send(
            store,
            "order.refunded",
            "ann",
            refund_id="r",
            order_id="1",
            amount=200,
            currency="CNY",
            id=f"r{event_id}",
        )
    worker.drain()
    summary = ask(store, "ann")["summary"]
    assert (summary.orders, summary.spend) == (1, 800)


def test_a_refund_ahead_of_its_order_is_counted_when_the_order_comes(make_tenant, send, worker, ask, platform):
    from threepeat.events.verify import verify

    store = make_tenant("tea", enable=("asking",))
    send(store, "order.refunded", "ann", refund_id="r", order_id="1", amount=200, currency="CNY")
    worker.drain()
    assert ask(store, "ann")["summary"].orders == 0
    paid(send, store, "ann", "1", 1_000)
    worker.drain()
    summary = ask(store, "ann")["summary"]
    assert (summary.orders, summary.spend) == (1, 800)
    assert not [finding for finding in verify(platform, store) if finding.rows]


def test_a_late_older_order_moves_the_first_order_back(make_tenant, send, worker, ask):
    store = make_tenant("tea", enable=("asking",))
    paid(send, store, "ann", "1", 1_000)
    worker.drain()
    paid(send, store, "ann", "0", 1_000, time=START - timedelta(days=30))
    worker.drain()
    summary = ask(store, "ann")["summary"]
    assert (summary.first_order_at, summary.last_order_at) == (START - timedelta(days=30), START)


def test_two_stores_with_the_same_ids_never_meet(make_tenant, send, worker, ask):
    first, second = (make_tenant(slug, enable=("asking",)) for slug in ("one", "two"))
    paid(send, first, "ann", "1", 1_000, id="same", lines=[("a", "green", 2)])
    paid(send, second, "ann", "1", 70, id="same", lines=[("a", "dark", 9)])
    worker.drain()
    told = ask(second, "ann")
    assert told["summary"].spend == 70
    assert list(told["categories"].values()) == [{"dark": 9}]
    assert ask(first, "ann")["summary"].spend == 1_000
