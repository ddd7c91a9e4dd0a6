"""What the shop reports of orders with seats: what was paid, and what became of money that was asked back."""

import msgspec

from threepeat.sdk.events import OrderPaid, OrderRefunded, RefundFailed
from threepeat_groupbuy import ending, refunds
from threepeat_groupbuy.campaigns import Ctx


def paid(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Where another amount was paid than was quoted, that counts. The checkout has confirmed the seats before."""
    named = [event for event in reversed(events) if event.reservation_id is not None]
    if not named:
        return
    first = {(event.order_id, event.member): event.total for event in named}
    rows = ctx.sql(
        "totals",
        orders=[order for order, _ in first],
        members=[member for _, member in first],
        totals=list(first.values()),
    )
    if rows:
        ending.lock(ctx, [row.team_id for row in rows if row.team_id is not None])
        changed = ctx.sql(
            "set_totals", reservations=[row.reservation for row in rows], totals=[row.total for row in rows]
        )
        refunds.correct(ctx, [ending.owed(seat) for seat in changed if seat.state == "failed"])


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """The shop paid something back."""
    named = {event.refund_id: event for event in reversed(events) if event.order_id is not None}
    if not named:
        return
    rows = ctx.sql(
        "answered",
        refunds=list(named),
        members=[event.member for event in named.values()],
        orders=[event.order_id for event in named.values()],
        amounts=[event.amount for event in named.values()],
        skus=[_skus(event) for event in named.values()],
    )
    refunds.answered(ctx, (row.id for row in rows if row.state == "refunded"))


def refund_failed(ctx: Ctx, events: list[RefundFailed]) -> None:
    """The shop could not pay back: people see it, and may ask again."""
    rows = ctx.sql(
        "refused",
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        problems=[event.reason for event in events],
    )
    refunds.answered(ctx, (row.id for row in rows))


def _skus(event: OrderRefunded) -> str:
    """What a refund names, as JSON."""
    return msgspec.json.encode(sorted({line.sku for line in event.lines})).decode()
