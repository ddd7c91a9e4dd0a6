"""The read model of orders that the `orders` service offers to every plugin."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OrderSummary:
    """What a member has bought so far.

    Attributes:
        orders: Number of paid orders.
        spend: Paid minus refunded, in minor units; refunds without an order count.
        first_order_at: When the earliest order was paid; None without orders.
        last_order_at: When the latest order was paid; None without orders.
    """

    orders: int
    spend: int
    first_order_at: datetime | None
    last_order_at: datetime | None


class Orders(Protocol):
    """Answers about orders, for many members at a time. Unknown members are simply absent."""

    def summaries(self, members: Collection[int]) -> Mapping[int, OrderSummary]:
        """Summaries by member id."""
        ...

    def categories(self, members: Collection[int]) -> Mapping[int, Mapping[str, int]]:
        """Units bought by member id and category; lines without a category do not count."""
        ...
