"""Two members with points who are one person."""

from threepeat.sdk import Context
from threepeat_points.settings import PointsSettings


def merge_members(ctx: Context[PointsSettings], source: int, target: int) -> None:
    """Move lots, refunds, redemptions and debt to the target.

    The journal is never changed: what the source's entries come to is written off there and credited to the
    target. A debt of one is paid from the open lots of the other, the earliest to expire first.
    """
    accounts = ctx.sql("lock_accounts", members=sorted((source, target)))
    if any(row.member_id == source for row in accounts):
        ctx.sql("accounts", members=[target])
    ctx.sql("merge", source=source, target=target)
    ctx.sql("merge_settle", source=source, member=target)
