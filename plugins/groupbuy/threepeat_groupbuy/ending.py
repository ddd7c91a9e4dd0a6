"""How groups end: they succeed, fail, or lose whoever leaves. Their rows are locked before their seats."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Due, item_number
from threepeat_groupbuy import notices, refunds
from threepeat_groupbuy.campaigns import Ctx, form
from threepeat_groupbuy.events import GroupFailed, GroupSucceeded
from threepeat_groupbuy.form import Campaign
from threepeat_groupbuy.refunds import Owed
from threepeat_groupbuy.terms import due as still_due
from threepeat_groupbuy.terms import reached

EXPIRE = "expire"
"""The timer at a group's end."""


def lock(ctx: Ctx, teams: Collection[int]) -> bool:
    """Lock groups in the order of their ids; whether there are any."""
    return bool(teams) and bool(ctx.sql("lock", ids=sorted(set(teams))))


def succeed(ctx: Ctx, teams: Collection[int]) -> None:
    """Tell the members of groups that are complete, and ask back what their steps save."""
    if not teams:
        return
    found: dict[int, list[Row[Any]]] = defaultdict(list)
    for row in ctx.sql("succeed_seats", teams=sorted(teams)):
        found[row.team_id].append(row)
    campaigns = _campaigns(ctx, (rows[0].campaign_id for rows in found.values()))
    prices = {team: reached(campaigns[rows[0].campaign_id].levels, rows[0].joined) for team, rows in found.items()}
    ctx.sql("reach", teams=list(prices), prices=list(prices.values()))
    back: list[Owed] = []
    for team, rows in found.items():
        ctx.cancel(EXPIRE, str(team))
        everybody = sorted(row.member_id for row in rows if row.member_id > 0)
        for row in rows:
            _tell_success(ctx, row, everybody, prices[team])
            saved = min((row.price - prices[team]) * row.units, row.amount)
            saved = still_due(saved, row.reduction, row.returned)
            if saved > 0:
                back.append(Owed(row.reservation, row.member_id, row.order_id, saved))
        notices.succeeded(ctx, rows, campaigns[rows[0].campaign_id])
    refunds.ask(ctx, back, "difference")


def fail(ctx: Ctx, teams: Collection[int]) -> None:
    """Ask back what members of groups that failed have paid, and tell them."""
    if not teams:
        return
    rows = ctx.sql("fail_seats", teams=sorted(teams))
    campaigns = _campaigns(ctx, (row.campaign_id for row in rows))
    back = [owed(row) for row in rows]
    for row, one in zip(rows, back, strict=True):
        if row.member_id > 0:
            told = GroupFailed(
                group_id=str(row.team_id),
                campaign=str(row.campaign_id),
                order_id=row.order_id,
                amount=one.amount,
            )
            ctx.emit(told, member=row.member_id, cause=f"failed:{row.reservation}")
    notices.failed(
        ctx, [(row, campaigns[row.campaign_id], one.amount) for row, one in zip(rows, back, strict=True)]
    )
    refunds.ask(ctx, back, "failed")


def leave(ctx: Ctx, reservation: str, team: int, *, refund: bool) -> bool:
    """Let a paid seat of a locked group go; the earliest of those who stay leads.

    Args:
        refund: Ask its money back; otherwise it has gone back already.

    Returns:
        Whether the seat was free to go: after a group has ended it is not.
    """
    rows = ctx.sql("leave", reservation=reservation, team=team)
    if not rows:
        return False
    left = ctx.sql("one_less", team=team)[0]
    if left.joined:
        ctx.sql("lead", teams=[team], erased=None)
    else:
        ctx.cancel(EXPIRE, str(team))
    if refund:
        refunds.ask(ctx, [owed(rows[0])], "left")
    return True


def hand_over(ctx: Ctx, member: int) -> None:
    """Let others lead the open groups of a member who is being erased; what was paid for counts on."""
    if lock(ctx, [row.team_id for row in ctx.sql("seated", members=[member]) if row.team_id is not None]):
        teams = [row.team_id for row in ctx.sql("resign", member=member)]
        if teams:
            ctx.sql("lead", teams=teams, erased=member)


def expire(ctx: Ctx, dues: list[Due]) -> None:
    """End groups whose time is over; seats that were held in time may still be paid first."""
    over = {item_number(due.key): due.due_at for due in dues}
    if lock(ctx, over):
        _end(ctx, over)


def end_with_campaign(ctx: Ctx, dues: list[Due]) -> None:
    """End the open groups of campaigns that take them along."""
    ended = {item_number(due.key): due.due_at for due in dues}
    over = {row.id: ended[row.campaign_id] for row in ctx.sql("open_of", campaigns=list(ended))}
    if lock(ctx, over):
        ctx.sql("end_now", ids=list(over))
        _end(ctx, over)


def owed(seat: Row[Any]) -> Owed:
    """What of a paid seat's money is still to go back."""
    amount = still_due(seat.amount, seat.reduction, seat.returned)
    return Owed(seat.reservation, seat.member_id, seat.order_id, amount)


def _end(ctx: Ctx, over: Mapping[int, datetime]) -> None:
    """End those of some locked groups whose time is over.

    Args:
        over: When each was to end. A seat that was held then may still be paid, however late that is looked at.
    """
    became: dict[str, list[int]] = defaultdict(list)
    for row in ctx.sql("expire", ids=list(over), dues=list(over.values())):
        became[row.state].append(row.id)
        if row.state == "open":
            ctx.later(EXPIRE, str(row.id), row.waits)
    succeed(ctx, became["succeeded"])
    fail(ctx, became["failed"])


def _tell_success(ctx: Ctx, row: Row[Any], everybody: list[int], price: int) -> None:
    if row.member_id > 0:  # an erased member's seat counts and is nobody's
        told = GroupSucceeded(
            group_id=str(row.team_id),
            campaign=str(row.campaign_id),
            order_id=row.order_id,
            members=everybody,
            leads=row.leads,
            virtual=row.virtual,
            price=price,
            pickup=row.pickup,
            slot=row.slot,
        )
        ctx.emit(told, member=row.member_id, cause=f"succeeded:{row.reservation}")


def _campaigns(ctx: Ctx, ids: Iterable[int]) -> dict[int, Campaign]:
    wanted = sorted(set(ids))
    return {row.id: form(row) for row in ctx.sql("campaigns", ids=wanted)} if wanted else {}
