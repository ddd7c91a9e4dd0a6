"""`make bench ONLY=commands`: what members' commands cost, beside bare statements and a service written by hand.

Redeem, join, draw, quote, wallet and offers, at 1, 16 and 64 clients. The same commands are taken down once and
sent again by psycopg alone to a copy of the database; and a careful FastAPI and ORM service does its own redeem,
join and draw on the same server. Everything runs on this machine over loopback and stops by itself.
"""

import argparse
import asyncio
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, product
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx2
import psycopg
import structlog
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import make_url, text

sys.path.insert(0, str(Path(__file__).parent))

import replay
from figures import Figures
from ground import own_folder, served, until_ready

from threepeat.cli.demo import free_port
from threepeat.database.config import DatabaseConfig
from threepeat.database.embedded import EmbeddedServer
from threepeat.events import collections
from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.tenancy import keys, members, switches
from threepeat.testing.fixtures import NO_LIMITS, Sender, serving
from threepeat.testing.kept import KEPT
from threepeat.worker.loop import Worker

BY = "bench"
CLIENTS = (1, 16, 64)
WARM = 0
"""Stands for the clients that ask first, unmeasured: a server that has just begun has prepared nothing yet."""
ROUNDS = 4
PROCESSES = 2
"""Of the API, and of the service that is written by hand."""
LIFE = timedelta(hours=12)
PRICE = 10
CHANGES = ("redeem", "join", "draw")
"""What changes hands; the service that is written by hand does these, too."""
LOOKS = ("quote", "wallet", "offers")
WHAT = CHANGES + LOOKS
HOT = "redeem the last"
"""Redeeming an item whose stock all members share: one row that every command changes."""
COPIES = ("copy1", "copy2")
BY_HAND_BAR, SLOWER_BAR = 2, 2.5
"""Least of the rate by hand, and most of the p95 of the bare statements."""
BOXES = text("SELECT id, member_id FROM blindbox.box WHERE tenant_id = :tenant AND state = 'waiting' ORDER BY id")
SERIES = {
    "name": "Kitchen",
    "sku": "box",
    "price": 100,
    "items": [{"sku": f"item-{number}", "name": f"Item {number}"} for number in range(12)],
}
CAMPAIGN = {"name": "Tea together", "sku": "tea", "size": 3, "price": 600, "hours": 24}
TEMPLATE = {"name": "Five off", "kind": "fixed", "amount": 500, "claimable": True, "days": 30}
BASKET = [
    {"id": "1", "sku": "tea", "quantity": 1, "unit_price": 1_000},
    {"id": "2", "sku": "cup", "quantity": 2, "unit_price": 2_500},
    {"id": "3", "sku": "pot", "quantity": 1, "unit_price": 9_900},
]

console = Console()


@dataclass(frozen=True)
class Ask:
    """A request of a member."""

    method: str
    path: str
    token: str
    body: Any = None

    def wire(self, number: int) -> bytes:
        """All of it, as it goes over a connection."""
        body = b"" if self.body is None else json.dumps(self.body).encode()
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n"
        if self.method == "POST":
            head += f"Idempotency-Key: bench-{number}\r\nContent-Type: application/json\r\n"
            head += f"Content-Length: {len(body)}\r\n"
        return f"{head}\r\n".encode() + body


