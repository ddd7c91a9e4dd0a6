"""What hangs, waits or floods takes its own share and no more; health answers through all of it."""

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, ClassVar

import httpx2
import psycopg
import pytest
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, Route, get, hookimpl
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster

Serve = Callable[..., str]
Refusals = Callable[..., AbstractContextManager[None]]
Asks = Callable[..., httpx2.Response]

BATCH = "application/cloudevents-batch+json"
LOCKED = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
SOON = 3.0
"""Seconds within which a request that has its own means is answered, on a busy machine too."""


class Stuck(Plugin[PluginSettings]):
    """Hangs for as long as the test wants."""

    manifest = Manifest(id="stuck", kind="tactic", title="Stuck", summary="A toy that hangs.", holdout="none")
    settings_model = PluginSettings
    free: ClassVar[threading.Event] = threading.Event()
    hanging: ClassVar[list[int]] = []

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield get("/hang", self.hang, summary="Hangs")

    def hang(self, ctx: Context[PluginSettings]) -> dict[str, bool]:
        self.hanging.append(ctx.member)
        return {"freed": self.free.wait(30)}


class Stuck2(Stuck):
    """Another one."""

    manifest = Manifest(id="stuck2", kind="tactic", title="Stuck too", summary="A toy that hangs.", holdout="none")


class Brisk(Plugin[PluginSettings]):
    """Answers at once."""

    manifest = Manifest(id="brisk", kind="tactic", title="Brisk", summary="A toy that answers.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield get("/now", self.now, summary="Answers")

    def now(self, ctx: Context[PluginSettings]) -> dict[str, int]:
        return {"member": ctx.member}


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = Registry.load([("stuck", Stuck()), ("stuck2", Stuck2()), ("brisk", Brisk())])
    assert not made.quarantined
    return made


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    Stuck.free.clear()
    Stuck.hanging.clear()
    yield
    Stuck.free.set()


class Shop:
    """A store with every toy on, its credentials, and a client for many at once."""

    def __init__(self, url: str, tenant: Tenant, token: str, key: str) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        self.client = httpx2.Client(base_url=url, timeout=60, limits=limits)
        self.tenant, self._token, self._key = tenant, token, key

    def me(self, path: str) -> httpx2.Response:
        return self.client.get(f"/v1/me{path}", headers={"Authorization": f"Bearer {self._token}"})

    def command(self, member: str = "m2") -> httpx2.Response:
        return self.client.put(f"/v1/members/{member}", json={}, headers={"Authorization": f"Bearer {self._key}"})

    def events(self, count: int = 1) -> httpx2.Response:
        one = {"specversion": "1.0", "source": "s", "type": "page.viewed", "subject": "m1", "data": {"page": "p"}}
        batch = [one | {"id": f"{threading.get_ident()}-{time.monotonic_ns()}-{n}"} for n in range(count)]
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": BATCH}
        return self.client.post("/v1/events", content=json.dumps(batch).encode(), headers=headers)


@pytest.fixture
def shops(
    make_tenant: Callable[..., Tenant], make_key: Callable[..., str], make_token: Callable[..., str]
) -> Iterator[Callable[[str], Shop]]:
    with ExitStack() as stack:

        def make(url: str) -> Shop:
            tenant = make_tenant(f"shop-{time.monotonic_ns()}", enable=("stuck", "stuck2", "brisk"))
            shop = Shop(url, tenant, make_token(tenant, "m1"), make_key(tenant, "ingest", "manage"))
            stack.enter_context(shop.client)
            assert shop.me("/brisk/now").status_code == 200
            return shop

        yield make


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(64) as made:
        yield made
        Stuck.free.set()


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come to that")


def quick(ask: Asks, *given: Any) -> httpx2.Response:
    """Ask, and see that the answer comes soon."""
    began = time.perf_counter()
    answer = ask(*given)
    seconds = time.perf_counter() - began
    print(f"{getattr(ask, '__name__', 'asked')}{given}: {answer.status_code} in {seconds * 1000:.0f} ms")
    assert seconds < SOON, answer.text
    return answer


def outcome(asked: list[Future[httpx2.Response]]) -> Counter[tuple[int, str]]:
    answers = [future.result() for future in asked]
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code in {429, 503})
    return Counter((answer.status_code, answer.json().get("type", "")[22:]) for answer in answers)


