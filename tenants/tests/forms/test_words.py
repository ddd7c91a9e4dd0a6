"""Every word of a form is said in the reader's language, and core's refusals find their fields."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from pydantic import BaseModel, Field
from pydantic_core import core_schema

import threepeat_tenants
from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.sdk import Audience, Manifest, Plugin, PluginSettings, RewardChoice, SecretStr
from threepeat.tenancy import switches
from threepeat.tenancy.errors import Fault, Invalid
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.console.translations import wording
from threepeat_tenants.forms import Form, Surroundings, messages, parse

HOME = Path(threepeat_tenants.__file__).parent
CATALOGUE = HOME / "locale/zh_CN/LC_MESSAGES/forms.po"


def words() -> set[str]:
    found = extract_from_dir(HOME / "forms", keywords={"_": None, "ngettext": (1, 2)})
    return {text if isinstance(text, str) else text[0] for _file, _line, text, _comments, _context in found}


def test_every_text_of_ours_has_a_translation_and_none_is_left_over() -> None:
    with CATALOGUE.open("rb") as file:
        read = read_po(file, abort_invalid=True)
    translated = {
        one.id if isinstance(one.id, str) else one.id[0]
        for one in read
        if one.id and one.string and all(one.string) and not one.fuzzy
    }
    assert words() == translated
    assert "Fill this in." in words(), "the search finds what there is"


def test_placeholders_are_the_same_in_both_languages() -> None:
    with CATALOGUE.open("rb") as file:
        read = read_po(file)
    assert [(one.id, [str(error) for error in one.check()]) for one in read if list(one.check())] == []


def test_what_pydantic_says_has_words_of_ours() -> None:
    known = {*messages.PLAIN, *messages.LIMITED, *messages.COUNTED, *messages.SPOKEN}
    assert known <= set(get_args(core_schema.ErrorType)), "a type that pydantic never names"


class Item(BaseModel):
    name: str = Field(min_length=2)


class GiverSettings(PluginSettings):
    bonus: RewardChoice | None = None
    maybe: Item | None = None
    items: list[Item] = Field(default=[])
    audience: Audience = Audience()
    token: SecretStr | None = Field(default=None, min_length=4)
    rate: int = 1


class Giver(Plugin[GiverSettings]):
    manifest = Manifest(id="giver", kind="tactic", title="G", summary="S", holdout="none")
    settings_model = GiverSettings


def test_errors_are_said_in_chinese_at_their_field(browse: Callable[[Form], Any], around: Surroundings) -> None:
    here = replace(around, locale="zh-CN", say=partial(wording, locale="zh-CN"))
    pairs = browse(Form.of(GiverSettings, here, values={"items": [{"name": "ok"}]})).pairs
    changes = {
        "settings.items.0.name": "x",
        "settings.maybe~given": "1",
        "settings.maybe.value.name": "",
        "settings.rate": "",
        "settings.token": "abc",
    }
    back = parse(GiverSettings, [*(pair for pair in pairs if pair[0] not in changes), *changes.items()], here)
    assert back.errors == {
        "settings.items.0.name": ("至少 2 个字符。",),
        "settings.maybe.value.name": ("至少 2 个字符。",),
        "settings.rate": ("请填写此项。",),
        "settings.token": ("至少 4 个字符。",),
    }
    form = Form.of(GiverSettings, here, submitted=back)
    assert {one.field for one in form.complaints} <= set(browse(form).ids)


@pytest.mark.parametrize(
    ("field", "path", "said"),
    [
        ("settings.items.0.name", "settings.items.0.name", "This is not accepted: why"),
        ("settings.items.7.name", "settings.items", "This is not accepted: why"),
        ("settings.audience.any.0.value", "settings.audience", "This is not accepted: why"),
        ("settings.bonus.kind", "settings.bonus.kind", "This is not accepted: why"),
        ("rate", "settings.rate", "This is not accepted: why"),
        ("monthly_budget", "settings", "monthly_budget: This is not accepted: why"),
        ("settings", "settings", "This is not accepted: why"),
        ("settings." + "x." * 5000, "settings", "This is not accepted: why"),
        ("settings.rate.9999999999999999999999", "settings.rate", "This is not accepted: why"),
    ],
)
def test_what_core_refuses_is_told_at_its_field(
    field: str, path: str, said: str, browse: Callable[[Form], Any], around: Surroundings
) -> None:
    pairs = browse(Form.of(GiverSettings, around, values={"items": [{"name": "ok"}]})).pairs
    back = parse(GiverSettings, pairs, around).refused(Invalid.every([Fault(field, "why")]))
    assert back.errors == {path: (said,)}
    assert not back.ok


def test_a_page_and_the_api_save_through_the_same_door(
    open_platform: Callable[..., Platform],
    make_tenant_on: Callable[[Platform, str], Tenant],
    browse: Callable[[Form], Any],
    around: Surroundings,
) -> None:
    platform = open_platform(registry=Registry.load([("giver", Giver())]))
    tenant, other = make_tenant_on(platform, "first"), make_tenant_on(platform, "second")

    def page(store: Tenant, changes: dict[str, str]) -> Any:
        with platform.database.tenant(store.id) as scope:
            activation = switches.activations(scope)["giver"]
            values, secrets = platform.visible_settings(store, "giver", activation)
            pairs = browse(Form.of(GiverSettings, around, values=values, secrets=secrets)).pairs
            typed = [*(pair for pair in pairs if pair[0] not in changes), *changes.items()]
            back = parse(GiverSettings, typed, around, values=values, secrets=secrets)
            assert back.ok, back.errors
            try:
                switches.save_settings(
                    scope,
                    store,
                    platform.registry,
                    platform.keyring,
                    "giver",
                    back.values,
                    revision=activation.revision,
                    by="staff:1",
                )
            except Invalid as error:
                return back.refused(error)
            saved = switches.activations(scope)["giver"]
        return platform.settings(store, platform.registry["giver"], saved)

    assert page(tenant, {"settings.token": "canary"}).token.get_secret_value() == "canary"
    kept = page(tenant, {"settings.rate": "7"})
    assert (kept.rate, kept.token.get_secret_value()) == (7, "canary")
    assert page(other, {}) == GiverSettings()
    wrong = page(tenant, {"settings.bonus.kind": "points", "settings.bonus.amount": "5"})
    assert list(wrong.errors) == ["settings.bonus.kind"]
    gone = {"settings.audience~row": "0", "settings.audience.0~fact": "orders.count"}
    asked = {"settings.audience.0.op": "equals", "settings.audience.0.value": "1"}
    assert list(page(tenant, gone | asked).errors) == ["settings.audience.0.op"]
    assert page(tenant, {"settings.token~clear": "1"}).token is None
