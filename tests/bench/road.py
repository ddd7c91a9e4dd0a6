"""`make bench ONLY=road`: open timers, a loud neighbour, and commands while a batch runs; ratios of one run.

Everything runs on loopback, on an embedded server of its own, and stops by itself.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import orjson
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))

from alarm import Alarm
from figures import Figures
from ground import own_folder, served

from threepeat.cli.serve import child
from threepeat.cli.simulation import TRADES, SimulatedStore
from threepeat.database.embedded import EmbeddedServer
from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.tenancy import keys
from threepeat.tenancy.tenants import Tenant
from threepeat.worker.loop import Worker

BATCH_TYPE = "application/cloudevents-batch+json"
BY = "bench"

OPEN = text("""
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at)
    SELECT :tenant, 'alarm', 'timer', 'ring', 'open-' || n, now() + interval '1 day' + n * interval '1 second'
    FROM generate_series(1, :n) AS n
""")
SET_DUE = text("""
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at)
    SELECT :tenant, 'alarm', 'timer', 'ring', 'due-' || n, now() FROM generate_series(1, :n) AS n
""")
MISDEEDS = ("raises", "hangs", "exits", "swallows an SQL error", "commits by hand", "loops")
LETTERS = text(
    "SELECT count(*) FILTER (WHERE behind IS NULL) AS n FROM core.dead_letter WHERE tenant_id = :tenant"
)
WAKE = text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)")

console = Console()


def open_timers(platform: Platform, few: int, many: int, fired: int, rounds: int) -> tuple[float, float]:
    """Seconds for each fired timer with few and with many others open: medians of rounds in turn."""
    stores = {n: open_store(platform, f"timers-{n}", enable=["alarm"], holdout=None, by=BY) for n in (few, many)}
    for n, store in stores.items():
        with platform.database.ops.begin() as ops:
            ops.execute(OPEN, {"tenant": store.id, "n": n})
    with platform.database.owner.connect().execution_options(isolation_level="AUTOCOMMIT") as owner:
        owner.execute(text("VACUUM ANALYZE core.timer"))
    worker = Worker(platform)
    worker.drain()
    took: dict[int, list[float]] = {few: [], many: []}
    for round_ in range(rounds + 1):
        for n, store in stores.items():
            with platform.database.ops.begin() as ops:
                ops.execute(SET_DUE, {"tenant": store.id, "n": fired})
                ops.execute(WAKE, {"tenant": store.id})
            began = time.perf_counter()
            worker.drain()
            if round_:  # the first one warms up
                took[n].append((time.perf_counter() - began) / fired)
    return statistics.median(took[few]), statistics.median(took[many])


def history(store: Tenant, events: int, *, seed: int) -> list[dict[str, object]]:
    """Simulated orders of a store."""
    made = SimulatedStore(TRADES[0], seed=seed, members=1000)
    found = [
        event
        for event in made.history(datetime.now(UTC) - timedelta(hours=1), 90, events)
        if event["type"] == "order.paid"
    ]
    for number, event in enumerate(found):
        event["id"] = event["data"]["order_id"] = f"{store.store.slug}-{seed}-{number}"
    return found[:events]


def post(client: httpx2.Client, key: str, events: Sequence[dict[str, object]]) -> None:
    """Send one batch."""
    answer = client.post(
        "/v1/events",
        content=orjson.dumps(list(events)),
        headers={"Authorization": f"Bearer {key}", "Content-Type": BATCH_TYPE},
    )
    answer.raise_for_status()


class Store:
    """A store with its key and a member's token."""

    def __init__(self, platform: Platform, client: httpx2.Client, slug: str, *tactics: str) -> None:
        self.tenant = open_store(platform, slug, enable=["points", *tactics], holdout=0, by=BY)
        with platform.database.tenant(self.tenant.id) as scope:
            self.key = keys.create_key(scope, platform.keyring, BY, ["ingest", "manage", "read"], by=BY)
        self._platform = platform
        self._client = client
        self._sent = 0
        bearer = {"Authorization": f"Bearer {self.key}"}
        client.put("/v1/members/ann", headers=bearer, json={}).raise_for_status()
        answer = client.post("/v1/members/ann/token", headers=bearer)
        answer.raise_for_status()
        self.token = answer.json()["token"]

    def order_to_points(self) -> float:
        """Seconds from posting an order to its points being there."""
        self._sent += 1
        began = time.perf_counter()
        order = f"probe-{self._sent}"
        event = {
            "specversion": "1.0",
            "id": order,
            "source": BY,
            "type": "order.paid",
            "subject": "ann",
            "data": {"order_id": order, "total": 100, "currency": "CNY"},
        }
        post(self._client, self.key, [event])
        wanted = text("SELECT 1 FROM points.entry WHERE tenant_id = :tenant AND reference = :reference")
        while True:
            with self._platform.database.tenant(self.tenant.id) as scope:
                if scope.run(wanted, reference=f"order:{order}"):
                    return time.perf_counter() - began
            time.sleep(0.002)

    def command(self) -> float:
        """Seconds for a member's command: a consent is recorded, and an event goes to the outbox."""
        self._sent += 1
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": f"command-{self._sent}"}
        began = time.perf_counter()
        asked = {"purpose": "marketing", "granted": self._sent % 2 == 0}
        self._client.post("/v1/me/consents", json=asked, headers=headers).raise_for_status()
        return time.perf_counter() - began


