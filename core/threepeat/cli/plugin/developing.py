"""`threepeat plugin dev`: a demo store with the plugin on, served anew whenever the plugin's code changes."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import typer
from rich.console import Console

from threepeat.cli.demo import (
    DEMOS,
    free_port,
    interrupted,
    issue_key,
    post_events,
    wait_ready,
    wait_served,
)
from threepeat.cli.serve import child, supervised_database
from threepeat.cli.simulation import TRADES, SimulatedStore
from threepeat.plugins import distributions
from threepeat.plugins.registry import GROUP
from threepeat.sdk.errors import PluginError

BY = "operator:dev"
STORE = "dev"
MEMBERS = 30
ORDERS = 150
DAYS = 30
LOOK_MILLISECONDS = 500
BROKEN = 3
"""Exit code of `prepare` for a plugin that may not run."""

console = Console()


def run(plugin: str, folder: Path, *, port: int, once: bool) -> None:
    """Serve a demo store until Ctrl-C, and begin again whenever a file of the plugin's package changes.

    Args:
        plugin: The plugin's id.
        folder: Where its database is.
        port: On loopback; 0 takes a free one.
        once: Stop when everything is up.

    Raises:
        PluginError: The plugin is not installed.
    """
    package = _package(plugin)
    os.environ["THREEPEAT_DATA"] = str(folder.resolve())
    for name in ("THREEPEAT_APP_URL", "THREEPEAT_OWNER_URL", "THREEPEAT_OPS_URL"):
        os.environ.pop(name, None)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: interrupted(stop))
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        stack.callback(lambda: console.print("stopped"))
        console.print(f"PostgreSQL in {folder} …")
        stack.enter_context(supervised_database())
        introduced = False
        while not stop.is_set():
            fit = _python(f"prepare({plugin!r})") != BROKEN
            with ExitStack() as processes:
                began = time.monotonic()
                server = processes.enter_context(child("--log-level", "warning", "serve", "--port", str(port)))
                processes.enter_context(child("--log-level", "warning", "worker", "--processes", "1"))
                wait_ready(url, lambda one=server: one.poll() is None)
                console.print(f"{url} answers after {time.monotonic() - began:.1f} seconds")
                if fit and not introduced:
                    introduced = _python(f"introduce({plugin!r}, {url!r})") == 0
                if once:
                    return
                console.print(f"Watching {package}. Ctrl-C stops everything; the data stays for the next time.")
                changed = _changes(package, stop)
            if changed:
                console.print(f"{', '.join(changed)} changed: starts again …")


def prepare(plugin: str) -> None:
    """Bring the schemas up to date and see that the store has the plugin on; runs in a process of its own.

    Raises:
        SystemExit: The plugin may not run; the reason is printed.
    """
    from threepeat.events.platform import Platform  # noqa: PLC0415
    from threepeat.events.stores import open_store  # noqa: PLC0415
    from threepeat.tenancy import switches, tenants  # noqa: PLC0415
    from threepeat.tenancy.errors import NotFound  # noqa: PLC0415

    with Platform.open() as platform:
        if away := platform.registry.quarantined.get(plugin):
            console.print(f"[bold red]{plugin} is quarantined:[/] {away.reason}", highlight=False)
            raise SystemExit(BROKEN)
        try:
            with platform.database.directory() as connection:
                tenant = tenants.by_slug(connection, STORE)
        except NotFound:
            tenant = open_store(platform, STORE, name="Dev", simulated=True, by=BY)
        with platform.database.tenant(tenant.id) as scope:
            if platform.registry[plugin].manifest.kind == "tactic":
                switches.enable(scope, tenant, platform.registry, plugin, by=BY, act=platform.act)


def introduce(plugin: str, url: str) -> None:
    """Fill a new store with orders, and say who can sign in and what to try; runs in a process of its own."""
    from sqlalchemy import text  # noqa: PLC0415

    from threepeat.events.platform import Platform  # noqa: PLC0415
    from threepeat.tenancy import tenants  # noqa: PLC0415

    with Platform.open() as platform:
        with platform.database.directory() as connection:
            tenant = tenants.by_slug(connection, STORE)
        with platform.database.tenant(tenant.id) as scope:
            head = scope.one(text("SELECT head FROM core.stream WHERE tenant_id = :tenant"))
        if head is None or not head.head:
            store = SimulatedStore(TRADES[0], seed=1, members=MEMBERS)
            since = datetime.now(UTC) - timedelta(minutes=5)
            events = list(store.history(since, DAYS, ORDERS))
            post_events(platform, tenant, url, events)
            wait_served(platform, [tenant])
        key = issue_key(platform, tenant, "manage", "read", "ingest")
        console.rule(plugin)
        typer.echo(f"export URL={url} KEY={key}")
        for route in platform.registry[plugin].routes:
            typer.echo(f"{route.method:4} $URL/v1/me/{plugin}{route.path}   {route.summary}")
        typer.echo(
            "TOKEN=$(curl -s -X POST $URL/v1/members/member-0001/token"
            ' -H "Authorization: Bearer $KEY" | cut -d\'"\' -f4)'
        )
        points = list(entry_points(group=DEMOS))
        for point in points:
            for line in point.load()(platform, [tenant], url):
                typer.echo(line)
        if not points:
            typer.echo("For the consoles: pip install threepeat-tenants")
        console.rule()


def _package(plugin: str) -> Path:
    """The folder of a plugin's package, found without loading it."""
    if plugin not in distributions.of_plugins():
        raise PluginError(f"{plugin} is not installed: run pip install -e .")
    (point,) = entry_points(group=GROUP, name=plugin)
    spec = find_spec(point.module.partition(".")[0])
    if spec is None or not spec.submodule_search_locations:
        raise PluginError(f"the package of {plugin} cannot be found: run pip install -e .")
    return Path(next(iter(spec.submodule_search_locations)))


def _changes(package: Path, stop: threading.Event) -> list[str]:
    """Wait for changes; none if it was asked to stop."""
    from watchfiles import watch  # noqa: PLC0415 - a part of uvicorn's that nothing else needs

    for found in watch(package, stop_event=stop, rust_timeout=LOOK_MILLISECONDS, raise_interrupt=False):
        return sorted({Path(name).name for _, name in found})
    return []


def _python(call: str) -> int:
    """Call a function of this module in a process of its own: code that was loaded here would stay as it is."""
    code = (
        f"from threepeat.cli.logs import configure; configure('auto', 'error')\nfrom {__name__} import *\n{call}"
    )
    return subprocess.run([sys.executable, "-c", code], check=False).returncode
