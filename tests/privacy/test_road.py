"""The whole road in earnest: events over HTTP, a worker, letters, a plugin off, one quarantined, a way out."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.tenancy import keys
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster

EVERYWHERE = {
    *("core.event", "core.identity", "core.consent", "core.dead_letter", "core.merge", "core.idempotency"),
    *("points.lot", "points.entry", "orders.header", "orders.refund"),
}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
# The error quotes the value, in the very line that PostgreSQL would log.
POISON = "CHECK (CASE WHEN order_id LIKE 'poison%' THEN CAST(order_id AS bigint) > 0 ELSE true END)"


class Site:
    """A database with two stores, and the processes that serve it, whose every word is kept in a file."""

    def __init__(self, cluster: Cluster, name: str, folder: Path, url: str) -> None:
        self.name = name
        self.url = url
        self.folder = folder
        self.words = folder / "words.log"
        self.environment = {**cluster.environment(name, folder), "THREEPEAT_LOG_LEVEL": "debug"}
        self.config = cluster.config(name, folder)
        self.keys = KeyConfig(keys=self.environment["THREEPEAT_KEYS"])
        with self.opened() as platform:
            self.stores = [
                open_store(platform, slug, enable=("points",), holdout=0, by="test") for slug in ("tea", "twin")
            ]
            self.secrets = []
            for store in self.stores:
                with platform.database.tenant(store.id) as scope:
                    self.secrets.append(
                        keys.create_key(scope, platform.keyring, "shop", ["ingest", "manage"], by="test")
                    )

    @contextmanager
    def opened(self) -> Iterator[Platform]:
        platform = Platform.open(self.config, keys=self.keys)
        try:
            yield platform
        finally:
            platform.database.dispose()

    @contextmanager
    def process(self, *arguments: str) -> Iterator[None]:
        with self.words.open("ab") as words:
            process = subprocess.Popen(
                [sys.executable, "-m", "threepeat.cli", *arguments],
                env=self.environment,
                stdout=words,
                stderr=subprocess.STDOUT,
            )
            try:
                yield
            finally:
                process.terminate()
                process.wait(30)

    @contextmanager
    def serving(self) -> Iterator[httpx2.Client]:
        """The API and a worker; yields a client of the first store's server."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        base = f"http://127.0.0.1:{port}"
        with (
            self.process("serve", "--port", str(port)),
            self.process("worker"),
            httpx2.Client(base_url=base, timeout=30, headers=bearer(self.secrets[0])) as client,
        ):
            wait_for(lambda: answers(client), "the API")
            yield client

    def rows(self, statement: str, *binds: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as admin:
            cursor = admin.execute(statement.encode(), binds or None)
            return cursor.fetchall() if cursor.description else []


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def answers(client: httpx2.Client) -> bool:
    try:
        return bool(client.get("/readyz").status_code == 200)
    except httpx2.TransportError:
        return False


def wait_for(ready: Any, what: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < until, f"{what} did not come within {seconds} seconds"
        time.sleep(0.1)


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path, tools: Any) -> Iterator[Site]:
    with cluster.database() as name:
        yield Site(cluster, name, tmp_path, tools.admin_url(cluster, name))


def order(key: str, subject: str, order_id: str) -> dict[str, Any]:
    data = {"order_id": order_id, "total": 1200, "currency": "CNY", "lines": []}
    return {
        "specversion": "1.0",
        "id": key,
        "source": "shop",
        "type": "order.paid",
        "subject": subject,
        "time": "2026-05-01T12:00:00Z",
        "data": data,
    }


def handled(site: Site, tenant: Tenant) -> bool:
    (found,) = site.rows(
        "SELECT s.head > 0 AND bool_and(c.position = s.head) FROM core.stream s"
        " JOIN core.cursor c USING (tenant_id) WHERE tenant_id = %s GROUP BY s.head",
        tenant.id,
    )
    return bool(found[0])


def test_a_member_who_leaves_is_nowhere_any_more(site: Site, tools: Any, canaries: Any, cluster: Cluster):
    store, twin = site.stores
    ann, bob = f"{tools.WORD}-ann", f"{tools.WORD}-bob"
    events = [*tools.every_event(canaries, ann, "CNY"), order("o-1", ann, f"{tools.WORD}-order")]
    live(site, ann, bob, events)
    letters = site.rows("SELECT error FROM core.dead_letter WHERE tenant_id = %s", store.id)
    assert any(tools.WORD in error for (error,) in letters), "the letters quote what they are about"
    before, theirs = tools.dump(site.url, tenant=store.id), tools.dump(site.url, tenant=twin.id)
    assert before.keys() >= EVERYWHERE

    # From here on points is switched off, and orders quarantined for a table that is open to every store.
    site.rows("UPDATE core.activation SET state = 'off' WHERE tenant_id = %s AND plugin = 'points'", store.id)
    site.rows("CREATE TABLE orders.leak (id bigint)")
    with site.opened() as platform:
        assert "orders" in platform.registry.quarantined
    with site.serving() as client:
        assert client.get(f"/v1/members/{ann}/export").text.count(tools.WORD) > 50
        assert tools.WORD not in client.get("/v1/members/carl/export").text
        leave(client, ann)
        for who in (ann, bob):
            late = client.post("/v1/events", json=order("late", who, "late"))
            assert late.status_code == 422
            assert "was erased" in late.json()["detail"]
        assert tools.WORD not in client.get("/v1/members/carl/export").text
    assert tools.dump(site.url, tenant=store.id) == {}
    assert tools.dump(site.url, tenant=twin.id) == theirs
    site.rows("DROP TABLE orders.leak")
    with site.opened() as platform:
        assert platform.registry.quarantined == {}
        for tenant in site.stores:
            assert [one for one in verify(platform, tenant) if one.rows] == []
    said = site.words.read_text()
    assert "member erased" in said
    assert "dead letter" in said
    for written in (said, (site.folder / "erasures.jsonl").read_text(), server_log(cluster)):
        assert tools.WORD not in written


def live(site: Site, ann: str, bob: str, events: list[dict[str, Any]]) -> None:
    """A member of both stores does everything there is to do, some of which no plugin can digest."""
    for table in ("points.lot", "orders.header"):
        site.rows(f"ALTER TABLE {table} ADD CONSTRAINT no_poison {POISON}")
    batches = (
        events,
        [order("p-1", ann, f"poison-{ann}")],
        [order("b-1", bob, "bobs")],
        [order("c-1", "carl", "c")],
    )
    linked = {"kind": "openid:wx1", "value": f"{ann}-openid"}
    with site.serving() as client:
        for secret in site.secrets:
            mine = bearer(secret)
            for batch in batches:
                sent = client.post("/v1/events", content=json.dumps(batch), headers={**BATCH, **mine})
                assert sent.status_code == 200, sent.text
            path = f"/v1/members/{ann}"
            assert client.put(f"{path}/identities", json=linked, headers=mine).status_code == 200
            once = {"Idempotency-Key": "merge-1", **mine}
            assert client.post(f"{path}/merge", json={"source": bob}, headers=once).status_code == 200
        wait_for(lambda: all(handled(site, store) for store in site.stores), "the worker")
        assert client.post("/v1/tactics/points/disable", json={}).status_code == 200


def leave(client: httpx2.Client, member: str) -> None:
    accepted = client.delete(f"/v1/members/{member}")
    assert accepted.status_code == 202, accepted.text
    erasure = accepted.json()["id"]
    wait_for(lambda: client.get(f"/v1/erasures/{erasure}").json()["completed_at"], "the worker's part", seconds=30)


def server_log(cluster: Cluster) -> str:
    """What PostgreSQL wrote, if the server is one of ours."""
    _, _, socket_folder = cluster.admin_url.partition("host=")
    log = Path(socket_folder.replace("%2F", "/")).parent / "postgresql.log"
    if "DATABASE_URL" in os.environ:
        return ""
    return log.read_text(errors="replace")
