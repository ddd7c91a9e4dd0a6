"""Reads the catalogue and names what would keep erasure from a member's data."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from threepeat.database.lint import DIRECTORY, Hole
from threepeat.database.personal import PersonalTable, TenantTable, quoted, read_comment, tenant_tables
from threepeat.database.scrubbing import sample, scrubbed
from threepeat.sdk.migrations import Roles

FREE_TEXT = "Ann 王小明, +86 138 0013 8000"
"""What a CHECK that keeps people out has to refuse."""

FOREIGN_KEYS = text("""
    SELECT k.conname, n.nspname, c.relname, fn.nspname AS to_schema, f.relname AS to_table, k.confdeltype,
           ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY u (n, o)
                 JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o) AS columns,
           ARRAY(SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY u (n, o)
                 JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o) AS to_columns
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class f ON f.oid = k.confrelid JOIN pg_namespace fn ON fn.oid = f.relnamespace
    WHERE k.contype = 'f' AND NOT c.relispartition AND NOT f.relispartition
    ORDER BY 1
""")
CHECKS = text("""
    SELECT n.nspname, c.relname, a.attname, k.convalidated, pg_get_expr(k.conbin, k.conrelid) AS expression
    FROM pg_constraint k
    JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    WHERE k.contype = 'c' AND cardinality(k.conkey) = 1 AND n.nspname !~ '^pg_'
    ORDER BY k.conname
""")
# A permissive policy that is plainly true, and none that restricts.
REACHED = text("""
    SELECT n.nspname, c.relname,
           has_schema_privilege(:ops, n.oid, 'USAGE') AND has_table_privilege(:ops, c.oid, 'SELECT')
           AND has_table_privilege(:ops, c.oid, 'UPDATE') AND has_table_privilege(:ops, c.oid, 'DELETE')
           AND (NOT c.relrowsecurity OR EXISTS (
               SELECT FROM pg_policy p
               WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*' AND p.polroles && mine.roles
                 AND pg_get_expr(p.polqual, c.oid) = 'true'
                 AND coalesce(pg_get_expr(p.polwithcheck, c.oid), 'true') = 'true'))
           AND NOT EXISTS (
               SELECT FROM pg_policy p
               WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polroles && mine.roles) AS reached
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
         (SELECT array_append(array_agg(r.oid), 0::oid) AS roles FROM pg_roles r
          WHERE pg_has_role(:ops, r.oid, 'MEMBER')) AS mine
    WHERE c.relkind IN ('r', 'p')
""")

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key between two tables.

    Attributes:
        pairs: The columns, each with the one that it refers to.
        lets_go: A deleted row takes its referring rows along, or clears them.
    """

    name: str
    source: Name
    target: Name
    pairs: tuple[tuple[str, str], ...]
    lets_go: bool


@dataclass(frozen=True, slots=True)
class Check:
    """A CHECK constraint on one column."""

    column: str
    validated: bool
    expression: str


def faults(connection: Connection, roles: Roles, every: Sequence[TenantTable] | None = None) -> list[Hole]:
    """What would keep erasure from doing what it promises, in every schema; empty if nothing does.

    Args:
        connection: A connection that may read the catalogue.
        roles: The roles of the database.
        every: The tables with a tenant's rows, by whoever has read them already.
    """
    every = tenant_tables(connection) if every is None else every
    tables = [t for t in every if (t.schema, t.name) not in {("core", d) for d in DIRECTORY}]
    marked = {(t.schema, t.name): read for t in tables if (read := read_comment(t)) is not None}
    keys = _foreign_keys(connection)
    checks = _checks(connection)
    reached = {(row.nspname, row.relname): row.reached for row in connection.execute(REACHED, {"ops": roles.ops})}
    found: list[Hole] = []
    for table in tables:
        name = (table.schema, table.name)
        problems = [*_marking(table, marked.get(name))]
        if name in marked:
            if not reached[name]:
                problems.append("the ops role, which erases, may not read and change all its rows")
            if marked[name].action == "anonymise" and name != ("core", "event"):
                problems += _columns(marked[name])
                problems += _texts(connection, marked[name], checks[name], keys, marked)
        problems += [why for key in keys if key.source == name for why in _references(key, marked)]
        found += [Hole(*name, problem) for problem in problems]
    return sorted(found, key=str)


