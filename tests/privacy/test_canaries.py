"""Canaries in every column of every table are gone after an erasure; and the proof would see one that is not."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from threepeat.events import merging
from threepeat.events.erasure import announce, complete, request, status
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.sdk.migrations import CURRENT_TENANT
from threepeat.sdk.models import ANONYMISE, personal
from threepeat.tenancy import identities, members
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Sender

ROAD = ("core.event", "core.member", "core.erasure")
"""Tables whose rows come by the road that they come by in earnest, not by an INSERT."""
NUMBERS = {
    *(
        "blindbox.spending",
        "checkin.check_in",
        "checkin.make_up",
        "messages.allowance",
        "orders.buyer",
        "points.account",
        "points.item_member",
    ),
    *("tiers.change", "tiers.day_growth", "tiers.standing"),
    *("vouchers.guess", "vouchers.taking", "winback.activity"),
}
"""Tables that hold numbers only, and no word that could be found again."""

GONE = """
    CREATE SCHEMA gone;
    CREATE TABLE gone.diary (tenant_id bigint, member_id bigint, day text, words text[], pages jsonb NOT NULL,
                             PRIMARY KEY (tenant_id, member_id, day));
    CREATE TABLE gone.line (tenant_id bigint, id bigint GENERATED ALWAYS AS IDENTITY, member_id bigint,
                            note varchar(20), PRIMARY KEY (tenant_id, id));
"""


class Garden:
    """A database in which a member of two stores has rows everywhere: the plugins' too, one of them gone."""

    def __init__(self, platform: Platform, url: str, tools: Any, canaries: Any) -> None:
        self.platform = platform
        self.url = url
        self.tools = tools
        self.canaries = canaries
        self.store = open_store(platform, "tea", enable=("points",), by="test")
        self.twin = open_store(platform, "twin", enable=("points",), by="test")

    def member(self, tenant: Tenant, *, also: tuple[str, ...] = ()) -> int:
        """A member whose identities are canaries, too; with others who were merged into it."""
        keyring = self.platform.keyring
        name = f"{self.tools.WORD}-ann"
        Sender(self.platform)(tenant, "page.viewed", name, id=name, page=self.canaries("page"))
        with self.platform.database.tenant(tenant.id) as scope:
            identities.link(scope, keyring, name, "openid:wx1", f"{self.tools.WORD}-openid")
            identities.link(scope, keyring, name, "unionid", f"{self.tools.WORD}-unionid")
            identities.link(scope, keyring, name, "phone", "+8613800138000")
            member_id = members.find(scope, name)
        for other in also:
            Sender(self.platform)(tenant, "page.viewed", other, id=other, page=self.canaries("page"))
        return member_id

    def plant(self, tenant: Tenant, member: int) -> None:
        planter = self.tools.Planter(self.url, self.platform.database, self.canaries)
        planter.plant(tenant.id, member, leave=ROAD)

    def erase(self, tenant: Tenant, member: int) -> None:
        with self.platform.database.tenant(tenant.id) as scope:
            erasure_id = request(self.platform, scope, member, by="operator")
        announce(self.platform, tenant, erasure_id)
        complete(self.platform, tenant, erasure_id)
        with self.platform.database.tenant(tenant.id) as scope:
            assert status(scope, erasure_id).receipt is not None

    def hits(self, tenant: Tenant) -> dict[str, int]:
        found: dict[str, int] = self.tools.dump(self.url, tenant=tenant.id)
        return found


@pytest.fixture
def garden(cluster: Any, tmp_path: Any, tools: Any, canaries: Any) -> Iterator[Garden]:
    with cluster.database() as name:
        roles, tied = cluster.roles, f"tenant_id = {CURRENT_TENANT}"
        with psycopg.connect(cluster.url("owner", name)) as owner:
            owner.execute(GONE)
            owner.execute(f"GRANT USAGE ON SCHEMA gone TO {roles.app}, {roles.ops}")
            for table in ("gone.diary", "gone.line"):
                for statement in (
                    f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
                    f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
                    f"CREATE POLICY tenant ON {table} TO {roles.app} USING ({tied}) WITH CHECK ({tied})",
                    f"CREATE POLICY everywhere ON {table} TO {roles.owner}, {roles.ops} USING (true)",
                    f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {roles.app}, {roles.ops}",
                    f"COMMENT ON TABLE {table} IS '{personal('member_id', on_erase=ANONYMISE)}'",
                ):
                    owner.execute(statement)
        config = cluster.config(name, tmp_path)
        platform = Platform.open(config, keys=KeyConfig(keys=new_line()))
        try:
            yield Garden(platform, tools.admin_url(cluster, name), tools, canaries)
        finally:
            platform.database.dispose()


