"""Two stores whose owners share an address, and operators."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.tenancy import tenants
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import links, operators, passwords, staff
from threepeat_tenants.accounts.operators import Operator
from threepeat_tenants.accounts.signin import sign_in_operator, sign_in_staff
from threepeat_tenants.accounts.staff import Staff

EMAIL = "ann@example.com"
PASSWORD = "seven grey herons"
OTHER_PASSWORD = "nine slow barges"
BY = "operator:1"

EMPTY = text("""
    TRUNCATE core.staff, core.staff_session, core.staff_link, core.audit, core.operator, core.operator_session,
             core.operator_link, core.operator_key, core.operator_audit, core.sign_in_failure RESTART IDENTITY
""")


@dataclass(frozen=True)
class House:
    """A store as its staff sees it."""

    platform: Platform
    tenant: Tenant

    def scope(self):
        return self.platform.database.tenant(self.tenant.id)

    def add(self, name: str, role: str = "owner", *, password: str | None = None, **contact: str) -> Staff:
        with self.scope() as scope:
            made = staff.add(scope, name=name, role=role, by=BY, **contact)
            if password is not None:
                token = links.make_staff_link(scope, self.platform.keyring, made.id, BY)
                links.redeem(scope, self.platform.keyring, token, password)
        return made

    def sign_in(self, login: str = EMAIL, password: str = PASSWORD, *, address: str = "192.0.2.1"):
        return sign_in_staff(self.platform, self.tenant, login, password, address=address, agent="test")

    def age(self, table: str, by: timedelta) -> None:
        """Move the times of all rows into the past."""
        age(self.platform, table, by)

    def trail(self) -> list[tuple[str, str, str]]:
        with self.scope() as scope:
            rows = scope.run(
                text("SELECT actor, action, subject FROM core.audit WHERE tenant_id = :tenant ORDER BY id")
            )
        return [tuple(row) for row in rows]


@dataclass(frozen=True)
class Office:
    """Where operators work."""

    platform: Platform

    def ops(self):
        return self.platform.database.ops.begin()

    def add(self, login: str, *, password: str | None = None) -> Operator:
        with self.ops() as ops:
            made = operators.add(ops, login=login, name=login.title(), by="operator")
            if password is not None:
                token = links.make_operator_link(ops, self.platform.keyring, made.id, "operator")
                links.redeem(ops, self.platform.keyring, token, password)
        return made

    def sign_in(self, login: str, password: str = PASSWORD, *, address: str = "192.0.2.1"):
        return sign_in_operator(self.platform, login, password, address=address, agent="test")

    def trail(self) -> list[tuple[str, str, str]]:
        with self.ops() as ops:
            rows = ops.execute(text("SELECT actor, action, subject FROM core.operator_audit ORDER BY id")).all()
        return [tuple(row) for row in rows]


TIMES = {
    "staff_session": ("created_at", "seen_at", "expires_at"),
    "operator_session": ("created_at", "seen_at", "expires_at"),
    "staff_link": ("created_at", "expires_at"),
    "operator_link": ("created_at", "expires_at"),
    "sign_in_failure": ("last_at",),
}


def age(platform: Platform, table: str, by: timedelta) -> None:
    """Move the times of all rows of a table into the past."""
    changes = ", ".join(f"{column} = {column} - :by" for column in TIMES[table])
    with platform.database.ops.begin() as ops:
        ops.execute(text(f"UPDATE core.{table} SET {changes}"), {"by": by})


@pytest.fixture(scope="module")
def shared(cluster, tmp_path_factory):
    """A platform with two stores, for all tests of a file."""
    with cluster.database() as name:
        config = cluster.config(name, tmp_path_factory.mktemp("data"))
        opened = Platform.open(config, keys=KeyConfig(keys=new_line()))
        try:
            for slug in ("first", "second"):
                open_store(opened, slug, by="test")
            yield opened
        finally:
            opened.database.dispose()


@pytest.fixture
def light_hashes(monkeypatch):
    """Passwords are hashed as ever, with parameters that take a hundredth of the time."""
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=256, parallelism=1))
    passwords._nobodys.cache_clear()
    yield
    passwords._nobodys.cache_clear()


@pytest.fixture
def platform(shared, light_hashes) -> Platform:
    """The shared platform with nobody in it."""
    del light_hashes
    with shared.database.owner.begin() as owner:
        owner.execute(EMPTY)
    return shared


@pytest.fixture
def tenant(platform) -> Tenant:
    """A store."""
    with platform.database.directory() as connection:
        return tenants.by_slug(connection, "first")


@pytest.fixture
def other_tenant(platform) -> Tenant:
    """Another store, to see that the two never meet."""
    with platform.database.directory() as connection:
        return tenants.by_slug(connection, "second")


@pytest.fixture
def house(platform, tenant) -> House:
    """The first store; ann owns it."""
    made = House(platform, tenant)
    made.add("Ann", email=EMAIL, password=PASSWORD)
    return made


@pytest.fixture
def other_house(platform, other_tenant) -> House:
    """The second store; another person with the same address owns it."""
    made = House(platform, other_tenant)
    made.add("Ann", email=EMAIL, password=OTHER_PASSWORD)
    return made


@pytest.fixture
def office(platform) -> Office:
    """Operators' desk, with nobody at it yet."""
    return Office(platform)
