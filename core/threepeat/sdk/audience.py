"""One condition over facts that serves every form that asks "for whom"."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NoReturn, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from threepeat.sdk.facts import FACT_NAME, MAX_TEXT, Fact, FactKind, text_fault, whole_fault
from threepeat.sdk.sentences import Locale, sentence

MAX_DEPTH = 5
"""How many groups (`all`, `any`, `not`) may stand in one another."""
MAX_CONDITIONS = 50
MAX_DAYS = 36_500

NumberOp = Literal["equals", "differs", "at_least", "at_most", "more_than", "less_than", "between"]
ChoiceOp = Literal["is", "is_not", "one_of"]
FlagOp = Literal["is_true", "is_false"]
InstantOp = Literal["within_days", "more_than_days_ago", "never"]
TagsOp = Literal["has", "has_not", "has_any"]
Op = Literal[NumberOp, ChoiceOp, FlagOp, InstantOp, TagsOp]
OPS: Mapping[FactKind, tuple[str, ...]] = {
    "number": get_args(NumberOp),
    "choice": get_args(ChoiceOp),
    "flag": get_args(FlagOp),
    "instant": get_args(InstantOp),
    "tags": get_args(TagsOp),
}
"""What can be asked of each kind of fact; no two kinds share an op."""

Value = int | str | tuple[int, int] | tuple[str, ...]
Path = tuple[str | int, ...]
"""Where in an audience something stands, as in its JSON: `("all", 0, "not", "value")`."""

_GROUPS = ("all", "any", "not")


class AudienceError(ValueError):
    """An audience asks for what cannot be answered.

    Args:
        path: Where it does.
        reason: What to change, in one sentence.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{'.'.join(map(str, path))}: {reason}")
        self.path = path
        self.reason = reason


def _refuse(reason: str) -> NoReturn:
    raise PydanticCustomError("audience", "{reason}", {"reason": reason})


def _whole(value: object) -> int:
    reason = whole_fault(value)
    if reason is not None or not isinstance(value, int):
        _refuse(reason or "enter a whole number")
    return int(value)


def _pair(value: object) -> tuple[int, int]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        _refuse("enter two whole numbers, the lower one first")
    low, high = map(_whole, value)
    if low > high:
        _refuse("the lower number comes first")
    return low, high


def _days(value: object) -> int:
    days = _whole(value)
    if not 1 <= days <= MAX_DAYS:
        _refuse(f"enter 1 to {MAX_DAYS} days")
    return days


def _text(value: object) -> str:
    reason = text_fault(value)
    if reason is not None or not isinstance(value, str):
        _refuse(reason or "enter a text")
    return str(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not 0 < len(value) <= MAX_CONDITIONS:
        _refuse(f"enter a list of 1 to {MAX_CONDITIONS} texts")
    texts = tuple(map(_text, value))
    if len(set(texts)) < len(texts):
        _refuse("a text stands twice in the list")
    return texts


_SHAPES: Mapping[str, Callable[[object], Value]] = {
    **dict.fromkeys(OPS["number"], _whole),
    "between": _pair,
    "is": _text,
    "is_not": _text,
    "one_of": _texts,
    "within_days": _days,
    "more_than_days_ago": _days,
    "has": _text,
    "has_not": _text,
    "has_any": _texts,
}
"""What the value of each op looks like; the ops that are not here take none."""


def _fitting(value: object, info: ValidationInfo) -> Value | None:
    """A condition's value in the shape that its op asks for."""
    op = info.data.get("op")
    if op is None:  # a group, or the op itself was refused
        return None
    if (value is None) is (op in _SHAPES):
        _refuse(f"the op {op!r} {'needs a' if value is None else 'takes no'} value")
    return _SHAPES[op](value) if op in _SHAPES else None


def _something(node: "Audience") -> "Audience":
    if node.is_everybody:
        _refuse("a condition is missing")
    return node


def _some(parts: "tuple[Audience, ...]") -> "tuple[Audience, ...]":
    if not parts:
        _refuse("a group needs a condition; leave the group out for everybody")
    return parts


def _as_written(schema: dict[str, Any]) -> None:
    """Make the JSON schema say what is refused: null, and two forms in one."""
    for name, part in schema["properties"].items():
        kinds = [kind for kind in part["anyOf"] if kind != {"type": "null"}]
        shape = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        kept = {key: value for key, value in part.items() if key not in {"anyOf", "default"}}
        schema["properties"][name] = {**shape, **kept}
    schema["oneOf"] = [
        {"maxProperties": 0},
        *({"required": [group], "maxProperties": 1} for group in _GROUPS),
        {"required": ["fact", "op"], "properties": dict.fromkeys(_GROUPS, False)},
    ]


Part = Annotated["Audience", AfterValidator(_something)]
Parts = Annotated[tuple[Part, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1})]


