"""Merges against each other, against the worker and against ingest."""

import asyncio
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.events import ingest, merging
from threepeat.http.calls import open_call
from threepeat.tenancy import consents, keys, members
from threepeat.tenancy.errors import Conflict
from threepeat.worker.loop import Worker

WAITING = """
    SELECT count(*) AS waiting FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
START = datetime(2026, 1, 10, 12, tzinfo=UTC)


def together(*works):
    """Run functions in threads that begin at one moment; their answers in order."""
    start, answers = threading.Barrier(len(works)), [None] * len(works)

    def one(number, work):
        start.wait()
        answers[number] = work()

    threads = [threading.Thread(target=one, args=given) for given in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answers


def refusal(shop, source, target):
    """Merge two ids; the code of the refusal, or an empty text."""
    try:
        shop.merge_ids(source, target)
    except Conflict as refused:
        return refused.code
    return ""


@pytest.mark.parametrize("cursors", [True, False], ids=["with plugins", "with no plugin to lock"])
def test_of_two_merges_in_opposite_directions_one_wins(shop, cursors):
    if not cursors:
        shop.rows("DELETE FROM core.cursor WHERE tenant_id = :tenant")
    for turn in range(15):
        shop.put(f"{turn}-a", f"{turn}-b")
        first, second = shop.id(f"{turn}-a"), shop.id(f"{turn}-b")
        found = together(lambda: refusal(shop, first, second), lambda: refusal(shop, second, first))  # noqa: B023
        assert sorted(found) == ["", "merged"]
        assert shop.id(f"{turn}-a") == shop.id(f"{turn}-b") in {first, second}
    assert shop.violations() == []


@pytest.mark.parametrize("cursors", [True, False], ids=["with plugins", "with no plugin to lock"])
def test_merges_of_few_members_in_many_threads_end_well_and_never_lock_up(shop, cursors):
    names = [f"m{number}" for number in range(10)]
    for name in names:
        shop.paid(name, name, 1_000)
    shop.serve()
    if not cursors:
        shop.rows("DELETE FROM core.cursor WHERE tenant_id = :tenant")
    answers = Counter()

    def work(seed):
        chance = random.Random(seed)
        return lambda: answers.update(shop.merge(*chance.sample(names, 2)).status_code for _ in range(12))

    together(*map(work, range(4)))
    assert answers[200] > 0
    assert answers.keys() <= {200, 404, 409}
    left = {shop.id(name) for name in names}
    assert len(left) == len(names) - answers[200]
    assert sorted(shop.points(one)[0] for one in left) == sorted(
        10 * count for count in Counter(shop.id(name) for name in names).values()
    )
    assert sum(shop.points(one)[0] for one in left) == 100
    assert shop.violations() == []


@pytest.fixture
def held(shop, monkeypatch):
    """The first merge goes on, with everything locked, once two others wait for it or for each other."""
    original, mine, first = members.fence, threading.Lock(), threading.Event()

    def late(scope):
        if mine.acquire(blocking=False):
            first.set()
            end = time.monotonic() + 20
            while shop.rows(WAITING)[0].waiting < 2:
                assert time.monotonic() < end, "nobody waits"
                time.sleep(0.02)
        original(scope)

    monkeypatch.setattr(members, "fence", late)
    return first


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "with merges at once"])
def test_a_member_that_gains_others_while_its_merge_waits_locks_nobody_up(shop, held, monkeypatch, planted):
    """b goes to c while one waits for c, who has e and then needs b, and another for b, who wants e next."""
    if planted:
        monkeypatch.setattr(members, "alone", lambda _scope: None)
    shop.rows("DELETE FROM core.cursor WHERE tenant_id = :tenant")
    shop.put("b", "e", "c")
    b, e, c = map(shop.id, "bec")
    found = []

    def one(source, target):
        try:
            found.append(refusal(shop, source, target))
        except DBAPIError as error:
            found.append(type(error.orig).__name__)

    threads = [threading.Thread(target=one, args=pair) for pair in ((b, c), (c, e), (b, e))]
    threads[0].start()
    assert held.wait(20)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == sorted(["", "", "DeadlockDetected" if planted else "merged"])
    assert planted or {shop.id(name) for name in "bce"} == {e}


class Trade:
    """Sales and refunds at random, and what they come to by name."""

    def __init__(self, shop, names):
        self.shop, self.names, self.due = shop, names, Counter()

    def sell(self, seed):
        chance = random.Random(seed)
        for number in range(40):
            name, total = chance.choice(self.names), chance.randrange(500, 5_000)
            back = chance.choice((0, 0, total // 3))
            if back:
                self.shop.refunded(name, f"{seed}-{number}", back, f"{seed}-{number}")
            self.shop.paid(name, f"{seed}-{number}", total, time=START + timedelta(minutes=number))
            self.due[name] += (total - back) // 100

    def merge(self, seed):
        chance = random.Random(seed)
        pairs = [chance.sample(self.names, 2) for _ in range(8)]
        return sum(self.shop.merge(*pair).status_code == 200 for pair in pairs)


@contextmanager
def two_workers(platform):
    stop = threading.Event()

    def serve():
        worker = Worker(platform)
        while not stop.is_set():
            worker.drain()

    threads = [threading.Thread(target=serve) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_merges_while_two_workers_run_and_events_come_in_lose_and_double_nothing(shop, platform):
    names = [f"m{number}" for number in range(12)]
    shop.put(*names)
    trade = Trade(shop, names)
    with two_workers(platform):
        merged = together(lambda: trade.sell(1), lambda: trade.sell(2), lambda: trade.merge(5))[2]
    assert merged > 3
    people = Counter()
    for name, points in trade.due.items():
        people[shop.id(name)] += points
    assert len({shop.id(name) for name in names}) == len(names) - merged
    for person, points in people.items():
        assert shop.points(person) == (points, 0, points)
    assert not shop.rows("SELECT FROM core.dead_letter WHERE tenant_id = :tenant")
    assert shop.violations() == []


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "with no count of moves"])
def test_a_batch_that_looked_a_member_up_before_the_merge_looks_again(shop, send, monkeypatch, planted):
    """A statement of consent that were written under the merged id would count for nobody."""
    shop.put("wx", "app")
    source, target = shop.id("wx"), shop.id("app")
    if planted:
        monkeypatch.setattr(ingest, "APPEND", ingest.APPEND.replace("AND moves =", "AND 0 <="))
    original, begun = ingest._hold_consenting, threading.Event()

    async def late(*given):
        if not begun.is_set():
            begun.set()
            await asyncio.to_thread(shop.merge_ids, source, target)
        await original(*given)

    monkeypatch.setattr(ingest, "_hold_consenting", late)
    assert send(shop.tenant, "consent.changed", "wx", purpose="ads", granted=True).verdict == "accepted"
    (event,) = shop.rows("SELECT member_id FROM core.event WHERE tenant_id = :tenant")
    assert event.member_id == (source if planted else target)
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert consents.granted(scope, [target], "ads") == (set() if planted else {target})


def test_a_merge_waits_for_the_turn_that_handles_the_members_events(shop):
    shop.put("wx", "app")
    done = threading.Event()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        scope.run(text("SELECT FROM core.cursor WHERE tenant_id = :tenant FOR UPDATE"))
        thread = threading.Thread(target=lambda: (shop.merge("wx", "app"), done.set()))
        thread.start()
        assert not done.wait(1)
    assert done.wait(20)
    thread.join()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert len(members.moved(scope, [shop.id("app") - 1, shop.id("app")])) == 1


def test_whom_a_plugin_held_in_a_call_that_was_undone_may_be_somebody_else_by_now(shop):
    """The savepoint gives the lock back, and what was known by it is known no more."""
    shop.put("wx", "app")
    source, target = shop.id("wx"), shop.id("app")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        with suppress(LookupError), scope.plugin_call():
            assert members.current(scope, source, hold=True) == source
            raise LookupError
        shop.merge_ids(source, target)
        assert members.moved(scope, [source]) == {source: target}


def test_whom_a_command_holds_and_then_merges_is_no_longer_taken_for_themselves(shop):
    shop.put("wx", "app")
    source, target = shop.id("wx"), shop.id("app")
    token = shop.token("wx")["Authorization"].removeprefix("Bearer ")
    with open_call(shop.platform, keys.read(shop.platform.keyring, token), command=True) as call:
        scope = call.scope
        assert scope.held == {source}
        assert members.moved(scope, [source]) == {}
        merging.merge(shop.platform, scope, shop.tenant, source, target, by="test")
        assert members.moved(scope, [source]) == {source: target}
