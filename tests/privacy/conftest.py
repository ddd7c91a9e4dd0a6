"""Canaries: words that nobody else uses, put wherever a member's data may be, and looked for later."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec.inspect
import psycopg
import pytest
from psycopg import sql

from threepeat.database.engine import Database
from threepeat.database.personal import Column, PersonalTable, personal_tables
from threepeat.sdk.events import CATALOGUE, Event, Sender
from threepeat.testing.fixtures import Cluster

WORD = "cnry7f3a"
"""Every canary begins with it; nothing else does."""

SYSTEM = ("pg_catalog", "information_schema", "pg_toast")


@dataclass
class Canaries:
    """Makes canaries, each another one, and remembers where each was put."""

    prefix: str = WORD
    places: dict[str, str] = field(default_factory=dict)

    def __call__(self, place: str) -> str:
        canary = f"{self.prefix}-{len(self.places)}-z"
        self.places[canary] = place
        return canary


def dump(url: str, prefix: str = WORD, *, tenant: int | None = None) -> dict[str, int]:
    """How many rows hold a canary, as text or as the bytes of it, in every table of every schema; as superuser."""
    found: dict[str, int] = {}
    spelt = prefix.encode().hex()
    with psycopg.connect(url) as admin:
        tables = admin.execute(
            "SELECT n.nspname, c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
            " AND a.attname = 'tenant_id' AND NOT a.attisdropped)"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'm') AND n.nspname <> ALL(%s) AND n.nspname !~ '^pg_'",
            (list(SYSTEM),),
        ).fetchall()
        assert len(tables) > 25
        for schema, name, owned in tables:
            where = sql.SQL("lower(CAST(t AS text)) LIKE ANY(%(words)s)")
            if tenant is not None and owned:
                where += sql.SQL(" AND t.tenant_id = {}").format(tenant)
            statement = sql.SQL("SELECT count(*) FROM {} t WHERE ").format(sql.Identifier(schema, name)) + where
            row = admin.execute(statement, {"words": [f"%{prefix}%", f"%{spelt}%"]}).fetchone()
            if row is not None and row[0]:
                found[f"{schema}.{name}"] = row[0]
    return found


class Planter:
    """Puts rows of a member into every table that holds members' data, a canary in each of their columns.

    It knows nothing of the tables but what the catalogue says: types, keys, foreign keys and CHECKs.
    """

    def __init__(self, url: str, database: Database, canaries: Canaries) -> None:
        self._url = url
        self._canaries = canaries
        with database.ops.connect() as connection:
            self.tables = personal_tables(connection)

    def plant(self, tenant: int, member: int, *, leave: Sequence[str] = ()) -> None:
        """Plant every table but some; raises AssertionError if a column could hold no canary."""
        with psycopg.connect(self._url, autocommit=True) as admin:
            waiting = [table for table in self.tables if str(table) not in leave]
            for table in waiting:
                missing = {c.name for c in table.scrubbed if self._allowed(admin, table, c) is None}
                for number in itertools.count():
                    missing -= self._row(admin, table, tenant, member, wanted=sorted(missing), number=number)
                    if not missing:
                        break
                    assert number < 5, f"{table}: no canary fits into {missing}"

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
        tries = [set[str](), *({name} for name in optional), *map(set, itertools.combinations(optional, 2))]
        error: Exception | None = None
        for without in tries:
            if wanted and not set(wanted) - without:
                continue
            filled = [column for column in columns if column.name not in without]
            for amount in (1, 2, 0):
                values = {c.name: self._value(admin, table, c, tenant, member, amount + number) for c in filled}
                statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                    sql.Identifier(table.table.schema, table.table.name),
                    sql.SQL(", ").join(map(sql.Identifier, values)),
                    sql.SQL(", ").join(sql.Placeholder() for _ in values),
                )
                try:
                    admin.execute(statement, list(values.values()))
                except psycopg.errors.IntegrityError as refused:
                    error = refused
                else:
                    return {column.name for column in filled if column.name in wanted}
        raise AssertionError(f"{table}: no row could be planted: {error}")

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
                "data": _data(event, canaries, currency),
            }


def _data(event: type[Event], canaries: Canaries, currency: str) -> Any:
    made = _sample(msgspec.inspect.type_info(event), canaries, event.type, currency)
    assert WORD in json.dumps(made) or not [name for name in event.__struct_fields__ if name != "envelope"]
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


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


def admin_url(cluster: Cluster, database: str) -> str:
    """A superuser's URL of a database."""
    base, _, query = cluster.admin_url.partition("?")
    return f"{base.rpartition('/')[0]}/{database}" + (f"?{query}" if query else "")


class Tools:
    """What the proofs of this folder share; a fixture, because test files do not import each other."""

    Planter = Planter
    WORD = WORD
    dump = staticmethod(dump)
    every_event = staticmethod(every_event)
    admin_url = staticmethod(admin_url)


@pytest.fixture
def tools() -> type[Tools]:
    return Tools
