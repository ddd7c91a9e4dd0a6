"""Keeps the read model in step with the shop's events."""

from threepeat.sdk import Context
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat_orders.settings import OrdersSettings


def paid(ctx: Context[OrdersSettings], events: list[OrderPaid]) -> None:
    """Record paid orders; a second payment of the same order changes nothing."""
    orders = {event.order_id: event for event in reversed(events)}
    ctx.sql(
        "paid",
        orders=list(orders),
        members=[order.member for order in orders.values()],
        totals=[order.total for order in orders.values()],
        times=[order.occurred_at for order in orders.values()],
        positions=[order.position for order in orders.values()],
    )


def refunded(ctx: Context[OrdersSettings], events: list[OrderRefunded]) -> None:
    """Record refunds; a second report of the same refund changes nothing."""
    ctx.sql(
        "refunded",
        refunds=[event.refund_id for event in events],
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        amounts=[event.amount for event in events],
        times=[event.occurred_at for event in events],
    )
