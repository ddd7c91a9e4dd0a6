"""Rewards for entering a tier and on the birthday: once for each member, tier and period."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row

from threepeat.sdk import Due, Grant, GrantState, Occurrence, RewardChoice
from threepeat_tiers.rules import TierRule
from threepeat_tiers.versions import Ctx, versions
from threepeat_tiers.windows import DAY

Occasion = Literal["entry", "birthday"]

EVER = "ever"
OWED_FOR = timedelta(days=35)
"""How long a promised reward is tried again: past the month's end, when there is a new budget."""
MOST = 5_000
LATE_DAYS = 7
"""Birthdays of so many days before a run are made up for after a pause."""
BIRTHDAYS = "birthdays"

SETTLE = "settle"

_FIRST = {
    "decided_at": datetime(2000, 1, 1, tzinfo=UTC).isoformat(),
    "member_id": 0,
    "occasion": "",
    "level": 0,
    "period": "",
    "number": 0,
}
"""Before every gift, in the order in which they are tried again."""

_KEPT = {GrantState.GRANTED, GrantState.DUPLICATE}
_LATER = {GrantState.OVER_BUDGET, GrantState.CLOSED}


@dataclass(frozen=True, slots=True)
class Entered:
    """A member who came into tiers, the lowest first; `paid` if by buying, so that nobody is held out."""

    member: int
    tiers: tuple[TierRule, ...]
    period: str
    paid: bool


@dataclass(frozen=True, slots=True)
class _Promise:
    """A reward of a tier that a member has coming; `number` is its place among those of the occasion."""

    member: int
    level: int
    period: str
    number: int
    choice: RewardChoice
    paid: bool = False


def enter(ctx: Ctx, entered: Sequence[Entered]) -> None:
    """Give what entering brings. Whoever leaves a tier and comes back in the same period gets nothing again."""
    due = [
        _Promise(one.member, tier.level, one.period, number, choice, one.paid)
        for one in entered
        for tier in one.tiers
        for number, choice in enumerate(tier.entry_rewards, 1)
    ]
    _promise(ctx, "entry", due)


def celebrate(ctx: Ctx, occurrence: Occurrence) -> None:
    """Give members their rewards on the morning of their birthday, a stretch of members at a time."""
    first = occurrence.day if occurrence.previous is None else occurrence.previous + DAY
    first = max(first, occurrence.day - (LATE_DAYS - 1) * DAY)
    _birthdays(ctx, first, occurrence.day, 0)


def go_on(ctx: Ctx, due: list[Due]) -> None:
    """The next stretch of the members whose birthday is in some days."""
    for one in due:
        if one.payload:
            first, last = (date.fromisoformat(one.payload[name]) for name in ("first", "last"))
            _birthdays(ctx, first, last, one.payload["after"])


def _birthdays(ctx: Ctx, first: date, last: date, after: int) -> None:
    days = [first + number * DAY for number in range((last - first).days + 1)]
    years = {named: day.year for day in days for named in _named(day)}
    order = sorted(years)
    rows = ctx.sql("birthdays", days=order, periods=[str(years[named]) for named in order], after=after, most=MOST)
    rules = versions(ctx, {row.version for row in rows})
    members = ctx.taking_part({row.member_id for row in rows})
    due = []
    for row in rows:
        tier = rules[row.version].at(row.level)
        if tier is not None and row.member_id in members:
            due += [
                _Promise(row.member_id, tier.level, row.period, number, choice)
                for number, choice in enumerate(tier.birthday_rewards, 1)
            ]
    _promise(ctx, "birthday", due)
    if len(rows) == MOST:
        payload = {"first": str(first), "last": str(last), "after": rows[-1].member_id}
        ctx.later(BIRTHDAYS, BIRTHDAYS, ctx.now, payload=payload)


def settle(ctx: Ctx, occurrence: Occurrence) -> None:
    """Try again to give what was promised and could not be given, a stretch of gifts at a time."""
    del occurrence
    _settle(ctx, _FIRST)


def settle_on(ctx: Ctx, due: list[Due]) -> None:
    """The next stretch of what is owed."""
    for one in due:
        if one.payload:
            _settle(ctx, one.payload)


def _settle(ctx: Ctx, after: Mapping[str, Any]) -> None:
    rows = ctx.sql("gifts_owed", **after, most=MOST)
    _give(ctx, rows)
    if len(rows) == MOST:
        place = {name: getattr(rows[-1], name) for name in _FIRST}
        ctx.later(SETTLE, SETTLE, ctx.now, payload={**place, "decided_at": place["decided_at"].isoformat()})


def _promise(ctx: Ctx, occasion: Occasion, due: Sequence[_Promise]) -> None:
    """Write gifts down, each once, and give those that are new."""
    if due:
        rows = ctx.sql(
            "promise",
            occasion=occasion,
            members=[one.member for one in due],
            levels=[one.level for one in due],
            periods=[one.period for one in due],
            numbers=[one.number for one in due],
            kinds=[one.choice.kind for one in due],
            amounts=[one.choice.amount for one in due],
            items=[one.choice.item for one in due],
            paid=[one.paid for one in due],
        )
        _give(ctx, rows)


def _give(ctx: Ctx, rows: Sequence[Row[Any]]) -> None:
    """Give what can be given now. What the month's budget does not cover stays owed for a while."""
    by_kind: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_kind[row.kind].append(row)
    done: list[tuple[Row[Any], str, str | None]] = []
    for kind, mine in by_kind.items():
        for row, answer in zip(mine, ctx.grant(kind, [_grant(row) for row in mine]), strict=True):
            if answer.state in _KEPT:
                done.append((row, "given", answer.key))
            elif answer.state not in _LATER or row.decided_at < ctx.now - OWED_FOR:
                done.append((row, "missed", None))
    if done:
        ctx.sql(
            "gifts_settled",
            members=[row.member_id for row, _, _ in done],
            occasions=[row.occasion for row, _, _ in done],
            levels=[row.level for row, _, _ in done],
            periods=[row.period for row, _, _ in done],
            numbers=[row.number for row, _, _ in done],
            states=[state for _, state, _ in done],
            keys=[key for _, _, key in done],
        )


def _grant(row: Row[Any]) -> Grant:
    """The cause names tier and period, so the grant is the same however often the tier is entered."""
    cause = f"{row.occasion} {row.level} {row.period}"
    rule = f"{row.occasion}-{row.level}-{row.number}"
    return Grant(row.member_id, row.amount, rule, cause, row.item, paid=row.paid)


def _named(day: date) -> list[str]:
    """How a day stands in the table; 29 February is kept on the 28th where there is none."""
    named = [f"{day:%m-%d}"]
    if named == ["02-28"] and (day + DAY).month == 3:
        named.append("02-29")
    return named
