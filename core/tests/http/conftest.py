import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from threepeat.events.platform import Platform
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.tenancy import keys, members
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster, serving

Connect = Callable[..., httpx2.Client]

RATED = ("key", "member", "tenant")


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The plugins of a file; files with toys of their own override it."""
    return Registry([])


@pytest.fixture(scope="module")
def platform(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Iterator[Platform]:
    """One platform for a file; every test makes a tenant of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(platform: Platform) -> Iterator[str]:
    with serving(platform) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=url, timeout=30) as made:
        yield made


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant(f"shop-{secrets.token_hex(4)}")


@pytest.fixture
def other_tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant(f"shop-{secrets.token_hex(4)}")


@pytest.fixture
def signed_in(url: str) -> Iterator[Connect]:
    """Clients that send a credential of their own: `signed_in(key)`."""
    opened: list[httpx2.Client] = []

    def make(credential: str) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {credential}"}
        opened.append(httpx2.Client(base_url=url, headers=headers, timeout=30))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def manager(signed_in: Connect, make_key: Callable[..., str], tenant: Tenant) -> httpx2.Client:
    """The merchant's server, with a key that manages."""
    return signed_in(make_key(tenant, "manage"))


@pytest.fixture
def make_token(platform: Platform) -> Callable[..., str]:
    """Makes member tokens: `make_token(tenant, "m1")`."""

    def make(owner: Tenant, external_id: str, *, life: timedelta = timedelta(hours=1)) -> str:
        with platform.database.tenant(owner.id) as scope:
            member = members.put(scope, platform.keyring, external_id)
        return keys.sign_token(platform.keyring, owner.id, member.id, external_id, life)[0]

    return make


@pytest.fixture
def serve(platform: Platform) -> Iterator[Callable[..., str]]:
    """Starts a server with limits of its own: `serve(key_requests=5)`; rates that are not named are off."""
    rates: dict[str, Any] = {f"{who}_{what}": 0 for who in RATED for what in ("requests", "events")}
    with ExitStack() as stack:
        yield lambda **limits: stack.enter_context(serving(platform, HttpConfig(**rates | limits)))


@pytest.fixture
def refusals() -> Callable[..., AbstractContextManager[None]]:
    """Sees that a block is refused something: `with refusals(url, "key-requests", 3): …`."""

    def count(url: str, reason: str) -> float:
        lines = httpx2.get(f"{url}/metrics").text.splitlines()
        wanted = f'threepeat_http_refused_total{{reason="{reason}"}}'
        return sum(float(line.split(" ")[1]) for line in lines if line.startswith(wanted))

    @contextmanager
    def counted(url: str, reason: str, least: int = 1) -> Iterator[None]:
        before = count(url, reason)
        yield
        assert count(url, reason) - before >= least, reason

    return counted
