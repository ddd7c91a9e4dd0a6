"""Paid boxes: what orders held, what came without a hold, and what cannot be had and is paid back."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Occurrence
from threepeat.sdk.events import OrderPaid
from threepeat.sdk.pricing import spread
from threepeat_blindbox import drawing, places, refunds
from threepeat_blindbox.drawing import Course, Waiting
from threepeat_blindbox.pools import Ctx

UNOPENED = "unopened"

MOST_BOXES = 10_000
"""Of one series in one order; more than that cannot be meant."""


@dataclass(slots=True)
class Bought:
    """Boxes of one series in one paid order.

    Attributes:
        boxes: How many are to be drawn for, without what came back before; below 0 is more than can be meant.
        money: What was paid for each of them, in minor units.
        hold: What was held for them; None if nothing was.
    """

    event: OrderPaid
    series: int
    boxes: int
    money: list[int]
    hold: Row[Any] | None
    day: date

    @property
    def spending(self) -> tuple[int, int, date]:
        """Whose limits of which day it counts toward."""
        return self.event.member, self.series, self.day

    @property
    def held(self) -> int:
        """How many are held already."""
        return self.hold.boxes if self.hold is not None else 0

    @property
    def held_money(self) -> int:
        """What the hold counts toward the limit in money."""
        return self.hold.money if self.hold is not None else 0


@dataclass(slots=True)
class Counts:
    """What changes in one statement for a whole batch."""

    boxes: dict[tuple[int, int, date], int] = field(default_factory=dict)
    money: dict[tuple[int, int, date], int] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)

    def add(self, bought: Bought, boxes: int, money: int) -> None:
        """Count boxes toward limits and places."""
        place = bought.spending
        self.boxes[place] = self.boxes.get(place, 0) + boxes
        self.money[place] = self.money.get(place, 0) + money
        self.held[bought.series] = self.held.get(bought.series, 0) + boxes


def paid(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Make boxes of what was paid for, and draw for those whose buyers saw the odds as they are."""
    orders = list(_bought(ctx, events))
    if not orders:
        return
    known = drawing.buyers(ctx, ((one.event.member, one.series) for one in orders))
    spent = _limits(ctx, orders)
    courses = drawing.lock(ctx, (one.series for one in orders))
    counts, taken, owed = Counts(), [], []
    for one in orders:
        course = courses.get(one.series)
        reason = _take(one, course, spent, counts)
        if reason is None:
            taken.append(one)
        else:
            owed.append(refunds.Owed(one.event.order_id, one.series, one.event.member, sum(one.money), reason))
    _count(ctx, counts)
    used = [(one.hold.reservation, one.series) for one in orders if one.hold is not None]
    if used:
        ctx.sql("holds_used", reservations=[name for name, _ in used], series=[series for _, series in used])
    boxes = _boxes(ctx, taken)
    refunds.ask(ctx, owed)
    drawn = {one.box.id for one in drawing.draw(ctx, courses, known, boxes)}
    left = {(box.series, box.order) for box in boxes if box.id not in drawn}
    for one in taken:
        if (one.series, one.event.order_id) in left:
            due = one.event.occurred_at + timedelta(days=ctx.settings.open_within_days)
            ctx.later(UNOPENED, f"{one.series}:{one.event.order_id}", due, member=one.event.member)


def _bought(ctx: Ctx, events: Sequence[OrderPaid]) -> list[Bought]:
    """What of a batch is boxes that were not seen before; an order that its checkout pays back is none."""
    first = {event.order_id: event for event in reversed(events)}
    wanted = {line.sku for event in first.values() for line in event.lines}
    series = {row.sku: row.id for row in ctx.sql("sold_as", skus=sorted(wanted))} if wanted else {}
    maybe = [
        event
        for event in first.values()
        if event.reservation_id is not None or any(line.sku in series for line in event.lines)
    ]
    held = _held(ctx, maybe)
    skus = {
        event.order_id: ({line.sku for line in event.lines} & series.keys()) | held.get(event.order_id, {}).keys()
        for event in maybe
    }
    mine = sorted((event for event in maybe if skus[event.order_id]), key=lambda event: event.position)
    if not mine:
        return []
    orders = [event.order_id for event in mine]
    seen = {(row.order_id, row.sku) for row in ctx.sql("boxes_seen", orders=orders)}
    back = refunds.before(ctx, mine)
    found = []
    for event in mine:
        for sku in sorted(skus[event.order_id]):
            hold = held.get(event.order_id, {}).get(sku)
            if (event.order_id, sku) in seen or (hold is not None and hold.refused):
                continue
            sold_in = hold.series_id if hold is not None else series[sku]
            found.append(_of(ctx, event, sku, sold_in, hold, back[event.order_id].units(sku, event.total)))
    return found


