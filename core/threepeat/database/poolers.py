"""Tells a connection that leads through a pooler from one to the server itself.

A pooler in transaction mode gives each transaction a connection of the server that others use in between. What
belongs to a session breaks there at some time later, or silently binds nobody: prepared statements, and the lock
that lets one migration run at a time. So it is refused when a process begins.
"""

from typing import Any

import psycopg

from threepeat.database.config import Urls


class PoolerError(RuntimeError):
    """A URL leads through a pooler that must not, or of which nobody said so; the message says what to set."""


def refuse(connection: psycopg.Connection[Any], urls: Urls, role: str) -> None:
    """Close a connection that was not to lead through a pooler.

    Raises:
        PoolerError: It does.
    """
    if (role == "app" and urls.app_pooled) or not _is_pooled(connection):
        return
    connection.close()
    if role == "app":
        raise PoolerError(
            "THREEPEAT_APP_URL leads through a pooler: set THREEPEAT_APP_POOLED=true, or name the server itself"
        )
    raise PoolerError(
        f"THREEPEAT_{role.upper()}_URL leads through a pooler: name the server itself; only THREEPEAT_APP_URL may "
        "lead through one"
    )


def _is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """The server tells its process's number when a connection begins; a pooler has to make one up."""
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    connection.rollback()
    return row is not None and row[0] != connection.info.backend_pid
