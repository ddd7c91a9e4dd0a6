"""`make storm`: real clients send and retry while processes are killed; then every promise is counted.

An embedded PostgreSQL, `threepeat serve` and `threepeat worker` run as they do for an operator, on loopback, in
a folder of their own. Clients post events and pay, and repeat what was not answered under the same id and key;
another store sends large batches beside them. Meanwhile processes get SIGKILL, at random and at every named
place; workers are frozen past their lease and wake, backends of PostgreSQL are terminated, a stranger holds a lock
in an open transaction, and connections stall in the middle of a request. In the end all that was acknowledged must
be there, once, and every effect of it, once. The seed is printed; the same seed gives the same plan.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import psutil
import psycopg
from rich.console import Console
from rich.progress import Progress, track
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.database.config import DatabaseConfig, Urls
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.faults import POINTS
from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.http.health import FRESH_SECONDS
from threepeat.tenancy import keys
from threepeat.tenancy.tenants import Tenant

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))

from figures import Figures

SITE = Path(__file__).parent / "site"
MEMBERS = 12
BATCH = "application/cloudevents-batch+json"
READY_SECONDS = 10.0
PATIENCE_SECONDS = 120.0
MOST_WAITING = 50_000
"""Events of a store that no worker has served yet; with more the shops pause, so that an hour has an end."""
KILLED = ("api", "worker", "worker child", "worker child", "postgres", "postgres")
DISTURBED = ("frozen worker", "backends", "open transaction", "stalled connections")
LEASE_SECONDS = 5
FROZEN_SECONDS = LEASE_SECONDS + 3.0
LOCKED_SECONDS = 3.0
STALLED = 40
STALLED_SECONDS = 10.0
LARGE = 400
"""Events in a batch of the noisy neighbour."""
API_POINTS = tuple(point for point in POINTS if point.partition(".")[0] in {"ingest", "command"})
WORKER_POINTS = tuple(point for point in POINTS if point.partition(".")[0] in {"turn", "outbox", "call"})

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = %s AND random() < 0.5
"""

console = Console()


@dataclass
class Outcome:
    """What a storm came to.

    Attributes:
        lost: Acknowledged events that are not in the log.
        doubled: Effects that happened more or less often than once, by what was counted.
        kills: How often each kind of process was killed, or otherwise disturbed.
        places: Named places at which a process ended itself.
        slowest_ready: Seconds from the kill of the API or of PostgreSQL until it was ready again, at most.
        surfaced: Answers that no client should see: 5xx other than 503, and deadlocks in the server's log.
        findings: Promises that `verify` finds broken.
    """

    seed: int
    acknowledged: int = 0
    paid: int = 0
    retried: int = 0
    lost: int = 0
    doubled: dict[str, int] = field(default_factory=dict)
    letters: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    places: set[str] = field(default_factory=set)
    slowest_ready: float = 0.0
    surfaced: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every promise was kept."""
        broken = self.lost or any(self.doubled.values()) or self.letters or self.surfaced or self.findings
        return not broken and self.slowest_ready <= READY_SECONDS

    def record(self, figures: Figures, seconds: float) -> None:
        """Keep the counts, and how long it took to be ready again."""
        killed = ", ".join(f"{name} {count} times" for name, count in sorted(self.kills.items()))
        said = f"seed {self.seed}, {seconds:g} s and {len(self.places)} named places; struck: {killed}; "
        counts = {
            "storm-lost": (self.lost, f"of {self.acknowledged:,} acknowledged events"),
            "storm-doubled": (sum(self.doubled.values()), "effects doubled or missing"),
            "storm-surfaced": (
                sum(self.surfaced.values()),
                f"errors that a client saw; {self.retried:,} requests again",
            ),
            "storm-broken": (self.letters + len(self.findings), "dead letters and broken invariants"),
        }
        for name, (count, what) in counts.items():
            figures.record(name, count, bar="0", met=count == 0, said=said + what)
        ready = self.slowest_ready
        bar = f"≤ {READY_SECONDS:g} s"
        figures.record(
            "storm-ready", ready, bar=bar, met=ready <= READY_SECONDS, said=said + "slowest to be ready"
        )

    def show(self) -> None:
        """Print it."""
        table = Table("what", "figure", title=f"storm, seed {self.seed}")
        for name, figure in (
            ("acknowledged events", self.acknowledged),
            ("payments", self.paid),
            ("requests sent again", self.retried),
            ("struck", dict(self.kills)),
            ("named places passed", f"{len(self.places)} of {len(API_POINTS) + len(WORKER_POINTS)}"),
            ("acknowledged and lost", self.lost),
            ("effects doubled or missing", self.doubled),
            ("dead letters", self.letters),
            ("errors that surfaced", dict(self.surfaced)),
            ("ready again, slowest", f"{self.slowest_ready:.1f} s"),
            ("broken promises", self.findings or 0),
        ):
            table.add_row(name, str(figure))
        console.print(table)


@dataclass
class Ledger:
    """What the clients know to be true, written down as soon as they have an answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    events: dict[str, tuple[str, int]] = field(default_factory=dict)
    payments: dict[str, tuple[str, int]] = field(default_factory=dict)
    surfaced: Counter[str] = field(default_factory=Counter)
    retried: int = 0