def backlog(client: httpx2.Client, store: Store, events: int) -> None:
    """Give a store so many events to be served, all at once."""
    made = history(store.tenant, events, seed=int(time.time()))
    for start in range(0, len(made), 1000):
        post(client, store.key, made[start : start + 1000])


def behind(platform: Platform, store: Store) -> int:
    """How many events of a store are not served yet."""
    with platform.database.tenant(store.tenant.id) as scope:
        row = scope.one(
            text(
                "SELECT s.head - min(c.position) AS n FROM core.stream s JOIN core.cursor c USING (tenant_id)"
                " WHERE s.tenant_id = :tenant GROUP BY s.head"
            )
        )
    return row.n if row else 0


def p95(samples: Sequence[float]) -> float:
    """The 95th percentile."""
    return statistics.quantiles(samples, n=20)[-1]


def misdeed(client: httpx2.Client, store: Store, what: str, number: int) -> None:
    """A hundred visits, one of which makes the rogue do something."""
    events = [
        {
            "specversion": "1.0",
            "id": f"{what}-{number}-{n}",
            "source": BY,
            "type": "visit.made",
            "subject": f"m{number}-{n}",
            "data": {"place": what if n == 50 else ""},
        }
        for n in range(100)
    ]
    post(client, store.key, events)


def rogues(
    platform: Platform, client: httpx2.Client, small: Store, quiet: float, samples: int, table: Table
) -> None:
    """What a neighbour's orders wait while a plugin of another store misbehaves."""
    for what in MISDEEDS:
        rogue = Store(platform, client, f"rogue-{what.split()[0]}", "rogue")
        loud: list[float] = []
        number = 0
        until = time.monotonic() + 300
        while (len(loud) < samples or behind(platform, rogue)) and time.monotonic() < until:
            if len(loud) % 20 == 0 and len(loud) < samples and number < 3:
                number += 1
                misdeed(client, rogue, what, number)
            loud.append(small.order_to_points())
        with platform.database.tenant(rogue.tenant.id) as scope:
            letters = scope.run(LETTERS)[0].n
        left = behind(platform, rogue)
        table.add_row(
            f"order to points, p95, while a neighbour's plugin {what} ({number} of {number * 100} events; "
            f"{letters} put aside, {left} left)",
            f"{quiet * 1e3:.1f} ms",
            f"{p95(loud) * 1e3:.1f} ms",
            f"{p95(loud) / quiet:.2f}",
            "",
        )


