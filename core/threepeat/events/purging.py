"""What a plugin leaves behind: uninstalled, it keeps all of its data until somebody purges it."""

import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection, Engine, text

from threepeat.database.engine import Scope
from threepeat.database.personal import quoted
from threepeat.sdk.manifest import PLUGIN_ID, RESERVED_IDS
from threepeat.tenancy import audit
from threepeat.tenancy.errors import Conflict, Invalid, NotFound

FORGOTTEN = ("activation", "allowance", "attempt", "cursor", "dead_letter", "plugin_check", "timer")
"""Tables of core whose rows go with a plugin: how it is set, where it stands, what waits for it, and its check."""

KEPT = {
    "core.reward": "what members were given belongs to the books of the plugins that keep it",
    "core.budget": "what that cost is part of the store's accounts",
    "core.event": "the log is never rewritten",
    "core.audit": "the trail is never rewritten",
}
"""What stays of a plugin, and why."""

CHUNK = 1000

SCHEMA = text("""
    SELECT EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = 'alembic_version') AS ours
    FROM pg_namespace n WHERE n.nspname = :plugin
""")
TABLES = text("""
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = :plugin AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> 'alembic_version'
    ORDER BY 1
""")
STORES = text("""
    SELECT t.slug FROM core.activation a JOIN core.tenant t ON t.id = a.tenant_id
    WHERE a.plugin = :plugin AND a.state <> 'off' ORDER BY 1
""")
TOUCHED = text("SELECT DISTINCT tenant_id FROM core.activation WHERE plugin = :plugin ORDER BY 1")
ALONE = text("LOCK TABLE core.activation IN SHARE ROW EXCLUSIVE MODE")
# Core asks in the name of a closing plugin whether it owes anything.
ASKING = text("DELETE FROM core.timer WHERE plugin = 'core' AND name = 'closing' AND key = :plugin")
IMPATIENT = text("SET LOCAL lock_timeout = '10s'")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Remains:
    """What is there of a plugin.

    Attributes:
        tables: How many rows each of its own tables holds, and each of core's that would go with it.
        stores: Where it is on or closing.
    """

    plugin: str
    tables: Mapping[str, int]
    stores: tuple[str, ...]


def remains(connection: Connection, plugin: str) -> Remains:
    """Look at what is there of a plugin, installed or not.

    Raises:
        Invalid: This is no plugin's id, or its schema is not one that Threepeat has made.
        NotFound: Nothing is there of it.
    """
    tables = _tables(connection, plugin)
    counts = {name: _count(connection, name, where, plugin) for name, where in tables.items()}
    kept = {name: rows for name, rows in counts.items() if rows or not name.startswith("core.")}
    if not kept and not connection.execute(SCHEMA, {"plugin": plugin}).first():
        raise NotFound(f"nothing is there of a plugin {plugin!r}")
    stores = connection.execute(STORES, {"plugin": plugin}).scalars()
    return Remains(plugin, kept, tuple(stores))


def purge(owner: Engine, plugin: str, *, installed: bool, export: Path | None, by: str) -> Remains:
    """Write all that is there of a plugin into a file, and delete it; both or neither.

    Args:
        owner: The owner role's engine.
        plugin: The plugin's id.
        installed: Its code is here; then no store may have it on.
        export: A zip with JSON lines for each table; None writes none. It must not be there yet.
        by: Who does it.

    Returns:
        What was there.

    Raises:
        Conflict: It is installed and on in a store; the message names them. Or the file is there already.
        Invalid: This is no plugin's id, or its schema is not one that Threepeat has made.
        NotFound: Nothing is there of it.
    """
    if export is not None and export.exists():
        raise Conflict("exists", f"{export} is there already: choose another name")
    with owner.begin() as connection:
        connection.execute(IMPATIENT)
        connection.execute(ALONE)
        found = remains(connection, plugin)
        if installed and found.stores:
            raise Conflict(
                "on", f"{plugin!r} is installed and on in {', '.join(found.stores)}: switch it off there first"
            )
        tables = _tables(connection, plugin)
        for name in tables:
            if not name.startswith("core."):
                connection.execute(text(f"LOCK TABLE {_quoted(name)} IN ACCESS EXCLUSIVE MODE"))
        draft = _written(connection, plugin, tables, export) if export is not None else None
        try:
            _delete(connection, plugin, tables, by)
            if draft is not None and export is not None:
                # In place before the rows are gone: a crash in between leaves both, never neither.
                draft.rename(export)
        except BaseException:
            if draft is not None:
                draft.unlink(missing_ok=True)
            raise
    logger.info("plugin purged", plugin=plugin, rows=sum(found.tables.values()))
    return found


