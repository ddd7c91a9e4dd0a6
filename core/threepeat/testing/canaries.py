"""Canaries: words that nobody else uses, put wherever a member's data may be, and looked for later."""

import itertools
import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec.inspect
import psycopg
from psycopg import sql

from threepeat.database.engine import Database
from threepeat.database.personal import Column, PersonalTable, personal_tables
from threepeat.sdk.events import CATALOGUE, Event, Sender

WORD = "cnry7f3a"
"""Every canary begins with it; nothing else does."""

SYSTEM = ("pg_catalog", "information_schema", "pg_toast")
TABLES = """
    SELECT n.nspname, c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
                                         AND a.attname = 'tenant_id' AND NOT a.attisdropped)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname <> ALL(%s) AND n.nspname !~ '^pg_'
    ORDER BY 1, 2
"""
POINTS_TO = """
    SELECT p.nspname || '.' || r.relname AS parent,
           array_agg(a.attname::text ORDER BY u.place) AS columns,
           array_agg(b.attname::text ORDER BY u.place) AS pointed
    FROM pg_constraint k JOIN pg_class r ON r.oid = k.confrelid JOIN pg_namespace p ON p.oid = r.relnamespace
    CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS u (mine, yours, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.mine
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.yours
    WHERE k.contype = 'f' AND k.conrelid = to_regclass(%s) AND k.confrelid <> k.conrelid
    GROUP BY k.oid, 1 ORDER BY k.oid
"""
MOST_ROWS = 5


class PlantingError(Exception):
    """No row, or no canary, could be put into a table; the message says which and why."""


@dataclass
class Canaries:
    """Makes canaries, each another one, and remembers where each was put."""

    prefix: str = WORD
    places: dict[str, str] = field(default_factory=dict)

    def __call__(self, place: str) -> str:
        """A new canary for a place."""
        canary = f"{self.prefix}-{len(self.places)}-z"
        self.places[canary] = place
        return canary


@dataclass(frozen=True)
class Found:
    """A row that holds a canary.

    Attributes:
        table: With its schema.
        row: Its columns as JSON has them.
        columns: Those that hold one.
    """

    table: str
    row: dict[str, Any]
    columns: tuple[str, ...]


def search(
    url: str, prefix: str = WORD, *, tenant: int | None = None, schemas: Collection[str] | None = None
) -> Iterator[Found]:
    """Rows that hold a canary, as text or as the bytes of it, in every table of every schema.

    Args:
        url: A superuser's, whom no policy binds.
        prefix: What to look for.
        tenant: Only rows of this store, and of tables that belong to none.
        schemas: Only there.
    """
    words = [prefix.lower(), prefix.encode().hex()]
    with psycopg.connect(url) as admin:
        for schema, name, owned in admin.execute(TABLES, (list(SYSTEM),)).fetchall():
            if schemas is not None and schema not in schemas:
                continue
            where: sql.Composable = sql.SQL("lower(CAST(t AS text)) LIKE ANY(%(words)s)")
            if tenant is not None and owned:
                where += sql.SQL(" AND t.tenant_id = {}").format(tenant)
            statement = sql.SQL("SELECT to_jsonb(t) FROM {} t WHERE ").format(sql.Identifier(schema, name)) + where
            for (row,) in admin.execute(statement, {"words": [f"%{word}%" for word in words]}):
                columns = [
                    one
                    for one, value in row.items()
                    if any(word in json.dumps(value, ensure_ascii=False).lower() for word in words)
                ]
                yield Found(f"{schema}.{name}", row, tuple(columns))


def dump(url: str, prefix: str = WORD, *, tenant: int | None = None) -> dict[str, int]:
    """How many rows hold a canary, by table; as `search` finds them."""
    found: dict[str, int] = {}
    for one in search(url, prefix, tenant=tenant):
        found[one.table] = found.get(one.table, 0) + 1
    return found


