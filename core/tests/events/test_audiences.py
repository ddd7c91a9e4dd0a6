"""Whom an audience is made for: three-valued logic, and sentences that say exactly that."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from core.tests.sdk.known import BUYER, FACTS, Json, ask
from hypothesis import given
from hypothesis import strategies as st

from threepeat.events.audiences import Answered, Split, split
from threepeat.sdk import Audience
from threepeat.sdk.audience import OPS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def truth(node: Mapping[str, Any], values: Mapping[str, Any]) -> bool | None:
    """Whether a tree holds for one member: three-valued, written down once more and in another way."""
    if "not" in node:
        inner = truth(node["not"], values)
        return None if inner is None else not inner
    for group, decisive in (("all", False), ("any", True)):
        if group in node:
            found = [truth(part, values) for part in node[group]]
            return decisive if decisive in found else None if None in found else not decisive
    value, op, wanted = values[node["fact"]], node["op"], node.get("value")
    if op in {"within_days", "more_than_days_ago", "never"}:  # here the value is an age in days, or "never"
        if value == "never" or value is None or op == "never":
            return None if value is None else (value == "never") is (op == "never")
        return bool(value <= wanted) is (op == "within_days")
    if value is None:
        return None
    positive = {
        "differs": "equals",
        "less_than": "at_least",
        "more_than": "at_most",
        "is_not": "is",
        "is_false": "is_true",
        "has_not": "has",
    }
    outcome: Mapping[str, Any] = {
        "equals": lambda: value == wanted,
        "at_least": lambda: value >= wanted,
        "at_most": lambda: value <= wanted,
        "between": lambda: min(wanted) <= value <= max(wanted),
        "is": lambda: value == wanted,
        "one_of": lambda: value in wanted,
        "is_true": lambda: value,
        "has": lambda: wanted in value,
        "has_any": lambda: bool(set(wanted) & value),
    }
    held = bool(outcome[positive.get(op, op)]())
    return not held if op in positive else held


small = st.none() | st.integers(-3, 5)
# None: nothing is known of this member. An instant that is absent is known: it never happened.
people = st.fixed_dictionaries(
    {
        "orders.count": small,
        "orders.spend": small,
        "visits.streak": small,
        "orders.last_at": st.just("never") | st.integers(0, 5),
        "tiers.tier": st.sampled_from([None, "gold", "silver"]),
        "tags.interests": st.none() | st.frozensets(st.sampled_from("abc")),
        "wx.follows": st.sampled_from([None, True, False]),
    }
)
NEAR: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("is", "is_not"), st.sampled_from(["gold", "silver"])),
    "one_of": st.lists(st.sampled_from(["gold", "silver"]), min_size=1, unique=True),
    **{op: st.integers(-3, 5) for op in OPS["number"]},
    "between": st.lists(st.integers(-3, 5), min_size=2, max_size=2).map(sorted),
    **dict.fromkeys(("within_days", "more_than_days_ago"), st.integers(1, 5)),
    **dict.fromkeys(("has", "has_not"), st.sampled_from("abc")),
    "has_any": st.lists(st.sampled_from("abc"), min_size=1, unique=True),
}


@st.composite
def near_leaves(draw: st.DrawFn) -> Json:
    known = draw(st.sampled_from(list(FACTS.values())))
    op = draw(st.sampled_from(OPS[known.kind]))
    return ask(known.name, op, *([draw(NEAR[op])] if op in NEAR else []))


def groups(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda parts: {"all": parts}),
        several.map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    )


near_trees: st.SearchStrategy[Json] = near_leaves()
for _ in range(4):
    near_trees = near_leaves() | groups(near_trees)


def answered(crowd: list[Json], off: frozenset[str]) -> dict[str, Answered]:
    """What the facts answer about a crowd, whose ids are its places; the facts of `off` do not answer."""
    found = {}
    for name, known in FACTS.items():
        values = {number: person[name] for number, person in enumerate(crowd)}
        values = {number: value for number, value in values.items() if value is not None and value != "never"}
        if known.kind == "instant":
            values = {number: NOW - timedelta(days=age) for number, age in values.items()}
        if name not in off:
            found[name] = Answered(known, values)
    return found


@given(tree=near_trees, crowd=st.lists(people, max_size=6), off=st.frozensets(st.sampled_from(list(FACTS))))
def test_members_are_split_as_three_valued_logic_has_it(
    tree: Json, crowd: list[Json], off: frozenset[str]
) -> None:
    found = split(Audience.model_validate(tree), answered(crowd, off), frozenset(range(len(crowd))), NOW)
    seen = [truth(tree, {**person, **dict.fromkeys(off)}) for person in crowd]
    assert found.holds == {number for number, one in enumerate(seen) if one is True}
    assert found.fails == {number for number, one in enumerate(seen) if one is False}


@given(tree=near_trees, crowd=st.lists(people, min_size=1, max_size=6))
def test_a_fact_less_lets_nobody_in_who_was_out(tree: Json, crowd: list[Json]) -> None:
    """Deny, then allow: losing a fact may keep members out, and never turns an answer round."""
    everyone, audience = frozenset(range(len(crowd))), Audience.model_validate(tree)
    full = split(audience, answered(crowd, frozenset()), everyone, NOW)
    for name in FACTS:
        less = split(audience, answered(crowd, frozenset({name})), everyone, NOW)
        assert less.holds <= full.holds
        assert less.fails <= full.fails


UNKNOWN = ask("wx.follows", "is_true")
ANN, BOB, EVE = 1, 2, 3


@pytest.mark.parametrize(
    ("tree", "holds", "fails"),
    [
        ({}, {ANN, BOB, EVE}, set()),
        (BUYER, {ANN}, {BOB}),
        ({"not": BUYER}, {BOB}, {ANN}),
        (UNKNOWN, set(), set()),
        ({"not": UNKNOWN}, set(), set()),
        (ask("wx.follows", "is_false"), set(), set()),
        ({"all": [BUYER, UNKNOWN]}, set(), {BOB}),
        ({"any": [BUYER, UNKNOWN]}, {ANN}, set()),
        ({"not": {"all": [BUYER, UNKNOWN]}}, {BOB}, set()),
        ({"not": {"any": [BUYER, UNKNOWN]}}, set(), {ANN}),
        ({"all": [UNKNOWN, {"not": UNKNOWN}]}, set(), set()),
        ({"any": [UNKNOWN, {"not": UNKNOWN}]}, set(), set()),
        (ask("orders.last_at", "never"), {EVE}, {ANN, BOB}),
        (ask("orders.last_at", "within_days", 30), {ANN}, {BOB, EVE}),
        (ask("orders.last_at", "more_than_days_ago", 30), {BOB}, {ANN, EVE}),
        ({"not": ask("orders.last_at", "within_days", 30)}, {BOB, EVE}, {ANN}),
        (ask("orders.last_at", "is_true"), set(), set()),
        ({"not": ask("orders.last_at", "is_true")}, set(), set()),
        (ask("tiers.tier", "is", "lead"), set(), {ANN, BOB}),
    ],
)
def test_what_is_unknown_stays_unknown(tree: Json, holds: set[int], fails: set[int]) -> None:
    """Eve's orders are not known, nobody's following is; an op of another kind asks nothing."""
    answers = {
        "orders.count": Answered(FACTS["orders.count"], {ANN: 3, BOB: 2}),
        "orders.last_at": Answered(
            FACTS["orders.last_at"], {ANN: NOW - timedelta(days=30), BOB: NOW - timedelta(days=30, seconds=1)}
        ),
        "tiers.tier": Answered(FACTS["tiers.tier"], {ANN: "gold", BOB: "silver"}),
    }
    found = split(Audience.model_validate(tree), answers, frozenset({ANN, BOB, EVE}), NOW)
    assert found == Split(frozenset(holds), frozenset(fails))


def test_only_members_who_were_asked_about_come_back() -> None:
    answers = {"orders.count": Answered(FACTS["orders.count"], {ANN: 3, BOB: 3})}
    for tree in ({}, BUYER, {"not": {"not": BUYER}}):
        assert split(Audience.model_validate(tree), answers, frozenset({ANN}), NOW) == Split(
            frozenset({ANN}), frozenset()
        )


# --- Sentences, read back -------------------------------------------------------------------------------------


READING = {"en": ("members ", "", " and ", " or ", "(", ")"), "zh": ("", "的会员", "且", "或", "（", "）")}


def leaves_of(node: Json) -> Iterator[Json]:
    if "fact" in node:
        yield node
    for part in [*node.get("all", ()), *node.get("any", ()), *([node["not"]] if "not" in node else ())]:
        yield from leaves_of(part)


class Reader:
    """Reads a sentence back: what it makes of brackets, "and" and "or" is what a careful reader makes of it."""

    def __init__(self, text: str, locale: str, phrases: Mapping[str, bool | None]) -> None:
        opening, closing, self.both, self.either, self.left, self.right = READING[locale]
        assert text.startswith(opening)
        assert text.endswith(closing)
        self.rest = text.removeprefix(opening).removesuffix(closing)
        self.phrases = phrases

    def take(self, word: str) -> bool:
        found = self.rest.startswith(word)
        self.rest = self.rest.removeprefix(word) if found else self.rest
        return found

    def read(self) -> bool | None:
        found = [self.term()]
        joins = set()
        while join := next((one for one in (self.both, self.either) if self.take(one)), None):
            joins.add(join)
            found.append(self.term())
        assert len(joins) <= 1, "and and or meet without brackets"
        decisive = joins == {self.either}
        return decisive if decisive in found else None if None in found else not decisive

    def term(self) -> bool | None:
        if self.take(self.left):
            inner = self.read()
            assert self.take(self.right)
            return inner
        phrase = max((one for one in self.phrases if self.rest.startswith(one)), key=len)
        assert self.take(phrase)
        return self.phrases[phrase]


@pytest.mark.parametrize("locale", ["en", "zh"])
@given(tree=near_trees, person=people, off=st.frozensets(st.sampled_from(list(FACTS)), max_size=2))
def test_a_sentence_says_exactly_what_the_audience_means(
    locale: Any, tree: Json, person: Json, off: frozenset[str]
) -> None:
    person = {**person, **dict.fromkeys(off)}
    opening, closing = READING[locale][:2]
    phrases: dict[str, bool | None] = {}
    for leaf in leaves_of(tree):
        for said in (leaf, {"not": leaf}):
            text = Audience.model_validate(said).sentence(FACTS, locale, currency="CNY")
            phrase = text.removeprefix(opening).removesuffix(closing)
            assert phrases.setdefault(phrase, truth(said, person)) == truth(said, person)
    reader = Reader(Audience.model_validate(tree).sentence(FACTS, locale, currency="CNY"), locale, phrases)
    assert reader.read() == truth(tree, person)
    assert reader.rest == ""


def test_the_reader_objects_to_a_sentence_without_brackets() -> None:
    phrases = {"who a": True, "who b": False, "who c": None}
    assert Reader("members who a and (who b or who c)", "en", phrases).read() is None
    with pytest.raises(AssertionError, match="without brackets"):
        Reader("members who a and who b or who c", "en", phrases).read()