def _held(ctx: Ctx, events: Sequence[OrderPaid]) -> dict[str, dict[str, Row[Any]]]:
    """What is held for paid orders, by SKU of the series that sold it, whatever is sold under it now."""
    if not events:
        return {}
    rows = ctx.sql(
        "holds_of",
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        reservations=[event.reservation_id for event in events],
    )
    found: dict[str, dict[str, Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.for_order, {})[row.sku] = row
    return found


def _of(ctx: Ctx, event: OrderPaid, sku: str, series: int, hold: Row[Any] | None, back: int | None) -> Bought:
    """Boxes of one SKU; an order that is reported without any lines bought what is held for it."""
    lines = [line for line in event.lines if line.sku == sku]
    units, paid_for = sum(line.quantity for line in lines), sum(line.amount for line in lines)
    if hold is not None and not event.lines:
        units, paid_for = hold.boxes, min(hold.money, event.total)
    day = hold.day if hold is not None else places.today(ctx, event.occurred_at)
    if units > MOST_BOXES:
        return Bought(event, series, -1, [paid_for], hold, day)
    boxes = 0 if back is None else max(units - back, 0)
    shares = spread(paid_for, {str(number): 1 for number in range(units)})
    return Bought(event, series, boxes, list(shares.values())[:boxes], hold, day)


def _limits(ctx: Ctx, orders: Sequence[Bought]) -> dict[tuple[int, int, date], list[int]]:
    """What members opened on the days, locked."""
    pairs = sorted({one.spending for one in orders})
    named = {
        "members": [member for member, _, _ in pairs],
        "series": [series for _, series, _ in pairs],
        "days": [day for _, _, day in pairs],
    }
    ctx.sql("spending_add", **named)
    return {
        (row.member_id, row.series_id, row.day): [row.boxes, row.money]
        for row in ctx.sql("spending_lock", **named)
    }


def _take(
    one: Bought, course: Course | None, spent: dict[tuple[int, int, date], list[int]], counts: Counts
) -> refunds.Reason | None:
    """Take what is not held yet, and let go of what is held and was not paid; why not, if it cannot be had."""
    now = spent[one.spending]
    more, money = one.boxes - one.held, sum(one.money) - one.held_money
    reason = _against(one, course, now, counts, more, money)
    if reason is not None:
        more, money = -one.held, -one.held_money
    now[0], now[1] = now[0] + more, now[1] + money
    counts.add(one, more, money)
    return reason


def _against(
    one: Bought, course: Course | None, now: Sequence[int], counts: Counts, more: int, money: int
) -> refunds.Reason | None:
    """Why so many more boxes for so much more money cannot be had."""
    if one.boxes < 0 or course is None or (more > 0 and course.row.state != "on_sale"):
        return "not_on_sale"
    row = course.row
    over = more > 0 and row.daily_boxes is not None and now[0] + more > row.daily_boxes
    dear = money > 0 and row.daily_money is not None and now[1] + money > row.daily_money
    if over or dear:
        return "caps"
    held = row.held + counts.held.get(one.series, 0)
    return "sold_out" if more > 0 and course.room is not None and held + more > course.room else None


def _count(ctx: Ctx, counts: Counts) -> None:
    pairs = sorted(counts.boxes)
    ctx.sql(
        "spending_count",
        members=[member for member, _, _ in pairs],
        series=[series for _, series, _ in pairs],
        days=[day for _, _, day in pairs],
        boxes=[counts.boxes[place] for place in pairs],
        money=[counts.money[place] for place in pairs],
    )
    ctx.sql("places_count", series=list(counts.held), boxes=list(counts.held.values()))


def _boxes(ctx: Ctx, taken: Sequence[Bought]) -> list[Waiting]:
    """Keep the boxes of orders, in the order in which they were paid."""
    each = [(one, number) for one in taken for number in range(one.boxes)]
    if not each:
        return []
    rows = ctx.sql(
        "boxes_add",
        members=[one.event.member for one, _ in each],
        series=[one.series for one, _ in each],
        orders=[one.event.order_id for one, _ in each],
        ordinals=[number + 1 for _, number in each],
        money=[one.money[number] for one, number in each],
        totals=[one.event.total for one, _ in each],
        days=[one.day for one, _ in each],
        pools=[one.hold.pool if one.hold is not None and number < one.held else None for one, number in each],
        nonces=[one.hold.nonce if one.hold is not None else None for one, _ in each],
        times=[one.event.occurred_at for one, _ in each],
    )
    if len(rows) != len(each):
        raise RuntimeError("boxes of an order that was not seen before are there already")
    return waiting(rows)


def tidy(ctx: Ctx, occurrence: Occurrence) -> None:
    """Remove what was held for orders that were not paid, and random numbers for them."""
    del occurrence
    ctx.sql("tidy_holds")
    ctx.sql("tidy_nonces")


def waiting(rows: Sequence[Row[Any]]) -> list[Waiting]:
    """Locked rows of boxes as what is drawn for, in the order of their ids."""
    return [
        Waiting(row.id, row.member_id, row.series_id, row.order_id, row.ordinal, row.pool, row.nonce, row.source)
        for row in sorted(rows, key=lambda row: row.id)
    ]