def _delete(connection: Connection, plugin: str, tables: Mapping[str, str], by: str) -> None:
    touched = connection.execute(TOUCHED, {"plugin": plugin}).scalars().all()
    for name, where in tables.items():
        if name.startswith("core."):
            connection.execute(text(f"DELETE FROM {name} t WHERE {where}"), {"plugin": plugin})  # noqa: S608
    connection.execute(ASKING, {"plugin": plugin})
    connection.execute(text(f"DROP SCHEMA IF EXISTS {quoted(plugin)} CASCADE"))
    for tenant in touched:
        audit.record(Scope(connection, tenant), by, "plugin.purged", plugin)
    audit.record_for_operators(connection, by, "plugin.purged", plugin)


def _tables(connection: Connection, plugin: str) -> dict[str, str]:
    """The tables with something of a plugin's, each with the condition that finds it."""
    if not PLUGIN_ID.fullmatch(plugin) or plugin in RESERVED_IDS or plugin.startswith("pg_"):
        raise Invalid("plugin", f"{plugin!r} is no plugin's id")
    schema = connection.execute(SCHEMA, {"plugin": plugin}).first()
    if schema is not None and not schema.ours:
        raise Invalid("plugin", f"the schema {plugin!r} was not made by Threepeat")
    own = connection.execute(TABLES, {"plugin": plugin}).scalars()
    return {
        **{f"{plugin}.{table}": "true" for table in own},
        **{f"core.{table}": "t.plugin = :plugin" for table in FORGOTTEN},
    }


def _count(connection: Connection, table: str, where: str, plugin: str) -> int:
    statement = text(f"SELECT count(*) FROM {_quoted(table)} t WHERE {where}")  # noqa: S608 - the catalogue's names
    return int(connection.execute(statement, {"plugin": plugin} if ":plugin" in where else {}).scalar_one())


def _written(connection: Connection, plugin: str, tables: Mapping[str, str], export: Path) -> Path:
    """Write the rows into a draft beside the export that its owner alone may read."""
    handle, name = tempfile.mkstemp(dir=export.parent, prefix=f".{export.name}-")
    draft = Path(name)
    manifest: dict[str, Any] = {
        "plugin": plugin,
        "exported_at": datetime.now(UTC).isoformat(),
        "revision": _revision(connection, plugin),
        "tables": {},
        "left_in_place": KEPT,
    }
    try:
        with os.fdopen(handle, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for table, where in tables.items():
                    rows = text(f"SELECT CAST(to_json(t) AS text) FROM {_quoted(table)} t WHERE {where}")  # noqa: S608
                    binds = {"plugin": plugin} if ":plugin" in where else {}
                    count = 0
                    with archive.open(f"{table}.jsonl", "w", force_zip64=True) as entry:
                        streamed = connection.execute(rows, binds, execution_options={"yield_per": CHUNK})
                        for line in streamed.scalars():
                            entry.write(line.encode() + b"\n")
                            count += 1
                    manifest["tables"][table] = {"rows": count}
                archive.writestr("manifest.json", orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _revision(connection: Connection, plugin: str) -> str | None:
    if connection.execute(SCHEMA, {"plugin": plugin}).first() is None:
        return None
    version = text(f"SELECT version_num FROM {quoted(plugin)}.alembic_version")  # noqa: S608 - a validated id
    return connection.execute(version).scalar()


def _quoted(table: str) -> str:
    return ".".join(map(quoted, table.split(".")))
