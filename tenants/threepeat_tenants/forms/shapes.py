"""How a value of some type becomes inputs, and inputs become a value again.

What a shape cannot show and read back exactly is shown as JSON instead: a form never changes what nobody touched.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final

from threepeat.sdk.storable import storable
from threepeat.sdk.wording import _
from threepeat_tenants.forms.fields import Field, JsonField
from threepeat_tenants.forms.inputs import Inputs, Raw
from threepeat_tenants.forms.surroundings import Surroundings

MAX_DEPTH = 32
"""How deep JSON may nest, as in core's settings."""

Loc = tuple[int | str, ...]
"""Where in a value an error stands, as pydantic tells it."""


class Missing(Enum):
    """Tells what is not there from what is None."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Misfit(Exception):  # noqa: N818 - an answer, not a programming error
    """A text cannot be read as a value; the reason is for people."""

    def __init__(self, reason: str) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(slots=True)
class Reading:
    """A form that is being read.

    Attributes:
        errors: What was found, by path.
    """

    inputs: Inputs
    around: Surroundings
    errors: dict[str, list[str]] = field(default_factory=dict)

    def refuse(self, path: str, reason: str) -> None:
        """Note what is wrong with a field."""
        self.errors.setdefault(path, []).append(reason)

    def one(self, path: str) -> str | None:
        """The single text of an input; a second one is refused."""
        given = self.inputs.all(path)
        if len(given) > 1:
            self.refuse(path, _("This was sent more than once."))
        if path in self.inputs.spoiled:
            self.refuse(path, _("This holds characters that cannot be stored."))
        return given[0] if given else None


@dataclass(frozen=True, slots=True)
class Head:
    """What is said about a field, whatever its shape."""

    label: str = ""
    help: str = ""
    unit: str = ""
    placeholder: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Laying:
    """A form that is being laid out.

    Attributes:
        errors: What to say at each field, by path.
        secrets: Which secrets are set, by their path without the prefix.
        prefix: What every path begins with.
    """

    inputs: Inputs
    around: Surroundings
    errors: Mapping[str, tuple[str, ...]]
    secrets: Mapping[str, bool]
    prefix: str

    def common(self, path: str, head: Head, *, optional: bool = False) -> dict[str, Any]:
        """What every kind of field has."""
        around = self.around
        return {
            "path": path,
            "label": around.translate(head.label) if head.label else "",
            "help": around.translate(head.help) if head.help else "",
            "errors": self.errors.get(path, ()),
            "optional": around.say(_("optional")) if optional else "",
            "unset": self.inputs.first(f"{path}~unset") is not None,
        }


class Shape(ABC):
    """A kind of field.

    Attributes:
        shows_all: It shows a value that it will not read back, and says why.
    """

    shows_all: ClassVar[bool] = False

    @abstractmethod
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        """Write the inputs that show a value; any error means that this shape cannot show it."""

    @abstractmethod
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        """Write the inputs of a field that has no value yet."""

    @abstractmethod
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        """The value that the inputs mean, or MISSING if they mean none or do not fit.

        Args:
            before: What the store has here now, for fields that were not sent at all.
        """

    @abstractmethod
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        """The field as a page shows it."""

    def lay_json(self, laying: Laying, path: str, head: Head, text: str) -> Field:
        """The field as a page shows it when its value is shown as JSON."""
        return json_field(laying, path, head, text)

    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        """Whether two values are the same to whoever reads them."""
        del around
        return plain(one) == plain(other)

    def locate(self, inputs: Inputs, path: str, loc: Loc) -> "tuple[str, Shape]":
        """The field at which an error belongs."""
        del inputs, loc
        return path, self

    def limit(self, value: Any, around: Surroundings) -> str:
        """A bound of the model, as it is said in a message."""
        return around.number(value) if isinstance(value, int | float) else str(value)


def plain(value: Any) -> str:
    """A value as text that tells 1, 1.0, "1" and true apart."""
    return json.dumps(value, sort_keys=True, default=repr)


def alike(shape: Shape, one: Any, other: Any, around: Surroundings) -> bool:
    """Whether two values are the same, of whatever type they are."""
    if one is MISSING or other is MISSING:
        return one is other
    try:
        return shape.same(one, other, around)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
        return plain(one) == plain(other)


def put(shape: Shape, out: Raw, path: str, value: Any, around: Surroundings) -> None:
    """Write the inputs that show a value, as JSON if the shape would lose or change something."""
    if value is MISSING:
        shape.blank(out, path, around)
        return
    trial: Raw = {}
    try:
        shape.fill(trial, path, value, around)
        kept = shape.shows_all or _reads_back(shape, trial, path, value, around)
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError):
        kept = False
    out.update(trial if kept else {f"{path}~json": [json.dumps(value, ensure_ascii=False, indent=2)]})


def _reads_back(shape: Shape, trial: Raw, path: str, value: Any, around: Surroundings) -> bool:
    pairs = ((name, text) for name, texts in trial.items() for text in texts)
    reading = Reading(Inputs(pairs, path.partition(".")[0]), around)
    again = shape.read(reading, path, MISSING)
    return not reading.errors and again is not MISSING and alike(shape, again, value, around)


def take(shape: Shape, reading: Reading, path: str, before: Any = MISSING) -> Any:
    """The value of a field, whichever way it was shown."""
    text = reading.one(f"{path}~json")
    if text is None:
        return shape.read(reading, path, before)
    reading.inputs.pass_over(path)
    if not text.strip():
        return MISSING
    try:
        return from_json(text)
    except Misfit as error:
        reading.refuse(path, error.reason)
        return MISSING


def lay(shape: Shape, laying: Laying, path: str, head: Head) -> Field:
    """A field as a page shows it, whichever way."""
    text = laying.inputs.first(f"{path}~json")
    if text is None:
        return shape.lay(laying, path, head)
    return shape.lay_json(laying, path, head, text)


def json_field(laying: Laying, path: str, head: Head, text: str, sentence: str = "") -> JsonField:
    """A field of JSON, with a word about what to write."""
    told = laying.around.say(_("Written as JSON, because this form has no simpler field for it."))
    common = laying.common(path, head)
    common["help"] = " ".join(filter(None, (common["help"], told)))
    return JsonField(**common, text=text, sentence=sentence)


def locate(shape: Shape, inputs: Inputs, path: str, loc: Loc) -> tuple[str, Shape]:
    """The field at which an error belongs, whichever way the field was shown."""
    return (path, shape) if inputs.first(f"{path}~json") is not None else shape.locate(inputs, path, loc)


def from_json(text: str) -> Any:
    """Read JSON that a person wrote.

    Raises:
        Misfit: It is no JSON, or holds what cannot be stored.
    """
    try:
        value = json.loads(text, parse_constant=_no_number, object_pairs_hook=_no_doubles)
    except json.JSONDecodeError as error:
        raise Misfit(
            _("This is no JSON: look at line {line}, column {column}.", line=error.lineno, column=error.colno)
        ) from None
    except RecursionError:
        raise Misfit(_("This nests too deep.")) from None
    except ValueError:  # a number of thousands of digits
        raise Misfit(_("This holds a number that cannot be stored.")) from None
    _require_storable(value)
    return value


def _no_number(name: str) -> Any:
    raise Misfit(_("{name} is no number.", name=name))


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Misfit(_("A name stands twice in the same object."))
    return made


def _require_storable(value: Any) -> None:
    level: list[Any] = [value]
    for _depth in range(MAX_DEPTH + 1):
        for one in level:
            texts = [one] if isinstance(one, str) else list(one) if isinstance(one, dict) else []
            if not all(map(storable, texts)):
                raise Misfit(_("This holds characters that cannot be stored."))
            if isinstance(one, int | float) and not -(2**63) <= one < 2**64:
                _require_double(one)
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level]
        level = [one for holder in inner if isinstance(holder, list) for one in holder]
    if level:
        raise Misfit(_("This nests too deep."))


def _require_double(number: float) -> None:
    if isinstance(number, int) or number in {float("inf"), float("-inf")}:
        raise Misfit(_("This holds a number that cannot be stored."))
