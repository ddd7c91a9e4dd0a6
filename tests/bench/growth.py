"""`make bench ONLY=growth`: what an event costs when there is more of everything; ratios of one run.

More stores, more stored events, more installed plugins, more worker processes, and what the processes hold after
many rounds. Each part has installations of its own, one for each size, on embedded servers; rounds of all sizes
alternate, and medians are put side by side. It stops by itself; whole, it takes three quarters of an hour on two
cores, most of it the part `tenants`, and half a GB of the temporary folder for each million of stored events.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

import http_load
from figures import Figures
from ground import served
from idle import idle
from installations import BY, TACTICS, Installation
from run import requests_of

from threepeat.cli.serve import child
from threepeat.plugins import Registry
from threepeat.tenancy import keys
from threepeat.worker.loop import Worker

SHARES = (20_122, 457, 392, 288, 98, 95, 90, 58, 57, 54)
"""Orders of the ten largest countries of a real shop, Online Retail: one has nine of ten."""
BATCH = 100
STARTING_SECONDS = 5.0
PARTS = ("tenants", "stored", "plugins", "workers", "memory")

console = Console()


class Report:
    """The table and the figures of a run."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.table = Table("what", "least", "most", "ratio", "bar")

    def add(
        self,
        row: str,
        what: str,
        bar: float,
        costs: Mapping[int, float],
        *,
        along: str,
        unit: str = "µs",
        scale: float = 1e6,
    ) -> None:
        """Put the cost at the largest size beside that at the smallest."""
        (least, first), *_, (most, last) = sorted(costs.items())
        ratio = last / first
        here, there = f"{first * scale:,.0f} {unit}", f"{last * scale:,.0f} {unit}"
        self.table.add_row(
            f"{what}: {least:,} and {most:,} {along}",
            here,
            there,
            f"{ratio:.2f}",
            f"≤ {bar}",
        )
        self.figures.record(
            row,
            ratio,
            bar=f"≤ {bar}",
            met=ratio <= bar,
            said=f"{what}, {most:,} {along} against {least:,}: {there} and {here}",
            along=along,
            curve=[(size, cost / first) for size, cost in sorted(costs.items())],
        )


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar that is drawn once a second, so that it costs the measured next to nothing."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, refresh_per_second=1, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)


