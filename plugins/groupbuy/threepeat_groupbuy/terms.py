"""What a group costs and how many it takes: plain sums, no database."""

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from threepeat.sdk import Hold

LEAST_REAL = 2
"""With fewer real seats no group is ever completed by virtual ones."""


class Level(NamedTuple):
    """From so many members on a unit costs so much, in minor units."""

    size: int
    price: int


class Plan(Struct, frozen=True, kw_only=True):
    """What a quote says about a seat; it is kept with the quote.

    Attributes:
        group: The group to join; None opens one.
        line: The basket's line with the goods.
        units: How many of its units have the group price.
        unit_price: Of one unit without the group, in minor units.
        price: Of one unit in the group; with steps that of the lowest.
        alone: Nothing else stands in the basket.
    """

    campaign: int
    group: int | None
    pickup: str
    slot: str
    line: str
    units: int
    quantity: int
    unit_price: int
    price: int
    alone: bool


def worth(plan: Plan, hold: Hold) -> int:
    """What goes back in money if there is no group: what was paid for the group's units, rounded up.

    If nothing else was bought, the whole order goes back, delivery included.
    """
    if plan.alone and plan.units == plan.quantity:
        return hold.total
    line = plan.quantity * plan.unit_price - hold.shares.get(plan.line, 0)
    others = (plan.quantity - plan.units) * plan.unit_price
    paid = hold.prices.get(plan.line, line)
    return -(-paid * (line - others) // line) if line else 0


def due(amount: int, reduction: int, returned: int) -> int:
    """What of an amount is still to go back after a part of the goods did, rounded up."""
    return amount if not reduction else -(-amount * (reduction - returned) // reduction)


def reached(levels: Sequence[Level], joined: int) -> int:
    """What a unit costs with so many members; with fewer than the lowest step asks for, what that says."""
    return next((level.price for level in reversed(levels) if level.size <= joined), levels[0].price)


def least_real(size: int, percent: int | None) -> int | None:
    """How many real seats it takes until virtual ones may count; None if they never do."""
    return None if percent is None else max(LEAST_REAL, -(-size * percent // 100))