def main() -> int:
    """Run everything; 1 if a recorded row misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=1_000, help="open timers of the small store")
    parser.add_argument("--many", type=int, default=1_000_000, help="open timers of the large store")
    parser.add_argument("--fired", type=int, default=5_000, help="timers fired in a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of timers")
    parser.add_argument("--samples", type=int, default=300, help="requests of each kind")
    parser.add_argument("--backlog", type=int, default=60_000, help="events that are served meanwhile")
    parser.add_argument("--only", choices=["timers", "commands"], help="one part only")
    Figures.add_option(parser)
    options = parser.parse_args()
    figures = Figures.open(parser, options, exact=("few",))
    site = Path(__file__).parent / "site"
    sys.path.insert(0, str(site))
    table = Table("what", "alone", "beside", "ratio", "bar")
    with ExitStack() as stack:
        data = own_folder(stack) / "data"
        os.environ |= {
            "THREEPEAT_DATA": str(data),
            "PYTHONPATH": str(site),
            "THREEPEAT_WORKER_DEADLINE_SECONDS": "2",
        }
        stack.enter_context(EmbeddedServer(data).supervised())
        if options.only != "commands":
            platform = Platform.open(registry=Registry.load([("alarm", Alarm())]))
            few, many = open_timers(platform, options.few, options.many, options.fired, options.rounds)
            platform.database.dispose()
            what = f"a fired timer: {options.few:,} and {options.many:,} open"
            put(table, figures, "timers", what, few, many, 1.3)
        if options.only != "timers":
            commands(options, table, figures)
    console.print(table)
    return figures.close()


def put(table: Table, figures: Figures, row: str, what: str, alone: float, beside: float, bar: float) -> None:
    """Show and record a row of seconds."""
    ratio, unit, scale = beside / alone, *(("ms", 1e3) if alone >= 1e-3 else ("µs", 1e6))
    one, other = f"{alone * scale:.3g} {unit}", f"{beside * scale:.3g} {unit}"
    table.add_row(what, one, other, f"{ratio:.2f}", f"≤ {bar}")
    figures.record(row, ratio, bar=f"≤ {bar}", met=ratio <= bar, said=f"{what}: {one} and {other}")


def commands(options: argparse.Namespace, table: Table, figures: Figures) -> None:
    """What a store's members and orders wait, alone and beside a store with a backlog."""
    with ExitStack() as stack:
        url = stack.enter_context(served()).url
        stack.enter_context(child("--log-level", "warning", "worker", "--processes", "2"))
        platform = stack.enter_context(Platform.open())
        client = stack.enter_context(httpx2.Client(base_url=url, timeout=60))
        small, big = Store(platform, client, "small"), Store(platform, client, "big")
        for sample in (small.command, small.order_to_points):
            for _ in range(20):
                sample()
        quiet = {
            "a member's command": [small.command() for _ in range(options.samples)],
            "order to points": [small.order_to_points() for _ in range(options.samples // 3)],
        }
        loud: dict[str, list[float]] = {name: [] for name in quiet}
        for name, sample in (("a member's command", small.command), ("order to points", small.order_to_points)):
            wanted = len(quiet[name])
            while len(loud[name]) < wanted:
                backlog(client, big, options.backlog)
                while behind(platform, big) > 2_000 and len(loud[name]) < wanted:
                    loud[name] += [sample() for _ in range(5)]
        rows = {"a member's command": "command-beside-batch", "order to points": "order-beside-batch"}
        for name, samples in quiet.items():
            what = f"{name}, p95, while another store's batch is served"
            put(table, figures, rows[name], what, p95(samples), p95(loud[name]), 1.5)
        rogues(platform, client, small, p95(quiet["order to points"]), options.samples // 3, table)


if __name__ == "__main__":
    sys.exit(main())
