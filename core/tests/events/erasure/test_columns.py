"""What erasure leaves of a member's rows, in every schema of the database."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from threepeat.database.erasable import faults
from threepeat.events.platform import Platform
from threepeat.events.verify import verify
from threepeat.tenancy import members
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Sender

CANARY = "canary-7f3a"
TABLES = ("dormant.album", "dormant.photo", "dormant.bill", "dormant.item")


def test_the_planted_tables_are_as_erasure_wants_them(platform: Platform, yard: Any):
    with platform.database.app.connect() as connection:
        found = [str(fault) for fault in faults(connection, platform.database.urls.roles)]
    # A photo in somebody else's album would hold on to its name; here every member has an album of its own.
    assert found == ["dormant.photo: the foreign key photo_tenant_id_album_fkey breaks when erasure changes album"]
    assert yard.platform is platform


def test_every_kind_of_column_is_scrubbed_and_the_sums_stay(
    platform: Platform, tenant: Tenant, other: Tenant, yard: Any
):
    ann, bob = yard.hold(tenant, "ann"), yard.hold(tenant, "bob")
    with platform.database.tenant(other.id) as scope:
        twin = members.put(scope, platform.keyring, "ann").id
    yard.fill(other, ann)  # the twin's rows stand under ann's own number: only the tenant tells them apart
    untouched = {
        (store.id, table): [row for row in yard.rows(store, table) if row["member_id"] in (bob, ann)]
        for store in (tenant, other)
        for table in TABLES
    }
    stated = yard.erase(tenant, ann)

    (album,) = [row for row in yard.rows(tenant, "dormant.album") if row["member_id"] != bob]
    assert album["member_id"] < 0
    assert album["name"].startswith("erased-")
    assert album["loud"] == album["name"].upper()
    assert len(album["name"]) == len("erased-") + 40
    assert (album["kind"], album["colour"], album["points"]) == ("own", "red", 7)
    assert album["taken_at"].isoformat() == "2026-01-02T03:04:05+00:00"
    assert len(album["short"]) == 6
    assert len(album["codes"][0]) == 5
    # Equal texts stay equal, different ones different: rows still find each other.
    assert album["title"] == album["bounded"] == album["tags"][0]
    assert album["title"] != album["name"]
    assert album["tags"][1] is None
    assert (album["free"], album["fixed"], album["seen_from"], album["words"]) == (None, {}, None, None)
    assert len(bytes(album["picture"])) == 32
    assert album["device"] != yard.device(ann)
    (bill,) = [row for row in yard.rows(tenant, "dormant.bill") if row["member_id"] != bob]
    (item,) = [row for row in yard.rows(tenant, "dormant.item") if row["member_id"] != bob]
    assert bill["member_id"] == item["member_id"] == album["member_id"]
    assert bill["name"] == item["note"] == album["title"]
    assert yard.rows(tenant, "dormant.photo", member_id=ann) == []

    assert yard.hits(tenant, *TABLES) == list(TABLES)  # bob's
    for store in (tenant, other):
        for table in TABLES:
            wanted = [row for row in untouched[store.id, table] if store is other or row["member_id"] == bob]
            assert wanted
            assert [row for row in yard.rows(store, table) if row["member_id"] in (bob, ann)] == wanted
    with platform.database.tenant(other.id) as scope:
        assert members.get(scope, "ann").id == twin

    done = {one["table"]: (one["action"], one["rows"]) for one in stated["erased"]}
    assert done["dormant.album"] == ("anonymise", 1)
    assert done["dormant.photo"] == ("delete", 1)
    assert done["core.member"] == ("delete", 1)
    assert {"table": "dormant.invoice", "rows": 1, "reason": "tax law wants it for ten years"} in stated["kept"]
    (kept,) = yard.rows(tenant, "dormant.invoice", member_id=ann)
    assert kept["body"] == f"invoice of {CANARY}"


def test_a_receipt_names_the_store_and_nobody_else(tenant: Tenant, yard: Any):
    stated = yard.erase(tenant, yard.hold(tenant, "a-most-unusual-name"))
    assert stated["store"] == tenant.store.slug
    assert stated["requested_by"] == "operator"
    assert stated["requested_at"] <= stated["completed_at"]
    assert "unusual" not in str(stated)
    assert CANARY not in str(stated)


def test_two_erasures_of_the_same_words_have_nothing_in_common(tenant: Tenant, yard: Any):
    for who in ("ann", "bob"):
        yard.erase(tenant, yard.hold(tenant, who))
    first, second = yard.rows(tenant, "dormant.bill")
    assert first["name"] != second["name"]
    assert first["member_id"] != second["member_id"]


def test_the_log_keeps_its_order_and_hashes_of_its_keys(
    platform: Platform, tenant: Tenant, send: Sender, yard: Any
):
    for number in range(3):
        send(tenant, "page.viewed", "ann", id=f"same-{number}", page=CANARY)
        send(tenant, "page.viewed", "bob", id=f"own-{number}", page="home")
    before = yard.rows(tenant, "core.event")
    with platform.database.tenant(tenant.id) as scope:
        ann = members.find(scope, "ann")
    stated = yard.erase(tenant, ann)
    after = {row["position"]: row for row in yard.rows(tenant, "core.event")}
    assert sorted(after) == [1, 2, 3, 4, 5, 6]
    for row in before:
        now = after[row["position"]]
        if row["subject"] == "bob":
            assert now == row
            continue
        assert (now["source"], now["subject"], now["data"], now["type"]) == ("erased", None, {}, "page.viewed")
        assert now["member_id"] < 0
        assert now["erased_at"] is not None
        assert len(now["id"]) == 64
        assert now["id"] != row["id"]
    assert yard.hits(tenant, "core.event", canary="same-") == []
    assert next(one["rows"] for one in stated["erased"] if one["table"] == "core.event") == 3
    assert all(not finding.rows for finding in verify(platform, tenant))


def test_the_app_cannot_change_the_log_itself(platform: Platform, tenant: Tenant, send: Sender):
    send(tenant, "page.viewed", "ann", page="home")
    with platform.database.tenant(tenant.id) as scope, pytest.raises(Exception, match="permission denied"):
        scope.run(text("UPDATE core.event SET data = '{}' WHERE tenant_id = :tenant"))


def test_a_table_without_its_comment_is_what_the_proof_would_find(
    platform: Platform, tenant: Tenant, yard: Any, plant: Callable[..., None]
):
    ann = yard.hold(tenant, "ann")
    plant("secret", "member_id bigint, body text", key="member_id")
    with platform.database.tenant(tenant.id) as scope:
        scope.run(text("INSERT INTO dormant.secret VALUES (:tenant, :member, :body)"), member=ann, body=CANARY)
    with platform.database.app.connect() as connection:
        found = {str(one) for one in faults(connection, platform.database.urls.roles)}
    try:
        assert any(one.startswith("dormant.secret: it names members") for one in found)
        yard.erase(tenant, ann)
        assert yard.hits(tenant, *TABLES, "dormant.secret") == ["dormant.secret"]
    finally:
        with platform.database.owner.begin() as owner:
            owner.execute(text("DROP TABLE dormant.secret"))
