"""Which field each type gets, and how what is typed into it is understood."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, Field, field_validator, model_validator

from threepeat.sdk import Audience, PluginSettings, RewardChoice, SecretStr, shown
from threepeat.sdk.wording import _, ngettext
from threepeat_tenants.forms import Form, Surroundings, examples, parse

Browse = Callable[[Form], Any]


class Kind(Enum):
    DAILY = "daily"
    WEEKLY = "weekly"


class Prize(BaseModel):
    name: str = Field(min_length=1)
    weight: int = Field(default=5, ge=1)


class Shop(PluginSettings):
    name: str = Field(default="Spring", max_length=10, title="Name")
    share: int = Field(default=10, ge=0, le=50, json_schema_extra=shown(unit="percent", group="Limits"))
    least: int = Field(default=1250, ge=100, json_schema_extra=shown(unit="money", group="Limits"))
    kind: Kind = Field(default=Kind.DAILY, json_schema_extra=shown(choices={Kind.DAILY: _("Every day")}))
    mode: Literal["a", "b", "c", "d", "e"] = "a"
    prizes: list[Prize] = Field(default=[Prize(name="Cup")], max_length=3)
    audience: Audience = Audience()
    reward: RewardChoice | None = None
    words: list[str] = Field(default=[])
    whole_numbers: list[int] = Field(default=[])
    table: dict[str, int] = Field(default={})
    on: bool = False
    at: int | None = None
    ratio: float = 1.0
    token: SecretStr | None = None

    @field_validator("name")
    @classmethod
    def _polite(cls, name: str) -> str:
        if name == "rude":
            raise ValueError(_("{name} is not polite", name=name))
        if name == "broken":
            raise ZeroDivisionError
        return name


def fields(around: Surroundings, **more: Any) -> dict[str, Any]:
    return {one.path: one for one in Form.of(Shop, around, **more).fields}


def sent(browse: Browse, around: Surroundings, changes: dict[str, str], **more: Any) -> Any:
    """The form of the defaults with some inputs changed."""
    pairs = [pair for pair in browse(Form.of(Shop, around)).pairs if pair[0] not in changes]
    return parse(Shop, [*pairs, *changes.items()], around, **more)


def test_every_type_gets_a_field_that_fits(around: Surroundings) -> None:
    found = fields(around)
    widgets = {path.removeprefix("settings."): one.widget for path, one in found.items()}
    assert widgets == {
        "name": "text",
        "share": "text",
        "least": "text",
        "kind": "choice",
        "mode": "choice",
        "prizes": "rows",
        "prizes.0.name": "text",
        "prizes.0.weight": "text",
        "audience": "audience",
        "reward": "group",
        "reward.kind": "choice",
        "reward.amount": "text",
        "words": "text",
        "whole_numbers": "text",
        "table": "json",
        "on": "flag",
        "at": "text",
        "ratio": "text",
        "token": "secret",
    }
    assert (found["settings.kind"].radios, found["settings.mode"].radios) == (True, False)
    assert [one.title for one in found["settings.kind"].options] == ["Every day", "weekly"]
    assert (found["settings.least"].text, found["settings.least"].unit) == ("12.50", "CN¥")
    assert found["settings.least"].limits == "At least 1.00."
    assert (found["settings.share"].limits, found["settings.share"].unit) == ("From 0 to 50.", "%")
    assert found["settings.whole_numbers"].label == "Whole numbers"
    titles = [(section.title, len(section.fields)) for section in Form.of(Shop, around).sections]
    assert titles == [("", 13), ("Limits", 2)]


def test_only_facts_and_rewards_of_this_store_are_offered(around: Surroundings) -> None:
    found = fields(replace(around, kinds={}, facts={}))
    assert [one.key for one in found["settings.reward.kind"].options] == [""]
    assert [one.key for one in found["settings.audience"].choose] == [""]
    here = fields(around)
    assert [one.title for one in here["settings.reward.kind"].options] == ["None", "points", "cash"]
    zh = fields(replace(around, locale="zh-CN"))
    assert [one.title for one in zh["settings.reward.kind"].options][1:] == ["积分", "现金券"]
    assert zh["settings.audience"].choose[1].title == "累计订单数"


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("least", "12.50", 1250),
        ("least", " 1,234.5 ", 123450),
        ("least", "１２.５", 1250),
        ("share", "+5", 5),
        ("at", "", None),
        ("at", "-9223372036854775808", -(2**63)),
        ("ratio", "1e3", 1000.0),
        ("words", "a\r\n\r\nb\n", ["a", "b"]),
        ("whole_numbers", "1\n2", [1, 2]),
        ("mode", "e", "e"),
        ("kind", "weekly", "weekly"),
    ],
)
def test_what_is_typed_is_understood(
    name: str, typed: str, value: Any, browse: Browse, around: Surroundings
) -> None:
    back = sent(browse, around, {f"settings.{name}": typed})
    assert back.errors == {}
    assert Shop.model_validate(back.values).model_dump(mode="json")[name] == value


@pytest.mark.parametrize(
    ("name", "typed", "error"),
    [
        ("name", "12345678901", "Enter at most 10 characters."),
        ("name", "rude", "rude is not polite"),
        ("share", "51", "Enter at most 50."),
        ("share", "x", "Enter a whole number."),
        ("share", "1.5", "Enter a whole number."),
        ("share", "9223372036854775808", "This number is too large."),
        ("share", "9" * 100_000, "Enter a whole number."),
        ("share", "NaN", "Enter a whole number."),
        ("share", "", "Fill this in."),
        ("least", "0.99", "Enter at least 1.00."),
        ("least", "0.999", "Use at most 2 decimals."),
        ("least", "1e9", "Enter an amount, such as 12.50."),
        ("least", "9" * 30, "This number is too large."),
        ("ratio", "NaN", "Enter a number."),
        ("ratio", "Infinity", "Enter a number."),
        ("ratio", "1e999", "This number is too large."),
        ("mode", "z", "Choose one of these."),
        ("kind", "DAILY", "Choose one of these."),
        ("whole_numbers", "1\nx", "Line 2: Enter a whole number."),
        ("prizes.0.name", "", "Enter at least 1 character."),
        ("prizes.0.weight", "0", "Enter at least 1."),
        ("reward.amount", "5", None),
        ("table~json", "{", "This is no JSON: look at line 1, column 2."),
        ("table~json", '{"a": NaN}', "NaN is no number."),
        ("table~json", '{"a": 1, "a": 2}', "A name stands twice in the same object."),
        ("table~json", '{"a": "\\ud800"}', "This holds characters that cannot be stored."),
        ("table~json", '{"a\\u0000": 1}', "This holds characters that cannot be stored."),
        ("table~json", "[" * 20_000 + "]" * 20_000, "This nests too deep."),
        ("table~json", "[" * 40 + "]" * 40, "This nests too deep."),
        ("table~json", '{"a": 1' + "0" * 5000 + "}", "This holds a number that cannot be stored."),
        ("table~json", '{"a": 18446744073709551616}', "This holds a number that cannot be stored."),
        ("table~json", '{"a": 1e400}', "This holds a number that cannot be stored."),
        ("table~json", '{"a": "x"}', "Enter a whole number."),
        ("table~json", "[1]", "Enter an object."),
    ],
)
def test_an_error_stands_at_its_field_and_what_was_typed_stays(
    name: str, typed: str, error: str | None, browse: Browse, around: Surroundings
) -> None:
    path = f"settings.{name}".removesuffix("~json")
    back = sent(browse, around, {f"settings.{name}": typed})
    if error is None:
        path, error = "settings.reward.kind", "Choose a reward."
    assert not back.ok
    assert back.errors == {path: (error,)}
    form = Form.of(Shop, around, submitted=back)
    at = next(one for one in form.fields if one.path == path)
    assert at.errors == (error,)
    assert [(one.field, one.reason) for one in form.complaints] == [(at.id, error)]
    page = browse(form)
    assert at.id in page.ids
    given = dict(page.pairs).get(f"settings.{name}")
    assert given == typed or "\n" in typed
    zh = parse(Shop, page.pairs, replace(around, say=lambda text: f"«{text}»"))
    assert zh.errors[path][0].startswith("«") or name == "name"


def test_all_errors_are_told_at_once(browse: Browse, around: Surroundings) -> None:
    back = sent(browse, around, {"settings.share": "x", "settings.name": "12345678901", "settings.ratio": ""})
    assert set(back.errors) == {"settings.share", "settings.name", "settings.ratio"}


def test_a_validator_that_breaks_is_no_crash(browse: Browse, around: Surroundings) -> None:
    back = sent(browse, around, {"settings.name": "broken"})
    assert back.errors == {"settings": ("These values could not be checked. Nothing was saved.",)}


# --- Rows -----------------------------------------------------------------------------------------------------


def press(browse: Browse, around: Surroundings, pairs: Any, button: str) -> tuple[Any, Any]:
    back = parse(Shop, [*pairs, (button, "1")], around)
    assert back.stepped
    assert not back.ok
    return back, browse(Form.of(Shop, around, submitted=back))


def test_rows_are_added_and_removed_with_what_was_typed(browse: Browse, around: Surroundings) -> None:
    page = browse(Form.of(Shop, around))
    assert {"add:settings.prizes", "remove:settings.prizes:0"} <= set(page.buttons)
    typed = [(name, "half typ" if name == "settings.share" else text) for name, text in page.pairs]
    _back, page = press(browse, around, typed, "add:settings.prizes")
    assert dict(page.pairs)["settings.share"] == "half typ"
    assert dict(page.pairs)["settings.prizes.1.weight"] == "5", "a new row shows its defaults"
    named = [
        (name, {"settings.prizes.1.name": "Pen", "settings.share": "1"}.get(name, text))
        for name, text in page.pairs
    ]
    assert parse(Shop, named, around).values["prizes"] == [{"name": "Cup"}, {"name": "Pen"}]
    _back, page = press(browse, around, named, "remove:settings.prizes:0")
    assert parse(Shop, page.pairs, around).values["prizes"] == [{"name": "Pen"}]
    _back, page = press(browse, around, page.pairs, "remove:settings.prizes:1")
    assert parse(Shop, page.pairs, around).values["prizes"] == []
    for _round in range(3):
        _back, page = press(browse, around, page.pairs, "add:settings.prizes")
    assert "add:settings.prizes" not in page.buttons, "there are as many as the model takes"


def test_an_error_in_a_row_that_moved_up_stands_in_that_row(browse: Browse, around: Surroundings) -> None:
    values = {"prizes": [{"name": "Cup"}, {"name": "Pen"}]}
    pairs = browse(Form.of(Shop, around, values=values)).pairs
    _back, page = press(browse, around, pairs, "remove:settings.prizes:0")
    wrong = [(name, "0" if name == "settings.prizes.1.weight" else text) for name, text in page.pairs]
    assert list(parse(Shop, wrong, around).errors) == ["settings.prizes.1.weight"]


def test_enter_saves_and_removes_nothing(browse: Browse, around: Surroundings) -> None:
    page = browse(Form.of(Shop, around))
    first = next(given for tag, given in page.tags if tag == "button")
    assert first.get("name") is None
    assert first["type"] == "submit"


# --- Audiences ------------------------------------------------------------------------------------------------


def test_an_audience_is_built_step_by_step(browse: Browse, around: Surroundings) -> None:
    pairs = browse(Form.of(Shop, around)).pairs
    chosen = [(name, "orders.spent" if name == "settings.audience~new" else text) for name, text in pairs]
    _back, page = press(browse, around, chosen, "add:settings.audience")
    unfinished = parse(Shop, page.pairs, around)
    assert list(unfinished.errors) == ["settings.audience.0.op"]
    filled = {"settings.audience.0.op": "at_least", "settings.audience.0.value": "99.90"}
    done = [(name, filled.get(name, text)) for name, text in page.pairs]
    back = parse(Shop, done, around)
    assert back.values["audience"] == {"fact": "orders.spent", "op": "at_least", "value": 9990}
    more = [(name, "tiers.tier" if name == "settings.audience~new" else text) for name, text in done]
    _back, page = press(browse, around, more, "add:settings.audience")
    both = [(name, "is" if name == "settings.audience.1.op" else text) for name, text in page.pairs]
    back = parse(Shop, [*both, ("settings.audience.1.value", "gold")], around)
    assert back.values["audience"]["all"][1] == {"fact": "tiers.tier", "op": "is", "value": "gold"}
    form = Form.of(Shop, around, submitted=back)
    built = next(one for one in form.fields if one.path == "settings.audience")
    assert built.sentence == "members whose spent is at least CN¥99.90 and whose tier is “gold”"
    zh = Form.of(Shop, replace(around, locale="zh-CN"), submitted=back)
    said = next(one for one in zh.fields if one.path == "settings.audience").sentence
    assert said == "累计消费不少于¥99.90且等级为“gold”的会员"


def test_a_fact_that_was_chosen_but_not_added_is_not_lost(browse: Browse, around: Surroundings) -> None:
    back = sent(browse, around, {"settings.audience~new": "orders.count"})
    assert list(back.errors) == ["settings.audience.0.op"]


@pytest.mark.parametrize(
    ("inputs", "at"),
    [
        ({"0~fact": "orders.count", "0.op": "between", "0.value": "5", "0.high": "3"}, "0.high"),
        ({"0~fact": "orders.count", "0.op": "between", "0.value": "5"}, "0.high"),
        ({"0~fact": "orders.count", "0.op": "has", "0.value": "5"}, "0.op"),
        ({"0~fact": "orders.count", "0.op": "equals"}, "0.value"),
        ({"0~fact": "orders.last", "0.op": "within_days", "0.value": "0"}, "0.value"),
        ({"0~fact": "gone.fact", "0.op": "equals", "0.value": "5"}, "0.op"),
        ({"0~fact": "tiers.tier", "0.op": "is", "0.value": "bronze"}, "0.value"),
        ({"0~fact": "tiers.tier", "0.op": "is"}, "0.value"),
        ({"0~fact": "tags.tags", "0.op": "has", "0.value": "a\nb"}, "0.value"),
        ({"0~fact": "tags.tags", "0.op": "has", "0.value": "x" * 101}, "0.value"),
        ({"0~fact": ""}, "0.op"),
    ],
)
def test_a_condition_that_does_not_fit_is_told_at_its_place(
    inputs: dict[str, str], at: str, browse: Browse, around: Surroundings
) -> None:
    changes = {f"settings.audience.{name}": text for name, text in inputs.items()}
    back = sent(browse, around, {**changes, "settings.audience~row": "0"})
    assert list(back.errors) == [f"settings.audience.{at}"]
    form = Form.of(Shop, around, submitted=back)
    assert form.complaints[0].field in browse(form).ids


def test_what_the_builder_cannot_show_is_said_and_kept_as_json(browse: Browse, around: Surroundings) -> None:
    tree = {"not": {"all": [{"fact": "account.follows", "op": "is_true"}]}}
    form = Form.of(Shop, around, values={"audience": tree})
    shown_as = next(one for one in form.fields if one.path == "settings.audience")
    assert (shown_as.widget, bool(shown_as.sentence)) == ("json", True)
    assert parse(Shop, browse(form).pairs, around).values["audience"] == tree


# --- Secrets --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ({}, {}),
        ({"settings.token": "canary"}, {"token": "canary"}),
        ({"settings.token~clear": "1"}, {"token": None}),
    ],
)
def test_a_secret_is_kept_replaced_or_cleared(
    changes: dict[str, str], values: dict[str, Any], browse: Browse, around: Surroundings
) -> None:
    assert sent(browse, around, changes, secrets={"token": True}).values == values


def test_a_secret_is_never_shown_again(browse: Browse, html: Callable[[Form], str], around: Surroundings) -> None:
    back = sent(browse, around, {"settings.token": "canary", "settings.share": "x"})
    form = Form.of(Shop, around, submitted=back)
    assert "canary" not in html(form)
    assert [one.reason for one in form.complaints] == [
        "Enter a whole number.",
        "Enter it again: a secret is not shown.",
    ]
    both = sent(browse, around, {"settings.token": "canary", "settings.token~clear": "1"})
    assert list(both.errors) == ["settings.token"]


# --- Words of a plugin ----------------------------------------------------------------------------------------


class Worked(PluginSettings):
    rate: int = 1

    def worked(self, store: Any) -> Any:
        yield ngettext("{n} point", "{n} points", self.rate, n=self.rate)
        yield f"in {store.currency}"
        if self.rate == 7:
            raise ZeroDivisionError


def test_examples_are_said_and_a_plugin_that_fails_costs_only_them(around: Surroundings) -> None:
    assert examples(Worked, {"rate": 3}, around) == ("3 points", "in CNY")
    assert examples(Worked, {"rate": 3}, replace(around, translate=str.upper))[0] == "3 POINTS"
    assert examples(Worked, {"rate": 7}, around) == ()
    assert examples(Worked, {"rate": "x"}, around) == ()


class Pair(PluginSettings):
    low: int = 1
    high: int = 2
    token: SecretStr = SecretStr("")

    @model_validator(mode="after")
    def _ordered(self) -> "Pair":
        if self.low > self.high:
            raise ValueError("the low one comes first")
        return self


def test_what_concerns_the_whole_stands_on_top(around: Surroundings) -> None:
    wrong = [("settings.low", "5")]
    assert parse(Pair, wrong, around).errors == {"settings": ("the low one comes first",)}
    # A secret that is kept is not among the values, so only core, which opens it, can judge the whole.
    assert parse(Pair, wrong, around, secrets={"token": True}).ok


def test_the_store_decides_what_an_amount_and_an_hour_mean(browse: Browse, around: Surroundings) -> None:
    tokyo = replace(
        around, store=replace(around.store, currency="JPY", minor_units=1, timezone=ZoneInfo("Asia/Tokyo"))
    )
    assert fields(tokyo)["settings.least"].text == "1250"
    back = sent(browse, tokyo, {"settings.least": "12.50"})
    assert back.errors == {"settings.least": ("Enter an amount without decimals.",)}
