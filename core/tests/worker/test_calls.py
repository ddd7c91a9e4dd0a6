"""Calls to the outside: made after the commit, with no transaction open, again until they are done or given up."""

import threading
import time
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from sqlalchemy import text

from threepeat.events import letters
from threepeat.events.context import Cause
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.sdk import GiveUp, Manifest, Plugin, PluginSettings, RetryAfter, hookimpl, outbound, when
from threepeat.sdk.events import PLUGIN, Event, VisitMade
from threepeat.tenancy import tenants
from threepeat.worker.calls import PER_TENANT, UNSETTLED, StuckError
from threepeat.worker.loop import Worker, WorkerConfig


class Answered(Event, frozen=True, kw_only=True):
    """The other side answered."""

    type: ClassVar[str] = "caller.answered"
    senders: ClassVar = PLUGIN
    key: str
    answer: str


class Calling(Plugin[PluginSettings]):
    """Calls somebody for each visit."""

    manifest = Manifest(id="caller", kind="tactic", title="Caller", summary="Calls.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.made = []
        self.given_up = []
        self.perform = lambda call: f"hello {call.key}"
        self.done = None

    @hookimpl
    def events(self):
        yield Answered

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.visited)

    @hookimpl
    def outbounds(self):
        yield outbound("ring", perform=self.ring, done=self.answered, failed=self.failed)

    def visited(self, ctx, events):
        for event in events:
            ctx.call("ring", event.place, {"place": event.place}, member=event.member)

    def ring(self, _settings, call):
        self.made.append(call)
        return self.perform(call)

    def answered(self, ctx, call, answer):
        if self.done is not None:
            self.done(ctx)
        ctx.emit(Answered(key=call.key, answer=answer), member=None)

    def failed(self, ctx, call, error):
        self.given_up.append((call.key, error))
        ctx.emit(Answered(key=call.key, answer="given up"), member=None)


@pytest.fixture
def caller():
    return Calling()


@pytest.fixture
def platform(open_platform, caller):
    return open_platform(registry=Registry.load([("caller", caller)]))


@pytest.fixture
def store(make_tenant):
    return make_tenant("tea", enable=("caller",))


def ask(platform, store, *keys, **payload):
    with platform.database.tenant(store.id) as scope:
        context = platform.inside(scope, store).context(platform.registry["caller"], cause=Cause("test"))
        for key in keys:
            context.call("ring", key, payload)
        context.finish()


def run(platform, until, seconds=20, config=None):
    """Let a worker run until something holds."""
    worker = Worker(platform, config or WorkerConfig(idle_ms=5))
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "it did not come to pass"
            time.sleep(0.01)
    finally:
        worker.stop()
        thread.join(30)


def rows(platform, store):
    with platform.database.tenant(store.id) as scope:
        return scope.run(text("SELECT * FROM core.timer WHERE tenant_id = :tenant AND kind = 'call' ORDER BY key"))


def answers(platform, store):
    with platform.database.tenant(store.id) as scope:
        found = scope.run(
            text("SELECT data FROM core.event WHERE tenant_id = :tenant AND type = 'caller.answered' ORDER BY 1")
        )
        return [(row.data["key"], row.data["answer"]) for row in found]


def forward(platform, store, **by):
    with platform.database.ops.begin() as ops:
        now = ops.execute(text("SELECT transaction_timestamp() + clock_offset FROM core.tenant")).scalar_one()
        tenants.set_clock(ops, store.id, now + timedelta(**by))


def test_a_call_is_made_once_after_the_commit_and_its_answer_is_settled_with_it(platform, store, send, caller):
    def look(call):
        # The transaction that asked for it has committed, and nobody holds a lock on the row.
        with platform.database.tenant(store.id) as scope:
            locked = "SELECT * FROM core.timer WHERE tenant_id = :tenant AND kind = 'call' FOR UPDATE NOWAIT"
            assert len(scope.run(text(locked))) == 1
            time.sleep(0.3)
            old = "SELECT count(*) FROM pg_stat_activity WHERE xact_start < clock_timestamp() - interval '0.3 s'"
            others = " AND pid <> pg_backend_pid() AND datname = current_database()"
            assert scope.connection.execute(text(old + others)).scalar() == 0
        return f"hello {call.key}"

    caller.perform = look
    send(store, "visit.made", "ann", place="door")
    run(platform, lambda: len(answers(platform, store)) == 1)
    assert answers(platform, store) == [("door", "hello door")]
    assert [(call.name, call.key, call.attempt, dict(call.payload)) for call in caller.made] == [
        ("ring", "door", 1, {"place": "door"})
    ]
    assert rows(platform, store) == []


