"""The arithmetic of points, free of any database: movements between accounts, and what reversals take.

A reversal takes points from the own lot of the refunded order or revoked reward first, whether they wait, can be
spent or have expired, then from other lots that had not expired by then, the earliest to expire first, and what is
still missing becomes a debt. So it is always complete.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Movement:
    """A line of the journal: what it puts into each account, or takes out of it; the six add up to zero.

    The fields are those of `models.Entry`.
    """

    member: int
    kind: str
    reference: str
    at: datetime
    available: int = 0
    pending: int = 0
    debt: int = 0
    liability: int = 0
    expense: int = 0
    breakage: int = 0

    @property
    def points(self) -> int:
        """What the member has more by it; below zero less."""
        return self.available + self.pending + self.debt


@dataclass(slots=True)
class OpenLot:
    """A lot while a batch works on it; the fields are those of `models.Lot`."""

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
    waiting: bool = False
    unlocks_at: datetime | None = None
    expired: int = 0

    def is_open(self, at: datetime) -> bool:
        """Whether it had not expired at an instant."""
        return self.expires_at is None or self.expires_at > at


def mature(lot: OpenLot, member: int, at: datetime) -> Iterator[Movement]:
    """Let time do to a lot what it has done by an instant: what waited is unlocked, what is old expires."""
    expires = lot.expires_at
    if lot.waiting and lot.unlocks_at is not None and lot.unlocks_at <= at and lot.is_open(lot.unlocks_at):
        lot.waiting = False
        if lot.remaining:
            yield Movement(
                member,
                "unlocked",
                f"unlock:{lot.id}",
                lot.unlocks_at,
                available=lot.remaining,
                pending=-lot.remaining,
            )
    if lot.remaining and expires is not None and expires <= at:
        gone = Movement(member, "expired", expiry_reference(lot.id, expires), expires, breakage=lot.remaining)
        gone.pending, gone.available = (-lot.remaining, 0) if lot.waiting else (0, -lot.remaining)
        lot.expired += lot.remaining
        lot.remaining = 0
        yield gone


def expiry_reference(lot: int, expires: datetime) -> str:
    """How the journal names a lot's expiry; a lot that was given more time expires again."""
    return f"expire:{lot}:{int(expires.timestamp())}"


def due_for_order(lot: OpenLot, amount: int) -> int:
    """Points to reverse because `amount` of the lot's order went back; notes them on the lot.

    After it, the order has earned at most what its remaining money earns, by the factor of its day: one rounding,
    however many refunds. Money beyond the order's total reverses nothing more.

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


def take(points: int, own: OpenLot | None, lots: Sequence[OpenLot], line: Movement) -> int:
    """Take points back, note on a line of the journal where they were, and say how many could not be taken.

    What could not be taken is on the line as a debt.

    Args:
        points: How many.
        own: The lot of what is reversed, which gives first, expired or not.
        lots: All lots of the member, the earliest to expire first.
        line: Says when it is reversed; lots that had expired by then give nothing, and those that expired only
            since give what was written off.
    """
    line.expense += points
    left = points
    if own is not None:
        left -= _draw(own, left, line)
    for lot in lots:
        if left and lot is not own and lot.is_open(line.at):
            left -= _draw(lot, left, line)
    line.debt -= left
    return left


def _draw(lot: OpenLot, points: int, line: Movement) -> int:
    taken = min(lot.remaining, points)
    lot.remaining -= taken
    if lot.waiting:
        line.pending -= taken
    else:
        line.available -= taken
    written_off = min(lot.expired, points - taken)
    lot.expired -= written_off
    line.breakage -= written_off
    return taken + written_off
