"""`threepeat plugin list` and `audit`: what is installed, and what it brings along."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from threepeat.cli.logs import configure
from threepeat.cli.plugin.reaching import reachable
from threepeat.database import checks
from threepeat.database.checks import BootError
from threepeat.database.migrate import State
from threepeat.events import plugin_checks, presence
from threepeat.events.platform import sources
from threepeat.events.presence import Presence
from threepeat.plugins import Registry, compatibility, distributions
from threepeat.plugins.distributions import Contents
from threepeat.sdk.errors import PluginError

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
        check: What came of the check that was recorded of it; None without a database.
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
    check: str | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the database knows.

    Attributes:
        known: Of each plugin.
        reasons: Why a plugin's tables keep it from running.
    """

    known: Presence
    reasons: Mapping[str, str]

    def state(self, name: str) -> tuple[str, str]:
        """How a plugin stands that can be loaded, and why."""
        state = self.known.states.get(name)
        if state in STATES:
            return STATES[state], ""
        return ("quarantined", self.reasons[name]) if name in self.reasons else ("ok", "")

    def stores(self, name: str) -> int:
        """In how many stores a plugin is on or closing."""
        return self.known.enabled.get(name, 0) + self.known.closing.get(name, 0)

    def personal(self, name: str) -> tuple[str, ...]:
        """A plugin's tables with members' data, each with what erasure does to them."""
        return tuple(f"{one} ({one.action})" for one in self.known.personal.get(name, ()))

    def check(self, name: str, version: str) -> str:
        """What came of checking a plugin, in words."""
        found = self.known.checks.get(name)
        if found is None:
            return "not checked"
        if plugin_checks.standing(found, version) == "outdated":
            same = found.version == version
            return f"checked with Threepeat {found.core}" if same else f"checked in version {found.version}"
        broken = ", ".join(one.rule if one.must else f"{one.rule} (advised)" for one in found.broken)
        return f"{'passed' if found.passed else 'broken'}{': ' if broken else ''}{broken}"


def show_list(*, as_json: bool) -> None:
    """Print what is installed, and what is left of what was."""
    entries = _entries()
    if as_json:
        typer.echo(orjson.dumps([asdict(one) for one in entries], option=orjson.OPT_INDENT_2))
        return
    table = Table(
        *("plugin", "kind", "distribution", "version", "from", "compatible"),
        *("state", "check", "stores", "personal data"),
    )
    for one in entries:
        compatible = "" if not one.distribution else f"no: {one.conflict}" if one.conflict else "yes"
        state = f"{one.state}: {one.reason}" if one.reason else one.state
        stores = "?" if one.stores is None else str(one.stores)
        check = "?" if one.check is None else one.check
        cells = (one.id, one.kind, one.distribution, one.version, one.origin, compatible, state, check, stores)
        table.add_row(*map(escape, cells), escape(", ".join(one.personal or ())))
    Console().print(table)
    if any(one.stores is None for one in entries):
        typer.echo("No database can be reached, so neither stores nor checks are known.")


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
    console = Console(soft_wrap=True, highlight=False)
    for name, one in found.items():
        dist = wanted[name]
        whence = f"{dist.name} {dist.version}, {distributions.origin(dist)}"
        console.print(f"[bold]{escape(name)}[/] {escape(whence)}")
        for said in _said(one):
            console.print(f"  {said}")


def _said(one: Contents) -> Iterator[str]:
    """What there is to know of a distribution, a line each."""
    if not one.recorded:
        yield "[bold red]it does not say which files it has[/]"
    for file in one.pth:
        yield f"[bold red]{escape(file)} runs at every start of Python, whether the plugin is used or not[/]"
    for file in one.stray:
        yield f"[bold red]{escape(file)} lies outside its own package[/]"
    for what, names in (
        ("installs the commands", one.scripts),
        ("hooks into", one.entry_points),
        ("has compiled code", one.native),
        ("needs", one.requires),
    ):
        if names:
            yield f"{what}: {escape(', '.join(names))}"
    if one.clean:
        yield "[green]keeps to its own package[/]"


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
    if name in registry.quarantined:
        state, reason = "quarantined", registry.quarantined[name].reason
    else:
        state, reason = stored.state(name) if stored is not None else ("ok", "")
    return Entry(
        id=name,
        kind=registry[name].manifest.kind if name in registry else "",
        distribution=dist.name,
        version=dist.version,
        origin=str(distributions.origin(dist)),
        conflict=compatibility.conflict(dist),
        state=state,
        reason=reason,
        stores=None if stored is None else stored.stores(name),
        personal=None if stored is None else stored.personal(name),
        check=None if stored is None else stored.check(name, dist.version),
    )


def _forgotten(installed: Mapping[str, Distribution], stored: _Stored | None) -> list[str]:
    if stored is None:
        return []
    known = stored.known
    return sorted({*known.dormant, *known.enabled, *known.closing} - installed.keys())


def _left_behind(name: str, stored: _Stored | None) -> Entry:
    assert stored is not None  # noqa: S101 - only a database knows of it
    return Entry(name, "", "", "", "", None, GONE, "", stored.stores(name), stored.personal(name), "")


def _stored(registry: Registry) -> _Stored | None:
    """What the database knows, if it can be reached; it is neither started nor changed."""
    with reachable() as database:
        if database is None:
            return None
        with database.ops.connect() as ops:
            known = presence.read(ops, database.urls.roles, registry)
        merging = {plugin.id for plugin in registry if plugin.overrides("merge_members")}
        try:
            reasons = checks.check(database, sources(registry), away=registry.quarantined, merging=merging)
        except BootError:
            reasons = {}
        return _Stored(known, reasons)
