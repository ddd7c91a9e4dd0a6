"""Chances to draw, as a reward that every tactic may give; core refuses them for shares."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, time, timedelta

from threepeat.sdk import Granted, Revoked, fact, item_number, reward
from threepeat_blindbox.pools import Ctx

MOST_AT_ONCE = 100
"""Chances of one grant."""


def grant(ctx: Ctx, granted: Sequence[Granted]) -> Collection[str]:
    """Give chances; returns the keys of the grants whose series is not on sale."""
    wanted = sorted({item_number(one.grant.item) for one in granted})
    on_sale = {row.id for row in ctx.sql("series_named", ids=wanted)}
    closed = {one.key for one in granted if item_number(one.grant.item) not in on_sale}
    if closed:
        return closed
    ctx.sql(
        "chances_add",
        keys=[one.key for one in granted],
        members=[one.grant.member for one in granted],
        series=[item_number(one.grant.item) for one in granted],
        amounts=[one.grant.amount for one in granted],
        until=_until(ctx),
    )
    return ()


def revoke(ctx: Ctx, revoked: Sequence[Revoked]) -> None:
    """Void chances that were not used, the latest first."""
    ctx.sql("chances_revoke", keys=[one.key for one in revoked], amounts=[one.amount for one in revoked])


def balance(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """How many chances members have now, in all series."""
    return {row.member_id: row.chances for row in ctx.sql("chances_open", members=sorted(members))}


def cost(ctx: Ctx, amount: int, item: str) -> int | None:
    """What so many chances cost whoever gives them: as much as so many boxes."""
    rows = ctx.sql("series_named", ids=[item_number(item)]) if amount <= MOST_AT_ONCE else ()
    return amount * rows[0].price if rows else None


def items(ctx: Ctx) -> Mapping[str, str]:
    """The series on sale, newest first."""
    return {str(row.id): row.name for row in ctx.sql("series_on_sale")}


def _until(ctx: Ctx) -> datetime:
    """The end of the last day on which a chance that is given now counts."""
    zone = ctx.tenant.timezone
    last = ctx.now.astimezone(zone).date() + timedelta(days=ctx.settings.chance_days)
    return datetime.combine(last, time(), tzinfo=zone)


CHANCES = fact(
    "blindbox.chances",
    balance,
    kind="number",
    title={"en": "number of chances to draw", "zh": "抽奖机会数"},
    default=0,
)

REWARD = reward(
    "blindbox.draw",
    title={"en": "chances to draw", "zh": "抽奖机会"},
    grant=grant,
    revoke=revoke,
    balance=balance,
    cost=cost,
    items=items,
)
