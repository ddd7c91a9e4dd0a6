"""Shuffled, duplicated, late and failing histories end as the ordered one does.

Each example is a store's worth of members: every member's history is delivered in order to one store, and to
another shuffled among all members, with repetitions, in batches of any size, to a tactic that refuses some of the
events until somebody tries its dead letters again. `HISTORIES` sets how many histories are tried.
"""

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from threepeat.events import letters
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.sdk import hookimpl, when
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat.tenancy import switches
from threepeat.testing.fixtures import Sender
from threepeat.worker.loop import Worker, WorkerConfig
from threepeat_orders.plugin import OrdersPlugin
from threepeat_points import reactions
from threepeat_points.plugin import Points

MEMBERS = 50
EXAMPLES = max(int(os.environ.get("HISTORIES", "300")) // MEMBERS, 1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Moody:
    """Refuses events of some ids, in whatever call they come."""

    def __init__(self):
        self.refused = set()

    def wrap(self, handler):
        def handle(ctx, events):
            handler(ctx, events)  # its effects are there, and have to go again
            for event in events:
                if event.id in self.refused:
                    raise RuntimeError("not today")

        return handle


class MoodyPoints(Points):
    __module__ = "threepeat_points.plugin"
    mood = Moody()

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.mood.wrap(reactions.earn), unread={"lines"})
        yield when(OrderRefunded, self.mood.wrap(reactions.claw_back), always=True, unread={"lines"})


@st.composite
def histories(draw):
    """Orders and their refunds of one member: kind, order, amount; refunds may exceed the order or have none."""
    found = []
    for order in range(draw(st.integers(0, 4))):
        found.append(("order.paid", order, draw(st.integers(0, 60_000))))
        found += [("order.refunded", order, draw(st.integers(0, 40_000))) for _ in range(draw(st.integers(0, 2)))]
    return found


@pytest.fixture(scope="module")
def arena(cluster, tmp_path_factory):
    from threepeat.events.platform import KeyConfig, Platform
    from threepeat.tenancy.keyring import new_line

    folder = tmp_path_factory.mktemp("histories")
    with cluster.database() as name:
        registry = Registry.load([("orders", OrdersPlugin()), ("points", MoodyPoints())])
        keys = KeyConfig(keys=new_line())
        platform = Platform.open(cluster.config(name, folder), registry=registry, keys=keys, upgrade=True)
        assert not platform.registry.quarantined
        yield platform
        platform.database.dispose()


STATE = text("""
    SELECT i.value AS member,
           (SELECT jsonb_agg(jsonb_build_array(l.order_id, l.granted - l.reversed, l.remaining, l.order_refunded)
                             ORDER BY l.order_id) FROM points.lot l
            WHERE l.tenant_id = :tenant AND l.member_id = i.member_id) AS lots,
           coalesce((SELECT a.debt FROM points.account a
                     WHERE a.tenant_id = :tenant AND a.member_id = i.member_id), 0) AS debt,
           (SELECT coalesce(sum(e.points), 0) FROM points.entry e
            WHERE e.tenant_id = :tenant AND e.member_id = i.member_id) AS journal,
           (SELECT jsonb_build_array(b.orders, b.paid, b.refunded) FROM orders.buyer b
            WHERE b.tenant_id = :tenant AND b.member_id = i.member_id) AS bought,
           (SELECT jsonb_agg(jsonb_build_array(h.order_id, h.total, h.refunded) ORDER BY h.order_id)
            FROM orders.header h WHERE h.tenant_id = :tenant AND h.member_id = i.member_id) AS headers
    FROM core.identity i WHERE i.tenant_id = :tenant AND i.kind = 'shop' ORDER BY 1
""")


def state(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        return [tuple(row) for row in scope.run(STATE)]


def events_of(send, member, history):
    """A member's events, with times that tell their order."""
    made = []
    for number, (kind, order, amount) in enumerate(history):
        data = {"order_id": f"{member}-{order}", "currency": "CNY"}
        data |= (
            {"total": amount} if kind == "order.paid" else {"amount": amount, "refund_id": f"{member}-{number}"}
        )
        time = BEGAN + timedelta(hours=number)
        made.append(send.event(kind, member, id=f"{member}-{number}", time=time, **data))
    return made


COUNT = 0


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.reuse, Phase.generate),  # to shrink a store's worth of histories takes longer than to read it
)
@given(st.lists(histories(), min_size=MEMBERS, max_size=MEMBERS), st.randoms(use_true_random=False))
def test_any_delivery_ends_as_the_ordered_one(arena, many, chance):
    global COUNT  # noqa: PLW0603 - each example gets two stores of its own
    COUNT += 1
    send, mood = Sender(arena), MoodyPoints.mood
    ordered = open_store(arena, f"ordered-{COUNT}", enable=["points"], holdout=10, by="test")
    shuffled = open_store(arena, f"shuffled-{COUNT}", enable=["points"], holdout=10, by="test")
    with arena.database.ops.begin() as ops:  # the same comparison group, member by member
        ops.execute(
            text("UPDATE core.activation SET holdout_percent = 0 WHERE tenant_id = ANY(:ids)"),
            {"ids": [ordered.id, shuffled.id]},
        )
    parts = [events_of(send, f"m{number}", history) for number, history in enumerate(many)]
    mood.refused = set()
    for part in zip(*_padded(parts), strict=True):
        if batch := [event for event in part if event is not None]:
            send.batch(ordered, batch)
    worker = Worker(arena, WorkerConfig(batch=chance.choice((1000, 37)), pause_after=1000))
    worker.drain()
    events = [event for part in parts for event in part]
    chance.shuffle(events)
    events += chance.sample(events, len(events) // 5)
    mood.refused = {event["id"] for event in chance.sample(events, min(len(events) // 20, 8))}
    start = 0
    while start < len(events):
        size = chance.randint(1, 60)
        send.batch(shuffled, events[start : start + size])
        start += size
        if chance.random() < 0.3:
            worker.drain()
    worker.drain()
    with arena.database.tenant(shuffled.id) as scope:
        waiting = letters.list_letters(scope, most=10_000)
        assert {one.reference for one in waiting if one.behind is None} or not mood.refused
    mood.refused = set()
    with arena.database.tenant(shuffled.id) as scope:
        assert letters.retry(scope, by="test") == len(waiting)
    worker.drain()
    with arena.database.tenant(shuffled.id) as scope:
        assert letters.list_letters(scope) == []
        assert switches.activations(scope)["points"].paused is None
    assert state(arena, shuffled) == state(arena, ordered)
    assert [one for one in verify(arena, shuffled) if one.rows] == []


def _padded(parts):
    longest = max(map(len, parts))
    return [part + [None] * (longest - len(part)) for part in parts]