def test_what_fails_is_tried_again_at_growing_intervals_with_the_same_id_and_then_given_up(
    platform, store, caller
):
    def fail(_call):
        raise ConnectionError("nobody there")

    caller.perform = fail
    ask(platform, store, "a")
    pauses = []
    for attempt in range(1, 12):
        run(
            platform,
            lambda n=attempt: (
                len(caller.made) == n
                and (
                    not rows(platform, store)[0].error
                    or rows(platform, store)[0].error.startswith("ConnectionError")
                )
            ),
        )
        (row,) = rows(platform, store)
        with platform.database.tenant(store.id, clock_offset=_offset(platform)) as scope:
            pauses.append((row.due_at - scope.now).total_seconds())
        forward(platform, store, seconds=pauses[-1] + 1)
    run(platform, lambda: len(caller.given_up) == 1)
    assert [round(pause / 5) for pause in pauses[:2]] == [pytest.approx(1, abs=1), pytest.approx(6, abs=1)]
    assert pauses == sorted(pauses) or abs(pauses[-1] - pauses[-2]) < 20_000
    assert 2.5 * 86_400 < sum(pauses) < 3.5 * 86_400
    assert len({call.id for call in caller.made}) == 1
    assert [call.attempt for call in caller.made] == list(range(1, 13))
    assert caller.given_up == [("a", "ConnectionError: nobody there")]
    with platform.database.tenant(store.id) as scope:
        (letter,) = letters.list_letters(scope)
    assert (letter.kind, letter.reference, letter.error) == ("call", "ring:a", "ConnectionError: nobody there")
    caller.perform = lambda _call: "at last"
    with platform.database.tenant(store.id, clock_offset=_offset(platform)) as scope:
        assert letters.retry(scope, plugin="caller", by="test") == 1
    run(platform, lambda: ("a", "at last") in answers(platform, store))


def _offset(platform):
    with platform.database.directory() as connection:
        return connection.execute(text("SELECT clock_offset FROM core.tenant")).scalar_one()


def test_the_other_side_may_say_when_to_come_back_or_that_it_is_of_no_use(platform, store, caller):
    def answer(call):
        raise RetryAfter(7200) if call.key == "later" else GiveUp("gone")

    caller.perform = answer
    ask(platform, store, "later", "never")
    run(platform, lambda: len(caller.given_up) == 1 and len(caller.made) == 2 and len(rows(platform, store)) == 2)
    later, never = rows(platform, store)
    with platform.database.tenant(store.id) as scope:
        assert 7_100 < (later.due_at - scope.now).total_seconds() < 7_300
    assert (never.due_at, never.error) == (None, "GiveUp: gone")


def test_asking_again_while_the_call_is_made_makes_it_again_with_the_new_payload(platform, store, caller):
    def ask_again(call):
        if call.payload["n"] == 1:
            ask(platform, store, "a", n=2)
        return str(call.payload["n"])

    caller.perform = ask_again
    ask(platform, store, "a", n=1)
    run(platform, lambda: ("a", "2") in answers(platform, store))
    assert [call.payload["n"] for call in caller.made] == [1, 2]
    assert len({call.id for call in caller.made}) == 2
    assert answers(platform, store) == [("a", "2")]
    assert rows(platform, store) == []


def test_an_answer_that_cannot_be_settled_counts_as_failed(platform, store, caller):
    def broken(_ctx):
        raise RuntimeError("cannot write")

    caller.done = broken
    ask(platform, store, "a")
    run(platform, lambda: rows(platform, store)[0].error == "RuntimeError: cannot write")
    caller.done = None
    forward(platform, store, minutes=1)
    run(platform, lambda: len(answers(platform, store)) == 1)
    assert rows(platform, store) == []