class Planter:
    """Puts rows of a member into every table that holds members' data, a canary in each of their columns.

    It knows nothing of the tables but what the catalogue says: types, keys, foreign keys and CHECKs. A row that
    points to another table with members' data points to what was planted there.

    Args:
        url: A superuser's.
        database: The same one, for its catalogue.
        canaries: Makes the words.
        schemas: Only there; everywhere by default.
    """

    def __init__(
        self, url: str, database: Database, canaries: Canaries, *, schemas: Collection[str] | None = None
    ) -> None:
        self._url = url
        self._canaries = canaries
        with database.ops.connect() as connection:
            self.tables = personal_tables(connection, schemas=schemas)

    def plant(self, tenant: int, member: int, *, leave: Collection[str] = ()) -> None:
        """Plant every table but some.

        Raises:
            PlantingError: A table takes no row, or one of its columns could hold no canary.
        """
        refused = self.try_to_plant(tenant, member, leave=leave)
        if refused:
            raise PlantingError("; ".join(refused))

    def try_to_plant(self, tenant: int, member: int, *, leave: Collection[str] = ()) -> list[str]:
        """Plant every table but some, and go on where a table's CHECKs ask for more than can be guessed.

        Returns:
            What could not be planted and why.
        """
        refused = []
        with psycopg.connect(self._url, autocommit=True) as admin:
            for table in self._parents_first(admin):
                if str(table) not in leave:
                    try:
                        self._plant(admin, table, tenant, member)
                    except PlantingError as why:
                        refused.append(str(why))
        return refused

    def _parents_first(self, admin: psycopg.Connection[Any]) -> Sequence[PersonalTable]:
        known = {str(table): table for table in self.tables}
        parents = {
            name: [parent for parent, *_ in admin.execute(POINTS_TO, (table.table.quoted,)) if parent in known]
            for name, table in known.items()
        }
        try:
            return [known[name] for name in TopologicalSorter(parents).static_order()]
        except CycleError:
            return self.tables

    def _pointed(
        self, admin: psycopg.Connection[Any], table: PersonalTable, tenant: int, member: int, number: int
    ) -> dict[str, Any]:
        """What the foreign keys of a row hold, where the member has rows to point to."""
        known, made = {str(one): one for one in self.tables}, dict[str, Any]()
        for parent, columns, pointed in admin.execute(POINTS_TO, (table.table.quoted,)).fetchall():
            if parent not in known:
                continue
            statement = sql.SQL("SELECT {} FROM {} WHERE tenant_id = {} AND {} = {} ORDER BY ctid").format(
                sql.SQL(", ").join(map(sql.Identifier, pointed)),
                sql.Identifier(known[parent].table.schema, known[parent].table.name),
                tenant,
                sql.Identifier(known[parent].member),
                member,
            )
            if rows := admin.execute(statement).fetchall():
                made |= zip(columns, rows[number % len(rows)], strict=True)
        return made

    def _plant(self, admin: psycopg.Connection[Any], table: PersonalTable, tenant: int, member: int) -> None:
        missing = {one.name for one in table.scrubbed if self._allowed(admin, table, one) is None}
        for number in itertools.count():
            missing -= self._row(admin, table, tenant, member, wanted=sorted(missing), number=number)
            if not missing:
                return
            if number == MOST_ROWS:
                raise PlantingError(f"{table}: no canary fits into {', '.join(sorted(missing))}")

    def _row(
        self,
        admin: psycopg.Connection[Any],
        table: PersonalTable,
        tenant: int,
        member: int,
        *,
        wanted: Sequence[str],
        number: int,
    ) -> set[str]:
        """Insert a row with as many of the wanted columns as its CHECKs let stand together."""
        columns = [c for c in table.table.columns if not c.generated and not self._counts_itself(admin, table, c)]
        optional = [c.name for c in columns if not c.required and c.name != table.member]
        pointed = self._pointed(admin, table, tenant, member, number)
        tries = [set[str](), *({name} for name in optional), *map(set, itertools.combinations(optional, 2))]
        error: Exception | None = None
        for without in tries:
            if wanted and not set(wanted) - without:
                continue
            filled = [column for column in columns if column.name not in without]
            for amount in (1, 2, 0):
                values = {c.name: self._value(admin, table, c, tenant, member, amount + number) for c in filled}
                values |= {name: value for name, value in pointed.items() if name in values}
                statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(table.table.schema, table.table.name),
                    sql.SQL(", ").join(map(sql.Identifier, values)),
                    sql.SQL(", ").join(sql.Placeholder() for _ in values),
                )
                try:
                    _insert(admin, statement, list(values.values()))
                except psycopg.errors.IntegrityError as refused:
                    error = refused
                else:
                    return {column.name for column in filled if column.name in wanted}
        raise PlantingError(f"{table}: no row could be planted: {error}")

    def _value(
        self,
        admin: psycopg.Connection[Any],
        table: PersonalTable,
        column: Column,
        tenant: int,
        member: int,
        amount: int,
    ) -> Any:
        given = {"tenant_id": tenant, table.member: member}
        allowed = self._allowed(admin, table, column) if column.is_text else None
        if column.name in given or allowed is not None:
            return given.get(column.name, allowed)
        word = self._canaries(f"{table}.{column.name}")
        if column.is_array:
            return [word]
        by_kind = {
            "bool": True,
            "date": "2026-01-02",
            "timestamptz": "2026-01-02T03:04:05Z",
            "uuid": "0" * 32,
            "bytea": word.encode(),
            "json": json.dumps({word: [word, {"deep": word}]}),
            "jsonb": json.dumps({word: [word, {"deep": word}]}),
        }
        return word[: column.length] if column.is_text else by_kind.get(column.kind, amount)

    def _allowed(self, admin: psycopg.Connection[Any], table: PersonalTable, column: Column) -> str | None:
        """A word that passes the CHECK that keeps people out of a column; None if there is no such CHECK."""
        row = admin.execute(
            "SELECT string_agg(pg_get_constraintdef(k.oid), ' ') FROM pg_constraint k"
            " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]"
            " WHERE k.conrelid = to_regclass(%s) AND k.contype = 'c' AND cardinality(k.conkey) = 1"
            " AND a.attname = %s",
            (table.table.quoted, column.name),
        ).fetchone()
        said = str(row[0]) if row is not None and row[0] is not None else ""
        listed = re.findall(r"'([a-z_]+)'::text", said)
        return listed[0] if listed else "word" if "~" in said else None

    def _counts_itself(self, admin: psycopg.Connection[Any], table: PersonalTable, column: Column) -> bool:
        row = admin.execute(
            "SELECT attidentity <> '' FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s",
            (table.table.quoted, column.name),
        ).fetchone()
        return bool(row and row[0])


