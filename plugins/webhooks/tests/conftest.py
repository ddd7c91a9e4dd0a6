"""A platform for webhooks; the operator of these tests lets them go to this machine."""

import sys
from pathlib import Path

import httpx2
import pytest

from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.testing.fixtures import NO_LIMITS, serving
from threepeat_webhooks.addresses import LOOPBACK
from threepeat_webhooks.plugin import plugin as webhooks

sys.path.insert(0, str(Path(__file__).parent / "toys"))
try:
    from hooks_kit import Maker, Receiver, Shop
finally:
    sys.path.pop(0)


@pytest.fixture(autouse=True)
def loopback(monkeypatch):
    """The operator of these tests lets webhooks go to this machine."""
    monkeypatch.setenv(LOOPBACK, "1")


@pytest.fixture(scope="session")
def registry():
    return Registry.load((plugin.manifest.id, plugin) for plugin in (webhooks, Maker()))


@pytest.fixture(scope="session")
def opened_once(cluster, tmp_path_factory, registry):
    """One platform for all files; every test makes stores of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry, pool_size=34) as opened:
        yield opened


@pytest.fixture(scope="module")
def platform(opened_once):
    """The platform; between files it holds no connections."""
    yield opened_once
    opened_once.database.dispose()


@pytest.fixture
def open_shop(platform):
    opened = []

    def make(slug=None):
        opened.append(Shop(platform, slug))
        return opened[-1]

    yield make
    for shop in opened:
        shop.worker._caller.finish()


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    yield made
    assert made.violations() == []


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform, HttpConfig(**NO_LIMITS)) as url, httpx2.Client(base_url=url, timeout=60) as made:
        yield made
