"""A platform for webhooks; the operator of these tests lets them go to this machine."""

import sys
from pathlib import Path

import httpx2
import pytest

from threepeat.events.platform import KeyConfig, Platform
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.tenancy.keyring import new_line
from threepeat.testing.fixtures import serving
from threepeat_webhooks.addresses import LOOPBACK
from threepeat_webhooks.plugin import plugin as webhooks

sys.path.insert(0, str(Path(__file__).parent / "toys"))
try:
    from hooks_kit import Maker, Receiver, Shop
finally:
    sys.path.pop(0)

NO_LIMITS = {f"{who}_{what}": 0 for who in ("key", "member", "tenant") for what in ("requests", "events")}


@pytest.fixture(autouse=True)
def loopback(monkeypatch):
    """The operator of these tests lets webhooks go to this machine."""
    monkeypatch.setenv(LOOPBACK, "1")


@pytest.fixture(scope="module")
def registry():
    return Registry.load((plugin.manifest.id, plugin) for plugin in (webhooks, Maker()))


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory, registry):
    """One platform for a file; every test makes stores of its own."""
    with cluster.database() as name:
        config = cluster.config(name, tmp_path_factory.mktemp("data")).model_copy(update={"pool_size": 34})
        opened = Platform.open(config, registry=registry, keys=KeyConfig(keys=new_line()), upgrade=True)
        yield opened
        opened.database.dispose()


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
