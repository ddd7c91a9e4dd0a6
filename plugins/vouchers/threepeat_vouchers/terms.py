"""What a kind of voucher takes off a basket, and when one can be used. Nothing here knows of rows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from threepeat.sdk import BasketLine, Gift, midnight

if TYPE_CHECKING:
    from threepeat_vouchers.form import Template

DAY = timedelta(days=1)
VOUCHER, DELIVERY = "voucher", "delivery"
"""The groups: of each one reduction stands in an order."""

BESIDE: Mapping[str, frozenset[str]] = {
    "activity": frozenset({"activity"}),
    "member": frozenset({"member"}),
    # A voucher for free delivery names its neighbour by the same box.
    "delivery": frozenset({VOUCHER, DELIVERY}),
    "other": frozenset({"", "promotion", "points"}),
}
"""The groups that each box of the form means; what has no group stands beside any other by itself."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """What it takes off.

    Attributes:
        lines: Of which lines.
        counted: What it takes out of the template's budget, in minor units; a gift what it costs.
    """

    amount: int
    lines: Collection[str]
    shipping: int
    gifts: tuple[Gift, ...]
    counted: int


@dataclass(frozen=True, slots=True)
class Short:
    """Why it takes nothing off.

    Attributes:
        more: What the things that it counts for must come to besides; None if there are none of them.
    """

    more: int | None


def reduce(
    template: "Template", lines: Iterable[BasketLine], standing: Mapping[str, int], *, shipping: int
) -> Reduced | Short:
    """What it takes off a basket.

    Args:
        standing: What each line comes to by now, by line id, in minor units.
        shipping: What delivery comes to by now.
    """
    mine = {line.id: standing[line.id] for line in lines if counts_for(template, line)}
    worth = sum(mine.values())
    if not mine:
        return Short(None)
    if worth < template.threshold:
        return Short(template.threshold - worth)
    if template.kind == "gift":
        gift = Gift(sku=template.gift_sku, quantity=template.gift_quantity, name=template.gift_name)
        return Reduced(0, mine.keys(), 0, (gift,), template.cost)
    if template.kind == "delivery":
        off = shipping if template.cap is None else min(shipping, template.cap)
        return Reduced(0, mine.keys(), off, (), off)
    if template.kind == "fixed":
        off = min(template.amount or 0, worth)
    else:
        off = worth * (template.percent or 0) // 100
        off = off if template.cap is None else min(off, template.cap)
    return Reduced(off, mine.keys(), 0, (), off)


def counts_for(template: "Template", line: BasketLine) -> bool:
    """Whether a line is one of the things that it counts for."""
    if line.sku in template.except_skus or line.category in template.except_categories:
        return False
    if template.scope == "categories":
        return line.category in template.categories
    return template.scope == "all" or line.sku in template.skus


def group(template: "Template") -> str:
    """Of which group one stands in an order."""
    return DELIVERY if template.kind == "delivery" else VOUCHER


def stacks_with(template: "Template") -> frozenset[str] | None:
    """The groups beside which it may stand; None is all."""
    if template.stacks == "all":
        return None
    return frozenset().union(*(BESIDE[one] for one in template.beside))


def span(template: "Template", now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From when and until when one can be used that is given now; over if the end has passed."""
    if template.validity == "dates":
        assert template.first_day is not None  # noqa: S101 - the form asks for both
        assert template.last_day is not None  # noqa: S101
        return midnight(template.first_day, zone), midnight(template.last_day + DAY, zone)
    first = now.astimezone(zone).date() + template.start_after_days * DAY
    begin = midnight(first, zone) if template.start_after_days else now
    return begin, midnight(first + (template.days or 1) * DAY, zone)
