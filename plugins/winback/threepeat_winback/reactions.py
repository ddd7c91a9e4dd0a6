"""Orders, visits and refunds, for whole batches."""

from collections.abc import Sequence
from typing import TypeVar

from threepeat.sdk.events import Event, OrderPaid, OrderRefunded
from threepeat_winback.events import Returned
from threepeat_winback.offers import Ctx
from threepeat_winback.returns import give, take_back

E = TypeVar("E", bound=Event)


def ordered(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Note that members bought, and keep what was promised to those who were woken."""
    note(ctx, events, bought=True)
    paid = [one for one in events if one.total >= ctx.settings.least_total]
    if not paid:
        return
    came = ctx.sql(
        "came_back",
        members=[one.member for one in paid],
        orders=[one.order_id for one in paid],
        totals=[one.total for one in paid],
        times=[one.occurred_at for one in paid],
    )
    if came:
        give(ctx, came)
        orders = {one.order_id: one for one in reversed(paid)}
        for row in came:
            returned = Returned(order_id=row.order_id, total=row.order_total, slept_since=row.slept_since)
            ctx.emit(returned, member=row.member_id, cause=orders[row.order_id])


def active(ctx: Ctx, events: list[E]) -> None:
    """Note that members came, without a purchase."""
    note(ctx, events, bought=False)


def note(ctx: Ctx, events: Sequence[Event], *, bought: bool) -> None:
    """Note when members were last active: one statement, whatever the batch."""
    ctx.sql(
        "note",
        members=[one.member for one in events],
        times=[one.occurred_at for one in events],
        bought=[bought] * len(events),
    )


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take back what was given for orders whose money went back."""
    named = [(one, one.order_id) for one in events if one.order_id is not None]
    if named:
        ctx.sql(
            "count_refunds",
            refunds=[one.refund_id for one, _ in named],
            orders=[order for _, order in named],
            members=[one.member for one, _ in named],
            amounts=[one.amount for one, _ in named],
            times=[one.occurred_at for one, _ in named],
        )
        take_back(ctx, {order for _, order in named})
