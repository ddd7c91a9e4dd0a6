"""Runs migrations: one schema and one version table for core and for each plugin."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from sqlalchemy import Connection, Engine, text

from threepeat.database.redact import brief
from threepeat.sdk.migrations import Roles

VERSIONED = text("""
    SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = 'alembic_version' ORDER BY 1
""")
LOCK = 0x7EA7  # any constant: one migration runner at a time in a database
ONE_THREAD = threading.Lock()
"""Alembic keeps what it runs in variables of its modules, which two databases of one process would share."""


class State(StrEnum):
    """How a schema stands to its code."""

    OK = "ok"
    PENDING = "pending"
    AHEAD = "ahead"
    DORMANT = "dormant"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the migrations of a schema come from; `versions` is absent for a plugin without tables."""

    schema: str
    versions: Traversable

    @classmethod
    def of_package(cls, schema: str, package: Traversable) -> "Source":
        """The source of a plugin, by the layout that all plugins share."""
        return cls(schema, package / "migrations" / "versions")


CORE = Source("core", files("threepeat.database") / "migrations" / "versions")


@dataclass(frozen=True, slots=True)
class Status:
    """Where a schema is and where its code wants it."""

    schema: str
    state: State
    current: str | None
    head: str | None


def upgrade(owner: Engine, roles: Roles, sources: Sequence[Source], *, revision: str = "head") -> list[Status]:
    """Bring every schema to its newest revision, each in a transaction of its own.

    Returns:
        The states before the run, so that the caller can say what changed.
    """
    before: list[Status] = []
    with owner.connect() as connection, _one_runner(connection):
        for source in sources:
            with _configured(source, connection, roles) as config:
                if config is None:
                    continue
                versioned = connection.execute(VERSIONED).scalars().all()
                current = _versions(connection, [source.schema] if source.schema in versioned else [])
                found = _status(source, config, current.get(source.schema))
                before.append(found)
                if found.current is not None and found.state is State.OK and revision == "head":
                    continue
                connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{source.schema}"'))
                connection.execute(text(f'GRANT USAGE ON SCHEMA "{source.schema}" TO {roles.app}, {roles.ops}'))
                connection.execute(text("SET LOCAL lock_timeout = '5s'"))
                command.upgrade(config, revision)
                connection.execute(
                    text(f'GRANT SELECT ON "{source.schema}".alembic_version TO {roles.app}, {roles.ops}')
                )
                connection.commit()
    return before


def upgrade_all(owner: Engine, roles: Roles, plugins: Sequence[Source]) -> tuple[list[Status], dict[str, str]]:
    """Bring core and every plugin up to date; a plugin that fails stays as it was and stops no other.

    Returns:
        The states before the run, and the reason for each plugin that could not be upgraded.
    """
    before = upgrade(owner, roles, [CORE])
    failed: dict[str, str] = {}
    for source in plugins:
        try:
            before += upgrade(owner, roles, [source])
        except Exception as error:  # noqa: BLE001 - a stranger's migration may raise anything
            failed[source.schema] = f"its migration failed: {_reason(error)}"
    return before, failed


def downgrade(owner: Engine, roles: Roles, source: Source, *, revision: str = "base") -> None:
    """Take a schema back; data in dropped tables is gone."""
    with (
        owner.connect() as connection,
        _one_runner(connection),
        _configured(source, connection, roles) as config,
    ):
        if config is not None:
            command.downgrade(config, revision)
            connection.commit()


def status(connection: Connection, roles: Roles, sources: Sequence[Source]) -> list[Status]:
    """The state of every known schema, and of those whose code is gone."""
    present = connection.execute(VERSIONED).scalars().all()
    known = {source.schema for source in sources}
    current = _versions(connection, [schema for schema in present if schema in known])
    found: list[Status] = []
    for source in sources:
        with _configured(source, connection, roles) as config:
            if config is not None:
                found.append(_status(source, config, current.get(source.schema)))
    return found + [Status(name, State.DORMANT, None, None) for name in present if name not in known]


def _reason(error: Exception) -> str:
    """What a migration failed with; for an error about data, which may quote it, only where."""
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return brief(error) if state.startswith(("22", "23")) else (str(error).splitlines() or [brief(error)])[0]


def _versions(connection: Connection, schemas: Sequence[str]) -> dict[str, str]:
    """The revisions of schemas that have a version table, in one statement."""
    if not schemas:
        return {}
    # The schemas are validated plugin ids.
    each = (f"SELECT '{schema}', version_num FROM \"{schema}\".alembic_version" for schema in schemas)  # noqa: S608
    return {row[0]: row[1] for row in connection.execute(text(" UNION ALL ".join(each)))}


def _status(source: Source, config: Config, current: str | None) -> Status:
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    if current == head:
        state = State.OK
    elif current is None:
        state = State.PENDING
    else:
        try:
            script.get_revision(current)
            state = State.PENDING
        except RevisionError:
            state = State.AHEAD
        except Exception as error:
            if "Can't locate revision" not in str(error):
                raise
            state = State.AHEAD
    return Status(source.schema, state, current, head)


@contextmanager
def _configured(source: Source, connection: Connection, roles: Roles) -> Iterator[Config | None]:
    if not source.versions.is_dir():
        yield None
        return
    with as_file(source.versions) as versions, as_file(files("threepeat.database") / "migrations") as scripts:
        config = Config()
        config.set_main_option("script_location", _escaped(scripts))
        config.set_main_option("version_locations", _escaped(versions))
        config.set_main_option("path_separator", "newline")
        attributes: dict[str, Any] = {"connection": connection, "schema": source.schema, "roles": roles}
        config.attributes.update(attributes)
        yield config


@contextmanager
def _one_runner(connection: Connection) -> Iterator[None]:
    with ONE_THREAD:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
            connection.commit()


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
