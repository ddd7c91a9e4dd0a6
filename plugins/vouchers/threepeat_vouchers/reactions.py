"""What orders tell of those with vouchers."""

from threepeat.sdk.events import OrderPaid
from threepeat_vouchers.templates import Ctx


def paid(ctx: Ctx, orders: list[OrderPaid]) -> None:
    """Keep what was paid for orders that were priced here, to hold it against what vouchers took off."""
    mine = {order.order_id: order for order in orders if order.reservation_id is not None}
    if mine:
        ctx.sql(
            "order_totals",
            orders=list(mine),
            reservations=[order.reservation_id for order in mine.values()],
            totals=[order.total for order in mine.values()],
        )
