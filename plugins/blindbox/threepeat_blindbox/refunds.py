"""Money that goes back: asked for until the shop answers, and what comes back of orders with boxes."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Row

from threepeat.sdk import Due, Notice, Occurrence
from threepeat.sdk.events import OrderPaid, OrderRefunded, RefundFailed, RefundRequested
from threepeat_blindbox import places
from threepeat_blindbox.pools import Ctx

Reason = Literal["caps", "sold_out", "declined", "expired", "not_on_sale"]

MOST = 1_000
"""Claims that are asked for again in one run."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a member is owed for boxes that are not drawn."""

    order: str
    series: int
    member: int
    amount: int
    reason: Reason


@dataclass(slots=True)
class Back:
    """What came back of an order so far.

    Attributes:
        amount: In minor units.
        counted: Units by SKU.
    """

    amount: int = 0
    counted: Counter[str] = field(default_factory=Counter)

    def units(self, sku: str, total: int) -> int | None:
        """How many units of a SKU came back; None if the whole order did."""
        return None if total and self.amount >= total else self.counted[sku]


def ask(ctx: Ctx, owed: Sequence[Owed]) -> None:
    """Ask the shop to pay back; what came to nothing is not asked for."""
    due = [one for one in owed if one.amount > 0]
    if not due:
        return
    rows = ctx.sql(
        "claims_add",
        orders=[one.order for one in due],
        series=[one.series for one in due],
        members=[one.member for one in due],
        amounts=[one.amount for one in due],
        reasons=[one.reason for one in due],
    )
    for row in rows:
        _request(ctx, row.id, row.order_id, row.amount, row.reason, row.member_id, 1)
    money = ctx.tenant.money
    notices = [Notice(row.member_id, f"claim:{row.id}", {"amount": money(row.amount)}) for row in rows]
    ctx.message("paid_back", notices)


def ask_again(ctx: Ctx, occurrence: Occurrence) -> None:
    """Ask once more for whatever the shop has not answered."""
    del occurrence
    for row in ctx.sql("claims_again", most=MOST):
        _request(ctx, row.id, row.order_id, row.amount, row.reason, row.member_id, row.times)


def before(ctx: Ctx, events: Sequence[OrderPaid]) -> Mapping[str, Back]:
    """What came back of orders before they were paid."""
    ctx.sql(
        "refunds_before",
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        positions=[event.position for event in events],
    )
    return _back(ctx, [event.order_id for event in events])


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take back what came back: unopened boxes are void, opened ones stand and are marked."""
    fresh = _record(ctx, [event for event in events if event.order_id is not None])
    if not fresh:
        return
    orders = sorted({str(event.order_id) for event in fresh})
    _answer(ctx, orders, fresh)
    rows, back, chosen = ctx.sql("orders_with_boxes", orders=orders), _back(ctx, orders), list[int]()
    for row in rows:
        gone = back[row.order_id].units(row.sku, row.total)
        chosen += list(row.still) if gone is None else list(row.still)[: max(gone - row.gone, 0)]
    take_back(ctx, chosen)


def failed(ctx: Ctx, events: list[RefundFailed]) -> None:
    """The shop cannot pay back: it is written down for the merchant to settle."""
    ctx.sql("claims_failed", orders=sorted({event.order_id for event in events}))


def take_back(ctx: Ctx, ids: Sequence[int]) -> None:
    """Void boxes that wait, and mark those that were opened; their draws stand, and nothing is drawn again."""
    if not ids:
        return
    rows = ctx.sql("boxes_back", ids=sorted(ids))
    places.free(ctx, [row for row in rows if row.state == "void"])


def void(ctx: Ctx, ids: Sequence[int], reason: Reason) -> None:
    """Give up boxes that wait, and ask for their money."""
    rows = ctx.sql("boxes_void", ids=sorted(ids)) if ids else ()
    places.free(ctx, rows)
    owed: dict[tuple[str, int, int], int] = {}
    for row in rows:
        if row.source == "order":
            place = (row.order_id, row.series_id, row.member_id)
            owed[place] = owed.get(place, 0) + row.money
    ask(ctx, [Owed(*place, amount, reason) for place, amount in owed.items()])


def give_up(ctx: Ctx, member: int) -> None:
    """Give up all that a member has waiting."""
    void(ctx, [row.id for row in ctx.sql("boxes_waiting", member=member)], "declined")
    places.free(ctx, ctx.sql("holds_left", member=member))


def expired(ctx: Ctx, dues: list[Due]) -> None:
    """Nobody opened the boxes of some orders in time."""
    orders = [due.key.partition(":") for due in dues]
    rows = ctx.sql(
        "boxes_unopened",
        series=[int(series) for series, _, _ in orders],
        orders=[order for _, _, order in orders],
    )
    void(ctx, [row.id for row in rows], "expired")


def _record(ctx: Ctx, events: Sequence[OrderRefunded]) -> list[OrderRefunded]:
    """Keep refunds of orders with boxes; those that were not told before."""
    first = {(event.order_id, event.refund_id): event for event in reversed(events)}
    if not first:
        return []
    told = list(first.values())
    rows = ctx.sql(
        "refunds_add",
        refunds=[event.refund_id for event in told],
        members=[event.member for event in told],
        orders=[event.order_id for event in told],
        amounts=[event.amount for event in told],
        units=[_units(event) for event in told],
    )
    return sorted((first[row.order_id, row.refund_id] for row in rows), key=lambda event: event.position)


def _units(event: OrderRefunded) -> str:
    """Units by SKU, as JSON."""
    found = Counter[str]()
    for line in event.lines:
        found[line.sku] += line.quantity
    return json.dumps(found)


def _back(ctx: Ctx, orders: Sequence[str]) -> Mapping[str, Back]:
    """What came back of orders so far, by order."""
    found = {order: Back() for order in orders}
    for row in ctx.sql("refunds_of", orders=orders):
        found[row.order_id].amount += row.amount
        found[row.order_id].counted.update(row.units)
    return found


def _answer(ctx: Ctx, orders: Sequence[str], fresh: Sequence[OrderRefunded]) -> None:
    """Count new refunds toward what is owed for their orders, the oldest first; lines count for their own SKU."""
    claims = ctx.sql("claims_open", orders=orders)
    owed: dict[str | None, list[Row[Any]]] = {}
    for claim in claims:
        owed.setdefault(claim.order_id, []).append(claim)
    missing = {claim.id: claim.missing for claim in claims}
    for event in fresh:
        parts: list[tuple[str | None, int]] = [(line.sku, line.amount) for line in event.lines]
        for sku, amount in parts or [(None, event.amount)]:
            rest = amount
            for claim in owed.get(event.order_id, ()):
                part = min(rest, missing[claim.id]) if sku in {None, claim.sku} else 0
                missing[claim.id] -= part
                rest -= part
    paid = {claim.id: claim.missing - missing[claim.id] for claim in claims if missing[claim.id] < claim.missing}
    if paid:
        ctx.sql("claims_paid", ids=list(paid), amounts=list(paid.values()))


def _request(ctx: Ctx, claim: int, order: str, amount: int, reason: str, member: int, times: int) -> None:
    asked = RefundRequested(
        order_id=order, amount=amount, currency=ctx.tenant.currency, reason=f"blindbox-{reason.replace('_', '-')}"
    )
    ctx.emit(asked, member=member, cause=f"claim:{claim}:{times}")
