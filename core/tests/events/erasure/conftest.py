import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from sqlalchemy import text

from threepeat.events import receipts
from threepeat.events.erasure import announce, complete, request, status
from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl
from threepeat.sdk.migrations import CURRENT_TENANT
from threepeat.sdk.models import ANONYMISE, DELETE, keep, personal
from threepeat.tenancy import members
from threepeat.tenancy.tenants import Tenant

CANARY = "canary-7f3a"
TABLES = ("dormant.album", "dormant.photo", "dormant.bill", "dormant.item")

INSERTS = (
    """INSERT INTO dormant.album (tenant_id, member_id, name, kind, title, short, bounded, tags, codes, free,
           fixed, picture, device, seen_from, words, colour, points, taken_at)
       VALUES (:tenant, :member, :canary || :member, 'own', :canary, left(:canary, 6), :canary,
           ARRAY[:canary, NULL], ARRAY[left(:canary, 5)], jsonb_build_object(:canary, 1),
           json_build_object('a', :canary), convert_to(:canary, 'UTF8'), CAST(:device AS uuid), '203.0.113.7',
           to_tsvector('simple', :canary), 'red', 7, '2026-01-02T03:04:05Z')""",
    "INSERT INTO dormant.photo VALUES (:tenant, :member, :member, :canary || :member, 1)",
    "INSERT INTO dormant.bill VALUES (:tenant, :member, 1, :canary)",
    "INSERT INTO dormant.item VALUES (:tenant, :member, 1, :canary)",
    "INSERT INTO dormant.invoice VALUES (:tenant, :member, :member, 'invoice of ' || :canary)",
)


class Filer(Plugin[PluginSettings]):
    """Keeps something about members where no catalogue can see it."""

    manifest = Manifest(id="filer", kind="tactic", title="Filer", summary="A toy.", holdout="none")
    settings_model = PluginSettings
    erased: ClassVar[list[int]] = []
    fails: ClassVar[bool] = False

    @hookimpl
    def erase_member(self, ctx: Any, member: int) -> None:
        del ctx
        if self.fails:
            raise RuntimeError(CANARY)
        self.erased.append(member)


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load([("filer", Filer())])


@pytest.fixture(autouse=True)
def filer(monkeypatch: pytest.MonkeyPatch) -> type[Filer]:
    monkeypatch.setattr(Filer, "erased", [])
    monkeypatch.setattr(Filer, "fails", False)
    return Filer


@pytest.fixture(scope="module")
def plant(platform: Platform) -> Callable[..., None]:
    """Makes tables of a plugin that is gone: `plant("note", "body text", key="id", comment=personal(…))`."""
    roles = platform.database.urls.roles

    def make(name: str, columns: str, *, key: str, comment: str | None = None) -> None:
        table, tied = f"dormant.{name}", f"tenant_id = {CURRENT_TENANT}"
        said = "NULL" if comment is None else "'" + comment.replace("'", "''") + "'"
        with platform.database.owner.begin() as owner:
            for statement in (
                "CREATE SCHEMA IF NOT EXISTS dormant",
                f"GRANT USAGE ON SCHEMA dormant TO {roles.app}, {roles.ops}",
                f"CREATE TABLE {table} (tenant_id bigint NOT NULL, {columns}, PRIMARY KEY (tenant_id, {key}))",
                f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
                f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
                f"CREATE POLICY tenant ON {table} TO {roles.app} USING ({tied}) WITH CHECK ({tied})",
                f"CREATE POLICY all_of_it ON {table} TO {roles.owner}, {roles.ops} USING (true) WITH CHECK (true)",
                f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {roles.app}, {roles.ops}",
                f"COMMENT ON TABLE {table} IS {said}",
            ):
                owner.execute(text(statement.replace(":", "\\:")))

    return make


