"""Seats: held for an order, paid, let go, and what becomes of them when something of the order comes back.

A command holds the member, then its seat, and then waits for one group at most; whoever holds several groups never
waits for a held seat. So nobody waits in a circle.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Row

from threepeat.sdk import Hold, Refused, Returned, _
from threepeat_groupbuy import ending, notices, refunds
from threepeat_groupbuy.campaigns import Ctx, form
from threepeat_groupbuy.events import GroupJoined, GroupOpened
from threepeat_groupbuy.form import Campaign
from threepeat_groupbuy.refunds import Owed
from threepeat_groupbuy.terms import Plan, worth

NOBODY = _("Only members can take part in a group buy")
OVER = _("this group buy is over")
FULL = _("this group is full or over; choose another one, or open one")
NOT_NEW = _("only new customers can join this group")
TWICE = _("you are in a group of this group buy already, or have as many units as you may have")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a paid seat is."""

    team: Row[Any]
    opened: bool = False
    moved: bool = False


def is_new(ctx: Ctx, member: int) -> bool:
    """Whether a member has never paid for anything before."""
    known = ctx.orders.summaries([member]).get(member)
    return known is None or known.orders == 0


def reserve(ctx: Ctx, hold: Hold) -> None:
    """Hold a seat of a group, or the right to open one. What is paid too late is held without a group.

    Raises:
        Refused: The group is full or over, or the member may not take part.
    """
    if hold.member is None:
        raise Refused(NOBODY, code="not-usable")
    plan = msgspec.convert(hold.data, Plan)
    campaign, state = _campaign(ctx, plan.campaign)
    fresh = is_new(ctx, hold.member)
    if not hold.late:
        _require(ctx, plan, campaign, state, fresh=fresh)
    rows = ctx.sql(
        "hold_seat",
        reservation=hold.reservation,
        member=hold.member,
        campaign=plan.campaign,
        team=plan.group,
        leads=plan.group is None,
        units=plan.units,
        price=plan.price,
        amount=worth(plan, hold),
        reduction=hold.amount,
        total=hold.total,
        fresh=fresh,
        until=hold.until,
        most=campaign.per_member,
    )
    if not rows:
        known = ctx.sql("seat", reservation=hold.reservation)
        if known and known[0].state == "held":
            return
        raise Refused(TWICE, code="in-a-group")
    if plan.group is None or ctx.sql(
        "take", team=plan.group, campaign=plan.campaign, member=hold.member, reservation=hold.reservation
    ):
        return
    if not hold.late:
        raise Refused(FULL, code="group-full")
    ctx.sql("without_group", reservation=hold.reservation)


def confirm(ctx: Ctx, hold: Hold) -> None:
    """The order was paid: the seat is in its group, in another one, or opens one.

    Raises:
        Refused: It is not held for this order.
    """
    rows = ctx.sql("seat_lock", reservation=hold.reservation)
    if not rows or rows[0].state == "released":
        raise Refused(_("no seat is held for this order"), code="not-held")
    seat = rows[0]
    if seat.state != "held":
        return
    place, order = _place(ctx, seat, msgspec.convert(hold.data, Plan)), hold.order_id or hold.reservation
    if place is None:
        campaign, _state = _campaign(ctx, seat.campaign_id)
        ctx.sql("unplaced", reservation=hold.reservation, order=order)
        refunds.ask(ctx, [Owed(hold.reservation, seat.member_id, order, seat.amount)], "late")
        notices.failed(ctx, [(seat, campaign, seat.amount)])
        return
    team = place.team
    ctx.sql(
        "sit",
        reservation=hold.reservation,
        team=team.id,
        order=order,
        leads=place.opened,
        moved=place.moved,
        place=team.joins,
    )
    _tell(ctx, seat, order, place)
    if place.opened:
        ctx.later(ending.EXPIRE, str(team.id), team.expires_at)
    if place.moved:
        campaign, _state = _campaign(ctx, seat.campaign_id)
        notices.moved(ctx, seat.member_id, hold.reservation, campaign)
    if team.state == "succeeded":
        ending.succeed(ctx, [team.id])