@contextmanager
def hanging(pool: ThreadPoolExecutor, shop: Shop, path: str, count: int, *, running: int) -> Iterator[list[Any]]:
    """Requests that hang until the block ends."""
    before = len(Stuck.hanging)
    asked = [pool.submit(shop.me, path) for _ in range(count)]
    until(lambda: len(Stuck.hanging) - before >= running)
    yield asked
    Stuck.free.set()


def test_a_hanging_plugin_takes_its_own_cap_and_everybody_else_is_served(
    serve: Serve, shops: Callable[[str], Shop], pool: ThreadPoolExecutor, refusals: Refusals
) -> None:
    url = serve(plugin_calls=4, tenant_calls=6, wait_ms=300)
    mine, others = shops(url), shops(url)
    with refusals(url, "plugin-stuck", 26), hanging(pool, mine, "/stuck/hang", 30, running=4) as asked:
        until(lambda: sum(future.done() for future in asked) == 26)
        assert len(Stuck.hanging) == 4
        for shop in (mine, others):
            assert quick(shop.me, "/brisk/now").status_code == 200
            assert quick(shop.command).status_code == 200
            assert quick(shop.events, 100).status_code == 200
        assert quick(others.me, "/stuck/hang").json()["type"].endswith(":busy"), "its own routes are full"
        for path in ("/healthz", "/readyz", "/metrics"):
            assert quick(mine.client.get, path).status_code == 200
    assert outcome(asked) == {(200, ""): 4, (503, "busy"): 26}
    assert quick(mine.me, "/stuck/hang").status_code == 200


def test_however_many_plugins_hang_cores_own_routes_are_left(
    serve: Serve, shops: Callable[[str], Shop], pool: ThreadPoolExecutor, refusals: Refusals
) -> None:
    url = serve(plugin_calls=100, tenant_calls=100, wait_ms=300)
    mine, others = shops(url), shops(url)
    with (
        refusals(url, "plugins"),
        hanging(pool, mine, "/stuck/hang", 3, running=3),
        hanging(pool, others, "/stuck2/hang", 20, running=3) as asked,
    ):
        until(lambda: sum(future.done() for future in asked) == 17)
        assert len(Stuck.hanging) == 6, "three quarters of what calls may have"
        for shop in (mine, others):
            assert quick(shop.command).status_code == 200
            assert quick(shop.events).status_code == 200


def test_a_store_takes_its_own_cap_and_is_told_so(
    serve: Serve, shops: Callable[[str], Shop], pool: ThreadPoolExecutor, refusals: Refusals
) -> None:
    url = serve(plugin_calls=3, tenant_calls=4, wait_ms=300)
    mine, others = shops(url), shops(url)
    with (
        refusals(url, "tenant-calls"),
        hanging(pool, mine, "/stuck/hang", 3, running=3),
        hanging(pool, mine, "/stuck2/hang", 9, running=1) as asked,
    ):
        until(lambda: sum(future.done() for future in asked) == 8)
        assert len(Stuck.hanging) == 4
        assert quick(others.me, "/brisk/now").status_code == 200
        assert quick(others.command).status_code == 200
        assert mine.command().json()["type"].endswith(":rate-limited")
        assert quick(mine.events).status_code == 200, "events are apart from commands"
    assert outcome(asked) == {(200, ""): 1, (429, "rate-limited"): 8}


def test_those_who_wait_get_their_turn_when_there_is_one(
    serve: Serve, shops: Callable[[str], Shop], pool: ThreadPoolExecutor
) -> None:
    url = serve(plugin_calls=1, tenant_calls=6, wait_ms=20_000)
    shop = shops(url)
    with hanging(pool, shop, "/stuck/hang", 20, running=1) as asked:
        assert quick(shop.me, "/brisk/now").status_code == 200, "they wait without holding anything"
        assert len(Stuck.hanging) == 1
    assert outcome(asked) == {(200, ""): 20}


