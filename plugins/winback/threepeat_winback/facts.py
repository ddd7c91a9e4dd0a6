"""What others may know of how long a member has been away."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Fact, fact
from threepeat_winback.offers import Ctx


def sleeping(ctx: Ctx, members: Collection[int]) -> Mapping[int, bool]:
    """Who bought and has done nothing of value for the days that the merchant set."""
    return {row.member_id: row.sleeping for row in _quiet(ctx, members)}


def days_away(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """Whole days since the last order, visit, appointment or step of a service."""
    return {row.member_id: row.days for row in _quiet(ctx, members)}


def _quiet(ctx: Ctx, members: Collection[int]) -> Sequence[Row[Any]]:
    asleep = ctx.now - timedelta(days=ctx.settings.asleep_after_days)
    return ctx.sql("quiet", members=sorted(members), asleep=asleep)


FACTS: tuple[Fact, ...] = (
    fact(
        "winback.sleeping",
        sleeping,
        kind="flag",
        title={"en": "bought before and sleep now", "zh": "买过且正在沉睡"},
        default=False,
    ),
    fact(
        "winback.days_away",
        days_away,
        kind="number",
        unit="days",
        title={"en": "time since the last order or visit", "zh": "距上次下单或到店的时间"},
    ),
)
