"""What members see and do: the calendar, the check-in, the missed day."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Self

from fastapi import Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from threepeat.sdk import Context, RewardChoice, _
from threepeat_checkin import checking
from threepeat_checkin.checking import Brought, Checked
from threepeat_checkin.days import DAY, end_of_month, month_of, today
from threepeat_checkin.ladder import ahead
from threepeat_checkin.settings import CheckinSettings

Ctx = Context[CheckinSettings]

WRITTEN = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written(value: object) -> object:
    """Let in what is written as a day: pydantic takes instants and numbers for days, too."""
    if not isinstance(value, str) or not WRITTEN.fullmatch(value):
        raise PydanticCustomError("day", "write a day as 2026-03-01")
    return value


class Reward(BaseModel):
    """What became of a reward."""

    step: int = Field(
        title=_("For days in a row"), description="The days in a row that it was for; 0 for the day's own reward."
    )
    kind: str = Field(title=_("Reward"))
    item: str = Field(description="Which one, for a kind of which the store has several; else empty.")
    amount: int = Field(title=_("How much"))
    state: str = Field(
        title=_("State"),
        description="`granted`, `duplicate`, `over_budget` or `closed`; only the first two are had.",
    )

    @classmethod
    def all_of(cls, found: Iterable[Brought]) -> list[Self]:
        """The answer's form of rewards."""
        return [
            cls(step=one.step, kind=one.kind, item=one.item, amount=one.amount, state=one.state) for one in found
        ]


class NextStep(BaseModel):
    """The step of the ladder that comes next."""

    days: int = Field(title=_("Days in a row"), description="The step's days in a row.")
    in_days: int = Field(title=_("Days to go"), description="How many more days in a row it takes.")
    kind: str
    item: str = Field(description="Which one, for a kind of which the store has several; else empty.")
    amount: int

    @classmethod
    def after(cls, settings: CheckinSettings, streak: int) -> Self | None:
        """The next step of a streak."""
        coming = ahead(settings, streak)
        if coming is None:
            return None
        step, left = coming
        reward = step.reward
        return cls(days=step.days, in_days=left, kind=reward.kind, item=reward.item, amount=reward.amount)


class CheckedIn(BaseModel):
    """A day that the member has."""

    day: date = Field(title=_("Day"), description="In the store's time zone.")
    streak: int = Field(title=_("Days in a row"), description="Days in a row that this day stands in.")
    rewards: list[Reward] = Field(title=_("Rewards"))
    next_step: NextStep | None = Field(
        title=_("Next step"), description="Empty after the last step, or where the streak is broken."
    )

    @classmethod
    def of(cls, settings: CheckinSettings, found: Checked) -> Self:
        """The answer's form of a day."""
        coming = NextStep.after(settings, found.streak) if found.open else None
        return cls(day=found.day, streak=found.streak, rewards=Reward.all_of(found.rewards), next_step=coming)


class MissedDay(BaseModel):
    """Which day to make up for."""

    model_config = ConfigDict(extra="forbid")

    day: Annotated[date, BeforeValidator(_written)] = Field(
        title=_("Missed day"), description="A day before today, as `2026-03-01`."
    )


class CalendarDay(BaseModel):
    """A day of the calendar on which the member checked in."""

    day: date = Field(title=_("Day"))
    made_up: bool = Field(title=_("Made up for"))
    rewards: list[Reward] = Field(title=_("Rewards"))


class MakeUps(BaseModel):
    """How missed days can be made up for now."""

    left: int = Field(title=_("Make-ups left this month"), description="How many in this month.")
    first_day: date | None = Field(
        title=_("Earliest day"), description="The earliest day that can be made up for."
    )
    price: RewardChoice | None = Field(title=_("Each costs"), description="What each costs; empty if it is free.")


class Calendar(BaseModel):
    """A month of check-ins, and how the member stands."""

    month: str = Field(title=_("Month"))
    days: list[CalendarDay] = Field(title=_("Days checked in"))
    today: date = Field(title=_("Today"), description="In the store's time zone.")
    checked_in_today: bool = Field(title=_("Checked in today"))
    streak: int = Field(
        title=_("Days in a row"), description="Days in a row up to today, or up to yesterday while today is open."
    )
    next_step: NextStep | None = Field(title=_("Next step"))
    make_ups: MakeUps | None = Field(title=_("Make-ups"), description="Empty where the store does not offer it.")


def calendar(
    ctx: Ctx, month: Annotated[str | None, Query(pattern="^2[0-9]{3}-(0[1-9]|1[0-2])$")] = None
) -> Calendar:
    """The member's days of a month, the present one unless another is asked for."""
    now = today(ctx)
    first = date.fromisoformat(f"{month}-01") if month else month_of(now)
    found = ctx.sql("month", member=ctx.member, first=first, last=end_of_month(first))
    standing = ctx.sql("standing", member=ctx.member, day=now, month=month_of(now))[0]
    streak = standing.run if standing.last is not None and standing.last >= now - DAY else 0
    return Calendar(
        month=f"{first:%Y-%m}",
        days=[
            CalendarDay(day=row.day, made_up=row.made_up, rewards=Reward.all_of(checking.brought(row.rewards)))
            for row in found
        ],
        today=now,
        checked_in_today=standing.last == now,
        streak=streak,
        next_step=NextStep.after(ctx.settings, streak),
        make_ups=_make_ups(ctx.settings, now, standing.first, standing.used),
    )


def check_in(ctx: Ctx) -> CheckedIn:
    """Check in for today; on the same day it answers the same and gives nothing more."""
    return CheckedIn.of(ctx.settings, checking.check_in(ctx))


def make_up(ctx: Ctx, missed: MissedDay) -> CheckedIn:
    """Make up for a missed day; a day that the member has already costs nothing."""
    return CheckedIn.of(ctx.settings, checking.make_up(ctx, missed.day))


def _make_ups(settings: CheckinSettings, now: date, begun: date | None, used: int) -> MakeUps | None:
    if not settings.make_ups_per_month:
        return None
    left = max(settings.make_ups_per_month - used, 0)
    earliest = max(begun + DAY, now - settings.make_up_days * DAY) if begun is not None else now
    can = left > 0 and earliest < now
    return MakeUps(left=left, first_day=earliest if can else None, price=settings.make_up_price)
