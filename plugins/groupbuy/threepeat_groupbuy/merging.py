"""Two members with seats who are one person."""

from threepeat_groupbuy import ending
from threepeat_groupbuy.campaigns import Ctx


def merge_members(ctx: Ctx, source: int, target: int) -> None:
    """Unite their seats. In a group where both have paid the later seat is let go and refunded.

    Open groups of one campaign that both are in are kept: both were paid for.
    """
    rows = ctx.sql("seated", members=[source, target])
    ending.lock(ctx, [row.team_id for row in rows if row.team_id is not None])
    for row in ctx.sql("twice", source=source, target=target):
        ending.leave(ctx, row.reservation, row.team_id, refund=True)
    ctx.sql("merge", source=source, target=target)
