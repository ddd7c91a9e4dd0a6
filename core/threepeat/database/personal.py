"""Reads the catalogue of a live database: which tables hold a member's data, and what erasure does to them.

The answer needs no plugin's code, so it is the same for a plugin that is off, quarantined or gone.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

PLAIN = frozenset(
    {
        *("bool", "int2", "int4", "int8", "float4", "float8", "numeric", "money", "oid"),
        *("date", "time", "timetz", "timestamp", "timestamptz", "interval"),
    }
)
"""Types that hold no words: amounts, counts, instants and flags are what the ledger is made of, and stay."""

TEXTS = frozenset({"text", "varchar", "bpchar", "citext", "name"})
JSONS = frozenset({"json", "jsonb"})

TABLES = text("""
    SELECT c.oid, n.nspname, c.relname, obj_description(c.oid, 'pg_class') AS comment
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND EXISTS (SELECT FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
    ORDER BY n.nspname, c.relname
""")
# A domain or an array is told by what is inside it.
COLUMNS = text("""
    WITH RECURSIVE inner_type AS (
        SELECT oid, oid AS inside, false AS is_array FROM pg_type
        UNION ALL
        SELECT i.oid, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END,
               i.is_array OR t.typtype <> 'd'
        FROM inner_type i JOIN pg_type t ON t.oid = i.inside
        WHERE t.typtype = 'd' OR (t.typcategory = 'A' AND t.typelem <> 0)
    )
    SELECT a.attrelid, a.attname, t.typname, t.typtype, i.is_array, a.attnotnull OR d.typnotnull AS required,
           a.attgenerated <> '' AS generated,
           CASE WHEN t.typname IN ('varchar', 'bpchar') AND coalesce(nullif(a.atttypmod, -1), d.typtypmod) > 4
                THEN coalesce(nullif(a.atttypmod, -1), d.typtypmod) - 4 END AS length,
           x.place
    FROM pg_attribute a
    JOIN pg_type d ON d.oid = a.atttypid
    JOIN inner_type i ON i.oid = a.atttypid
    JOIN pg_type t ON t.oid = i.inside AND t.typtype <> 'd' AND NOT (t.typcategory = 'A' AND t.typelem <> 0)
    LEFT JOIN LATERAL (
        SELECT array_position(CAST(k.indkey AS int2[]), a.attnum) AS place FROM pg_index k
        WHERE k.indrelid = a.attrelid AND k.indisprimary
    ) x ON true
    WHERE a.attrelid = ANY(CAST(:tables AS oid[])) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
""")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as erasure and export see it.

    Attributes:
        kind: Name of the type, or of what is inside it for a domain or an array; `enum` for every enumeration.
        is_array: It holds many of them.
        required: It may not be null.
        generated: PostgreSQL computes it from the others.
        length: Most characters that it takes; None is no limit.
        key: Its place in the primary key, from 0; None outside it.
    """

    name: str
    kind: str
    is_array: bool
    required: bool
    generated: bool
    length: int | None
    key: int | None

    @property
    def plain(self) -> bool:
        """It can hold no words."""
        return self.kind in PLAIN or self.kind == "enum"

    @property
    def is_text(self) -> bool:
        """One text, not many."""
        return self.kind in TEXTS and not self.is_array


@dataclass(frozen=True, slots=True)
class TenantTable:
    """A table with a tenant's rows."""

    schema: str
    name: str
    comment: str | None
    columns: tuple[Column, ...] = field(repr=False)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> str:
        """Its name in SQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def order(self) -> str:
        """The columns of its primary key in SQL, the tenant left out."""
        keyed = sorted((c for c in self.columns if c.key is not None), key=lambda column: column.key or 0)
        return ", ".join(quoted(column.name) for column in keyed if column.name != "tenant_id")

    def column(self, name: str) -> Column | None:
        """A column by name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True)
class PersonalTable:
    """A table with members' data, as its comment marks it.

    Attributes:
        member: The column with core's member id.
        action: `delete`, `anonymise` or `keep`.
        reason: Why its rows are kept.
        keeps: Text columns that anonymising leaves alone.
    """

    table: TenantTable
    member: str
    action: str
    reason: str = ""
    keeps: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return str(self.table)

    @property
    def scrubbed(self) -> tuple[Column, ...]:
        """The columns that anonymising changes, the member's apart."""
        return tuple(
            column
            for column in self.table.columns
            if not column.plain
            and not column.generated
            and column.name not in self.keeps
            and column.name not in {self.member, "tenant_id"}
        )


def tenant_tables(connection: Connection) -> list[TenantTable]:
    """Every table with a tenant_id, of every schema, by name."""
    found = connection.execute(TABLES).all()
    columns: dict[int, list[Column]] = defaultdict(list)
    for row in connection.execute(COLUMNS, {"tables": [table.oid for table in found]}):
        kind = "enum" if row.typtype == "e" else row.typname
        columns[row.attrelid].append(
            Column(row.attname, kind, row.is_array, row.required, row.generated, row.length, row.place)
        )
    return [TenantTable(row.nspname, row.relname, row.comment, tuple(columns[row.oid])) for row in found]


def personal_tables(connection: Connection, *, schemas: Collection[str] | None = None) -> list[PersonalTable]:
    """Every table that holds members' data, by name; of some schemas only, if asked."""
    found = marked(tenant_tables(connection))
    return [table for table in found if schemas is None or table.table.schema in schemas]


def marked(tables: Iterable[TenantTable]) -> list[PersonalTable]:
    """Those of some tables whose comment marks members' data."""
    return [table for table in map(read_comment, tables) if table is not None]


def read_comment(table: TenantTable) -> PersonalTable | None:
    """What a table's comment says of it; None if it marks no personal data.

    A comment that cannot be read marks none: the boot checks name such a table.
    """
    try:
        said: Any = json.loads(table.comment or "")
    except ValueError:
        return None
    if not isinstance(said, dict) or table.column(str(said.get("member"))) is None:
        return None
    if said.get("on_erase") not in {"delete", "anonymise", "keep"}:
        return None
    keeps = frozenset(map(str, said.get("keeps") or ()))
    return PersonalTable(table, said["member"], said["on_erase"], str(said.get("reason") or ""), keeps)


def quoted(name: str) -> str:
    """An identifier in the text of a statement."""
    return '"' + name.replace('"', '""').replace(":", "\\:") + '"'
