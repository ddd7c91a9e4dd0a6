"""The plugin catalogue: what is installed, where it comes from, how it stands and what it keeps about people."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import Connection, text

from threepeat.database import migrate
from threepeat.database.migrate import State
from threepeat.database.personal import PersonalTable, personal_tables
from threepeat.events.platform import Platform, sources

PluginState = Literal["ok", "quarantined", "pending", "ahead", "dormant"]

STORES = text("""
    SELECT plugin, count(*) FILTER (WHERE state = 'enabled') AS enabled,
           count(*) FILTER (WHERE state = 'closing') AS closing
    FROM core.activation WHERE state <> 'off' GROUP BY plugin
""")


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


def catalogue(ops: Connection, platform: Platform) -> Sequence[Entry]:
    """Every plugin that is installed, and those whose tables are left."""
    registry = platform.registry
    schemas = {one.schema: one for one in migrate.status(ops, platform.database.urls.roles, _sources(platform))}
    stores = {row.plugin: (row.enabled, row.closing) for row in ops.execute(STORES)}
    personal: dict[str, list[PersonalData]] = defaultdict(list)
    for table in personal_tables(ops):
        personal[table.table.schema].append(_personal(table))
    entries = [
        Entry(
            id=plugin.id,
            title=plugin.manifest.title,
            kind=plugin.manifest.kind,
            distribution=plugin.distribution,
            version=plugin.version,
            origin=_origin(plugin.distribution),
            state=_state(schemas[plugin.id].state) if plugin.id in schemas else "ok",
            reason="",
            requires=tuple(plugin.manifest.requires),
            personal=tuple(personal[plugin.id]),
            enabled=stores.get(plugin.id, (0, 0))[0],
            closing=stores.get(plugin.id, (0, 0))[1],
        )
        for plugin in registry
    ]
    left = {name: "" for name, one in schemas.items() if one.state is State.DORMANT and name != "core"}
    away = {**left, **{one.id: one.reason for one in registry.quarantined.values()}}
    for name, reason in away.items():
        found = registry.quarantined.get(name)
        origin = found.distribution if found else ""
        entries.append(
            Entry(
                id=name,
                title=name,
                kind="",
                distribution=origin,
                version=_version(origin),
                origin=_origin(origin),
                state="quarantined" if found else "dormant",
                reason=reason,
                requires=(),
                personal=tuple(personal[name]),
                enabled=stores.get(name, (0, 0))[0],
                closing=stores.get(name, (0, 0))[1],
            )
        )
    return entries


def _sources(platform: Platform) -> list[migrate.Source]:
    return [migrate.CORE, *sources(platform.registry)]


def _state(state: State) -> PluginState:
    match state:
        case State.OK:
            return "ok"
        case State.PENDING:
            return "pending"
        case State.AHEAD:
            return "ahead"
        case State.DORMANT:
            return "dormant"


def _personal(table: PersonalTable) -> PersonalData:
    return PersonalData(str(table), table.action, table.reason)


def _version(name: str) -> str:
    try:
        return distribution(name).version if name else ""
    except PackageNotFoundError:
        return ""


def _origin(name: str) -> str:
    """Where a distribution was installed from; never a folder's name, which says more than it helps."""
    try:
        said = distribution(name).read_text("direct_url.json") if name else None
    except PackageNotFoundError:
        return ""
    if not name:
        return ""
    try:
        url = urlsplit(str(json.loads(said)["url"])) if said else None
    except (ValueError, KeyError, TypeError):
        return ""
    if url is None:
        return "index"
    return "folder" if url.scheme == "file" else url.hostname or ""
