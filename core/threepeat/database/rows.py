"""Streams the rows of tables whose columns nobody knew beforehand, as JSON texts, without what is secret."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, text

from threepeat.database.personal import JSONS, Column, TenantTable, quoted

CHUNK = 100
"""Rows that are in memory at a time: an event may have a quarter of a megabyte."""

SEALED = "sealed."
"""How a sealed secret begins; it is exported as null."""

HASHES = frozenset({"password_hash"})
"""Columns of core that hold a hash as text."""

# A phone stands there as a keyed hash, which tells nobody anything.
SPECIAL = {("core", "identity", "value"): "CASE WHEN t.kind <> 'phone' THEN t.value END"}

READABLE = text("""
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
""")


def shown(table: TenantTable) -> list[Column]:
    """The columns that are exported: not the tenant, nor the hashes, keys and stored answers of core."""
    return [
        column
        for column in table.columns
        if column.name != "tenant_id"
        and not (table.schema == "core" and (column.kind == "bytea" or column.name in HASHES))
    ]


def stream(connection: Connection, table: TenantTable, condition: str, binds: Mapping[str, Any]) -> Iterator[str]:
    """A table's rows in the order of their key, each a JSON object.

    Args:
        condition: SQL about the table `t`.
        binds: What it and `:tenant` are bound to.
    """
    columns = ", ".join(f"{_value(table, column)} AS {quoted(column.name)}" for column in shown(table))
    order = f"ORDER BY {table.order}" if table.order else ""
    statement = text(f"""
        SELECT CAST(to_json(r) AS text) FROM (
            SELECT {columns} FROM {table.quoted} t WHERE t.tenant_id = :tenant AND {condition} {order}
        ) r
    """)  # noqa: S608 - the names are the catalogue's, quoted
    result = connection.execute(statement, dict(binds), execution_options={"yield_per": CHUNK})
    yield from result.scalars()


def readable(connection: Connection) -> set[tuple[str, str]]:
    """The tables that the session's role may read, by schema and name."""
    return {(row.nspname, row.relname) for row in connection.execute(READABLE)}


def _value(table: TenantTable, column: Column) -> str:
    name = f"t.{quoted(column.name)}"
    special = SPECIAL.get((table.schema, table.name, column.name))
    if special is not None:
        return special
    if column.is_array:
        return name
    if column.kind == "bytea":
        return f"encode({name}, 'base64')"
    if column.is_text:
        return f"CASE WHEN NOT starts_with(CAST({name} AS text), '{SEALED}') THEN {name} END"
    if column.kind in JSONS:
        return (
            f"CAST(regexp_replace(CAST({name} AS text), '\"{SEALED.replace('.', '[.]')}[^\"]*\"', 'null', 'g')"
            " AS jsonb)"
        )
    return name
