"""What members see and do: campaigns, groups to join, their own seats. Of others they see how many they are."""

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Annotated, Any, Literal

from fastapi import Path, Query
from pydantic import BaseModel, Field
from sqlalchemy import Row

from threepeat.sdk import NEWEST, Refused, _, item_number, shown
from threepeat_groupbuy import ending, seats
from threepeat_groupbuy.campaigns import Ctx, form
from threepeat_groupbuy.form import DAYS, Campaign

PAGE = 50

Before = Annotated[int, Query(ge=1, le=NEWEST, description="The `next` of the page before.")]
Sku = Annotated[str | None, Query(max_length=128, description="Only group buys of this thing.")]
OfCampaign = Annotated[str | None, Query(max_length=20, description="Only groups of this group buy.")]
GroupId = Annotated[str, Path(max_length=20)]

NO_GROUP = _("there is no such group")
NO_SEAT = _("you have no seat in this group that you could leave")

GroupState = Literal["open", "ending", "succeeded", "failed"]
GROUP_STATES = {
    "open": _("Open"),
    "ending": _("Time is over, waiting for payments"),
    "succeeded": _("Succeeded"),
    "failed": _("Failed"),
}
SeatState = Literal["held", "joined", "succeeded", "failed", "left"]
SEAT_STATES = {
    "held": _("Not paid yet"),
    "joined": _("Waiting for others"),
    "succeeded": _("Succeeded"),
    "failed": _("Failed"),
    "left": _("Left"),
}
RefundState = Literal["asked", "refunded", "failed", "settled"]
REFUND_STATES = {
    "asked": _("On its way"),
    "refunded": _("Refunded"),
    "failed": _("The shop looks after it"),
    "settled": _("Settled"),
}


class StepView(BaseModel):
    """A price for larger groups."""

    size: int = Field(title=_("People"))
    price: int = Field(title=_("Price of one"), json_schema_extra=shown(unit="money"))


class PickupView(BaseModel):
    """Where goods are handed over."""

    name: str = Field(title=_("Name"), description="Choose it by this: `pickup`.")
    address: str = Field(title=_("Address"))


class SlotView(BaseModel):
    """When goods are delivered."""

    name: str = Field(title=_("Name"), description="Choose it by this: `slot`.")
    days: Literal["every", "workdays", "weekend"] = Field(title=_("Days"), json_schema_extra=shown(choices=DAYS))
    begins: time = Field(title=_("From"))
    ends: time = Field(title=_("To"))
    off: int = Field(title=_("Off each order"), json_schema_extra=shown(unit="money"))


class CampaignView(BaseModel):
    """A group buy."""

    campaign: str = Field(title=_("Group buy"), description="Choose it by this: `choices.groupbuy.campaign`.")
    name: str = Field(title=_("Name"))
    sku: str = Field(title=_("SKU"))
    size: int = Field(title=_("People in a group"), description="So many have to pay.")
    price: int = Field(title=_("Group price of one"), json_schema_extra=shown(unit="money"))
    steps: list[StepView] = Field(
        title=_("Steps"), description="What it costs in larger groups; the difference goes back at success."
    )
    hours: int = Field(title=_("A group has"), json_schema_extra=shown(unit="hours"))
    last_day: date | None = Field(title=_("Last day"), description="On which groups can be opened.")
    per_order: int = Field(title=_("Units in an order"), description="More of them cost as usual.")
    per_member: int | None = Field(title=_("Units for a member"))
    new_only: bool = Field(title=_("Only new customers may join"))
    can_open: bool = Field(title=_("Groups can be opened"))
    pickups: list[PickupView] = Field(title=_("Pickup points"))
    slots: list[SlotView] = Field(title=_("Delivery times"))


class Campaigns(BaseModel):
    """Group buys, the newest first."""

    campaigns: list[CampaignView] = Field(title=_("Group buys"))
    next: int | None = Field(description="Pass it as `before` for what follows; null at the end.")


class GroupView(BaseModel):
    """A group."""

    group: str = Field(title=_("Group"), description="Choose it by this: `choices.groupbuy.group`.")
    campaign: str = Field(title=_("Group buy"))
    name: str = Field(title=_("Name"))
    sku: str = Field(title=_("SKU"))
    price: int = Field(title=_("Group price of one"), json_schema_extra=shown(unit="money"))
    state: GroupState = Field(title=_("State"), json_schema_extra=shown(choices=GROUP_STATES))
    size: int = Field(title=_("People in a group"))
    joined: int = Field(title=_("Joined"), description="Real people who have paid.")
    missing: int = Field(title=_("Missing"), description="How many more have to pay.")
    seats_left: int = Field(title=_("Free seats"), description="That can be held now.")
    ends_at: datetime = Field(title=_("Ends"))
    pickup: str = Field(title=_("Pickup point"))
    address: str = Field(title=_("Address"))
    slot: str = Field(title=_("Delivery time"))
    mine: bool = Field(title=_("My group"), description="The member has a seat in it.")
    can_join: bool = Field(title=_("I can join"), description="A seat is free and the member has no other group.")


class Groups(BaseModel):
    """Groups that can be joined, those that end first; at most 50."""

    groups: list[GroupView] = Field(title=_("Groups"))


