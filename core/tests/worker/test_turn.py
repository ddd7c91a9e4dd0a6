"""A tenant's turn: order, isolation of failures, exactly once, and nobody waits for ever."""

import threading
from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import text

from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import PLUGIN, Event, OrderPaid, OrderRefunded, VisitMade
from threepeat.worker import claims
from threepeat.worker.loop import Worker, WorkerConfig
from threepeat_orders.plugin import plugin as orders
from threepeat_points.plugin import plugin as points


class Noted(Event, frozen=True, kw_only=True):
    """Something was noted."""

    type: ClassVar[str] = "noted"
    senders: ClassVar = PLUGIN
    depth_seen: int


class Recorder(Plugin[PluginSettings]):
    """Remembers what it was given, fails where it is told to, and can answer events with events."""

    manifest = Manifest(id="recorder", kind="tactic", title="Recorder", summary="Records.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.calls = []
        self.fail_on = {}
        self.loops = False

    @hookimpl
    def events(self):
        return (Noted,)

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.paid)
        yield when(OrderRefunded, self.refunded, always=True)
        yield when(VisitMade, self.visited)
        yield when(Noted, self.noted)

    def paid(self, _ctx, events):
        self._take("paid", events, lambda event: event.order_id)

    def refunded(self, _ctx, events):
        self._take("refunded", events, lambda event: event.refund_id)

    def visited(self, ctx, events):
        for event in events:
            ctx.emit(Noted(depth_seen=event.depth), member=event.member, cause=event)

    def noted(self, ctx, events):
        self._take("noted", events, lambda event: event.depth_seen)
        if self.loops:
            for event in events:
                ctx.emit(Noted(depth_seen=event.depth), member=event.member, cause=event)

    def _take(self, what, events, name):
        for event in events:
            error = self.fail_on.get(name(event))
            if error is not None:
                raise error
        self.calls.append((what, [name(event) for event in events]))

    def seen(self):
        return [name for _, names in self.calls for name in names]


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def platform(open_platform, recorder):
    registry = Registry.load([("orders", orders), ("points", points), ("recorder", recorder)])
    return open_platform(registry=registry)


@pytest.fixture
def store(make_tenant):
    return make_tenant("tea", enable=("points", "recorder"))


def paid(send, member, order, total=1_000):
    return send.event("order.paid", member, order_id=order, total=total, currency="CNY")


def refunded(send, member, refund):
    return send.event("order.refunded", member, refund_id=refund, amount=100, currency="CNY")