@contextmanager
def stream_held(platform: Platform, shop: Shop) -> Iterator[None]:
    """Hold the row that every append of a store needs."""
    with platform.database.tenant(shop.tenant.id) as scope:
        scope.connection.execute(text("SELECT FROM core.stream FOR UPDATE"))
        yield


@pytest.fixture
def waiting(cluster: Cluster, platform: Platform) -> Callable[[], int]:
    """How many connections wait for a lock."""

    def count() -> int:
        with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
            found = admin.execute(LOCKED, (platform.database.urls.app.database,)).fetchone()
            return int(found[0]) if found else 0

    return count


def test_ingest_that_waits_takes_one_stores_share_of_ingest_and_nothing_of_commands(
    platform: Platform,
    serve: Serve,
    shops: Callable[[str], Shop],
    pool: ThreadPoolExecutor,
    refusals: Refusals,
    waiting: Callable[[], int],
) -> None:
    url = serve(ingest_pool=4, tenant_ingest=2, wait_ms=300, lock_ms=0, statement_ms=0)
    mine, others = shops(url), shops(url)
    assert mine.events().status_code == 200  # the key is known: none of the 30 waits for its look-up
    with refusals(url, "tenant-ingest", 28):
        with stream_held(platform, mine):
            asked = [pool.submit(mine.events) for _ in range(30)]
            until(lambda: sum(future.done() for future in asked) == 28)
            assert waiting() == 2
            assert quick(others.events).status_code == 200
            for shop in (mine, others):
                assert quick(shop.me, "/brisk/now").status_code == 200
                assert quick(shop.command).status_code == 200
        assert outcome(asked) == {(200, ""): 2, (429, "rate-limited"): 28}


def test_health_answers_while_everything_else_is_taken(
    platform: Platform,
    serve: Serve,
    shops: Callable[[str], Shop],
    pool: ThreadPoolExecutor,
    waiting: Callable[[], int],
) -> None:
    url = serve(
        plugin_calls=100, tenant_calls=100, ingest_pool=2, tenant_ingest=2, wait_ms=5000, lock_ms=0, statement_ms=0
    )
    shop = shops(url)
    with ExitStack() as held:
        held.enter_context(stream_held(platform, shop))
        asked = [pool.submit(shop.events) for _ in range(10)]
        held.enter_context(hanging(pool, shop, "/stuck/hang", 10, running=6))
        # The members' rows too, so that core's own commands hang.
        with platform.database.tenant(shop.tenant.id) as scope:
            scope.connection.execute(text("SELECT FROM core.member FOR UPDATE"))
            scope.connection.execute(text("SELECT FROM core.identity FOR UPDATE"))
            asked += [pool.submit(shop.command, "m1") for _ in range(10)]
            until(lambda: waiting() >= 3)
            with httpx2.Client(base_url=url) as probe:
                for path in ("/healthz", "/readyz", "/metrics", "/v1/openapi.json") * 5:
                    assert quick(probe.get, path).status_code == 200
        for future in asked[10:]:
            assert future.result().status_code == 200
    assert {future.result().status_code for future in asked} == {200}


def test_a_caller_that_hangs_up_while_it_waits_leaves_no_place_taken(
    serve: Serve, shops: Callable[[str], Shop], pool: ThreadPoolExecutor
) -> None:
    url = serve(plugin_calls=2, tenant_calls=6, wait_ms=200)
    shop = shops(url)
    host, _, port = url.removeprefix("http://").partition(":")
    with hanging(pool, shop, "/stuck/hang", 2, running=2):
        for _ in range(40):
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                head = f"GET /v1/me/stuck/hang HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shop._token}\r\n\r\n"
                connection.sendall(head.encode())
    time.sleep(0.5)
    Stuck.free.clear()
    with hanging(pool, shop, "/stuck/hang", 2, running=2):
        assert shop.me("/stuck/hang").status_code == 503
    assert shop.me("/stuck/hang").status_code == 200