@dataclass(frozen=True)
class Yard:
    """A database whose tables hold canaries."""

    platform: Platform

    def hold(self, tenant: Tenant, external_id: str) -> int:
        """A member with a row in every table."""
        with self.platform.database.tenant(tenant.id) as scope:
            member = members.put(scope, self.platform.keyring, external_id).id
        self.fill(tenant, member)
        return member

    def fill(self, tenant: Tenant, member: int, canary: str = CANARY) -> None:
        """A row in every table under a member's id."""
        binds = {"member": member, "canary": canary, "device": str(self.device(member))}
        with self.platform.database.tenant(tenant.id) as scope:
            for statement in INSERTS:
                typed = statement.replace(":canary", "CAST(:canary AS text)")
                scope.run(text(typed.replace(":member", "CAST(:member AS bigint)")), **binds)

    def device(self, member: int) -> uuid.UUID:
        return uuid.UUID(int=0x5EC2E7 + member)

    def ask(self, tenant: Tenant, member: int) -> str:
        with self.platform.database.tenant(tenant.id) as scope:
            return request(self.platform, scope, member, by="operator")

    def erase(self, tenant: Tenant, member: int) -> dict[str, Any]:
        """Erase a member and return what the receipt states."""
        erasure_id = self.ask(tenant, member)
        announce(self.platform, tenant, erasure_id)
        complete(self.platform, tenant, erasure_id)
        return self.stated(tenant, erasure_id)

    def stated(self, tenant: Tenant, erasure_id: str) -> dict[str, Any]:
        with self.platform.database.tenant(tenant.id) as scope:
            receipt = status(scope, erasure_id).receipt
        assert receipt is not None
        return receipts.verify(receipt, receipts.public_keys(self.platform.keyring))

    def rows(self, tenant: Tenant, table: str, **equal: Any) -> list[dict[str, Any]]:
        conditions = "".join(f" AND {name} = :{name}" for name in equal)
        statement = text(f"SELECT * FROM {table} WHERE tenant_id = :tenant{conditions}")
        with self.platform.database.ops.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(statement, {"tenant": tenant.id, **equal})]

    def hits(self, tenant: Tenant, *tables: str, canary: str = CANARY) -> list[str]:
        """Tables of the tenant in which a row holds the canary."""
        binds = {"tenant": tenant.id, "word": canary}
        with self.platform.database.ops.connect() as connection:
            return [
                table
                for table in tables
                if connection.execute(
                    text(
                        f"SELECT count(*) FROM {table} t"
                        " WHERE tenant_id = :tenant AND strpos(CAST(t AS text), :word) > 0"
                    ),
                    binds,
                ).scalar_one()
            ]


@pytest.fixture(scope="module")
def yard(platform: Platform, plant: Callable[..., None]) -> Yard:
    with platform.database.owner.begin() as owner:
        owner.execute(text("CREATE TYPE core.colour AS ENUM ('red', 'blue')"))
        owner.execute(text("CREATE DOMAIN core.title AS text"))
    plant(
        "album",
        "member_id bigint, name text NOT NULL, kind text CHECK (kind IN ('own', 'shared')), title core.title,"
        " short varchar(6), bounded varchar(60), tags text[], codes varchar(5)[] NOT NULL DEFAULT '{}',"
        " free jsonb, fixed json NOT NULL DEFAULT '{}', picture bytea, device uuid, seen_from inet,"
        " words tsvector, colour core.colour, points bigint NOT NULL, taken_at timestamptz,"
        " loud text GENERATED ALWAYS AS (upper(name)) STORED",
        key="name",
        comment=personal("member_id", on_erase=ANONYMISE, keeps=("kind",)),
    )
    plant(
        "photo",
        "id bigint, member_id bigint, album text, points bigint,"
        " FOREIGN KEY (tenant_id, album) REFERENCES dormant.album (tenant_id, name)",
        key="id",
        comment=personal("member_id", on_erase=DELETE),
    )
    plant(
        "bill",
        "member_id bigint, id bigint, name text",
        key="member_id, id",
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    plant(
        "item",
        "member_id bigint, bill bigint, note text,"
        " FOREIGN KEY (tenant_id, member_id, bill) REFERENCES dormant.bill (tenant_id, member_id, id)",
        key="member_id, bill",
        comment=personal("member_id", on_erase=ANONYMISE),
    )
    plant(
        "invoice",
        "id bigint, member_id bigint, body text",
        key="id",
        comment=personal("member_id", on_erase=keep("tax law wants it for ten years")),
    )
    return Yard(platform)


@pytest.fixture
def other(make_tenant: Callable[..., Tenant], tenant: Tenant) -> Tenant:
    return make_tenant(f"{tenant.store.slug}-other")
