"""Builds the ASGI app."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import structlog
from fastapi import APIRouter, FastAPI, Response
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import threepeat
from threepeat.events.incoming import CloudEvent
from threepeat.events.platform import Platform
from threepeat.http import ingest, me, members, problems, tactics
from threepeat.http.calls import Door

SECONDS = Histogram("threepeat_http_seconds", "Time to answer.", ["method", "route", "status"])

logger = structlog.get_logger(__name__)


class HttpConfig(BaseSettings):
    """Read from the environment, each name prefixed with `THREEPEAT_HTTP_`."""

    model_config = SettingsConfigDict(env_prefix="THREEPEAT_HTTP_")

    max_body: int = Field(
        default=8 * 1024 * 1024,
        ge=1024,
        description="Largest request body in bytes; beyond it the answer is 413.",
    )
    ingest_pool: int = Field(
        default=8, ge=1, le=100, description="Connections that ingest may hold in one process."
    )


def create_app(platform: Platform, config: HttpConfig | None = None) -> FastAPI:
    """The app that serves a platform.

    Args:
        platform: An open platform.
        config: From the environment by default.
    """
    config = config or HttpConfig()
    platform, mounted = _mounted(platform)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        url = platform.database.urls.app.set(drivername="postgresql").render_as_string(hide_password=False)
        pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=config.ingest_pool,
            timeout=10,
            open=False,
            check=AsyncConnectionPool.check_connection,
            kwargs={"autocommit": True, "application_name": "threepeat-ingest"},
        )
        async with pool:
            app.state.pool = pool
            yield
        platform.database.dispose()

    app = FastAPI(
        title="Threepeat",
        version=threepeat.__version__,
        summary="Retention tactics for stores: events in, members and tactics managed.",
        lifespan=lifespan,
        openapi_url="/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.platform = platform
    app.state.door = Door(platform)
    for router in (ingest.router, members.router, tactics.router, me.router, *mounted):
        app.include_router(
            router, responses={code: {"model": problems.Problem} for code in (401, 403, 404, 409, 422, 503)}
        )
    app.include_router(_health(platform))
    problems.install(app)
    app.add_middleware(_Edge, max_body=config.max_body)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _mounted(platform: Platform) -> tuple[Platform, list[APIRouter]]:
    """The plugins' routers; a plugin whose routes cannot be served is quarantined and the others go on."""
    routers: dict[str, APIRouter] = {}
    broken: dict[str, str] = {}
    for plugin in platform.registry:
        router = APIRouter(prefix=me.router.prefix, dependencies=me.router.dependencies)
        try:
            me.mount(router, plugin)
            get_openapi(title="", version="", routes=router.routes)
        except Exception as error:  # noqa: BLE001 - a stranger's declaration may fail in any way
            broken[plugin.id] = f"its routes cannot be served: {error}"
            logger.error("plugin quarantined", plugin=plugin.id, reason=broken[plugin.id])
        else:
            routers[plugin.id] = router
    if broken:
        platform = replace(platform, registry=platform.registry.quarantine(broken))
    return platform, [routers[plugin.id] for plugin in platform.registry]


def _health(platform: Platform) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", summary="The process is alive")
    def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz", summary="The process can serve")
    def readyz() -> Response:
        quarantined = {found.id: found.reason for found in platform.registry.quarantined.values()}
        try:
            with platform.database.directory() as connection:
                connection.execute(text("SELECT 1 FROM core.plan LIMIT 1"))
        except SQLAlchemyError as error:
            logger.warning("not ready", error=str(error).splitlines()[0])
            return problems.busy("the database does not answer")
        return JSONResponse({"status": "ready", "quarantined": quarantined})

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    def metrics() -> Response:
        registry = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:  # `threepeat serve` sets it: all its processes count together
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


class _Edge:
    """Limits the body, times the answer and logs it by route, never by address: an address may name a member."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, seen = time.perf_counter(), 500, 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._max_body:
                raise problems.TooLarge(self._max_body)
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        fields: dict[str, str] = scope.setdefault("threepeat.log", {})
        try:
            if int(dict(scope["headers"]).get(b"content-length", b"0")) > self._max_body:
                raise problems.TooLarge(self._max_body)
            await self._app(scope, limited, noted)
        except problems.TooLarge as error:
            await problems.too_large(error)(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - began
            method, route = scope["method"], getattr(scope.get("route"), "path", "unmatched")
            SECONDS.labels(method, route, status).observe(seconds)
            logger.info(
                "request", method=method, route=route, status=status, ms=round(seconds * 1000, 1), **fields
            )


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
        components = msgspec.json.schema_components(
            [ingest.Receipt, CloudEvent],
            schema_hook=lambda _: {"type": "object", "description": "The fields of the event's type."},
            ref_template="#/components/schemas/{name}",
        )[1]
        schema.setdefault("components", {}).setdefault("schemas", {}).update(components)
        app.openapi_schema = schema
    return app.openapi_schema
