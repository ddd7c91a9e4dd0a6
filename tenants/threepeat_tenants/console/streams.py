"""Hints for pages that somebody watches: something has changed, ask for it. They carry no data of the store.

Each stream looks once a second, on connections of its own, so that it holds nothing that a request waits for.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from threepeat.database.asynchronous import conninfo, in_tenant, options
from threepeat.database.engine import Timeouts
from threepeat.database.redact import brief
from threepeat.events.platform import Platform
from threepeat.http.problems import rate_limited
from threepeat.sdk.wording import _
from threepeat_tenants.accounts.sessions import IDLE
from threepeat_tenants.console.page import Visit

CONNECTIONS = 2
MOST_OF_STORE = 8
"""Streams of one store in one process."""
MOST = 64
SECONDS = 1.0
TIMEOUTS = Timeouts(statement=2000, lock=1000, idle=2000)
LONGEST = 600.0
"""A stream ends after so many seconds; whoever still looks asks for another."""
QUIET = 15.0
"""Something is sent at least this often, so that nothing on the way takes the line for dead."""
MANY = _("Too many people of this store watch at the moment. The page still shows what there is: reload it.")

# What moves when something comes in, is refused, is handled, or is put aside; no row once nobody may watch.
PULSE = """
    SELECT s.head,
           (SELECT sum(position) FROM core.cursor WHERE tenant_id = %(tenant)s),
           (SELECT max(id) FROM core.refusal WHERE tenant_id = %(tenant)s),
           (SELECT count(*) FROM core.dead_letter WHERE tenant_id = %(tenant)s AND state = 'waiting'),
           (SELECT count(*) FROM core.dead_letter WHERE tenant_id = %(tenant)s AND state = 'retry')
    FROM core.stream s
    JOIN core.staff_session r ON r.tenant_id = s.tenant_id AND r.id = %(session)s
    JOIN core.staff p ON p.tenant_id = r.tenant_id AND p.id = r.staff_id
    JOIN core.tenant t ON t.id = s.tenant_id
    WHERE s.tenant_id = %(tenant)s AND t.suspended_at IS NULL AND p.disabled_at IS NULL
      AND r.expires_at > now() AND r.seen_at > now() - %(idle)s
"""

logger = structlog.get_logger(__name__)


class Streams:
    """The streams of one process.

    Args:
        pool: Connections of the app role; it connects when somebody first watches.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._open: Counter[int] = Counter()

    @property
    def open(self) -> int:
        """How many there are."""
        return self._open.total()

    def answer(self, visit: Visit) -> Response:
        """Open a stream for somebody who is signed in, or refuse it where too many are open."""
        tenant_id = visit.tenant.id
        if self._open[tenant_id] >= MOST_OF_STORE or self.open >= MOST:
            return rate_limited(MANY, seconds=SECONDS)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        hints = self._hints(tenant_id, visit.session.id)
        return StreamingResponse(hints, media_type="text/event-stream", headers=headers)

    async def _hints(self, tenant_id: int, session: str) -> AsyncIterator[bytes]:
        self._open[tenant_id] += 1
        try:
            async for hint in self._look(tenant_id, session):
                yield hint
        finally:
            self._open[tenant_id] -= 1
            self._open += Counter()  # drops those that are down to nothing

    async def _look(self, tenant_id: int, session: str) -> AsyncIterator[bytes]:
        began = said = time.monotonic()
        before: tuple[Any, ...] | None = None
        while (now := time.monotonic()) - began < LONGEST:
            try:
                found = await self._pulse(tenant_id, session)
            except (Error, PoolTimeout) as error:
                logger.warning("nothing to tell who watches", error=brief(error))
                return
            if found is None:
                yield b"event: over\ndata: session\n\n"
                return
            if found != before:
                before, said = found, now
                yield b"event: moved\ndata: %d\n\n" % found[0]
            elif now - said >= QUIET:
                said = now
                yield b": still here\n\n"
            await asyncio.sleep(SECONDS)
        yield b"event: over\ndata: time\n\n"

    async def _pulse(self, tenant_id: int, session: str) -> tuple[Any, ...] | None:
        asked = {"tenant": tenant_id, "session": session, "idle": IDLE}
        # Whoever leaves in the middle of a look lets it end: its connection is another one's next.
        with anyio.CancelScope(shield=True):
            async with self._pool.connection() as connection, in_tenant(connection, tenant_id, TIMEOUTS):
                cursor = await connection.execute(PULSE, asked)
                row: tuple[Any, ...] | None = await cursor.fetchone()
        return row


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Keep the connections of the app's streams for as long as it runs."""
    platform = cast("Platform", app.state.platform)
    urls = platform.database.urls
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        conninfo(urls),
        min_size=0,
        max_size=CONNECTIONS,
        timeout=3,
        max_idle=30,
        open=False,
        kwargs=options(urls, "streams"),
    )
    async with pool:
        app.state.streams = Streams(pool)
        yield


def streams(request: Request) -> Streams:
    """The app's streams."""
    return cast("Streams", request.app.state.streams)