def test_who_asks_again_while_an_outcome_is_written_waits_for_nothing_crosswise(platform, store, caller):
    """Elsewhere an outcome held the call's row and waited for the plugin's, and who asked again the reverse."""
    mine, told = text("SELECT pg_advisory_xact_lock(77)"), threading.Event()

    def settle(ctx):
        told.set()
        ctx._opened.scope.run(mine)

    caller.done = settle
    caller.perform = lambda call: str(call.payload["n"])
    ask(platform, store, "a", n=1)
    worker = Worker(platform)
    thread = threading.Thread(target=worker.drain)
    with platform.database.tenant(store.id) as scope:
        scope.run(mine)
        thread.start()
        assert told.wait(10)
        context = platform.inside(scope, store).context(platform.registry["caller"], cause=Cause("test"))
        context.call("ring", "a", {"n": 2})
        scope.run(text("SET LOCAL lock_timeout = '500ms'"))
        context.finish()
    thread.join(10)
    worker._caller.finish()
    run(platform, lambda: ("a", "2") in answers(platform, store))
    assert rows(platform, store) == []
    assert answers(platform, store) == [("a", "2")], "what came of the first is of no interest any more"


def test_a_call_that_hangs_ends_the_worker_and_the_others_of_the_tenant_go_on(platform, store, caller):
    release = threading.Event()
    caller.perform = lambda call: release.wait(20) and "late" if call.key == "slow" else "quick"
    ask(platform, store, "slow", *(f"k{n}" for n in range(20)))
    worker = Worker(platform, WorkerConfig(idle_ms=5, deadline_seconds=1))
    try:
        with pytest.raises(StuckError, match="longer than 1 seconds"):
            worker.run()
        assert len(answers(platform, store)) >= 19
    finally:
        release.set()
        worker._caller.finish()


def test_who_settles_waits_for_calls_and_not_for_one_that_hangs(platform, store, caller):
    release = threading.Event()
    caller.perform = lambda call: call.key != "slow" or release.wait(20)
    worker = Worker(platform, WorkerConfig(deadline_seconds=1))
    try:
        ask(platform, store, "quick")
        worker.settle()
        assert [key for key, _ in answers(platform, store)] == ["quick"]
        ask(platform, store, "slow")
        with pytest.raises(StuckError, match="longer than 1 seconds"):
            worker.settle()
    finally:
        release.set()
        worker._caller.finish()


def test_a_call_whose_worker_died_is_made_again_and_given_up_after_three_deaths(platform, store, caller):
    ask(platform, store, "a")
    for _ in range(3):
        with platform.database.tenant(store.id) as scope:
            scope.run(
                text(
                    "UPDATE core.timer SET due_at = core.now(), attempts = attempts + 1, error = :error"
                    " WHERE tenant_id = :tenant AND kind = 'call'"
                ),
                error=UNSETTLED,
            )
            scope.run(text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)"))
    run(platform, lambda: len(caller.given_up) == 1)
    assert caller.made == []
    assert "3 times" in caller.given_up[0][1]


def test_many_calls_of_one_tenant_leave_places_for_another(platform, store, make_tenant, caller):
    other = make_tenant("other", enable=("caller",))
    running, most, lock = [0], [0], threading.Lock()

    def slow(_call):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.05)
        with lock:
            running[0] -= 1
        return "ok"

    caller.perform = slow
    ask(platform, store, *(f"k{n}" for n in range(60)))
    ask(platform, other, "one")
    run(platform, lambda: len(answers(platform, other)) == 1)
    assert len(answers(platform, store)) < 40  # the other did not wait for all of them
    run(platform, lambda: len(answers(platform, store)) == 60)
    assert 1 < most[0] <= 8


