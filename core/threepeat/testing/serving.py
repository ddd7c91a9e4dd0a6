"""The real HTTP server in a thread, for tests."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from threepeat.events.platform import Platform
from threepeat.http.app import HttpConfig, create_app


class _Server(uvicorn.Server):
    """Looks more often whether it is to end: every test that serves waits for that."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await asyncio.sleep(0.02)


@contextmanager
def serve(platform: Platform, config: HttpConfig | None = None) -> Iterator[str]:
    """Serve a platform on a free loopback port; yields its base URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(create_app(platform, config), log_config=None, lifespan="on"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server did not start")
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
