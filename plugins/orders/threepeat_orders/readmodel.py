"""Answers other plugins' questions about orders."""

from collections.abc import Collection, Mapping

from threepeat.sdk import Context, OrderSummary
from threepeat_orders.settings import OrdersSettings


class OrdersReadModel:
    """Implements `threepeat.sdk.Orders` for one tenant."""

    def __init__(self, ctx: Context[OrdersSettings]) -> None:
        self._ctx = ctx

    def summaries(self, members: Collection[int]) -> Mapping[int, OrderSummary]:
        """Summaries by member id."""
        return {
            row.member_id: OrderSummary(row.orders, row.spend, row.first_order_at, row.last_order_at)
            for row in self._ctx.sql("summaries", members=sorted(members))
        }

    def categories(self, members: Collection[int]) -> Mapping[int, Mapping[str, int]]:
        """Units bought by member id and category."""
        found: dict[int, dict[str, int]] = {}
        for row in self._ctx.sql("categories", members=sorted(members)):
            found.setdefault(row.member_id, {})[row.category] = row.units
        return found
