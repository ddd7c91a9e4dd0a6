import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from threepeat.database.checks import BootError
from threepeat.events.platform import KeyConfig, Platform
from threepeat.tenancy.keyring import new_line
from threepeat.testing.fixtures import Cluster

embedded_only = pytest.mark.skipif(
    "DATABASE_URL" in os.environ, reason="the durability of a whole server is changed on a server of our own only"
)


@dataclass(frozen=True)
class Ground:
    """A migrated database whose server or roles are about to be spoilt."""

    cluster: Cluster
    name: str
    data: Path

    def run(self, *statements: str) -> None:
        url = make_url(self.cluster.admin_url).set(database=self.name).render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as admin:
            for statement in statements:
                admin.execute(self._named(statement))
        self.cluster.let_go(self.name)  # what a pooler keeps open would not hear of it

    def _named(self, statement: str) -> bytes:
        roles = self.cluster.roles
        named = statement.replace("{app}", roles.app).replace("{owner}", roles.owner)
        return named.replace("{database}", self.name).encode()

    @contextmanager
    def spoilt(self, spoil: str, restore: str) -> Iterator[None]:
        self.run(spoil)
        try:
            yield
        finally:
            self.run(restore)

    def open(self) -> Platform:
        config = self.cluster.config(self.name, self.data)
        return Platform.open(config, keys=KeyConfig(keys=new_line()))

    def boots(self) -> bool:
        platform = self.open()
        try:
            return not platform.registry.quarantined
        finally:
            platform.database.dispose()

    def connections(self) -> int:
        with psycopg.connect(self.cluster.admin_url) as admin:
            query = (
                "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name LIKE 'threepeat-%%'"
            )
            row = admin.execute(query, (self.name,)).fetchone()
            assert row is not None
            return int(row[0])


@pytest.fixture
def ground(cluster: Cluster, tmp_path: Path) -> Iterator[Ground]:
    with cluster.database() as name:
        yield Ground(cluster, name, tmp_path)


def test_a_sound_database_boots(ground: Ground):
    assert ground.boots()


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS"])
def test_an_app_role_above_the_policies_is_refused(ground: Ground, power: str):
    with ground.spoilt(f"ALTER ROLE {{app}} {power}", f"ALTER ROLE {{app}} NO{power}"):
        with pytest.raises(BootError) as refused:
            ground.open()
        assert str(refused.value) == (
            f"the app role {ground.cluster.roles.app} is a superuser or bypasses row-level security"
        )
    assert ground.boots()


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS"])
def test_an_app_role_that_may_become_one_above_the_policies_is_refused(ground: Ground, power: str):
    with ground.spoilt(f"CREATE ROLE {{app}}_boss {power}; GRANT {{app}}_boss TO {{app}}", "DROP ROLE {app}_boss"):
        with pytest.raises(BootError) as refused:
            ground.open()
        app = ground.cluster.roles.app
        assert str(refused.value) == (
            f"the role {app}_boss, which the app role {app} may take on, is a superuser or bypasses"
            " row-level security"
        )
    assert ground.boots()


def test_an_app_role_that_may_become_the_owner_is_refused(ground: Ground):
    with (
        ground.spoilt("GRANT {owner} TO {app}", "REVOKE {owner} FROM {app}"),
        pytest.raises(BootError, match="_owner, which sees every tenant: revoke that"),
    ):
        ground.open()
    assert ground.boots()


