"""`/healthz`, `/readyz`, `/metrics`: they need no thread and no connection that anybody else may hold."""

import asyncio
import os
import time
from typing import Any

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from threepeat.http import problems
from threepeat.plugins import Registry

FRESH_SECONDS = 0.2
PATIENCE_SECONDS = 2
LOOK = "SELECT 1 FROM core.plan LIMIT 1"

logger = structlog.get_logger(__name__)


class Readiness:
    """Whether the database answers, asked on a connection of its own.

    However many ask, the database is asked once at a time and not again within a moment.

    Attributes:
        pool: The one connection; set while the app runs.
    """

    pool: AsyncConnectionPool[AsyncConnection[Any]]

    def __init__(self) -> None:
        self._asking = asyncio.Lock()
        self._ready = False
        self._asked_at = -FRESH_SECONDS

    async def __call__(self) -> bool:
        """Whether it does."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= FRESH_SECONDS:
                self._ready = await self._ask()
                self._asked_at = time.monotonic()
            return self._ready

    async def _ask(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), self.pool.connection() as connection:
                await connection.execute(LOOK)
        except (Error, PoolTimeout, TimeoutError) as error:
            logger.warning("not ready", kind=type(error).__name__)
            return False
        return True


def router(registry: Registry, ready: Readiness) -> APIRouter:
    """The routes; anyone may ask."""
    made = APIRouter(tags=["health"])

    @made.get("/healthz", summary="The process is alive")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @made.get("/readyz", summary="The process can serve")
    async def readyz() -> Response:
        if not await ready():
            return problems.busy("the database does not answer")
        quarantined = {found.id: found.reason for found in registry.quarantined.values()}
        return JSONResponse({"status": "ready", "quarantined": quarantined})

    @made.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def metrics() -> Response:
        found = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # `threepeat serve` sets it: all its processes count together
            found = CollectorRegistry()
            MultiProcessCollector(found)  # type: ignore[no-untyped-call]
        return Response(generate_latest(found), media_type=CONTENT_TYPE_LATEST)

    return made
