"""`make bench ONLY=run`: ingest and end to end, beside a bare INSERT and an ordinary ORM loop, in one run.

Everything runs on this machine and stops by itself. Figures are only worth comparing within one run.
"""

import argparse
import os
import platform as machine
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import count, zip_longest
from pathlib import Path
from typing import Any

import orjson
import psycopg
from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine

sys.path.insert(0, str(Path(__file__).parent))

import http_load
import orm_loop
from figures import Figures
from ground import own_folder, served

from threepeat.cli.orders_file import ImportedOrder, parse_mapping, read_orders
from threepeat.cli.serve import child
from threepeat.cli.simulation import TRADES, SimulatedStore
from threepeat.database.config import DatabaseConfig, connect
from threepeat.database.embedded import EmbeddedServer
from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.tenancy import keys

BATCH_TYPE = "application/cloudevents-batch+json"
REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "online_retail.csv.xz"
MAPPING = [
    "order_id=InvoiceNo",
    "occurred_at=InvoiceDate",
    "member=CustomerID",
    "sku=StockCode",
    "name=Description",
    "quantity=Quantity",
    "unit_price=UnitPrice",
]
CONNECTIONS = 8
THREE = ("points", "tiers", "winback")
BARE_ROW = "bare INSERT, the log's indexes"
COPY_ROW = "COPY, then INSERT … SELECT"
INGEST_ROW = "HTTP ingest, batches of 1000"
END_ROW = "end to end with three tactics, stores: 8, workers: 2"
LOOP_ROW = "ORM loop, one event at a time"

console = Console()

BARE = """
    INSERT INTO {table} (tenant_id, position, source, id, type, subject, member_id, occurred_at, depth, data)
    SELECT %(tenant)s, %(base)s + n, 'bench', id, 'order.paid', subject, member, occurred_at, 0, data::jsonb
    FROM unnest(%(id)b::text[], %(subject)b::text[], %(member)b::bigint[], %(occurred_at)b::timestamptz[],
                %(data)b::text[]) WITH ORDINALITY AS item (id, subject, member, occurred_at, data, n)
"""

STAGED = """
    CREATE TEMPORARY TABLE item (n int, id text, subject text, member bigint, occurred_at timestamptz, data text)
    ON COMMIT DELETE ROWS
"""
FROM_STAGED = """
    INSERT INTO {table} (tenant_id, position, source, id, type, subject, member_id, occurred_at, depth, data)
    SELECT %(tenant)s, %(base)s + n, 'bench', id, 'order.paid', subject, member, occurred_at, 0, data::jsonb
    FROM item ORDER BY n
"""

UNSERVED = """
    SELECT count(*) FROM core.stream s JOIN core.cursor c USING (tenant_id)
    WHERE s.tenant_id = ANY(%(ids)s) AND c.position < s.head
"""

GRANTED = "SELECT count(*), sum(points) FROM points.entry WHERE tenant_id = ANY(%s) AND reference LIKE 'order:%%'"

Events = list[dict[str, Any]]


def load(most: int) -> tuple[str, Events]:
    """Paid orders as CloudEvents: the real file replicated, or simulated ones where it is missing."""
    if REAL.exists():
        with tempfile.TemporaryDirectory() as folder:
            found, _ = read_orders(
                REAL,
                parse_mapping(MAPPING),
                refund_prefix="C",
                reject_prefixes=("A",),
                rejects=Path(folder) / "rejects.csv",
            )
        orders = [event_of(order) for order in found if order.kind == "order"]
        name = "Online Retail, replicated"
    else:
        store = SimulatedStore(TRADES[0], seed=1, members=4000)
        history = store.history(datetime(2026, 1, 1, tzinfo=UTC), 365, 18_000)
        orders = [event for event in history if event["type"] == "order.paid"]
        name = "simulated orders (the real file is not there)"
    events: Events = []
    copy = 0
    while len(events) < most:
        copy += 1
        for order in orders[: most - len(events)]:
            order_id = f"{order['data']['order_id']}-{copy}"
            events.append({**order, "id": order_id, "data": {**order["data"], "order_id": order_id}})
    return name, events


def event_of(order: ImportedOrder) -> dict[str, Any]:
    """A CloudEvent of an order."""
    return {
        "specversion": "1.0",
        "id": order.order_id,
        "source": "bench",
        "type": "order.paid",
        "subject": order.member,
        "time": order.occurred_at.isoformat(),
        "data": {
            "order_id": order.order_id,
            "total": order.total,
            "currency": "CNY",
            "lines": [
                {"sku": line.sku, "name": line.name, "quantity": line.quantity, "amount": line.amount}
                for line in order.lines
            ],
        },
    }


Batch = dict[str, Any]
"""A thousand events: `tenant`, `base`, and a list for each of `COLUMNS`."""
COLUMNS = ("id", "subject", "member", "occurred_at", "data")