@pytest.mark.parametrize(
    ("spoil", "restore"),
    [
        ("ALTER ROLE {app} SET synchronous_commit = off", "ALTER ROLE {app} RESET synchronous_commit"),
        (
            "ALTER DATABASE {database} SET synchronous_commit = off",
            "ALTER DATABASE {database} RESET synchronous_commit",
        ),
        (
            "ALTER ROLE {app} IN DATABASE {database} SET synchronous_commit = off",
            "ALTER ROLE {app} IN DATABASE {database} RESET synchronous_commit",
        ),
    ],
    ids=["of the role", "of the database", "of the role in the database"],
)
def test_commits_that_do_not_wait_for_the_disk_are_refused(ground: Ground, spoil: str, restore: str):
    with ground.spoilt(spoil, restore):
        with pytest.raises(BootError) as refused:
            ground.open()
        assert str(refused.value) == (
            "PostgreSQL runs with synchronous_commit=off: an acknowledged event could be lost"
        )
    assert ground.boots()


@pytest.mark.parametrize("level", ["local", "remote_write", "remote_apply"])
def test_the_other_levels_of_waiting_are_accepted(ground: Ground, level: str):
    with ground.spoilt(
        f"ALTER ROLE {{app}} IN DATABASE {{database}} SET synchronous_commit = {level}",
        "ALTER ROLE {app} IN DATABASE {database} RESET synchronous_commit",
    ):
        assert ground.boots()


@contextmanager
def server_setting(ground: Ground, name: str, value: str) -> Iterator[None]:
    """Change a setting of the whole server, wait until it holds, and put it back."""

    def wait_for(wanted: str) -> None:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with psycopg.connect(ground.cluster.admin_url) as admin:
                row = admin.execute("SELECT current_setting(%s)", (name,)).fetchone()
            if row == (wanted,):
                return
            time.sleep(0.02)
        raise AssertionError(f"{name} does not become {wanted}")

    ground.run(f"ALTER SYSTEM SET {name} = {value}", "SELECT pg_reload_conf()")
    try:
        wait_for(value)
        yield
    finally:
        ground.run(f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
        wait_for("on")


@embedded_only
@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_may_lose_what_it_acknowledged_is_refused(ground: Ground, name: str):
    with server_setting(ground, name, "off"):
        with pytest.raises(BootError) as refused:
            ground.open()
        assert str(refused.value) == f"PostgreSQL runs with {name}=off: an acknowledged event could be lost"
    assert ground.boots()


def test_core_that_is_not_migrated_is_refused(ground: Ground):
    ground.run("DELETE FROM core.alembic_version")
    with pytest.raises(BootError, match=r"^core's schema is pending: run `threepeat db upgrade`$"):
        ground.open()


def test_core_that_is_newer_than_its_code_is_refused(ground: Ground):
    ground.run("UPDATE core.alembic_version SET version_num = '9999'")
    with pytest.raises(BootError, match=r"^core's schema is ahead"):
        ground.open()


def test_an_empty_database_is_refused(cluster: Cluster, tmp_path: Path):
    with cluster.database("template0") as name, pytest.raises(BootError, match="core's schema is pending"):
        Ground(cluster, name, tmp_path).open()


@pytest.mark.parametrize(
    ("spoil", "state"),
    [
        ("DELETE FROM points.alembic_version", "pending"),
        ("UPDATE points.alembic_version SET version_num = '9999'", "ahead"),
        ("DROP SCHEMA points CASCADE", "pending"),
    ],
)
def test_a_plugin_whose_schema_does_not_fit_waits_alone(ground: Ground, spoil: str, state: str):
    ground.run(spoil)
    platform = ground.open()
    reasons = {name: one.reason for name, one in platform.registry.quarantined.items()}
    assert reasons["points"].startswith(f"its schema is {state}")
    assert set(reasons) == {"points"}
    assert "orders" in platform.registry
    platform.database.dispose()


def test_a_refused_boot_leaves_no_connection_behind(ground: Ground):
    if ground.cluster.pooler is not None:
        pytest.skip("a pooler keeps connections open on purpose")
    ground.run("ALTER TABLE core.event DISABLE ROW LEVEL SECURITY")
    with pytest.raises(BootError):
        ground.open()
    end = time.monotonic() + 5
    while ground.connections() and time.monotonic() < end:
        time.sleep(0.02)
    assert ground.connections() == 0
