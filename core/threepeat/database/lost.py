"""Tells a connection that is gone from a statement that failed."""

import psycopg
from sqlalchemy.exc import DBAPIError


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone or was never made, or the server is going."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error):
        return False
    state = cause.sqlstate
    if state is None:  # by the driver itself, which may also have refused a value
        return isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError)
    return state[:2] == "08" or state[:4] == "57P0"


def because(error: BaseException) -> str:
    """What the driver says of a connection that is lost or was never made, in one line: no value is in it."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(cause).split()) or type(cause).__name__
