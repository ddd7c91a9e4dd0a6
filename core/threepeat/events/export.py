"""Export: a member's data to take away, and a tenant's to move with; from the catalogue, streamed to a file."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any, Literal

import orjson
import structlog
from sqlalchemy import text

from threepeat.database import rows
from threepeat.database.engine import SET_TENANT, Scope, inside
from threepeat.database.lint import DIRECTORY
from threepeat.database.personal import Column, PersonalTable, personal_tables, tenant_tables
from threepeat.database.redact import brief
from threepeat.events.context import Cause
from threepeat.events.platform import Platform
from threepeat.events.sheets import ENCODING, cell
from threepeat.tenancy import switches
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant

Form = Literal["json", "csv"]

LEFT_OUT = {
    "core.idempotency": "answers that are kept for a few days, to be repeated",
    "core.staff_link": "sign-in links, which work here and for hours only",
    "core.staff_session": "who is signed in right now",
    "core.tombstone": "keyed hashes of erased identities; they mean nothing elsewhere",
}
"""Tables that a tenant's export does not hold, and why."""

IDS = text("""
    SELECT id FROM core.member
    WHERE tenant_id = :tenant AND (id = :id OR merged_into = :id) AND erase_requested_at IS NULL
    ORDER BY id = :id DESC
""")

Report = Callable[[str, int], None]
"""Takes a table and how many of its rows were written."""

logger = structlog.get_logger(__name__)


class MemberExport:
    """Everything that is stored about one member and those who were merged into it, in every schema.

    Args:
        scope: An open transaction of the app role: row-level security holds it inside the tenant.

    Raises:
        NotFound: The tenant has no such member.
    """

    def __init__(self, platform: Platform, scope: Scope, tenant: Tenant, member_id: int) -> None:
        self._platform = platform
        self._scope = scope
        self._tenant = tenant
        self._ids = [row.id for row in scope.run(IDS, id=member_id)]
        if not self._ids:
            raise NotFound("there is no such member")
        may_read = rows.readable(scope.connection)
        found = personal_tables(scope.connection)
        self._tables = [one for one in found if (one.table.schema, one.table.name) in may_read]
        self._missing = [str(one) for one in found if one not in self._tables]

    def write(self, file: IO[bytes], form: Form) -> None:
        """Write it as one JSON object, or as a zip with a CSV file for each table."""
        if form == "json":
            self._write_json(file)
        else:
            self._write_csv(file)

    def _write_json(self, file: IO[bytes]) -> None:
        own = self._own()
        head = {**self._head(), "plugins": own}
        file.write(orjson.dumps(head)[:-1] + b',"tables":{')
        between = b""
        for table in self._tables:
            opening = between + orjson.dumps(str(table)) + b":["
            for line in self._rows(table):
                file.write(opening + line.encode())
                opening = b","
            if opening == b",":
                file.write(b"]")
                between = b","
        file.write(b"}}")

    def _write_csv(self, file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for table in self._tables:
                lines = self._rows(table)
                first = next(lines, None)
                if first is not None:
                    with archive.open(f"{table}.csv", "w", force_zip64=True) as entry:
                        _write_table(entry, rows.shown(table.table), _chain(first, lines))
            own = self._own()
            archive.writestr("export.json", orjson.dumps({**self._head(), "plugins": own}))

    def _rows(self, table: PersonalTable) -> Iterator[str]:
        condition = f't."{table.member}" = ANY(CAST(:ids AS bigint[]))'
        binds = {"tenant": self._scope.tenant_id, "ids": self._ids}
        return rows.stream(self._scope.connection, table.table, condition, binds)

    def _head(self) -> dict[str, Any]:
        head = {"store": self._tenant.store.slug, "exported_at": datetime.now(UTC).isoformat()}
        return {**head, "missing": self._missing} if self._missing else head

    def _own(self) -> dict[str, Any]:
        """What plugins add that stands in no table of theirs."""
        answers: dict[str, Any] = {}
        touched = switches.activations(self._scope)
        opened = self._platform.inside(self._scope, self._tenant)
        for plugin in self._platform.registry:
            if plugin.id in touched and plugin.overrides("export_member"):
                try:
                    with self._scope.plugin_call():
                        context = opened.context(plugin, cause=Cause("export"))
                        said = dict(plugin.plugin.export_member(context, self._ids[0]))
                    answers[plugin.id] = orjson.loads(orjson.dumps(said))
                except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
                    self._missing.append(plugin.id)
                    logger.error(
                        "plugin did not export",
                        tenant=self._tenant.store.slug,
                        plugin=plugin.id,
                        error=brief(error),
                    )
        return answers


def write_tenant(
    platform: Platform, tenant: Tenant, file: IO[bytes], report: Report = lambda _table, _rows: None
) -> dict[str, Any]:
    """Write everything of a tenant as a zip: JSON lines for each table, and a manifest. All as of one instant.

    Secrets are left out: API keys, sealed settings, keyed hashes.

    Returns:
        The manifest.
    """
    manifest: dict[str, Any] = {
        "store": {
            "slug": tenant.store.slug,
            "name": tenant.store.name,
            "plan": tenant.plan,
            "currency": tenant.store.currency,
            "timezone": str(tenant.store.timezone),
        },
        "exported_at": datetime.now(UTC).isoformat(),
        "tables": {},
        "left_out": dict(LEFT_OUT),
    }
    with (
        _snapshot(platform, tenant) as scope,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        may_read = rows.readable(scope.connection)
        for table in tenant_tables(scope.connection):
            if str(table) in LEFT_OUT or (table.schema == "core" and table.name in DIRECTORY):
                continue
            if (table.schema, table.name) not in may_read:
                manifest["left_out"][str(table)] = "the app role may not read it"
                continue
            count = 0
            with archive.open(f"{table}.jsonl", "w", force_zip64=True) as entry:
                for line in rows.stream(scope.connection, table, "true", {"tenant": tenant.id}):
                    entry.write(line.encode() + b"\n")
                    count += 1
                    if count % 1000 == 0:
                        report(str(table), count)
            report(str(table), count)
            columns = [column.name for column in rows.shown(table)]
            hidden = [c.name for c in table.columns if c.name not in {*columns, "tenant_id"}]
            manifest["tables"][str(table)] = {"rows": count, "columns": columns, "left_out": hidden}
        archive.writestr("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False))
    return manifest


def _write_table(entry: IO[bytes], columns: list[Column], lines: Iterator[str]) -> None:
    with io.TextIOWrapper(entry, encoding=ENCODING, newline="", write_through=True) as text_file:
        writer = csv.writer(text_file)
        writer.writerow([column.name for column in columns])
        for line in lines:
            row: Mapping[str, Any] = json.loads(line, parse_float=Decimal)
            writer.writerow([cell(row[column.name], harmless=column.plain) for column in columns])


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


@contextmanager
def _snapshot(platform: Platform, tenant: Tenant) -> Iterator[Scope]:
    """A transaction of the app role inside the tenant that sees one instant throughout."""
    with platform.database.app.connect() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            connection.execute(SET_TENANT, inside(tenant.id, tenant.clock_offset))
            yield Scope(connection, tenant.id)
