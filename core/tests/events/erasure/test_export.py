"""A member takes along everything that is stored about it, and no more; a tenant everything but its secrets."""

import csv
import io
import json
import tempfile
import tracemalloc
import zipfile
from typing import Any

import pytest
from sqlalchemy import text

from threepeat.database import rows
from threepeat.database.personal import personal_tables
from threepeat.events import merging
from threepeat.events.export import MemberExport, write_tenant
from threepeat.events.platform import Platform
from threepeat.tenancy import identities, keys, members, switches
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Sender

CANARY = "canary-7f3a"


def taken(platform: Platform, tenant: Tenant, external_id: str) -> Any:
    file = io.BytesIO()
    with platform.database.tenant(tenant.id) as scope:
        MemberExport(platform, scope, tenant, members.find(scope, external_id)).write(file, "json")
    return json.loads(file.getvalue())


def zipped(platform: Platform, tenant: Tenant, external_id: str) -> zipfile.ZipFile:
    file = io.BytesIO()
    with platform.database.tenant(tenant.id) as scope:
        MemberExport(platform, scope, tenant, members.find(scope, external_id)).write(file, "csv")
    return zipfile.ZipFile(file)


def test_a_member_gets_all_of_its_rows_and_nobody_elses(
    platform: Platform, tenant: Tenant, other: Tenant, yard: Any, send: Sender
):
    ann, bob = yard.hold(tenant, "ann"), yard.hold(tenant, "bob")
    yard.hold(other, "ann")
    for who in ("ann", "bob"):
        send(tenant, "page.viewed", who, id=who, page=f"home of {who}", title="标题")
        send(tenant, "consent.changed", who, id=f"c-{who}", purpose="news", granted=True)
    send(other, "page.viewed", "ann", page="home of the other ann")
    data = taken(platform, tenant, "ann")
    tables = data["tables"]
    assert data["store"] == tenant.store.slug
    assert {"core.member", "core.identity", "core.event", "core.consent", "dormant.album"} <= set(tables)
    assert [one["data"]["page"] for one in tables["core.event"] if one["type"] == "page.viewed"] == ["home of ann"]
    assert tables["core.identity"][0]["value"] == "ann"
    for table, found in tables.items():
        assert {one.get("member_id", one.get("id")) for one in found} == {ann}, table
        assert all("tenant_id" not in one for one in found)
    (album,) = tables["dormant.album"]
    assert album["name"] == f"{CANARY}{ann}"
    assert album["tags"] == [CANARY, None]
    assert album["free"] == {CANARY: 1}
    assert album["taken_at"] == "2026-01-02T03:04:05+00:00"
    assert "missing" not in data
    assert f"{CANARY}{bob}" not in json.dumps(data)


def test_who_was_merged_is_exported_with_the_member(platform: Platform, tenant: Tenant, yard: Any, send: Sender):
    for who in ("ann", "anna"):
        send(tenant, "page.viewed", who, id=who, page=f"home of {who}")
    with platform.database.tenant(tenant.id) as scope:
        source, target = members.find(scope, "anna"), members.find(scope, "ann")
        merging.merge(platform, scope, tenant, source, target, by="test")
    yard.fill(tenant, source)
    data = taken(platform, tenant, "anna")
    assert {one["data"]["page"] for one in data["tables"]["core.event"]} == {"home of ann", "home of anna"}
    assert data["tables"]["dormant.bill"][0]["member_id"] == source


def test_secrets_and_hashes_stay_here(platform: Platform, tenant: Tenant, yard: Any):
    yard.hold(tenant, "ann")
    sealed = platform.keyring.seal("the secret itself", place="p")
    with platform.database.tenant(tenant.id) as scope:
        identities.link(scope, platform.keyring, "ann", "phone", "+8613800138000")
        ann = members.find(scope, "ann")
        scope.run(
            text(
                "UPDATE dormant.album SET title = CAST(:sealed AS text),"
                " free = jsonb_build_object('a', CAST(:sealed AS text), 'b', 'open')"
                " WHERE tenant_id = :tenant AND member_id = :member"
            ),
            sealed=sealed,
            member=ann,
        )
        scope.run(
            text(
                "INSERT INTO core.idempotency (tenant_id, principal, key, request_hash, member_id)"
                " VALUES (:tenant, 'm', 'k', 'hash-canary', :member)"
            ),
            member=ann,
        )
    data = taken(platform, tenant, "ann")
    written = json.dumps(data)
    assert "sealed." not in written
    assert "hash-canary" not in written
    assert data["tables"]["dormant.album"][0]["title"] is None
    assert data["tables"]["dormant.album"][0]["free"] == {"a": None, "b": "open"}
    phone = next(one for one in data["tables"]["core.identity"] if one["kind"] == "phone")
    assert phone["value"] is None
    assert "request_hash" not in data["tables"]["core.idempotency"][0]


@pytest.mark.parametrize(
    ("word", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+8613800138000", "'+8613800138000"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("a=1", "a=1"),
        ('say "hi", 王', 'say "hi", 王'),
        ("two\nlines", "two\nlines"),
    ],
)
def test_a_spreadsheet_runs_nothing_of_what_it_opens(
    platform: Platform, tenant: Tenant, yard: Any, word: str, cell: str
):
    yard.hold(tenant, "ann")
    with platform.database.tenant(tenant.id) as scope:
        scope.run(text("UPDATE dormant.bill SET name = :word WHERE tenant_id = :tenant"), word=word)
    archive = zipped(platform, tenant, "ann")
    raw = archive.read("dormant.bill.csv")
    assert raw.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert row["name"] == cell