@dataclass
class Told:
    """What clients were answered.

    Attributes:
        seconds: Of each request.
        took: Of all of them together.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    took: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return (len(self.seconds) - self.statuses[503]) / self.took

    def add(self, other: "Told") -> None:
        """Take in what was answered in another round."""
        self.statuses += other.statuses
        self.seconds += other.seconds
        self.took += other.took

    def at(self, percent: int) -> float:
        """Milliseconds within which so many of a hundred were answered."""
        return quantiles(self.seconds, n=100, method="inclusive")[percent - 1] * 1000


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(found[1]) if found else 0)
    return int(head[9:12])


async def _ask(port: int, raws: Iterator[bytes], told: Told) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with closing(writer):
        for raw in raws:
            began = time.perf_counter()
            writer.write(raw)
            status = await _answer(reader)
            told.seconds.append(time.perf_counter() - began)
            told.statuses[status] += 1


async def _all(port: int, raws: Sequence[bytes], clients: int) -> Told:
    told, work = Told(), iter(raws)
    began = time.perf_counter()
    await asyncio.gather(*(_ask(port, work, told) for _ in range(clients)))
    told.took = time.perf_counter() - began
    return told


def ask(port: int, raws: Sequence[bytes], clients: int) -> Told:
    """Send requests over so many connections, each the next as soon as it has its answer.

    Raises:
        SystemExit: One was not answered with 200, 201 or, if its turn did not come in time, 503.
    """
    told = asyncio.run(_all(port, raws, clients))
    if told.statuses.keys() - {200, 201, 503}:
        raise SystemExit(f"not every answer was good: {dict(told.statuses)}")
    return told


class Shop:
    """A store with three tactics, and members of whom each has points, a box and a quote for a group."""

    def __init__(self, platform: Platform, people: int) -> None:
        self.platform = platform
        self.tenant = open_store(platform, "shop", enable=["points", "groupbuy", "blindbox"], holdout=0, by=BY)
        self._set("blindbox", {})
        self.item = self._make("points", "catalogue", {"name": "A cup", "kind": "goods", "price": PRICE})
        self.hot = self._make(
            "points", "catalogue", {"name": "The last", "kind": "goods", "price": PRICE, "stock": people}
        )
        self._make("blindbox", "series", SERIES)
        self.campaign = self._make("groupbuy", "campaigns", CAMPAIGN, "activate")
        self._make("vouchers", "templates", TEMPLATE, "activate")
        self.names = [f"m{number}" for number in range(people)]
        self._orders()
        with platform.database.tenant(self.tenant.id) as scope:
            known = members.resolve(scope, platform.keyring, self.names)
            boxes = {row.member_id: row.id for row in scope.run(BOXES)}
        self.boxes = [boxes[known[name]] for name in self.names]
        self.tokens = [
            keys.sign_token(platform.keyring, self.tenant.id, known[name], name, LIFE)[0] for name in self.names
        ]
        self.quotes = self._quotes()

    def asks(self, what: str, whose: Sequence[int]) -> list[Ask]:
        """A command of each of these members."""
        made = {
            "redeem": lambda _: ("POST", "/v1/me/points/redeem", {"item": self.item, "price": PRICE}),
            HOT: lambda _: ("POST", "/v1/me/points/redeem", {"item": self.hot, "price": PRICE}),
            "join": lambda n: ("POST", f"/v1/quotes/{self.quotes[n]}/reserve", None),
            "draw": lambda n: ("POST", "/v1/me/blindbox/boxes/open", {"box": str(self.boxes[n]), **self.version}),
            "quote": lambda _: ("POST", "/v1/quotes", {"lines": BASKET}),
            "wallet": lambda _: ("GET", "/v1/me/vouchers/wallet", None),
            "offers": lambda _: ("GET", "/v1/me/vouchers/offers", None),
        }[what]
        return [Ask(method, path, self.tokens[n], body) for n in whose for method, path, body in (made(n),)]

    def _set(self, plugin: str, values: Mapping[str, Any]) -> None:
        platform = self.platform
        with platform.database.tenant(self.tenant.id) as scope:
            switches.save_settings(
                scope, self.tenant, platform.registry, platform.keyring, plugin, values, revision=None, by=BY
            )

    def _make(self, plugin: str, collection: str, values: Mapping[str, Any], step: str = "publish") -> int:
        with self.platform.database.tenant(self.tenant.id) as scope:
            opened = self.platform.inside(scope, self.tenant)
            made = collections.create(opened, plugin, collection, values, by=BY)
            collections.act(opened, plugin, collection, made.id, step, revision=made.revision, by=BY)
        return int(made.id)

    def _orders(self) -> None:
        send, worker = Sender(self.platform), Worker(self.platform)
        lines = [{"sku": "box", "quantity": 1, "amount": 100}]
        for start in track(range(0, len(self.names), 500), "members buy", console=console, transient=True):
            send.batch(
                self.tenant,
                [
                    send.event(
                        "order.paid", name, order_id=f"o-{name}", total=100_000, currency="CNY", lines=lines
                    )
                    for name in self.names[start : start + 500]
                ],
            )
            worker.drain()

    def _quotes(self) -> list[str]:
        """Of each member one that opens a group."""
        made = []
        basket = {"lines": BASKET[:1], "choices": {"groupbuy": {"campaign": str(self.campaign), "group": None}}}
        with (
            serving(self.platform, HttpConfig.model_validate(NO_LIMITS)) as url,
            httpx2.Client(base_url=url, timeout=60) as client,
        ):
            shelf = client.get("/v1/me/blindbox/series", headers={"Authorization": f"Bearer {self.tokens[0]}"})
            self.version = {"version": shelf.json()["series"][0]["version"]}
            age = {"text_version": shelf.json()["age"]["text_version"], "kind": "adult"}
            for token in track(self.tokens, "members ask for a price", console=console, transient=True):
                bearer = {"Authorization": f"Bearer {token}"}
                client.post(
                    "/v1/me/blindbox/age", json=age, headers=bearer | {"Idempotency-Key": "age"}
                ).raise_for_status()
                answer = client.post("/v1/quotes", json=basket, headers=bearer)
                found = answer.json()
                if not found.get("applied"):
                    raise SystemExit(f"no group price: {answer.text}")
                made.append(found["id"])
        return made


class House:
    """An embedded server, a database with a shop and two copies of it.

    Args:
        data: The server's folder.
        sizes: How many commands of each kind there are to be, by the number of clients.
    """

    def __init__(self, stack: ExitStack, data: Path, sizes: Mapping[int, int]) -> None:
        self.sizes = sizes
        self.admin_url = stack.enter_context(EmbeddedServer(data).supervised()).admin_url
        with Platform.open() as platform:
            self.shop = Shop(platform, sum(sizes.values()))
            urls = platform.database.urls
            self._urls = {role: getattr(urls, role) for role in ("app", "owner", "ops")}
        KEPT.let_go()
        analyzed(self.admin_url, urls.app.database)
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            for name in COPIES:
                admin.execute(f"CREATE DATABASE {name} TEMPLATE {urls.app.database}")

    def whose(self, clients: int) -> Sequence[int]:
        """The members who ask when so many ask at a time: no two levels have one in common."""
        start = sum(size for level, size in self.sizes.items() if level < clients)
        return range(start, start + self.sizes[clients])

    def url(self, role: str, database: str | None = None) -> str:
        """For psycopg: to the shop's database, or to another one."""
        url = self._urls[role].set(drivername="postgresql")
        return (url.set(database=database) if database else url).render_as_string(hide_password=False)

    def config(self, database: str) -> DatabaseConfig:
        """To a copy."""
        return DatabaseConfig(**{f"{role}_url": self.url(role, database) for role in self._urls})


