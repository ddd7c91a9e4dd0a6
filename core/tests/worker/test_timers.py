"""Deadlines and schedules: set, replaced, cancelled, fired once, in batches, by the tenant's own clock."""

import threading
from datetime import UTC, date, datetime, time, timedelta
from typing import ClassVar

import pytest
from sqlalchemy import text

from threepeat.events.context import Cause
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginError, PluginSettings, hookimpl, schedule, timer, when
from threepeat.sdk.events import PLUGIN, Event, VisitMade
from threepeat.tenancy import switches, tenants
from threepeat.worker.loop import Worker, WorkerConfig


class Rang(Event, frozen=True, kw_only=True):
    """A deadline came."""

    type: ClassVar[str] = "alarm.rang"
    senders: ClassVar = PLUGIN
    key: str


class Alarm(Plugin[PluginSettings]):
    """Sets a deadline for each visit and says when it came."""

    manifest = Manifest(id="alarm", kind="tactic", title="Alarm", summary="Rings.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.batches = []
        self.course = []
        self.days = []
        self.fail_on = set()
        self.during = lambda: None
        self.again = 0

    @hookimpl
    def events(self):
        yield Rang

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.visited)

    @hookimpl
    def timers(self):
        yield timer("ring", self.ring)

    @hookimpl
    def schedules(self):
        yield schedule("daily", self.daily, at=time(3))
        yield schedule("always", self.daily, at=time(4), always=True)

    def visited(self, ctx, events):
        for event in events:
            self.course.append(f"visit {event.place}")
            ctx.later("ring", event.place, event.occurred_at + timedelta(days=1), member=event.member, cause=event)

    def ring(self, ctx, due):
        self.batches.append([one.key for one in due])
        for one in due:
            self.course.append(f"ring {one.key}")
            if one.key in self.fail_on:
                raise RuntimeError(f"cannot ring {one.key}")
            ctx.emit(Rang(key=one.key), member=one.member, cause=one)
            if self.again:
                self.again -= 1
                ctx.later("ring", one.key, one.due_at + timedelta(days=1), member=one.member, cause=one)
        self.during()

    def daily(self, _ctx, occurrence):
        self.days.append((occurrence.name, occurrence.day, occurrence.previous))

    def rung(self):
        return [key for batch in self.batches for key in batch]


@pytest.fixture
def alarm():
    return Alarm()


@pytest.fixture
def platform(open_platform, alarm):
    return open_platform(registry=Registry.load([("alarm", alarm)]))


@pytest.fixture
def store(make_tenant):
    return make_tenant("tea", enable=("alarm",))


@pytest.fixture
def clock(platform):
    """Moves a tenant's clock: `clock(store, days=2)`; returns the tenant as it is then."""

    def move(store, **by):
        with platform.database.ops.begin() as ops:
            now = ops.execute(
                text("SELECT transaction_timestamp() + clock_offset FROM core.tenant WHERE id = :id"),
                {"id": store.id},
            ).scalar_one()
            tenants.set_clock(ops, store.id, now + timedelta(**by))
            return tenants.by_id(ops, store.id)

    return move


def visit(send, member, place):
    return send.event("visit.made", member, place=place)


def rows(platform, store):
    with platform.database.tenant(store.id) as scope:
        found = scope.run(text("SELECT key, due_at FROM core.timer WHERE tenant_id = :tenant AND name = 'ring'"))
        return {row.key: row.due_at for row in found}


def command(platform, store, work):
    with platform.database.tenant(store.id) as scope:
        context = platform.inside(scope, store).context(platform.registry["alarm"], cause=Cause("test"))
        work(context)
        context.finish()


def logged(platform, store, kind="alarm.rang"):
    with platform.database.tenant(store.id) as scope:
        return scope.run(
            text("SELECT data ->> 'key' AS key FROM core.event WHERE tenant_id = :tenant AND type = :kind"),
            kind=kind,
        )


