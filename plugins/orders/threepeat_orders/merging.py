"""Two buyers who are one person."""

from threepeat.sdk import Context
from threepeat_orders.settings import OrdersSettings


def merge_members(ctx: Context[OrdersSettings], source: int, target: int) -> None:
    """Move orders and refunds to the target, and add up the summaries."""
    ctx.sql("merge", source=source, target=target)
