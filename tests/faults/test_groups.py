"""Groups while processes are killed: no payment is lost, no group over-full or stuck, nobody is told twice."""

import random
import shutil
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.events import collections
from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.tenancy import keys, tenants

sys.path.insert(0, str(Path(__file__).parent))

from storm import (
    API_POINTS,
    BATCH,
    PATIENCE_SECONDS,
    WORKER_POINTS,
    Client,
    Ledger,
    Place,
    _environment,
    _wait_served,
)

SEED = 20261122
MEMBERS = 10
CAMPAIGN = {"name": "Tea", "sku": "tea", "size": 2, "price": 600, "hours": 1}
LINE = {"id": "1", "sku": "tea", "quantity": 1, "unit_price": 1_000}
PLACES = [one for one in (*API_POINTS, *WORKER_POINTS) if one.partition(".")[0] in {"command", "turn", "outbox"}]

SEATS = text("""
    SELECT s.order_id, s.state, (SELECT count(*) FROM core.event e
                                 WHERE e.tenant_id = :tenant AND e.type = 'group.succeeded'
                                   AND e.data ->> 'order_id' = s.order_id) AS told
    FROM groupbuy.seat s WHERE s.tenant_id = :tenant AND s.order_id IS NOT NULL
""")
ASKED = text("""
    SELECT data ->> 'order_id' AS order_id, data ->> 'reason' AS reason, count(*) AS times FROM core.event
    WHERE tenant_id = :tenant AND type = 'refund.requested' GROUP BY 1, 2
""")
WRONGLY = text("""
    SELECT r.order_id, r.times FROM groupbuy.refund r
    WHERE r.tenant_id = :tenant AND r.times <> (
        SELECT count(*) FROM core.event e
        WHERE e.tenant_id = :tenant AND e.type = 'refund.requested' AND e.data ->> 'order_id' = r.order_id
          AND e.data ->> 'reason' = 'group-' || r.reason
    )
""")
OPEN = text("SELECT count(*) AS n FROM groupbuy.team WHERE tenant_id = :tenant AND state = 'open'")
EVENTS = text("SELECT id FROM core.event WHERE tenant_id = :tenant AND type = 'order.paid'")


class Buyer(Client):
    """A member who looks for a group, holds a seat and pays, by an event or a command; or lets go."""

    def __init__(self, member, token, key, campaign, *given):
        super().__init__(*given)
        self._member, self._campaign = member, campaign
        self._mine, self._shops = {"Authorization": f"Bearer {token}"}, {"Authorization": f"Bearer {key}"}

    def run(self):
        count = 0
        while not self._over.is_set():
            count += 1
            self._buy(f"{self._number}-{count}")

    def _buy(self, name):
        found = self.send("GET", f"/v1/me/groupbuy/groups?campaign={self._campaign}", headers=self._mine)
        groups = [one["group"] for one in found.json()["groups"]]
        opens = not groups or self._random.random() < 0.3
        if opens and not groups:
            time.sleep(self._random.random())
        choice = {"campaign": self._campaign, "group": None if opens else groups[0]}
        basket = {"lines": [LINE], "choices": {"groupbuy": choice}}
        quote = self.send("POST", "/v1/quotes", json=basket, headers=self._mine).json()
        if not quote["applied"]:
            time.sleep(0.05)
            return
        place = f"/v1/quotes/{quote['id']}"
        held = self.send("POST", f"{place}/reserve", headers={**self._mine, "Idempotency-Key": f"r-{name}"})
        if held.status_code != 200:
            return
        if self._random.random() < 0.15:
            self.send("POST", f"{place}/release", headers={**self._mine, "Idempotency-Key": f"f-{name}"})
            return
        if self._random.random() < 0.5:
            keyed = {**self._shops, "Idempotency-Key": f"c-{name}"}
            done = self.send("POST", f"{place}/confirm", json={"order_id": name}, headers=keyed)
            if done.status_code == 200:
                with self._ledger.lock:
                    self._ledger.payments[name] = (self._member, 600)
            return
        data = {"order_id": name, "total": 600, "currency": "CNY", "reservation_id": quote["id"]}
        event = {"specversion": "1.0", "id": name, "source": "storm", "type": "order.paid", "data": data}
        event |= {"subject": self._member, "time": "2026-11-01T00:00:00Z"}
        for _ in range(self._random.choice((1, 1, 2))):
            self.send("POST", "/v1/events", json=[event], headers={**self._shops, "Content-Type": BATCH})
        with self._ledger.lock:
            self._ledger.events[name] = (self._member, 600)


