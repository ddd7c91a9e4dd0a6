"""Money that the shop is asked to pay back: asked for until it answers, and shown to the merchant."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Row

from threepeat.sdk import Due, Item, ItemModel, Query, Refused, Wording, _, action, collection, item_number
from threepeat.sdk.events import RefundRequested
from threepeat_groupbuy.campaigns import Ctx

ASK = "ask"
"""The timer with which an unanswered refund is asked for again."""
PATIENCE = timedelta(days=1)
MOST_TIMES = 7
NO_ANSWER = "no-answer"

Reason = Literal["failed", "difference", "left", "late"]

STATES = {
    "asked": _("Asked for"),
    "refunded": _("Refunded"),
    "failed": _("Failed"),
    "settled": _("Settled by you"),
}
REASONS: dict[str, Wording] = {
    "failed": _("The group failed"),
    "difference": _("The group reached a lower price"),
    "left": _("The member left the group"),
    "late": _("Paid too late, and there was no group"),
}


class Repayment(ItemModel):
    """Nothing is filled in: groups ask."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Money of a paid seat that is to go back, in minor units."""

    reservation: str
    member: int
    order_id: str
    amount: int


def ask(ctx: Ctx, owed: Sequence[Owed], reason: Reason) -> None:
    """Ask for money back, once for each seat. Where nothing was paid nothing is asked.

    What was paid too late is asked for a moment later: how much was paid, and what came back before, is told next.
    """
    if not owed:
        return
    rows = ctx.sql(
        "ask",
        reservations=[one.reservation for one in owed],
        members=[one.member for one in owed],
        orders=[one.order_id for one in owed],
        amounts=[one.amount for one in owed],
        reason=reason,
    )
    _request(ctx, rows)


def correct(ctx: Ctx, owed: Sequence[Owed]) -> None:
    """Change what will be asked for a moment later, where something else is owed than was thought."""
    if owed:
        ctx.sql(
            "correct",
            reservations=[one.reservation for one in owed],
            amounts=[one.amount for one in owed],
        )


def go_on(ctx: Ctx, dues: list[Due]) -> None:
    """Ask again for what was not answered; after some times it is for people to see."""
    _request(
        ctx, ctx.sql("ask_again", ids=[item_number(due.key) for due in dues], most=MOST_TIMES, problem=NO_ANSWER)
    )


def answered(ctx: Ctx, ids: Iterable[int]) -> None:
    """Stop asking."""
    for refund in ids:
        ctx.cancel(ASK, str(refund))


def _request(ctx: Ctx, rows: Iterable[Row[Any]]) -> None:
    for row in rows:
        if row.state != "asked":
            continue
        if not row.times:
            ctx.later(ASK, str(row.id), ctx.now)
            continue
        wanted = RefundRequested(
            order_id=row.order_id,
            amount=row.amount,
            currency=ctx.tenant.currency,
            reason=f"group-{row.reason}",
            reservation_id=row.reservation.partition(".")[0],
        )
        ctx.emit(wanted, member=row.member_id, cause=f"refund:{row.id}:{row.times}")
        # It is no member's timer: an erasure would take it away, and nobody would see that nobody answers.
        ctx.later(ASK, str(row.id), ctx.now + PATIENCE)


# --- What the merchant sees and does ---------------------------------------------------------------------------


def find(ctx: Ctx, query: Query) -> Sequence[Item[Repayment]]:
    """Refunds, newest first."""
    rows = ctx.sql("refund_find", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(ctx, row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[Repayment] | None:
    """One refund."""
    rows = ctx.sql("refund_read", id=item_number(item))
    return _item(ctx, rows[0]) if rows else None


def again(ctx: Ctx, item: str, revision: int) -> bool:
    """Ask the shop once more.

    Raises:
        Refused: The member was erased, so the order has no name any more.
    """
    rows = ctx.sql("refund_read", id=item_number(item))
    if rows and rows[0].member_id < 0:
        raise Refused(_("The member was erased: pay it back in your shop, and settle it here."), code="erased")
    done = ctx.sql("refund_step", id=item_number(item), revision=revision, into="asked")
    _request(ctx, done)
    return bool(done)


def settle(ctx: Ctx, item: str, revision: int) -> bool:
    """It was settled in another way; nothing is asked any more."""
    done = ctx.sql("refund_step", id=item_number(item), revision=revision, into="settled")
    answered(ctx, (row.id for row in done))
    return bool(done)


REFUNDS = collection(
    "refunds",
    Repayment,
    title=_("Group buy refunds"),
    singular=_("refund"),
    summary=_("What your shop was asked to pay back, and whether it has."),
    states=STATES,
    find=find,
    read=read,
    actions=[
        action("again", again, title=_("Ask again"), states={"asked", "failed"}, always=True),
        action(
            "settle",
            settle,
            title=_("Settled"),
            states={"asked", "failed"},
            confirm=_(
                "You have paid it back in another way, or agreed with the member. It is not asked for again."
            ),
            always=True,
        ),
    ],
)


def _item(ctx: Ctx, row: Row[Any]) -> Item[Repayment]:
    figures: dict[str, int | str] = {
        _("Why"): REASONS[row.reason],
        _("Amount"): _("{amount}", amount=ctx.tenant.money(row.amount)),
        _("Paid back so far"): _("{amount}", amount=ctx.tenant.money(row.back)),
        _("Asked so often"): row.times,
    }
    if row.problem and row.member_id > 0:
        figures[_("What the shop says")] = _("No answer") if row.problem == NO_ANSWER else row.problem
    if row.team_id is not None:
        figures[_("Group")] = str(row.team_id)
    title = row.order_id if row.member_id > 0 else _("An order of an erased member")
    return Item(str(row.id), row.state, Repayment(), row.revision, title, row.changed_at, figures)
