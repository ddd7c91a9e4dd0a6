"""What a bad plugin does, and that its neighbours do not notice."""

import contextlib
import multiprocessing
import os
import time
from typing import ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.database.config import DatabaseConfig
from threepeat.database.sealed import BrokenTurnError
from threepeat.events import letters
from threepeat.events.platform import KeyConfig, Platform
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, when
from threepeat.sdk.events import PLUGIN, Event, OrderPaid, OrderRefunded, VisitMade
from threepeat.tenancy import switches
from threepeat.worker.loop import Worker, WorkerConfig
from threepeat_orders.models import Header
from threepeat_orders.plugin import plugin as orders
from threepeat_points.plugin import plugin as points

HEADERS = Header.__table__


class Echoed(Event, frozen=True, kw_only=True):
    """Something came back."""

    type: ClassVar[str] = "bad.echoed"
    senders: ClassVar = PLUGIN


def nothing(_ctx, _event):
    pass


class Bad(Plugin[PluginSettings]):
    """Does what it is told to, with the events that it is told."""

    manifest = Manifest(id="bad", kind="tactic", title="Bad", summary="Misbehaves.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.misbehave = nothing
        self.on = lambda _event: True
        self.seen = []

    @hookimpl
    def events(self):
        yield Echoed

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.take)
        yield when(OrderRefunded, self.take)
        yield when(VisitMade, self.take)
        yield when(Echoed, self.take)

    def take(self, ctx, events):
        for event in events:
            if self.on(event):
                self.misbehave(ctx, event)
        self.seen += [event.position for event in events]


@pytest.fixture
def bad():
    return Bad()


@pytest.fixture
def platform(open_platform, bad):
    return open_platform(registry=Registry.load([("bad", bad), ("orders", orders), ("points", points)]))


@pytest.fixture
def store(make_tenant):
    return make_tenant("tea", enable=("points", "bad"))


def paid(send, member, number, total=1_000):
    return send.event("order.paid", member, order_id=str(number), total=total, currency="CNY")