def release(ctx: Ctx, hold: Hold) -> None:
    """The order will not be paid: the seat is free."""
    rows = ctx.sql("release", reservation=hold.reservation)
    if rows and rows[0].team_id is not None:
        ctx.sql("vacate", team=rows[0].team_id)


def returned(ctx: Ctx, back: Returned) -> None:
    """Count what came back. Once all of it did, the seat of a group that is open is free; an ended one stays."""
    rows = ctx.sql("seat", reservation=back.hold.reservation)
    if not rows:
        return
    team = rows[0].team_id
    ending.lock(ctx, [] if team is None else [team])
    counted = ctx.sql("returned", reservation=back.hold.reservation, amount=back.amount, whole=back.whole)
    if not counted:
        return
    if counted[0].state == "failed":
        refunds.correct(ctx, [ending.owed(counted[0])])
    elif counted[0].complete and team is not None:
        ending.leave(ctx, back.hold.reservation, team, refund=False)


def _require(ctx: Ctx, plan: Plan, campaign: Campaign, state: str, *, fresh: bool) -> None:
    if plan.group is None:
        if ctx.closing or state != "active" or not campaign.opens(today(ctx)):
            raise Refused(OVER, code="over")
    elif campaign.new_only and not fresh:
        raise Refused(NOT_NEW, code="not-new")


def today(ctx: Ctx) -> date:
    """The store's day."""
    return ctx.now.astimezone(ctx.tenant.timezone).date()


def _campaign(ctx: Ctx, campaign: int) -> tuple[Campaign, str]:
    row = ctx.sql("campaign", id=campaign)[0]
    return form(row), row.state


def _place(ctx: Ctx, seat: Row[Any], plan: Plan) -> _Place | None:
    """A place for a paid seat; None if there is none and no group may be opened any more.

    The group that was chosen is left before another one is taken, so that no two are waited for at once.
    """
    mine = {"member": seat.member_id, "reservation": seat.reservation}
    if seat.team_id is not None:
        rows = ctx.sql("join", team=seat.team_id, **mine)
        if rows:
            return _Place(rows[0])
        ctx.sql("vacate", team=seat.team_id)
    campaign, state = _campaign(ctx, seat.campaign_id)
    expires_at = _end_of_new(ctx, campaign, state)
    if not seat.leads or expires_at is None:
        rows = ctx.sql(
            "nearest", campaign=seat.campaign_id, pickup=plan.pickup, slot=plan.slot, old=seat.team_id, **mine
        )
        if rows:
            return _Place(rows[0], moved=True)
    if expires_at is None:
        return None
    made = ctx.sql(
        "open",
        campaign=seat.campaign_id,
        size=campaign.most,
        least=campaign.size,
        fill=campaign.fill,
        price=plan.price,
        pickup=plan.pickup,
        slot=plan.slot,
        expires_at=expires_at,
    )
    return _Place(made[0], opened=True, moved=not seat.leads)


def _end_of_new(ctx: Ctx, campaign: Campaign, state: str) -> datetime | None:
    """When a group that a payment opens now is over; None if it may open none."""
    expires_at = campaign.over(ctx.now, ctx.tenant.timezone)
    taken_along = campaign.ends_open_groups and state == "ended"
    return None if ctx.closing or taken_along or expires_at <= ctx.now else expires_at


def _tell(ctx: Ctx, seat: Row[Any], order: str, place: _Place) -> None:
    team, campaign = place.team, str(seat.campaign_id)
    told: GroupOpened | GroupJoined
    if place.opened:
        told = GroupOpened(
            group_id=str(team.id), campaign=campaign, order_id=order, size=team.least, expires_at=team.expires_at
        )
    else:
        told = GroupJoined(
            group_id=str(team.id),
            campaign=campaign,
            order_id=order,
            joined=team.joined,
            size=team.least,
            moved=place.moved,
        )
    ctx.emit(told, member=seat.member_id, cause=f"joined:{seat.reservation}")
