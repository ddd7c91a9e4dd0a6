"""`make bench ONLY=overload`: what one store's flood costs its neighbour.

A server runs with low limits. A quiet store sends commands, reads and events at a steady pace, first
alone and then while another store, in processes of its own, sends ten times and more of what it may. Everything
runs on this machine over loopback and stops by itself.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

from figures import Figures
from run import Bench

from threepeat.tenancy import keys, members

BATCH = "application/cloudevents-batch+json"
LIMITS = {"TENANT_EVENTS": 500, "KEY_EVENTS": 500, "TENANT_REQUESTS": 60, "KEY_REQUESTS": 60}
"""So low that a small machine can send a multiple of them and still be asked to do little."""
PACE = 0.05
"""Seconds between two requests of the quiet store, of each kind."""

GOOD = 0.999
"""The share of answers that have to be good; 429 and 503 are no answers."""

console = Console()


@dataclass(slots=True)
class Told:
    """What a sender was answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def admitted(self) -> float:
        """The share of answers, without 429 and 503, that are good."""
        rest = {status: count for status, count in self.statuses.items() if status not in {429, 503}}
        return sum(count for status, count in rest.items() if status < 300) / max(1, sum(rest.values()))

    @property
    def wrong(self) -> int:
        """How many were 5xx other than 503."""
        return sum(count for status, count in self.statuses.items() if status >= 500 and status != 503)


def request(method: str, path: str, credential: str, body: bytes = b"", kind: str = "application/json") -> bytes:
    """A whole request."""
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {credential}\r\n"
    if body:
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, raw: bytes) -> int:
    """Send a request and return the answer's status."""
    writer.write(raw)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(found[1]) if found else 0)
    return int(head[9:12])


def events(name: str, number: int, count: int) -> bytes:
    """A batch of new events."""
    one: dict[str, Any] = {"specversion": "1.0", "source": name, "type": "page.viewed"}
    one |= {"subject": f"m{number % 50}", "data": {"page": "home", "x": "x" * 100}}
    batch = [one | {"id": f"{number}-{n}"} for n in range(count)]
    return json.dumps(batch).encode()


async def steadily(port: int, made: Iterator[bytes], until: float) -> Told:
    """Send at the pace."""
    told = Told()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for raw in made:
        began = time.perf_counter()
        status = await ask(reader, writer, raw)
        told.seconds.append(time.perf_counter() - began)
        told.statuses[status] += 1
        if time.monotonic() > until:
            break
        await asyncio.sleep(max(0.0, PACE - (time.perf_counter() - began)))
    writer.close()
    await writer.wait_closed()
    return told


async def quiet(port: int, key: str, token: str, seconds: float) -> dict[str, Told]:
    """The quiet store for a while."""
    until, mark = time.monotonic() + seconds, f"quiet-{time.monotonic_ns()}"
    consent = request("POST", "/v1/members/m1/consents", key, b'{"purpose":"marketing.sms","granted":true}')
    batches = (events(mark, number, 10) for number in itertools.count())
    made: dict[str, Iterator[bytes]] = {
        "commands": itertools.repeat(consent),
        "reads": itertools.repeat(request("GET", "/v1/me", token)),
        "events": (request("POST", "/v1/events", key, batch, BATCH) for batch in batches),
    }
    found = await asyncio.gather(*(steadily(port, one, until) for one in made.values()))
    return dict(zip(made, found, strict=True))


async def flood(port: int, raws: list[bytes], connections: int, seconds: float) -> Counter[int]:
    """Send without pause, whatever is answered."""
    until, statuses = time.monotonic() + seconds, Counter[int]()

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.monotonic() < until:
                statuses[await ask(reader, writer, raws[number % len(raws)])] += 1
                number += connections
        finally:
            writer.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return statuses


def flooding(port: int, raws: list[bytes], connections: int, seconds: float, out: Any) -> None:
    """The flood in a process of its own."""
    out.put(asyncio.run(flood(port, raws, connections, seconds)))


@contextmanager
def beside(port: int, raws: list[bytes], connections: int, seconds: float) -> Iterator[list[Counter[int]]]:
    """A flood for as long as the block lasts, at least."""
    context = multiprocessing.get_context("spawn")
    out, found = context.Queue(), list[Counter[int]]()
    process = context.Process(target=flooding, args=(port, raws, connections, seconds, out))
    process.start()
    time.sleep(1.5)
    try:
        yield found
        found.append(out.get(timeout=seconds + 30))
    finally:
        process.join(30)


