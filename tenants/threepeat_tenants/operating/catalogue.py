"""The plugin catalogue: what is installed, where it comes from, how it stands and what it keeps about people."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import Literal

from sqlalchemy import Connection

from threepeat.database.personal import PersonalTable
from threepeat.events import plugin_checks, presence
from threepeat.events.platform import Platform
from threepeat.events.plugin_checks import PluginCheck, Standing
from threepeat.plugins import distributions

PluginState = Literal["ok", "quarantined", "pending", "ahead", "dormant"]


@dataclass(frozen=True, slots=True)
class PersonalData:
    """A table that holds members' data.

    Attributes:
        on_erase: What erasure does to a member's rows: `delete`, `anonymise` or `keep`.
        reason: Why they are kept.
    """

    table: str
    on_erase: str
    reason: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin, as far as anything is known of it.

    Attributes:
        title: For people; the id of one that cannot be loaded.
        kind: `tactic`, `service`, or empty for one that cannot be loaded.
        distribution: Name of the Python distribution.
        origin: Where that was installed from: `index`, `folder`, or the host of an address.
        state: `dormant` means that its tables are there and its code is not.
        reason: Why it may not run.
        personal: The tables with members' data, of a plugin that cannot be loaded too.
        enabled: In how many stores it is on.
        closing: In how many stores it is closing.
        check: What came of its newest check that was recorded, of whichever version.
        checked: How it stands to that; of one that is not installed nothing is said.
    """

    id: str
    title: str
    kind: str
    distribution: str
    version: str
    origin: str
    state: PluginState
    reason: str
    requires: tuple[str, ...]
    personal: tuple[PersonalData, ...]
    enabled: int
    closing: int
    check: PluginCheck | None
    checked: Standing | None


def catalogue(ops: Connection, platform: Platform) -> Sequence[Entry]:
    """Every plugin that is installed, and those whose tables are left."""
    registry = platform.registry
    known = presence.read(ops, platform.database.urls.roles, registry)
    # A quarantined plugin's schema looks as if its code were gone.
    names = [one.id for one in registry] + sorted({*known.dormant, *registry.quarantined})
    return [_entry(name, platform, known) for name in names]


def _entry(name: str, platform: Platform, known: presence.Presence) -> Entry:
    registry = platform.registry
    manifest = registry[name].manifest if name in registry else None
    away = registry.quarantined.get(name)
    source = registry[name].distribution if name in registry else away.distribution if away else ""
    present, origin = _installed(source)
    # What runs is what was loaded, whatever has been installed since.
    version = registry[name].version if name in registry else present
    state: PluginState = "quarantined"
    if away is None:
        state = known.states[name].value if name in known.states else "ok"
    return Entry(
        id=name,
        title=manifest.title if manifest else name,
        kind=manifest.kind if manifest else "",
        distribution=source,
        version=version,
        origin=origin,
        state=state,
        reason=away.reason if away else "",
        requires=tuple(manifest.requires) if manifest else (),
        personal=tuple(map(_personal, known.personal.get(name, ()))),
        enabled=known.enabled.get(name, 0),
        closing=known.closing.get(name, 0),
        check=known.checks.get(name),
        checked=plugin_checks.standing(known.checks.get(name), version) if version else None,
    )


def _personal(table: PersonalTable) -> PersonalData:
    return PersonalData(str(table), table.action, table.reason)


def _installed(name: str) -> tuple[str, str]:
    """A distribution's version, and where it came from; empty for none."""
    try:
        found = distribution(name) if name else None
    except PackageNotFoundError:
        found = None
    return (found.version, distributions.origin(found).brief) if found else ("", "")
