"""What switching a tactic off would mean is said before it is done, and saying it changes nothing."""

import secrets

import pytest

from threepeat.events import consequences
from threepeat.events.consequences import Dangling
from threepeat.plugins import Registry
from threepeat.sdk import (
    Audience,
    Manifest,
    Plugin,
    PluginSettings,
    RewardChoice,
    fact,
    get,
    hookimpl,
    post,
    reward,
    when,
)
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat.tenancy import audit, switches
from threepeat.tenancy.errors import NotFound


class Keeper(Plugin[PluginSettings]):
    """Keeps a kind of reward and knows a fact."""

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
    def facts(self):
        yield fact("keeper.rank", self.nothing, kind="number", title={"en": "rank", "zh": "名次"})

    @hookimpl
    def rewards(self):
        title = {"en": "stars", "zh": "星"}
        yield reward(
            "keeper", title=title, grant=self.nothing, revoke=self.nothing, balance=self.nothing, cost=self.nothing
        )

    @hookimpl
    def open_obligations(self, ctx):
        ctx.log.info("asked")
        yield "three stars for ann"

    def nothing(self, *given):
        raise NotImplementedError

    def mine(self, ctx) -> int:
        raise NotImplementedError


class GiverSettings(PluginSettings):
    gifts: tuple[RewardChoice, ...] = (RewardChoice(kind="keeper", amount=3),)
    whom: Audience = Audience()


class Giver(Plugin[GiverSettings]):
    """Gives, by default, what the keeper keeps."""

    manifest = Manifest(id="giver", kind="tactic", title="Giver", summary="Gives.")
    settings_model = GiverSettings


@pytest.fixture(scope="module")
def registry():
    return Registry.load([("keeper", Keeper()), ("giver", Giver())])


@pytest.fixture
def store(make_tenant):
    return make_tenant(f"shop-{secrets.token_hex(4)}", enable=("keeper", "giver"))


def foresee(platform, store, name="keeper"):
    with platform.database.tenant(store.id) as scope:
        return consequences.foresee(platform.inside(scope, store), name)


def save(platform, store, values):
    with platform.database.tenant(store.id) as scope:
        switches.save_settings(
            scope, store, platform.registry, platform.keyring, "giver", values, revision=None, by="test"
        )


def test_what_stops_what_goes_on_and_what_is_owed(platform, store):
    found = foresee(platform, store)
    assert found.owes == ("three stars for ann",)
    assert (found.stops, found.goes_on) == (("order.paid",), ("order.refunded",))
    assert (found.shut, found.open) == (("More for me",), ("What is mine",))


def test_settings_elsewhere_that_would_lead_nowhere_are_named_by_path_defaults_too(platform, store):
    assert foresee(platform, store).dangling == (Dangling("giver", "settings.gifts.0", "keeper"),)
    ranked = {"fact": "keeper.rank", "op": "at_least", "value": 3}
    old = {"fact": "member.since", "op": "within_days", "value": 3}
    save(platform, store, {"gifts": [], "whom": {"all": [old, {"not": ranked}]}})
    assert foresee(platform, store).dangling == (Dangling("giver", "settings.whom.all.1.not", "keeper.rank"),)
    save(platform, store, {"gifts": []})
    assert foresee(platform, store).dangling == ()


def test_a_tactic_that_is_off_does_not_dangle(platform, store):
    with platform.database.tenant(store.id) as scope:
        switches.disable(scope, store, platform.registry, "giver", by="test", act=platform.act)
    assert foresee(platform, store).dangling == ()


def test_settings_that_would_lead_nowhere_if_it_were_on_are_named(platform, make_tenant, store):
    def lacking(owner, **given):
        with platform.database.tenant(owner.id) as scope:
            return consequences.lacking(platform.inside(scope, owner), "giver", **given)

    without = make_tenant(f"shop-{secrets.token_hex(4)}")
    gift = (Dangling("giver", "settings.gifts.0", "keeper"),)
    assert lacking(without) == gift
    assert lacking(store) == ()
    assert lacking(store, without="keeper") == gift
    known = {"all": [{"fact": "member.since", "op": "within_days", "value": 3}]}
    save(platform, store, {"gifts": [], "whom": known})
    assert lacking(store, without="keeper") == ()


def test_looking_changes_nothing(platform, store):
    with platform.database.tenant(store.id) as scope:
        before = switches.activations(scope), audit.read(scope)
    foresee(platform, store)
    with platform.database.tenant(store.id) as scope:
        assert (switches.activations(scope), audit.read(scope)) == before


def test_what_is_off_has_no_consequences(platform, make_tenant):
    store = make_tenant(f"shop-{secrets.token_hex(4)}", enable=("giver",))
    with pytest.raises(NotFound):
        foresee(platform, store)
