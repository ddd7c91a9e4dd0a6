"""The arithmetic of reversals, free of any database.

A reversal takes points from the own lot of the refunded order or revoked reward first, then from other open
lots, the earliest to expire first, and what is still missing becomes a debt. So it is always complete: lots minus
debt add up to the journal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class OpenLot:
    """A lot while a batch of reversals works on it; the fields are those of `models.Lot`."""

    id: int
    order_id: str | None
    order_total: int
    order_refunded: int
    minor_units: int
    rate: int
    granted: int
    reversed: int
    remaining: int
    expires_at: datetime | None
    reward_key: str | None = None
    factor_numerator: int = 1
    factor_denominator: int = 1

    def is_open(self, at: datetime) -> bool:
        """Whether its points could be spent at an instant."""
        return self.remaining > 0 and (self.expires_at is None or self.expires_at > at)


def due_for_order(lot: OpenLot, amount: int) -> int:
    """Points to reverse because `amount` of the lot's order went back; notes them on the lot.

    After it, the order has earned what its remaining money earns, by the factor of its day: one rounding, however
    many refunds.
    Money beyond the order's total reverses nothing more.

    Args:
        lot: The order's lot.
        amount: This refund, in minor units.
    """
    lot.order_refunded += amount
    left = max(lot.order_total - lot.order_refunded, 0)
    earns = left // lot.minor_units * lot.rate * lot.factor_numerator // lot.factor_denominator
    due = max(lot.granted - lot.reversed - earns, 0)
    lot.reversed += due
    return due


def take(points: int, own: OpenLot | None, lots: Sequence[OpenLot], at: datetime) -> int:
    """Take points back and say how many could not be taken.

    Args:
        points: How many.
        own: The lot of what is reversed, which gives first, expired or not.
        lots: All lots of the member, the earliest to expire first.
        at: When it is reversed; lots that had expired by then give nothing.
    """
    others = (lot for lot in lots if lot is not own and lot.is_open(at))
    for lot in (own,) if own else ():
        points -= _draw(lot, points)
    for lot in others:
        points -= _draw(lot, points)
    return points


def _draw(lot: OpenLot, points: int) -> int:
    taken = min(lot.remaining, points)
    lot.remaining -= taken
    return taken
