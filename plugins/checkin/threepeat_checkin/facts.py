"""What others may know of a member's check-ins."""

from collections.abc import Collection, Mapping
from datetime import datetime

from threepeat.sdk import Context, Fact, fact
from threepeat_checkin.days import today
from threepeat_checkin.settings import CheckinSettings

Ctx = Context[CheckinSettings]


def streak(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """Days in a row up to today, or up to yesterday while today is still open."""
    return {row.member_id: row.streak for row in ctx.sql("streaks", members=sorted(members), day=today(ctx))}


def last(ctx: Ctx, members: Collection[int]) -> Mapping[int, datetime]:
    """When members last checked in."""
    return {row.member_id: row.last for row in ctx.sql("last", members=sorted(members))}


FACTS: tuple[Fact, ...] = (
    fact(
        "checkin.streak",
        streak,
        kind="number",
        unit="days",
        title={"en": "number of days in a row with a check-in", "zh": "连续签到天数"},
        default=0,
    ),
    fact("checkin.last", last, kind="instant", title={"en": "last check-in", "zh": "最近一次签到"}),
)
