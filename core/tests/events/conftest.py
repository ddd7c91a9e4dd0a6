import secrets
from collections.abc import Callable, Iterator

import pytest

from threepeat.events.platform import KeyConfig, Platform
from threepeat.plugins import Registry
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster


@pytest.fixture(scope="module")
def registry() -> Registry:
    """The plugins of a file; files with toys of their own override it."""
    return Registry([])


@pytest.fixture(scope="module")
def platform(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Iterator[Platform]:
    """One platform for a file; every test makes a tenant of its own."""
    with cluster.database() as name:
        config = cluster.config(name, tmp_path_factory.mktemp("data"))
        opened = Platform.open(config, registry=registry, keys=KeyConfig(keys=new_line()), upgrade=True)
        yield opened
        opened.database.dispose()


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant(f"shop-{secrets.token_hex(4)}")
