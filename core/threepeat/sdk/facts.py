"""What others may know of a member, and factors on what a member gets."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event

Value = int | str | bool | datetime | frozenset[str]
"""A fact's value: of the type that its kind says."""

FactKind = Literal["number", "choice", "flag", "instant", "tags"]


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is known of a member. Build it with `fact`."""

    name: str
    kind: FactKind
    title: Mapping[str, str]
    answer: Callable[[Any, Collection[int]], Mapping[int, Any]]
    unit: str
    choices: tuple[str, ...]
    default: Any


def fact(
    name: str,
    answer: Callable[[Any, Collection[int]], Mapping[int, Any]],
    *,
    kind: FactKind,
    title: Mapping[str, str],
    unit: str = "",
    choices: Collection[str] = (),
    default: Value | None = None,
) -> Fact:
    """Declare a fact.

    Args:
        name: `{plugin id}.{name}`, such as `orders.count`; stored in audiences, so it stays as it is.
        answer: Takes a context and many members, returns values by member; whoever is absent has the default.
        kind: `number` (an integer; money is in minor units), `choice` (one of `choices`), `flag`, `instant`
            (when something last happened) or `tags` (a set of short texts).
        title: What merchants read, by language: `{"en": "orders so far", "zh": "累计订单数"}`.
        unit: `money` for minor units of the tenant's currency, `days`, or empty.
        choices: The values that a choice may have.
        default: The value of a member of whom nothing is known; None fulfils no condition.
    """
    if "en" not in title or "zh" not in title:
        raise PluginError(f"the fact {name!r} needs a title in en and in zh")
    if (kind == "choice") != bool(choices):
        raise PluginError(f"the fact {name!r}: choices belong to the kind choice")
    return Fact(name, kind, dict(title), answer, unit, tuple(choices), default)


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
