import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.tenancy.tenants import Tenant

SignedIn = Callable[[str], httpx2.Client]


def path(external_id: str, more: str = "") -> str:
    return f"/v1/members/{quote(external_id, safe='')}{more}"


def assert_problem(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    return body


def members(platform: Platform, tenant: Tenant) -> list[str]:
    with platform.database.tenant(tenant.id) as scope:
        return list(scope.connection.execute(text("SELECT value FROM core.identity ORDER BY value")).scalars())


def test_a_member_is_made_once_and_read_back(manager: httpx2.Client) -> None:
    made = manager.put(path("m1"), json={})
    assert made.status_code == 200
    body = made.json()
    created_at = body.pop("created_at")
    assert body == {
        "external_id": "m1",
        "identities": [{"kind": "shop", "value": "m1"}],
        "exempt": False,
        "suspended_until": None,
        "suspended_reason": None,
    }
    assert abs(datetime.fromisoformat(created_at) - datetime.now(UTC)) < timedelta(minutes=1)
    body = {**body, "created_at": created_at}
    assert manager.put(path("m1"), json={}).json() == body
    assert manager.get(path("m1")).json() == body


def test_exempt_is_set_cleared_and_otherwise_left_alone(manager: httpx2.Client) -> None:
    assert manager.put(path("m1"), json={"exempt": True}).json()["exempt"] is True
    assert manager.put(path("m1"), json={}).json()["exempt"] is True
    assert manager.put(path("m1"), json={"exempt": None}).json()["exempt"] is True
    assert manager.put(path("m1"), json={"exempt": False}).json()["exempt"] is False


def test_a_suspension_is_set_changed_and_lifted_with_its_reason(manager: httpx2.Client) -> None:
    def change(**body: object) -> tuple[Any, Any]:
        answer = manager.put(path("m1"), json=body)
        assert answer.status_code == 200, answer.text
        assert manager.get(path("m1")).json() == answer.json()
        return answer.json()["suspended_until"], answer.json()["suspended_reason"]

    assert change(suspended_until="2030-01-01T08:00:00+08:00") == ("2030-01-01T00:00:00Z", None)
    reason = "too many refunds 退款"
    assert change(suspended_until="2031-01-01T00:00:00Z", suspended_reason=reason)[1] == reason
    assert change(exempt=True) == ("2031-01-01T00:00:00Z", reason)
    assert change(suspended_until=None) == (None, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"exempt": "perhaps"}, "exempt"),
        ({"exmept": True}, "exmept"),
        ({"id": 7}, "id"),
        ([], "body"),
        ({"readmit": None}, "readmit"),
        ({"suspended_until": "soon"}, "suspended_until"),
        ({"suspended_until": "2030-01-01T00:00:00"}, "suspended_until"),
        ({"suspended_until": "1969-12-31T23:59:59Z"}, "suspended_until"),
        ({"suspended_until": "2300-01-01T00:00:00Z"}, "suspended_until"),
        ({"suspended_until": "9999-12-31T23:59:59-23:59"}, "suspended_until"),
        ({"suspended_until": "0001-01-01T00:00:00+23:59"}, "suspended_until"),
        ({"suspended_until": 2**63}, "suspended_until"),
        ({"suspended_until": 1e300}, "suspended_until"),
        ({"suspended_reason": "why"}, "suspended_reason"),
        ({"suspended_until": None, "suspended_reason": "why"}, "suspended_reason"),
        ({"suspended_until": "2030-01-01T00:00:00Z", "suspended_reason": ""}, "suspended_reason"),
        ({"suspended_until": "2030-01-01T00:00:00Z", "suspended_reason": "x" * 201}, "suspended_reason"),
        ({"suspended_until": "2030-01-01T00:00:00Z", "suspended_reason": "a\0b"}, "suspended_reason"),
        ({"suspended_until": "2030-01-01T00:00:00Z", "suspended_reason": 7}, "suspended_reason"),
    ],
)
def test_a_wrong_change_is_refused_by_name(manager: httpx2.Client, body: object, field: str) -> None:
    problem = assert_problem(manager.put(path("m1"), json=body), 422)
    assert [found["field"] for found in problem["errors"]] == [field]
    assert_problem(manager.get(path("m1")), 404)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"NaN", b"[" * 50_000, b'{"exempt":"\\ud800"}', b'"\0"'])
