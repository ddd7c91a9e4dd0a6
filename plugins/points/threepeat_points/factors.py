"""What multiplies the points of an order.

The rule: a bonus day counts for orders paid from its publishing on, from the first moment of its first day to the
last of its last, by the clock of the store. When an order was counted does not matter. Where bonus days overlap,
the highest factor counts; they do not multiply each other. Factors of other tactics multiply it. For whom a day
is, is looked up when the order is counted. What an order has earned stands on its lot with the factor, so that
refunds take back exactly that, and closing a bonus day changes nothing that was earned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import AsOf, Audience, PluginError
from threepeat.sdk.events import OrderPaid
from threepeat_points.accounts import Ctx
from threepeat_points.bonus_days import TENTHS

MOST = 1000
"""Beyond it a factor, of all tactics together, is a mistake."""
PRECISION = 10**6
"""Largest denominator of a factor: what tactics multiply together is kept to a millionth."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What multiplies the points of one order.

    Attributes:
        bonus_day: The bonus day that counts for it, if one does.
    """

    factor: Fraction
    bonus_day: int | None


def terms(ctx: Ctx, orders: Sequence[OrderPaid]) -> dict[str, Terms]:
    """What multiplies each of these orders, by order id; an order that earns as usual is absent.

    One query for the batch, and one look-up of members for each bonus day that is not for everybody.

    Raises:
        PluginError: Other tactics multiply points beyond all reason.
    """
    factors = ctx.multiplier("points", [AsOf.of(order) for order in orders])
    chosen = _chosen(ctx, orders)
    found: dict[str, Terms] = {}
    for order, others in zip(orders, factors, strict=True):
        day = chosen.get(order.order_id)
        if day is not None or others.numerator != others.denominator:
            factor = others * Fraction(day.factor_tenths, TENTHS) if day is not None else others
            if factor.numerator > MOST * factor.denominator:
                raise PluginError(f"points are multiplied by {factor}: the most is {MOST}")
            if factor.denominator > PRECISION:
                factor = factor.limit_denominator(PRECISION)
            found[order.order_id] = Terms(factor, day.id if day is not None else None)
    return found


def _chosen(ctx: Ctx, orders: Sequence[OrderPaid]) -> dict[str, Row[Any]]:
    """The bonus day with the highest factor for each order that has one."""
    times = [order.occurred_at for order in orders]
    chosen: dict[str, Row[Any]] = {}
    # The highest factor comes first, so whoever has a day keeps it.
    for day in ctx.sql("bonus_days_between", since=min(times), until=max(times)):
        inside = [
            order
            for order in orders
            if order.order_id not in chosen and day.begins_at <= order.occurred_at < day.ends_at
        ]
        if day.audience and inside:
            meant = ctx.matching(Audience.model_validate(day.audience), {order.member for order in inside})
            inside = [order for order in inside if order.member in meant]
        chosen.update((order.order_id, day) for order in inside)
    return chosen
