"""How often one may come, and what those are told who come too often."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.http import callers
from threepeat.http.config import HttpConfig
from threepeat.tenancy import keys
from threepeat.tenancy.tenants import Tenant

Refusals = Callable[..., AbstractContextManager[None]]

BATCH = "application/cloudevents-batch+json"
LIMITS = [f"{who}_{what}" for who in ("key", "member", "tenant") for what in ("requests", "events")]


def signed(url: str, credential: str) -> httpx2.Client:
    return httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {credential}"}, timeout=30)


def events(count: int, key: str = "e") -> bytes:
    one = {"specversion": "1.0", "source": "s", "type": "page.viewed", "subject": "m1", "data": {"page": "p"}}
    return json.dumps([one | {"id": f"{key}{number}"} for number in range(count)]).encode()


def post(client: httpx2.Client, body: bytes) -> httpx2.Response:
    return client.post("/v1/events", content=body, headers={"Content-Type": BATCH})


def assert_limited(answer: httpx2.Response, reason: str) -> int:
    """A 429 that says whose limit it is and when to come back; returns those seconds."""
    assert answer.status_code == 429, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:threepeat:problem:rate-limited"
    assert answer.headers["ratelimit-policy"].startswith(f'"{reason}";q=')
    assert answer.headers["ratelimit"].startswith(f'"{reason}";r=0;t=')
    return int(answer.headers["retry-after"])


def bearer(credential: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}"}


def exhaust(client: httpx2.Client, path: str, credential: str) -> tuple[int, httpx2.Response]:
    """Ask until it is refused: how often it was answered before, and the refusal."""
    for passed in range(100):
        answer = client.get(path, headers=bearer(credential))
        if answer.status_code != 200:
            return passed, answer
    raise AssertionError("no limit")


def test_each_api_key_has_a_rate_and_the_answer_says_when_to_come_back(
    refusals: Refusals, serve: Callable[..., str], make_key: Callable[..., str], tenant: Tenant
) -> None:
    url, fast, other = serve(key_requests=2), make_key(tenant, "read"), make_key(tenant, "read")
    with httpx2.Client(base_url=url) as client, refusals(url, "key-requests"):
        passed, answer = exhaust(client, "/v1/tactics", fast)
        assert 4 <= passed < 12
        seconds = assert_limited(answer, "key-requests")
        assert seconds == 1
        assert client.get("/v1/tactics", headers=bearer(other)).status_code == 200
        time.sleep(seconds)
        assert client.get("/v1/tactics", headers=bearer(fast)).status_code == 200


def test_each_member_token_has_a_rate(
    refusals: Refusals, serve: Callable[..., str], make_token: Callable[..., str], tenant: Tenant
) -> None:
    url, fast, other = serve(member_requests=1), make_token(tenant, "m1"), make_token(tenant, "m2")
    with httpx2.Client(base_url=url) as client, refusals(url, "member-requests"):
        passed, answer = exhaust(client, "/v1/me", fast)
        assert 2 <= passed < 8
        assert_limited(answer, "member-requests")
        assert client.get("/v1/me", headers=bearer(other)).status_code == 200


def test_a_store_has_a_rate_that_its_credentials_share_and_no_other_store_feels(
    refusals: Refusals,
    serve: Callable[..., str],
    make_key: Callable[..., str],
    make_token: Callable[..., str],
    tenant: Tenant,
    other_tenant: Tenant,
) -> None:
    url, key, token = serve(tenant_requests=1), make_key(tenant, "read"), make_token(tenant, "m1")
    others = make_key(other_tenant, "read")
    with httpx2.Client(base_url=url) as client, refusals(url, "tenant-requests", 2):
        assert_limited(exhaust(client, "/v1/tactics", key)[1], "tenant-requests")
        assert_limited(client.get("/v1/me", headers=bearer(token)), "tenant-requests")
        assert client.get("/v1/tactics", headers=bearer(others)).status_code == 200


def test_a_rate_of_zero_is_no_limit(
    serve: Callable[..., str], make_key: Callable[..., str], tenant: Tenant
) -> None:
    with signed(serve(), make_key(tenant, "read", "ingest")) as client:
        assert {client.get("/v1/members/nobody").status_code for _ in range(300)} == {404}


def test_the_defaults_are_generous_but_finite() -> None:
    defaults = HttpConfig()
    assert all(getattr(defaults, name) >= 100 for name in LIMITS)
    assert defaults.tenant_events >= 20_000


def test_events_are_counted_not_requests(
    platform: Platform,
    serve: Callable[..., str],
    make_key: Callable[..., str],
    tenant: Tenant,
    other_tenant: Tenant,
) -> None:
    url = serve(tenant_events=100)
    with signed(url, make_key(tenant, "ingest", "read")) as client:
        assert post(client, events(500)).json()["accepted"] == 500, "more than a burst passes, once"
        seconds = assert_limited(post(client, events(1, "late")), "tenant-events")
        assert seconds in {3, 4}, "a debt of 300 at 100 a second"
        assert client.get("/v1/tactics").status_code == 200, "commands are counted apart"
        with signed(url, make_key(other_tenant, "ingest")) as others:
            assert post(others, events(100)).status_code == 200
        time.sleep(seconds)
        assert post(client, events(1, "late")).json()["accepted"] == 1
    with platform.database.tenant(tenant.id) as scope:
        assert scope.connection.execute(text("SELECT count(*) FROM core.event")).scalar_one() == 501


def test_a_member_that_sends_too_much_stops_nobody_else(
    serve: Callable[..., str], make_key: Callable[..., str], make_token: Callable[..., str], tenant: Tenant
) -> None:
    url = serve(member_events=10, tenant_events=1000)
    with signed(url, make_token(tenant, "m1")) as phone, signed(url, make_key(tenant, "ingest")) as shop:
        assert post(phone, events(50)).status_code == 200
        assert_limited(post(phone, events(1, "x")), "member-events")
        assert post(shop, events(100, "y")).status_code == 200


def test_what_cannot_be_read_is_not_free(
    serve: Callable[..., str], make_key: Callable[..., str], tenant: Tenant
) -> None:
    url = serve(key_events=5)
    with signed(url, make_key(tenant, "ingest")) as client:
        answers = [post(client, b"{") for _ in range(30)]
        assert {answer.status_code for answer in answers[:10]} == {400}
        assert_limited(next(answer for answer in answers if answer.status_code != 400), "key-events")


def test_a_refused_batch_is_not_even_read(
    serve: Callable[..., str], make_key: Callable[..., str], tenant: Tenant
) -> None:
    url = serve(key_events=1)
    key = make_key(tenant, "ingest")
    with signed(url, key) as client:
        assert post(client, events(1000)).status_code == 200
    host, _, port = url.removeprefix("http://").partition(":")
    head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {BATCH}\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(f"{head}Content-Length: 8000000\r\n\r\n[".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 429"), "although the body never came"


# Whoever is not proved is charged to nobody


def forged(key: str, number: int) -> str:
    return key[:-8] + f"{number:08d}"


def test_a_flood_of_forged_credentials_is_charged_to_nobody_else(
    serve: Callable[..., str], make_key: Callable[..., str], make_token: Callable[..., str], tenant: Tenant
) -> None:
    url = serve(key_requests=20, member_requests=20, tenant_requests=20, key_events=20, tenant_events=20)
    key, token = make_key(tenant, "read", "ingest"), make_token(tenant, "m1")
    bad = [forged(key, number) for number in range(100)] + [token[:-6] + f"{number:06d}" for number in range(100)]
    with httpx2.Client(base_url=url) as anybody:
        for credential in bad + bad[:50]:
            headers = bearer(credential)
            assert anybody.get("/v1/tactics", headers=headers).status_code == 401
            answer = anybody.post("/v1/events", content=b"[]", headers=headers | {"Content-Type": BATCH})
            assert answer.status_code == 401
    with signed(url, key) as client:
        assert [client.get("/v1/tactics").status_code for _ in range(30)] == [200] * 30
        assert post(client, events(20)).status_code == 200


def test_no_flood_of_forged_credentials_makes_a_good_one_forgotten_nor_memory_grow(
    platform: Platform, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "MOST", 50)
    known = callers.Callers(platform.keyring, HttpConfig())

    async def scene() -> None:
        good = keys.sign_token(platform.keyring, tenant.id, 1, "m1", keys.MAX_TOKEN_LIFE)[0].encode()
        first = await known.prove(good)
        for number in range(500):
            with pytest.raises(keys.Denied):
                await known.prove(b"bad.%d" % number)
        assert await known.prove(good) is first
        assert (len(known._known), len(known._refused)) == (1, 50)

    asyncio.run(scene())


def test_a_revoked_key_stops_at_once_also_where_it_was_just_used(
    platform: Platform, serve: Callable[..., str], make_key: Callable[..., str], tenant: Tenant
) -> None:
    key = make_key(tenant, "read")
    with signed(serve(), key) as client:
        assert client.get("/v1/tactics").status_code == 200
        with platform.database.tenant(tenant.id) as scope:
            keys.revoke_key(scope, keys.parse_key(key).id, by="test")
        assert [client.get("/v1/tactics").status_code for _ in range(3)] == [401] * 3


def test_many_who_come_at_once_with_a_new_key_are_all_let_in(
    serve: Callable[..., str], make_key: Callable[..., str], tenant: Tenant
) -> None:
    with signed(serve(), make_key(tenant, "read")) as client, ThreadPoolExecutor(12) as pool:
        start = threading.Barrier(12)

        def one(_: int) -> int:
            start.wait()
            return client.get("/v1/members/nobody").status_code

        assert list(pool.map(one, range(12))) == [404] * 12