def test_a_body_that_cannot_be_read_is_a_problem(manager: httpx2.Client, body: bytes) -> None:
    answer = manager.put(path("m1"), content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert_problem(answer, answer.status_code)


def test_a_body_over_the_limit_is_413_also_when_it_is_not_announced(manager: httpx2.Client) -> None:
    headers = {"Content-Type": "application/json"}
    large = b'{"x":"' + b"x" * 8 * 1024 * 1024 + b'"}'
    assert_problem(manager.put(path("m1"), content=large, headers=headers), 413)
    pieces = (large[start : start + (1 << 20)] for start in range(0, len(large), 1 << 20))
    assert_problem(manager.put(path("m1"), content=pieces, headers=headers), 413)


@pytest.mark.parametrize(
    "external_id",
    [
        "👩\u200d👩\u200d👧\u200d👦",
        "客人 7",
        "é",
        "e\u0301",
        "a" * 128,
        "😀" * 128,
        "' OR 1=1 --",
        "%00",
        "%2F",
        "a?b#c&d",
        "..",
        "a\\b",
        "\u202etxt",
        "\t",
        "\x7f",
        "+86 138",
        "token",
        "{external_id}",
        '"',
    ],
)
def test_an_unusual_id_comes_back_bit_for_bit(
    platform: Platform, tenant: Tenant, manager: httpx2.Client, external_id: str
) -> None:
    # Dots have to be escaped, or the client walks up the path.
    address = path(external_id).replace("..", "%2E%2E")
    assert manager.put(address, json={}).json()["external_id"] == external_id
    assert manager.get(address).json()["external_id"] == external_id
    assert members(platform, tenant) == [external_id]


def test_ids_that_look_alike_are_different_members(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    alike = ["é", "e\u0301", "M1", "m1", "m1 ", "ｍ1"]
    for external_id in alike:
        manager.put(path(external_id), json={})
    assert sorted(members(platform, tenant)) == sorted(alike)


@pytest.mark.parametrize("external_id", ["\0", "a\0b", "a" * 129, "😀" * 129])
def test_an_id_that_cannot_be_is_refused_by_name_and_not_stored(
    platform: Platform, tenant: Tenant, manager: httpx2.Client, external_id: str
) -> None:
    problem = assert_problem(manager.put(path(external_id), json={}), 422)
    assert problem["errors"][0]["field"] == "external_id"
    for answer in (manager.get(path(external_id)), manager.post(path(external_id, "/token"))):
        assert answer.status_code in {404, 422}
        assert_problem(answer, answer.status_code)
    assert members(platform, tenant) == []


@pytest.mark.parametrize(
    "external_id", ["a/b", "/", "//", "a/token", "x/identities", "../b", "a%2Fb", "/v1/events"]
)
def test_an_id_with_a_slash_is_reached_with_the_slash_escaped(
    platform: Platform, tenant: Tenant, manager: httpx2.Client, signed_in: SignedIn, external_id: str
) -> None:
    address = path(external_id).replace("..", "%2E%2E")
    assert manager.put(address, json={}).json()["external_id"] == external_id
    assert manager.get(address.replace("%2F", "%2f")).json()["external_id"] == external_id
    assert members(platform, tenant) == [external_id]
    token = manager.post(f"{address}/token").json()["token"]
    assert signed_in(token).get("/v1/me").json()["external_id"] == external_id
    linked = manager.put(f"{address}/identities", json={"kind": "unionid", "value": "u1"})
    assert {"kind": "unionid", "value": "u1"} in linked.json()["identities"]
    assert manager.delete(f"{address}/identities/unionid").json()["external_id"] == external_id


def test_an_escaped_slash_does_not_lead_past_a_routes_end(manager: httpx2.Client) -> None:
    manager.put(path("a"), json={})
    assert_problem(manager.get("/v1/members/a%2Fconsents"), 404)
    assert manager.get("/v1/members/a/consents").status_code == 200
    assert manager.get("/v1%2Fmembers/a").status_code == 404
    assert manager.post("/v1/members/a%2Ftoken").status_code == 405


@pytest.mark.parametrize("address", ["/v1/members/", "/v1/members/a/b", "/v1/members/a%2Fb", "/v1/members/%ff"])
def test_an_address_that_names_no_member_is_a_problem_and_never_a_5xx(
    manager: httpx2.Client, address: str
) -> None:
    answer = manager.get(address)
    assert answer.status_code in {404, 307}, answer.text


def test_an_unknown_member_is_404(manager: httpx2.Client) -> None:
    assert "'nobody'" in assert_problem(manager.get(path("nobody")), 404)["detail"]
    assert_problem(manager.post(path("nobody", "/token")), 404)


def test_another_stores_member_is_404(
    manager: httpx2.Client, signed_in: SignedIn, make_key: Callable[..., str], other_tenant: Tenant
) -> None:
    manager.put(path("m1"), json={"exempt": True})
    stranger = signed_in(make_key(other_tenant, "manage"))
    assert_problem(stranger.get(path("m1")), 404)
    assert_problem(stranger.post(path("m1", "/token")), 404)
    assert stranger.put(path("m1"), json={}).json()["exempt"] is False


@pytest.mark.parametrize(
    ("scope", "get", "put", "token"),
    [("manage", 200, 200, 200), ("read", 200, 403, 403), ("ingest", 403, 403, 403)],
)
def test_each_scope_opens_what_it_says(
    manager: httpx2.Client,
    signed_in: SignedIn,
    make_key: Callable[..., str],
    tenant: Tenant,
    scope: str,
    get: int,
    put: int,
    token: int,
) -> None:
    manager.put(path("m1"), json={})
    client = signed_in(make_key(tenant, scope))
    assert client.get(path("m1")).status_code == get
    assert client.put(path("m1"), json={}).status_code == put
    assert client.post(path("m1", "/token")).status_code == token


def test_a_member_token_manages_nobody_not_even_itself(
    signed_in: SignedIn, make_token: Callable[..., str], tenant: Tenant
) -> None:
    phone = signed_in(make_token(tenant, "m1"))
    assert_problem(phone.get(path("m1")), 403)
    assert_problem(phone.put(path("m1"), json={"exempt": True}), 403)
    assert_problem(phone.post(path("m1", "/token")), 403)
    assert_problem(phone.get("/v1/tactics"), 403)


def test_a_token_speaks_for_its_member_until_it_expires(
    manager: httpx2.Client, signed_in: SignedIn, tenant: Tenant
) -> None:
    manager.put(path("客人"), json={})
    body = manager.post(path("客人", "/token"), json={"expires_in": 60}).json()
    expires_at = datetime.fromisoformat(body["expires_at"])
    assert timedelta(seconds=50) < expires_at - datetime.now(UTC) <= timedelta(seconds=60)
    me = signed_in(body["token"]).get("/v1/me").json()
    assert me == {"external_id": "客人", "store": tenant.store.name, "currency": "CNY", "tactics": []}
    hour = manager.post(path("客人", "/token")).json()["expires_at"]
    assert datetime.fromisoformat(hour) - expires_at > timedelta(minutes=50)


@pytest.mark.parametrize("life", [59, 86_401, -1, 0, 2**63, 10**40, 1.5, "soon", True])
def test_the_life_of_a_token_is_bounded(manager: httpx2.Client, life: object) -> None:
    manager.put(path("m1"), json={})
    problem = assert_problem(manager.post(path("m1", "/token"), json={"expires_in": life}), 422)
    assert problem["errors"][0]["field"] == "expires_in"


def test_a_token_is_made_anew_each_time_and_stored_nowhere(
    platform: Platform, tenant: Tenant, manager: httpx2.Client
) -> None:
    manager.put(path("m1"), json={})
    token = manager.post(path("m1", "/token"), headers={"Idempotency-Key": "k1"}).json()["token"]
    with platform.database.tenant(tenant.id) as scope:
        assert scope.connection.execute(text("SELECT count(*) FROM core.idempotency")).scalar_one() == 0
    assert token.count(".") == 2


def test_threads_that_make_one_member_make_one(
    platform: Platform, tenant: Tenant, signed_in: SignedIn, make_key: Callable[..., str]
) -> None:
    key, start = make_key(tenant, "manage"), threading.Barrier(8)
    answers: list[str] = []

    def make(client: httpx2.Client) -> None:
        start.wait()
        answers.append(json.dumps(client.put(path("m1"), json={}).json(), sort_keys=True))

    threads = [threading.Thread(target=make, args=(signed_in(key),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert len(set(answers)) == 1
    with platform.database.tenant(tenant.id) as scope:
        assert scope.connection.execute(text("SELECT count(*) FROM core.member")).scalar_one() == 1