def test_numbers_come_through_exactly(platform: Platform, tenant: Tenant, yard: Any):
    ann = yard.hold(tenant, "ann")
    with platform.database.tenant(tenant.id) as scope:
        scope.run(text("UPDATE dormant.album SET points = -9007199254740993, free = '{\"n\": 9007199254740993}'"))
    archive = zipped(platform, tenant, "ann")
    (row,) = csv.DictReader(io.StringIO(archive.read("dormant.album.csv").decode("utf-8-sig"), newline=""))
    assert (row["points"], row["free"], row["member_id"]) == (
        "-9007199254740993",
        '{"n": 9007199254740993}',
        str(ann),
    )
    assert json.loads(archive.read("export.json"))["store"] == tenant.store.slug


def test_a_table_that_cannot_be_read_is_named(platform: Platform, tenant: Tenant, yard: Any):
    yard.hold(tenant, "ann")
    app = platform.database.urls.roles.app
    with platform.database.owner.begin() as owner:
        owner.execute(text(f"REVOKE SELECT ON dormant.photo FROM {app}"))
    try:
        data = taken(platform, tenant, "ann")
    finally:
        with platform.database.owner.begin() as owner:
            owner.execute(text(f"GRANT SELECT ON dormant.photo TO {app}"))
    assert data["missing"] == ["dormant.photo"]
    assert "dormant.bill" in data["tables"]


def test_who_is_erased_or_elsewhere_is_not_exported(platform: Platform, tenant: Tenant, other: Tenant, yard: Any):
    ann = yard.hold(tenant, "ann")
    with platform.database.tenant(other.id) as scope, pytest.raises(NotFound):
        MemberExport(platform, scope, other, ann)
    yard.ask(tenant, ann)
    with platform.database.tenant(tenant.id) as scope, pytest.raises(NotFound):
        MemberExport(platform, scope, tenant, ann)


def test_the_statements_name_the_tenant_besides_the_policy(
    platform: Platform, tenant: Tenant, other: Tenant, yard: Any
):
    ann = yard.hold(tenant, "ann")
    yard.fill(other, ann)
    with platform.database.ops.begin() as everywhere:
        bill = next(one.table for one in personal_tables(everywhere) if str(one) == "dormant.bill")
        found = list(rows.stream(everywhere, bill, "t.member_id = :m", {"tenant": tenant.id, "m": ann}))
    assert len(found) == 1


def test_a_member_with_a_hundred_thousand_events_fits_in_little_memory(platform: Platform, tenant: Tenant):
    with platform.database.tenant(tenant.id) as scope:
        ann = members.put(scope, platform.keyring, "ann").id
        scope.run(
            text(
                "INSERT INTO core.event"
                " (tenant_id, position, source, id, type, subject, member_id, occurred_at, data)"
                " SELECT :tenant, n, 's', CAST(n AS text), 'page.viewed', 'ann', :member, now(),"
                "        jsonb_build_object('page', repeat('x', 1000)) FROM generate_series(1, 100000) AS n"
            ),
            member=ann,
        )
    with tempfile.TemporaryFile() as file, platform.database.tenant(tenant.id) as scope:
        tracemalloc.start()
        MemberExport(platform, scope, tenant, ann).write(file, "json")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert file.tell() > 100_000_000
    assert peak < 20_000_000


def test_a_tenants_export_holds_its_tables_and_no_secret(
    platform: Platform, tenant: Tenant, other: Tenant, yard: Any, send: Sender
):
    yard.hold(tenant, "ann")
    yard.hold(other, "stranger")
    send(tenant, "page.viewed", "ann", page="home")
    with platform.database.tenant(tenant.id) as scope:
        secret = keys.create_key(scope, platform.keyring, "till", ["read"], by="test")
        switches.enable(scope, tenant, platform.registry, "filer", by="test", act=platform.act)
    told: dict[str, int] = {}
    file = io.BytesIO()
    manifest = write_tenant(platform, tenant, file, lambda table, count: told.update({table: count}))
    archive = zipfile.ZipFile(file)
    assert json.loads(archive.read("manifest.json")) == manifest
    assert manifest["store"]["slug"] == tenant.store.slug
    for table, about in manifest["tables"].items():
        lines = archive.read(f"{table}.jsonl").splitlines()
        assert len(lines) == about["rows"] == told[table]
        assert all(set(json.loads(line)) == set(about["columns"]) for line in lines)
    assert manifest["tables"]["core.event"]["rows"] == 1
    assert manifest["tables"]["core.api_key"]["left_out"] == ["secret_hash"]
    assert manifest["tables"]["core.activation"]["left_out"] == ["holdout_key"]
    unexported = {"core.idempotency", "core.staff_link", "core.staff_session", "core.tombstone"}
    assert set(manifest["left_out"]) == unexported
    assert manifest["tables"]["core.staff"]["left_out"] == ["password_hash"]
    whole = b"".join(archive.read(name) for name in archive.namelist())
    assert b"stranger" not in whole
    assert secret.split("_", 4)[4].encode() not in whole
    assert CANARY.encode() in whole
