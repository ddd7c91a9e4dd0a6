"""What happens in one store is neither seen nor felt in another, by the plugin's own statements alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta

import psycopg
from psycopg import sql

from threepeat.testing.conformance import baskets, phone, picture
from threepeat.testing.conformance.bench import Bench, Stand
from threepeat.testing.conformance.project import ProjectError
from threepeat.testing.conformance.states import differences, noise

TITLE = "Two stores with the same members, ids and words stay apart, also without row-level security."
FIX = (
    "Let every statement in sql/ compare tenant_id with :tenant for each table that it names, in joins, subqueries"
    " and NOT EXISTS too; and keep nothing in variables of the module or the plugin between calls."
)
MEMBERS = ("ann", "bob", "eve")
SEEN = ("ann", "eve")
MONTHS = timedelta(days=40)

OPEN_TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND NOT c.relispartition
      AND (n.nspname = %(plugin)s OR (n.nspname, c.relname) = ('core', 'event'))
    ORDER BY 1, 2
"""
SEQUENCES = """
    SELECT schemaname, sequencename FROM pg_sequences
    WHERE schemaname = %(plugin)s OR (schemaname, sequencename) = ('core', 'member_id') ORDER BY 1, 2
"""

Numbers = Mapping[tuple[str, str], int]


def check(bench: Bench) -> Iterator[str]:
    """Two stores with the same numbers, policies off; if something is found, say whether they would help."""
    with _unguarded(bench):
        found = list(_meetings(bench))
    if found:
        guarded = set(_meetings(bench))
        for one in found:
            alone = "" if one in guarded else " Only row-level security would prevent it."
            yield f"{one}.{alone}"


def _meetings(bench: Bench) -> Iterator[str]:
    """The same happens in two stores, then much more in the first."""
    start = _numbers(bench)
    first = bench.store()
    _begin(first)
    end = _numbers(bench)
    _count_from(bench, start)
    try:
        second = bench.store()
        _begin(second)
    finally:
        _count_from(bench, {name: max(count, end.get(name, 0)) for name, count in _numbers(bench).items()})
    mine, other = first.state(), second.state()
    for one in differences(mine, other, noise(mine, other)):
        yield f"the same happened in two stores, and the second has something else: {one}"
    seen = picture.take(second, SEEN)
    _go_on(first)
    for one in differences(other, second.state()):
        yield f"what happens in a store changes another: {one}"
    for one in picture.changes(second, SEEN, seen):
        yield f"what happens in a store changes another: {one}"


def _begin(stand: Stand) -> None:
    stand.members(MEMBERS)
    for member in MEMBERS[:2]:
        stand.happens(member)
    stand.drain()
    phone.command(stand, MEMBERS[:1])
    baskets.prepare(stand, MEMBERS[0])
    stand.drain()


def _go_on(stand: Stand) -> None:
    """All that can happen in a store: orders, commands, items, a merge, an erasure, months, and the end."""
    stand.happens("ann", about="again")
    stand.happens("eve")
    stand.drain()
    phone.command(stand, MEMBERS)
    _manage(stand)
    stand.drain()
    stand.call("GET", "/v1/members/ann/export")
    stand.call("POST", "/v1/members/ann/merge", {"source": "bob"})
    stand.call("DELETE", "/v1/members/eve")
    stand.drain()
    stand.pass_time(MONTHS)
    stand.drain()
    stand.switch("disable")
    stand.drain()


def _manage(stand: Stand) -> None:
    """Make the items of the project once more, and take every step that can be taken."""
    plugin = stand.bench.installed
    with suppress(ProjectError):  # such as a name that may stand once only
        stand.prepare()
    for name in plugin.collections:
        place = f"/v1/plugins/{plugin.id}/{name}"
        for item in stand.call("GET", place).json().get("items", ()):
            for step in item["actions"]:
                stand.call("POST", f"{place}/{item['id']}/{step}", {"revision": item["revision"]})


@contextmanager
def _unguarded(bench: Bench) -> Iterator[None]:
    """Without the policies of the plugin's tables and of the log, which its statements may read."""
    with psycopg.connect(bench.admin_url, autocommit=True) as admin:
        tables = admin.execute(OPEN_TABLES, {"plugin": bench.installed.id}).fetchall()

        def policies(verb: str) -> None:
            for schema, name in tables:
                alter = sql.SQL("ALTER TABLE {} {} ROW LEVEL SECURITY")
                admin.execute(alter.format(sql.Identifier(schema, name), sql.SQL(verb)))

        try:
            policies("DISABLE")
            yield
        finally:
            policies("ENABLE")


def _numbers(bench: Bench) -> Numbers:
    """How far the sequences have counted that number members and the plugin's rows."""
    found = {}
    with psycopg.connect(bench.admin_url) as admin:
        for name in admin.execute(SEQUENCES, {"plugin": bench.installed.id}).fetchall():
            row = admin.execute(
                sql.SQL("SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM {}").format(
                    sql.Identifier(*name)
                )
            ).fetchone()
            found[name] = row[0] if row is not None else 0
    return found


def _count_from(bench: Bench, numbers: Numbers) -> None:
    """Let sequences give the numbers after these."""
    with psycopg.connect(bench.admin_url) as admin:
        for name, count in numbers.items():
            quoted = sql.Identifier(*name).as_string(admin)
            admin.execute("SELECT setval(CAST(%s AS regclass), %s, false)", (quoted, count + 1))
