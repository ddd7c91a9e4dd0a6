"""What others may know of a member, and factors on what a member gets."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event
from threepeat.sdk.storable import INT64, fault

Value = int | str | bool | datetime | frozenset[str]
"""A fact's value: of the type that its kind says."""

FactKind = Literal["number", "choice", "flag", "instant", "tags"]
FactUnit = Literal["", "money", "days"]

FACT_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
MAX_TEXT = 100
"""Longest name of a fact, and longest choice or tag, in characters."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of a member. Build it with `fact`."""

    name: str
    kind: FactKind
    title: Mapping[str, str]
    answer: Callable[[Any, Collection[int]], Mapping[int, Any]]
    unit: FactUnit
    choices: tuple[str, ...]
    default: Any

    def fault(self, value: object) -> str | None:
        """Why this cannot be a value of the fact, or None if it can."""
        if self.kind != "choice":
            return _FAULTS[self.kind](value)
        known = isinstance(value, str) and value in self.choices
        return None if known else f"{_type(value)} is none of {', '.join(self.choices)}"


def fact(
    name: str,
    answer: Callable[[Any, Collection[int]], Mapping[int, Any]],
    *,
    kind: FactKind,
    title: Mapping[str, str],
    unit: FactUnit = "",
    choices: Collection[str] = (),
    default: Value | None = None,
) -> Fact:
    """Declare a fact.

    Args:
        name: `{plugin id}.{name}`, such as `orders.count`; stored in audiences, so it stays as it is.
        answer: Takes a context and many members, returns values by member; whoever is absent has the default.
            It tells what is so now, reads only, and names no member that it was not asked about.
        kind: `number` (an integer; money is in minor units), `choice` (one of `choices`), `flag`, `instant`
            (when something last happened) or `tags` (a set of short texts).
        title: What merchants read, by language, as it stands in a sentence: a noun in the singular for `number`,
            `choice` and `instant` (`{"en": "number of orders", "zh": "累计订单数"}`), one in the plural for
            `tags` (`interests`), what members do for a `flag` (`follow the account`).
        unit: `money` for minor units of the tenant's currency, `days`, or empty.
        choices: The values that a choice may have.
        default: The value of a member of whom nothing is known. Without one nothing is known of that member, which
            fulfils no condition; only an `instant` that is absent is known: it never happened.

    Raises:
        PluginError: The name, the title, the choices, the unit or the default does not fit.
    """
    if not FACT_NAME.fullmatch(name) or len(name) > MAX_TEXT:
        raise PluginError(f"the fact {name!r} must match {FACT_NAME.pattern}")
    if not title.get("en") or not title.get("zh"):
        raise PluginError(f"the fact {name!r} needs a title in en and in zh")
    if (kind == "choice") != bool(choices):
        raise PluginError(f"the fact {name!r}: choices belong to the kind choice")
    if unit and kind != "number":
        raise PluginError(f"the fact {name!r}: a unit belongs to the kind number")
    made = Fact(name, kind, dict(title), answer, unit, tuple(choices), default)
    reason = next(filter(None, map(text_fault, made.choices)), None)
    if reason is None and default is not None:
        reason = made.fault(default)
    if reason is not None:
        raise PluginError(f"the fact {name!r}: {reason}")
    return made


def whole_fault(value: object) -> str | None:
    """Why this is no integer of 64 bits, or None if it is one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{_type(value)} is no whole number"
    return None if value in INT64 else "the number is beyond 64 bits"


def text_fault(value: object) -> str | None:
    """Why this is no short text, or None if it is one."""
    if not isinstance(value, str):
        return f"{_type(value)} is no text"
    if not 0 < len(value) <= MAX_TEXT:
        return f"a text needs 1 to {MAX_TEXT} characters"
    wrong = fault(value)
    return f"the text {wrong}" if wrong else None


def _flag_fault(value: object) -> str | None:
    return None if isinstance(value, bool) else f"{_type(value)} is neither true nor false"


def _instant_fault(value: object) -> str | None:
    if not isinstance(value, datetime):
        return f"{_type(value)} is no instant"
    return None if value.utcoffset() is not None else "the instant has no time zone"


def _tags_fault(value: object) -> str | None:
    if not isinstance(value, AbstractSet):
        return f"{_type(value)} is no set"
    return next(filter(None, map(text_fault, value)), None)


def _type(value: object) -> str:
    """A value as a reason names it: its content may be personal data, so it is not repeated."""
    return f"a value of type {type(value).__name__}"


_FAULTS: Mapping[FactKind, Callable[[object], str | None]] = {
    "number": whole_fault,
    "flag": _flag_fault,
    "instant": _instant_fault,
    "tags": _tags_fault,
}


class AsOf(NamedTuple):
    """A member at a moment of the tenant's log."""

    member: int
    position: int
    occurred_at: datetime

    @classmethod
    def of(cls, event: Event) -> "AsOf":
        """The moment of an event."""
        return cls(event.member, event.position, event.occurred_at)


@dataclass(frozen=True, slots=True)
class Multiplier:
    """A factor on a kind of reward. Build it with `multiplier`."""

    kind: str
    answer: Callable[[Any, Sequence[AsOf]], Sequence[Fraction]]


def multiplier(kind: str, answer: Callable[[Any, Sequence[AsOf]], Sequence[Fraction]]) -> Multiplier:
    """Declare a factor on what members earn of a kind of reward.

    Args:
        kind: The reward's kind, such as `points`.
        answer: Takes a context and many moments, returns one factor for each, in their order. It answers as of
            that position: asking again later, after other events, must give the same. It is asked only about
            members who take part; the plugin is served before the one that grants the reward.
    """
    return Multiplier(kind, answer)
