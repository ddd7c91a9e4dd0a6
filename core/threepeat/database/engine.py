"""Connections: one pool per role, and transactions that belong to one tenant."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Connection, Engine, Row, TextClause, create_engine, event, text

from threepeat.database.config import Urls

SET_TENANT = text(
    "SELECT set_config('threepeat.tenant', :tenant, true), set_config('threepeat.clock_offset', :offset, true)"
)


class Scope:
    """A transaction inside one tenant, for core's own statements.

    Attributes:
        tenant_id: Bound as `:tenant` in every statement.
        connection: The connection underneath.
    """

    def __init__(self, connection: Connection, tenant_id: int) -> None:
        self.connection = connection
        self.tenant_id = tenant_id

    def run(self, statement: TextClause, /, **binds: object) -> Sequence[Row[Any]]:
        """Run a statement; `:tenant` is bound already."""
        result = self.connection.execute(statement, {"tenant": self.tenant_id, **binds})
        return result.all() if result.returns_rows else ()

    def count(self, statement: TextClause, /, **binds: object) -> int:
        """Run a write and say how many rows it touched."""
        return self.connection.execute(statement, {"tenant": self.tenant_id, **binds}).rowcount

    def one(self, statement: TextClause, /, **binds: object) -> Row[Any] | None:
        """The first row of the answer, if there is one."""
        rows = self.run(statement, **binds)
        return rows[0] if rows else None

    @cached_property
    def now(self) -> datetime:
        """The transaction's time in UTC, with the tenant's clock offset."""
        moment: datetime = self.connection.execute(text("SELECT core.now()")).scalar_one()
        return moment


class Database:
    """The pools of one process."""

    def __init__(self, urls: Urls, *, pool_size: int = 10) -> None:
        self.urls = urls
        self._pool_size = pool_size

    @cached_property
    def app(self) -> Engine:
        """Engine of the app role, which sees what the session's tenant owns."""
        return self._engine("app", self._pool_size)

    @cached_property
    def ops(self) -> Engine:
        """Engine of the ops role, which sees every tenant."""
        return self._engine("ops", 2)

    @cached_property
    def owner(self) -> Engine:
        """Engine of the owner role, for migrations."""
        return self._engine("owner", 1)

    @contextmanager
    def tenant(self, tenant_id: int, *, clock_offset: timedelta = timedelta()) -> Iterator[Scope]:
        """A transaction of the app role inside a tenant; commits at the end, or undoes all on an exception."""
        with self.app.begin() as connection:
            connection.execute(
                SET_TENANT,
                {"tenant": str(tenant_id), "offset": f"{clock_offset.total_seconds()} seconds"},
            )
            yield Scope(connection, tenant_id)

    @contextmanager
    def directory(self) -> Iterator[Connection]:
        """A transaction of the app role outside any tenant: it sees the directory tables only."""
        with self.app.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close the idle connections of every pool."""
        for name in ("app", "ops", "owner"):
            if name in self.__dict__:
                self.__dict__.pop(name).dispose()

    def _engine(self, role: str, pool_size: int) -> Engine:
        engine = create_engine(
            getattr(self.urls, role),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            pool_pre_ping=True,
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            connect_args={"application_name": f"threepeat-{role}"},
        )
        event.listen(engine, "connect", _prefer_binary_arrays)
        return engine


def _prefer_binary_arrays(connection: psycopg.Connection[Any], _record: object) -> None:
    """Batches travel as arrays: in text each element would be escaped, in Python (8 times the time)."""
    connection.adapters.register_dumper(list, ListBinaryDumper)


def _dumps(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()
