"""What a plugin has in a store, read past every policy, and how two such states differ."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

# Of core's tables those that keep something for a plugin; where it stands in the log and how it is set are not
# effects of what happened.
TABLES = """
    SELECT n.nspname, c.relname, array_agg(a.attname::text ORDER BY a.attnum)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN (%(plugin)s, 'core')
    GROUP BY n.nspname, c.relname
    HAVING bool_or(a.attname = 'tenant_id')
       AND (n.nspname = %(plugin)s OR bool_or(a.attname = 'plugin'))
       AND NOT (n.nspname = 'core' AND c.relname IN ('activation', 'cursor', 'slot', 'audit', 'attempt', 'budget'))
    ORDER BY 1, 2
"""
EVENTS = """
    SELECT type, member_id, data FROM core.event
    WHERE tenant_id = %(tenant)s AND source = 'plugin:' || %(plugin)s
"""
# Which of its stripes is written to depends on the connection.
BUDGET = """
    SELECT month::text, sum(spent)::bigint FROM core.budget
    WHERE tenant_id = %(tenant)s AND plugin = %(plugin)s GROUP BY month HAVING sum(spent) <> 0
"""
NAMES = "SELECT member_id, value FROM core.identity WHERE tenant_id = %(tenant)s AND kind = 'shop'"

Row = Mapping[str, Any]
Noise = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class State:
    """Rows by table; members go by the name that the shop has for them."""

    tables: Mapping[str, tuple[Row, ...]]

    def rows(self, table: str, noise: Noise = frozenset()) -> Counter[str]:
        """The rows of a table without the columns that differ each time, each as often as it is there."""
        return Counter(
            json.dumps(
                {name: value for name, value in row.items() if (table, name) not in noise},
                sort_keys=True,
                ensure_ascii=False,
            )
            for row in self.tables.get(table, ())
        )

    @property
    def empty(self) -> bool:
        """Whether nothing at all is there."""
        return not any(self.tables.values())


def read(admin_url: str, tenant: int, plugin: str) -> State:
    """All that a plugin has in a store."""
    binds = {"tenant": tenant, "plugin": plugin}
    tables: dict[str, tuple[Row, ...]] = {}
    with psycopg.connect(admin_url) as admin:
        names: dict[int, str] = dict(admin.execute(NAMES, binds).fetchall())
        for schema, name, columns in admin.execute(TABLES, binds).fetchall():
            where: sql.Composable = sql.SQL("t.tenant_id = %(tenant)s")
            if schema == "core":
                where += sql.SQL(" AND t.plugin = %(plugin)s")
            wanted = sql.SQL("SELECT to_jsonb(t) - 'tenant_id' FROM {} t WHERE ").format(
                sql.Identifier(schema, name)
            )
            found = [row for (row,) in admin.execute(wanted + where, binds).fetchall()]
            members = [one for one in columns if one == "member_id" or one.endswith("_member_id")]
            for row in found:
                row.update({one: names.get(row[one], row[one]) for one in members})
            tables[f"{schema}.{name}"] = tuple(found)
        tables["its events"] = tuple(
            {"type": kind, "member_id": names.get(member, member), "data": data}
            for kind, member, data in admin.execute(EVENTS, binds).fetchall()
        )
        tables["its budget"] = tuple(
            {"month": month, "spent": spent} for month, spent in admin.execute(BUDGET, binds).fetchall()
        )
    return State(tables)


def noise(one: State, other: State) -> Noise:
    """The columns whose values differ between two stores in which the same happened: instants, numbers, chance."""
    found = set()
    for table in one.tables.keys() | other.tables.keys():
        mine, theirs = one.tables.get(table, ()), other.tables.get(table, ())
        for column in {name for row in (*mine, *theirs) for name in row}:
            values = [
                Counter(json.dumps(row.get(column), sort_keys=True) for row in rows) for rows in (mine, theirs)
            ]
            if values[0] != values[1]:
                found.add((table, column))
    return frozenset(found)


def _values(rows: Iterable[Row], column: str) -> Counter[str]:
    return Counter(json.dumps(row.get(column), sort_keys=True) for row in rows)


def differences(wanted: State, found: State, ignored: Noise = frozenset()) -> Iterable[str]:
    """A sentence for each table whose rows differ."""
    for table in sorted(wanted.tables.keys() | found.tables.keys()):
        expected, there = wanted.rows(table, ignored), found.rows(table, ignored)
        missing, extra = expected - there, there - expected
        if missing or extra:
            parts = [
                f"{rows.total()} row(s) {word}, such as {next(iter(rows))}"
                for rows, word in ((missing, "missing"), (extra, "too many"))
                if rows
            ]
            yield f"{table}: {'; '.join(parts)}"
