"""`threepeat demo`: everything at once, on the embedded server, with a simulated or a real store."""

import itertools
import os
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from babel.numbers import get_currency_precision
from rich.console import Console
from rich.progress import track

from threepeat.cli.serve import child, supervised_database
from threepeat.cli.simulation import TRADES, SimulatedStore, Trade
from threepeat.database.config import DatabaseConfig

if TYPE_CHECKING:
    from threepeat.events.platform import Platform
    from threepeat.tenancy.tenants import Tenant

DEMOS = "threepeat.demos"
"""Entry points of what other distributions add: given the platform, the stores and the address, lines to print."""
BY = "operator:demo"
KEY_NAME = "demo"
SEED = 3
MEMBERS = 200
ORDERS = 1500
DAYS = 90
BATCH = 500
READY_SECONDS = 60

console = Console()


def demo(
    data: Annotated[Path, typer.Option(help="Folder of the demo's database.")] = Path(".threepeat/demo"),
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    orders: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Run on the orders of this file instead.")
    ] = None,
    mapping: Annotated[
        list[str] | None, typer.Option("--map", help="field=column, as for `threepeat import orders`.")
    ] = None,
    currency: Annotated[str, typer.Option(help="Currency of those orders.")] = "CNY",
    refund_prefix: Annotated[
        str | None, typer.Option(help="Order ids that begin with this are refunds without an order.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when everything is up and served.")] = False,
) -> None:
    """Start database, API and worker, fill two stores, and say what to try. Ctrl-C stops everything.

    The stores are simulated unless --orders names a file of real ones.
    """
    os.environ["THREEPEAT_DATA"] = str(data.resolve())
    for name in ("THREEPEAT_APP_URL", "THREEPEAT_OWNER_URL", "THREEPEAT_OPS_URL"):
        os.environ.pop(name, None)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: interrupted(stop))
    with ExitStack() as stack:
        stack.callback(lambda: console.print("stopped"))
        console.print(f"PostgreSQL in {DatabaseConfig().data} …")
        stack.enter_context(supervised_database())
        from threepeat.events.platform import Platform  # noqa: PLC0415

        platform = Platform.open()
        stack.callback(platform.database.dispose)
        port = port or free_port()
        url = f"http://127.0.0.1:{port}"
        server = stack.enter_context(child("--log-level", "warning", "serve", "--port", str(port)))
        stack.enter_context(child("--log-level", "warning", "worker"))
        wait_ready(url, lambda: server.poll() is None)
        if orders is None:
            stores = [_simulated(platform, url, trade) for trade in TRADES]
        else:
            stores = [_real(platform, orders, mapping or [], currency, refund_prefix)]
        wait_served(platform, stores)
        _explain(platform, url, stores)
        if not once:
            live = itertools.cycle([_live(platform, url, t) for t in TRADES]) if orders is None else None
            while not stop.wait(2):
                if live is not None:
                    next(next(live))


def interrupted(stop: threading.Event) -> None:
    """Ask once to stop; a second Ctrl-C, or one during the start, leaves at once."""
    if stop.is_set():
        sys.exit(1)
    stop.set()


def _simulated(platform: "Platform", url: str, trade: Trade) -> "Tenant":
    from threepeat.events.stores import open_store  # noqa: PLC0415
    from threepeat.tenancy import tenants  # noqa: PLC0415
    from threepeat.tenancy.errors import NotFound  # noqa: PLC0415

    try:
        with platform.database.directory() as connection:
            return tenants.by_slug(connection, trade.slug)
    except NotFound:
        tenant = open_store(
            platform, trade.slug, name=trade.name, simulated=True, enable=_tactics(platform), by=BY
        )
    store = SimulatedStore(trade, seed=SEED, members=MEMBERS)
    events = list(store.history(datetime.now(UTC) - timedelta(minutes=5), DAYS, ORDERS))
    post_events(platform, tenant, url, events)
    return tenant


def post_events(platform: "Platform", tenant: "Tenant", url: str, events: list[dict[str, object]]) -> None:
    """Send events over HTTP, as a shop's server does, with a progress bar."""
    key = issue_key(platform, tenant, "ingest")
    starts = range(0, len(events), BATCH)
    for start in track(starts, f"{tenant.store.name}: {len(events)} simulated events", console=console):
        _post(f"{url}/v1/events", key, events[start : start + BATCH])


def _live(platform: "Platform", url: str, trade: Trade) -> "itertools.chain[object]":
    """One simulated event, sent now, each time that it is asked for the next."""
    from threepeat.tenancy import tenants  # noqa: PLC0415

    with platform.database.directory() as connection:
        key = issue_key(platform, tenants.by_slug(connection, trade.slug), "ingest")
    began = int(time.time())
    store = SimulatedStore(trade, seed=began, members=MEMBERS)

    def send() -> object:
        event = store.order(datetime.now(UTC))
        event["id"] = f"{event['id']}:{began}"
        event["data"]["order_id"] += f"-{began}"
        return _post(f"{url}/v1/events", key, [event])

    return itertools.chain(send() for _ in itertools.repeat(None))


