"""What switching a tactic off would mean, asked over HTTP."""

import pytest

from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, RewardChoice, get, hookimpl, post, reward, when
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat.tenancy import switches


class Keeper(Plugin[PluginSettings]):
    """Keeps a kind of reward."""

    manifest = Manifest(id="keeper", kind="tactic", title="Keeper", summary="Keeps.")
    settings_model = PluginSettings

    @hookimpl
    def reactions(self):
        yield when(OrderPaid, self.nothing)
        yield when(OrderRefunded, self.nothing, always=True)

    @hookimpl
    def routes(self):
        yield get("/mine", self.mine, summary="What is mine")
        yield post("/more", self.mine, summary="More for me")

    @hookimpl
    def rewards(self):
        given = dict.fromkeys(("grant", "revoke", "balance", "cost"), self.nothing)
        yield reward("keeper", title={"en": "stars", "zh": "星"}, **given)

    @hookimpl
    def open_obligations(self, ctx):
        ctx.log.info("asked")
        yield "three stars for ann"

    def nothing(self, *given):
        raise NotImplementedError

    def mine(self, ctx) -> int:
        raise NotImplementedError


class GiverSettings(PluginSettings):
    gift: RewardChoice = RewardChoice(kind="keeper", amount=3)


class Giver(Plugin[GiverSettings]):
    """Gives what the keeper keeps."""

    manifest = Manifest(id="giver", kind="tactic", title="Giver", summary="Gives.")
    settings_model = GiverSettings


@pytest.fixture(scope="module")
def registry():
    return Registry.load([("keeper", Keeper()), ("giver", Giver())])


def enable(platform, store, *names):
    with platform.database.tenant(store.id) as scope:
        for name in names:
            switches.enable(scope, store, platform.registry, name, by="test", act=platform.act)


def test_consequences_are_told_and_nothing_changes(platform, tenant, manager):
    enable(platform, tenant, "keeper", "giver")
    before = manager.get("/v1/tactics").json()
    assert manager.get("/v1/tactics/keeper/consequences").json() == {
        "owes": ["three stars for ann"],
        "stops": ["order.paid"],
        "goes_on": ["order.refunded"],
        "shut": ["More for me"],
        "open": ["What is mine"],
        "dangling": [{"plugin": "giver", "field": "settings.gift", "names": "keeper"}],
    }
    assert manager.get("/v1/tactics").json() == before


def test_only_what_is_on_here_has_any(platform, tenant, other_tenant, manager, signed_in, make_key):
    enable(platform, other_tenant, "keeper")
    for name in ("keeper", "nobody", "%00", "x" * 5000):
        answer = manager.get(f"/v1/tactics/{name}/consequences")
        assert answer.status_code == 404, answer.text
        assert answer.headers["content-type"].startswith("application/problem+json")
    assert signed_in(make_key(tenant, "ingest")).get("/v1/tactics/keeper/consequences").status_code == 403
    assert signed_in(make_key(other_tenant, "read")).get("/v1/tactics/keeper/consequences").status_code == 200
