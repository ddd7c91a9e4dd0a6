"""The shape of an audience: conditions on facts, joined by "all" or "any".

A condition's fact is chosen when the condition is added, so that what is asked and what is entered
fit it without a script. What does not fit this plan, such as groups in groups, is shown as a sentence and as JSON.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from typing_extensions import override

from threepeat.sdk.audience import MAX_CONDITIONS, OPS, Audience
from threepeat.sdk.facts import Fact
from threepeat.sdk.wording import _
from threepeat_tenants.forms.choices import Choice, Choices, Pick
from threepeat_tenants.forms.composites import lines, rows
from threepeat_tenants.forms.fields import AudienceField, ChoiceField, Field, Option, Row
from threepeat_tenants.forms.inputs import Inputs, Raw
from threepeat_tenants.forms.leaves import Text
from threepeat_tenants.forms.numbers import Money, Whole
from threepeat_tenants.forms.shapes import (
    MISSING,
    Head,
    Laying,
    Loc,
    Misfit,
    Reading,
    Shape,
    from_json,
    json_field,
    plain,
)
from threepeat_tenants.forms.surroundings import Surroundings

HOW = Choice(
    (Pick("all", "all", _("All of these hold"), ours=True), Pick("any", "any", _("Any of these holds"), ours=True))
)

ASKED: Mapping[str, str] = {
    "equals": _("equals"),
    "differs": _("does not equal"),
    "at_least": _("is at least"),
    "at_most": _("is at most"),
    "more_than": _("is more than"),
    "less_than": _("is less than"),
    "between": _("is between"),
    "is": _("is"),
    "is_not": _("is not"),
    "one_of": _("is one of"),
    "is_true": _("is so"),
    "is_false": _("is not so"),
    "within_days": _("was within the last days"),
    "more_than_days_ago": _("was more than so many days ago"),
    "never": _("never happened"),
    "has": _("include"),
    "has_not": _("do not include"),
    "has_any": _("include any of"),
}
"""What each op is called between the fact and the value."""

WITHOUT_VALUE = frozenset({"is_true", "is_false", "never"})
SEVERAL = frozenset({"one_of", "has_any"})

OPS_OF = {
    kind: Choice(tuple(Pick(op, op, ASKED[op], ours=True) for op in ops), listed=True) for kind, ops in OPS.items()
}


@dataclass(frozen=True)
class Conditions(Shape):
    """An audience."""

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        how, given, wrap = _taken_apart(value)
        out[f"{path}~list"] = ["1"]
        if len(given) > 1:
            out[f"{path}.how"] = [how]
        elif wrap:
            out[f"{path}~wrap"] = [how]
        if given:
            out[f"{path}~row"] = [str(number) for number in range(len(given))]
        for number, condition in enumerate(given):
            below, fact = f"{path}.{number}", around.facts[condition["fact"]]
            out[f"{below}~fact"] = [fact.name]
            out[f"{below}.op"] = [condition["op"]]
            _fill_value(out, below, condition, fact, around)

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        self.fill(out, path, {}, around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        inputs = reading.inputs
        inputs.first(f"{path}~list")
        wrap = reading.one(f"{path}~wrap")
        how = HOW.read(reading, f"{path}.how", MISSING) if inputs.present(f"{path}.how") else wrap
        _append(inputs, path)
        numbers = rows(inputs, path)
        if len(inputs.all(f"{path}~row")) > MAX_CONDITIONS:
            reading.refuse(path, _("Use at most {most} conditions.", most=MAX_CONDITIONS))
            return MISSING
        found = [_condition(reading, f"{path}.{number}") for number in numbers]
        if any(one is None for one in found):
            return MISSING
        if len(found) == 1:
            return {how: found} if wrap in {"all", "any"} else found[0]
        return {("any" if how == "any" else "all"): found} if found else {}

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        around, inputs = laying.around, laying.inputs
        _append(inputs, path)
        numbers = rows(inputs, path)
        found, facts = [], {}
        for place, number in enumerate(numbers, 1):
            below = f"{path}.{number}"
            name = inputs.first(f"{below}~fact") or ""
            facts[number] = name
            title = _title(around, name)
            remove = around.say(_("Remove no. {number}", number=place))
            found.append(Row(number, title, _row_fields(laying, below, around.facts.get(name)), remove))
        if inputs.first(f"{path}.how") is None:
            inputs.add({f"{path}.how": [inputs.first(f"{path}~wrap") or "all"]})
        how = HOW.lay(laying, f"{path}.how", Head(around.say(_("How they are joined"))))
        full = len(numbers) >= MAX_CONDITIONS
        choose = tuple(Option(name, _title(around, name), chosen=False) for name in around.facts)
        first = Option("", around.say(_("Choose what is asked about…")), chosen=True)
        return AudienceField(
            **laying.common(path, head),
            how=how if isinstance(how, ChoiceField) and len(numbers) > 1 else None,
            rows=tuple(found),
            facts=facts,
            wrap=inputs.first(f"{path}~wrap") or "" if len(numbers) == 1 else "",
            choose=() if full else (first, *choose),
            add="" if full else around.say(_("Add a condition")),
            sentence=self._sentence(inputs, path, around),
        )

    @override
    def lay_json(self, laying: Laying, path: str, head: Head, text: str) -> Field:
        try:
            sentence = said(from_json(text), laying.around)
        except Misfit:
            sentence = ""
        return json_field(laying, path, head, text, sentence)

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        del around
        return plain(_sorted(one)) == plain(_sorted(other))

    def _sentence(self, inputs: Inputs, path: str, around: Surroundings) -> str:
        reading = Reading(inputs, around)
        value = self.read(reading, path, MISSING)
        return "" if reading.errors or value is MISSING else said(value, around)

    @override
    def locate(self, inputs: Inputs, path: str, loc: Loc) -> tuple[str, Shape]:
        numbers = rows(inputs, path)
        place = next((step for step in loc if isinstance(step, int)), 0)
        if not loc or not 0 <= place < len(numbers) or loc[-1] not in {"fact", "op", "value"}:
            return path, self
        part = "value" if loc[-1] == "value" else "op"
        return f"{path}.{numbers[place]}.{part}", self


def said(value: Any, around: Surroundings) -> str:
    """Whom an audience is for, in words; empty if it is none."""
    try:
        meant = Audience.model_validate(value)
        return meant.sentence(around.facts, around.language, currency=around.store.currency)
    except (ValidationError, ArithmeticError):
        return ""


def _taken_apart(value: Any) -> tuple[str, list[Any], bool]:
    """How the conditions are joined, which they are, and whether they stand in a group."""
    if not isinstance(value, Mapping):
        raise TypeError("no audience")
    group = next((name for name in ("all", "any") if name in value), None)
    if group is None:
        return "all", [value] if value else [], False
    return group, list(value[group]), True


def _sorted(value: Any) -> Any:
    """The same audience with lists of texts in one order: the order says nothing."""
    if isinstance(value, Mapping):
        return {name: _sorted(one) for name, one in value.items()}
    if isinstance(value, list):
        inner = [_sorted(one) for one in value]
        return sorted(inner) if all(isinstance(one, str) for one in inner) else inner
    return value


def _append(inputs: Inputs, path: str) -> None:
    """Make a condition of a fact that was chosen, whether or not the button beside it was pressed."""
    chosen = inputs.first(f"{path}~new")
    inputs.raw.pop(f"{path}~new", None)
    if not chosen:
        return
    numbers = rows(inputs, path)
    free = next(number for number in range(len(numbers) + 1) if number not in numbers)
    inputs.raw[f"{path}~row"] = [*map(str, numbers), str(free)]
    inputs.add({f"{path}.{free}~fact": [chosen]})


def _fill_value(out: Raw, below: str, condition: Mapping[str, Any], fact: Fact, around: Surroundings) -> None:
    value = condition.get("value")
    if condition["op"] in WITHOUT_VALUE:
        return
    if fact.kind in {"choice", "tags"}:
        texts: list[str] = list(value) if isinstance(value, list) else [str(value)]
        out[f"{below}.value"] = texts if fact.kind == "choice" else ["\n".join(texts)]
        if fact.kind == "choice":
            out[f"{below}.value~list"] = ["1"]
        return
    shape = _number(fact)
    first, *more = value if isinstance(value, list) else [value]
    out[f"{below}.value"] = [shape.text(first, around)]
    if more:
        out[f"{below}.high"] = [shape.text(more[0], around)]


def _number(fact: Fact) -> Whole | Money:
    return Money() if fact.unit == "money" else Whole()


def _condition(reading: Reading, below: str) -> dict[str, Any] | None:
    """One condition, or None if it is not complete."""
    name = reading.one(f"{below}~fact") or ""
    fact = reading.around.facts.get(name)
    if fact is None:
        reading.inputs.pass_over(below)
        reading.refuse(f"{below}.op", _("This store knows no {name}: remove this condition.", name=name[:100]))
        return None
    op = OPS_OF[fact.kind].read(reading, f"{below}.op", MISSING)
    if op is MISSING:
        reading.inputs.pass_over(below)
        if reading.inputs.first(f"{below}.op") is None:
            reading.refuse(f"{below}.op", _("Say what is asked, and enter a value."))
        return None
    value = MISSING if op in WITHOUT_VALUE else _value(reading, below, fact, op)
    reading.inputs.pass_over(below)
    made = {"fact": name, "op": op}
    if op in WITHOUT_VALUE:
        return made
    return None if value is MISSING else {**made, "value": value}


def _value(reading: Reading, below: str, fact: Fact, op: str) -> Any:
    if fact.kind in {"choice", "tags"}:
        return _listed(reading, f"{below}.value", fact, op)
    low = _typed(reading, f"{below}.value", fact)
    if op != "between":
        return low
    high = _typed(reading, f"{below}.high", fact)
    if low is MISSING or high is MISSING:
        return MISSING
    if high < low:
        reading.refuse(f"{below}.high", _("The lower number comes first."))
        return MISSING
    return [low, high]


def _typed(reading: Reading, path: str, fact: Fact) -> Any:
    """A number that was typed; an input that is not there is like an empty one."""
    if not reading.inputs.present(path):
        reading.inputs.add({path: [""]})
    return _number(fact).read(reading, path, MISSING)


def _listed(reading: Reading, path: str, fact: Fact, op: str) -> Any:
    """Texts that were chosen or typed: several if the op takes several, else one."""
    texts = _texts(reading, path, fact)
    if texts is MISSING or (texts and op in SEVERAL):
        return texts
    if not texts:
        reading.refuse(path, _("Choose one of these.") if fact.kind == "choice" else _("Fill this in."))
    elif len(texts) > 1:
        reading.refuse(path, _("Only one fits here; or ask for any of several."))
    return texts[0] if len(texts) == 1 else MISSING


def _texts(reading: Reading, path: str, fact: Fact) -> Any:
    if fact.kind == "choice":
        return _choices(fact).read(reading, path, MISSING) if reading.inputs.present(path) else []
    return [line for _number, line in lines(reading.one(path) or "")]


def _choices(fact: Fact) -> Choices:
    return Choices(tuple(Pick(one, one, one) for one in fact.choices), ordered=False)


def _row_fields(laying: Laying, below: str, fact: Fact | None) -> tuple[Field, ...]:
    say = laying.around.say
    if fact is None:
        nothing = Choice(())
        return (nothing.lay(laying, f"{below}.op", Head(say(_("What is asked")))),)
    asked = OPS_OF[fact.kind].lay(laying, f"{below}.op", Head(say(_("What is asked"))))
    head = Head(say(_("Value")))
    if fact.kind == "flag":
        return (asked,)
    if fact.kind == "choice":
        return asked, _choices(fact).lay(laying, f"{below}.value", head)
    if fact.kind == "tags":
        return asked, Text(long=True).lay(laying, f"{below}.value", Head(say(_("One in each line."))))
    shape = _number(fact)
    if fact.kind == "instant":
        return asked, shape.lay(laying, f"{below}.value", Head(say(_("Days")), unit="days"))
    unit = Head(head.label, unit=fact.unit)
    high = Head(say(_("and, for “is between”, up to")), unit=fact.unit)
    return asked, shape.lay(laying, f"{below}.value", unit), shape.lay(laying, f"{below}.high", high)


def _title(around: Surroundings, name: str) -> str:
    fact = around.facts.get(name)
    return fact.title[around.language] if fact else name
