import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.events.suppression import request
from threepeat.tenancy import identities, members
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.tenants import Tenant

SignedIn = Callable[[str], httpx2.Client]
PHONE = "+86 138 0013 8000"


def path(external_id: str, more: str = "") -> str:
    return f"/v1/members/{quote(external_id, safe='')}{more}"


def assert_problem(answer: httpx2.Response, status: int, code: str | None = None) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    if code is not None:
        assert body["type"] == f"urn:threepeat:problem:{code}"
    return body


def link(client: httpx2.Client, external_id: str, kind: str, value: str, **more: object) -> httpx2.Response:
    return client.put(path(external_id, "/identities"), json={"kind": kind, "value": value, **more})


def find(client: httpx2.Client, kind: str, value: str) -> httpx2.Response:
    return client.post("/v1/members/lookup", json={"kind": kind, "value": value})


def stored(platform: Platform, tenant: Tenant) -> list[tuple[str, str]]:
    with platform.database.tenant(tenant.id) as scope:
        rows = scope.run(text("SELECT kind, value FROM core.identity WHERE tenant_id = :tenant ORDER BY 1, 2"))
        return [(row.kind, row.value) for row in rows]


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13800138000", "+8613800138000"),
        ("138 0013 8000", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("0086 13800138000", "+8613800138000"),
        ("86 13800138000", "+8613800138000"),
        ("１３８　００１３　８０００", "+8613800138000"),
        ("＋86（0）13800138000", "+8613800138000"),
        ("+86 10 1234 5678", "+861012345678"),
        ("+44 (0)20 7946 0018", "+442079460018"),
        ("+1 (415) 555\u20112671", "+14155552671"),
        ("001 415.555.2671", "+14155552671"),
    ],
)
def test_one_number_is_one_number_however_it_is_written(written: str, number: str) -> None:
    assert identities.normalise_phone(written) == number


@pytest.mark.parametrize(
    "written",
    [
        "",
        "+",
        "138001380000",
        "1380013800",
        "12800138000",
        "+861380013800",
        "+86138001380000",
        "02079460018",
        "+0123456789",
        "+12345",
        "+1234567890123456",
        "٠١٢٣٤٥٦٧٨٩",
        "+٠١٢٣٤٥٦٧٨٩",
        "+86 138 0013 8000 x12",
        "tel:+8613800138000",
        "++8613800138000",
        "+86+13800138000",
        "13800138000\0",
    ],
)
def test_what_is_no_number_is_refused(written: str) -> None:
    with pytest.raises(Invalid, match="value: write a phone number"):
        identities.normalise_phone(written)


def test_identities_lead_to_their_member_and_a_phone_is_told_as_set(manager: httpx2.Client) -> None:
    manager.put(path("ann"), json={})
    manager.put(path("bob"), json={})
    for kind, value in (("openid:wx1", "o-1"), ("unionid", "u-1"), ("phone", PHONE), ("shop", "ann/2")):
        assert link(manager, "ann", kind, value).status_code == 200
    shown = manager.get(path("ann")).json()["identities"]
    assert shown == [
        {"kind": "shop", "value": "ann"},
        {"kind": "shop", "value": "ann/2"},
        {"kind": "openid:wx1", "value": "o-1"},
        {"kind": "phone", "value": None},
        {"kind": "unionid", "value": "u-1"},
    ]
    for kind, value in (("shop", "ann"), ("shop", "ann/2"), ("unionid", "u-1"), ("phone", "0086-13800138000")):
        assert find(manager, kind, value).json()["external_id"] == "ann"
    assert manager.get(path("ann/2")).json()["external_id"] == "ann"
    for kind, value in (("openid:wx2", "o-1"), ("unionid", "o-1"), ("phone", "+8613800138001"), ("shop", "u-1")):
        assert_problem(find(manager, kind, value), 404, "not-found")


def test_a_phone_is_stored_as_a_keyed_hash_of_store_and_number(
    platform: Platform, tenant: Tenant, other_tenant: Tenant, manager: httpx2.Client
) -> None:
    manager.put(path("ann"), json={})
    link(manager, "ann", "phone", PHONE)
    kind, value = stored(platform, tenant)[0]
    assert (kind, len(value)) == ("phone", 64)
    assert value == identities.stored(platform.keyring, tenant.id, "phone", "13800138000")[0]
    assert value != identities.stored(platform.keyring, other_tenant.id, "phone", PHONE)[0]
    assert value != identities.stored(Keyring({"other": bytes(32)}), tenant.id, "phone", PHONE)[0]
    with platform.database.ops.connect() as ops:
        for table in ("identity", "member", "idempotency"):
            assert "3800138000" not in repr(ops.execute(text(f"SELECT * FROM core.{table}")).all())