def test_a_deadline_fires_when_the_tenants_clock_comes_to_it_and_not_before(
    platform, store, send, worker, alarm, clock
):
    send.batch(store, [visit(send, "ann", "a"), visit(send, "bob", "b")])
    worker.drain()
    assert set(rows(platform, store)) == {"a", "b"}
    assert alarm.rung() == []
    clock(store, hours=23)
    worker.drain()
    assert alarm.rung() == []
    clock(store, hours=2)
    worker.drain()
    assert alarm.batches == [["a", "b"]]
    assert rows(platform, store) == {}
    assert [row.key for row in logged(platform, store)] == ["a", "b"]


def test_the_worker_wakes_by_itself_when_a_deadline_comes(platform, store, alarm):
    command(platform, store, lambda ctx: ctx.later("ring", "soon", ctx.now + timedelta(seconds=1)))
    worker = Worker(platform)
    worker.drain()
    assert alarm.rung() == []
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        for _ in range(100):
            if alarm.rung():
                break
            threading.Event().wait(0.05)
    finally:
        worker.stop()
        thread.join(10)
    assert alarm.rung() == ["soon"]


def test_after_an_outage_a_deadline_waits_for_what_happened_before_it_and_for_nothing_else(
    platform, store, send, worker, alarm, clock
):
    """A payment in time is in time, also if nobody could look at it before the time was over."""
    now = datetime.now(UTC)
    for key, by in (("earlier", timedelta(minutes=-1)), ("later", timedelta(hours=6))):
        command(platform, store, lambda ctx, key=key, at=now + by: ctx.later("ring", key, at))
    send(store, "visit.made", "ann", place="between")
    clock(store, hours=12)
    worker.drain()
    assert alarm.course == ["ring earlier", "visit between", "ring later"]


def test_setting_again_replaces_and_cancelling_removes(platform, store, worker, alarm):
    def set_three(ctx):
        for key in ("a", "b", "c"):
            ctx.later("ring", key, ctx.now - timedelta(hours=1))

    def change(ctx):
        ctx.cancel("ring", "a")
        ctx.later("ring", "b", ctx.now + timedelta(days=9))
        ctx.cancel("ring", "c")
        ctx.later("ring", "c", ctx.now)
        ctx.cancel("ring", "never set")

    command(platform, store, set_three)
    command(platform, store, change)
    worker.drain()
    assert alarm.rung() == ["c"]
    assert list(rows(platform, store)) == ["b"]


def test_a_command_that_fails_sets_nothing(platform, store, worker, alarm):
    def fails(ctx):
        ctx.later("ring", "a", ctx.now)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        command(platform, store, fails)
    worker.drain()
    assert rows(platform, store) == {}
    assert alarm.rung() == []


def test_a_handler_that_fails_for_one_deadline_keeps_the_others_and_its_effects_are_undone(
    platform, store, worker, alarm
):
    alarm.fail_on = {"k3"}
    command(platform, store, lambda ctx: [ctx.later("ring", f"k{n}", ctx.now) for n in range(6)])
    worker.drain()
    assert [row.key for row in logged(platform, store)] == ["k0", "k1", "k2", "k4", "k5"]
    with platform.database.tenant(store.id) as scope:
        left = scope.run(
            text("SELECT * FROM core.timer WHERE tenant_id = :tenant AND kind = 'timer' AND plugin <> 'core'")
        )
    assert [(row.key, row.error, row.failed_at is not None) for row in left] == [
        ("k3", "RuntimeError: cannot ring k3", True)
    ]
    assert alarm.rung().count("k3") > 3  # in halves first, then three times alone
    batches = len(alarm.batches)
    worker.drain()
    assert len(alarm.batches) == batches  # given up: it does not come again by itself


def test_a_deadline_may_set_itself_again(platform, store, worker, alarm, clock):
    alarm.again = 2
    command(platform, store, lambda ctx: ctx.later("ring", "a", ctx.now))
    for _ in range(4):
        worker.drain()
        clock(store, days=1, minutes=1)
    assert alarm.rung() == ["a", "a", "a"]
    assert len(logged(platform, store)) == 3  # each time is a cause of its own
    assert rows(platform, store) == {}