def batches_of(events: Events) -> list[Batch]:
    """Events as columns, a thousand to a batch."""
    members = {subject: number for number, subject in enumerate({event["subject"] for event in events})}
    found = []
    for start in range(0, len(events), 1000):
        batch = events[start : start + 1000]
        found.append(
            {
                "tenant": 1,
                "base": start,
                "id": [event["id"] for event in batch],
                "subject": [event["subject"] for event in batch],
                "member": [members[event["subject"]] for event in batch],
                "occurred_at": [datetime.fromisoformat(event["time"]) for event in batch],
                "data": [orjson.dumps(event["data"]).decode() for event in batch],
            }
        )
    return found


def bare_insert(url: str, table: str, events: Events) -> float:
    """Seconds that the same rows take by bare set-based INSERT, a thousand to a transaction."""
    batches = batches_of(events)
    with psycopg.connect(url, autocommit=True) as connection:
        began = time.perf_counter()
        for batch in batches:
            connection.execute(BARE.format(table=table), batch)
        return time.perf_counter() - began


def bare_copy(url: str, table: str, events: Events) -> float:
    """Seconds that the same rows take by COPY to a temporary table and INSERT from there."""
    batches = batches_of(events)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(STAGED)
        began = time.perf_counter()
        for batch in batches:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy("COPY item FROM STDIN") as copy:
                    for row in zip(count(1), *(batch[name] for name in COLUMNS), strict=False):
                        copy.write_row(row)
                cursor.execute(FROM_STAGED.format(table=table), {"tenant": batch["tenant"], "base": batch["base"]})
        return time.perf_counter() - began


def requests_of(key: str, events: Events, size: int) -> list[bytes]:
    """Prepared requests of `size` events each."""
    if size == 1:
        return [
            http_load.request("/v1/events", key, orjson.dumps(event), "application/cloudevents+json")
            for event in events
        ]
    return [
        http_load.request("/v1/events", key, orjson.dumps(events[start : start + size]), BATCH_TYPE)
        for start in range(0, len(events), size)
    ]


