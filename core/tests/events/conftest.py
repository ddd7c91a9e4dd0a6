import secrets
from collections.abc import Callable, Iterator

import pytest

from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The plugins of a file; files with toys of their own override it."""
    return Registry([])


@pytest.fixture(scope="module")
def platform(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Iterator[Platform]:
    """One platform for a file; every test makes a tenant of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry) as opened:
        yield opened


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant(f"shop-{secrets.token_hex(4)}")