def analyzed(admin_url: str, database: str) -> None:
    """Let PostgreSQL know what is in a database, as its own daemon does within a minute."""
    with psycopg.connect(admin_url, dbname=database, autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE")


def scripts(house: House) -> dict[tuple[str, int], list[replay.Script]]:
    """The statements of each command, by what it is and how many clients will send them."""
    taken: dict[tuple[str, int], list[replay.Script]] = {}
    with (
        Platform.open(house.config(COPIES[0])) as platform,
        serving(platform, HttpConfig.model_validate(NO_LIMITS)) as url,
        httpx2.Client(base_url=url, timeout=60) as client,
    ):
        for what in track(WHAT, "statements are taken down", console=console, transient=True):
            for clients in (WARM, 1, 16):
                taken[what, clients] = []
                for number, one in enumerate(house.shop.asks(what, house.whose(clients))):
                    headers = {"Authorization": f"Bearer {one.token}"}
                    if one.method == "POST":
                        headers["Idempotency-Key"] = f"{what}-{clients}-{number}"
                    with replay.taken_down() as script:
                        answer = client.request(one.method, one.path, json=one.body, headers=headers)
                    if not answer.is_success:
                        raise SystemExit(f"{what}: {answer.status_code} {answer.text}")
                    taken[what, clients].append(script)
    return taken


Measure = Callable[[str, int, int], Told]
"""What so many clients are answered who ask for the same, in one of the rounds."""


def bare(house: House) -> Measure:
    """The same statements by psycopg alone."""
    taken = scripts(house)

    def measure(what: str, clients: int, number: int) -> Told:
        made, warm = taken[what, clients][number::ROUNDS], taken[what, WARM]
        most = house.sizes[WARM] * clients // (1 + 16) // ROUNDS
        first, taken[what, WARM] = warm[:most], warm[most:]
        seconds, took = replay.sent_again(house.url("app", COPIES[1]), made, clients, first=first)
        return Told(seconds=seconds, took=took)

    return measure


@contextmanager
def ours(house: House) -> Iterator[Measure]:
    """Over HTTP, by the real server in processes of its own."""
    numbers = count()

    def measure(what: str, clients: int, number: int) -> Told:
        whose = house.whose(clients)[number::ROUNDS]
        return ask(port, [one.wire(next(numbers)) for one in house.shop.asks(what, whose)], clients or 16)

    with served("--processes", str(PROCESSES)) as (port, _process):
        yield measure


@contextmanager
def by_hand(house: House) -> Iterator[Measure]:
    """The same three commands of the service that is written by hand, on the same server."""
    owner = make_url(house.url("owner")).username
    with psycopg.connect(house.admin_url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE careful OWNER "{owner}"')
    os.environ["CAREFUL_URL"] = house.url("owner", "careful").replace("postgresql:", "postgresql+psycopg:", 1)
    import careful

    careful.Base.metadata.create_all(careful.engine)
    with careful.engine.begin() as connection:
        connection.exec_driver_sql(FILL.format(people=sum(house.sizes.values())))
    careful.engine.dispose()
    analyzed(house.admin_url, "careful")
    bodies = {
        "redeem": lambda n: {"member": n + 1, "item": 1},
        "join": lambda n: {"member": n + 1, "team": n + 1, "number": n},
        "draw": lambda n: {"member": n + 1, "box": n + 1},
    }

    def measure(what: str, clients: int, number: int) -> Told:
        whose = house.whose(clients)[number::ROUNDS]
        return ask(port, [Ask("POST", f"/{what}", "", bodies[what](n)).wire(n) for n in whose], clients or 16)

    with uvicorn() as port:
        yield measure


FILL = """
    INSERT INTO careful_member (points) SELECT 1000000 FROM generate_series(1, {people});
    INSERT INTO careful_item (price, stock) VALUES (10, 1000000);
    INSERT INTO careful_team (size) SELECT 3 FROM generate_series(1, {people});
    INSERT INTO careful_prize (weight, "left") SELECT 1, 1000000 FROM generate_series(1, 12);
    INSERT INTO careful_box (member_id) SELECT generate_series(1, {people});
"""
"""Each member has a group of their own to join, as in the shop."""


@contextmanager
def uvicorn() -> Iterator[int]:
    """The service that is written by hand, in as many processes as the API; yields its port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "careful:app", "--port", str(port), "--workers", str(PROCESSES)]
    process = subprocess.Popen([*command, "--log-level", "warning", "--no-access-log"], cwd=Path(__file__).parent)
    try:
        until_ready(f"http://127.0.0.1:{port}/ready")
        yield port
    finally:
        process.terminate()
        process.wait(15)


def said(what: str, clients: int, told: Told) -> None:
    """Print what was measured at once; the table comes in the end."""
    console.print(
        f"{what}, clients: {clients}: {told.rate:,.0f}/s,"
        f" p50 {told.at(50):.1f} p95 {told.at(95):.1f} p99 {told.at(99):.1f} ms"
        + (f", {told.statuses[503]} refused for want of a turn" if told.statuses[503] else "")
    )


Measured = Mapping[tuple[str, int], Told]
"""By what it is, and how many clients asked at a time."""


def side_by_side(plain: Measure, hand: Measure, mine: Measure) -> tuple[Measured, Measured, Measured]:
    """What is compared is measured in turn, round by round: a machine is not as fast in the next minute."""
    served_by_us: dict[tuple[str, int], Told] = {}
    plains: dict[tuple[str, int], Told] = {}
    hands: dict[tuple[str, int], Told] = {}
    for what in (*WHAT, HOT):
        for number in range(ROUNDS):
            mine(what, WARM, number)
            if what in CHANGES:
                hand(what, WARM, number)
        for clients in CLIENTS:
            turns = [("", mine, served_by_us)]
            if what in CHANGES:
                turns.insert(0, (", by hand", hand, hands))
            if what in WHAT and clients in {1, 16}:
                turns.insert(0, (", bare statements", plain, plains))
            for number, (_name, measure, kept) in product(range(ROUNDS), turns):
                kept.setdefault((what, clients), Told()).add(measure(what, clients, number))
            for name, _measure, kept in turns:
                said(f"{what}{name}", clients, kept[what, clients])
    return served_by_us, plains, hands


def report(mine: Measured, plain: Measured, hand: Measured, figures: Figures) -> Table:
    """Put them side by side, and keep the worst of each kind."""
    table = Table("", "clients", "requests/s", "p50 ms", "p95 ms", "p99 ms", "× by hand", "p95, × bare statements")
    for (what, clients), told in mine.items():
        rate, slow = hand.get((what, clients)), plain.get((what, clients))
        table.add_row(
            what,
            str(clients),
            f"{told.rate:,.0f}",
            *(f"{told.at(percent):.1f}" for percent in (50, 95, 99)),
            f"{told.rate / rate.rate:.2f}" if rate else "",
            f"{told.at(95) / slow.at(95):.2f}" if slow else "",
        )
    rates = {what: mine[what, 16].rate / hand[what, 16].rate for what in CHANGES}
    least = min(rates, key=rates.__getitem__)
    said = f"{least}, the slowest of {', '.join(CHANGES)}, at 16 clients"
    figures.record("command-rate", rates[least], bar="≥ 2 ×", met=rates[least] >= BY_HAND_BAR, said=said)
    for (row, kinds), clients in product((("command", CHANGES), ("look", LOOKS)), (1, 16)):
        slower = {what: mine[what, clients].at(95) / plain[what, clients].at(95) for what in kinds}
        most = max(slower, key=slower.__getitem__)
        met = slower[most] <= SLOWER_BAR
        said = f"{most}, the slowest of {', '.join(kinds)}"
        figures.record(f"{row}-p95-{clients}", slower[most], bar="≤ 2.5", met=met, said=said)
    return table


def main() -> int:
    """Run, print, and return 1 if a bar is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    Figures.add_option(parser)
    parser.add_argument("--at-0", type=int, default=800, help="commands of a kind beforehand, unmeasured")
    for clients, most in ((1, 400), (16, 1_600), (64, 1_600)):
        parser.add_argument(f"--at-{clients}", type=int, default=most, help=f"commands of a kind by {clients}")
    wanted = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sizes = {clients: getattr(wanted, f"at_{clients}") for clients in (WARM, *CLIENTS)}
    with ExitStack() as stack:
        data = own_folder(stack) / "data"
        limits = {f"THREEPEAT_HTTP_{name.upper()}": "0" for name in NO_LIMITS}
        os.environ |= limits | {"THREEPEAT_DATA": str(data)}
        house = House(stack, data, sizes)
        plain, hand = bare(house), stack.enter_context(by_hand(house))
        measured = side_by_side(plain, hand, stack.enter_context(ours(house)))
    figures = Figures.open(parser, wanted)
    console.print(report(*measured, figures))
    return figures.close()


if __name__ == "__main__":
    sys.exit(main())
