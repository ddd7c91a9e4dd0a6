"""What members redeemed: taken with its points in one go, handed over, or cancelled with everything put back."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import (
    Grant,
    GrantState,
    Item,
    ItemModel,
    Query,
    Refused,
    Revocation,
    RewardChoice,
    Spend,
    _,
    action,
    collection,
    item_number,
)
from threepeat_points.accounts import Ctx, lock
from threepeat_points.catalogue import eligible, today
from threepeat_points.events import PointsRedeemed, RedemptionCancelled
from threepeat_points.payments import Return, give_back, pay

RULE = "redeemed"
GONE = _("This cannot be redeemed at the moment.")


class Redemption(ItemModel):
    """Nothing is filled in: members redeem."""


STATES = {"open": _("To be handed over"), "fulfilled": _("Handed over"), "cancelled": _("Cancelled")}


def redeem(ctx: Ctx, item: int, price: int, reference: str) -> Row[Any]:
    """Let the member redeem one of an item; everything or nothing is done.

    Args:
        price: What the member saw: nobody pays more.
        reference: Unique for ever; names the payment.

    Raises:
        Refused: It is not offered, not to this member, none is left, or the member has too few points.
    """
    member, day = ctx.member, today(ctx)
    found = _offered(ctx, item)
    if found is None:
        raise Refused(GONE, code="not-offered")
    if found.price != price:
        raise Refused(_("The price has changed to {n} points.", n=found.price), code="price-changed")
    payment = f"redeem:{reference}"
    pay(ctx, [Spend(member, price, payment)])
    taken = ctx.sql("take_item", item=item, revision=found.revision, day=day, member=member)[0]
    if not taken.item:
        raise _missed(ctx, found)
    if not taken.day:
        raise Refused(_("None is left for today."), code="sold-out-today")
    if not taken.member:
        raise Refused(_("You have had as many as one member may have."), code="member-limit")
    made = ctx.sql("redeem", item=item, member=member, payment=payment, points=price, day=day)[0]
    if found.kind == "reward":
        _hand_over(ctx, made.id, RewardChoice.model_validate(found.reward))
        made = ctx.sql("redemption", id=made.id)[0]
    told = PointsRedeemed(redemption_id=str(made.id), item_id=str(item), item=found.name, points=price)
    ctx.emit(told, member=member, cause=f"redeemed:{made.id}")
    return made


def _offered(ctx: Ctx, item: int) -> Row[Any] | None:
    """An item as it stands, if it is offered to the member today."""
    rows = ctx.sql("item", id=item)
    day = today(ctx)
    if not rows or rows[0].state != "published":
        return None
    if (rows[0].first_day or day) > day or (rows[0].last_day or day) < day:
        return None
    return next(iter(eligible(ctx, rows)), None)


def _missed(ctx: Ctx, seen: Row[Any]) -> Refused:
    """Why nobody could take one of an item: the last one is gone, or it has been changed since it was seen."""
    now = ctx.sql("item", id=seen.id)
    if now and now[0].revision == seen.revision:
        return Refused(_("None is left."), code="sold-out")
    return Refused(GONE, code="not-offered")


def _hand_over(ctx: Ctx, redemption: int, choice: RewardChoice) -> None:
    """Give the reward that was paid for.

    Raises:
        Refused: It cannot be had now.
    """
    grant = Grant(ctx.member, choice.amount, RULE, f"redemption:{redemption}", item=choice.item, paid=True)
    given = ctx.grant(choice.kind, [grant])[0]
    if given.state is not GrantState.GRANTED:
        raise Refused(GONE, code="reward-not-available")
    ctx.sql("handed_over", id=redemption, kind=choice.kind, key=given.key)


def find(ctx: Ctx, query: Query) -> Sequence[Item[Redemption]]:
    """Redemptions, newest first."""
    rows = ctx.sql("redemptions", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Redemption] | None:
    """One redemption."""
    rows = ctx.sql("redemption", id=item_number(item))
    return _item(rows[0]) if rows else None


def fulfil(ctx: Ctx, item: str, revision: int) -> bool:
    """It was handed over."""
    return bool(_step(ctx, item, revision, ["open"], "fulfilled"))


def cancel(ctx: Ctx, item: str, revision: int) -> bool:
    """Undo it: the points go back to the lots that they came from, and what was taken is there again."""
    rows = ctx.sql("redemption", id=item_number(item))
    if not rows:
        return False
    lock(ctx, [rows[0].member_id])
    done = _step(ctx, item, revision, ["open", "fulfilled"], "cancelled")
    for row in done:
        give_back(ctx, [Return(row.member_id, row.payment, row.points, f"cancel:{item_number(item)}")])
        ctx.sql("put_item_back", item=row.item_id, day=row.day, member=row.member_id)
        if row.member_id > 0:  # of somebody who was erased there is nobody to tell, and nothing to take back
            if row.reward_key is not None:
                ctx.revoke(row.reward_kind, [Revocation(row.reward_key)])
            told = RedemptionCancelled(
                redemption_id=item, item_id=str(row.item_id), item=rows[0].name, points=row.points
            )
            ctx.emit(told, member=row.member_id, cause=f"cancelled:{item_number(item)}")
    return bool(done)


REDEMPTIONS = collection(
    "redemptions",
    Redemption,
    title=_("Redemptions"),
    singular=_("redemption"),
    summary=_("What members redeemed points for, and what of it is still to be handed over."),
    states=STATES,
    find=find,
    read=read,
    actions=[
        action("fulfil", fulfil, title=_("Handed over"), states={"open"}, always=True),
        action(
            "cancel",
            cancel,
            title=_("Cancel"),
            states={"open", "fulfilled"},
            confirm=_(
                "The points go back to the member, and a reward is taken back as far as it was not used. Goods"
                " that were handed over are yours to ask back for."
            ),
            always=True,
        ),
    ],
)


def _step(ctx: Ctx, item: str, revision: int, before: Sequence[str], after: str) -> Sequence[Row[Any]]:
    return ctx.sql("redemption_step", id=item_number(item), revision=revision, before=list(before), after=after)


def _item(row: Row[Any]) -> Item[Redemption]:
    figures: dict[str, int | str] = {_("Points"): row.points, _("Day"): row.day.isoformat()}
    if row.member_id > 0:
        figures[_("Member number")] = str(row.member_id)
    return Item(str(row.id), row.state, Redemption(), row.revision, row.name, row.changed_at, figures)
