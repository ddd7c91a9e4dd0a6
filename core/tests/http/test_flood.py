"""A flood costs its sender's share, its neighbours little, and the log a line a second."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2
import pytest
from structlog.testing import capture_logs

from threepeat.plugins import Registry
from threepeat.sdk import Context, Manifest, Plugin, PluginSettings, Route, get, hookimpl
from threepeat.tenancy.tenants import Tenant

Serve = Callable[..., str]

BATCH = "application/cloudevents-batch+json"
RATE = 200
SIZE = 50


class Clumsy(Plugin[PluginSettings]):
    """Raises with somebody's name in the message."""

    manifest = Manifest(id="clumsy", kind="tactic", title="Clumsy", summary="A toy that raises.", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield get("/fall", self.fall, summary="Falls")

    def fall(self, ctx: Context[PluginSettings]) -> None:
        raise RuntimeError(f"the phone of {ctx.member} is 13800000000")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load([("clumsy", Clumsy())])


def bearer(credential: str, kind: str = "application/json") -> dict[str, str]:
    return {"Authorization": f"Bearer {credential}", "Content-Type": kind}


def batch(name: str, count: int) -> bytes:
    one = {"specversion": "1.0", "source": name, "type": "page.viewed", "subject": "m1", "data": {"page": "p"}}
    return json.dumps([one | {"id": f"{time.monotonic_ns()}-{number}"} for number in range(count)]).encode()


@contextmanager
def flood(url: str, key: str, threads: int = 12) -> Iterator[Counter[int]]:
    """Batches without pause for as long as the block lasts; yields the answers so far."""
    statuses: Counter[int] = Counter()
    over = threading.Event()

    def send(number: int) -> None:
        with httpx2.Client(base_url=url, timeout=30) as client:
            body = batch(f"flood-{number}", SIZE)
            while not over.is_set():
                statuses[client.post("/v1/events", content=body, headers=bearer(key, BATCH)).status_code] += 1

    running = [threading.Thread(target=send, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield statuses
    finally:
        over.set()
        for thread in running:
            thread.join()


def test_while_one_store_floods_another_is_served_as_if_it_were_alone(
    serve: Serve,
    make_key: Callable[..., str],
    make_token: Callable[..., str],
    tenant: Tenant,
    other_tenant: Tenant,
) -> None:
    url = serve(tenant_events=RATE, key_events=RATE, tenant_requests=1000, member_requests=100)
    mine, theirs = make_key(other_tenant, "manage", "ingest"), make_key(tenant, "ingest")
    token, told, rounds = make_token(other_tenant, "m1"), Counter[int](), 0
    with httpx2.Client(base_url=url, timeout=30) as client:
        began = time.monotonic()
        with flood(url, theirs) as statuses:
            while rounds < 30 or sum(statuses.values()) * SIZE < 10 * RATE * (2 + time.monotonic() - began):
                told[client.put("/v1/members/m2", json={}, headers=bearer(mine)).status_code] += 1
                told[client.get("/v1/me", headers=bearer(token)).status_code] += 1
                body = batch("quiet", 3)
                told[client.post("/v1/events", content=body, headers=bearer(mine, BATCH)).status_code] += 1
                rounds += 1
                assert time.monotonic() - began < 60, "the flood never came to ten times what it may"
        lasted = time.monotonic() - began
    asked = sum(statuses.values()) * SIZE / lasted
    print(f"{asked:.0f} events a second asked, {RATE} allowed: {dict(statuses)}; the neighbour: {dict(told)}")
    assert told == {200: 3 * rounds}
    assert set(statuses) == {200, 429}
    assert statuses[200] * SIZE <= RATE * (lasted + 2) + 12 * SIZE


def test_refusals_in_a_row_are_one_line_a_second_that_says_how_many(
    serve: Serve, make_key: Callable[..., str], tenant: Tenant
) -> None:
    url, key = serve(key_events=1), make_key(tenant, "ingest")
    with capture_logs() as logged:
        with flood(url, key, threads=8) as statuses:
            time.sleep(2.5)
        time.sleep(1.1)
        last = httpx2.post(f"{url}/v1/events", content=batch("x", 1), headers=bearer(key, BATCH))
        assert last.status_code == 429
        time.sleep(0.3)  # a line is written after its answer
    lines = [line for line in logged if line.get("refused") == "key-events"]
    assert 2 <= len(lines) <= 6
    assert {(line["route"], line["tenant_id"]) for line in lines} == {("/v1/events", str(tenant.id))}
    assert sum(1 + line.get("alike", 0) for line in lines) == statuses[429] + 1


def test_what_a_mistake_says_reaches_neither_the_caller_nor_the_log_and_the_connection_stays(
    serve: Serve,
    make_tenant: Callable[..., Tenant],
    make_token: Callable[..., str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    tenant = make_tenant(f"shop-{time.monotonic_ns()}", enable=("clumsy",))
    headers = bearer(make_token(tenant, "m1"))
    with capture_logs() as logged, httpx2.Client(base_url=serve(), headers=headers) as client:
        for _ in range(5):
            answer = client.get("/v1/me/clumsy/fall")
            assert answer.status_code == 500
            assert answer.json()["type"].endswith(":unexpected")
            assert "13800000000" not in answer.text
    assert sum("RuntimeError" in str(line) for line in logged) == 5
    assert "13800000000" not in str(logged) + caplog.text
