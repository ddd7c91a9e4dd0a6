"""An asynchronous connection that stays open between the events that a test sends one by one."""

import asyncio
import atexit
import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import psycopg

from threepeat.database.asynchronous import conninfo, options
from threepeat.database.config import Urls

Connection: TypeAlias = psycopg.AsyncConnection[Any]
Use: TypeAlias = Callable[[Connection], Awaitable[object]]
NAME = "sending"


class Kept:
    """Lends connections, and keeps the one that came back last; whoever comes meanwhile gets one of their own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: tuple[Urls, Connection] | None = None

    def use(self, urls: Urls, work: Use) -> None:
        """Do something with a connection to a database; an error closes the connection and is raised."""
        asyncio.run_coroutine_threadsafe(self._use(urls, work), self._running()).result()

    def let_go(self) -> None:
        """Close what is kept: a database can be copied only while nobody is connected to it."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._drop(), self._loop).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="threepeat-sending", daemon=True).start()
                atexit.register(self.let_go)
            return self._loop

    async def _use(self, urls: Urls, work: Use) -> None:
        connection = await self._take(urls)
        try:
            await work(connection)
        except BaseException:
            await connection.close()
            raise
        await self._keep(urls, connection)

    async def _take(self, urls: Urls) -> Connection:
        kept, self._kept = self._kept, None
        if kept is not None:
            if kept[0] == urls and await _answers(kept[1]):
                return kept[1]
            await kept[1].close()
        return await psycopg.AsyncConnection.connect(conninfo(urls), **options(urls, NAME))

    async def _drop(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            await kept[1].close()

    async def _keep(self, urls: Urls, connection: Connection) -> None:
        before, self._kept = self._kept, (urls, connection)
        if before is not None:
            await before[1].close()


async def _answers(connection: Connection) -> bool:
    """Whether the other end is still there: tests end connections, and drop whole databases."""
    try:
        await connection.execute("")
    except psycopg.Error:
        return False
    return True


KEPT = Kept()