def test_a_rotated_key_still_finds_the_phone_and_linking_again_renews_its_hash(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    manager.put(path("ann"), json={})
    manager.put(path("bob"), json={})
    link(manager, "ann", "phone", PHONE)
    old = stored(platform, tenant)[0]
    rotated = Keyring({"new": bytes(32), **platform.keyring.keys})
    with platform.database.tenant(tenant.id) as scope:
        ann = members.find(scope, "ann")
        assert identities.find(scope, rotated, "phone", PHONE) == ann
        with pytest.raises(identities.Conflict):
            identities.link(scope, rotated, "bob", "phone", PHONE)
    assert stored(platform, tenant)[0] == old
    with platform.database.tenant(tenant.id) as scope:
        identities.link(scope, rotated, "ann", "phone", PHONE)
    (renewed,) = [one for one in stored(platform, tenant) if one[0] == "phone"]
    assert renewed != old
    with platform.database.tenant(tenant.id) as scope:
        assert identities.find(scope, Keyring({"new": bytes(32)}), "phone", PHONE) == ann


def test_an_identity_of_another_member_is_refused_and_the_member_named(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    manager.put(path("ann"), json={})
    manager.put(path("bob"), json={})
    link(manager, "ann", "phone", PHONE)
    before = stored(platform, tenant)
    problem = assert_problem(link(manager, "bob", "phone", "13800138000"), 409, "identity-taken")
    assert problem["external_id"] == "ann"
    assert assert_problem(link(manager, "bob", "shop", "ann"), 409, "identity-taken")["external_id"] == "ann"
    assert stored(platform, tenant) == before
    assert link(manager, "ann", "phone", PHONE).status_code == 200
    assert stored(platform, tenant) == before


def test_identities_of_two_stores_never_meet(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], other_tenant: Tenant
) -> None:
    other = signed_in(make_key(other_tenant, "manage"))
    for client, name in ((manager, "ann"), (other, "bob")):
        client.put(path(name), json={})
        for kind, value in (("unionid", "u-1"), ("phone", PHONE)):
            assert link(client, name, kind, value).status_code == 200
    assert find(manager, "unionid", "u-1").json()["external_id"] == "ann"
    assert find(other, "phone", PHONE).json()["external_id"] == "bob"
    assert_problem(other.get(path("ann")), 404)
    assert_problem(link(other, "ann", "unionid", "u-2"), 404)
    assert_problem(other.delete(path("ann", "/identities/unionid")), 404)
    assert other.delete(path("bob", "/identities/unionid")).status_code == 200
    assert find(manager, "unionid", "u-1").status_code == 200


def test_a_kind_is_taken_away_whole_and_the_shops_ids_stay(manager: httpx2.Client) -> None:
    manager.put(path("ann"), json={})
    link(manager, "ann", "phone", PHONE)
    link(manager, "ann", "phone", "+14155552671")
    left = manager.delete(path("ann", "/identities/phone"))
    assert left.json()["identities"] == [{"kind": "shop", "value": "ann"}]
    assert_problem(find(manager, "phone", PHONE), 404)
    assert_problem(manager.delete(path("ann", "/identities/phone")), 404, "not-found")
    assert assert_problem(manager.delete(path("ann", "/identities/shop")), 422)["errors"][0]["field"] == "kind"
    assert assert_problem(manager.delete(path("ann", "/identities/mail")), 422)["errors"][0]["field"] == "kind"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "mail", "value": "a@b"}, "kind"),
        ({"kind": "openid", "value": "o"}, "kind"),
        ({"kind": "openid:", "value": "o"}, "kind"),
        ({"kind": "openid:a b", "value": "o"}, "kind"),
        ({"kind": "openid:a\n", "value": "o"}, "kind"),
        ({"kind": "phone\0", "value": PHONE}, "kind"),
        ({"kind": "x" * 81, "value": "o"}, "kind"),
        ({"kind": 7, "value": "o"}, "kind"),
        ({"kind": "unionid", "value": ""}, "value"),
        ({"kind": "unionid", "value": "客"}, "value"),
        ({"kind": "unionid", "value": "a b"}, "value"),
        ({"kind": "unionid", "value": "a\0"}, "value"),
        ({"kind": "unionid", "value": "u" * 129}, "value"),
        ({"kind": "unionid", "value": 2**63}, "value"),
        ({"kind": "shop", "value": "a\0"}, "value"),
        ({"kind": "shop", "value": "a" * 129}, "value"),
        ({"kind": "phone", "value": "call me"}, "value"),
        ({"kind": "phone", "value": "1" * 257}, "value"),
        ({"kind": "unionid"}, "value"),
        ({"kind": "unionid", "value": "u", "member": 1}, "member"),
    ],
)
def test_hostile_identities_are_refused_by_name(
    platform: Platform, tenant: Tenant, manager: httpx2.Client, body: dict[str, object], field: str
) -> None:
    manager.put(path("ann"), json={})
    for answer in (
        manager.put(path("ann", "/identities"), json=body),
        manager.post("/v1/members/lookup", json=body),
    ):
        assert assert_problem(answer, 422, "invalid")["errors"][0]["field"] == field
    assert stored(platform, tenant) == [("shop", "ann")]


