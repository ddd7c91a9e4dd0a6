"""Shapes of what a store has: a reward with its amount, one of several things by its id, or some of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from typing_extensions import override

from threepeat.plugins.translations import titled
from threepeat.sdk.wording import _
from threepeat_tenants.forms.choices import Choice, Choices, Pick
from threepeat_tenants.forms.fields import Field, GroupField
from threepeat_tenants.forms.inputs import Inputs, Raw
from threepeat_tenants.forms.leaves import Leaf, Text
from threepeat_tenants.forms.numbers import Bounds, Whole
from threepeat_tenants.forms.shapes import MISSING, Head, Laying, Loc, Reading, Shape
from threepeat_tenants.forms.surroundings import Surroundings

AMOUNT = Whole(bounds=Bounds(least=1, most=10**9))
KIND = Text()
COLON = ":"
"""Stands between a kind and which one of it; no kind has one."""


def _key(kind: str, item: str) -> str:
    return f"{kind}{COLON}{item}" if item else kind


def picks(around: Surroundings) -> Iterator[Pick]:
    """The kinds that the store has; of those with several each one."""
    for kind, one in around.kinds.items():
        title = titled(one.title, around.locale)
        if one.items is None:
            yield Pick(kind, kind, title)
        for item, name in around.items.get(kind, {}).items():
            yield Pick(_key(kind, item), _key(kind, item), f"{title}: {name}")


@dataclass(frozen=True)
class Which(Leaf):
    """Which one of what the store has of something, by its id; `source` is `items` of the SDK's `shown`."""

    source: str
    optional: bool = False

    shows_all: ClassVar[bool] = True

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        del around
        return str(value)

    @override
    def value(self, text: str, around: Surroundings) -> Any:
        del around
        return text

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        # The one that is stored may be given no more: it stays to be read.
        named = laying.around.items.get(self.source, {})
        picks = tuple(Pick(item, item, name) for item, name in named.items())
        return Choice(picks, optional=self.optional, listed=True).lay(laying, path, head)


@dataclass(frozen=True)
class Some(Shape):
    """Some of what the store has of something, by their ids, as boxes to tick."""

    source: str

    shows_all: ClassVar[bool] = True

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        del around
        if not isinstance(value, list):
            raise TypeError("no list")
        out[f"{path}~list"] = ["1"]
        if value:
            out[path] = [str(one) for one in value]

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        self.fill(out, path, [], around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        held = [one for one in before if isinstance(one, str)] if isinstance(before, list) else []
        got = self._boxes(reading.around, held).read(reading, path, before)
        # The order of the boxes is not the order that is stored, and means nothing.
        return before if isinstance(got, list) and sorted(got) == sorted(held) else got

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        return self._boxes(laying.around, laying.inputs.all(path)).lay(laying, path, head)

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        return self._boxes(around).same(one, other, around)

    def _boxes(self, around: Surroundings, held: Sequence[str] = ()) -> Choices:
        """What there is, and what was chosen and is there no more."""
        named = around.items.get(self.source, {})
        gone = {one: _("{name} (no longer there)", name=one) for one in held if one not in named}
        picks = [Pick(item, item, name) for item, name in named.items()]
        return Choices((*picks, *(Pick(one, one, say, ours=True) for one, say in gone.items())), ordered=False)


@dataclass(frozen=True)
class Prize(Shape):
    """A `RewardChoice`."""

    optional: bool = False

    @override
    def fill(self, out: Raw, path: str, value: Any, around: Surroundings) -> None:
        if value is None and self.optional:
            self.blank(out, path, around)
            return
        if not isinstance(value, Mapping) or not {"kind", "amount"} <= set(value) <= {"kind", "amount", "item"}:
            raise TypeError("no reward")
        KIND.fill(out, f"{path}.kind", _key(value["kind"], value.get("item", "")), around)
        AMOUNT.fill(out, f"{path}.amount", value["amount"], around)

    @override
    def blank(self, out: Raw, path: str, around: Surroundings) -> None:
        KIND.blank(out, f"{path}.kind", around)
        AMOUNT.blank(out, f"{path}.amount", around)

    @override
    def read(self, reading: Reading, path: str, before: Any) -> Any:
        del before
        kind = KIND.read(reading, f"{path}.kind", MISSING)
        typed = reading.one(f"{path}.amount")
        if kind in {"", MISSING} and not (typed or "").strip() and self.optional:
            return None
        amount = AMOUNT.read(reading, f"{path}.amount", MISSING)
        if kind in {"", MISSING}:
            reading.refuse(f"{path}.kind", _("Choose a reward."))
            return MISSING
        if amount is MISSING:
            return MISSING
        kind, _colon, item = kind.partition(COLON)
        return {"kind": kind, "amount": amount, "item": item} if item else {"kind": kind, "amount": amount}

    @override
    def lay(self, laying: Laying, path: str, head: Head) -> Field:
        around = laying.around
        kinds = tuple(picks(around))
        # An optional choice has an entry for "none"; a required one asks for a choice while there is none.
        chosen = Choice(kinds, optional=self.optional).lay(laying, f"{path}.kind", Head(around.say(_("Reward"))))
        amount = AMOUNT.lay(laying, f"{path}.amount", Head(around.say(_("How much"))))
        return GroupField(**laying.common(path, head, optional=self.optional), fields=(chosen, amount))

    @override
    def locate(self, inputs: Inputs, path: str, loc: Loc) -> tuple[str, Shape]:
        del inputs
        if loc and loc[0] in {"kind", "item"}:
            return f"{path}.kind", KIND
        if loc and loc[0] == "amount":
            return f"{path}.amount", AMOUNT
        return path, self
