"""Tells a connection that is gone from a statement that failed."""

from sqlalchemy.exc import DBAPIError


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, or the server is going."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state[:2] == "08" or state[:4] == "57P0"