def test_every_column_of_every_table_forgets(garden: Garden):
    platform, store, twin = garden.platform, garden.store, garden.twin
    planted: dict[int, int] = {}
    for tenant in (store, twin):
        planted[tenant.id] = garden.member(tenant)
        garden.plant(tenant, planted[tenant.id])
    before, theirs = garden.hits(store), garden.hits(twin)
    assert set(theirs) == set(before)
    marked = {str(table) for table in garden.tools.Planter(garden.url, platform.database, garden.canaries).tables}
    assert set(before) >= marked - set(ROAD) - NUMBERS
    assert len(garden.canaries.places) > 100
    garden.erase(store, planted[store.id])
    assert garden.hits(store) == {}
    assert garden.hits(twin) == theirs


def test_who_was_merged_is_forgotten_with_the_member(garden: Garden):
    platform, store = garden.platform, garden.store
    other = f"{garden.tools.WORD}-other"
    ann = garden.member(store, also=(other,))
    with platform.database.tenant(store.id) as scope:
        source = members.find(scope, other)
        merging.merge(platform, scope, store, source, ann, by="test")
    # A plugin that is gone was not there to merge: its rows still stand under the old id.
    garden.plant(store, source)
    garden.plant(store, ann)
    garden.erase(store, source)
    assert garden.hits(store) == {}


def test_a_schema_that_a_quarantined_plugin_left_is_erased_too(garden: Garden):
    platform, store = garden.platform, garden.store
    ann = garden.member(store)
    garden.plant(store, ann)
    away = platform.registry.quarantine({"orders": "a test says so"})
    assert {"orders", "points"} <= set(away.quarantined), "points stands on orders"
    garden.platform = Platform(platform.database, away, platform.keyring, platform.statements, platform.erasures)
    garden.erase(store, ann)
    assert garden.hits(store) == {}


def test_a_table_whose_comment_is_gone_would_be_found(garden: Garden):
    """The alarm: without the comment nothing knows that the table holds members' data."""
    store = garden.store
    ann = garden.member(store)
    garden.plant(store, ann)
    with psycopg.connect(garden.url, autocommit=True) as admin:
        admin.execute("COMMENT ON TABLE gone.diary IS NULL")
    garden.erase(store, ann)
    assert set(garden.hits(store)) == {"gone.diary"}


def test_a_kept_column_without_its_check_would_be_found(garden: Garden):
    """The other alarm: what is kept is kept, so only a CHECK keeps people out of it."""
    store = garden.store
    ann = garden.member(store)
    with psycopg.connect(garden.url, autocommit=True) as admin:
        kept = personal("member_id", on_erase=ANONYMISE, keeps=("note",))
        admin.execute(f"COMMENT ON TABLE gone.line IS '{kept}'")
        admin.execute(
            "INSERT INTO gone.line (tenant_id, member_id, note) VALUES (%s, %s, %s)",
            (store.id, ann, f"{garden.tools.WORD}-kept"),
        )
    garden.erase(store, ann)
    assert set(garden.hits(store)) == {"gone.line"}


def test_the_dump_sees_what_is_there(garden: Garden):
    """A search that finds nothing anywhere proves nothing: it has to find text, JSON, arrays and bytes."""
    store = garden.store
    word = garden.tools.WORD
    with psycopg.connect(garden.url, autocommit=True) as admin:
        line = "INSERT INTO gone.line (tenant_id, member_id, note) VALUES (%s, 1, %s)"
        admin.execute(line, (store.id, f"x{word.upper()}x"))
        answer = "INSERT INTO core.idempotency (tenant_id, principal, key, request_hash, body)"
        answer += " VALUES (%s, 'p', 'k', '', %s)"
        admin.execute(answer, (store.id, b"..." + word.encode()))
        admin.execute("INSERT INTO gone.diary VALUES (%s, 1, 'd', ARRAY['a', %s], '{}')", (store.id, word))
    assert garden.hits(store) == {"gone.line": 1, "core.idempotency": 1, "gone.diary": 1}
    with garden.platform.database.ops.begin() as connection:
        connection.execute(text("DELETE FROM core.idempotency"))
    assert garden.hits(garden.twin) == {}
