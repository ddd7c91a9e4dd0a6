"""Audiences among a plugin's settings: found wherever they stand, checked when saved, read back as they were."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from threepeat.plugins import Registry
from threepeat.sdk import Audience, Manifest, Plugin, PluginSettings, fact, hookimpl
from threepeat.tenancy import facts
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.filled import MAX_DEPTH
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.settings import load, secret_paths, store

KEYRING = Keyring.read(Path("unused"), f"k:{base64.b64encode(b'k' * 32).decode()}")
PLACE = "activation/1/toy"

BUYER = {"fact": "toy.orders", "op": "at_least", "value": 3}
GONE = {"fact": "gone.score", "op": "equals", "value": 1}
TREE = {"all": [BUYER, {"not": {"any": [{"fact": "toy.tier", "op": "one_of", "value": ["gold"]}]}}]}


class Offer(BaseModel):
    audience: Audience = Audience()
    token: SecretStr | None = None


class Settings(PluginSettings):
    audience: Audience = Audience()
    default: Audience = Audience.model_validate(GONE)
    offer: Offer = Offer()
    offers: list[Audience] = Field(default_factory=list)
    named: dict[str, Audience] = Field(default_factory=dict)
    pair: tuple[Audience, Audience] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class Toy(Plugin[Settings]):
    manifest = Manifest(id="toy", kind="tactic", title="T", summary="S")
    settings_model = Settings

    @hookimpl
    def facts(self) -> Any:
        nothing: Any = lambda _ctx, _members: {}  # noqa: E731
        yield fact("toy.orders", nothing, kind="number", title={"en": "orders", "zh": "订单"})
        yield fact("toy.tier", nothing, kind="choice", choices=("gold",), title={"en": "tier", "zh": "等级"})


def registry(*plugins: Plugin[Any]) -> Registry:
    return Registry.load((plugin.manifest.id, plugin) for plugin in plugins)


KNOWN = facts.catalogue(registry(Toy()))


def kept(given: dict[str, Any]) -> dict[str, Any]:
    """Store, by way of JSON text, as the database does."""
    stored: dict[str, Any] = json.loads(json.dumps(store(Settings, given, {}, KEYRING, PLACE, KNOWN)))
    return stored


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"audience": {}},
        {"audience": TREE},
        {"offer": {"audience": TREE}},
        {"offers": [{}, TREE, BUYER], "named": {"a": BUYER}, "pair": [{}, {"not": TREE}]},
        {"audience": {"fact": "member.since", "op": "within_days", "value": 7}},
    ],
)
def test_audiences_are_stored_as_they_were_given_and_read_back(given: dict[str, Any]) -> None:
    stored = kept(given)
    assert stored == given
    assert load(Settings, stored, 1, KEYRING, PLACE) == Settings.model_validate(given)


@pytest.mark.parametrize(
    ("given", "field", "reason"),
    [
        ({"audience": GONE}, "settings.audience.fact", "there is no fact 'gone.score'"),
        ({"audience": {"not": {"all": [BUYER, GONE]}}}, "settings.audience.not.all.1.fact", "no fact"),
        ({"default": GONE}, "settings.default.fact", "no fact"),
        ({"offer": {"audience": GONE}}, "settings.offer.audience.fact", "no fact"),
        ({"offers": [BUYER, {"any": [GONE]}]}, "settings.offers.1.any.0.fact", "no fact"),
        ({"named": {"a.b": GONE}}, "settings.named.a.b.fact", "no fact"),
        ({"pair": [BUYER, GONE]}, "settings.pair.1.fact", "no fact"),
        ({"audience": {**BUYER, "op": "is_true", "value": 3}}, "settings.audience.value", "takes no value"),
        ({"audience": {"fact": "toy.tier", "op": "never"}}, "settings.audience.op", "is a choice fact"),
        (
            {"audience": {"fact": "toy.tier", "op": "is", "value": "x"}},
            "settings.audience.value",
            "is none of gold",
        ),
        ({"audience": {**BUYER, "value": float("nan")}}, "settings.audience.value", "no whole number"),
        ({"audience": {**BUYER, "value": 2**63}}, "settings.audience.value", "beyond 64 bits"),
        ({"audience": {**BUYER, "fact": "toy.\0"}}, "settings.audience.fact", "looks like"),
        ({"audience": None}, "settings.audience", "valid dictionary"),
    ],
)
def test_an_audience_that_cannot_be_answered_is_refused_by_field(given: Any, field: str, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        kept(given)
    assert caught.value.field == field
    assert reason in caught.value.reason


def test_a_default_that_names_a_fact_from_elsewhere_does_not_keep_the_merchant_from_saving() -> None:
    stored = kept({"audience": BUYER})
    assert load(Settings, stored, 1, KEYRING, PLACE).default == Audience.model_validate(GONE)


def test_without_a_list_of_facts_only_those_of_core_are_known() -> None:
    since = {"audience": {"fact": "member.since", "op": "never"}}
    assert store(Settings, since, {}, KEYRING, PLACE) == since
    with pytest.raises(Invalid, match=r"no fact 'toy\.orders'"):
        store(Settings, {"audience": BUYER}, {}, KEYRING, PLACE)


@pytest.mark.parametrize("wrap", [lambda node: {"not": node}, lambda node: {"all": [node]}])
@pytest.mark.parametrize("depth", [MAX_DEPTH, 500, 20_000])
@pytest.mark.parametrize("field", ["audience", "extra", "unknown"])
def test_settings_that_nest_without_end_are_refused(field: str, depth: int, wrap: Any) -> None:
    deep: Any = BUYER
    for _ in range(depth):
        deep = wrap(deep)
    with pytest.raises(Invalid, match=r"^settings"):
        kept({field: deep})


# --- The plugins that carry them ------------------------------------------------------------------------------


def test_a_plugin_with_audiences_is_well_although_an_audience_holds_itself() -> None:
    found = registry(Toy())
    assert not found.quarantined
    assert list(secret_paths(Settings)) == [("offer", "token")]


class Chain(BaseModel):
    next: "Chain | None" = None
    token: SecretStr | None = None


class Knot(BaseModel):
    inner: "list[Knot]" = []
    chain: Chain | None = None


@pytest.mark.parametrize("holder", [Chain, Knot])
def test_a_secret_in_a_model_that_holds_itself_would_not_be_found_and_is_refused(holder: type[BaseModel]) -> None:
    class Buried(PluginSettings):
        held: holder | None = None  # type: ignore[valid-type]

    class Chained(Plugin[Buried]):
        manifest = Manifest(id="chained", kind="tactic", title="T", summary="S")
        settings_model = Buried

    assert "or a model that holds itself" in registry(Chained()).quarantined["chained"].reason


def test_core_keeps_the_name_of_its_own_facts_to_itself() -> None:
    from threepeat.sdk import PluginError

    with pytest.raises(PluginError, match="the id 'member' is reserved"):
        Manifest(id="member", kind="service", title="T", summary="S")
    assert list(KNOWN) == ["member.since", "toy.orders", "toy.tier"]