def test_a_chain_of_deadlines_and_events_ends_like_a_chain_of_events(platform, store, worker, alarm, clock):
    alarm.again = 100
    command(platform, store, lambda ctx: ctx.later("ring", "a", ctx.now))
    for _ in range(12):
        worker.drain()
        clock(store, days=1, minutes=1)
    assert len(logged(platform, store)) == 8
    with platform.database.tenant(store.id) as scope:
        failed = scope.one(
            text("SELECT error FROM core.timer WHERE tenant_id = :tenant AND failed_at IS NOT NULL")
        )
    assert "8 events caused one another" in failed.error


def test_a_command_that_cancels_while_the_deadline_fires_wins_or_loses_whole(platform, store, alarm):
    """The handler runs before the row is locked; a row that went meanwhile undoes the call."""
    command(platform, store, lambda ctx: [ctx.later("ring", key, ctx.now) for key in ("a", "b")])

    def cancel_once():
        alarm.during = lambda: None
        thread = threading.Thread(target=command, args=(platform, store, lambda ctx: ctx.cancel("ring", "a")))
        thread.start()
        thread.join(10)

    alarm.during = cancel_once
    Worker(platform).drain()
    assert alarm.batches == [["a", "b"], ["b"]]
    assert [row.key for row in logged(platform, store)] == ["b"]
    assert rows(platform, store) == {}


def test_a_deadline_that_is_put_off_while_it_fires_fires_later_only(platform, store, alarm):
    command(platform, store, lambda ctx: ctx.later("ring", "a", ctx.now))

    def put_off():
        alarm.during = lambda: None
        work = lambda ctx: ctx.later("ring", "a", ctx.now + timedelta(days=1))  # noqa: E731
        thread = threading.Thread(target=command, args=(platform, store, work))
        thread.start()
        thread.join(10)

    alarm.during = put_off
    Worker(platform).drain()
    assert logged(platform, store) == []
    assert list(rows(platform, store)) == ["a"]


def test_ten_thousand_deadlines_fire_once_each_with_four_workers(platform, store, alarm):
    command(platform, store, lambda ctx: [ctx.later("ring", f"k{n}", ctx.now) for n in range(10_000)])
    workers = [Worker(platform, WorkerConfig(batch=500, slice_ms=1, lease_seconds=60)) for _ in range(4)]
    threads = [threading.Thread(target=one.drain) for one in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    Worker(platform).drain()
    assert len(logged(platform, store)) == 10_000
    assert len(set(alarm.rung())) == 10_000
    assert max(map(len, alarm.batches)) == 500


def test_deadlines_fire_while_closing_and_rest_while_off(platform, store, worker, alarm):
    alarm.open_obligations = lambda _ctx: ["something"]
    command(platform, store, lambda ctx: ctx.later("ring", "a", ctx.now))
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "alarm", by="test", act=platform.act)
    worker.drain()
    assert alarm.rung() == ["a"]
    command(platform, store, lambda ctx: ctx.later("ring", "b", ctx.now))
    with platform.database.ops.begin() as ops:
        ops.execute(text("UPDATE core.activation SET state = 'off' WHERE plugin = 'alarm'"))
    worker.drain()
    assert alarm.rung() == ["a"]
    with platform.database.tenant(store.id) as scope:
        switches.enable(scope, store, platform.registry, "alarm", by="test", act=platform.act)
    worker.drain()
    assert alarm.rung() == ["a", "b"]


def test_a_plugin_says_what_is_wrong_with_its_deadlines(platform, store):
    naive = datetime(2026, 1, 1)  # noqa: DTZ001 - the point
    for wrong, says in (
        (lambda ctx: ctx.later("sing", "a", ctx.now), "without declaring it"),
        (lambda ctx: ctx.later("ring", "", ctx.now), "1 to 200 characters"),
        (lambda ctx: ctx.later("ring", "x" * 201, ctx.now), "1 to 200 characters"),
        (lambda ctx: ctx.later("ring", "\0", ctx.now), "without NUL"),
        (lambda ctx: ctx.later("ring", "a", naive), "needs a time zone"),
        (lambda ctx: ctx.later("ring", "a", ctx.now, payload={"x": object()}), "must be JSON"),
        (lambda ctx: ctx.later("ring", "a", ctx.now, payload={"x": "y" * 70_000}), "longer than"),
        (lambda ctx: ctx.call("send", "a", {}), "without declaring it"),
    ):
        with pytest.raises(PluginError, match=says):
            command(platform, store, wrong)


