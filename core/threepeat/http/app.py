"""Builds the ASGI app."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

import anyio.to_thread
import msgspec
import structlog
from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from starlette.routing import BaseRoute

import threepeat
from threepeat.database.asynchronous import conninfo, options
from threepeat.events.incoming import CloudEvent
from threepeat.events.platform import Platform
from threepeat.events.refusals import Refusals
from threepeat.http import (
    callers,
    collections,
    consents,
    health,
    ingest,
    keys,
    me,
    members,
    metrics,
    privacy,
    problems,
    quotes,
    roster,
    tactics,
    trails,
)
from threepeat.http.callers import Callers
from threepeat.http.calls import Door, bearer
from threepeat.http.config import HttpConfig
from threepeat.http.edge import Edge
from threepeat.http.health import Readiness
from threepeat.http.lanes import Lanes
from threepeat.http.paths import Room

APPS = "threepeat.apps"
"""Entry points of what other distributions add to the app: called with the app, the platform and the config."""
ROOMS = (me.router, collections.router)
"""Where plugins mount what members ask of them, and what merchants manage in them."""
PROBLEMS = (401, 403, 404, 408, 409, 413, 415, 422, 429, 503)

logger = structlog.get_logger(__name__)

__all__ = ["HttpConfig", "create_app"]


def create_app(platform: Platform, config: HttpConfig | None = None) -> FastAPI:
    """The app that serves a platform.

    Args:
        platform: An open platform.
        config: From the environment by default.
    """
    config = config or HttpConfig()
    platform, mounted = _mounted(platform)

    known = Callers(platform.keyring, config)
    ready = Readiness()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Whoever is let in finds a thread: nobody waits for one who waits for somebody else.
        limiter = anyio.to_thread.current_default_thread_limiter()
        limiter.total_tokens = max(limiter.total_tokens, lanes.threads)
        async with (
            _pool(platform, "ingest", config.ingest_pool) as app.state.pool,
            _pool(platform, "callers", callers.CONNECTIONS) as known.pool,
            _pool(platform, "health", 1) as ready.pool,
        ):
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
    app.state.refusals = Refusals()
    app.state.door = Door(platform, config.timeouts)
    rooms = (ingest, members, roster, consents, privacy, tactics, collections, metrics, keys, trails, quotes, me)
    responses: dict[int | str, dict[str, Any]] = {code: {"model": problems.Problem} for code in PROBLEMS}
    for room in rooms:
        app.include_router(room.router, responses=responses)
    strangers: dict[str, list[BaseRoute]] = {}
    for plugin, parts in mounted.items():
        already = len(app.routes)
        for part in parts:
            app.include_router(part, responses=responses)
        strangers[plugin] = app.routes[already:]
    app.include_router(health.router(platform.registry, ready))
    problems.install(app)
    guarded = _guarded([*(room.router for room in rooms), *(part for parts in mounted.values() for part in parts)])
    lanes = Lanes(config, platform.database.pool_size, guarded, [plugin.id for plugin in platform.registry])
    app.add_middleware(Edge, config=config, callers=known, lanes=lanes)
    # Last, so that what they put around the app also sees what the edge refuses.
    for point in sorted(entry_points(group=APPS), key=lambda point: point.name):
        point.load()(app, platform, config)
    app.openapi = lambda: _openapi(app, strangers)  # type: ignore[method-assign]
    return app


def _pool(platform: Platform, name: str, size: int) -> AsyncConnectionPool[AsyncConnection[Any]]:
    """A pool for asynchronous work."""
    urls = platform.database.urls
    return AsyncConnectionPool(
        conninfo(urls),
        min_size=1,
        max_size=size,
        timeout=3,
        open=False,
        check=AsyncConnectionPool.check_connection,
        kwargs=options(urls, name),
    )


def _guarded(routers: Iterable[APIRouter]) -> set[str]:
    """The first two segments of every address that a bearer credential opens."""
    return {
        "/".join(route.path.split("/", 3)[:3])
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and any(found.dependency is bearer for found in route.dependencies)
    }


def _mounted(platform: Platform) -> tuple[Platform, dict[str, list[APIRouter]]]:
    """The plugins' routers by id; a plugin whose routes cannot be served is quarantined and the others go on."""
    routers: dict[str, list[APIRouter]] = {}
    broken: dict[str, str] = {}
    for plugin in platform.registry:
        parts: list[APIRouter] = [
            Room(below=f"{room.prefix}/{plugin.id}/", prefix=room.prefix, dependencies=room.dependencies)
            for room in ROOMS
        ]
        try:
            me.mount(parts[0], plugin)
            collections.mount(parts[1], plugin)
        except Exception as error:  # noqa: BLE001 - a stranger's declaration may fail in any way
            broken[plugin.id] = f"its routes cannot be served: {error}"
            logger.error("plugin quarantined", plugin=plugin.id, reason=broken[plugin.id])
        else:
            routers[plugin.id] = parts
    if broken:
        platform = replace(platform, registry=platform.registry.quarantine(broken))
    return platform, routers


def _openapi(app: FastAPI, strangers: Mapping[str, Sequence[BaseRoute]]) -> dict[str, Any]:
    """The description of the API, made when it is first asked for: it takes longer than the rest of the start."""
    if app.openapi_schema is None:
        try:
            schema = _described(app, app.routes)
        except Exception:  # noqa: BLE001 - a stranger's types may fail in any way
            schema = _described(app, _describable(app, strangers))
        components = msgspec.json.schema_components(
            [ingest.Receipt, CloudEvent],
            schema_hook=lambda _: {"type": "object", "description": "The fields of the event's type."},
            ref_template="#/components/schemas/{name}",
        )[1]
        schema.setdefault("components", {}).setdefault("schemas", {}).update(components)
        app.openapi_schema = schema
    return app.openapi_schema


def _described(app: FastAPI, routes: Sequence[BaseRoute]) -> dict[str, Any]:
    return get_openapi(title=app.title, version=app.version, summary=app.summary, routes=routes)


def _describable(app: FastAPI, strangers: Mapping[str, Sequence[BaseRoute]]) -> list[BaseRoute]:
    """All routes but those of plugins whose types have no description: these are served and not described."""
    silent: list[BaseRoute] = []
    for plugin, routes in strangers.items():
        try:
            _described(app, routes)
        except Exception as error:  # noqa: BLE001 - as above
            logger.error("a plugin is left out of the API's description", plugin=plugin, reason=str(error))
            silent += routes
    return [route for route in app.routes if route not in silent]
