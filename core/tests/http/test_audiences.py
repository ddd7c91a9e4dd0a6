"""A merchant's form with an audience in it: saved, read back, and refused at the condition that is wrong."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from threepeat.plugins import Registry
from threepeat.sdk import Audience, Fact, Manifest, Plugin, PluginSettings, fact, hookimpl

BUYER = {"fact": "gift.score", "op": "at_least", "value": 3}


class GiftSettings(PluginSettings):
    audience: Audience = Audience()


class Gift(Plugin[GiftSettings]):
    manifest = Manifest(id="gift", kind="tactic", title="Gift", summary="A toy.")
    settings_model = GiftSettings

    @hookimpl
    def facts(self) -> Iterator[Fact]:
        yield fact("gift.score", lambda _ctx, _members: {}, kind="number", title={"en": "score", "zh": "得分"})


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry.load([("gift", Gift())])


def save(manager: httpx2.Client, body: str) -> httpx2.Response:
    return manager.put("/v1/tactics/gift/settings", content=body, headers={"Content-Type": "application/json"})


def settings(audience: Any) -> str:
    return json.dumps({"settings": {"audience": audience}})


def test_an_audience_is_saved_shown_and_described(manager: httpx2.Client) -> None:
    tree = {"all": [BUYER, {"not": {"fact": "member.since", "op": "within_days", "value": 7}}]}
    saved = save(manager, settings(tree))
    assert saved.status_code == 200, saved.text
    assert saved.json()["settings"] == {"audience": tree}
    (shown,) = manager.get("/v1/tactics").json()["tactics"]
    assert shown["settings"] == {"audience": tree}
    assert shown["settings_schema"]["properties"]["audience"]["$ref"] == "#/$defs/Audience"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (
            settings({"all": [BUYER, {"fact": "gift.scor", "op": "equals", "value": 1}]}),
            "settings.audience.all.1.fact",
        ),
        (settings({"not": {**BUYER, "op": "is_true", "value": 3}}), "settings.audience.not.value"),
        (settings({"fact": "gift.score", "op": "never"}), "settings.audience.op"),
        (settings({**BUYER, "value": float("nan")}), "settings.audience.value"),
        (settings({**BUYER, "value": 2**63}), "settings.audience.value"),
        (settings({**BUYER, "value": 10**40}), "settings.audience.value"),
        (settings({**BUYER, "fact": "gift.\0"}), "settings.audience.fact"),
        (settings({**BUYER, "fact": "\ud800"}), "settings.audience.fact"),
        (settings({"\ud800": 1}), "settings.audience"),
        (settings(None), "settings.audience"),
        ('{"settings": {"audience": ' + '{"not": ' * 6 + json.dumps(BUYER) + "}" * 8, "settings.audience"),
    ],
)
def test_an_audience_that_makes_no_sense_is_a_422_that_names_the_place(
    manager: httpx2.Client, body: str, field: str
) -> None:
    refused = save(manager, body)
    assert refused.status_code == 422, refused.text
    assert [error["field"] for error in refused.json()["errors"]] == [field]


@pytest.mark.parametrize("depth", [40, 300, 800, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [('{"not": ', "}"), ('{"all": [', "]}")])
def test_nesting_without_end_is_refused(manager: httpx2.Client, depth: int, opening: str, closing: str) -> None:
    refused = save(
        manager, '{"settings": {"audience": ' + opening * depth + json.dumps(BUYER) + closing * depth + "}}"
    )
    assert 400 <= refused.status_code < 500, refused.text
