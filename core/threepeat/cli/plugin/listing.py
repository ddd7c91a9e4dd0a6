"""`threepeat plugin list` and `audit`: what is installed, and what it brings along."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from threepeat.cli.logs import configure
from threepeat.database import checks, migrate
from threepeat.database.checks import BootError
from threepeat.database.config import DatabaseConfig, connect
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.engine import Database
from threepeat.database.migrate import State
from threepeat.database.personal import personal_tables
from threepeat.events.platform import sources
from threepeat.plugins import Registry, distributions
from threepeat.plugins.distributions import Contents
from threepeat.sdk.errors import PluginError

STORES = text("SELECT plugin, count(*) AS stores FROM core.activation WHERE state <> 'off' GROUP BY plugin")
STATES = {State.PENDING: "schema pending", State.AHEAD: "schema ahead of the code"}
GONE = "not installed, its data is kept"


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin, as far as anything is known of it.

    Attributes:
        kind: `tactic`, `service`, or empty for one that cannot be loaded.
        origin: Where its distribution was installed from.
        conflict: Why it does not go with the installed core; None if it does.
        state: `ok`, or what keeps it from running.
        reason: Why it is quarantined.
        stores: In how many stores it is on or closing; None if no database can be reached.
        personal: Its tables with members' data and what erasure does to them; None without a database.
    """

    id: str
    kind: str
    distribution: str
    version: str
    origin: str
    conflict: str | None
    state: str
    reason: str
    stores: int | None
    personal: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database knows."""

    states: Mapping[str, State]
    reasons: Mapping[str, str]
    stores: Mapping[str, int]
    personal: Mapping[str, tuple[str, ...]]


def show_list(*, as_json: bool) -> None:
    """Print what is installed, and what is left of what was."""
    entries = _entries()
    if as_json:
        typer.echo(orjson.dumps([asdict(one) for one in entries], option=orjson.OPT_INDENT_2))
        return
    table = Table(
        "plugin", "kind", "distribution", "version", "from", "compatible", "state", "stores", "personal data"
    )
    for one in entries:
        compatible = "" if not one.distribution else f"no: {one.conflict}" if one.conflict else "yes"
        state = f"{one.state}: {one.reason}" if one.reason else one.state
        stores = "?" if one.stores is None else str(one.stores)
        cells = (one.id, one.kind, one.distribution, one.version, one.origin, compatible, state, stores)
        table.add_row(*map(escape, cells), escape(", ".join(one.personal or ())))
    Console().print(table)
    if any(one.stores is None for one in entries):
        typer.echo("No database can be reached, so the stores are not counted.")


def show_audit(plugin: str | None, *, as_json: bool) -> bool:
    """Print what each plugin's distribution brings besides the plugin.

    Returns:
        Whether one of them reaches outside its own folder.

    Raises:
        PluginError: No such plugin is installed.
    """
    installed = distributions.of_plugins()
    if plugin is not None and plugin not in installed:
        raise PluginError(f"there is no plugin {plugin!r}; installed are {', '.join(installed) or 'none'}")
    wanted = installed if plugin is None else {plugin: installed[plugin]}
    found = {name: distributions.contents(dist) for name, dist in wanted.items()}
    if as_json:
        told = [{"plugin": name, "distribution": wanted[name].name, **_told(one)} for name, one in found.items()]
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    else:
        _print_audit(found, wanted)
    return not all(one.clean for one in found.values())


def _told(one: Contents) -> dict[str, Any]:
    return {**asdict(one), "clean": one.clean}


def _print_audit(found: Mapping[str, Contents], wanted: Mapping[str, Distribution]) -> None:
    table = Table(
        "plugin", "distribution", ".pth", "stray files", "commands", "other entry points", "native", "needs"
    )
    for name, one in found.items():
        cells = (one.pth, one.stray, one.scripts, one.entry_points, one.native, one.requires)
        table.add_row(name, wanted[name].name, *(escape("\n".join(cell)) for cell in cells))
    Console().print(table)
    for name, one in found.items():
        for file in one.pth:
            typer.echo(f"{name}: {file} runs at every start of Python, whether the plugin is used or not")
        for file in one.stray:
            typer.echo(f"{name}: {file} lies outside its own package")
        if not one.recorded:
            typer.echo(f"{name}: its distribution does not say which files it has")
    editable = [name for name in found if distributions.origin(wanted[name]).kind == "editable"]
    if editable:
        typer.echo(f"Editable folders, of which only a wheel shows what others would get: {', '.join(editable)}")


def _entries() -> Sequence[Entry]:
    configure("auto", "critical")  # why one is quarantined stands in the list
    registry = Registry.discover()
    installed = distributions.of_plugins()
    stored = _stored(registry)
    return [
        *(_installed(name, dist, registry, stored) for name, dist in installed.items()),
        *(_left_behind(name, stored) for name in _forgotten(installed, stored)),
    ]


def _installed(name: str, dist: Distribution, registry: Registry, stored: _Stored | None) -> Entry:
    state, reason = "ok", ""
    if name in registry.quarantined:
        state, reason = "quarantined", registry.quarantined[name].reason
    elif stored is not None and stored.states.get(name) in STATES:
        state = STATES[stored.states[name]]
    elif stored is not None and name in stored.reasons:
        state, reason = "quarantined", stored.reasons[name]
    return Entry(
        id=name,
        kind=registry[name].manifest.kind if name in registry else "",
        distribution=dist.name,
        version=dist.version,
        origin=str(distributions.origin(dist)),
        conflict=distributions.conflict(dist),
        state=state,
        reason=reason,
        stores=None if stored is None else stored.stores.get(name, 0),
        personal=None if stored is None else stored.personal.get(name, ()),
    )


def _forgotten(installed: Mapping[str, Distribution], stored: _Stored | None) -> list[str]:
    if stored is None:
        return []
    dormant = {name for name, state in stored.states.items() if state is State.DORMANT}
    return sorted((dormant | stored.stores.keys()) - installed.keys() - {"core"})


def _left_behind(name: str, stored: _Stored | None) -> Entry:
    assert stored is not None  # noqa: S101 - only a database knows of it
    personal = stored.personal.get(name, ())
    return Entry(name, "", "", "", "", None, GONE, "", stored.stores.get(name, 0), personal)


def _stored(registry: Registry) -> _Stored | None:
    """What the database knows, if it can be reached; it is neither started nor changed."""
    with _reachable() as database:
        if database is None:
            return None
        wanted = sources(registry)
        with database.ops.connect() as ops:
            states = {one.schema: one.state for one in migrate.status(ops, database.urls.roles, wanted)}
            stores = {row.plugin: row.stores for row in ops.execute(STORES)}
            personal: dict[str, tuple[str, ...]] = {}
            for one in personal_tables(ops):
                said = f"{one.table} ({one.action})"
                personal[one.table.schema] = (*personal.get(one.table.schema, ()), said)
        merging = {plugin.id for plugin in registry if plugin.overrides("merge_members")}
        try:
            reasons = checks.check(database, wanted, away=registry.quarantined, merging=merging)
        except BootError:
            reasons = {}
        return _Stored(states, reasons, stores, personal)


@contextmanager
def _reachable() -> Iterator[Database | None]:
    config = DatabaseConfig()
    if config.embedded and not EmbeddedServer(config.data).status().running:
        yield None
        return
    database = Database(connect(config))
    try:
        try:
            with database.ops.connect() as ops:
                ops.execute(text("SELECT FROM core.activation LIMIT 1"))
        except SQLAlchemyError:
            yield None
        else:
            yield database
    finally:
        database.dispose()