def _marking(table: TenantTable, marked: PersonalTable | None) -> Iterator[str]:
    if marked is None:
        if table.column("member_id") is not None:
            yield "it names members, and no readable comment says what erasure does (make it with personal(…))"
        elif (table.comment or "").startswith('{"member"'):
            yield "its comment cannot be read (make it with personal(…))"
        return
    column = table.column(marked.member)
    if column is None or column.kind != "int8" or column.is_array or column.generated:
        yield f"{marked.member} must be a bigint, for a random number takes the member's place"
    unknown = sorted(name for name in marked.keeps if table.column(name) is None)
    if unknown:
        yield f"it keeps {', '.join(unknown)}, and has no such column"


def _columns(table: PersonalTable) -> Iterator[str]:
    for column in table.scrubbed:
        try:
            scrubbed(column)
        except ValueError as error:
            yield f"{column.name}: {error}"


def _texts(
    connection: Connection,
    table: PersonalTable,
    checks: Sequence[Check],
    keys: Sequence[ForeignKey],
    marked: Mapping[Name, PersonalTable],
) -> Iterator[str]:
    """Kept columns have to keep people out, and the others have to take a hash."""
    name = (table.table.schema, table.table.name)
    pointing = {
        mine for key in keys if key.source == name and key.target not in marked for mine, _ in key.pairs
    }  # the merchant's own keys
    asked = [(check, sought) for check in checks if (sought := _sought(table, check.column)) is not None]
    passed = dict(zip(asked, _hold(connection, asked), strict=True))
    for column in table.table.columns:
        mine = [(check, passed[check, sought]) for check, sought in asked if check.column == column.name]
        if column.name in table.keeps:
            closed = any(check.validated and found is False for check, found in mine)
            if not column.plain and not closed and column.name not in pointing:
                yield f"it keeps {column.name}, and no CHECK on that column alone refuses free text"
        else:
            for _check, found in mine:
                if found is not True:
                    yield f"{column.name} is made a hash, which its CHECK refuses: name it in keeps"


def _sought(table: PersonalTable, name: str) -> str | None:
    """The value with which a column's CHECKs are tried; None if they do not matter."""
    column = table.table.column(name)
    if column is None or column.plain:
        return None
    if name in table.keeps:
        return FREE_TEXT
    return sample(column) if column.is_text and column in table.scrubbed else None


def _hold(connection: Connection, asked: Sequence[tuple[Check, str]]) -> list[bool | None]:
    """Whether values pass CHECKs, all in one statement; None for a CHECK that cannot take such a value at all."""
    if not asked:
        return []
    probes = ", ".join(
        f"(SELECT ({check.expression}) FROM (SELECT CAST('{value}' AS text) AS {quoted(check.column)}) AS probe)"  # noqa: S608
        for check, value in asked
    )
    try:
        with connection.begin_nested():
            row = connection.execute(text(f"SELECT {probes}".replace("\\:", ":").replace(":", "\\:"))).one()
    except DBAPIError:
        return [None] if len(asked) == 1 else [_hold(connection, [one])[0] for one in asked]
    return [answer is not False for answer in row]


def _references(key: ForeignKey, marked: Mapping[Name, PersonalTable]) -> Iterator[str]:
    """Why erasing would break a foreign key."""
    mine, its = marked.get(key.source), marked.get(key.target)
    same_member = mine is not None and its is not None and (mine.member, its.member) in key.pairs
    if its is not None and its.action == "delete":
        together = same_member and mine is not None and mine.action == "delete"
        if not together and not key.lets_go:
            yield f"the foreign key {key.name} holds on to {its}, whose rows erasure deletes"
        return
    changes, its_changes = _changed(mine), _changed(its)
    for column, target in key.pairs:
        both = column in changes and target in its_changes and same_member
        if (column in changes or target in its_changes) and not both:
            yield f"the foreign key {key.name} breaks when erasure changes {column}"


def _changed(table: PersonalTable | None) -> set[str]:
    if table is None or table.action != "anonymise":
        return set()
    return {table.member, *(column.name for column in table.scrubbed)}


def _foreign_keys(connection: Connection) -> list[ForeignKey]:
    return [
        ForeignKey(
            row.conname,
            (row.nspname, row.relname),
            (row.to_schema, row.to_table),
            tuple(zip(row.columns, row.to_columns, strict=True)),
            row.confdeltype in {"c", "n", "d"},
        )
        for row in connection.execute(FOREIGN_KEYS)
    ]


def _checks(connection: Connection) -> dict[Name, list[Check]]:
    found: dict[Name, list[Check]] = defaultdict(list)
    for row in connection.execute(CHECKS):
        found[row.nspname, row.relname].append(Check(row.attname, row.convalidated, row.expression))
    return found
