"""Two members who turn out to be one person keep everything that both had."""

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import text

from threepeat.database.personal import PersonalTable, personal_tables
from threepeat.events import merging
from threepeat.events.verify import verify
from threepeat.tenancy.errors import Conflict
from threepeat.testing.canaries import WORD, Canaries, Planter, search
from threepeat.testing.conformance import lives, phone
from threepeat.testing.conformance.bench import BY, Bench, NotApplicable, Stand

TITLE = "A merge of two members fails for no rows, leaves nothing under the old number and loses nothing."
FIX = (
    "Let merge_members move every row of the source to the target. Where both have a row under the same key, add"
    " the numbers up and delete the source's, in that order; do not delete what can be moved."
)
SOURCE, TARGET = f"{WORD}s", f"{WORD}t"

Balances = Mapping[str, int]
"""What members have of each kind of reward that the plugin keeps."""
Rows = Mapping[str, tuple[int, bool]]
"""How many rows each table has, and whether it only ever gets more."""

APPEND_ONLY = text("""
    SELECT NOT has_table_privilege(current_user, CAST(:name AS text), 'UPDATE') AS so
""")
# A table in which a member can have only one row for something.
ONE_EACH = text("""
    SELECT DISTINCT n.nspname || '.' || c.relname AS name
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey)
    JOIN unnest(CAST(:tables AS text[]), CAST(:members AS text[])) AS given (name, member)
      ON given.name = n.nspname || '.' || c.relname AND given.member = a.attname
    WHERE i.indisunique
""")


def check(bench: Bench) -> Iterator[str]:
    """Merge members who have lived, then rows that were planted: into a member without rows, and into one with."""
    with bench.platform.database.ops.connect() as connection:
        tables = personal_tables(connection, schemas=[bench.installed.id])
    if not tables:
        raise NotApplicable("it keeps nothing about members")
    yield from _lived(bench, tables)
    yield from _planted(bench, both=False)
    yield from _planted(bench, both=True)


def _lived(bench: Bench, tables: Collection[PersonalTable]) -> Iterator[str]:
    stand = lives.far_away(bench)
    for member in ("ann", "bob"):
        stand.live(member)
    phone.command(stand, ("ann", "bob"))
    stand.drain()
    source, target = stand.member("bob"), stand.member("ann")
    had = _balances(stand, source, target)
    rows = _rows(stand, tables)
    failed = _merge(stand, source, target)
    if failed:
        yield f"two members with orders of their own cannot be merged: {failed}"
        return
    yield from _lost(had, _balances(stand, target), rows, _rows(stand, tables))
    for promise in verify(stand.platform, stand.tenant):
        if promise.owner == bench.installed.id and promise.rows:
            yield f"after a merge the promise {promise.name} does not hold any more"
    fixed = {name for name, (_, append_only) in rows.items() if append_only}
    for one in search(bench.admin_url, str(source), tenant=stand.tenant.id, schemas=[bench.installed.id]):
        if one.table not in fixed:
            yield f"{one.table}, column {', '.join(one.columns)} still holds the number of the member who went"


def _lost(had: Balances, has: Balances, before: Rows, after: Rows) -> Iterator[str]:
    for kind, balance in has.items():
        if balance < had[kind]:
            yield f"the two members had {had[kind]} of {kind} together; after the merge the one has {balance}"
    for name, (count, append_only) in before.items():
        if append_only and after[name][0] < count:
            yield f"{name} is append-only and had {count} row(s); after the merge it has {after[name][0]}"


def _planted(bench: Bench, *, both: bool) -> Iterator[str]:
    stand = bench.store()
    source, target = stand.member("bob"), stand.member("ann")
    database, schemas = stand.platform.database, [bench.installed.id]
    planter = Planter(bench.admin_url, database, Canaries(SOURCE), schemas=schemas)
    planter.try_to_plant(stand.tenant.id, source)
    shared: set[str] = set()
    if both:
        Planter(bench.admin_url, database, Canaries(TARGET), schemas=schemas).try_to_plant(stand.tenant.id, target)
        with stand.scope() as scope:
            names, columns = [str(one) for one in planter.tables], [one.member for one in planter.tables]
            shared = {row.name for row in scope.run(ONE_EACH, tables=names, members=columns)}
    whom = "a member who has rows, too," if both else "a member without rows"
    before = _words(stand)
    failed = _merge(stand, source, target)
    if failed:
        yield f"rows of every table of the plugin cannot be merged into {whom} and it fails: {failed}"
        return
    after = _words(stand)
    for table, words in before.items():
        lost = words - after.get(table, 0)
        if lost > 0 and table not in shared:
            yield f"{table} loses {lost} of {words} row(s) of a member who is merged into {whom.rstrip(',')}"


def _merge(stand: Stand, source: int, target: int) -> str:
    """Why it fails; empty if it does not."""
    try:
        with stand.scope() as scope:
            merging.merge(stand.platform, scope, stand.tenant, source, target, by=BY)
    except Conflict as error:
        cause = error.__cause__
        return f"{type(cause).__name__}: {str(cause).splitlines()[0]}" if cause is not None else str(error)
    return ""


def _words(stand: Stand) -> Mapping[str, int]:
    """How many rows hold a word of the source, by table."""
    found: dict[str, int] = {}
    for one in search(stand.bench.admin_url, SOURCE, tenant=stand.tenant.id, schemas=[stand.bench.installed.id]):
        found[one.table] = found.get(one.table, 0) + 1
    return found


def _balances(stand: Stand, *members: int) -> Balances:
    with stand.scope() as scope:
        context = stand.context(scope)
        return {
            kind: sum(reward.balance(context, list(members)).values())
            for kind, reward in stand.bench.installed.rewards.items()
        }


def _rows(stand: Stand, tables: Collection[PersonalTable]) -> Rows:
    """How many rows each table has, and whether it only ever gets more."""
    found = {}
    with stand.scope() as scope:
        for table in tables:
            counted = scope.run(text(f"SELECT count(*) AS n FROM {table.table.quoted} WHERE tenant_id = :tenant"))  # noqa: S608
            fixed = scope.run(APPEND_ONLY, name=table.table.quoted)
            found[str(table)] = (counted[0].n, fixed[0].so)
    return found