def floods(bench: Bench) -> dict[str, tuple[list[bytes], int]]:
    """What another store, or nobody, may flood with: requests, and what one of them is charged."""
    _, ingest = bench.store()
    tenant_id, manage = store(bench)
    batches = [events("flood", number, 100) for number in range(500)]
    forged = [f"tp_live_{tenant_id}_{number:012x}_{'A' * 43}" for number in range(2000)]
    return {
        "events": ([request("POST", "/v1/events", ingest, batch, BATCH) for batch in batches], 100),
        "commands": ([request("PUT", f"/v1/members/m{n}", manage, b"{}") for n in range(500)], 1),
        "forged keys": ([request("PUT", "/v1/members/m1", key, b"{}") for key in forged], 1),
    }


def store(bench: Bench) -> tuple[int, str]:
    """A store and its key for everything."""
    tenant_id, _ = bench.store()
    with bench.platform.database.tenant(tenant_id) as scope:
        wanted = ["ingest", "read", "manage"]
        return tenant_id, keys.create_key(scope, bench.platform.keyring, "bench", wanted, by="bench")


def member(bench: Bench, tenant_id: int) -> str:
    """A token of the quiet store's member."""
    keyring = bench.platform.keyring
    with bench.platform.database.tenant(tenant_id) as scope:
        found = members.put(scope, keyring, "m1")
    return keys.sign_token(keyring, tenant_id, found.id, "m1", keys.MAX_TOKEN_LIFE)[0]


def report(table: Table, when: str, told: dict[str, Told]) -> float:
    """Add rows; the smallest share of good answers, or 0 if an error surfaced."""
    least = 1.0
    for kind, found in told.items():
        p50, p95 = (quantiles(found.seconds, n=100)[at] * 1000 for at in (49, 94))
        refused = found.statuses[429] + found.statuses[503]
        fine = found.admitted >= GOOD and not found.wrong
        least = min(least, found.admitted * (not found.wrong))
        table.add_row(
            when,
            kind,
            f"{sum(found.statuses.values()):,}",
            f"{found.admitted:.2%}",
            str(refused),
            str(found.wrong),
            f"{p50:.1f}",
            f"{p95:.1f}",
            "" if fine else "BAD",
        )
        when = ""
    return least


def main() -> int:
    """Run and print; 1 if a neighbour was harmed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long each scene lasts")
    parser.add_argument("--connections", type=int, default=96, help="connections of the flood")
    Figures.add_option(parser)
    wanted = parser.parse_args()
    figures = Figures.open(parser, wanted)
    os.environ.update({f"THREEPEAT_HTTP_{name}": str(value) for name, value in LIMITS.items()})
    table = Table("quiet store", "", "answers", "good", "429/503", "other 5xx", "p50 ms", "p95 ms", "")
    with ExitStack() as stack:
        bench = Bench(stack)
        tenant_id, key = store(bench)
        token = member(bench, tenant_id)
        asyncio.run(quiet(bench.port, key, token, 1))
        least = report(table, "alone", asyncio.run(quiet(bench.port, key, token, wanted.seconds)))
        for name, (raws, cost) in floods(bench).items():
            lasts = wanted.seconds + 3
            with beside(bench.port, raws, wanted.connections, lasts) as found:
                told = asyncio.run(quiet(bench.port, key, token, wanted.seconds))
            statuses = found[0]
            asked = cost * sum(statuses.values()) / lasts
            cap = LIMITS["TENANT_EVENTS" if name == "events" else "TENANT_REQUESTS"]
            of = "" if name == "forged keys" else f", {asked / cap:.0f} times what it may"
            console.print(f"flood of {name}: {asked:,.0f} a second{of}; answers: {dict(sorted(statuses.items()))}")
            least = min(least, report(table, f"beside a flood of {name}", told))
            if any(status >= 500 and status != 503 for status in statuses):
                least = 0.0
    console.print(table)
    said = f"the least share of good answers beside {wanted.connections} connections that flood for another store"
    figures.record("overload", least, bar=f"≥ {GOOD:.1%}", met=least >= GOOD, said=said)
    return figures.close() or int(least < GOOD)


if __name__ == "__main__":
    sys.exit(main())
