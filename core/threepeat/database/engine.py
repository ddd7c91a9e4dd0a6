"""Connections: one pool per role, and transactions that belong to one tenant."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import Connection, Engine, Row, TextClause, create_engine, event, text

from threepeat.database import direct, idle, poolers
from threepeat.database.config import Urls
from threepeat.database.sealed import BrokenTurnError, SealedBind, SealedConnection, SealedCursor, plugin_call

SET_TENANT = text(
    "SELECT set_config('threepeat.tenant', :tenant, true), set_config('threepeat.clock_offset', :offset, true)"
)
SET_TENANT_AND_TIMEOUTS = text("""
    SELECT set_config('threepeat.tenant', :tenant, true), set_config('threepeat.clock_offset', :offset, true),
           set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true),
           set_config('idle_in_transaction_session_timeout', :idle, true)
""")

WHERE = text("SELECT current_setting('threepeat.tenant', true) AS tenant")
NOW = text("SELECT core.now() AS now")


def inside(tenant_id: int, clock_offset: timedelta) -> dict[str, str]:
    """What `SET_TENANT` takes: a tenant and how far its clock is ahead.

    The offset is written without an exponent, which PostgreSQL does not read in an interval.
    """
    return {"tenant": str(tenant_id), "offset": f"{clock_offset.total_seconds():f} seconds"}


# Both settings end with the savepoint in which they are made. Read-only cannot be taken back after a query.
CONFINE = text("""
    SELECT set_config('transaction_read_only', 'on', true),
           set_config('statement_timeout', CASE WHEN standing.ms BETWEEN 1 AND :budget
                                                THEN current_setting('statement_timeout')
                                                ELSE CAST(:budget AS text) END, true)
    FROM (SELECT extract(epoch FROM CAST(current_setting('statement_timeout') AS interval)) * 1000 AS ms) standing
""")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a transaction may take over one step, in milliseconds; 0 is without end.

    Attributes:
        statement: For a statement.
        lock: To wait for a lock.
        idle: Between two statements; the server then ends the connection.
    """

    statement: int
    lock: int
    idle: int

    def binds(self) -> dict[str, str]:
        """The binds of `SET_TENANT_AND_TIMEOUTS`, without the tenant's."""
        return {"statement": f"{self.statement}ms", "lock": f"{self.lock}ms", "idle": f"{self.idle}ms"}


class Scope:
    """A transaction inside one tenant, for core's own statements.

    Attributes:
        tenant_id: Bound as `:tenant` in every statement.
        connection: The connection underneath.
        before_commit: What is left to do right before the commit, in this order.
        held: Members whom nobody else merges or erases before this transaction ends, and who stand for themselves:
            who calls, if it is a member's command.
    """

    def __init__(self, connection: Connection, tenant_id: int) -> None:
        self.connection = connection
        self.tenant_id = tenant_id
        self.before_commit: list[Callable[[], None]] = []
        self.held: set[int] = set()

    def run(self, statement: TextClause, /, **binds: object) -> Sequence[Row[Any]]:
        """Run a statement; `:tenant` is bound already."""
        return direct.run(self.connection, statement, {"tenant": self.tenant_id, **binds})

    def count(self, statement: TextClause, /, **binds: object) -> int:
        """Run a write and say how many rows it touched."""
        return direct.count(self.connection, statement, {"tenant": self.tenant_id, **binds})

    def one(self, statement: TextClause, /, **binds: object) -> Row[Any] | None:
        """The first row of the answer, if there is one."""
        rows = self.run(statement, **binds)
        return rows[0] if rows else None

    @contextmanager
    def plugin_call(self) -> Iterator[None]:
        """A savepoint around a call into a plugin: its effects stand or fall together; it cannot commit."""
        with plugin_call(self.connection):
            yield

    def confine(self, budget: int) -> None:
        """Until the savepoint ends nothing can be written, and no statement runs longer than that many ms."""
        self.run(CONFINE, budget=budget)

    def require_tenant(self) -> None:
        """See that plugin code left the transaction in its tenant.

        Raises:
            BrokenTurnError: It did not.
        """
        if self.run(WHERE)[0].tenant != str(self.tenant_id):
            raise BrokenTurnError("plugin code left the transaction in another tenant")

    @cached_property
    def now(self) -> datetime:
        """The transaction's time in UTC, with the tenant's clock offset."""
        moment: datetime = self.run(NOW)[0].now
        return moment


class Database:
    """The pools of one process."""

    def __init__(self, urls: Urls, *, pool_size: int = 10) -> None:
        self.urls = urls
        self.pool_size = pool_size

    @cached_property
    def app(self) -> Engine:
        """Engine of the app role, which sees what the session's tenant owns."""
        return self._engine("app", self.pool_size)

    @cached_property
    def ops(self) -> Engine:
        """Engine of the ops role, which sees every tenant."""
        return self._engine("ops", 4)

    @cached_property
    def owner(self) -> Engine:
        """Engine of the owner role, for migrations."""
        return self._engine("owner", 1)

    @contextmanager
    def tenant(
        self, tenant_id: int, *, clock_offset: timedelta = timedelta(), timeouts: Timeouts | None = None
    ) -> Iterator[Scope]:
        """A transaction of the app role inside a tenant; commits at the end, or undoes all on an exception.

        Args:
            timeouts: The server's own by default.
        """
        binds = inside(tenant_id, clock_offset)
        with self.outside(tenant_id) as scope:
            if timeouts is None:
                scope.run(SET_TENANT, **binds)
            else:
                scope.run(SET_TENANT_AND_TIMEOUTS, **binds, **timeouts.binds())
            yield scope

    @contextmanager
    def outside(self, tenant_id: int) -> Iterator[Scope]:
        """The same before it is inside: it sees nothing of any tenant until somebody has entered one."""
        with self.app.begin() as connection:
            scope = Scope(connection, tenant_id)
            yield scope
            for last in scope.before_commit:
                last()

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
            hide_parameters=True,  # an error is logged, and its values are people's
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
            connect_args=self.urls.options(role, role),
        )
        engine._connection_cls = SealedBind  # noqa: SLF001 - SQLAlchemy's own seam for this, without a public name
        idle.watch(engine)
        event.listen(engine, "do_connect", _connect)
        event.listen(engine, "first_connect", lambda made, _record: poolers.refuse(made, self.urls, role))
        event.listen(engine, "connect", _prefer_binary_arrays)
        return engine


def _connect(
    _dialect: object, _record: object, args: tuple[Any, ...], options: dict[str, Any]
) -> SealedConnection:
    return SealedConnection.connect(*args, cursor_factory=SealedCursor, **options)


def _prefer_binary_arrays(connection: psycopg.Connection[Any], _record: object) -> None:
    """Batches travel as arrays: in text each element would be escaped, in Python (8 times the time)."""
    connection.adapters.register_dumper(list, ListBinaryDumper)


def _dumps(value: Mapping[str, Any]) -> str:
    return orjson.dumps(value).decode()
