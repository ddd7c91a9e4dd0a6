"""Shapes that hold others: models, lists, and what may be absent as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from threepeat.sdk.wording import _
from threepeat_tenants.forms.fields import Field, GroupField, Row, RowsField, TextField
from threepeat_tenants.forms.inputs import Inputs, Raw
from threepeat_tenants.forms.leaves import Json, Leaf, Secret
from threepeat_tenants.forms.shapes import (
    MISSING,
    Head,
    Laying,
    Loc,
    Misfit,
    Reading,
    Shape,
    alike,
    lay,
    locate,
    plain,
    put,
    take,
)
from threepeat_tenants.forms.surroundings import Surroundings

MAX_ROWS = 200
"""Most rows of a list that a form shows; a longer list is shown as JSON."""

MAX_LINES = 2000


ANY = Json()


@dataclass(frozen=True)
class Spec:
    """A field of a model.

    Attributes:
        name: Its name in the form.
        key: Its name in the values.
        default: What it is while it was never set, as the values have it; MISSING if it must be set.
        group: The heading under which it stands.
    """

    name: str
    key: str
    shape: Shape
    head: Head
    default: Any = MISSING
    group: str = ""


@dataclass(frozen=True)
class Group(Shape):
    """A model.

    Attributes:
        open: It takes names that it does not declare.
    """

    specs: tuple[Spec, ...]
    open: bool = False

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        if not isinstance(value, Mapping) or set(value) - {spec.key for spec in self.specs}:
            raise TypeError("not this model")
        self.fill_known(out, path, value, around)

    def fill_known(self, out: Raw, path: str, value: Mapping[str, Any], around: Surroundings) -> None:
        """Write the inputs of the names that the model declares."""
        for spec in self.specs:
            below = f"{path}.{spec.name}"
            given = value.get(spec.key, MISSING)
            put(spec.shape, out, below, spec.default if given is MISSING else given, around)
            if given is MISSING and spec.default is not MISSING and not isinstance(spec.shape, Secret):
                out[f"{below}~unset"] = ["1"]

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        self.fill_known(out, path, {}, around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        held: Mapping[str, Any] = before if isinstance(before, Mapping) else {}
        keys = {spec.key for spec in self.specs}
        value = {key: one for key, one in held.items() if self.open and key not in keys}
        for spec in self.specs:
            below = f"{path}.{spec.name}"
            now = held.get(spec.key, MISSING)
            sent = reading.inputs.present(below)
            got = take(spec.shape, reading, below, now) if sent else now
            unset = reading.inputs.first(f"{below}~unset") is not None
            if got is MISSING or (unset and sent and alike(spec.shape, got, spec.default, reading.around)):
                continue
            value[spec.key] = got
        return value

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        fields = tuple(lay(spec.shape, laying, f"{path}.{spec.name}", spec.head) for spec in self.specs)
        return GroupField(**laying.common(path, head), fields=fields)

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        if not isinstance(one, Mapping) or not isinstance(other, Mapping) or set(one) != set(other):
            return plain(one) == plain(other)
        shapes = {spec.key: spec.shape for spec in self.specs}
        return all(alike(shapes.get(key, ANY), one[key], other[key], around) for key in one)

    @override
    def locate(self, inputs: Inputs, path: str, loc: Loc) -> tuple[str, Shape]:
        for spec in self.specs:
            if loc and loc[0] in {spec.key, spec.name}:
                return locate(spec.shape, inputs, f"{path}.{spec.name}", loc[1:])
        return path, self


@dataclass(frozen=True)
class Maybe(Shape):
    """A model or a list that may be absent as a whole, with a box that says whether it counts."""

    shape: Shape

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        out[f"{path}~maybe"] = ["1"]
        if value is None:
            self.shape.blank(out, f"{path}.value", around)
        else:
            out[f"{path}~given"] = ["1"]
            put(self.shape, out, f"{path}.value", value, around)

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        self.fill(out, path, None, around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        reading.inputs.first(f"{path}~maybe")
        if reading.inputs.first(f"{path}~given") is None:
            reading.inputs.pass_over(f"{path}.value")
            return None
        return take(self.shape, reading, f"{path}.value", MISSING if before is None else before)

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        inner = lay(self.shape, laying, f"{path}.value", Head())
        fields = inner.fields if isinstance(inner, GroupField) and inner.given is None else (inner,)
        common = laying.common(path, head, optional=True)
        common["errors"] = (*common["errors"], *(inner.errors if fields != (inner,) else ()))
        return GroupField(
            **common,
            fields=fields,
            given=laying.inputs.first(f"{path}~given") is not None,
            give=laying.around.say(_("Use this")),
        )

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        if one is None or other is None:
            return one is other
        return alike(self.shape, one, other, around)

    @override
    def locate(self, inputs: Inputs, path: str, loc: Loc) -> tuple[str, Shape]:
        if inputs.first(f"{path}~given") is None or not loc:
            return path, self
        return locate(self.shape, inputs, f"{path}.value", loc)


@dataclass(frozen=True)
class Rows(Shape):
    """A list of models, a row for each."""

    shape: Shape
    most: int | None = None

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        if not isinstance(value, list) or len(value) > MAX_ROWS:
            raise TypeError("no list, or too long")
        out[f"{path}~list"] = ["1"]
        if value:
            out[f"{path}~row"] = [str(number) for number in range(len(value))]
        for number, one in enumerate(value):
            put(self.shape, out, f"{path}.{number}", one, around)

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        self.fill(out, path, [], around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        reading.inputs.first(f"{path}~list")
        if len(reading.inputs.all(f"{path}~row")) > MAX_ROWS:
            reading.refuse(path, _("Use at most {most} rows.", most=MAX_ROWS))
        found = [take(self.shape, reading, f"{path}.{number}") for number in rows(reading.inputs, path)]
        return [None if one is MISSING else one for one in found]

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        say, numbers = laying.around.say, rows(laying.inputs, path)
        found = []
        for place, number in enumerate(numbers, 1):
            below = f"{path}.{number}"
            if not laying.inputs.present(below):  # it was added just now
                fresh: Raw = {}
                self.shape.blank(fresh, below, laying.around)
                laying.inputs.add(fresh)
            inner = lay(self.shape, laying, below, Head())
            fields = inner.fields if isinstance(inner, GroupField) and not inner.errors else (inner,)
            title = say(_("No. {number}", number=place))
            found.append(Row(number, title, fields, say(_("Remove no. {number}", number=place))))
        full = len(numbers) >= min(MAX_ROWS, self.most or MAX_ROWS)
        common = laying.common(path, head)
        return RowsField(**common, rows=tuple(found), add="" if full else say(_("Add a row")))

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
            return plain(one) == plain(other)
        return all(alike(self.shape, *pair, around) for pair in zip(one, other, strict=True))

    @override
    def locate(self, inputs: Inputs, path: str, loc: Loc) -> tuple[str, Shape]:
        numbers = rows(inputs, path)
        if loc and isinstance(loc[0], int) and 0 <= loc[0] < len(numbers):
            return locate(self.shape, inputs, f"{path}.{numbers[loc[0]]}", loc[1:])
        return path, self


@dataclass(frozen=True)
class Lines(Shape):
    """A list of simple values, one in each line."""

    item: Leaf
    optional: bool = False

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        if value is None and self.optional:
            out[path] = [""]
            return
        if not isinstance(value, list) or len(value) > MAX_LINES:
            raise TypeError("no list, or too long")
        out[path] = ["\n".join(self.item.text(one, around) for one in value)]

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        del around
        out[path] = [""]

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        text = reading.one(path)
        if text is None:
            return MISSING
        if not text.strip() and self.optional:
            return None
        value = []
        for number, line in lines(text):
            try:
                value.append(self.item.value(line, reading.around))
            except Misfit as error:
                reason = reading.around.say(error.reason)
                reading.refuse(path, _("Line {number}: {reason}", number=number, reason=reason))
                return MISSING
            if number > MAX_LINES:
                reading.refuse(path, _("Use at most {most} lines.", most=MAX_LINES))
                return MISSING
        return value

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        return TextField(
            **laying.common(path, head, optional=self.optional),
            limits=laying.around.say(_("One in each line.")),
            text=(laying.inputs.first(path) or "").replace("\r\n", "\n"),
            long=True,
            placeholder=laying.around.translate(head.placeholder) if head.placeholder else "",
            unit=self.item.unit(head, laying.around),
        )

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        if not isinstance(one, list) or not isinstance(other, list) or len(one) != len(other):
            return plain(one) == plain(other)
        return all(alike(self.item, *pair, around) for pair in zip(one, other, strict=True))

    @override
    def limit(self, value: Any, around: Surroundings) -> str:
        return self.item.limit(value, around)


def rows(inputs: Inputs, path: str) -> list[int]:
    """The numbers of the rows of a list, in order; what is no number is passed over."""
    given = inputs.all(f"{path}~row")[:MAX_ROWS]
    return list(
        dict.fromkeys(int(text) for text in given if text.isascii() and text.isdecimal() and len(text) <= 6)
    )


def lines(text: str) -> list[tuple[int, str]]:
    """The lines of a text that hold something, with their numbers from 1."""
    split = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [(number, line) for number, line in enumerate(split, 1) if line.strip()]


def add_row(inputs: Inputs, path: str) -> None:
    """Add an empty row to a list; nothing happens if it is full."""
    numbers = rows(inputs, path)
    if len(numbers) < MAX_ROWS:
        free = next(number for number in range(MAX_ROWS + 1) if number not in numbers)
        inputs.raw[f"{path}~row"] = [*map(str, numbers), str(free)]


def remove_row(inputs: Inputs, path: str, number: int) -> None:
    """Take a row out of a list."""
    inputs.raw[f"{path}~row"] = [str(one) for one in rows(inputs, path) if one != number]