def sizes(least: int, most: int) -> list[int]:
    """From one to the other in powers of ten."""
    found = [min(least, max(1, most // 2))]
    while found[-1] * 10 < most:
        found.append(found[-1] * 10)
    return [*found, most]


def cost(one: Installation, counts: Sequence[int], orders: int, step: Callable[[int], None]) -> float:
    """Seconds for each order, of at least so many."""
    seconds, fed = 0.0, 0
    while fed < orders:
        fed += one.feed(counts)
        seconds += one.drain(step)
    if one.unserved():
        raise SystemExit("not everything was served")
    return seconds / fed


def tenants(options: argparse.Namespace, report: Report) -> None:
    """More stores with the same backlog each, even and skewed."""
    counts = sizes(10, options.tenants)
    even = {n: [options.backlog] * n for n in counts}
    skewed = {n: skew(n, options.backlog) for n in counts}
    with ExitStack() as stack:
        made = {}
        with progress("opening stores", len(counts)) as step:
            for n in counts:
                made[n] = Installation(stack, stores=n, members=5)
                step(1)
        with progress("first orders of every member, events passed", None) as step:
            for n, one in made.items():
                one.feed([5] * n)
                one.drain(step)
        for row, what, backlog in (
            ("tenants", "an order, even backlog", even),
            ("tenants-skewed", "an order, skewed backlog", skewed),
        ):
            costs: dict[int, list[float]] = {n: [] for n in counts}
            with progress(f"{what}, events passed", None) as step:
                for _ in range(options.tenant_rounds):
                    for n, one in made.items():
                        costs[n].append(cost(one, backlog[n], options.orders, step))
            report.add(row, what, 1.3, {n: median(took) for n, took in costs.items()}, along="stores")
        for one in made.values():
            one.check()


def skew(stores: int, backlog: int) -> list[int]:
    """Backlogs of stores in groups of ten, of which one has nearly all; as many orders as with an even one."""
    group = [max(1, round(backlog * len(SHARES) * share / sum(SHARES))) for share in SHARES]
    return [group[n % len(group)] for n in range(stores)]


def stored(options: argparse.Namespace, report: Report) -> None:
    """More events in the log: over HTTP into it, and out of it to the tactics."""
    counts = sizes(100_000, options.stored)
    stores = 10
    with ExitStack() as stack:
        made: dict[int, tuple[Installation, int, list[str]]] = {}
        with progress("storing old events", sum(counts)) as step:
            for n in counts:
                one = Installation(stack, stores=stores, members=100)
                one.store_old(n, step)
                made[n] = (one, serving(stack, one), keys_of(one))
        costs: dict[int, list[float]] = {n: [] for n in counts}
        each = max(BATCH, options.orders // stores)
        with progress("orders in and served", (options.rounds + 1) * len(counts)) as step:
            for round_ in range(options.rounds + 1):
                for n, (one, port, credentials) in made.items():
                    raws = requests(credentials, each, mark=f"h{round_}")
                    seconds = http_load.send(port, raws, 2) + one.drain()
                    if round_:  # the first one warms up
                        costs[n].append(seconds / (each * stores))
                    step(1)
        for one, _, _ in made.values():
            one.check((options.rounds + 1) * each * stores)
    found = {n: median(took) for n, took in costs.items()}
    report.add("stored-events", "an order, in and served", 1.3, found, along="stored events")


def plugins(options: argparse.Namespace, report: Report) -> None:
    """More plugins installed, as many on."""
    found = Registry.discover()
    needed = [plugin for plugin in found if plugin.id in needs(found)]
    few = Registry(needed)
    strangers = Registry.load(idle(options.plugins - len(TACTICS)))
    if strangers.quarantined:
        raise SystemExit(f"quarantined: {strangers.quarantined}")
    many = Registry([*needed, *strangers])
    with ExitStack() as stack:
        one = Installation(stack, stores=10, members=100, registry=few)
        other = replace(one.platform, registry=many)
        workers = {len(TACTICS): one.worker, options.plugins: Worker(other)}
        costs: dict[int, list[float]] = {n: [] for n in workers}
        each = max(1, options.orders // 10)
        rounds = options.rounds * 5  # five hundredths are sought: more rounds than elsewhere
        with progress("an order with more installed, events passed", None) as step:
            for round_ in range(rounds + 1):
                for n, worker in sorted(workers.items(), reverse=bool(round_ % 2)):
                    one.worker = worker
                    took = cost(one, [each] * 10, 1, step)
                    if round_:
                        costs[n].append(took)
        one.check()
    report.add(
        "plugins",
        "an order, three tactics on",
        1.05,
        {n: median(took) for n, took in costs.items()},
        along="installed tactics",
    )


def needs(registry: Registry) -> set[str]:
    """The tactics that are on, and what they stand on."""
    found = set(TACTICS)
    while more := {need for name in found for need in registry[name].manifest.requires} - found:
        found |= more
    return found


def workers(options: argparse.Namespace, report: Report) -> None:
    """More worker processes for the same backlog."""
    counts = list(range(1, options.workers + 1))
    costs: dict[int, list[float]] = {n: [] for n in counts}
    each = max(1, options.orders // 40 * 5)
    with ExitStack() as stack:
        one = Installation(stack, stores=40, members=20)
        with progress("orders served by processes", (options.rounds + 1) * len(counts)) as step:
            for round_ in range(options.rounds + 1):
                for n in counts:
                    with at(one), child("--log-level", "warning", "worker", "--processes", str(n)) as worker:
                        time.sleep(STARTING_SECONDS)
                        one.feed([1] * 40)
                        wait_served(one, worker)
                        fed = one.feed([each] * 40)
                        began = time.perf_counter()
                        wait_served(one, worker)
                        seconds = time.perf_counter() - began
                    if round_:
                        costs[n].append(seconds / fed)
                    step(1)
        one.check()
    found = {n: median(took) for n, took in costs.items()}
    report.add("workers", "an order, served by processes", 1.3, found, along="worker processes")


def memory(options: argparse.Namespace, report: Report) -> None:
    """What the API and the workers hold, after a first round and after many."""
    stores = 10
    each = max(BATCH, options.orders // stores)
    held: dict[str, dict[int, float]] = {"api": {}, "worker": {}}
    with ExitStack() as stack:
        one = Installation(stack, stores=stores, members=100)
        stack.enter_context(at(one))
        credentials, api = keys_of(one), stack.enter_context(served())
        worker = stack.enter_context(child("--log-level", "warning", "worker", "--processes", "2"))
        with progress("orders in and served", options.memory_rounds) as step:
            for round_ in range(1, options.memory_rounds + 1):
                http_load.send(api.port, requests(credentials, each, mark=f"h{round_}"), 2)
                wait_served(one, worker)
                held["api"][round_ * each * stores] = resident(api.process.pid)
                held["worker"][round_ * each * stores] = resident(worker.pid)
                step(1)
        one.check(options.memory_rounds * each * stores)
    for row, name, what in (
        ("memory-api", "api", "the API's memory"),
        ("memory-worker", "worker", "the workers' memory"),
    ):
        report.add(row, what, 1.3, held[name], along="orders", unit="MB", scale=1e-6)


def resident(pid: int) -> float:
    """Bytes that a process and its children hold."""
    top = psutil.Process(pid)
    return float(sum(one.memory_info().rss for one in (top, *top.children(recursive=True))))


@contextmanager
def at(one: Installation) -> Iterator[None]:
    """Let commands find an installation."""
    os.environ["THREEPEAT_DATA"] = str(one.data)
    for limit in ("KEY_EVENTS", "TENANT_EVENTS"):  # what is measured is the road, not the limit at its door
        os.environ[f"THREEPEAT_HTTP_{limit}"] = "0"
    try:
        yield
    finally:
        del os.environ["THREEPEAT_DATA"]


def serving(stack: ExitStack, one: Installation) -> int:
    """Run the API of an installation; returns its port."""
    with at(one):
        return stack.enter_context(served()).port


def wait_served(one: Installation, worker: subprocess.Popen[bytes]) -> None:
    """Wait until nothing waits."""
    until = time.monotonic() + 600
    while one.unserved():
        if worker.poll() is not None or time.monotonic() > until:
            raise SystemExit("the workers do not get through")
        time.sleep(0.02)


def keys_of(one: Installation) -> list[str]:
    """An ingest key of each store."""
    found = []
    for tenant in one.tenants:
        with one.platform.database.tenant(tenant) as scope:
            found.append(keys.create_key(scope, one.platform.keyring, BY, ["ingest"], by=BY))
    return found


def requests(credentials: Sequence[str], each: int, *, mark: str) -> list[bytes]:
    """Batches of new orders for every store, in turn."""
    orders: list[dict[str, Any]] = [
        {
            "specversion": "1.0",
            "id": f"{mark}-{n}",
            "source": BY,
            "type": "order.paid",
            "subject": f"m{n % 100}",
            "data": {"order_id": f"{mark}-{n}", "total": 10_000, "currency": "CNY"},
        }
        for n in range(each)
    ]
    by_store = [requests_of(key, orders, BATCH) for key in credentials]
    return [one for round_ in zip(*by_store, strict=True) for one in round_]


def main() -> int:
    """Run the parts; 1 if a recorded row misses its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS, help="one part only; its rows are recorded")
    parser.add_argument("--tenants", type=int, default=10_000, help="stores of the largest installation")
    parser.add_argument("--backlog", type=int, default=10, help="orders that wait in each of its stores")
    parser.add_argument("--stored", type=int, default=10_000_000, help="events in the largest log")
    parser.add_argument("--plugins", type=int, default=17, help="tactics of the fuller installation")
    parser.add_argument("--workers", type=int, default=4, help="worker processes, at most")
    parser.add_argument("--orders", type=int, default=2_000, help="orders of a round, at least")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each size")
    parser.add_argument("--tenant-rounds", type=int, default=2, help="rounds with many stores, which are long")
    parser.add_argument("--memory-rounds", type=int, default=30, help="rounds after which memory is compared")
    Figures.add_option(parser)
    options = parser.parse_args()
    if options.tenants < 2 or options.stored < 2 or options.plugins <= len(TACTICS) or options.workers < 2:
        parser.error("choose at least 2 stores, stored events and workers, and more plugins than are on")
    report = Report(Figures.open(parser, options, exact=("backlog",)))
    measures = (tenants, stored, plugins, workers, memory)
    for name, measure in zip(PARTS, measures, strict=True):
        if options.only in {None, name}:
            measure(options, report)
    console.print(report.table)
    return report.figures.close()


if __name__ == "__main__":
    sys.exit(main())