class SeatView(BaseModel):
    """A seat of the member."""

    group: str | None = Field(title=_("Group"), description="None before a new group's first payment.")
    campaign: str = Field(title=_("Group buy"))
    name: str = Field(title=_("Name"))
    order_id: str | None = Field(title=_("Order"))
    state: SeatState = Field(title=_("State"), json_schema_extra=shown(choices=SEAT_STATES))
    leads: bool = Field(title=_("I lead it"))
    moved: bool = Field(title=_("Moved"), description="Paid too late for the group that was chosen.")
    can_leave: bool = Field(title=_("I can leave it"), description="With `POST /groups/{group}/leave`.")
    joined: int | None = Field(title=_("Joined"))
    size: int | None = Field(title=_("People in a group"))
    ends_at: datetime | None = Field(title=_("Ends"))
    refund: int | None = Field(title=_("Refund"), json_schema_extra=shown(unit="money"))
    refund_state: RefundState | None = Field(
        title=_("State of the refund"), json_schema_extra=shown(choices=REFUND_STATES)
    )


class Mine(BaseModel):
    """The member's seats, the newest first; at most 50."""

    seats: list[SeatView] = Field(title=_("My groups"))


class Left(BaseModel):
    """A seat that the member left."""

    seat: SeatView = Field(title=_("Group"))


def campaigns(ctx: Ctx, sku: Sku = None, before: Before = NEWEST) -> Campaigns:
    """Group buys in which groups can be opened or joined, the newest first."""
    rows = ctx.sql("offered", sku=sku, before=before, most=PAGE + 1)
    return Campaigns(
        campaigns=[_campaign(ctx, row.id, form(row)) for row in rows[:PAGE]],
        next=rows[PAGE - 1].id if len(rows) > PAGE else None,
    )


def groups(ctx: Ctx, campaign: OfCampaign = None) -> Groups:
    """Groups that others opened and that can be joined."""
    wanted = None if campaign is None else item_number(campaign)
    rows = ctx.sql("joinable", campaign=wanted, member=ctx.member, is_new=True, most=PAGE)
    if any(row.new_only for row in rows) and not seats.is_new(ctx, ctx.member):
        rows = ctx.sql("joinable", campaign=wanted, member=ctx.member, is_new=False, most=PAGE)
    return Groups(groups=[_group(ctx, row, is_new=True) for row in rows])


def group(ctx: Ctx, group: GroupId) -> GroupView:
    """One group, also for whoever follows a shared link."""
    rows = ctx.sql("one_group", group=item_number(group), member=ctx.member)
    if not rows:
        raise Refused(NO_GROUP, code="no-group")
    is_new = not rows[0].new_only or seats.is_new(ctx, ctx.member)
    return _group(ctx, rows[0], is_new=is_new)


def mine(ctx: Ctx) -> Mine:
    """The member's seats."""
    return Mine(seats=[_seat(ctx, row) for row in _mine(ctx)])


def leave(ctx: Ctx, group: GroupId) -> Left:
    """Leave a group that is not complete yet; the order's money is asked back."""
    team = item_number(group)
    locked = ending.lock(ctx, [team])
    mine = [row.reservation for row in _mine(ctx, team) if _can_leave(ctx, row)]
    if not locked or not mine or not ending.leave(ctx, mine[0], team, refund=True):
        raise Refused(NO_SEAT, code="not-in-group")
    return Left(seat=next(_seat(ctx, row) for row in _mine(ctx, team) if row.reservation == mine[0]))


def _mine(ctx: Ctx, team: int | None = None) -> Sequence[Row[Any]]:
    return ctx.sql("my_seats", member=ctx.member, team=team, most=PAGE)


def _campaign(ctx: Ctx, campaign: int, given: Campaign) -> CampaignView:
    return CampaignView(
        campaign=str(campaign),
        name=given.name,
        sku=given.sku,
        size=given.size,
        price=given.price,
        steps=[StepView(size=one.size, price=one.price) for one in given.steps],
        hours=given.hours,
        last_day=given.last_day,
        per_order=given.per_order,
        per_member=given.per_member,
        new_only=given.new_only,
        can_open=not ctx.closing and given.opens(seats.today(ctx)),
        pickups=[PickupView(name=one.name, address=one.address) for one in given.pickups],
        slots=[
            SlotView(name=one.name, days=one.days, begins=one.begins, ends=one.ends, off=one.off)
            for one in given.slots
        ],
    )


def _group(ctx: Ctx, row: Row[Any], *, is_new: bool) -> GroupView:
    over = row.expires_at <= ctx.now
    state: GroupState = "ending" if row.state == "open" and over else row.state
    left = row.size - row.taken if state == "open" else 0
    pickup = form(row).pickup(row.pickup) if row.pickup else None
    return GroupView(
        group=str(row.id),
        campaign=str(row.campaign_id),
        name=row.name,
        sku=row.sku,
        price=row.price,
        state=state,
        size=row.least,
        joined=row.joined,
        missing=max(row.least - row.joined, 0) if row.state == "open" else 0,
        seats_left=left,
        ends_at=row.expires_at,
        pickup=row.pickup,
        address=pickup.address if pickup is not None else "",
        slot=row.slot,
        mine=row.mine,
        can_join=left > 0 and not row.mine and not row.busy and is_new,
    )


def _seat(ctx: Ctx, row: Row[Any]) -> SeatView:
    return SeatView(
        group=None if row.team_id is None else str(row.team_id),
        campaign=str(row.campaign_id),
        name=row.name,
        order_id=row.order_id,
        state=row.state,
        leads=row.leads,
        moved=row.moved,
        can_leave=_can_leave(ctx, row),
        joined=row.joined,
        size=row.least,
        ends_at=row.expires_at,
        refund=row.refund,
        refund_state=row.refund_state,
    )


def _can_leave(ctx: Ctx, row: Row[Any]) -> bool:
    return row.state == "joined" and (row.moved or ctx.settings.members_may_leave)
