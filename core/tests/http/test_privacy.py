"""The ways out over HTTP: for the shop's server, and for each member."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from threepeat.events import erasure_list, receipts
from threepeat.events.erasure import complete
from threepeat.events.platform import Platform
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Sender

SignedIn = Callable[[str], httpx2.Client]


def put(manager: httpx2.Client, external_id: str) -> None:
    answer = manager.put(f"/v1/members/{quote(external_id, safe='')}", json={})
    assert answer.status_code == 200, answer.text


def test_a_member_is_erased_and_the_receipt_says_so(
    platform: Platform, tenant: Tenant, manager: httpx2.Client, send: Sender
):
    send(tenant, "page.viewed", "ann", page="home")
    accepted = manager.delete("/v1/members/ann")
    assert accepted.status_code == 202, accepted.text
    erasure = accepted.json()
    assert (erasure["completed_at"], erasure["receipt"], erasure["outstanding"]) == (None, None, [])
    assert erasure["requested_by"].startswith("key:")
    assert accepted.headers["location"] == f"/v1/erasures/{erasure['id']}"
    assert manager.get("/v1/members/ann").status_code == 404
    assert manager.get("/v1/members/ann/export").status_code == 404
    again = manager.delete("/v1/members/ann")
    assert (again.status_code, again.json()["id"]) == (202, erasure["id"])
    complete(platform, tenant, erasure["id"])
    done = manager.get(f"/v1/erasures/{erasure['id']}").json()
    assert done["completed_at"] is not None
    keys = manager.get("/v1/receipt-keys", headers={"Authorization": ""})
    assert keys.status_code == 200
    stated = receipts.verify(done["receipt"], keys.json())
    assert stated["jti"] == erasure["id"]
    assert {"table": "core.event", "action": "anonymise", "rows": 1} in stated["erased"]
    assert manager.delete("/v1/members/ann").json()["receipt"] == done["receipt"]


def test_the_request_is_listed_before_it_is_answered(
    platform: Platform, tenant: Tenant, manager: httpx2.Client, monkeypatch: pytest.MonkeyPatch
):
    put(manager, "ann")
    append = erasure_list.append

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(erasure_list, "append", full)
        refused = manager.delete("/v1/members/ann")
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    assert "the erasure stands" in refused.json()["detail"]
    monkeypatch.setattr(erasure_list, "append", append)
    accepted = manager.delete("/v1/members/ann")
    assert accepted.status_code == 202
    listed = erasure_list.read(platform.erasures.read_text().splitlines())
    assert accepted.json()["id"] in {one.id for one in listed}
    assert {one.slug for one in listed if one.id == accepted.json()["id"]} == {tenant.store.slug}


def test_a_member_leaves_by_itself(
    tenant: Tenant, signed_in: SignedIn, make_token: Callable[..., str], manager: httpx2.Client
):
    me = signed_in(make_token(tenant, "ann"))
    assert me.get("/v1/me").status_code == 200
    accepted = me.delete("/v1/me")
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["requested_by"] == "member"
    for answer in (me.get("/v1/me"), me.delete("/v1/me"), me.get("/v1/me/export")):
        assert answer.status_code == 401
    seen = manager.get(f"/v1/erasures/{accepted.json()['id']}")
    assert (seen.status_code, seen.json()["requested_by"]) == (200, "member")


def test_an_export_holds_the_member_and_nobody_else(
    tenant: Tenant,
    manager: httpx2.Client,
    signed_in: SignedIn,
    make_token: Callable[..., str],
    send: Sender,
):
    for who in ("ann", "bob"):
        send(tenant, "page.viewed", who, id=who, page=f"=home of {who}")
    me = signed_in(make_token(tenant, "ann"))
    for client, path in ((manager, "/v1/members/ann/export"), (me, "/v1/me/export")):
        answer = client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        assert 'filename="member-export.json"' in answer.headers["content-disposition"]
        assert [one["data"]["page"] for one in answer.json()["tables"]["core.event"]] == ["=home of ann"]
        assert "home of bob" not in answer.text
        packed = client.get(path, params={"format": "csv"})
        assert packed.headers["content-type"] == "application/zip"
        archive = zipfile.ZipFile(io.BytesIO(packed.content))
        (row,) = csv.DictReader(io.StringIO(archive.read("core.event.csv").decode("utf-8-sig")))
        assert json.loads(row["data"])["page"] == "=home of ann"
        assert row["subject"] == "ann"


@pytest.mark.parametrize("name", ["a/b", "张伟", "a b?#%", "x" * 128])
def test_every_id_can_be_exported_and_erased(manager: httpx2.Client, name: str):
    put(manager, name)
    exported = manager.get(f"/v1/members/{quote(name, safe='')}/export")
    assert exported.status_code == 200
    assert exported.json()["tables"]["core.identity"][0]["value"] == name
    assert manager.delete(f"/v1/members/{quote(name, safe='')}").status_code == 202


def test_only_a_managing_key_may_and_only_in_its_store(
    tenant: Tenant,
    other_tenant: Tenant,
    manager: httpx2.Client,
    signed_in: SignedIn,
    make_key: Callable[..., str],
    make_token: Callable[..., str],
    client: httpx2.Client,
):
    put(manager, "ann")
    erasure_id = manager.delete("/v1/members/ann").json()["id"]
    put(manager, "bob")
    reader, stranger = signed_in(make_key(tenant, "read", "ingest")), signed_in(make_key(other_tenant, "manage"))
    member = signed_in(make_token(tenant, "carl"))
    calls = (
        ("DELETE", "/v1/members/bob"),
        ("GET", "/v1/members/bob/export"),
        ("GET", f"/v1/erasures/{erasure_id}"),
    )
    for method, path in calls:
        assert reader.request(method, path).status_code == 403
        assert member.request(method, path).status_code == 403
        assert stranger.request(method, path).status_code == 404
        assert client.request(method, path).status_code == 401
    for method, path in (("DELETE", "/v1/me"), ("GET", "/v1/me/export")):
        assert manager.request(method, path).status_code == 403
        assert client.request(method, path).status_code == 401
    assert manager.get("/v1/members/bob").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/v1/members/nobody", 404),
        ("DELETE", "/v1/members/%00", 422),
        ("DELETE", "/v1/members/" + "x" * 5000, 404),
        ("GET", "/v1/members/nobody/export", 404),
        ("GET", "/v1/members/ann/export?format=xml", 422),
        ("GET", "/v1/members/ann/export?format=%00", 422),
        ("GET", "/v1/erasures/nothing", 404),
        ("GET", "/v1/erasures/%00", 422),
    ],
)
def test_what_is_not_there_or_not_acceptable_is_said(manager: httpx2.Client, method: str, path: str, status: int):
    answer = manager.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_export_leaves_no_file_behind(manager: httpx2.Client):
    put(manager, "ann")
    held = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    for _ in range(20):
        assert manager.get("/v1/members/ann/export").status_code == 200
        assert manager.get("/v1/members/nobody/export").status_code == 404
    if held:
        assert len(list(Path("/proc/self/fd").iterdir())) <= held + 5


def test_the_routes_are_documented(client: httpx2.Client):
    paths: dict[str, Any] = client.get("/v1/openapi.json").json()["paths"]
    assert "delete" in paths["/v1/members/{external_id}"]
    exported = paths["/v1/me/export"]["get"]["responses"]["200"]["content"]
    assert {"application/json", "application/zip"} <= set(exported)
    assert "security" not in paths["/v1/receipt-keys"]["get"]
