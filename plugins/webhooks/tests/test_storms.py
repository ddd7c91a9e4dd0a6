"""Two workers, a merchant who cannot decide, members who are merged: nothing is lost, nothing is deadlocked."""

import contextlib
import random
import threading
import time

from sqlalchemy import text

from threepeat.events import merging
from threepeat.tenancy import members
from threepeat.tenancy.errors import Conflict, Invalid, Stale
from threepeat.worker.loop import Worker, WorkerConfig

SECONDS = 3


def deadlocks(platform):
    with platform.database.ops.connect() as ops:
        return ops.execute(
            text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        ).scalar_one()


class Storm:
    """Threads that do something until the time is over."""

    def __init__(self, seconds):
        self.until, self.failures, self.threads = time.monotonic() + seconds, [], []

    def often(self, work):
        self.threads.append(threading.Thread(target=self._repeat, args=(work,)))

    def _repeat(self, work):
        try:
            while time.monotonic() < self.until:
                work()
        except Exception as error:  # noqa: BLE001 - the test tells of it
            self.failures.append(error)

    def rage(self, workers):
        serving = [threading.Thread(target=one.run) for one in workers]
        for thread in (*self.threads, *serving):
            thread.start()
        for thread in self.threads:
            thread.join(30)
        for worker in workers:
            worker.stop()
        for thread in serving:
            thread.join(30)


def merge(shop, source, target):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        ids = members.find(scope, source), members.find(scope, target)
        if ids[0] != ids[1]:
            merging.merge(shop.platform, scope, shop.tenant, *ids, by="test")


def test_a_storm_loses_no_event_and_ends_in_no_deadlock(shop, receiver):
    chance, begun, sent = random.Random(5), shop.now, []
    names = [f"m{number}" for number in range(20)]
    endpoint, _ = shop.endpoint(receiver.url, "visit.made")
    receiver.answer = lambda _: chance.choice((204, 204, 500))
    before = deadlocks(shop.platform)
    for name in names:
        shop.member(name)

    def decide():
        try:
            shop.step(endpoint, chance.choice(("off", "on", "rotate", "test")))
        except (Conflict, Stale):
            time.sleep(0.005)

    def resend():
        time.sleep(0.02)
        with contextlib.suppress(Invalid):
            which = chance.choice(("missed", "all"))
            shop.make("resends", endpoint=endpoint, since=begun.isoformat(), which=which)

    storm = Storm(SECONDS)
    storm.often(lambda: sent.append(shop.send("visit.made", chance.choice(names), work=False)))
    storm.often(decide)
    storm.often(lambda: (time.sleep(0.05), merge(shop, *chance.sample(names, 2))))
    storm.often(resend)
    storm.rage([Worker(shop.platform, WorkerConfig(idle_ms=5)) for _ in range(2)])
    assert storm.failures == []
    assert deadlocks(shop.platform) == before
    assert shop.violations() == []
    if shop.item(endpoint).state != "active":
        shop.step(endpoint, "on")
    receiver.answer = 204
    shop.work()
    shop.make("resends", endpoint=endpoint, since=begun.isoformat())
    for _ in range(4):
        shop.wait(minutes=6)
    ids = {body["id"]: webhook_id for webhook_id, body, _ in receiver.got if body["type"] == "visit.made"}
    assert len(sent) > 20
    assert sorted(ids) == sorted(sent)
    assert len(set(ids.values())) == len(sent), "whatever came twice came under the id that it had"
