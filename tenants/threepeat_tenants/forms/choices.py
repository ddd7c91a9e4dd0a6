"""Shapes of values from a list: one of them, or several."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from threepeat.sdk.wording import _
from threepeat_tenants.forms.fields import ChoiceField, Field, Option
from threepeat_tenants.forms.inputs import Raw
from threepeat_tenants.forms.leaves import Leaf
from threepeat_tenants.forms.shapes import MISSING, Head, Laying, Misfit, Reading, Shape, plain
from threepeat_tenants.forms.surroundings import Surroundings

MAX_RADIOS = 4
"""More values than these stand in a list to open."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A value that may be chosen.

    Attributes:
        key: What the browser sends.
        title: What it is called, unless the field says otherwise.
        ours: The title is one of our own texts, not the plugin's.
    """

    value: Any
    key: str
    title: str
    ours: bool = False


@dataclass(frozen=True)
class Choice(Leaf):
    """One of several values.

    Attributes:
        listed: They stand in a list to open, however few they are.
    """

    picks: tuple[Pick, ...]
    optional: bool = False
    listed: bool = False

    shows_all: ClassVar[bool] = True

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        del around
        return next((pick.key for pick in self.picks if plain(pick.value) == plain(value)), str(value))

    @override
    def value(self, text: str, around: Surroundings) -> Any:
        del around
        for pick in self.picks:
            if pick.key == text:
                return pick.value
        raise Misfit(_("Choose one of these."))

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        text = laying.inputs.first(path) or ""
        around, radios = laying.around, not self.listed and len(self.picks) <= MAX_RADIOS
        chosen = tuple(options(self.picks, {text}, head, around))
        if text and not any(option.chosen for option in chosen):
            gone = Option(text, around.say(_("{name} (no longer there)", name=text)), chosen=True)
            chosen = (*chosen, gone)
        if self.optional:
            chosen = (Option("", around.say(_("None")), chosen=not text), *chosen)
        elif not radios:
            chosen = (Option("", around.say(_("Choose…")), chosen=not text), *chosen) if not text else chosen
        return ChoiceField(
            **laying.common(path, head, optional=self.optional),
            options=chosen,
            radios=radios,
        )


@dataclass(frozen=True)
class Choices(Shape):
    """Several of a few values, as boxes to tick.

    Attributes:
        ordered: The model keeps a list; its order can only be shown if it is that of the boxes.
    """

    picks: tuple[Pick, ...]
    ordered: bool

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        del around
        by_value = {plain(pick.value): pick.key for pick in self.picks}
        keys = {by_value[plain(one)] for one in value}
        out[f"{path}~list"] = ["1"]
        if keys:
            out[path] = [pick.key for pick in self.picks if pick.key in keys]

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        self.fill(out, path, [], around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        marked, keys = reading.inputs.first(f"{path}~list"), reading.inputs.all(path)
        if marked is None and not keys:
            return MISSING
        known = {pick.key: pick.value for pick in self.picks}
        if any(key not in known for key in keys):
            reading.refuse(path, _("Choose from these."))
            return MISSING
        return [known[key] for key in dict.fromkeys(keys)]

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        chosen = options(self.picks, set(laying.inputs.all(path)), head, laying.around)
        return ChoiceField(**laying.common(path, head), options=tuple(chosen), many=True, radios=True)

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        if self.ordered or not isinstance(one, list) or not isinstance(other, list):
            return super().same(one, other, around)
        return sorted(map(plain, one)) == sorted(map(plain, other))


def options(picks: tuple[Pick, ...], chosen: set[str], head: Head, around: Surroundings) -> Iterator[Option]:
    """What can be chosen, said in the reader's language."""
    for pick in picks:
        title = head.titles.get(pick.key)
        said = around.say(pick.title) if pick.ours and title is None else around.translate(title or pick.title)
        yield Option(pick.key, said, pick.key in chosen)