class Prepared(Plugin[PluginSettings]):
    """Fills its calls in at the last moment."""

    manifest = Manifest(id="filler", kind="tactic", title="Filler", summary="Calls.", holdout="none")
    settings_model = PluginSettings

    def __init__(self):
        self.asked, self.made, self.done, self.given_up = [], [], [], []
        self.prepare = lambda calls: {call.key: {"secret": f"of {call.key}"} for call in calls}

    @hookimpl
    def outbounds(self):
        yield outbound(
            "ring",
            perform=lambda _settings, call: self.made.append(dict(call.payload)),
            done=lambda _ctx, call, _answer: self.done.append(dict(call.payload)),
            failed=lambda _ctx, call, error: self.given_up.append((call.key, error)),
            prepare=self.fill,
        )

    def fill(self, ctx, calls):
        self.asked.append((ctx.tenant.slug, [call.key for call in calls]))
        return self.prepare(calls)


def ask_filler(platform, store, *keys):
    with platform.database.tenant(store.id) as scope:
        context = platform.inside(scope, store).context(platform.registry["filler"], cause=Cause("test"))
        for key in keys:
            context.call("ring", key, {"stored": key})
        context.finish()


@pytest.fixture
def filling(open_platform):
    plugin = Prepared()
    platform = open_platform(registry=Registry.load([("filler", plugin)]))
    store = open_store(platform, "tea", enable=("filler",), by="test")
    return plugin, platform, store


def test_a_call_is_prepared_in_the_transaction_that_claims_it_and_nothing_of_that_is_stored(filling):
    plugin, platform, store = filling
    ask_filler(platform, store, "a", "b")
    run(platform, lambda: len(plugin.done) == 2)
    assert plugin.asked == [("tea", ["a", "b"])]
    assert sorted(one["secret"] for one in plugin.made) == ["of a", "of b"]
    assert sorted(one["stored"] for one in plugin.done) == ["a", "b"], "what was stored, without the secret"
    assert all("secret" not in one for one in plugin.done)


def test_a_call_that_is_not_prepared_is_not_made_and_removed(filling):
    plugin, platform, store = filling
    plugin.prepare = lambda calls: {call.key: {} for call in calls if call.key != "b"}
    ask_filler(platform, store, "a", "b")
    run(platform, lambda: len(plugin.done) == 1)
    assert rows(platform, store) == []
    assert len(plugin.made) == 1


@pytest.mark.parametrize("answer", [ValueError("no"), None, 7])
def test_a_call_that_cannot_be_prepared_is_tried_again_later(filling, answer):
    plugin, platform, store = filling

    def prepare(_calls):
        if isinstance(answer, Exception):
            raise answer
        return answer

    plugin.prepare = prepare
    ask_filler(platform, store, "a")
    run(platform, lambda: rows(platform, store)[0].error not in {None, UNSETTLED})
    (row,) = rows(platform, store)
    assert (row.attempts, plugin.made, row.due_at is not None) == (1, [], True)
    assert ("ValueError" if isinstance(answer, ValueError) else "TypeError") in row.error


def test_a_store_whose_calls_all_hang_leaves_places_to_the_others(filling):
    plugin, platform, store = filling
    other = open_store(platform, "other", enable=("filler",), by="test")
    free = threading.Event()
    plugin.prepare = lambda calls: {call.key: {"wait": True} for call in calls}
    hanging = []

    def perform(_settings, call):
        if call.key.startswith("slow"):
            hanging.append(call.key)
            free.wait(20)
        plugin.made.append(call.key)

    slow = replace(platform.registry["filler"].outbounds["ring"], perform=perform)
    platform.registry["filler"].outbounds["ring"] = slow
    ask_filler(platform, store, *(f"slow {number}" for number in range(12)))

    def others_are_made():
        if len(hanging) == PER_TENANT and "quick" not in plugin.made and not others_are_made.asked:
            others_are_made.asked = True
            ask_filler(platform, other, "quick")
        if "quick" in plugin.made and not free.is_set():
            assert len(hanging) == PER_TENANT
            free.set()
        return len(plugin.made) == 13

    others_are_made.asked = False
    run(platform, others_are_made)


def test_a_worker_that_makes_no_calls_leaves_them_to_others(filling):
    plugin, platform, store = filling
    ask_filler(platform, store, "a")
    Worker(platform, WorkerConfig(calls=0)).drain()
    assert plugin.asked == []
    run(platform, lambda: len(plugin.done) == 1)