class Audience(BaseModel):
    """Whom something is for; the empty audience is everybody.

    It is either empty, or one group (`{"all": […]}`, `{"any": […]}`, `{"not": …}`), or one condition on a fact
    (`{"fact": "orders.count", "op": "at_least", "value": 3}`); what stands in a group is again a group or a
    condition. Build one with `Audience.model_validate`, or use it as the type of a setting.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=_as_written)

    all: Parts | None = Field(default=None, description="Each of these has to hold.")
    any: Parts | None = Field(default=None, description="At least one of these has to hold.")
    not_: Part | None = Field(default=None, alias="not", description="This must not hold.")
    fact: str | None = Field(default=None, max_length=MAX_TEXT, description="Name of a fact.")
    op: Op | None = Field(default=None, validate_default=True, description="What is asked of the fact.")
    value: Annotated[Value | None, PlainValidator(_fitting, json_schema_input_type=Value | None)] = Field(
        default=None,
        validate_default=True,
        description="A number for most ops on numbers (money in minor units), `[low, high]` for `between`, a text"
        " or a list of texts for choices and tags, days of 24 hours for instants, nothing for `is_true`,"
        " `is_false` and `never`.",
    )

    @model_validator(mode="before")
    @classmethod
    def _measured(cls, given: object) -> object:
        """Refuse what is too deep, too large, or two things in one, before anything goes into it."""
        _measure(given)
        if isinstance(given, Mapping):
            empty = [str(name) for name, part in given.items() if part is None]
            if empty:
                _refuse(f"leave {' and '.join(empty)} out instead of null")
            condition = bool(given.keys() & {"fact", "op", "value"})
            if condition + len(given.keys() & set(_GROUPS)) > 1:
                _refuse(f"use only one of {', '.join(_GROUPS)}, fact at a time")
            if condition and "fact" not in given:
                _refuse("the fact is missing")
        return given

    @field_validator("fact")
    @classmethod
    def _named(cls, fact: str | None) -> str | None:
        if fact is not None and not FACT_NAME.fullmatch(fact):
            _refuse("a fact's name looks like orders.count")
        return fact

    @field_validator("op")
    @classmethod
    def _asked(cls, op: Op | None, info: ValidationInfo) -> Op | None:
        if op is None and info.data.get("fact") is not None:
            _refuse(f"say what is asked of {info.data['fact']!r}")
        return op

    @model_serializer
    def _plain(self) -> dict[str, Any]:
        """What was given, without the parts that are not there."""
        named: dict[str, Any] = {"all": self.all, "any": self.any, "not": self.not_}
        named |= {"fact": self.fact, "op": self.op, "value": self.value}
        return {name: part for name, part in named.items() if part is not None}

    @property
    def is_everybody(self) -> bool:
        """Whether it has no condition at all."""
        return self.fact is None and not self.parts

    @property
    def parts(self) -> Sequence[tuple[Path, "Audience"]]:
        """What stands in a group, each with its path from here."""
        if self.not_ is not None:
            return ((("not",), self.not_),)
        group, inner = ("all", self.all) if self.all is not None else ("any", self.any)
        return tuple(((group, number), part) for number, part in enumerate(inner or ()))

    def conditions(self, path: Path = ()) -> Iterator[tuple[Path, "Audience"]]:
        """Every single condition with its path, which begins with the given one."""
        if self.fact is not None:
            yield path, self
        for step, part in self.parts:
            yield from part.conditions((*path, *step))

    def check(self, facts: Mapping[str, Fact]) -> None:
        """Refuse conditions that these facts cannot answer.

        Raises:
            AudienceError: A fact is unknown, an op does not fit the fact's kind, or a value is not one of its
                choices.
        """
        for path, condition in self.conditions():
            name = str(condition.fact)
            if name not in facts:
                near = get_close_matches(name, facts, 1)
                hint = f", did you mean {near[0]!r}?" if near else ""
                raise AudienceError((*path, "fact"), f"there is no fact {name!r}{hint}")
            known = facts[name]
            if condition.op not in OPS[known.kind]:
                choose = ", ".join(OPS[known.kind])
                raise AudienceError((*path, "op"), f"{name!r} is a {known.kind} fact: choose one of {choose}")
            if known.kind == "choice":
                wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
                strange = [one for one in wanted if one not in known.choices]
                if strange:
                    choose = ", ".join(known.choices)
                    raise AudienceError((*path, "value"), f"{strange[0]!r} is none of {choose}")

    def sentence(self, facts: Mapping[str, Fact], locale: Locale, *, currency: str) -> str:
        """Say whom it is for, such as `members whose number of orders is at least 3`.

        Args:
            facts: Where titles and units come from; a fact that is gone is called by its name.
            locale: `en` or `zh`.
            currency: ISO 4217 code of the tenant's money.
        """
        return sentence(self, facts, locale, currency)


def _measure(given: object) -> None:
    """Count groups and conditions without recursion: hostile nesting ends here."""
    level: list[object] = [given]
    conditions = 0
    for depth in range(MAX_DEPTH + 2):
        below = [part for node in level for part in _inside(node)]
        conditions += sum(_is_condition(node) for node in level)
        if conditions > MAX_CONDITIONS or len(below) > MAX_CONDITIONS:
            _refuse(f"use at most {MAX_CONDITIONS} conditions")
        if below and depth == MAX_DEPTH:
            _refuse(f"nest at most {MAX_DEPTH} groups in one another")
        level = below


def _inside(node: object) -> list[object]:
    if isinstance(node, Audience):
        return [part for _, part in node.parts]
    if not isinstance(node, Mapping):
        return []
    groups = (node.get("all"), node.get("any"), [node["not"]] if "not" in node else None)
    return [part for group in groups if isinstance(group, list | tuple) for part in group]


def _is_condition(node: object) -> bool:
    return node.fact is not None if isinstance(node, Audience) else isinstance(node, Mapping) and "fact" in node
