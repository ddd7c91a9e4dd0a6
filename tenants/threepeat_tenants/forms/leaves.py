"""Shapes of one input: texts, yes or no, secrets, and JSON."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from threepeat.sdk.wording import _
from threepeat_tenants.forms.fields import Field, FlagField, SecretField, TextField
from threepeat_tenants.forms.inputs import Inputs, Raw
from threepeat_tenants.forms.shapes import MISSING, Head, Laying, Loc, Misfit, Reading, Shape, json_field
from threepeat_tenants.forms.surroundings import Surroundings

UNITS: Mapping[str, str] = {
    "percent": "%",
    "days": _("days"),
    "hours": _("hours"),
    "minutes": _("minutes"),
    "points": _("points"),
    "times": _("times"),
    "factor": _("×"),
}


class Leaf(Shape):
    """One input with a text in it.

    Attributes:
        optional: Empty means that there is no value.
    """

    optional: bool

    kind: ClassVar[str] = "text"
    mode: ClassVar[str] = "text"

    @abstractmethod
    def text(self, value: Any, around: Surroundings) -> str:
        """How a value is written."""

    @abstractmethod
    def value(self, text: str, around: Surroundings) -> Any:
        """What a text means.

        Raises:
            Misfit: Nothing that fits.
        """

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        out[path] = [""] if value is None and self.optional else [self.text(value, around)]

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
        if not text.strip():
            if self.optional:
                return None
            reading.refuse(path, _("Fill this in."))
            return MISSING
        try:
            return self.value(text, reading.around)
        except Misfit as error:
            reading.refuse(path, error.reason)
            return MISSING

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        return TextField(
            **laying.common(path, head, optional=self.optional),
            text=laying.inputs.first(path) or "",
            kind=self.kind,
            mode=self.mode,
            placeholder=laying.around.translate(head.placeholder) if head.placeholder else "",
            unit=self.unit(head, laying.around),
        )

    def unit(self, head: Head, around: Surroundings) -> str:
        """What stands beside the input."""
        return around.say(UNITS[head.unit]) if head.unit in UNITS else ""


@dataclass(frozen=True)
class Text(Leaf):
    """A text; an empty one is a text too, unless there may be none."""

    optional: bool = False
    long: bool = False

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        del around
        if not isinstance(value, str):
            raise TypeError(value)
        return value

    @override
    def value(self, text: str, around: Surroundings) -> str:
        del around
        return text.replace("\r\n", "\n").replace("\r", "\n")

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        super().fill(out, path, value, around)
        if not self.long and "\n" in out[path][0]:
            out[f"{path}~lines"] = ["1"]

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        reading.inputs.first(f"{path}~lines")
        text = reading.one(path)
        if text is None:
            return MISSING
        return None if self.optional and not text else self.value(text, reading.around)

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        return TextField(
            **laying.common(path, head, optional=self.optional),
            text=self.value(laying.inputs.first(path) or "", laying.around),
            long=self.long,
            lines=laying.inputs.first(f"{path}~lines") is not None,
            placeholder=laying.around.translate(head.placeholder) if head.placeholder else "",
            unit=self.unit(head, laying.around),
        )


@dataclass(frozen=True)
class Flag(Shape):
    """Yes or no, as a box to tick; a mark beside it tells "no" from "not sent"."""

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        del around
        if not isinstance(value, bool):
            raise TypeError(value)
        out[f"{path}~flag"] = ["1"]
        if value:
            out[path] = ["true"]

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        self.fill(out, path, value=False, around=around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        marked = reading.inputs.first(f"{path}~flag") is not None
        given = reading.one(path)
        return MISSING if given is None and not marked else given is not None

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        return FlagField(**laying.common(path, head), on=laying.inputs.first(path) is not None)


@dataclass(frozen=True)
class Secret(Shape):
    """A secret: never shown, kept unless it is replaced or cleared.

    Attributes:
        cleared: What is saved to clear it; MISSING if it cannot be cleared.
    """

    cleared: Any = None

    shows_all: ClassVar[bool] = True

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        del value
        self.blank(out, path, around)

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        del around
        out[path] = [""]

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        text, clear = reading.one(path), reading.inputs.first(f"{path}~clear") is not None
        if text and clear:
            reading.refuse(path, _("Either enter a new one or clear it."))
        elif clear and self.cleared is not MISSING:
            return self.cleared
        return text or MISSING

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        around, common = laying.around, laying.common(path, head)
        is_set = laying.secrets.get(path.removeprefix(f"{laying.prefix}."), False)
        typed = bool(laying.inputs.first(path))
        if typed and not common["errors"]:
            common["errors"] = (around.say(_("Enter it again: a secret is not shown.")),)
        return SecretField(
            **{**common, "unset": False},
            state=around.say(_("It is set. Leave this empty to keep it.") if is_set else _("It is not set.")),
            clear=around.say(_("Clear it")) if is_set and self.cleared is not MISSING else "",
            clearing=laying.inputs.first(f"{path}~clear") is not None,
        )


@dataclass(frozen=True)
class Json(Shape):
    """Whatever no other shape knows."""

    shows_all: ClassVar[bool] = True

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        del around
        out[f"{path}~json"] = [json.dumps(value, ensure_ascii=False, indent=2)]

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        del around
        out[f"{path}~json"] = [""]

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        reading.inputs.pass_over(path)
        return MISSING

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        return json_field(laying, path, head, "")

    @override
    def locate(self, inputs: Inputs, path: str, loc: Loc) -> tuple[str, Shape]:
        del inputs, loc
        return path, self
