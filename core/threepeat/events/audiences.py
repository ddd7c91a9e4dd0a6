"""Whom an audience is made for, worked out for many members at once, in three-valued logic.

Each condition splits the members into those of whom it is known to hold, those of whom it is known not to hold,
and the rest, of whom it cannot be known. `not` swaps the first two; whoever is in the rest stays there, so that
what is unknown lets nobody in, in whatever way it is asked.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from threepeat.sdk.audience import OPS, Audience
from threepeat.sdk.facts import Fact

Members = frozenset[int]
NOBODY: Members = frozenset()


class Answered(NamedTuple):
    """A fact with what it says now, by member."""

    fact: Fact
    values: Mapping[int, Any]


class Split(NamedTuple):
    """Members of whom something is known to hold, and known not to hold."""

    holds: Members
    fails: Members


_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": lambda value, wanted: value == wanted,
    "differs": lambda value, wanted: value != wanted,
    "at_least": lambda value, wanted: value >= wanted,
    "at_most": lambda value, wanted: value <= wanted,
    "more_than": lambda value, wanted: value > wanted,
    "less_than": lambda value, wanted: value < wanted,
    "between": lambda value, wanted: wanted[0] <= value <= wanted[1],
    "is": lambda value, wanted: value == wanted,
    "is_not": lambda value, wanted: value != wanted,
    "one_of": lambda value, wanted: value in wanted,
    "is_true": lambda value, _: value is True,
    "is_false": lambda value, _: value is False,
    "has": lambda value, wanted: wanted in value,
    "has_not": lambda value, wanted: wanted not in value,
    "has_any": lambda value, wanted: not value.isdisjoint(wanted),
    "within_days": lambda value, since: value is not None and value >= since,
    "more_than_days_ago": lambda value, since: value is not None and value < since,
    "never": lambda value, _: value is None,
}


def split(audience: Audience, answers: Mapping[str, Answered], members: Members, now: datetime) -> Split:
    """Split members by an audience.

    Args:
        answers: Facts by name; one that is missing cannot be known.
        members: Members of the store; the empty audience holds for all of them.
        now: What `within_days` and `more_than_days_ago` count back from.
    """
    if audience.fact is not None:
        return _condition(audience, answers.get(audience.fact), members, now)
    parts = [split(part, answers, members, now) for _, part in audience.parts]
    if audience.not_ is not None:
        return Split(parts[0].fails, parts[0].holds)
    if audience.any is not None:
        holds = NOBODY.union(*(part.holds for part in parts))
        return Split(holds, members.intersection(*(part.fails for part in parts)))
    holds = members.intersection(*(part.holds for part in parts))
    return Split(holds, NOBODY.union(*(part.fails for part in parts)))


def _condition(condition: Audience, answered: Answered | None, members: Members, now: datetime) -> Split:
    if answered is None or condition.op not in OPS[answered.fact.kind]:
        return Split(NOBODY, NOBODY)
    wanted: Any = condition.value
    known: Mapping[int, Any] = {member: answered.values[member] for member in members if member in answered.values}
    if answered.fact.kind == "instant":
        # Whoever is absent is known too: it never happened.
        known = {**dict.fromkeys(members), **known}
        wanted = now - timedelta(days=wanted) if wanted is not None else None
    test = _TESTS[condition.op]
    holds = frozenset(member for member, value in known.items() if test(value, wanted))
    return Split(holds, frozenset(known) - holds)
