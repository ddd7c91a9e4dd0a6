"""How a member rises, and what a review says. Pure: no database."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from threepeat_tiers.rules import Rules
from threepeat_tiers.windows import DAY, next_review, window_end, window_start


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a member stands; the columns of the table."""

    member_id: int
    version: int
    earned: int
    paid: int
    granted: int
    joined_on: date
    reviewed_on: date | None
    review_on: date
    grace_until: date | None = None
    grace_since: date | None = None
    fell_from: int | None = None
    fell_version: int | None = None
    fell_since: date | None = None

    @property
    def level(self) -> int:
        """The tier that counts: the highest of the three."""
        return max(self.earned, self.paid, self.granted)

    @property
    def fell_by(self) -> tuple[date, date] | None:
        """From which to which day growth was looked at when the last review took a tier; None if it took none."""
        if self.fell_since is None or self.reviewed_on is None:
            return None
        return self.fell_since, self.reviewed_on - DAY


@dataclass(frozen=True, slots=True)
class Entry:
    """Growth that something brought; 0 for what only makes a member known."""

    member_id: int
    position: int
    occurred_at: datetime
    day: date
    value: int


@dataclass(frozen=True, slots=True)
class Step:
    """A rise, and what brought it.

    Attributes:
        again: It only gives back what a review took.
    """

    position: int
    occurred_at: datetime
    standing: Standing
    again: bool = False


@dataclass(frozen=True, slots=True)
class Fall:
    """A tier that the last review took: its level, the rules that judged, their window, and its growth by now."""

    level: int
    rules: Rules
    first: date
    last: date
    growth: int


def newcomer(rules: Rules, version: int, member_id: int, joined_on: date, day: date) -> Standing:
    """How somebody stands who was just met, and is reviewed first after a day."""
    return Standing(member_id, version, 0, 0, 0, joined_on, None, next_review(rules, joined_on, day))


def span(rules: Rules, standing: Standing, days: Iterable[date]) -> tuple[date, date]:
    """From the first to the last day that can matter to a rise on these days."""
    looked = [_looked_at(standing, day) for day in days]
    return (
        min(window_start(rules, standing.joined_on, day) for day in looked),
        max(window_end(rules, standing.joined_on, day) for day in looked),
    )


def climb(
    rules: Rules,
    standing: Standing,
    known: Mapping[date, int],
    entries: Sequence[Entry],
    fall: Fall | None = None,
) -> Iterator[Step]:
    """The rises that growth brings, one entry after the other.

    A member rises as soon as any window that contains the entry and ends after the last review reaches a higher
    tier. What comes in late for the window by which the last review took a tier gives it back as soon as the
    review would have left it. So late entries count, and how entries were cut into batches makes no difference.

    Args:
        known: Growth by day, without the entries.
        entries: In the order of the log.
        fall: Without the entries, too.
    """
    growth = Counter(known)
    for entry in entries:
        growth[entry.day] += entry.value
        if fall is not None and fall.first <= entry.day <= fall.last:
            fall = replace(fall, growth=fall.growth + entry.value)
            restored = given_back(rules, standing, fall)
            if restored != standing:
                standing = restored
                yield Step(entry.position, entry.occurred_at, standing, again=True)
        first = _looked_at(standing, entry.day)
        level = reached(rules, standing, growth, first)
        if level > standing.earned:
            review = max(standing.review_on, next_review(rules, standing.joined_on, first))
            standing = replace(standing, earned=level, review_on=review, grace_until=None, grace_since=None)
            yield Step(entry.position, entry.occurred_at, standing)


def reached(rules: Rules, standing: Standing, growth: Mapping[date, int], first: date) -> int:
    """The highest tier that any window reaches that ends with a day or later; a ranking is made only monthly."""
    if rules.mode == "share":
        return rules.lowest
    last = window_end(rules, standing.joined_on, first)
    ends = {first, *(day for day in growth if first < day <= last)}
    return max(rules.qualified(in_window(rules, standing, growth, day)) for day in ends)


def in_window(rules: Rules, standing: Standing, growth: Mapping[date, int], day: date) -> int:
    """The growth of the window that ends with a day."""
    first = window_start(rules, standing.joined_on, day)
    return sum(value for one, value in growth.items() if first <= one <= day)


def given_back(rules: Rules, standing: Standing, fall: Fall) -> Standing:
    """How a member would stand if the review had seen this growth; the same if that brings nothing back."""
    kept = fall.rules.kept(fall.level, fall.growth)
    level = rules.fit(fall.level if kept else min(fall.rules.qualified(fall.growth), fall.level))
    return replace(standing, earned=level) if level > standing.earned else standing


def reviewed_window(rules: Rules, standing: Standing) -> tuple[date, date]:
    """From which to which day growth counts for the review that a member waits for.

    At the end of the days of grace, what came in them counts on top of the time that fell short.
    """
    last = standing.review_on - DAY
    if standing.grace_since is not None and standing.review_on == standing.grace_until:
        return standing.grace_since, last
    return window_start(rules, standing.joined_on, last), last


def review(
    rules: Rules,
    standing: Standing,
    growth: int,
    newest: tuple[int, Rules],
    growth_now: int,
    cuts: Mapping[int, int],
) -> Standing:
    """How a member stands after a review.

    Args:
        rules: The version under which the period ran.
        growth: Of the reviewed window, by those rules.
        newest: Number and rules of the version that counts from here.
        growth_now: Of the window that ended before the review, by the newest rules.
        cuts: For a ranking, the growth that each level above the lowest asks for.
    """
    level, fell = standing.earned, False
    if rules.mode == "share":
        level = _placed(rules, growth, cuts)
    elif rules.qualified(growth) < level and not rules.kept(level, growth):
        graced = standing.grace_until is not None and standing.grace_until <= standing.review_on
        if rules.grace_days and not graced:
            until = standing.review_on + rules.grace_days * DAY
            since = window_start(rules, standing.joined_on, standing.review_on - DAY)
            return replace(standing, grace_until=until, grace_since=since, review_on=until)
        earned = rules.qualified(growth)
        level = max(rules.below(level), earned) if rules.downgrade == "one_down" else earned
        fell = True
    else:
        level = max(level, rules.qualified(growth))
    number, coming = newest
    level = coming.fit(level)
    if coming.mode == "threshold" and rules is not coming:
        level = max(level, coming.qualified(growth_now))
    if coming.mode == "share":
        level = max(level, coming.lowest)
    return replace(
        standing,
        version=number,
        earned=level,
        reviewed_on=standing.review_on,
        review_on=next_review(coming, standing.joined_on, standing.review_on),
        grace_until=None,
        grace_since=None,
        fell_from=standing.earned if fell else None,
        fell_version=standing.version if fell else None,
        fell_since=reviewed_window(rules, standing)[0] if fell else None,
    )


def _placed(rules: Rules, growth: int, cuts: Mapping[int, int]) -> int:
    """The best tier of which a member has the growth; whoever has none stands in the lowest."""
    reached = (level for level, least in cuts.items() if growth >= least and level in rules.by_level)
    return max(reached, default=rules.lowest) if growth > 0 else rules.lowest


def _looked_at(standing: Standing, day: date) -> date:
    """The earliest day with which a window may end: what was reviewed is not looked at again."""
    return max(day, standing.reviewed_on) if standing.reviewed_on is not None else day
