"""What members are told besides events."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import MessageKind, Notice, _, message_kind
from threepeat.sdk.wording import Value
from threepeat_groupbuy.campaigns import Ctx
from threepeat_groupbuy.form import Campaign

NAME = _("The group buy")

KINDS: tuple[MessageKind, ...] = (
    message_kind(
        "succeeded",
        title=_("A group is complete"),
        text=_("Your group for {name} is complete. Your order will be delivered."),
        variables={"name": NAME},
    ),
    message_kind(
        "failed",
        title=_("A group failed"),
        text=_("Your group for {name} did not come about in time. {amount} goes back to you."),
        variables={"name": NAME, "amount": _("What goes back")},
    ),
    message_kind(
        "moved",
        title=_("A member is in another group"),
        text=_(
            "Your payment for {name} came when the group was full or over, so you are in another group."
            " You can leave it and get your money back until it is complete."
        ),
        variables={"name": NAME},
    ),
)


def succeeded(ctx: Ctx, seats: Sequence[Row[Any]], campaign: Campaign) -> None:
    """Tell the members of a group that it is complete."""
    name = {"name": campaign.name}
    ctx.message("succeeded", [Notice(seat.member_id, f"succeeded:{seat.reservation}", name) for seat in seats])


def failed(ctx: Ctx, told: Sequence[tuple[Row[Any], Campaign, int]]) -> None:
    """Tell members that there is no group, and what goes back.

    Args:
        told: A seat, its campaign, and an amount in minor units.
    """
    ctx.message(
        "failed",
        [
            Notice(seat.member_id, f"failed:{seat.reservation}", _values(ctx, campaign, amount))
            for seat, campaign, amount in told
        ],
    )


def _values(ctx: Ctx, campaign: Campaign, amount: int) -> Mapping[str, Value]:
    return {"name": campaign.name, "amount": ctx.tenant.money(amount)}


def moved(ctx: Ctx, member: int, reservation: str, campaign: Campaign) -> None:
    """Tell a member who paid too late which group it became."""
    ctx.message("moved", [Notice(member, f"moved:{reservation}", {"name": campaign.name})])