class Place:
    """The processes of one storm and how they are killed.

    Attributes:
        urls: Of the database, once it is open.
        ended: Processes that ended though nobody struck them.
    """

    urls: Urls

    def __init__(self, folder: Path, plant: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.bells = folder / "bells"
        self.log = (folder / "log").open("ab")
        self.slowest_ready = 0.0
        self.kills: Counter[str] = Counter()
        self.places: set[str] = set()
        self.ended: Counter[str] = Counter()
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(SITE),
            "STORM_PLANT": plant,
            "STORM_BELLS": str(self.bells),
            "THREEPEAT_LOG_LEVEL": "warning",
            "THREEPEAT_WORKER_LEASE_SECONDS": str(LEASE_SECONDS),
        }
        self.server = EmbeddedServer(DatabaseConfig().data)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._began_at = 0
        self._afterwards = ExitStack()

    def start(self, name: str, fault: str = "") -> None:
        """Start the API or the worker, if asked with a place at which it ends itself."""
        arguments = {
            "api": ["serve", "--port", str(self.port)],
            "worker": ["worker", "--processes", "2"],
        }[name]
        self._processes[name] = subprocess.Popen(
            [sys.executable, "-m", "threepeat.cli", *arguments],
            env={**self._environment, "THREEPEAT_FAULT": fault},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def stop(self) -> None:
        """End both in order."""
        self._afterwards.close()
        for name in self._processes:
            self._stands(name)
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        self.log.flush()

    def strike(self, name: str) -> None:
        """SIGKILL the API, the worker, one of its children or PostgreSQL, and see it come back; or disturb."""
        began = time.monotonic()
        self.kills[name] += 1
        if name in DISTURBED:
            {
                "frozen worker": self._freeze,
                "backends": self._terminate,
                "open transaction": self._lock,
                "stalled connections": self._stall,
            }[name]()
        elif name == "postgres":
            pid = self.server.status().pid
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            time.sleep(2 * FRESH_SECONDS)  # for so long the API may say what was so before
            self.wait_ready(began)
        elif name == "worker child":
            with suppress(psutil.Error, IndexError):
                self._child().kill()
        else:
            self._stands(name)
            self._processes[name].kill()
            self._processes[name].wait()
            self.start(name)
            if name == "api":
                self.wait_ready(began)

    def _stands(self, name: str) -> None:
        """Note a process that has ended, which nobody asked it to."""
        if self._processes[name].poll() is not None:
            self.ended[f"the {name} ended by itself"] += 1

    def _child(self) -> psutil.Process:
        found = psutil.Process(self._processes["worker"].pid).children(recursive=True)
        return random.choice(
            [one for one in found if not one.children() and "resource_tracker" not in str(one.cmdline())]
        )

    def _freeze(self) -> None:
        """Stop a worker for longer than its lease; it wakes while others do its work."""
        with suppress(psutil.Error, IndexError):
            frozen = self._child()
            frozen.suspend()
            self._later(FROZEN_SECONDS, frozen.resume)

    def _terminate(self) -> None:
        """End half of what the app role has open, as an administrator does."""
        with suppress(psycopg.Error), psycopg.connect(self.server.admin_url, autocommit=True) as admin:
            admin.execute(TERMINATE, (self.urls.app.username,))

    def _lock(self) -> None:
        """Hold every store's log in a transaction that does nothing."""
        with (
            suppress(psycopg.Error),
            psycopg.connect(self.server.admin_url, dbname=self.urls.app.database) as stranger,
        ):
            stranger.execute("SET LOCAL lock_timeout = '2s'")
            stranger.execute("SELECT FROM core.stream ORDER BY tenant_id FOR UPDATE")
            time.sleep(LOCKED_SECONDS)

    def _stall(self) -> None:
        """Open connections that say how much they will send, and do not."""
        for _ in range(STALLED):
            with suppress(OSError):
                sender = socket.create_connection(("127.0.0.1", self.port), timeout=2)
                sender.sendall(b"POST /v1/events HTTP/1.1\r\nHost: storm\r\nContent-Length: 1000\r\n")
                self._later(STALLED_SECONDS, sender.close)

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        """Do something later, at the latest when all ends."""

        def act() -> None:
            with suppress(psutil.Error):
                work()

        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()
        self._afterwards.callback(act)
        self._afterwards.callback(timer.cancel)

    def at(self, point: str, seconds: float) -> None:
        """Restart the process that passes a place, so that it ends there, and bring it back."""
        name = "api" if point in API_POINTS else "worker"
        self._processes[name].terminate()
        self._processes[name].wait(20)
        self._began_at = Path(self.log.name).stat().st_size
        self.start(name, f"{point}:2")
        until = time.monotonic() + seconds + PATIENCE_SECONDS
        while time.monotonic() < until and not self._ended(name):
            time.sleep(0.05)
        if self._ended(name):
            self.places.add(point)
        process = self._processes[name]
        process.kill()
        process.wait()
        began = time.monotonic()
        self.start(name)
        if name == "api":
            self.wait_ready(began)

    def wait_ready(self, began: float) -> None:
        """Wait until requests are answered again."""
        while True:
            with suppress(httpx2.HTTPError):
                if httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200:
                    break
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise RuntimeError("it does not become ready again")
            time.sleep(0.05)
        self.slowest_ready = max(self.slowest_ready, time.monotonic() - began)

    def wait_for_database(self) -> None:
        """Wait until PostgreSQL takes connections: whoever had started it again has taken it along."""
        until = time.monotonic() + PATIENCE_SECONDS
        while self.server.status().version is None:
            if time.monotonic() > until:
                raise RuntimeError("the database does not come back")
            time.sleep(0.05)

    def errors(self) -> list[str]:
        """What the processes logged as errors, other than that one of them was killed."""
        lines = Path(self.log.name).read_text(errors="replace").splitlines()
        return [line for line in lines if '"level": "error"' in line and '"exit": "SIGKILL"' not in line]

    def _ended(self, name: str) -> bool:
        if name == "api":
            return self._processes[name].poll() == -signal.SIGKILL
        # The supervisor replaces a child that ends at the place, and says so.
        return b"SIGKILL" in Path(self.log.name).read_bytes()[self._began_at :]


class Client(threading.Thread):
    """Sends until told to stop, and repeats what was not answered."""

    def __init__(
        self, number: int, seed: int, url: str, ledger: Ledger, stop: threading.Event, free: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._number = number
        self._random = random.Random(f"{seed}-{number}")
        self._http = httpx2.Client(base_url=url, timeout=10)
        self._ledger = ledger
        self._over = stop
        self._free = free

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def send(self, method: str, path: str, **given: object) -> httpx2.Response:
        """One request, again and again until it has an answer that will not change."""
        pause = 0.02
        while True:
            try:
                answer = self._http.request(method, path, **given)
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code not in {429, 503}:
                if answer.status_code >= 500:
                    with self._ledger.lock:
                        self._ledger.surfaced[f"HTTP {answer.status_code}"] += 1
                else:
                    return answer
            with self._ledger.lock:
                self._ledger.retried += 1
            time.sleep(pause)
            pause = min(pause * 2, 0.5)


class Shop(Client):
    """A shop's server: posts orders, sometimes twice.

    Attributes:
        sizes: How many at a time, at least and at most.
        pause: Seconds after each batch.
    """

    sizes = (1, 20)
    pause = 0.0

    def __init__(self, key: str, *given: object) -> None:
        super().__init__(*given)
        self._key = key

    def run(self) -> None:
        count = 0
        while not self._over.is_set():
            events = []
            for _ in range(self._random.randint(*self.sizes)):
                count += 1
                order = f"{self._number}-{count}"
                total = self._random.randint(1, 50) * 100
                member = f"m{self._random.randrange(MEMBERS)}"
                data = {"order_id": order, "total": total, "currency": "CNY"}
                events.append(
                    {
                        "specversion": "1.0",
                        "id": order,
                        "source": "storm",
                        "type": "order.paid",
                        "subject": member,
                        "time": "2026-11-01T00:00:00Z",
                        "data": data,
                    }
                )
            body = json.dumps(events + events[: self._random.choice((0, 0, 1, 3))])
            headers = {"Authorization": f"Bearer {self._key}", "Content-Type": BATCH}
            answer = self.send("POST", "/v1/events", content=body, headers=headers)
            verdicts = {item["id"]: item["verdict"] for item in answer.json()["items"]}
            with self._ledger.lock:
                for event in events:
                    if verdicts[event["id"]] in {"accepted", "duplicate"}:
                        self._ledger.events[event["id"]] = (event["subject"], event["data"]["total"])
            time.sleep(self.pause)
            self._free.wait()


class Neighbour(Shop):
    """Another store, which sends large batches."""

    sizes = (LARGE, LARGE)
    pause = 0.5


class Phone(Client):
    """A member's phone: pays, sometimes twice with the same key."""

    def __init__(self, member: str, token: str, *given: object) -> None:
        super().__init__(*given)
        self._member = member
        self._token = token

    def run(self) -> None:
        count = 0
        while not self._over.is_set():
            count += 1
            key = f"{self._number}-{count}"
            amount = self._random.randint(1, 20)
            headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
            answers = [
                self.send("POST", "/v1/me/till/pay", json={"amount": amount, "reference": key}, headers=headers)
                for _ in range(self._random.choice((1, 1, 2)))
            ]
            good = [answer for answer in answers if answer.status_code == 200]
            with self._ledger.lock:
                if good:
                    self._ledger.payments[key] = (self._member, amount)
                if len({answer.content for answer in good}) > 1:
                    self._ledger.surfaced["a repeated request got another answer"] += 1
                for answer in answers:
                    if answer.status_code not in {200, 409}:
                        self._ledger.surfaced[f"HTTP {answer.status_code}"] += 1


def storm(
    *,
    seconds: float,
    seed: int,
    points: Sequence[str],
    plant: str = "",
    kinds: Sequence[str] = KILLED + DISTURBED,
    every: tuple[float, float] = (0.5, 3.0),
    least: int = 0,
) -> Outcome:
    """Run a storm.

    Args:
        seconds: How long it strikes at random.
        seed: Of the plan of kills and of what the clients send.
        points: Named places at which a process ends once.
        plant: A mistake to plant, which the storm must find.
        kinds: What is struck, as often as it stands here, in an order that the seed decides.
        every: Seconds from one stroke to the next, at least and at most.
        least: So many strokes at random, however long it takes.
    """
    outcome = Outcome(seed)
    folder = Path(tempfile.mkdtemp(prefix="threepeat-storm-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.enter_context(_environment(folder))
        place = Place(folder, plant)
        stack.callback(place.log.close)
        stack.enter_context(place.server.supervised())
        platform = Platform.open()
        stack.callback(platform.database.dispose)
        place.urls = platform.database.urls
        tenant = open_store(platform, "storm", enable=["points", "till"], holdout=0, by="storm")
        stack.callback(place.stop)
        place.start("api")
        place.start("worker")
        place.wait_ready(time.monotonic())
        place.slowest_ready = 0.0
        ledger, stop, free = Ledger(), threading.Event(), threading.Event()
        free.set()
        neighbour = open_store(platform, "neighbour", enable=["points", "till"], holdout=0, by="storm")
        noise = Ledger()
        stores = (tenant, neighbour)
        clients = _clients(platform, tenant, place.url, seed, ledger, stop, free)
        clients.append(Neighbour(_key(platform, neighbour), 99, seed, place.url, noise, stop, free))
        for client in clients:
            client.start()
        for point in track(points, "named places", console=console, disable=not points):
            place.at(point, 5)
        plan = random.Random(seed)
        deck: list[str] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until or sum(place.kills.values()) < least:
            time.sleep(plan.uniform(*every))
            deck = deck or plan.sample(kinds, len(kinds))
            place.strike(deck.pop())
            _hold_back(platform, stores, free)
        place.wait_ready(time.monotonic())
        stop.set()
        free.set()
        for client in clients:
            client.join(PATIENCE_SECONDS)
            if client.is_alive():
                outcome.surfaced["a client that has no answer"] += 1
            client.close()
        for one in stores:
            _wait_served(platform, one)
        place.stop()
        outcome.surfaced += place.ended
        outcome.kills, outcome.places = place.kills, place.places
        outcome.slowest_ready = place.slowest_ready
        _count(platform, tenant, ledger, place, outcome)
        _count_noise(platform, neighbour, noise, outcome)
    return outcome


@contextmanager
def _environment(folder: Path) -> Iterator[None]:
    before = dict(os.environ)
    for name in ("THREEPEAT_APP_URL", "THREEPEAT_OWNER_URL", "THREEPEAT_OPS_URL"):
        os.environ.pop(name, None)
    os.environ["THREEPEAT_DATA"] = str(folder / "data")
    sys.path.insert(0, str(SITE))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.path.remove(str(SITE))


def _clients(
    platform: Platform,
    tenant: Tenant,
    url: str,
    seed: int,
    ledger: Ledger,
    stop: threading.Event,
    free: threading.Event,
) -> list[Client]:
    key = _key(platform, tenant)
    bearer = {"Authorization": f"Bearer {key}"}
    tokens = {}
    for number in range(3):
        member = f"m{number}"
        httpx2.put(f"{url}/v1/members/{member}", json={}, headers=bearer).raise_for_status()
        answer = httpx2.post(
            f"{url}/v1/members/{member}/token", json={"expires_in": 86_400}, headers=bearer
        ).raise_for_status()
        tokens[member] = answer.json()["token"]
    shops: list[Client] = [Shop(key, number, seed, url, ledger, stop, free) for number in range(3)]
    phones: list[Client] = [
        Phone(member, token, 10 * number + copy, seed, url, ledger, stop, free)
        for number, (member, token) in enumerate(tokens.items(), 1)
        for copy in range(3)
    ]
    return shops + phones


def _key(platform: Platform, tenant: Tenant) -> str:
    with platform.database.tenant(tenant.id) as scope:
        return keys.create_key(scope, platform.keyring, "storm", ["ingest", "manage"], by="storm")


WAITING = text("""
    SELECT (SELECT max(s.head) - min(c.position) FROM core.stream s JOIN core.cursor c USING (tenant_id)
            WHERE s.tenant_id = :tenant)
         + (SELECT count(*) FROM core.outbox WHERE tenant_id = :tenant)
         + (SELECT count(*) FROM core.timer
            WHERE tenant_id = :tenant AND plugin = 'till' AND due_at IS NOT NULL)
         AS n
""")


def _waiting(platform: Platform, tenant: Tenant) -> int:
    """Events, deadlines and calls that are before us."""
    with platform.database.tenant(tenant.id) as scope:
        row = scope.one(WAITING)
    return int(row.n) if row is not None else 0


def _hold_back(platform: Platform, stores: Sequence[Tenant], free: threading.Event) -> None:
    """Let the shops send while the workers keep up."""
    with suppress(DBAPIError):
        if any(_waiting(platform, store) > MOST_WAITING for store in stores):
            free.clear()
        else:
            free.set()


def _wait_served(platform: Platform, tenant: Tenant) -> None:
    """Wait until all is behind us, as long as it becomes less."""
    least = _waiting(platform, tenant)
    until = time.monotonic() + PATIENCE_SECONDS
    with Progress(console=console, transient=True) as bars:
        bar = bars.add_task(f"{tenant.store.slug}: waiting", total=least)
        while least and time.monotonic() < until:
            time.sleep(0.2)
            now = _waiting(platform, tenant)
            if now < least:
                bars.advance(bar, least - now)
                least, until = now, time.monotonic() + PATIENCE_SECONDS
    if least:
        console.print(f"{tenant.store.slug}: {least:,} are not served: what is missing shows in the count")


COUNTS = text("""
    SELECT i.value AS member, e.orders AS logged, p.orders, p.receipts, p.received,
           coalesce(y.n, 0) AS payments, coalesce(y.amount, 0) AS paid,
           coalesce(j.earned, 0) AS earned, coalesce(j.spent, 0) AS spent
    FROM (SELECT member_id, count(*) AS orders FROM core.event
          WHERE tenant_id = :tenant AND type = 'order.paid' GROUP BY member_id) e
    JOIN core.identity i ON i.tenant_id = :tenant AND i.member_id = e.member_id AND i.kind = 'shop'
    LEFT JOIN (SELECT * FROM till.purse WHERE tenant_id = :tenant) p ON p.member_id = e.member_id
    LEFT JOIN (SELECT member_id, count(*) AS n, sum(amount) AS amount FROM till.payment
               WHERE tenant_id = :tenant GROUP BY member_id) y ON y.member_id = e.member_id
    LEFT JOIN (SELECT member_id, sum(points) FILTER (WHERE points > 0) AS earned,
                      -sum(points) FILTER (WHERE points < 0) AS spent
               FROM points.entry WHERE tenant_id = :tenant GROUP BY member_id) j ON j.member_id = e.member_id
    ORDER BY 1
""")
BELLS = text("""
    SELECT (SELECT count(*) FROM core.event
            WHERE tenant_id = :tenant AND type = 'order.paid' AND position % 20 = 0) AS wanted,
           (SELECT coalesce(max("left"), 0) FROM till.stock WHERE tenant_id = :tenant) AS left,
           (SELECT count(*) FROM till.rung WHERE tenant_id = :tenant) AS rung,
           (SELECT count(DISTINCT bell) FROM till.rung WHERE tenant_id = :tenant) AS distinct_rung
""")


def _count(platform: Platform, tenant: Tenant, ledger: Ledger, place: Place, outcome: Outcome) -> None:
    outcome.acknowledged, outcome.paid, outcome.retried = len(ledger.events), len(ledger.payments), ledger.retried
    outcome.surfaced += ledger.surfaced
    place.wait_for_database()
    with platform.database.tenant(tenant.id) as scope:
        stored = {row.id for row in scope.run(text("SELECT id FROM core.event WHERE tenant_id = :tenant"))}
        rows = scope.run(COUNTS)
        bells = scope.run(BELLS)[0]
        letters = scope.one(text("SELECT count(*) AS n FROM core.dead_letter WHERE tenant_id = :tenant"))
    outcome.lost = len(ledger.events.keys() - stored)
    paid_by: Counter[str] = Counter()
    payments_by: Counter[str] = Counter()
    for member, amount in ledger.payments.values():
        paid_by[member] += amount
        payments_by[member] += 1
    made = set(place.bells.read_text().split()) if place.bells.exists() else set()
    outcome.doubled = {
        "orders counted": sum(abs(row.logged - (row.orders or 0)) for row in rows),
        "receipts": sum(abs(row.logged - (row.receipts or 0)) for row in rows),
        "payments": sum(abs(row.payments - payments_by[row.member]) for row in rows),
        "points earned": int(sum(abs(row.earned - row.received) for row in rows)),
        "points spent": int(sum(abs(row.spent - paid_by[row.member]) for row in rows)),
        "pieces oversold": max(-bells.left, 0),
        "bells": abs(bells.wanted - bells.rung) + abs(bells.rung - bells.distinct_rung) + (len(made) < bells.rung),
    }
    outcome.letters = letters.n if letters else 0
    if outcome.surfaced:
        console.print(*place.errors(), sep="\n", markup=False)
    if found := Path(place.log.name).read_bytes().count(b"40P01"):
        outcome.surfaced["deadlocks"] += found
    outcome.findings = [f"{one.owner}.{one.name}: {one.promise}" for one in verify(platform, tenant) if one.rows]


def _count_noise(platform: Platform, tenant: Tenant, ledger: Ledger, outcome: Outcome) -> None:
    """The neighbour's events must be there, too, and served once."""
    with platform.database.tenant(tenant.id) as scope:
        stored = {row.id for row in scope.run(text("SELECT id FROM core.event WHERE tenant_id = :tenant"))}
        rows = scope.run(COUNTS)
    outcome.acknowledged += len(ledger.events)
    outcome.surfaced += ledger.surfaced
    outcome.lost += len(ledger.events.keys() - stored)
    outcome.doubled["neighbour's orders"] = sum(abs(row.logged - (row.orders or 0)) for row in rows)
    outcome.findings += [
        f"neighbour: {one.owner}.{one.name}: {one.promise}" for one in verify(platform, tenant) if one.rows
    ]


def main() -> int:
    """Run a storm as the command line says; exit 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=120, help="how long processes are killed at random")
    parser.add_argument("--seed", type=int, default=None, help="repeat a storm")
    parser.add_argument("--no-places", action="store_true", help="skip the named places")
    parser.add_argument("--plant", default="", help="plant a mistake, which the storm must find")
    Figures.add_option(parser)
    options = parser.parse_args()
    figures = Figures.open(parser, options)
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    console.print(f"seed {seed}")
    points = () if options.no_places else (*API_POINTS, *WORKER_POINTS)
    outcome = storm(seconds=options.seconds, seed=seed, points=points, plant=options.plant)
    outcome.show()
    outcome.record(figures, options.seconds)
    missed = figures.close()
    if not options.no_places and len(outcome.places) < len(points):
        console.print(f"not every place was passed: {sorted(set(points) - outcome.places)}")
        return 1
    return 0 if outcome.holds and not missed else 1


if __name__ == "__main__":
    sys.exit(main())