class Bench:
    """A platform in a folder of its own, with an API process."""

    def __init__(self, stack: ExitStack) -> None:
        self.data = own_folder(stack)
        os.environ["THREEPEAT_DATA"] = str(self.data)
        for limit in ("KEY_EVENTS", "TENANT_EVENTS"):  # what is measured is the road, not the limit at its door
            os.environ.setdefault(f"THREEPEAT_HTTP_{limit}", "0")
        server = EmbeddedServer(self.data)
        server.start()
        stack.callback(server.stop)
        self.platform = Platform.open()
        stack.callback(self.platform.database.dispose)
        self.owner_url = plain(connect(DatabaseConfig()).owner)
        self.port = stack.enter_context(served()).port
        self._stores = 0

    def store(self, *enable: str) -> tuple[int, str]:
        """A fresh store and its ingest key."""
        self._stores += 1
        tenant = open_store(self.platform, f"store-{self._stores}", enable=enable, holdout=0, by="bench")
        with self.platform.database.tenant(tenant.id) as scope:
            return tenant.id, keys.create_key(scope, self.platform.keyring, "bench", ["ingest"], by="bench")

    def ingest(self, events: Events, size: int, connections: int = CONNECTIONS) -> float:
        """Seconds over HTTP, with no worker running."""
        _, key = self.store()
        return http_load.send(self.port, requests_of(key, events, size), connections)

    def end_to_end(self, events: Events, *, stores: int, workers: int, tactics: Sequence[str]) -> float:
        """Seconds from the first request until every plugin has seen every event of every store."""
        shares = [events[number::stores] for number in range(stores)]
        opened = [self.store(*tactics) for _ in shares]
        ids = [tenant_id for tenant_id, _ in opened]
        by_store = [requests_of(key, share, 1000) for (_, key), share in zip(opened, shares, strict=True)]
        prepared = [one for round_ in zip_longest(*by_store) for one in round_ if one is not None]
        with ExitStack() as stack, psycopg.connect(self.owner_url, autocommit=True) as connection:
            stack.enter_context(child("--log-level", "warning", "worker", "--processes", str(workers)))
            time.sleep(4)
            began = time.perf_counter()
            http_load.send(self.port, prepared, 2)
            while connection.execute(UNSERVED, {"ids": ids}).fetchone() != (0,):
                time.sleep(0.05)
            seconds = time.perf_counter() - began
            granted = connection.execute(GRANTED, (ids,)).fetchone()
        due = [points for event in events if (points := event["data"]["total"] // 100)]
        # A tier may multiply what an order earns; how often something is earned it leaves alone.
        if granted is None or granted[0] != len(due) or (granted[1] != sum(due) and "tiers" not in tactics):
            raise SystemExit(f"{granted} grants and points there are, {len(due)} and {sum(due)} are due")
        return seconds

    def orm(self, events: Events) -> float:
        """Seconds that the ordinary ORM loop takes."""
        engine = create_engine(self.owner_url.replace("postgresql://", "postgresql+psycopg://", 1))
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS bench")
            connection.exec_driver_sql("SET search_path TO bench")
        engine = create_engine(engine.url, connect_args={"options": "-c search_path=bench"})
        orm_loop.Base.metadata.create_all(engine)
        began = time.perf_counter()
        for event in events:
            orm_loop.handle(engine, 1, event)
        seconds = time.perf_counter() - began
        orm_loop.Base.metadata.drop_all(engine)
        engine.dispose()
        return seconds

    def bare(
        self, events: Events, *, indexed: bool, way: Callable[[str, str, Events], float] = bare_insert
    ) -> float:
        """Seconds of the bare INSERT into a copy of the log's table, with or without its further indexes."""
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS bench")
            connection.execute("DROP TABLE IF EXISTS bench.event")
            including = "INCLUDING ALL" if indexed else "INCLUDING DEFAULTS"
            connection.execute(f"CREATE TABLE bench.event (LIKE core.event {including})")
            if not indexed:
                connection.execute("ALTER TABLE bench.event ADD PRIMARY KEY (tenant_id, position)")
        seconds = way(self.owner_url, "bench.event", events)
        with psycopg.connect(self.owner_url, autocommit=True) as connection:
            connection.execute("DROP TABLE bench.event")
        return seconds


def plain(url: Any) -> str:
    """A URL for psycopg."""
    return str(url.set(drivername="postgresql").render_as_string(hide_password=False))


def main() -> int:
    """Run and print; 1 if a recorded row misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=510_000, help="events in all; the shares follow from it")
    parser.add_argument(
        "--only", default="", help="run only the rows whose name contains this, and the bare INSERT"
    )
    Figures.add_option(parser)
    wanted = parser.parse_args()
    figures = Figures.open(parser, wanted)
    source, events = load(wanted.events)
    size = sum(len(orjson.dumps(event)) for event in events[:20_000]) / min(20_000, len(events))
    share = len(events) // 5
    samples = {1: events[: max(2000, share // 20)], 100: events[:share], 1000: events}
    host = f"{machine.machine()}, {os.cpu_count()} cores"
    console.print(f"{len(events)} events, {size:.0f} bytes on average, {source}; {host}")
    rows: list[tuple[str, int, float]] = []
    with ExitStack() as stack:
        bench = Bench(stack)

        def measure(name: str, sample: Events, run: Callable[[Events], float]) -> None:
            if wanted.only in name or "INSERT" in name:
                with console.status(f"{name}, {len(sample)} events"):
                    seconds = run(sample)
                rows.append((name, len(sample), seconds))
                console.print(f"{name}: {len(sample) / seconds:,.0f} events/s")

        measure("bare INSERT, primary key only", samples[1000], lambda s: bench.bare(s, indexed=False))
        measure(BARE_ROW, samples[1000], lambda s: bench.bare(s, indexed=True))
        measure(COPY_ROW, samples[1000], lambda s: bench.bare(s, indexed=True, way=bare_copy))
        for n, sample in samples.items():
            measure(f"HTTP ingest, batches of {n}", sample, lambda s, n=n: bench.ingest(s, n))
        for name, stores, workers, tactics in (
            ("end to end with points, stores: 1, workers: 1", 1, 1, ("points",)),
            ("end to end with points, stores: 8, workers: 2", 8, 2, ("points",)),
            (END_ROW, 8, 2, THREE),
        ):
            how = {"stores": stores, "workers": workers, "tactics": tactics}
            measure(name, samples[1000], lambda e, how=how: bench.end_to_end(e, **how))
        measure(LOOP_ROW, samples[1][:3000], bench.orm)
        measure(f"{BARE_ROW} (again)", samples[1000], lambda s: bench.bare(s, indexed=True))
    report(rows, figures)
    return figures.close()


def report(rows: Sequence[tuple[str, int, float]], figures: Figures) -> None:
    """Print rates and ratios; the reference is the mean of the two bare INSERTs with the log's indexes."""
    rates = {name: events / seconds for name, events, seconds in rows}
    both = [rate for name, rate in rates.items() if name.startswith(BARE_ROW)]
    reference = sum(both) / len(both)
    loop = rates.get(LOOP_ROW)
    table = Table("", "events", "seconds", "events/s", "of the bare INSERT", "× the ORM loop")
    for name, events, seconds in rows:
        rate = rates[name]
        table.add_row(
            name,
            f"{events:,}",
            f"{seconds:.1f}",
            f"{rate:,.0f}",
            f"{rate / reference:.0%}",
            f"{rate / loop:.1f}" if loop else "",
        )
    console.print(table)
    for row, name, other, bar, unit in (
        ("ingest", INGEST_ROW, reference, 0.6, "%"),
        ("end-to-end", END_ROW, reference, 0.35, "%"),
        ("end-to-end-loop", END_ROW, loop, 25, "×"),
    ):
        if name in rates and other:
            ratio = rates[name] / other
            bar_said = f"≥ {bar:.0%}" if unit == "%" else f"≥ {bar} ×"
            said = f"{name}: {rates[name]:,.0f} events/s, beside it {other:,.0f}"
            figures.record(row, ratio, bar=bar_said, met=ratio >= bar, said=said)


if __name__ == "__main__":
    sys.exit(main())