@pytest.mark.parametrize(
    "body", [b'{"kind":"shop","value":"\\ud800"}', b'{"kind":"shop","value":"' + b"[" * 20_000, b"[" * 20_000]
)
def test_a_body_that_cannot_be_is_a_problem(manager: httpx2.Client, body: bytes) -> None:
    manager.put(path("ann"), json={})
    headers = {"Content-Type": "application/json"}
    for answer in (
        manager.put(path("ann", "/identities"), content=body, headers=headers),
        manager.post("/v1/members/lookup", content=body, headers=headers),
    ):
        assert answer.status_code in {400, 422}
        assert_problem(answer, answer.status_code)


def test_looking_up_needs_read_and_linking_needs_manage(
    manager: httpx2.Client,
    signed_in: SignedIn,
    make_key: Callable[..., str],
    make_token: Callable[..., str],
    tenant: Tenant,
) -> None:
    manager.put(path("ann"), json={})
    reader, sender = signed_in(make_key(tenant, "read")), signed_in(make_key(tenant, "ingest"))
    phone = signed_in(make_token(tenant, "ann"))
    assert find(reader, "shop", "ann").status_code == 200
    assert_problem(link(reader, "ann", "unionid", "u"), 403)
    assert_problem(reader.delete(path("ann", "/identities/unionid")), 403)
    for client in (sender, phone):
        assert_problem(find(client, "shop", "ann"), 403)
        assert_problem(link(client, "ann", "unionid", "u"), 403)


def test_threads_that_link_one_identity_to_many_members_give_it_to_one(
    tenant: Tenant, manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str]
) -> None:
    names = [f"m{number}" for number in range(8)]
    for name in names:
        manager.put(path(name), json={})
    key, start = make_key(tenant, "manage"), threading.Barrier(len(names))
    answers: dict[str, httpx2.Response] = {}

    def work(name: str, client: httpx2.Client) -> None:
        start.wait()
        answers[name] = link(client, name, "phone", PHONE)

    threads = [threading.Thread(target=work, args=(name, signed_in(key))) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [name for name, answer in answers.items() if answer.status_code == 200]
    for name in set(names) - {winner}:
        assert assert_problem(answers[name], 409, "identity-taken")["external_id"] == winner


def test_an_erased_members_identities_come_back_only_on_request(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    manager.put(path("ann"), json={})
    link(manager, "ann", "phone", PHONE)
    with platform.database.tenant(tenant.id) as scope:
        request(platform, scope, members.find(scope, "ann"), by="test")
    assert_problem(manager.get(path("ann")), 404)
    assert_problem(find(manager, "phone", PHONE), 404)
    assert '"readmit": true' in assert_problem(manager.put(path("ann"), json={}), 409, "erased")["detail"]
    manager.put(path("ann new"), json={})
    assert_problem(link(manager, "ann new", "phone", PHONE), 409, "erased")
    assert_problem(link(manager, "ann new", "shop", "ann"), 409, "erased")
    assert stored(platform, tenant) == [("shop", "ann new")]
    assert link(manager, "ann new", "phone", PHONE, readmit=True).status_code == 200
    assert find(manager, "phone", PHONE).json()["external_id"] == "ann new"
    assert manager.put(path("ann"), json={"readmit": True}).json()["external_id"] == "ann"
    assert manager.put(path("ann"), json={}).status_code == 200
