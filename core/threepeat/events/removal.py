"""Removal of a whole tenant: every row of every schema, in batches; killed, it can be taken up again."""

import secrets
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter

import structlog
from sqlalchemy import Connection, text

from threepeat.database.lint import DIRECTORY
from threepeat.database.personal import TenantTable, tenant_tables
from threepeat.database.settle import settled
from threepeat.events import erasure_list
from threepeat.events.erasure_list import Entry
from threepeat.events.platform import Platform
from threepeat.tenancy.tenants import Tenant

BATCH = 10_000
PAUSE = 0.2
LEASE_SECONDS = 3700.0
"""The longest lease that a worker's configuration allows, and a little more."""

SUSPEND = text("""
    UPDATE core.tenant SET suspended_at = coalesce(suspended_at, transaction_timestamp()) WHERE id = :tenant
""")
# Without its row no worker can claim the tenant; one that is serving it keeps the row until it is done.
UNCLAIM = text("DELETE FROM core.turn WHERE tenant_id = :tenant AND leased_until <= clock_timestamp()")
CLAIMED = text("SELECT EXISTS (SELECT FROM core.turn WHERE tenant_id = :tenant)")
REFERENCES = text("""
    SELECT n.nspname, c.relname, fn.nspname AS to_schema, f.relname AS to_table
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
    WHERE k.contype = 'f' AND k.conrelid <> k.confrelid AND NOT c.relispartition AND NOT f.relispartition
""")
END = (
    text("DELETE FROM core.backlog WHERE tenant_id = :tenant"),
    text("DELETE FROM core.turn WHERE tenant_id = :tenant"),
    text("DELETE FROM core.tenant WHERE id = :tenant"),
)

Report = Callable[[str, int], None]
"""Takes a table and how many of its rows have gone."""

logger = structlog.get_logger(__name__)


class StillServedError(Exception):
    """Somebody is still working for the tenant; try again."""


def remove(
    platform: Platform,
    tenant: Tenant,
    *,
    by: str,
    removal_id: str | None = None,
    report: Report = lambda _table, _rows: None,
) -> int:
    """Delete everything of a tenant. Killed, it is taken up again by another call.

    The tenant is suspended first and listed beside the database, so that a restore does not bring it back.

    Args:
        by: The role that asks.
        removal_id: Of the list's entry that is done again.
        report: Told after every batch.

    Returns:
        How many rows are gone.

    Raises:
        StillServedError: A worker or a request does not let go of the tenant.
        OSError: The erasure list cannot be written; nothing was deleted.
    """
    entry = Entry(
        kind="tenant",
        id=removal_id or secrets.token_hex(16),
        tenant=tenant.id,
        slug=tenant.store.slug,
        at=datetime.now(UTC).isoformat(),
        by=by,
    )
    if removal_id is None:
        erasure_list.append(platform.erasures, entry)
    _close(platform, tenant)
    total = 0
    with platform.database.ops.connect() as connection:
        for table in _children_first(connection, tenant_tables(connection)):
            total += _empty(connection, table, tenant.id, report)
        for statement in END:
            connection.execute(statement, {"tenant": tenant.id})
        connection.commit()
    logger.info("tenant removed", tenant=tenant.store.slug, rows=total)
    return total


def rows(platform: Platform, tenant: Tenant) -> dict[str, int]:
    """About how many rows each of a tenant's tables holds, for a progress bar."""
    with platform.database.ops.connect() as connection:
        tables = _children_first(connection, tenant_tables(connection))
        counts = ", ".join(
            f"(SELECT count(*) FROM {table.quoted} WHERE tenant_id = :tenant) AS n{number}"  # noqa: S608
            for number, table in enumerate(tables)
        )
        found = connection.execute(text(f"SELECT {counts}"), {"tenant": tenant.id}).one()
    return {str(table): count for table, count in zip(tables, found, strict=True)}


def _close(platform: Platform, tenant: Tenant) -> None:
    """Let nobody begin to work for the tenant, and wait for those who do."""
    with platform.database.ops.begin() as connection:
        connection.execute(SUSPEND, {"tenant": tenant.id})
    until = time.monotonic() + LEASE_SECONDS
    claimed = True
    while claimed:
        with platform.database.ops.begin() as connection:
            connection.execute(UNCLAIM, {"tenant": tenant.id})
            claimed = connection.execute(CLAIMED, {"tenant": tenant.id}).scalar_one()
        if claimed:
            if time.monotonic() > until:
                raise StillServedError(f"a worker does not let go of {tenant.store.slug}")
            time.sleep(PAUSE)
    if not settled(platform.database, 120):
        raise StillServedError(f"a request for {tenant.store.slug} does not end")


def _empty(connection: Connection, table: TenantTable, tenant_id: int, report: Report) -> int:
    """Delete a tenant's rows of a table, each batch committed."""
    batch = text(f"""
        DELETE FROM {table.quoted} WHERE tenant_id = :tenant AND ctid = ANY(ARRAY(
            SELECT ctid FROM {table.quoted} WHERE tenant_id = :tenant LIMIT {BATCH}))
    """)  # noqa: S608 - the names are the catalogue's, quoted
    total = 0
    while True:
        gone = connection.execute(batch, {"tenant": tenant_id}).rowcount
        connection.commit()
        total += gone
        report(str(table), total)
        if gone == 0:
            return total


def _children_first(connection: Connection, tables: Sequence[TenantTable]) -> list[TenantTable]:
    """The tables with a tenant's data, those that refer to others before them."""
    known = {(t.schema, t.name): t for t in tables if t.schema != "core" or t.name not in DIRECTORY}
    order: TopologicalSorter[tuple[str, str]] = TopologicalSorter(dict.fromkeys(known, ()))
    for schema, name, to_schema, to_table in connection.execute(REFERENCES):
        if (schema, name) in known and (to_schema, to_table) in known:
            order.add((to_schema, to_table), (schema, name))
    try:
        names = list(order.static_order())
    except CycleError:
        # Tables that refer to each other in a circle have a clause that lets one of them go first.
        names = sorted(known)
    return [known[name] for name in names]
