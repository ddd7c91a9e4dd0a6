"""A PostgreSQL server for tests, with Threepeat's roles and a database to copy; needs no pytest."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Literal

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from threepeat.database.config import DatabaseConfig, driver_url
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.roles import Passwords, bootstrap
from threepeat.events.platform import KeyConfig, Platform
from threepeat.plugins import Registry
from threepeat.sdk.migrations import Roles
from threepeat.tenancy.keyring import new_line
from threepeat.testing.kept import KEPT

PLENTY = 8 * 2**30
"""Bytes of memory file system that a server for tests wants to have free."""
LET_GO = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND usename <> ALL(%s)"
"""Ends what a pooler keeps: the app role's connections, and those by which it asks for passwords."""


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL server with Threepeat's roles and a migrated template database.

    Attributes:
        strategy: How databases are copied; as files is far quicker where a checkpoint costs nothing.
        pooler: Host and port of a pooler in front of the server, through which the app role goes.
    """

    admin_url: str
    roles: Roles
    passwords: Passwords
    template: str
    strategy: Literal["WAL_LOG", "FILE_COPY"] = "WAL_LOG"
    pooler: tuple[str, int] | None = None

    def url(self, role: str, database: str) -> str:
        """URL of one of the roles (`app`, `owner`, `ops`) to a database."""
        user, password = getattr(self.roles, role), getattr(self.passwords, role)
        url = make_url(self.admin_url).set(username=user, password=password, database=database)
        if role == "app" and self.pooler is not None:
            host, port = self.pooler
            url = url.set(host=host, port=port)
        return url.render_as_string(hide_password=False)

    def config(self, database: str, data: Path) -> DatabaseConfig:
        """Configuration for a database of this server."""
        return DatabaseConfig(
            data=data,
            app_url=self.url("app", database),
            owner_url=self.url("owner", database),
            ops_url=self.url("ops", database),
            app_pooled=self.pooler is not None,
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
            "THREEPEAT_APP_POOLED": str(self.pooler is not None),
            "THREEPEAT_ROLE_PREFIX": self.roles.app.removesuffix("_app"),
        }

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """A database of its own, copied from the template, dropped at the end."""
        name = f"{self.template}_{secrets.token_hex(4)}"
        if template is not None:
            KEPT.let_go()
            self.let_go(template)
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
            with opened_for_tests(config, registry, KeyConfig(keys=new_line())) as opened:
                yield opened

    def drop(self) -> None:
        """Remove the template and the roles."""
        self._run("DROP DATABASE {} WITH (FORCE)", self.template)
        for role in (self.roles.app, self.roles.ops, self.roles.owner):
            self._run("DROP ROLE {}", role)

    def let_go(self, database: str) -> None:
        """End what a pooler keeps open to a database: it can be copied only while nobody is connected to it."""
        if self.pooler is not None:
            with psycopg.connect(self.admin_url, autocommit=True) as admin:
                admin.execute(LET_GO, (database, [self.roles.owner, self.roles.ops]))

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


installed = cache(Registry.discover)
"""The plugins of this environment: they stay as they are while a process runs."""


def opened_for_tests(config: DatabaseConfig, registry: Registry | None, given: KeyConfig) -> Platform:
    """A platform on a copy of the template, which is up to date for the installed plugins."""
    return Platform.open(config, registry=registry or installed(), keys=given, upgrade=registry is not None)


class ServerForTests:
    """A PostgreSQL server: the one that `DATABASE_URL` names, else an embedded one of its own.

    `THREEPEAT_TEST_POOLER=host:port` names a pooler in transaction mode in front of the one that is named.

    It is made ready while its maker goes on, so that whoever has something else to do need not wait for it.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._pool = ThreadPoolExecutor(1)
        self._made = self._pool.submit(self._prepare)

    def cluster(self) -> Cluster:
        """Threepeat's roles and a template on it."""
        return self._made.result()

    def stop(self) -> None:
        """Remove what was made, and end the embedded one."""
        self._pool.shutdown()
        self._stack.close()

    def _prepare(self) -> Cluster:
        if given := os.environ.get("DATABASE_URL"):
            url = driver_url(given).set(drivername="postgresql").render_as_string(hide_password=False)
            return replace(self._stack.enter_context(_cluster(url)), pooler=_pooler())
        fast = memory()
        folder = Path(tempfile.mkdtemp(prefix="threepeat-test-", dir=fast))
        self._stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        server = EmbeddedServer(folder)
        server.start()
        self._stack.callback(server.stop)
        made = self._stack.enter_context(_cluster(server.admin_url))
        return replace(made, strategy="FILE_COPY" if fast else "WAL_LOG")


@contextmanager
def cluster_for_tests() -> Iterator[Cluster]:
    """A server with Threepeat's roles and a template, as long as the block lasts."""
    server = ServerForTests()
    try:
        yield server.cluster()
    finally:
        server.stop()


def memory() -> Path | None:
    """A file system in memory, if there is plenty: a database that a test makes and drops is a thousand files."""
    memory = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= PLENTY:
        return memory
    return None


def _pooler() -> tuple[str, int] | None:
    host, _, port = os.environ.get("THREEPEAT_TEST_POOLER", "").rpartition(":")
    return (host, int(port)) if host else None


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
