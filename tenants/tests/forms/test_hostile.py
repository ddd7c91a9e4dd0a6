"""What nobody types by hand: forged names, impossible characters, HTML in every string, ten thousand fields."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import BaseModel, Field

from threepeat.sdk import Audience, PluginSettings, RewardChoice, SecretStr, fact, reward, shown
from threepeat_tenants.forms import Form, Surroundings, parse

Browse = Callable[[Form], Any]

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}</textarea></option>"


class EvilKind(Enum):
    A = "a" + EVIL
    B = "b"


class Row(BaseModel):
    name: str = Field(default=EVIL, title=EVIL, description=EVIL)


class Evil(PluginSettings):
    text: str = Field(
        default=EVIL,
        title=EVIL,
        description=EVIL,
        json_schema_extra=shown(group=EVIL, placeholder=EVIL, choices={"x": EVIL}),
    )
    note: str = Field(default=EVIL, json_schema_extra=shown(long=True))
    kind: EvilKind = Field(default=EvilKind.A, title=EVIL, json_schema_extra=shown(choices={"b": EVIL}))
    many: set[EvilKind] = Field(default={EvilKind.A})
    rows: list[Row] = Field(default=[Row()], title=EVIL)
    words: list[str] = Field(default=[EVIL])
    table: dict[str, str] = Field(default={EVIL: EVIL}, title=EVIL)
    audience: Audience = Audience()
    nested: Audience = Audience()
    reward: RewardChoice | None = None
    maybe: Row | None = None
    token: SecretStr | None = None
    number: int = 1


def evil_store(around: Surroundings) -> Surroundings:
    def nothing(*_: Any) -> Any:
        return {}

    title = {"en": EVIL, "zh": EVIL}
    bad_fact = fact("bad.choice", nothing, kind="choice", choices=(EVIL[:100],), title=title)
    bad_kind = reward("bad", title=title, grant=nothing, revoke=nothing, balance=nothing, cost=lambda _c, n: n)
    return replace(around, facts={"bad.choice": bad_fact}, kinds={"bad": bad_kind})


VALUES = {
    "audience": {"fact": "bad.choice", "op": "is", "value": EVIL[:100]},
    "nested": {"not": {"fact": "gone.fact", "op": "is", "value": EVIL[:100]}},
    "reward": {"kind": EVIL[:70], "amount": 1},
    "maybe": {"name": EVIL},
}


def assert_harmless(page: Any) -> None:
    tags = {tag for tag, _given in page.tags}
    assert not tags & {"script", "img"}
    assert not any(name.startswith("on") for _tag, given in page.tags for name in given)


def test_html_in_every_string_is_text(browse: Browse, html: Callable[[Form], str], around: Surroundings) -> None:
    here = evil_store(around)
    form = Form.of(Evil, here, values=VALUES)
    page = browse(form)
    assert_harmless(page)
    assert html(form).count("alert(1)") > 30, "it is there, as text"
    assert parse(Evil, page.pairs, here, values=VALUES).values == VALUES
    # … and as errors.
    wrong = [(name, EVIL if name.split("~")[0] == "settings.number" else text) for name, text in page.pairs]
    back = parse(Evil, [*wrong, (f"settings.{EVIL}", EVIL)], here)
    assert set(back.errors) == {"settings.number", "settings"}
    assert_harmless(browse(Form.of(Evil, here, submitted=back)))


def test_the_page_would_be_seen_to_run_something(html: Callable[[Form], str], around: Surroundings) -> None:
    page = html(Form.of(Evil, evil_store(around), values=VALUES))
    unescaped = page.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"')
    found: set[str] = set()

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            del attrs
            found.add(tag)

    Tags().feed(unescaped)
    assert "script" in found


IMPOSSIBLE = ["\0", "\ud800", "a\udfffb", "\ud800\udc00\0"]


@pytest.mark.parametrize("text", IMPOSSIBLE)
@pytest.mark.parametrize(
    "name", ["text", "note", "kind", "words", "table~json", "rows.0.name", "token", "many", "rows~row"]
)
def test_characters_that_cannot_be_stored_are_refused_and_can_be_shown(
    name: str, text: str, browse: Browse, html: Callable[[Form], str], around: Surroundings
) -> None:
    pairs = [pair for pair in browse(Form.of(Evil, around)).pairs if pair[0] != f"settings.{name}"]
    back = parse(Evil, [*pairs, (f"settings.{name}", text)], around)
    assert not back.ok or name == "rows~row"
    html(Form.of(Evil, around, submitted=back)).encode()
    strange = parse(Evil, [*pairs, (f"settings.{text}", "x"), (f"settings.text~{text}", "x")], around)
    assert set(strange.errors) == {"settings"}
    html(Form.of(Evil, around, submitted=strange)).encode()


def test_ten_thousand_fields_are_one_error(browse: Browse, around: Surroundings) -> None:
    pairs = browse(Form.of(Evil, around)).pairs
    flood = [(f"settings.x{number}.y.z", "1") for number in range(10_000)]
    back = parse(Evil, [*pairs, *flood], around)
    assert list(back.errors) == ["settings"]
    assert len(back.errors["settings"][0]) < 400
    rows = [("settings.rows~row", str(number)) for number in range(10_000)]
    assert list(parse(Evil, [*pairs, *rows], around).errors) == ["settings.rows"]
    deep = [("settings" + ".a" * 200_000, "1"), ("settings.rows.0" + ".value" * 30, "1")]
    assert list(parse(Evil, [*pairs, *deep], around).errors) == ["settings"]
    ticks = [("settings.many", "b")] * 10_000
    assert parse(Evil, [*pairs, *ticks], around).ok
    asked = [("settings.audience~row", str(number)) for number in range(10_000)]
    assert list(parse(Evil, [*pairs, *asked], around).errors) == ["settings.audience"]


def test_a_name_that_is_not_ours_is_none_of_the_form(browse: Browse, around: Surroundings) -> None:
    pairs = browse(Form.of(Evil, around)).pairs
    others = [("csrf", "x"), ("revision", "1"), ("settingsx.text", "y"), ("", ""), ("add:other.rows", "1")]
    assert parse(Evil, [*pairs, *others], around).ok


@pytest.mark.parametrize("name", ["text", "number", "kind", "words", "token", "table~json", "reward.kind"])
def test_a_field_that_is_sent_twice_is_refused(name: str, browse: Browse, around: Surroundings) -> None:
    pairs = browse(Form.of(Evil, around)).pairs
    twice = parse(Evil, [*pairs, (f"settings.{name}", "1"), (f"settings.{name}", "2")], around)
    assert "This was sent more than once." in [one for found in twice.errors.values() for one in found]


@pytest.mark.parametrize(
    "button",
    [
        "add:settings",
        "add:settings.text",
        "add:settings.rows.0.name.0",
        "remove:settings.rows:99999999999999999999",
        "remove:settings.rows:-1",
        "remove:settings.rows:x",
        "remove:settings.rows",
        "add:settings.audience",
        "add:settings." + "a" * 1000,
        "add:settings.\0",
    ],
)
def test_a_forged_button_changes_nothing_that_is_there(button: str, browse: Browse, around: Surroundings) -> None:
    pairs = browse(Form.of(Evil, around)).pairs
    back = parse(Evil, [*pairs, (button, "1")], around)
    after = browse(Form.of(Evil, around, submitted=back)).pairs
    assert {name for name, _text in pairs} <= {name for name, _text in after}


MARKS = [
    "",
    "~json",
    "~unset",
    "~flag",
    "~list",
    "~row",
    "~wrap",
    "~new",
    "~maybe",
    "~given",
    "~clear",
    "~fact",
    "~lines",
]
PARTS = ["", ".0", ".value", ".value.name", ".how", ".0.op", ".0.value", ".0.high", ".kind", ".amount"]


TEXTS = ["", "0", "null", "{}", '["x"]', "9" * 40, "2026-01-01T00:00", "bad.choice"]


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)], ids=["some", "all"])
@pytest.mark.parametrize("text", TEXTS)
def test_no_mark_in_a_wrong_place_is_a_crash(text: str, browse: Browse, around: Surroundings, every: int) -> None:
    """A text goes to every mark, alone and with all marks of a part at once; or to some, other texts to others."""
    here = evil_store(around)
    pairs = browse(Form.of(Evil, here, values=VALUES)).pairs
    alone, together = itertools.count(TEXTS.index(text)), itertools.count(TEXTS.index(text))
    for field in Evil.model_fields:
        for part in PARTS:
            forged = [(f"settings.{field}{part}{mark}", text) for mark in MARKS]
            own = [pair for pair in pairs if pair[0].startswith(f"settings.{field}")]
            for one in forged:
                if next(alone) % every == 0:
                    parse(Evil, [*own, one], here)
            if next(together) % every == 0:
                browse(Form.of(Evil, here, submitted=parse(Evil, [*own, *forged], here)))


@pytest.mark.parametrize(
    "values",
    [
        {"text": 7, "kind": None, "many": "x", "rows": {"a": 1}, "words": [None], "audience": [], "reward": "x"},
        {"text": {"a": [1]}, "kind": ["x"], "many": None, "rows": [[]], "maybe": 3, "number": "x", "nested": 1},
        {"unknown": 1, "token": "canary", "rows": [{"unknown": 1}]},
        {
            "audience": {"all": 3},
            "nested": {"fact": 5, "op": [], "value": {}},
            "reward": {"kind": 1, "amount": "x"},
        },
    ],
)
def test_stored_values_that_fit_no_more_are_shown_and_not_lost(
    values: dict[str, Any], browse: Browse, html: Callable[[Form], str], around: Surroundings
) -> None:
    form = Form.of(Evil, around, values=values)
    back = parse(Evil, browse(form).pairs, around, values=values)
    for name, value in back.values.items():
        assert value == values[name]
    assert set(back.values) | {path.split(".")[1] for path in back.errors if "." in path} >= set(values) - {
        "unknown",
        "token",
    }
    assert "canary" not in html(form)