def test_two_tenants_deadlines_never_meet(platform, store, make_tenant, worker, alarm, clock):
    other = make_tenant("other", enable=("alarm",))
    for one in (store, other):
        command(platform, one, lambda ctx: ctx.later("ring", "same", ctx.now + timedelta(days=1), member=1))
    command(platform, other, lambda ctx: ctx.cancel("ring", "same"))
    clock(other, days=2)
    worker.drain()
    assert alarm.rung() == []
    clock(store, days=2)
    worker.drain()
    assert alarm.rung() == ["same"]
    assert logged(platform, other) == []


def test_a_schedule_runs_once_for_each_local_day_and_makes_up_for_a_pause(store, worker, alarm, clock):
    worker.drain()
    assert alarm.days == []
    shanghai = store.store.timezone
    today = datetime.now(UTC).astimezone(shanghai)
    for _ in range(3):
        clock(store, days=1)
        worker.drain()
        worker.drain()
    named = [day for name, day, _ in alarm.days if name == "daily"]
    assert len(named) == 3
    assert named == [named[0] + timedelta(days=n) for n in range(3)]
    assert named[0] in {today.date(), today.date() + timedelta(days=1)}
    assert [previous for name, _, previous in alarm.days if name == "daily"] == [None, *named[:2]]
    clock(store, days=40)
    worker.drain()
    _, day, previous = [found for found in alarm.days if found[0] == "daily"][-1]
    assert (day - named[-1], previous) == (timedelta(days=40), named[-1])
    assert len([found for found in alarm.days if found[0] == "daily"]) == 4


def test_while_closing_only_schedules_that_must_run_do(platform, store, worker, alarm, clock):
    worker.drain()
    alarm.open_obligations = lambda _ctx: ["something"]
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "alarm", by="test", act=platform.act)
    clock(store, days=1)
    worker.drain()
    assert {name for name, _, _ in alarm.days} == {"always"}


def test_a_schedule_that_fails_comes_again_the_next_day_with_what_it_missed(platform, store, worker, alarm, clock):
    worker.drain()
    clock(store, days=1)
    declared = platform.registry["alarm"].schedules
    working = declared["daily"]
    declared["daily"] = schedule("daily", lambda _ctx, _occurrence: 1 / 0, at=time(3))
    worker.drain()
    assert [found for found in alarm.days if found[0] == "daily"] == []
    declared["daily"] = working
    worker.drain()
    assert [found for found in alarm.days if found[0] == "daily"] == []
    clock(store, days=1)
    worker.drain()
    assert len([found for found in alarm.days if found[0] == "daily"]) == 1


def test_a_changed_time_of_day_is_planned_anew_and_a_dropped_schedule_goes(open_platform, make_tenant, alarm):
    platform = open_platform(registry=Registry.load([("alarm", alarm)]))
    store = make_tenant("tea", enable=("alarm",))
    Worker(platform).drain()

    class Later(Alarm):
        @hookimpl
        def schedules(self):
            yield schedule("daily", self.daily, at=time(3), day=1)

    changed = open_platform(registry=Registry.load([("alarm", Later())]))
    with changed.database.tenant(store.id) as scope:
        scope.run(text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)"))
    Worker(changed).drain()
    with changed.database.tenant(store.id) as scope:
        found = scope.run(
            text("SELECT name, due_at FROM core.timer WHERE tenant_id = :tenant AND kind = 'schedule'")
        )
    assert [row.name for row in found] == ["daily"]
    assert found[0].due_at.astimezone(store.store.timezone).date().day == 1
    assert isinstance(found[0].due_at.date(), date)