class Town:
    """A store with a group buy, its processes, and members who buy."""

    def __init__(self, stack):
        folder = Path(tempfile.mkdtemp(prefix="threepeat-groups-"))
        folder.chmod(0o755)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_environment(folder))
        self.place = Place(folder, "")
        stack.callback(self.place.log.close)
        stack.enter_context(self.place.server.supervised())
        self.platform = Platform.open()
        stack.callback(self.platform.database.dispose)
        self.tenant = open_store(self.platform, "groups", enable=["groupbuy"], holdout=0, by="storm")
        stack.callback(self.place.stop)
        self.place.start("api")
        self.place.start("worker")
        self.place.wait_ready(time.monotonic())
        self.place.slowest_ready = 0.0
        self.ledger, self.stop, self.ahead = Ledger(), threading.Event(), timedelta(0)
        self.buyers = self._buyers()
        for one in (*self.buyers, threading.Thread(target=self._hurry, daemon=True)):
            one.start()

    def _buyers(self):
        with self.platform.database.tenant(self.tenant.id) as scope:
            key = keys.create_key(scope, self.platform.keyring, "storm", ["ingest", "manage"], by="storm")
            opened = self.platform.inside(scope, self.tenant)
            made = collections.create(opened, "groupbuy", "campaigns", CAMPAIGN, by="storm")
            more = {"revision": made.revision, "by": "storm"}
            collections.act(opened, "groupbuy", "campaigns", made.id, "activate", **more)
        bearer, found = {"Authorization": f"Bearer {key}"}, []
        for number in range(MEMBERS):
            url = f"{self.place.url}/v1/members/m{number}"
            httpx2.put(url, json={}, headers=bearer).raise_for_status()
            asked = httpx2.post(f"{url}/token", json={"expires_in": 86_400}, headers=bearer).raise_for_status()
            given = (number, SEED, self.place.url, self.ledger, self.stop)
            found.append(Buyer(f"m{number}", asked.json()["token"], key, made.id, *given))
        return found

    def _hurry(self):
        """Let three minutes pass in a second, so that seats are let go and groups end all the time."""
        while not self.stop.wait(0.5):
            with suppress(DBAPIError):
                self.pass_time(timedelta(seconds=90))

    def pass_time(self, span):
        self.ahead += span
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, datetime.now(UTC) + self.ahead)

    def rows(self, statement):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return scope.run(statement)

    def end(self):
        """Let everybody finish and every group end."""
        self.place.wait_ready(time.monotonic())
        self.stop.set()
        for one in self.buyers:
            one.join(PATIENCE_SECONDS)
            assert not one.is_alive()
            one.close()
        _wait_served(self.platform, self.tenant)
        for _ in range(2):
            self.pass_time(timedelta(hours=2))
            until = time.monotonic() + PATIENCE_SECONDS
            while self.rows(OPEN)[0].n and time.monotonic() < until:
                time.sleep(0.2)
        _wait_served(self.platform, self.tenant)
        self.place.stop()

    def count(self):
        """Hold what is there against what the members know to be true."""
        orders = {*self.ledger.events, *self.ledger.payments}
        assert len(orders) > 10
        assert {*self.ledger.events} <= {row.id for row in self.rows(EVENTS)}, "acknowledged and lost"
        seats = {row.order_id: row for row in self.rows(SEATS)}
        asked = {row.order_id: row for row in self.rows(ASKED)}
        for order in orders:
            seat, back = seats.get(order), asked.get(order)
            assert seat is not None or order in self.ledger.events, order
            state = seat.state if seat is not None else "gone"
            assert state in {"succeeded", "failed", "gone"}, (order, state)
            assert (back is not None) == (state != "succeeded"), (order, state)
            assert seat is None or seat.told == (state == "succeeded"), (order, seat)
        assert any(row.state == "succeeded" for row in seats.values())
        assert not self.rows(WRONGLY), "asked as often as counted"
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        assert [f"{one.owner}.{one.name}" for one in verify(self.platform, current) if one.rows] == []
        assert not self.rows(text("SELECT FROM core.dead_letter WHERE tenant_id = :tenant"))
        assert not self.ledger.surfaced, self.place.errors()
        assert b"40P01" not in Path(self.place.log.name).read_bytes()


@pytest.mark.long
def test_groups_are_whole_while_processes_are_killed_at_random():
    with ExitStack() as stack:
        town, plan = Town(stack), random.Random(SEED)
        for kind in plan.sample(("api", "worker", "worker child", "worker child", "postgres", "postgres"), 6):
            time.sleep(plan.uniform(1.0, 2.5))
            town.place.kill(kind)
        town.end()
        town.count()


@pytest.mark.long
def test_groups_are_whole_wherever_a_process_ends():
    with ExitStack() as stack:
        town = Town(stack)
        for point in PLACES:
            town.place.at(point, 30)
        town.end()
        assert town.place.places == set(PLACES)
        town.count()