def _real(
    platform: "Platform", file: Path, mapping: list[str], currency: str, refund_prefix: str | None
) -> "Tenant":
    from threepeat.cli.importing import send_orders  # noqa: PLC0415
    from threepeat.cli.orders_file import parse_mapping, read_orders  # noqa: PLC0415
    from threepeat.events.stores import open_store  # noqa: PLC0415
    from threepeat.tenancy import tenants  # noqa: PLC0415
    from threepeat.tenancy.errors import NotFound  # noqa: PLC0415

    fields = parse_mapping(item for given in mapping for item in given.split())
    digits = get_currency_precision(currency)
    rejects = DatabaseConfig().data / f"{file.name}.rejects.csv"
    console.print(f"reading {file} …")
    found, report = read_orders(file, fields, minor_digits=digits, refund_prefix=refund_prefix, rejects=rejects)
    try:
        with platform.database.directory() as connection:
            tenant = tenants.by_slug(connection, "orders")
    except NotFound:
        tenant = open_store(
            platform, "orders", name=file.name, currency=currency, enable=_tactics(platform), by=BY
        )
    verdicts = send_orders(platform, {None: tenant}, found)
    if found:
        with platform.database.ops.begin() as ops:
            tenants.set_clock(ops, tenant.id, found[-1].occurred_at)
    console.print(
        f"{report.rows} rows: {verdicts.total()} orders and refunds; {report.rejected} not used, see {rejects}"
    )
    return tenant


def _tactics(platform: "Platform") -> list[str]:
    """Three tactics, as many as may be on: first those that keep what the others give."""
    found = [plugin for plugin in platform.registry if plugin.manifest.kind == "tactic"]
    return [plugin.id for plugin in sorted(found, key=lambda plugin: not plugin.rewards)][:3]


def _explain(platform: "Platform", url: str, stores: "list[Tenant]") -> None:
    typer.echo(f"API description: {url}/v1/openapi.json · health: {url}/readyz · metrics: {url}/metrics")
    for tenant in stores:
        manage = issue_key(platform, tenant, "manage", "read", "ingest")
        member = _somebody(platform, tenant)
        console.rule(tenant.store.name)
        typer.echo(f"""
export URL={url} KEY={manage}

# which tactics there are, and which are on
curl -s $URL/v1/tactics -H "Authorization: Bearer $KEY"

# a member's points, as the mini-program asks for them
TOKEN=$(curl -s -X POST $URL/v1/members/{member}/token -H "Authorization: Bearer $KEY" | cut -d'"' -f4)
curl -s $URL/v1/me/points/balance -H "Authorization: Bearer $TOKEN"

# an order comes in; ask for the points again and see them grow
curl -s $URL/v1/events -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -d '{{
  "specversion": "1.0", "id": "try-1", "source": "curl", "type": "order.paid", "subject": "{member}",
  "data": {{"order_id": "try-1", "total": 12800, "currency": "{tenant.store.currency}"}}}}'
""")
    console.rule()
    typer.echo(
        "One member in ten is in the comparison group of a tactic and earns nothing, to see what it brings."
    )
    for point in entry_points(group=DEMOS):
        console.rule("sign in")
        for line in point.load()(platform, stores, url):
            typer.echo(line)
        console.rule()
    typer.echo("Ctrl-C stops everything; the data stays for the next demo.")


def _somebody(platform: "Platform", tenant: "Tenant") -> str:
    """The member with the most events among those who take part in every tactic that is on."""
    from sqlalchemy import text  # noqa: PLC0415

    from threepeat.events.opened import Gate  # noqa: PLC0415
    from threepeat.tenancy import switches  # noqa: PLC0415

    busiest = text("""
        SELECT i.value, i.member_id FROM core.identity i
        JOIN core.event e ON e.tenant_id = i.tenant_id AND e.member_id = i.member_id
        WHERE i.tenant_id = :tenant AND i.kind = 'shop' GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 50
    """)
    with platform.database.tenant(tenant.id) as scope:
        gates = [Gate(scope, one) for one in switches.activations(scope).values()]
        for row in scope.run(busiest):
            if all(gate(row.member_id) for gate in gates):
                return str(row.value)
    return "member-0001"


def issue_key(platform: "Platform", tenant: "Tenant", *scopes: str) -> str:
    """A new API key of a demo's, in the place of the one that it made before."""
    from threepeat.tenancy import keys  # noqa: PLC0415

    name = f"{KEY_NAME} {'+'.join(scopes)}"
    with platform.database.tenant(tenant.id) as scope:
        for old in keys.list_keys(scope):
            if old.name == name and old.revoked_at is None:
                keys.revoke_key(scope, old.id, by=BY)
        return keys.create_key(scope, platform.keyring, name, scopes, by=BY)


def _post(url: str, key: str, events: list[dict[str, object]]) -> object:
    request = urllib.request.Request(  # noqa: S310 - our own loopback address
        url,
        orjson.dumps(events),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own loopback address
        return orjson.loads(answer.read())


def wait_ready(url: str, alive: "object") -> None:
    """Wait until the API answers.

    Raises:
        Exit: It did not within a minute, or `alive` says that its process has ended.
    """
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if callable(alive) and not alive():
            console.print("the API did not start; its message is above")
            raise typer.Exit(1)
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    console.print(f"the API did not become ready within {READY_SECONDS} seconds")
    raise typer.Exit(1)


def wait_served(platform: "Platform", stores: "list[Tenant]") -> None:
    """Wait until the worker has handed everything to the plugins."""
    from sqlalchemy import text  # noqa: PLC0415

    behind = text("""
        SELECT s.head - coalesce(min(c.position), s.head) AS waiting FROM core.stream s
        LEFT JOIN core.activation a ON a.tenant_id = s.tenant_id AND a.state <> 'off'
        LEFT JOIN core.cursor c ON c.tenant_id = a.tenant_id AND c.plugin = a.plugin AND c.paused_at IS NULL
        WHERE s.tenant_id = :tenant GROUP BY s.head
    """)
    with console.status("the worker hands the events to the tactics …"):
        for tenant in stores:
            waiting = 1
            while waiting:
                with platform.database.tenant(tenant.id) as scope:
                    row = scope.one(behind)
                waiting = row.waiting if row else 0
                time.sleep(0.1 if waiting else 0)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