def granted(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        return scope.one(
            text("SELECT coalesce(sum(points), 0)::bigint AS n FROM points.entry WHERE tenant_id = :tenant")
        ).n


def waiting(platform, tenant, **given):
    with platform.database.tenant(tenant.id) as scope:
        return letters.list_letters(scope, most=10_000, **given)


def state(platform, tenant):
    with platform.database.tenant(tenant.id) as scope:
        return switches.activations(scope)["bad"]


def serve(platform):
    """Take turns until nobody waits; what ends a turn is tried again, as `Worker.run` does."""
    worker = Worker(platform)
    for _ in range(40):
        with contextlib.suppress(BrokenTurnError, OperationalError):
            if worker.take_turn() is None:
                return
    raise AssertionError("it never ends")


def test_one_event_in_a_hundred_that_raises_costs_its_member_only(platform, store, send, bad):
    def refuse(_ctx, event):
        raise ValueError(f"not {event.order_id}")

    bad.misbehave, bad.on = refuse, lambda event: int(event.order_id) % 100 == 7
    send.batch(store, [paid(send, f"m{n % 500}", n) for n in range(1_000)])
    began = time.monotonic()
    Worker(platform).drain()
    seconds = time.monotonic() - began
    found = waiting(platform, store)
    assert {one.plugin for one in found} == {"bad"}
    failed = [one for one in found if one.behind is None]
    assert len(failed) == 10 - 5  # the second bad event of a member waits behind the first
    assert {one.error for one in failed} == {f"ValueError: not {n}" for n in (7, 107, 207, 307, 407)}
    assert all(one.behind is not None for one in found if one not in failed)
    assert len(bad.seen) == 1_000 - len(found)
    assert granted(platform, store) == 10_000  # the neighbour has them all
    assert state(platform, store).paused is None
    assert seconds < 30


def test_a_plugin_that_always_raises_is_paused_for_this_tenant_and_goes_on_where_it_stopped(
    platform, store, make_tenant, send, bad
):
    other = make_tenant("other", enable=("points", "bad"))

    def refuse(_ctx, _event):
        raise ValueError("never")

    bad.misbehave = refuse
    send.batch(store, [paid(send, f"m{n}", n) for n in range(300)])
    Worker(platform).drain()
    found = waiting(platform, store)
    assert len(found) == 10
    assert "10 things in a row" in state(platform, store).paused
    assert state(platform, other).paused is None
    assert granted(platform, store) == 3_000
    send.batch(store, [paid(send, "late", 300)])
    Worker(platform).drain()
    assert len(waiting(platform, store)) == 10  # it rests: nothing more is tried
    assert granted(platform, store) == 3_010

    bad.misbehave = nothing
    with platform.database.tenant(store.id) as scope:
        switches.resume(scope, "bad", by="test")
        letters.retry(scope, plugin="bad", by="test")
    Worker(platform).drain()
    assert waiting(platform, store) == []
    assert sorted(bad.seen) == [*range(1, 301), 601]  # between them stand the points that the others earned
    assert state(platform, store).paused is None


def test_an_sql_error_that_is_swallowed_fails_the_call_and_nothing_else(platform, store, send, bad):
    def swallow(ctx, event):
        with contextlib.suppress(Exception):
            ctx.db.execute(HEADERS.insert().values(tenant_id=ctx.tenant.id, order_id=None, member_id=event.member))

    bad.misbehave, bad.on = swallow, lambda event: event.order_id == "1"
    send.batch(store, [paid(send, f"m{n}", n) for n in range(3)])
    Worker(platform).drain()
    found = waiting(platform, store)
    assert [(one.plugin, one.reference) for one in found] == [("bad", "2")]
    assert granted(platform, store) == 30


@pytest.mark.parametrize("value", ["a\0b", "\ud800"], ids=["NUL", "lone surrogate"])
def test_a_value_that_the_driver_refuses_is_the_plugins_fault_and_not_the_databases(
    platform, store, send, bad, value
):
    def keep(ctx, event):
        ctx.db.execute(HEADERS.insert().values(tenant_id=ctx.tenant.id, order_id=value, member_id=event.member))

    bad.misbehave, bad.on = keep, lambda event: event.order_id == "1"
    send.batch(store, [paid(send, f"m{n}", n) for n in range(3)])
    Worker(platform).drain()
    assert [(one.plugin, one.reference) for one in waiting(platform, store)] == [("bad", "2")]
    assert granted(platform, store) == 30


@pytest.mark.parametrize(
    "how",
    [
        lambda ctx: ctx.db.commit(),
        lambda ctx: ctx.db.rollback(),
        lambda ctx: ctx.db.get_bind().commit(),
        lambda ctx: ctx.db.get_bind().exec_driver_sql("COMMIT"),
        lambda ctx: ctx.db.get_bind().exec_driver_sql("/* so */ -- what\n commit and chain"),
        lambda ctx: ctx.db.get_bind().exec_driver_sql("SELECT 1; END"),
        lambda ctx: ctx.db.get_bind().exec_driver_sql("ROLLBACK"),
        lambda ctx: ctx.db.get_bind().exec_driver_sql("SET threepeat.tenant = '2'"),
        lambda ctx: ctx.db.get_bind().exec_driver_sql("RESET ALL"),
        lambda ctx: ctx.db.get_bind().connection.driver_connection.commit(),
        lambda ctx: ctx.db.get_bind().connection.driver_connection.rollback(),
        lambda ctx: ctx.db.get_bind().connection.driver_connection.execute("COMMIT"),
        lambda ctx: ctx.db.get_bind().connection.cursor().execute(b"COMMIT"),
        lambda ctx: ctx.db.get_bind().connection.cursor().executemany("COMMIT", [()]),
    ],
)
def test_a_commit_by_hand_is_refused_and_nothing_is_half_done(platform, store, send, bad, how):
    def commit(ctx, event):
        ctx.emit(Echoed(), member=event.member, cause=event)
        how(ctx)

    bad.misbehave, bad.on = commit, lambda event: isinstance(event, OrderPaid)
    send.batch(store, [paid(send, "ann", 1)])
    Worker(platform).drain()
    (found,) = waiting(platform, store)
    assert found.plugin == "bad"
    assert "refused" in found.error
    assert granted(platform, store) == 10
    with platform.database.tenant(store.id) as scope:
        assert scope.one(text("SELECT head FROM core.stream WHERE tenant_id = :tenant")).head == 2  # points.earned
        position = scope.one(text("SELECT position FROM core.cursor WHERE tenant_id = :tenant AND plugin = 'bad'"))
    assert position.position == 2


def test_a_commit_past_the_driver_is_found_out_and_the_turn_does_not_stand(platform, store, send, bad):
    """Whoever speaks to libpq itself is trusted with the server; but what it does is not silent."""

    def commit(ctx, _event):
        ctx.db.get_bind().connection.driver_connection.pgconn.exec_(b"COMMIT")

    bad.misbehave = commit
    send.batch(store, [paid(send, "ann", 1)])
    serve(platform)
    (found,) = waiting(platform, store)
    assert found.plugin == "bad"
    assert granted(platform, store) == 10


def test_a_forged_tenant_undoes_the_turn_and_the_event_is_put_aside(platform, store, other_tenant, send, bad):
    def forge(ctx, _event):
        ctx.db.get_bind().exec_driver_sql(f"SELECT set_config('threepeat.tenant', '{other_tenant.id}', true)")

    bad.misbehave, bad.on = forge, lambda event: event.order_id == "1"
    send.batch(store, [paid(send, "ann", 1), paid(send, "bob", 2)])
    serve(platform)
    found = waiting(platform, store)
    assert [(one.plugin, one.reference) for one in found] == [("bad", "1")]
    assert granted(platform, store) == 20
    assert bad.seen.count(1) == 4  # once in the batch, three times alone; what it did was undone


def test_a_loop_of_events_ends_and_the_neighbours_are_served(platform, store, make_tenant, send, bad):
    other = make_tenant("other", enable=("points",))

    def echo(ctx, event):
        ctx.emit(Echoed(), member=event.member, cause=event)

    bad.misbehave = echo
    send.batch(store, [send.event("visit.made", f"m{n}") for n in range(50)])
    send.batch(other, [paid(send, f"m{n}", n) for n in range(50)])
    Worker(platform).drain()
    assert granted(platform, other) == 500
    with platform.database.tenant(store.id) as scope:
        assert scope.one(text("SELECT head FROM core.stream WHERE tenant_id = :tenant")).head == 50 * 9
    assert len(waiting(platform, store)) == 10  # after ten in a row it rests
    assert "8 events caused one another" in waiting(platform, store)[0].error


def test_a_statement_that_runs_into_its_timeout_is_put_aside_after_three_counted_attempts(
    open_platform, make_tenant, send, bad
):
    platform = open_platform(registry=Registry.load([("bad", bad), ("orders", orders), ("points", points)]))
    store = make_tenant("tea", enable=("points", "bad"))

    def slow(ctx, _event):
        connection = ctx.db.get_bind()
        connection.exec_driver_sql("SELECT set_config('statement_timeout', '50ms', true)")
        try:
            connection.exec_driver_sql("SELECT pg_sleep(5)")
        finally:
            bad.attempts += 1

    bad.attempts = 0
    bad.misbehave, bad.on = slow, lambda event: event.order_id == "1"
    send.batch(store, [paid(send, "ann", 1), paid(send, "bob", 2)])
    serve(platform)
    assert [(one.plugin, one.reference) for one in waiting(platform, store)] == [("bad", "1")]
    assert granted(platform, store) == 20
    assert bad.seen == [2]
    assert bad.attempts <= 5


# ---- handlers that take the process with them ---------------------------------------------------------------


def drain_in_a_process(config, keys, exits_on):
    """A worker process whose plugin ends it at certain orders; its exit code says whether it survived."""
    bad = Bad()
    bad.misbehave, bad.on = lambda _ctx, _event: os._exit(9), lambda event: event.order_id in exits_on
    registry = Registry.load([("bad", bad), ("orders", orders), ("points", points)])
    platform = Platform.open(DatabaseConfig(**config), registry=registry, keys=KeyConfig(keys=keys))
    Worker(platform, WorkerConfig(lease_seconds=1)).drain()
    os._exit(0)


@pytest.mark.parametrize(
    "exits_on", [{"517"}, pytest.param({"0", "5"}, marks=pytest.mark.long)], ids=["one", "two"]
)
def test_an_event_that_ends_the_process_is_put_aside_after_three_attempts_of_its_own(
    cluster, platform, store, send, exits_on, tmp_path
):
    send.batch(store, [paid(send, f"m{n}", n) for n in range(600)])
    name = platform.database.urls.app.database
    config = cluster.config(name, tmp_path).model_dump()
    keys = "k:" + "A" * 43 + "="
    starts, context = 0, multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Worker.__module__, type(orders).__module__, type(points).__module__])
    while starts < 12:
        child = context.Process(target=drain_in_a_process, args=(config, keys, exits_on))
        child.start()
        child.join(60)
        starts += 1
        if child.exitcode == 0:
            with platform.database.tenant(store.id) as scope:
                behind = scope.one(
                    text(
                        "SELECT min(c.position) < max(s.head) AS behind FROM core.cursor c"
                        " JOIN core.stream s USING (tenant_id) WHERE tenant_id = :tenant"
                    )
                ).behind
            if not behind:
                break
        time.sleep(1.1)  # the dead worker's lease runs out
    found = waiting(platform, store)
    assert {one.reference for one in found} == {str(int(order) + 1) for order in exits_on}
    assert {one.error for one in found} == {"the worker stopped or was stopped 3 times while handling it"}
    assert granted(platform, store) == 6_000
    # One death in the batch, three for each bad event, and the life that finishes.
    assert starts <= 2 + 3 * len(exits_on) + 1
