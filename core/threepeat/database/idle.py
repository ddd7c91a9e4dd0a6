"""Whether a pooled connection still lives, without a question to the server before every transaction.

A server that goes, or ends a connection, says so: the socket of an idle connection has something to read. Where
it has nothing, only a connection that was idle for long is asked, for what lies between may have forgotten it.
"""

import select
import time
from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

LONG = 10.0
"""Idle seconds after which a connection is asked all the same."""
SINCE = "idle_since"


def watch(engine: Engine) -> None:
    """Let an engine's pool hand out living connections only."""
    event.listen(engine, "checkin", _note)
    event.listen(engine, "checkout", _check)


def _note(_connection: psycopg.Connection[Any] | None, record: Any) -> None:
    record.info[SINCE] = time.monotonic()


def _check(connection: psycopg.Connection[Any], record: Any, _proxy: object) -> None:
    since = record.info.pop(SINCE, None)
    if since is None:
        return  # it has just been made
    try:
        if time.monotonic() - since > LONG or _has_something(connection):
            connection.pgconn.exec_(b"")
            if connection.broken:
                raise psycopg.OperationalError("the connection is lost")
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def _has_something(connection: psycopg.Connection[Any]) -> bool:
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    return bool(socket.poll(0))