def letters(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        rows = scope.run(
            text(
                "SELECT plugin, position, error, behind FROM core.dead_letter WHERE tenant_id = :tenant ORDER BY 2"
            )
        )
    return [tuple(row) for row in rows]


def granted(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        return scope.run(text("SELECT coalesce(sum(points), 0) AS n FROM points.entry WHERE tenant_id = :tenant"))[
            0
        ].n


def test_a_batch_comes_in_few_calls_and_each_members_events_in_order(store, send, worker, recorder):
    send.batch(
        store, [paid(send, "ann", "1"), paid(send, "bob", "2"), refunded(send, "ann", "r"), paid(send, "ann", "3")]
    )
    worker.drain()
    assert recorder.calls == [("paid", ["1", "2"]), ("refunded", ["r"]), ("paid", ["3"])]


def test_an_event_that_fails_becomes_a_dead_letter_and_only_its_members_later_events_wait(
    platform, store, send, worker, recorder
):
    recorder.fail_on = {"3": ValueError("three is too many")}
    send.batch(store, [paid(send, "ann" if n % 2 else "bob", str(n)) for n in range(8)])
    worker.drain()
    assert sorted(recorder.seen()) == ["0", "1", "2", "4", "6"]
    assert letters(platform, store) == [
        ("recorder", 4, "ValueError: three is too many", None),
        ("recorder", 6, "waits behind position 4", 4),
        ("recorder", 8, "waits behind position 4", 4),
    ]
    assert granted(platform, store) == 80  # the neighbour lost nothing


def test_events_that_come_later_for_a_stuck_member_wait_too(platform, store, send, worker, recorder):
    recorder.fail_on = {"1": ValueError("no")}
    send.batch(store, [paid(send, "ann", "1")])
    worker.drain()
    send.batch(store, [paid(send, "ann", "2"), paid(send, "bob", "3")])
    worker.drain()
    assert recorder.seen() == ["3"]
    assert [letter[3] for letter in letters(platform, store)] == [None, 1]


def test_a_failing_plugin_writes_nothing_and_emits_nothing(platform, store, send, recorder):
    class HalfError(ValueError):
        pass

    def half_done(ctx, events):
        for event in events:
            ctx.emit(Noted(depth_seen=0), member=event.member, cause=event)
        ctx.log.info("about to fail")
        raise HalfError

    recorder.visited = half_done
    registry = Registry.load([("orders", orders), ("points", points), ("recorder", recorder)])
    object.__setattr__(platform, "registry", registry)
    send(store, "visit.made", "ann")
    Worker(platform).drain()
    assert [letter[2].partition(":")[0] for letter in letters(platform, store)] == ["HalfError"]
    with platform.database.tenant(store.id) as scope:
        assert scope.run(text("SELECT FROM core.outbox WHERE tenant_id = :tenant")) == []
        assert scope.run(text("SELECT FROM core.event WHERE tenant_id = :tenant AND type = 'noted'")) == []


def test_events_that_cause_events_stop_at_a_depth_of_eight(platform, store, send, worker, recorder):
    recorder.loops = True
    send(store, "visit.made", "ann")
    worker.drain()
    assert sorted(set(recorder.seen())) == list(range(8))
    with platform.database.tenant(store.id) as scope:
        rows = scope.run(text("SELECT position, cause, depth FROM core.event WHERE tenant_id = :tenant"))
    depth = {row.position: row.depth for row in rows}
    assert [row.cause for row in rows if row.depth == 0] == [None]
    assert all(depth[row.cause] == row.depth - 1 for row in rows if row.depth)
    assert [letter[2] for letter in letters(platform, store)] == [
        "PluginError: 8 events caused one another to get here: noted may not follow"
    ]


def test_a_transient_fault_of_the_database_is_no_dead_letter(platform, store, send, worker, recorder):
    from psycopg.errors import DeadlockDetected
    from sqlalchemy.exc import OperationalError

    recorder.fail_on = {"1": OperationalError("x", {}, DeadlockDetected("deadlock"))}
    send.batch(store, [paid(send, "ann", "1")])
    with pytest.raises(OperationalError):
        worker.drain()
    assert letters(platform, store) == []
    assert granted(platform, store) == 0
    recorder.fail_on = {}
    worker.drain()
    assert recorder.seen() == ["1"]
    assert granted(platform, store) == 10


def test_an_event_in_the_log_that_no_longer_fits_its_class_is_put_aside(platform, store, send, worker, recorder):
    send.batch(store, [paid(send, "ann", "1"), paid(send, "bob", "2")])
    with platform.database.ops.begin() as ops:
        ops.execute(text("UPDATE core.event SET data = '{}' WHERE position = 1"))
    worker.drain()
    assert recorder.seen() == ["2"]
    assert sorted((plugin, position) for plugin, position, _, _ in letters(platform, store)) == [
        ("orders", 1),
        ("points", 1),
        ("recorder", 1),
    ]


def test_a_tactic_that_was_switched_on_today_does_not_see_yesterdays_events(
    platform, make_tenant, send, worker, recorder
):
    from threepeat.tenancy import switches

    store = make_tenant("late")
    send.batch(store, [paid(send, "ann", "1")])
    worker.drain()
    with platform.database.tenant(store.id) as scope:
        switches.enable(scope, store, platform.registry, "recorder", by="test", act=platform.act)
    send.batch(store, [paid(send, "ann", "2")])
    worker.drain()
    assert recorder.seen() == ["2"]


def test_four_workers_at_once_have_each_effect_exactly_once(platform, make_tenant, send, recorder):
    stores = [make_tenant(f"store-{n}", enable=("points", "recorder")) for n in range(3)]
    workers = [Worker(platform, WorkerConfig(batch=7, slice_ms=1)) for _ in range(4)]
    threads = [threading.Thread(target=worker.run) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        for round_ in range(10):
            for store in stores:
                send.batch(store, [paid(send, f"m{n % 5}", f"{round_}-{n}") for n in range(30)])
    finally:
        for worker in workers:
            worker.stop()
        for thread in threads:
            thread.join(30)
    Worker(platform).drain()
    for store in stores:
        assert granted(platform, store) == 10 * 30 * 10
        assert letters(platform, store) == []
    assert len(recorder.seen()) == len(stores) * 300


def test_a_worker_whose_lease_ran_out_in_its_sleep_cannot_serve_twice(platform, store, send, recorder):
    """The cursors are the fence: a second worker waits for them, then finds nothing left to do."""
    send.batch(store, [paid(send, "ann", "1")])
    entered, leave = threading.Event(), threading.Event()
    original = recorder._take

    def slow(what, events, name):
        original(what, events, name)
        if not entered.is_set():
            entered.set()
            leave.wait(20)

    recorder._take = slow
    sleeper = threading.Thread(target=Worker(platform).drain)
    sleeper.start()
    assert entered.wait(20)
    with platform.database.directory() as connection:
        connection.execute(text("UPDATE core.turn SET leased_until = '-infinity', due_at = '-infinity'"))
    second = threading.Thread(target=Worker(platform).drain)
    second.start()
    second.join(0.5)
    assert second.is_alive()  # it waits for the first one's cursors
    leave.set()
    sleeper.join(20)
    second.join(20)
    assert recorder.seen() == ["1"]
    assert granted(platform, store) == 10


def test_a_dead_workers_tenant_is_served_when_its_lease_ends(platform, store, send, recorder):
    send.batch(store, [paid(send, "ann", "1")])
    with platform.database.directory() as connection:
        assert claims.claim(connection, timedelta(milliseconds=300)).tenant_id == store.id
    worker = Worker(platform)
    assert worker.take_turn() is None
    threading.Event().wait(0.4)
    worker.drain()
    assert recorder.seen() == ["1"]


def test_work_that_commits_while_a_turn_runs_is_not_forgotten(platform, store, send, recorder):
    """The claim deletes the wake-ups it sees before it reads; what commits later brings its own."""
    send.batch(store, [paid(send, "ann", "1")])
    original = recorder._take

    def interrupted(what, events, name):
        original(what, events, name)
        if name(events[0]) == "1":
            thread = threading.Thread(target=send.batch, args=(store, [paid(send, "bob", "2")]))
            thread.start()
            thread.join(20)

    recorder._take = interrupted
    Worker(platform).drain()
    assert recorder.seen() == ["1", "2"]


def test_tenants_take_turns_however_much_one_of_them_has(platform, make_tenant, send, recorder):
    big, small = make_tenant("big", enable=("recorder",)), make_tenant("small", enable=("recorder",))
    send.batch(big, [paid(send, "ann", f"big-{n}") for n in range(50)])
    send.batch(small, [paid(send, "ann", "small")])
    worker = Worker(platform, WorkerConfig(batch=5, slice_ms=1))
    for _ in range(3):
        worker.take_turn()
    assert "small" in recorder.seen()
    worker.drain()
    assert len(recorder.seen()) == 51


def test_an_event_that_was_emitted_before_is_not_appended_again(platform, store, send, recorder):
    from threepeat.events import log

    send(store, "visit.made", "ann")
    Worker(platform).drain()
    with platform.database.tenant(store.id) as scope:
        noted = scope.run(text("SELECT * FROM core.event WHERE tenant_id = :tenant AND type = 'noted'"))[0]
        before = log.head(scope)
        again = log.Emitted(noted.source, noted.id, Noted(depth_seen=0), noted.member_id, noted.occurred_at, 1)
        fresh = log.Emitted(noted.source, "fresh", Noted(depth_seen=0), noted.member_id, noted.occurred_at, 1)
        log.append(scope, [again, fresh])
        scope.run(text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)"))
        assert log.head(scope) == before + 1
    Worker(platform).drain()
    assert recorder.seen() == [0, 0]


def test_fields_that_nobody_reads_are_not_fetched_and_those_that_somebody_reads_are(
    open_platform, make_tenant, send, recorder
):
    class Glancing(Recorder):
        manifest = Manifest(id="glancing", kind="tactic", title="G", summary="G.", holdout="none")

        @hookimpl
        def reactions(self):
            yield when(OrderPaid, self.paid, unread={"lines"})

        @hookimpl
        def events(self):
            return ()

        def paid(self, _ctx, events):
            self.calls.append(("lines", [len(event.lines) for event in events]))

    order = {"order_id": "1", "total": 5, "currency": "CNY", "lines": [{"sku": "a", "quantity": 1, "amount": 5}]}
    glancing = Glancing()
    alone = open_platform(registry=Registry.load([("orders", orders), ("glancing", glancing)]))
    store = make_tenant("tea", enable=("recorder",))
    from threepeat.tenancy import switches

    with alone.database.tenant(store.id) as scope:
        switches.enable(scope, store, alone.registry, "glancing", by="test", act=alone.act)
    send.batch(store, [send.event("order.paid", "ann", **order)])
    Worker(alone).drain()
    assert glancing.calls == [("lines", [0])]
    both = open_platform(registry=Registry.load([("recorder", recorder), ("glancing", glancing)]))
    send.batch(store, [send.event("order.paid", "ann", **{**order, "order_id": "2"})])
    Worker(both).drain()
    assert glancing.calls[-1] == ("lines", [1])


def test_a_field_without_a_default_cannot_be_left_unread():
    from threepeat.sdk import PluginError

    with pytest.raises(PluginError, match="OrderPaid has no such field with a default"):
        when(OrderPaid, lambda _ctx, _events: None, unread={"total"})


def test_what_a_command_emitted_waits_in_the_outbox_and_enters_the_log_once(
    platform, store, send, worker, recorder
):
    from threepeat.events import log
    from threepeat.events.context import Cause

    send(store, "page.viewed", "ann", page="home")
    worker.drain()
    for _ in range(2):  # the same command twice: the same cause, the same id
        with platform.database.tenant(store.id) as scope:
            plugin = platform.registry["recorder"]
            context = platform.inside(scope, store).context(plugin, cause=Cause("member:1:key"), member=1)
            context.emit(Noted(depth_seen=7), member=1)
            context.finish()
            assert log.head(scope) == 1 + len(recorder.seen())  # a command never takes the stream row
        worker.drain()
    assert recorder.seen() == [7]
    with platform.database.tenant(store.id) as scope:
        assert log.head(scope) == 2
        assert scope.run(text("SELECT FROM core.outbox WHERE tenant_id = :tenant")) == []


def test_a_worker_that_starts_announces_what_waits_unannounced(platform, store, send, recorder):
    """As after a quarantine or a restore: events wait, and no row says so."""
    send.batch(store, [paid(send, "ann", "1")])
    with platform.database.ops.begin() as ops:
        ops.execute(text("DELETE FROM core.backlog"))
        ops.execute(text("UPDATE core.turn SET due_at = 'infinity'"))
    worker = Worker(platform, WorkerConfig(idle_ms=5))
    assert worker.take_turn() is None
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        for _ in range(200):
            if recorder.seen():
                break
            threading.Event().wait(0.05)
    finally:
        worker.stop()
        thread.join(20)
    assert recorder.seen() == ["1"]
