"""Pytest fixtures, registered for every test run of an environment that has Threepeat installed.

`DATABASE_URL` names a superuser of a PostgreSQL server to test on; without it the embedded server runs
in a folder of its own and is removed at the end.
"""

import asyncio
import itertools
import os
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import httpx2
import orjson
import psycopg
import pytest
import uvicorn
from msgspec import Raw
from psycopg import sql
from sqlalchemy import make_url

from threepeat.database.config import DatabaseConfig, driver_url
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.roles import Passwords, bootstrap
from threepeat.events.context import Cause, PluginContext
from threepeat.events.incoming import Item, read
from threepeat.events.ingest import append
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.http.app import HttpConfig, create_app
from threepeat.plugins import Registry
from threepeat.sdk.events import Sender as EventSender
from threepeat.sdk.migrations import Roles
from threepeat.tenancy import keys, tenants
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.kept import KEPT
from threepeat.worker.loop import Worker

BY = "test"
NO_LIMITS = {f"{who}_{what}": 0 for who in ("key", "member", "tenant") for what in ("requests", "events")}
"""What turns `HttpConfig`'s limits of rates off."""
PLENTY = 8 * 2**30
"""Bytes of memory file system that a server for tests wants to have free."""


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server with Threepeat's roles and a migrated template database.

    Attributes:
        strategy: How databases are copied; as files is far quicker where a checkpoint costs nothing.
    """

    admin_url: str
    roles: Roles
    passwords: Passwords
    template: str
    strategy: Literal["WAL_LOG", "FILE_COPY"] = "WAL_LOG"

    def url(self, role: str, database: str) -> str:
        """URL of one of the roles (`app`, `owner`, `ops`) to a database."""
        user, password = getattr(self.roles, role), getattr(self.passwords, role)
        url = make_url(self.admin_url).set(username=user, password=password, database=database)
        return url.render_as_string(hide_password=False)

    def config(self, database: str, data: Path) -> DatabaseConfig:
        """Configuration for a database of this server."""
        return DatabaseConfig(
            data=data,
            app_url=self.url("app", database),
            owner_url=self.url("owner", database),
            ops_url=self.url("ops", database),
            role_prefix=self.roles.app.removesuffix("_app"),
        )

    def environment(self, database: str, data: Path) -> dict[str, str]:
        """The environment in which `threepeat` works on a database of this server, with fresh keys."""
        return {
            **os.environ,
            "THREEPEAT_DATA": str(data),
            "THREEPEAT_KEYS": new_line().strip(),
            "THREEPEAT_APP_URL": self.url("app", database),
            "THREEPEAT_OWNER_URL": self.url("owner", database),
            "THREEPEAT_OPS_URL": self.url("ops", database),
            "THREEPEAT_ROLE_PREFIX": self.roles.app.removesuffix("_app"),
        }

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """A database of its own, copied from the template, dropped at the end."""
        name = f"{self.template}_{secrets.token_hex(4)}"
        if template is not None:
            KEPT.let_go()
        copying = f"CREATE DATABASE {{}} TEMPLATE {{}} OWNER {{}} STRATEGY {self.strategy}"
        self._run(copying, name, template or self.template, self.roles.owner)
        self._run("REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        self._run("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}, {}", name, self.roles.app, self.roles.ops)
        try:
            yield name
        finally:
            self._run("DROP DATABASE {} WITH (FORCE)", name)

    @contextmanager
    def platform(self, data: Path, *, registry: Registry | None = None, pool_size: int = 10) -> Iterator[Platform]:
        """An open platform on a database of its own, for tests that share one: each makes tenants of its own.

        Args:
            data: A folder for what it keeps outside the database.
            registry: The plugins; the installed ones by default.
            pool_size: How many threads find a connection at once.
        """
        with self.database() as name:
            config = self.config(name, data).model_copy(update={"pool_size": pool_size})
            with _opened(config, registry, KeyConfig(keys=new_line())) as opened:
                yield opened

    def drop(self) -> None:
        """Remove the template and the roles."""
        self._run("DROP DATABASE {} WITH (FORCE)", self.template)
        for role in (self.roles.app, self.roles.ops, self.roles.owner):
            self._run("DROP ROLE {}", role)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


_installed = cache(Registry.discover)


def _opened(config: DatabaseConfig, registry: Registry | None, given: KeyConfig) -> Platform:
    """A platform on a copy of the template, which is up to date for the installed plugins."""
    return Platform.open(config, registry=registry or _installed(), keys=given, upgrade=registry is not None)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The server that all tests of a run share."""
    given = os.environ.get("DATABASE_URL")
    if given:
        with _cluster(
            driver_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
        ) as made:
            yield made
        return
    memory = _memory()
    folder = Path(tempfile.mkdtemp(prefix="threepeat-test-", dir=memory))
    folder.chmod(0o755)
    server = EmbeddedServer(folder)
    try:
        server.start()
        with _cluster(server.admin_url) as made:
            yield replace(made, strategy="FILE_COPY" if memory else "WAL_LOG")
    finally:
        server.stop()
        shutil.rmtree(folder)


