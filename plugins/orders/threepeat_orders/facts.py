"""What others may know of a buyer."""

from collections.abc import Collection, Mapping
from datetime import datetime

from threepeat.sdk import Context, Fact, fact
from threepeat_orders.settings import OrdersSettings

Ctx = Context[OrdersSettings]


def count(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """How many orders were paid, refunded ones included."""
    return {row.member_id: row.orders for row in ctx.sql("summaries", members=sorted(members))}


def spend(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """Paid minus refunded, in minor units."""
    return {row.member_id: row.spend for row in ctx.sql("summaries", members=sorted(members))}


def first_at(ctx: Ctx, members: Collection[int]) -> Mapping[int, datetime]:
    """When the first order was paid."""
    rows = ctx.sql("summaries", members=sorted(members))
    return {row.member_id: row.first_order_at for row in rows if row.first_order_at is not None}


def last_at(ctx: Ctx, members: Collection[int]) -> Mapping[int, datetime]:
    """When the last order was paid."""
    rows = ctx.sql("summaries", members=sorted(members))
    return {row.member_id: row.last_order_at for row in rows if row.last_order_at is not None}


FACTS: tuple[Fact, ...] = (
    fact("orders.count", count, kind="number", title={"en": "number of orders", "zh": "累计订单数"}, default=0),
    fact(
        "orders.spend",
        spend,
        kind="number",
        unit="money",
        title={"en": "total spending", "zh": "累计消费金额"},
        default=0,
    ),
    fact("orders.first_at", first_at, kind="instant", title={"en": "first order", "zh": "首次下单"}),
    fact("orders.last_at", last_at, kind="instant", title={"en": "last order", "zh": "最近一次下单"}),
)
