"""The price of a group: what a member chose, whether it can be had, and what it takes off."""

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from pydantic import BaseModel, Field
from sqlalchemy import Row

from threepeat.sdk import (
    Asked,
    BasketLine,
    Declined,
    PriceRule,
    Reduction,
    Stage,
    Wording,
    _,
    item_number,
    price_rule,
)
from threepeat_groupbuy import seats
from threepeat_groupbuy.campaigns import Ctx, form
from threepeat_groupbuy.form import Campaign
from threepeat_groupbuy.terms import Plan

GROUP = "activity"
TITLE = _("Group buy")
MALFORMED = _("Send the campaign, the group or null, and where it has them the pickup point and the time, by name")
UNKNOWN = _("There is no such group buy")
NO_GROUP = _("There is no such group")
OVER = _("This group buy is over")
FULL = _("This group is full or over")
NOT_NEW = _("Only new customers can join this group")
IN_ONE = _("You are in a group of this group buy already")
NOT_IN_BASKET = _("The thing is not in the basket")
NOT_LOWER = _("It costs no more without a group")
NO_PICKUP = _("Choose one of the pickup points")
NO_SLOT = _("Choose one of the delivery times")
ANOTHER = _("This group has another pickup point or delivery time")

Key = Annotated[str, Meta(min_length=1, max_length=20)]
Chosen = Annotated[str, Meta(max_length=60)]


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """What a member chose; without a group one is opened."""

    campaign: Key
    group: Key | None = None
    pickup: Chosen | None = None
    slot: Chosen | None = None


class ChoiceForm(BaseModel):
    """The same for forms."""

    campaign: str = Field(
        default="", max_length=20, title=_("Group buy"), description=_("Its number, as the member reads it.")
    )
    group: str = Field(
        default="", max_length=20, title=_("Group"), description=_("Left empty, a new one is opened.")
    )
    pickup: str = Field(default="", max_length=60, title=_("Pickup point"))
    slot: str = Field(default="", max_length=60, title=_("Delivery time"))


class _No(Exception):  # noqa: N818 - an answer
    """It cannot be had, and why."""

    def __init__(self, reason: Wording) -> None:
        super().__init__(reason)
        self.reason = reason


def quote(ctx: Ctx, asked: Asked) -> Iterator[Reduction | Declined]:
    """The group price of what was chosen. It is the tactic's own, so it is given to nobody who did not ask."""
    if asked.choice is None or asked.member is None:
        return
    title: Wording = TITLE
    try:
        choice = _choice(asked.choice)
        rows = ctx.sql("campaign", id=item_number(choice.campaign))
        if not rows or rows[0].state == "draft":
            raise _No(UNKNOWN)
        campaign = form(rows[0])
        title = _("Group buy: {name}", name=campaign.name)
        plan = _plan(ctx, asked, asked.member, choice, rows[0], campaign)
        yield _reduction(ctx, asked, plan, campaign, title)
    except _No as no:
        yield Declined(title, no.reason)


def _choice(given: Any) -> Choice:
    try:
        return msgspec.convert(given, Choice)
    except msgspec.ValidationError:
        raise _No(MALFORMED) from None


def _plan(ctx: Ctx, asked: Asked, member: int, choice: Choice, row: Row[Any], campaign: Campaign) -> Plan:
    """What a quote holds.

    Raises:
        _No: The member cannot have it now.
    """
    line = next((one for one in asked.basket.lines if one.sku == campaign.sku), None)
    if line is None:
        raise _No(NOT_IN_BASKET)
    units = min(line.quantity, campaign.per_order)
    standing = ctx.sql("standing", member=member, campaign=row.id, group=_group(choice))[0]
    if standing.mine:
        raise _No(IN_ONE)
    if campaign.per_member is not None and standing.units + units > campaign.per_member:
        raise _No(_("You may have {n} in all", n=campaign.per_member))
    if choice.group is None:
        pickup, slot = _opening(ctx, choice, row, campaign)
    else:
        pickup, slot = _joining(ctx, choice, standing, member, campaign)
    return Plan(
        campaign=row.id,
        group=_group(choice),
        pickup=pickup,
        slot=slot,
        line=line.id,
        units=units,
        quantity=line.quantity,
        unit_price=line.unit_price,
        price=campaign.price,
        alone=len(asked.basket.lines) == 1,
    )


def _group(choice: Choice) -> int | None:
    return None if choice.group is None else item_number(choice.group)


def _opening(ctx: Ctx, choice: Choice, row: Row[Any], campaign: Campaign) -> tuple[str, str]:
    """Where and when a new group gets its goods."""
    if ctx.closing or row.state != "active" or not campaign.opens(seats.today(ctx)):
        raise _No(OVER)
    pickup, slot = choice.pickup or "", choice.slot or ""
    if bool(campaign.pickups) is not bool(pickup) or (pickup and campaign.pickup(pickup) is None):
        raise _No(NO_PICKUP)
    if bool(campaign.slots) is not bool(slot) or (slot and campaign.slot(slot) is None):
        raise _No(NO_SLOT)
    return pickup, slot


def _joining(ctx: Ctx, choice: Choice, standing: Row[Any], member: int, campaign: Campaign) -> tuple[str, str]:
    """Where and when the group gets its goods."""
    if standing.state is None:
        raise _No(NO_GROUP)
    if standing.state != "open" or standing.taken >= standing.size or standing.expires_at <= ctx.now:
        raise _No(FULL)
    if choice.pickup not in {None, standing.pickup} or choice.slot not in {None, standing.slot}:
        raise _No(ANOTHER)
    if campaign.new_only and not seats.is_new(ctx, member):
        raise _No(NOT_NEW)
    return standing.pickup, standing.slot


def _reduction(ctx: Ctx, asked: Asked, plan: Plan, campaign: Campaign, title: Wording) -> Reduction:
    line: BasketLine = next(one for one in asked.basket.lines if one.id == plan.line)
    slot = campaign.slot(plan.slot)
    off = slot.off if slot is not None else 0
    amount = min(plan.units * (line.unit_price - plan.price) + off, plan.units * line.unit_price)
    if line.unit_price < plan.price or amount <= 0:
        raise _No(NOT_LOWER)
    return Reduction(
        title,
        amount=amount,
        lines=[plan.line],
        group=GROUP,
        stacks_with=ctx.settings.stacks_with,
        data=msgspec.to_builtins(plan),
    )


RULES: tuple[PriceRule, ...] = (
    price_rule(
        "seat",
        stage=Stage.ACTIVITY,
        quote=quote,
        reserve=seats.reserve,
        confirm=seats.confirm,
        release=seats.release,
        returned=seats.returned,
        always=True,
        choice=ChoiceForm,
    ),
)
