"""A check-in and a made-up day: what is written, and what it brings.

Core lets a member's commands come one after another, so what a statement here finds of the member is what stands.
Keys and the month's count hold even without that: a day is there once and brings each reward once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Context, Grant, GrantState, PluginError, Refused, RewardChoice, Spend, _, ngettext
from threepeat_checkin.days import DAY, month_of, today
from threepeat_checkin.events import CheckinDone
from threepeat_checkin.ladder import reached
from threepeat_checkin.settings import CheckinSettings

Ctx = Context[CheckinSettings]


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of a reward.

    Attributes:
        step: The days in a row that it was for; 0 for the day's own reward.
        item: Which one, for a kind of which the store has several.
    """

    step: int
    kind: str
    amount: int
    item: str
    state: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A day that a member has.

    Attributes:
        streak: Days in a row that it stands in.
        open: Whether that run reaches to yesterday or today, so that it can go on.
    """

    day: date
    streak: int
    open: bool
    rewards: Sequence[Brought]


def check_in(ctx: Ctx) -> Checked:
    """Check the member in for today; a second time on the same day finds what the first did."""
    day = today(ctx)
    row = ctx.sql("check_in", member=ctx.member, day=day)[0]
    return Checked(day, row.before + 1, open=True, rewards=_rewards(ctx, day, row, made_up=False))


def make_up(ctx: Ctx, day: date) -> Checked:
    """Make up for a missed day; one that the member has already is neither paid nor counted again.

    Raises:
        Refused: The store or the month has no make-up for it, or the member cannot pay.
    """
    settings, now = ctx.settings, today(ctx)
    if not settings.make_ups_per_month:
        raise Refused(_("missed days cannot be made up for in this store"), code="not-offered")
    if not now - settings.make_up_days * DAY <= day < now:
        raise Refused(
            ngettext(
                "only yesterday can be made up for",
                "only the {days} days before today can be made up for",
                settings.make_up_days,
                days=settings.make_up_days,
            ),
            code="day-not-open",
        )
    month = month_of(now)
    row = ctx.sql("make_up", member=ctx.member, day=day, month=month, most=settings.make_ups_per_month)[0]
    if not row.begun and not row.there:
        raise Refused(_("only days after the first check-in can be made up for"), code="day-not-open")
    if row.fresh:
        if not row.within:
            raise Refused(_("no make-up day is left in this month"), code="make-up-limit")
        _pay(ctx, day)
    streak = row.before + 1 + row.after
    still = day + row.after * DAY >= now - DAY
    return Checked(day, streak, open=still, rewards=_rewards(ctx, day, row, made_up=True))


def brought(rows: Iterable[Sequence[Any]]) -> list[Brought]:
    """Rewards as the statements return them: arrays of step, kind, amount, item and state."""
    return [Brought(*row) for row in rows]


def _pay(ctx: Ctx, day: date) -> None:
    price = ctx.settings.make_up_price
    if price is None:
        return
    spend = Spend(ctx.member, price.amount, f"make-up:{ctx.member}:{day.isoformat()}")
    try:
        ctx.spend(price.kind, [spend])
    except PluginError as error:
        ctx.log.error("make-up days cannot be paid for", kind=price.kind, reason=str(error))
        raise Refused(_("missed days cannot be made up for at the moment"), code="not-offered") from error


def _rewards(ctx: Ctx, day: date, row: Row[Any], *, made_up: bool) -> list[Brought]:
    """Give what a new check-in brings, or find what an old one did."""
    if not row.fresh:
        return brought(row.rewards)
    run = row.before + 1 + row.after
    given = {int(step): times for step, times in row.given.items()}
    steps = reached(ctx.settings, before=row.before, run=run, given=given)
    due = {step.days: step.reward for step in steps}
    daily = ctx.settings.daily
    if daily is not None and not made_up and not (due and ctx.settings.on_a_step == "replace"):
        due[0] = daily
    came = _give(ctx, day, due)
    if came:
        ctx.sql(
            "record",
            member=ctx.member,
            day=day,
            steps=[one.step for one in came],
            kinds=[one.kind for one in came],
            amounts=[one.amount for one in came],
            items=[one.item for one in came],
            states=[one.state for one in came],
        )
    done = CheckinDone(day=day, streak=run, made_up=made_up)
    ctx.emit(done, member=ctx.member, cause=f"{ctx.member}:{day.isoformat()}")
    return came


def _give(ctx: Ctx, day: date, due: dict[int, RewardChoice]) -> list[Brought]:
    """Grant rewards by step, one call for each kind; the day is their cause."""
    states: dict[int, GrantState] = {}
    for kind in dict.fromkeys(reward.kind for reward in due.values()):
        steps = [step for step, reward in due.items() if reward.kind == kind]
        grants = [
            Grant(
                ctx.member,
                due[step].amount,
                f"step.{step}" if step else "daily",
                day.isoformat(),
                item=due[step].item,
            )
            for step in steps
        ]
        try:
            states |= {step: one.state for step, one in zip(steps, ctx.grant(kind, grants), strict=True)}
        except PluginError as error:
            # The day counts all the same: a member loses no streak because a reward is out of order.
            ctx.log.error("a check-in's reward cannot be given", kind=kind, reason=str(error))
            states |= dict.fromkeys(steps, GrantState.CLOSED)
    return [Brought(step, one.kind, one.amount, one.item, states[step].value) for step, one in sorted(due.items())]
