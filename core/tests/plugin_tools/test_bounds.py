"""Installed for another Threepeat, a plugin stays away and its stores keep what they have."""

import shutil
import sys

import pytest

from threepeat import __version__
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.testing.fixtures import Sender
from threepeat.worker.loop import Worker


@pytest.fixture
def installed(tmp_path, monkeypatch, toys):
    """Installs the toy with a bound on core: `installed(">=7")`."""
    site = tmp_path / "site"
    shutil.copytree(toys / "visits_toy", site / "visits_toy")
    info = site / "visits_toy-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[threepeat.plugins]\nvisits = visits_toy:plugin\n")
    monkeypatch.syspath_prepend(site)

    def install(bound):
        needs = f"Requires-Dist: threepeat-core{bound}\n"
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: visits-toy\nVersion: 1.0\n{needs}")

    yield install
    sys.modules.pop("visits_toy", None)


def test_the_platform_boots_without_it_and_nothing_of_it_is_lost(place, installed):
    def happen(platform, tenant, number):
        sent = Sender(platform).event(
            "order.paid", "ann", id=f"o{number}", order_id=f"{number}", total=5, currency="CNY"
        )
        assert [one.verdict for one in Sender(platform).batch(tenant, [sent])] == ["accepted"]
        Worker(platform).drain()

    installed(">=0.1")
    with place.opened(Registry.discover()) as platform:
        tenant = open_store(platform, "tea", enable=["visits"], by="test")
        happen(platform, tenant, 1)
    installed(">=7")
    with place.opened(Registry.discover()) as platform:
        assert platform.registry.quarantined.keys() == {"visits"}
        reason = platform.registry.quarantined["visits"].reason
        assert f"it needs threepeat-core>=7, and {__version__} is installed" in reason
        happen(platform, tenant, 2)
    assert place.ask("SELECT orders FROM visits.visit") == [(1,)]
    assert place.ask("SELECT state FROM core.activation WHERE plugin = 'visits'") == [("enabled",)]
    installed("<2")
    with place.opened(Registry.discover()) as platform:
        happen(platform, tenant, 3)
    assert place.ask("SELECT orders FROM visits.visit") == [(3,)], "what happened meanwhile is made up for"