def _memory() -> Path | None:
    """A file system in memory, if there is plenty: a database that a test makes and drops is a thousand files."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= PLENTY:
        return memory
    return None


@contextmanager
def _cluster(admin_url: str) -> Iterator[Cluster]:
    prefix = f"tp{secrets.token_hex(3)}"
    roles = Roles.prefixed(prefix)
    passwords = Passwords(*(secrets.token_urlsafe(18) for _ in range(3)))
    bootstrap(admin_url, f"{prefix}_template", roles, passwords)
    made = Cluster(admin_url, roles, passwords, f"{prefix}_template")
    try:
        registry = Registry.discover()
        config = made.config(made.template, Path(tempfile.gettempdir()))
        Platform.open(config, registry=registry, keys=KeyConfig(keys=new_line()), upgrade=True).database.dispose()
        yield made
    finally:
        made.drop()


@pytest.fixture
def open_platform(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """Opens platforms on one fresh database: `open_platform(registry=…)`."""
    opened: list[Platform] = []
    keys_given = KeyConfig(keys=new_line())
    with cluster.database() as name:

        def make(*, registry: Registry | None = None) -> Platform:
            config = cluster.config(name, tmp_path)
            platform = _opened(config, registry, keys_given)
            opened.append(platform)
            return platform

        yield make
        for platform in opened:
            platform.database.dispose()


@pytest.fixture
def platform(open_platform: Callable[..., Platform]) -> Platform:
    """An open platform with every installed plugin, on a fresh database."""
    return open_platform()


@pytest.fixture
def make_tenant(platform: Platform) -> Callable[..., Tenant]:
    """Makes tenants: `make_tenant("shop", enable=["points"], holdout=0)`."""

    def make(slug: str, *, enable: tuple[str, ...] = (), holdout: int = 0, currency: str = "CNY") -> Tenant:
        return open_store(platform, slug, currency=currency, enable=enable, holdout=holdout, by=BY)

    return make


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """A store with its services on."""
    return make_tenant("first")


@pytest.fixture
def other_tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """Another store, to see that the two never meet."""
    return make_tenant("second")


@pytest.fixture
def make_key(platform: Platform) -> Callable[..., str]:
    """Makes API keys: `make_key(tenant, "ingest")`."""

    def make(owner: Tenant, *scopes: str) -> str:
        with platform.database.tenant(owner.id) as scope:
            return keys.create_key(scope, platform.keyring, "test", scopes, by=BY)

    return make


@pytest.fixture
def worker(platform: Platform) -> Worker:
    """A worker to `drain()`."""
    return Worker(platform)


@pytest.fixture
def act(platform: Platform) -> Callable[..., Any]:
    """Acts as a plugin, in a transaction that commits: `act(tenant, "points", lambda ctx: ctx.balance(…))`."""

    def run(owner: Tenant, plugin: str, work: Callable[[PluginContext], Any], *, member: int | None = None) -> Any:
        with platform.database.directory() as connection:
            current = tenants.by_id(connection, owner.id)
        with platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            opened = platform.inside(scope, current)
            cause = Cause(secrets.token_hex(8))
            context = opened.context(platform.registry[plugin], cause=cause, member=member)
            answer = work(context)
            context.finish()
        return answer

    return run


class Sender:
    """Sends events the way that ingest does: read, judged, appended, committed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._count = itertools.count(1)

    def event(
        self,
        kind: str,
        member: str | None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents' name
        time: datetime | None = None,
        **data: object,
    ) -> dict[str, object]:
        """A CloudEvent with `data`; its id is new unless given, its time now."""
        made: dict[str, object] = {
            "specversion": "1.0",
            "id": id or f"test-{next(self._count)}",
            "source": "test",
            "type": kind,
            "time": time or datetime.now(UTC),
            "data": data,
        }
        return made if member is None else {**made, "subject": member}

    def batch(self, tenant: Tenant, events: Sequence[dict[str, object]]) -> list[Item]:
        """Send events as one batch of the shop's server; returns the items with their verdicts."""
        items = read(
            [Raw(orjson.dumps(event)) for event in events],
            self._platform.catalogue,
            sender=EventSender.SERVER,
            currency=tenant.store.currency,
            now=datetime.now(UTC),
        )
        url = self._platform.database.urls.app.set(drivername="postgresql")
        keyring = self._platform.keyring
        KEPT.use(
            url.render_as_string(hide_password=False),
            lambda connection: append(connection, keyring, tenant.id, items),
        )
        return items

    def __call__(self, tenant: Tenant, kind: str, member: str | None, **event: Any) -> Item:
        """Send one event, as `event` builds it."""
        return self.batch(tenant, [self.event(kind, member, **event)])[0]


@pytest.fixture
def send(platform: Platform) -> Sender:
    """Sends events: `send(tenant, "order.paid", "ann", order_id="1", total=1200, currency="CNY")`."""
    return Sender(platform)


class _Server(uvicorn.Server):
    """Looks more often whether it is to end: every test that serves waits for that."""

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await asyncio.sleep(0.02)


@contextmanager
def serving(platform: Platform, config: HttpConfig | None = None) -> Iterator[str]:
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


@pytest.fixture
def client(platform: Platform) -> Iterator[httpx2.Client]:
    """A real HTTP client of a real server."""
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made
