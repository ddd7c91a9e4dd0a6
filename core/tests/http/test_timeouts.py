"""What takes too long ends in time: bodies, statements, locks, idle transactions, deadlocks."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, ClassVar

import httpx2
import psycopg
import pytest
from sqlalchemy import func, select, text

from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, Route, get, hookimpl, post
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster

Serve = Callable[..., str]
Refusals = Callable[..., AbstractContextManager[None]]

BATCH = "application/cloudevents-batch+json"


class Slow(Plugin[PluginSettings]):
    """Takes its time in the database, or outside of it."""

    manifest = Manifest(id="slow", kind="tactic", title="Slow", summary="A toy that is slow.", holdout="none")
    settings_model = PluginSettings
    meeting: ClassVar[threading.Barrier] = threading.Barrier(2)
    crossings: ClassVar[list[tuple[int, int]]] = []

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield get("/statement/{seconds}", self.statement, summary="A long statement")
        yield get("/idle/{seconds}", self.idle, summary="A transaction that idles")
        yield post("/cross/{first}/{second}", self.cross, summary="Takes two locks")

    def statement(self, ctx: Context[PluginSettings], seconds: float) -> dict[str, bool]:
        ctx.db.execute(select(func.pg_sleep(seconds)))
        return {"done": True}

    def idle(self, ctx: Context[PluginSettings], seconds: float) -> dict[str, bool]:
        ctx.db.execute(select(func.pg_advisory_xact_lock(7)))
        time.sleep(seconds)
        ctx.db.execute(select(func.pg_sleep(0)))
        return {"done": True}

    def cross(self, ctx: Context[PluginSettings], first: int, second: int) -> dict[str, bool]:
        self.crossings.append((first, second))
        ctx.db.execute(select(func.pg_advisory_xact_lock(first)))
        if len(self.crossings) <= 2:
            self.meeting.wait(10)
        ctx.db.execute(select(func.pg_advisory_xact_lock(second)))
        return {"done": True}


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry.load([("slow", Slow())])
    assert not made.quarantined
    return made


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant(f"shop-{time.monotonic_ns()}", enable=("slow",))


@pytest.fixture
def visit(
    make_key: Callable[..., str], make_token: Callable[..., str], tenant: Tenant
) -> Callable[..., httpx2.Response]:
    """One request: `visit(url, "GET", "/v1/me")`; a member's, unless the address is the shop's."""
    tokens = {name: make_token(tenant, name) for name in ("m1", "m2")}
    key = make_key(tenant, "ingest", "manage")

    def ask(url: str, method: str, path: str, member: str = "m1", **more: Any) -> httpx2.Response:
        own = key if path.startswith(("/v1/members", "/v1/events")) else tokens[member]
        headers = {"Authorization": f"Bearer {own}", "Idempotency-Key": f"{time.monotonic_ns()}"}
        return httpx2.request(method, url + path, headers=headers | more.pop("headers", {}), timeout=30, **more)

    return ask


def assert_busy(answer: httpx2.Response, says: str) -> None:
    assert answer.status_code == 503, answer.text
    body = answer.json()
    assert body["type"] == "urn:threepeat:problem:busy"
    assert says in body["detail"]
    assert answer.headers["retry-after"] == "1"


# Bodies


def connect(url: str) -> socket.socket:
    host, _, port = url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def head(path: str, credential: str, length: int, kind: str = "application/json") -> bytes:
    return (
        f"PUT {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {credential}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def test_a_body_that_trickles_in_is_408_in_time_and_the_connection_is_closed(
    serve: Serve, make_key: Callable[..., str], tenant: Tenant, refusals: Refusals
) -> None:
    url = serve(body_seconds=0.6)
    with refusals(url, "too-slow"), connect(url) as sender:
        sender.sendall(head("/v1/members/m1", make_key(tenant, "manage"), 1000))
        began = time.perf_counter()
        sender.settimeout(0.05)
        answer = b""
        for _ in range(100):
            try:
                answer = sender.recv(4096)
                break
            except TimeoutError:
                sender.sendall(b" ")
        assert 0.5 < time.perf_counter() - began < 3
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in answer.lower()
        assert b"urn:threepeat:problem:too-slow" in answer
        sender.settimeout(5)
        with suppress(ConnectionResetError):  # how it closes on a byte that it had not read
            assert sender.recv(4096) == b""


def test_many_who_send_slowly_hold_no_place_that_others_need(
    serve: Serve, make_key: Callable[..., str], tenant: Tenant, visit: Callable[..., httpx2.Response]
) -> None:
    url, key = serve(body_seconds=20, tenant_calls=1, tenant_ingest=1, ingest_pool=1), make_key(tenant, "manage")
    senders = [connect(url) for _ in range(50)]
    try:
        for number, sender in enumerate(senders):
            start = head("/v1/members/m1", key, 1000)
            if number % 2:
                start = head("/v1/events", key, 1000, BATCH).replace(b"PUT", b"POST")
            sender.sendall(start + b"[")
        began = time.perf_counter()
        assert visit(url, "PUT", "/v1/members/m2", json={}).status_code == 200
        body = [{"specversion": "1.0", "id": "1", "source": "s", "type": "product.updated", "data": {"sku": "s"}}]
        answer = visit(url, "POST", "/v1/events", content=json.dumps(body), headers={"Content-Type": BATCH})
        assert answer.status_code in {200, 207}
        assert time.perf_counter() - began < 2
    finally:
        for sender in senders:
            sender.close()


def test_whoever_has_no_credential_is_answered_before_a_byte_of_the_body(serve: Serve) -> None:
    with connect(serve()) as sender:
        sender.sendall(head("/v1/members/m1", "nobody's", 1_000_000))
        assert sender.recv(4096).startswith(b"HTTP/1.1 401")


def test_bodies_in_memory_are_bounded(
    serve: Serve, make_key: Callable[..., str], tenant: Tenant, refusals: Refusals
) -> None:
    url = serve(max_body=65_536, max_call_body=65_536, max_bodies=4 * 65_536)
    key = make_key(tenant, "manage")
    with refusals(url, "bodies"), connect(url) as one, connect(url) as another:
        one.sendall(head("/v1/members/m1", key, 65_000) + b" " * 60_000)
        time.sleep(0.3)
        another.sendall(head("/v1/members/m1", key, 65_000) + b" " * 60_000)
        assert another.recv(4096).startswith(b"HTTP/1.1 503")
        one.sendall(b"{}" + b" " * 4_998)
        assert one.recv(4096).startswith(b"HTTP/1.1 200"), "the first goes on"
    with connect(url) as third:
        third.sendall(head("/v1/members/m1", key, 65_000) + b"{}" + b" " * 64_998)
        assert third.recv(4096).startswith(b"HTTP/1.1 200"), "what was held is free again"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip"])
def test_a_compressed_body_is_refused_with_the_reason_and_unread(
    serve: Serve, make_key: Callable[..., str], tenant: Tenant, encoding: str
) -> None:
    with connect(serve()) as sender:
        start = head("/v1/members/m1", make_key(tenant, "manage"), 500_000)
        sender.sendall(start.replace(b"\r\n\r\n", f"\r\nContent-Encoding: {encoding}\r\n\r\n".encode()))
        answer = sender.recv(4096)
        assert answer.startswith(b"HTTP/1.1 415")
        assert b"accept-encoding: identity" in answer.lower()
        assert encoding.encode() in answer


# The database


def test_a_statement_that_takes_too_long_is_503_and_nothing_has_changed(
    serve: Serve, visit: Callable[..., httpx2.Response], refusals: Refusals
) -> None:
    url = serve(statement_ms=300)
    with refusals(url, "statement-timeout"):
        began = time.perf_counter()
        assert_busy(visit(url, "GET", "/v1/me/slow/statement/20"), "nothing was changed")
        assert time.perf_counter() - began < 3
    assert visit(url, "GET", "/v1/me/slow/statement/0.01").status_code == 200


def test_a_wait_for_a_lock_that_takes_too_long_is_503_and_nothing_has_changed(
    platform: Platform, tenant: Tenant, serve: Serve, visit: Callable[..., httpx2.Response], refusals: Refusals
) -> None:
    url = serve(lock_ms=300)
    with refusals(url, "lock-timeout", 2), platform.database.tenant(tenant.id) as scope:
        scope.connection.execute(text("SELECT FROM core.member FOR UPDATE"))
        scope.connection.execute(text("SELECT FROM core.stream FOR UPDATE"))
        began = time.perf_counter()
        assert_busy(visit(url, "PUT", "/v1/members/m1", json={"exempt": True}), "nothing was changed")
        one = {"specversion": "1.0", "id": "1", "source": "s", "type": "page.viewed", "subject": "m1"}
        body = json.dumps([one | {"data": {"page": "p"}}])
        assert_busy(visit(url, "POST", "/v1/events", content=body, headers={"Content-Type": BATCH}), "changed")
        assert time.perf_counter() - began < 5
    assert visit(url, "GET", "/v1/members/m1").json()["exempt"] is False
    with platform.database.tenant(tenant.id) as scope:
        assert scope.connection.execute(text("SELECT count(*) FROM core.event")).scalar_one() == 0


def test_a_route_that_idles_in_its_transaction_loses_its_locks_in_time(
    cluster: Cluster, platform: Platform, serve: Serve, visit: Callable[..., httpx2.Response]
) -> None:
    url = serve(idle_ms=300)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(visit, url, "GET", "/v1/me/slow/idle/3")
        database = psycopg.connect(cluster.admin_url, dbname=platform.database.urls.app.database, autocommit=True)
        with database as admin:
            while not admin.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'").fetchone():
                time.sleep(0.01)
            began = time.perf_counter()
            admin.execute("SELECT pg_advisory_lock(7)")
            assert time.perf_counter() - began < 2.5, "long before the route came back"
        answer = asked.result()
    assert answer.status_code == 503, answer.text
    assert visit(url, "GET", "/v1/me/slow/statement/0").status_code == 200


def test_the_timeouts_end_with_the_request_that_they_are_for(
    platform: Platform, tenant: Tenant, serve: Serve, visit: Callable[..., httpx2.Response]
) -> None:
    url = serve(statement_ms=1234, lock_ms=321, idle_ms=4321)
    assert visit(url, "GET", "/v1/me").status_code == 200
    with platform.database.tenant(tenant.id) as scope:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        found = {scope.connection.execute(text(f"SHOW {name}")).scalar_one() for name in names}
        assert found.isdisjoint({"1234ms", "321ms", "4321ms"}), found


@contextmanager
def meeting() -> Iterator[None]:
    Slow.meeting.reset()
    Slow.crossings.clear()
    yield


def test_two_commands_that_deadlock_both_succeed(serve: Serve, visit: Callable[..., httpx2.Response]) -> None:
    url = serve(lock_ms=10_000)
    with meeting(), ThreadPoolExecutor(2) as pool:
        one = pool.submit(visit, url, "POST", "/v1/me/slow/cross/1/2")
        two = pool.submit(visit, url, "POST", "/v1/me/slow/cross/2/1", "m2")
        assert [one.result().status_code, two.result().status_code] == [200, 200]
    assert len(Slow.crossings) == 3, "one was undone and ran again"


def test_one_that_deadlocks_again_is_503_and_never_500(
    serve: Serve, visit: Callable[..., httpx2.Response], monkeypatch: pytest.MonkeyPatch, refusals: Refusals
) -> None:
    monkeypatch.setattr("threepeat.http.faults.UNLUCKY", ())
    url = serve(lock_ms=10_000)
    with refusals(url, "conflict"), meeting(), ThreadPoolExecutor(2) as pool:
        one = pool.submit(visit, url, "POST", "/v1/me/slow/cross/1/2")
        two = pool.submit(visit, url, "POST", "/v1/me/slow/cross/2/1", "m2")
        answers = sorted((one.result(), two.result()), key=lambda answer: answer.status_code)
    assert answers[0].status_code == 200
    assert_busy(answers[1], "nothing was changed")
