"""Statements by the driver itself: SQLAlchemy's way to a cursor and back costs more than a small statement does.

Texts, rows and errors are SQLAlchemy's all the same, and whoever listens to its events hears every statement.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NoReturn

import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.rows import RowMaker
from sqlalchemy import Connection, Row, TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.result import SimpleResultMetaData

DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]


def run(connection: Connection, statement: TextClause, binds: Mapping[str, object]) -> Sequence[Row[Any]]:
    """Run a statement; returns its rows, or an empty sequence if it returns none.

    Raises:
        DBAPIError: As SQLAlchemy would.
    """
    if _is_heard(connection):
        result = connection.execute(statement, binds)
        return result.all() if result.returns_rows else ()
    cursor = _execute(connection, statement, binds)
    answer = cursor.pgresult
    return cursor.fetchall() if answer is not None and answer.status == ExecStatus.TUPLES_OK else ()


def count(connection: Connection, statement: TextClause, binds: Mapping[str, object]) -> int:
    """Run a write and say how many rows it touched.

    Raises:
        DBAPIError: As SQLAlchemy would.
    """
    if _is_heard(connection):
        return connection.execute(statement, binds).rowcount
    return _execute(connection, statement, binds).rowcount


def control(connection: Connection, command: str) -> None:
    """Begin, end or undo a savepoint.

    Not by a cursor: after each rollback, be it to a savepoint, the driver forgets all statements that it has
    prepared, and every one would be planned anew.

    Raises:
        DBAPIError: As SQLAlchemy would.
    """
    if _is_heard(connection):
        for part in command.split("; "):
            connection.exec_driver_sql(part)
        return
    driver = _driver(connection)
    try:
        answer = driver.pgconn.exec_(command.encode())
        if driver.pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError("the connection is lost")
        if answer.status != ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(answer, driver.info.encoding)
    except psycopg.Error as error:
        _raise(connection, command, {}, None, error)


def _is_heard(connection: Connection) -> bool:
    return bool(connection._has_events or connection.engine._has_events)  # noqa: SLF001 - SQLAlchemy asks the same


def _execute(
    connection: Connection, statement: TextClause, binds: Mapping[str, object]
) -> psycopg.Cursor[Row[Any]]:
    cursor = _driver(connection).cursor(row_factory=_rows)
    written = _written(statement)
    try:
        cursor.execute(written, binds)
    except psycopg.Error as error:
        _raise(connection, written, binds, cursor, error)
    return cursor


def _driver(connection: Connection) -> psycopg.Connection[Any]:
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)  # noqa: S101 - our engines make no other
    return driver


def _raise(
    connection: Connection,
    written: str,
    binds: Mapping[str, object],
    cursor: psycopg.Cursor[Row[Any]] | None,
    error: psycopg.Error,
) -> NoReturn:
    """Let SQLAlchemy wrap it, and give up a connection that is lost."""
    connection._handle_dbapi_exception(error, written, dict(binds), cursor, None)  # type: ignore[arg-type]  # noqa: SLF001


@lru_cache(maxsize=4096)
def _written(statement: TextClause) -> str:
    """A text as the driver takes it."""
    return str(statement.compile(dialect=DIALECT))


def _rows(cursor: psycopg.Cursor[Any]) -> RowMaker[Row[Any]]:
    """How the values of a result become rows."""
    result = cursor.pgresult
    return _maker(tuple(result.fname(number) for number in range(result.nfields)) if result else ())


@lru_cache(maxsize=4096)
def _maker(names: tuple[bytes, ...]) -> RowMaker[Row[Any]]:
    keys = SimpleResultMetaData([name.decode() for name in names])
    return partial(Row, keys, None, keys._key_to_index)  # noqa: SLF001 - Row has no public way to be made
