"""Audiences as merchants write them: what is accepted, what is refused and where, and what they say in words."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from core.tests.sdk.known import BUYER, FACTS, GOLD, Json, ask, nothing
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from threepeat.sdk import Audience, AudienceError, PluginError, fact
from threepeat.sdk.audience import MAX_CONDITIONS, MAX_DEPTH, OPS

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)
whole = st.integers(-(2**63), 2**63 - 1)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("equals", "differs", "at_least", "at_most", "more_than", "less_than"), whole),
    "between": st.lists(whole, min_size=2, max_size=2).map(sorted),
    **dict.fromkeys(("is", "is_not"), st.sampled_from(["gold", "silver"])),
    "one_of": st.lists(st.sampled_from(["gold", "silver"]), min_size=1, unique=True),
    **dict.fromkeys(("has", "has_not"), texts),
    "has_any": st.lists(texts, min_size=1, max_size=3, unique=True),
    **dict.fromkeys(("within_days", "more_than_days_ago"), st.integers(1, 36_500)),
}


@st.composite
def leaves(draw: st.DrawFn) -> Json:
    known = draw(st.sampled_from(list(FACTS.values())))
    op = draw(st.sampled_from(OPS[known.kind]))
    return ask(known.name, op, *([draw(VALUES[op])] if op in VALUES else []))


def groups(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda parts: {"all": parts}),
        several.map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    )


trees = leaves()
for _ in range(3):
    trees = leaves() | groups(trees)
audiences = st.just(Json()) | trees


class Form(BaseModel):
    audience: Audience = Audience()


# --- What is accepted -----------------------------------------------------------------------------------------


@given(audiences)
def test_an_audience_is_written_as_it_was_read(given_: Json) -> None:
    form = Form.model_validate({"audience": given_})
    assert form.model_dump(mode="json") == {"audience": given_}
    assert form.model_dump(mode="json", exclude_unset=True) == {"audience": given_}
    assert Form.model_validate_json(form.model_dump_json()) == form
    assert Form.model_validate(form.model_dump()) == form
    assert hash(form.audience) == hash(Audience.model_validate(given_))
    form.audience.check(FACTS)


@given(audiences)
def test_conditions_are_found_with_their_paths(given_: Json) -> None:
    found = dict(Audience.model_validate(given_).conditions())
    assert len(found) == json.dumps(given_).count('"fact":')
    for path, condition in found.items():
        node: Any = given_
        for step in path:
            node = node[step]
        assert condition.model_dump(mode="json") == node


def test_the_empty_audience_is_everybody_and_no_other_is() -> None:
    assert Audience().is_everybody
    assert Audience.model_validate({}) == Audience()
    assert not Audience.model_validate(BUYER).is_everybody
    assert not Audience.model_validate({"not": BUYER}).is_everybody


def test_an_audience_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Audience.model_validate(BUYER).value = 4  # type: ignore[misc]


def test_the_largest_audience_is_accepted_and_one_more_is_not() -> None:
    assert len(list(Audience.model_validate({"all": [BUYER] * MAX_CONDITIONS}).conditions())) == MAX_CONDITIONS
    deep: Json = BUYER
    for _ in range(MAX_DEPTH):
        deep = {"not": deep}
    Audience.model_validate(deep)
    assert refusal({"all": [BUYER] * (MAX_CONDITIONS + 1)}) == ("", "use at most 50 conditions")
    half = {"all": [BUYER] * (MAX_CONDITIONS // 2 + 1)}
    assert refusal({"any": [half, half]}) == ("", "use at most 50 conditions")
    assert refusal({"not": deep}) == ("", "nest at most 5 groups in one another")


def test_the_schema_for_forms_says_what_is_refused() -> None:
    schema = Form.model_json_schema()["$defs"]["Audience"]
    assert schema["additionalProperties"] is False
    assert '"null"' not in json.dumps(schema)
    assert [sorted(form.get("required", ())) for form in schema["oneOf"]] == [
        [],
        ["all"],
        ["any"],
        ["not"],
        ["fact", "op"],
    ]
    assert schema["properties"]["all"]["minItems"] == 1
    assert sorted(schema["properties"]["op"]["enum"]) == sorted(op for ops in OPS.values() for op in ops)


def test_no_two_kinds_of_fact_share_an_op() -> None:
    ops = [op for found in OPS.values() for op in found]
    assert len(ops) == len(set(ops))


# --- What is refused ------------------------------------------------------------------------------------------


def refusal(given_: Any) -> tuple[str, str]:
    """Where and why an audience is refused; there is one reason."""
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"audience": given_})
    str(caught.value)
    (error,) = caught.value.errors()
    return ".".join(map(str, error["loc"][1:])), error["msg"]


@pytest.mark.parametrize(
    ("given_", "path", "reason"),
    [
        (None, "", "valid dictionary"),
        ([], "", "valid dictionary"),
        ("all", "", "valid dictionary"),
        ({"all": []}, "all", "a group needs a condition"),
        ({"any": []}, "any", "a group needs a condition"),
        ({"all": None}, "", "leave all out instead of null"),
        ({"all": 1}, "all", "valid tuple"),
        ({"any": "x"}, "any", "valid tuple"),
        ({"all": [BUYER, {}]}, "all.1", "a condition is missing"),
        ({"not": {}}, "not", "a condition is missing"),
        ({"not": [BUYER]}, "not", "valid dictionary"),
        ({"not_": BUYER}, "not_", "Extra inputs"),
        ({"all": [BUYER], "any": [BUYER]}, "", "use only one of"),
        ({"all": [BUYER], **GOLD}, "", "use only one of"),
        ({"none": [BUYER]}, "none", "Extra inputs"),
        ({**BUYER, "unit": "fen"}, "unit", "Extra inputs"),
        ({1: 2}, "1", "Keys should be strings"),
        ({"op": "is_true"}, "", "the fact is missing"),
        ({"value": 3}, "", "the fact is missing"),
        ({"fact": None}, "", "leave fact out"),
        ({"fact": "orders.count"}, "op", "say what is asked of 'orders.count'"),
        (ask("orders.count", ">=", 3), "op", "Input should be 'equals'"),
        (ask("orders.count", ["at_least"], 3), "op", "Input should be 'equals'"),  # type: ignore[arg-type]
        (ask("Orders.count", "equals", 3), "fact", "looks like orders.count"),
        (ask("orders..count", "equals", 3), "fact", "looks like orders.count"),
        (ask("orders.count\n", "equals", 3), "fact", "looks like orders.count"),
        (ask("o" * 101, "equals", 3), "fact", "at most 100 characters"),
        (ask("orders.count", "equals"), "value", "needs a value"),
        (ask("orders.count", "equals", "3"), "value", "no whole number"),
        (ask("orders.count", "equals", 3.0), "value", "no whole number"),
        (ask("orders.count", "equals", True), "value", "no whole number"),
        (ask("orders.count", "between", [3]), "value", "two whole numbers"),
        (ask("orders.count", "between", 3), "value", "two whole numbers"),
        (ask("orders.count", "between", [3, 1]), "value", "the lower number comes first"),
        (ask("orders.count", "between", [1, True]), "value", "no whole number"),
        (ask("orders.last_at", "within_days", 0), "value", "enter 1 to 36500 days"),
        (ask("orders.last_at", "more_than_days_ago", 36_501), "value", "enter 1 to 36500 days"),
        (ask("orders.last_at", "never", 1), "value", "takes no value"),
        (ask("wx.follows", "is_true", True), "value", "takes no value"),
        (ask("tiers.tier", "is", ""), "value", "1 to 100 characters"),
        (ask("tiers.tier", "is", "g" * 101), "value", "1 to 100 characters"),
        (ask("tiers.tier", "is", ["gold"]), "value", "no text"),
        (ask("tiers.tier", "one_of", "gold"), "value", "list of 1 to 50 texts"),
        (ask("tiers.tier", "one_of", []), "value", "list of 1 to 50 texts"),
        (ask("tiers.tier", "one_of", ["gold", "gold"]), "value", "stands twice"),
        (ask("tags.interests", "has_any", [f"{n}" for n in range(51)]), "value", "list of 1 to 50 texts"),
        (
            {"all": [BUYER, {"not": {"any": [ask("orders.count", "equals", "x")]}}]},
            "all.1.not.any.0.value",
            "whole",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_stands(given_: Any, path: str, reason: str) -> None:
    where, why = refusal(given_)
    assert where == path
    assert reason in why


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**63, -(2**63) - 1, 10**400, "a\0", "\ud800", b"x", {}, object()]
)
@pytest.mark.parametrize("op", ["at_least", "is", "has_any", "within_days", "between"])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: [value], lambda value: [value, value]])
def test_hostile_values_are_refused(value: Any, op: str, wrap: Any) -> None:
    if isinstance(value, int) and op in {"is", "has_any"}:
        value = str(value)[:200] + "\0"
    assert refusal(ask("orders.count", op, wrap(value)))[0] == "value"


@pytest.mark.parametrize("name", ["\0", "\ud800", "orders.\0", 2**63, float("nan"), ["orders.count"]])
def test_hostile_names_are_refused(name: Any) -> None:
    assert refusal(ask(name, "equals", 1))[0] == "fact"


def nested(depth: int, wrap: Any, inside: Any) -> Any:
    for _ in range(depth):
        inside = wrap(inside)
    return inside


@pytest.mark.parametrize("depth", [6, 300, 20_000])
@pytest.mark.parametrize(
    "wrap", [lambda node: {"all": [node]}, lambda node: {"not": node}, lambda node: {"any": [BUYER, node]}]
)
def test_deep_nesting_is_refused_and_not_followed(depth: int, wrap: Any) -> None:
    assert refusal(nested(depth, wrap, BUYER))[0] == ""


@pytest.mark.parametrize("place", ["all", "any", "not", "fact", "op", "value", "unknown"])
@pytest.mark.parametrize("wrap", [lambda node: [node], lambda node: {"x": node}])
def test_depth_does_no_harm_anywhere_else(place: str, wrap: Any) -> None:
    deep = nested(20_000, wrap, 1)
    given_ = {**BUYER, place: deep} if place in {"fact", "op", "value"} else {place: deep}
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({"audience": given_})
    assert all(error["loc"][1] == place for error in caught.value.errors())


def test_deep_json_text_is_refused_too() -> None:
    with pytest.raises(ValidationError):
        Form.model_validate_json('{"audience":' + '{"not":' * 20_000 + "{}" + "}" * 20_001)


# --- What facts can answer ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "path", "reason"),
    [
        (
            ask("orders.cuont", "equals", 1),
            ("fact",),
            "there is no fact 'orders.cuont', did you mean 'orders.count'?",
        ),
        (ask("nobody.knows", "equals", 1), ("fact",), "there is no fact 'nobody.knows'"),
        (ask("orders.count", "is", "gold"), ("op",), "'orders.count' is a number fact: choose one of equals,"),
        (
            ask("tiers.tier", "at_least", 1),
            ("op",),
            "'tiers.tier' is a choice fact: choose one of is, is_not, one_of",
        ),
        (ask("tiers.tier", "has", "gold"), ("op",), "is a choice fact"),
        (ask("wx.follows", "never"), ("op",), "is a flag fact: choose one of is_true, is_false"),
        (ask("orders.last_at", "is_true"), ("op",), "is a instant fact: choose one of within_days,"),
        (ask("tags.interests", "is", "tea"), ("op",), "is a tags fact"),
        (ask("tiers.tier", "is", "lead"), ("value",), "'lead' is none of gold, silver"),
        (ask("tiers.tier", "is_not", "lead"), ("value",), "'lead' is none of gold, silver"),
        (ask("tiers.tier", "one_of", ["gold", "lead"]), ("value",), "'lead' is none of gold, silver"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_what_no_fact_can_answer_is_refused_where_it_stands(
    given_: Json, path: tuple[str, ...], reason: str, inside: bool
) -> None:
    whole_ = {"all": [BUYER, {"not": {"any": [given_]}}]} if inside else given_
    with pytest.raises(AudienceError) as caught:
        Audience.model_validate(whole_).check(FACTS)
    assert caught.value.path == (("all", 1, "not", "any", 0, *path) if inside else path)
    assert reason in caught.value.reason
    assert str(caught.value) == f"{'.'.join(map(str, caught.value.path))}: {caught.value.reason}"


def test_everybody_needs_no_fact() -> None:
    Audience().check({})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"name": "Orders"}, "must match"),
        ({"name": "toy.a\n"}, "must match"),
        ({"name": "toy." + "a" * 100}, "must match"),
        ({"title": {"en": "x"}}, "needs a title in en and in zh"),
        ({"title": {"en": "x", "zh": ""}}, "needs a title in en and in zh"),
        ({"kind": "choice"}, "choices belong to the kind choice"),
        ({"choices": ("a",)}, "choices belong to the kind choice"),
        ({"kind": "choice", "choices": ("a", "\0")}, "the text holds a NUL character"),
        ({"kind": "choice", "choices": ("a",), "default": "b"}, "is none of a"),
        ({"kind": "flag", "unit": "money"}, "a unit belongs to the kind number"),
        ({"default": 0.5}, "float is no whole number"),
        ({"default": True}, "bool is no whole number"),
        ({"kind": "flag", "default": 1}, "neither true nor false"),
        ({"kind": "instant", "default": datetime(2026, 1, 1)}, "no time zone"),  # noqa: DTZ001 - the fault
        ({"kind": "tags", "default": "abc"}, "str is no set"),
        ({"kind": "tags", "default": frozenset({""})}, "1 to 100 characters"),
    ],
)
def test_a_fact_that_is_declared_wrongly_is_refused(change: Json, reason: str) -> None:
    given_ = {"name": "toy.a", "kind": "number", "title": {"en": "a", "zh": "甲"}, **change}
    with pytest.raises(PluginError, match=reason):
        fact(given_.pop("name"), nothing, **given_)


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("number", -(2**63)),
        ("flag", False),
        ("instant", datetime(2026, 1, 1, tzinfo=UTC)),
        ("tags", frozenset()),
        ("tags", frozenset({"茶"})),
    ],
)
def test_a_default_of_the_declared_kind_is_accepted(kind: Any, default: Any) -> None:
    assert fact("toy.a", nothing, kind=kind, title={"en": "a", "zh": "甲"}, default=default).default == default
