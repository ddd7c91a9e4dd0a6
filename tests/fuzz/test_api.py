"""Schemathesis reads what the API says of itself and tries it, with every kind of credential.

It runs as a process of its own against a real server. `EXAMPLES` says how many requests it makes up for each
operation at most, and `SEED` which.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from pydantic import BaseModel
from sqlalchemy import text
from tests.fuzz.stores import UNLIMITED

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, Route, get, hookimpl
from threepeat.tenancy import keys
from threepeat.tenancy.keyring import new_line
from threepeat.testing.fixtures import BY, Cluster, serving
from threepeat.worker.loop import Worker
from threepeat_tenants.accounts import operator_keys
from threepeat_tenants.api import door

pytestmark = pytest.mark.long

EXAMPLES = int(os.environ.get("EXAMPLES", "10"))
SEED = os.environ.get("SEED", "20261122")
KEYS = KeyConfig(keys=new_line())
OPERATIONS = re.compile(r"Tested: (\d+)")
CASES = re.compile(r"(\d+) generated, (\d+) passed")


class Slip(BaseModel):
    """How it went."""

    share: float


class Clumsy(Plugin[PluginSettings]):
    """Divides by what it is given."""

    manifest = Manifest(id="clumsy", kind="tactic", title="Clumsy", summary="Divides.")
    settings_model = PluginSettings

    @hookimpl
    def routes(self) -> Iterable[Route]:
        yield get("/share", self.share, summary="Share something out")

    def share(self, _ctx, people: int) -> Slip:
        return Slip(share=1 / people)


@dataclass
class Served:
    """A server with a store that has every tactic, and who may call it.

    Attributes:
        credentials: The bearer credential of each kind of caller.
    """

    url: str
    credentials: dict[str, str]

    def tried(self, who: str, folder: Path, *arguments: str) -> tuple[int, str]:
        """Let schemathesis try the API as somebody; its exit code and what it printed."""
        options = ["--checks", "not_a_server_error", "--max-examples", str(EXAMPLES), "--seed", SEED, "--no-color"]
        options += ["--continue-on-failure", "--generation-database", "none", "--request-timeout", "60"]
        if who in self.credentials:
            options += ["--header", f"Authorization: Bearer {self.credentials[who]}"]
        program = Path(sys.executable).with_name("schemathesis")
        done = subprocess.run(
            [program, "run", f"{self.url}/v1/openapi.json", *options, *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout


@contextmanager
def serve(cluster: Cluster, folder: Path, registry: Registry | None = None) -> Iterator[Served]:
    """Serve a store in which every tactic is on."""
    with cluster.database() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "REQUESTS_PER_SECOND", 100_000)
        platform = Platform.open(cluster.config(name, folder), registry=registry, keys=KEYS, upgrade=True)
        with platform, serving(platform, UNLIMITED) as url:
            yield Served(url, populated(platform, url))


def populated(platform: Platform, url: str) -> dict[str, str]:
    """Open a store with members and orders; the credentials of everybody who has to do with it."""
    tactics = [plugin.id for plugin in platform.registry if plugin.manifest.kind == "tactic"]
    with platform.database.ops.begin() as ops:
        ops.execute(text("UPDATE core.plan SET tactic_cap = 17"))
        operator = operator_keys.create(ops, platform.keyring, "program", by=BY)
    tenant = open_store(platform, "leaf-and-cup", enable=tactics, holdout=0, by=BY)
    with platform.database.tenant(tenant.id) as scope:
        merchant = keys.create_key(scope, platform.keyring, "merchant", ["ingest", "manage"], by=BY)
        shop = keys.create_key(scope, platform.keyring, "shop", ["ingest"], by=BY)
    headers = {"Authorization": f"Bearer {merchant}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
        for name in ("ann", "bob"):
            client.put(f"/v1/members/{name}", json={}).raise_for_status()
        for number in range(6):
            data = {"order_id": str(number), "total": 20_000, "currency": "CNY"}
            event = {"specversion": "1.0", "id": f"paid-{number}", "source": "shop", "type": "order.paid"}
            event |= {"subject": "ann" if number % 2 else "bob", "data": data}
            of_events = {"Content-Type": "application/cloudevents+json"}
            client.post("/v1/events", json=event, headers=of_events).raise_for_status()
        member = client.post("/v1/members/ann/token").raise_for_status().json()["token"]
    Worker(platform).drain()
    return {"merchant": merchant, "shop": shop, "member": member, "operator": operator}


@pytest.fixture(scope="module")
def served(cluster, tmp_path_factory):
    with serve(cluster, tmp_path_factory.mktemp("data")) as made:
        yield made


# Each kind of caller tries what it may do; what it may not do is tried by nobody in particular.
@pytest.mark.parametrize(
    ("who", "where", "least"),
    [
        ("merchant", "^/v1/(?!operator)", 80),
        ("shop", "^/v1/(events|quotes)", 6),
        ("member", "^/v1/(me|events|quotes)", 20),
        ("operator", "^/v1/operator", 25),
        ("nobody", "^/", 100),
    ],
)
def test_nothing_that_anybody_may_send_breaks_the_api(served, who, where, least, tmp_path):
    code, printed = served.tried(who, tmp_path, "--include-path-regex", where)
    print(printed)
    assert code == 0, printed
    operations, (made, passed) = int(OPERATIONS.search(printed)[1]), map(int, CASES.search(printed).groups())
    assert operations >= least
    assert made == passed > 10 * operations


def test_a_route_that_breaks_is_found(cluster, tmp_path):
    registry = Registry.load([("clumsy", Clumsy())])
    with serve(cluster, tmp_path, registry) as served:
        code, printed = served.tried("member", tmp_path, "--include-path-regex", "^/v1/me/clumsy")
    assert code == 1, printed
    assert "/v1/me/clumsy/share?people=0" in printed
