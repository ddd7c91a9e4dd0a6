"""A PostgreSQL server for tests, with Threepeat's roles and a database to copy; needs no pytest."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
            with opened_for_tests(config, registry, KeyConfig(keys=new_line())) as opened:
                yield opened

    def drop(self) -> None:
        """Remove the template and the roles."""
        self._run("DROP DATABASE {} WITH (FORCE)", self.template)
        for role in (self.roles.app, self.roles.ops, self.roles.owner):
            self._run("DROP ROLE {}", role)

    def _run(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


installed = cache(Registry.discover)
"""The plugins of this environment: they stay as they are while a process runs."""


def opened_for_tests(config: DatabaseConfig, registry: Registry | None, given: KeyConfig) -> Platform:
    """A platform on a copy of the template, which is up to date for the installed plugins."""
    return Platform.open(config, registry=registry or installed(), keys=given, upgrade=registry is not None)


@contextmanager
def cluster_for_tests() -> Iterator[Cluster]:
    """A server as long as the block lasts: the one that `DATABASE_URL` names, else an embedded one of its own."""
    given = os.environ.get("DATABASE_URL")
    if given:
        url = driver_url(given).set(drivername="postgresql")
        with _cluster(url.render_as_string(hide_password=False)) as made:
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
