"""The asynchronous road into the database: connections of the app role, and transactions inside one tenant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection

from threepeat.database.config import Urls
from threepeat.database.engine import Timeouts

SET_TENANT = "SELECT set_config('threepeat.tenant', %(tenant)s, true)"
# Not by the connection's own options: a pooler passes none on.
SET_TENANT_AND_TIMEOUTS = f"""
    {SET_TENANT}, set_config('statement_timeout', %(statement)s, true),
    set_config('lock_timeout', %(lock)s, true), set_config('idle_in_transaction_session_timeout', %(idle)s, true)
"""


def conninfo(urls: Urls) -> str:
    """The app role's URL as psycopg takes it without SQLAlchemy."""
    return urls.app.set(drivername="postgresql").render_as_string(hide_password=False)


def options(urls: Urls, name: str) -> dict[str, Any]:
    """What psycopg takes beside it: each transaction is begun by hand, and keeps nothing for the next.

    Args:
        name: What the connection is called on the server, after "threepeat-".
    """
    return {**urls.options("app", name), "autocommit": True}


@asynccontextmanager
async def in_tenant(
    connection: AsyncConnection[Any], tenant_id: int, timeouts: Timeouts | None = None
) -> AsyncIterator[None]:
    """A transaction inside a tenant, whose statements need not wait for the answer to the one before.

    Args:
        timeouts: The server's own by default.
    """
    binds = {"tenant": str(tenant_id)}
    async with connection.pipeline(), connection.transaction():
        if timeouts is None:
            await connection.execute(SET_TENANT, binds)
        else:
            await connection.execute(SET_TENANT_AND_TIMEOUTS, binds | timeouts.binds())
        yield