def _insert(admin: psycopg.Connection[Any], statement: sql.Composed, values: list[Any]) -> None:
    """Insert a row; if only what it points to is missing, without that."""
    try:
        admin.execute(statement, values)
    except psycopg.errors.ForeignKeyViolation:
        admin.execute("SET session_replication_role = replica")
        try:
            admin.execute(statement, values)
        finally:
            admin.execute("RESET session_replication_role")


def every_event(canaries: Canaries, subject: str, currency: str) -> Iterator[dict[str, Any]]:
    """An event of every type that a server may send, a canary in every text of it."""
    for event in CATALOGUE:
        if Sender.SERVER in event.senders:
            yield {
                "specversion": "1.0",
                "id": canaries(f"{event.type}.id"),
                "source": canaries(f"{event.type}.source"),
                "type": event.type,
                "subject": subject,
                "time": "2026-05-01T12:00:00Z",
                "data": event_data(event, canaries, currency),
            }


def event_data(event: type[Event], canaries: Canaries, currency: str) -> dict[str, Any]:
    """The data of an event with every field filled, a canary in every text."""
    made: dict[str, Any] = _sample(msgspec.inspect.type_info(event), canaries, event.type, currency)
    return made


def _sample(kind: Any, canaries: Canaries, place: str, currency: str) -> Any:
    inspect = msgspec.inspect
    made: Any = {inspect.IntType: 5, inspect.FloatType: 0.5, inspect.BoolType: True, inspect.AnyType: None}.get(
        type(kind), "2026-05-01T12:00:00Z"
    )
    if isinstance(kind, inspect.StrType):
        word = canaries(place)[: kind.max_length]
        made = word if kind.pattern is None or re.search(kind.pattern, word) else currency
    elif isinstance(kind, inspect.UnionType):
        made = _sample(kind.types[0], canaries, place, currency)
    elif isinstance(kind, inspect.StructType):
        fields = [one for one in kind.fields if one.name != "envelope"]
        made = {one.encode_name: _sample(one.type, canaries, f"{place}.{one.name}", currency) for one in fields}
    elif isinstance(kind, inspect.ListType):
        made = [_sample(kind.item_type, canaries, place, currency)]
    elif isinstance(kind, inspect.DictType):
        made = {canaries(place): _sample(kind.value_type, canaries, place, currency)}
    elif isinstance(kind, inspect.EnumType):
        made = next(iter(kind.cls)).value
    elif isinstance(kind, inspect.LiteralType):
        made = kind.values[0]
    return made
