"""A driver connection that plugin code cannot commit, roll back or reconfigure.

The guarded session refuses all that with a clear error at the line that tries. This is for what goes past the
session: a commit by hand would make half a turn permanent.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.abc import Query
from psycopg.pq import TransactionStatus
from psycopg.sql import Composable
from sqlalchemy import Connection

from threepeat.database import direct
from threepeat.database.lost import is_lost
from threepeat.sdk.errors import PluginError

# Savepoints stay allowed: they are how a handler survives an error that it expects.
CONTROL = re.compile(
    r"""(?:^|;)(?:\s|--[^\n]*\n|/\*.*?\*/)*
    (commit|end|abort|begin|start\s+transaction|prepare\s+transaction|set|reset|discard
    |rollback(?!(?:\s+work|\s+transaction)?\s+to\b))\b""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
SAVE = "SAVEPOINT plugin_call"
RELEASE = "RELEASE SAVEPOINT plugin_call"
UNDO = f"ROLLBACK TO SAVEPOINT plugin_call; {RELEASE}"


class SealError(PluginError):
    """Plugin code tried to control the transaction that core commits."""


class SealedCursor(psycopg.Cursor[Any]):
    """Refuses transaction control while its connection is sealed."""

    def execute(self, query: Query, *args: Any, **kwargs: Any) -> "SealedCursor":
        """Run a statement."""
        self._check(query)
        super().execute(query, *args, **kwargs)
        return self

    def executemany(self, query: Query, *args: Any, **kwargs: Any) -> None:
        """Run a statement with many sets of values."""
        self._check(query)
        super().executemany(query, *args, **kwargs)

    def _check(self, query: Query) -> None:
        connection = self.connection
        if isinstance(connection, SealedConnection) and connection.sealed:
            word = _control(_text(query, connection))
            if word is not None:
                raise SealError(f"{word.upper()} is refused: core commits when the handler returns")


class SealedConnection(psycopg.Connection[Any]):
    """A connection with a seal that core sets while it calls into a plugin."""

    sealed = False

    def commit(self) -> None:
        """Commit, unless sealed."""
        self.refuse("commit()")
        super().commit()

    def rollback(self) -> None:
        """Roll back, unless sealed."""
        self.refuse("rollback()")
        super().rollback()

    def refuse(self, what: str) -> None:
        """Refuse transaction control while sealed."""
        if self.sealed:
            raise SealError(f"{what} is refused: core commits when the handler returns")


class SealedBind(Connection):
    """SQLAlchemy's connection over it: a commit that the driver refused would leave it in no usable state."""

    def commit(self) -> None:
        """Commit, unless sealed."""
        _driver(self).refuse("commit()")
        super().commit()

    def rollback(self) -> None:
        """Roll back, unless sealed."""
        _driver(self).refuse("rollback()")
        super().rollback()

    def close(self) -> None:
        """Give the connection back, unless sealed."""
        if not self.closed and not self.invalidated:
            _driver(self).refuse("close()")
        super().close()


class BrokenTurnError(RuntimeError):
    """A call into a plugin has left the transaction in a state in which nothing more can be done."""


@contextmanager
def sealed(connection: Connection) -> Iterator[None]:
    """Seal a connection for the time of a call into a plugin."""
    driver = _driver(connection)
    before, driver.sealed = driver.sealed, True
    try:
        yield
    finally:
        driver.sealed = before


@contextmanager
def plugin_call(connection: Connection) -> Iterator[None]:
    """A sealed savepoint around a call into a plugin: its effects stand or fall together.

    An SQL error that the plugin swallowed makes the release of the savepoint fail, and so the call.

    Raises:
        BrokenTurnError: The savepoint is not there any more.
    """
    direct.control(connection, SAVE)
    try:
        with sealed(connection):
            yield
        direct.control(connection, RELEASE)
    except BaseException as error:
        _undo(connection, error)
        raise


def _undo(connection: Connection, error: BaseException) -> None:
    driver = _driver(connection) if not connection.invalidated else None
    if driver is None or driver.closed:
        return  # the error says so, and there is nothing to undo any more
    if driver.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
        try:
            direct.control(connection, UNDO)
        except Exception as inner:
            if is_lost(inner):
                raise  # the server went away meanwhile: nobody ended anything
            raise BrokenTurnError("the transaction was ended by hand") from inner
    else:
        raise BrokenTurnError("the transaction was ended by hand") from error


def _driver(connection: Connection) -> SealedConnection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, SealedConnection)  # noqa: S101 - our engines make no other
    return driver


def _text(query: Query, connection: psycopg.Connection[Any]) -> str:
    if isinstance(query, Composable):
        return query.as_string(connection)
    return query.decode(errors="replace") if isinstance(query, bytes) else str(query)


@lru_cache(maxsize=1024)
def _control(statement: str) -> str | None:
    found = CONTROL.search(statement)
    return found[1] if found else None
