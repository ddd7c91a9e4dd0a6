"""What the shop reports of orders: placed, paid, cancelled, refunded."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from threepeat.sdk import Refused
from threepeat.sdk.events import OrderCancelled, OrderCreated, OrderPaid, OrderRefunded, RefundRequested
from threepeat_checkout import holding, keeping, returns
from threepeat_checkout.keeping import Ctx, Kept


def created(ctx: Ctx, events: list[OrderCreated]) -> None:
    """Tie orders to the quotes that they were placed with, so that a cancellation finds them."""
    named = [event for event in events if event.reservation_id is not None]
    kept = _lock(ctx, named)
    changed: dict[str, Kept] = {}
    for event in named:
        one = kept.get(event.reservation_id or "")
        if one is not None and one.belongs_to(event.member) and one.state != "confirmed":
            one.order_id = event.order_id
            changed[one.id] = one
    keeping.write(ctx, list(changed.values()))


def cancelled(ctx: Ctx, events: list[OrderCancelled]) -> None:
    """Release what is held for orders; of paid orders nothing changes."""
    asked = {(event.order_id, event.member) for event in events}
    orders = {order for order, _ in asked}
    ids = [row.id for row in ctx.sql("held_for_orders", orders=sorted(orders))]
    kept = keeping.lock(ctx, ids, {member for _, member in asked})
    mine = [
        one
        for one in kept.values()
        if one.state == "reserved"
        and ((one.order_id, one.member) in asked or (one.member is None and one.order_id in orders))
    ]
    holding.release(ctx, mine)
    keeping.write(ctx, mine)


def paid(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Let quotes be paid; what cannot be honoured is written down, and its money asked back once."""
    named = [event for event in events if event.reservation_id is not None]
    if not named:
        return
    kept = _lock(ctx, named)
    mine = [event for event in named if _owns(kept, event)]
    foreign = _foreign(ctx, [event for event in named if not _owns(kept, event)])
    fresh = _claim(ctx, [*mine, *foreign])
    known = [event for event in mine if event.order_id not in fresh]
    outcomes: dict[str, str] = {}
    orders: dict[str, Kept] = {}
    refused: list[OrderPaid] = []
    for event in mine:
        one = kept[str(event.reservation_id)]
        if event.order_id not in fresh:
            continue
        fresh.remove(event.order_id)
        outcomes[event.order_id] = _outcome(ctx, one, event)
        if outcomes[event.order_id] == "confirmed":
            orders[event.order_id] = one
        else:
            refused.append(event)
    outcomes |= {event.order_id: "stranger" for event in foreign if event.order_id in fresh}
    holding.pay(ctx, orders)
    _learn_buyers(kept, mine)
    keeping.write(ctx, [kept[one] for one in {str(event.reservation_id): None for event in mine}])
    completed = _complete(ctx, known)
    if outcomes:
        ctx.sql("settle", orders=list(outcomes), outcomes=list(outcomes.values()))
    _ask_back(ctx, refused, outcomes)
    returns.count_waiting(ctx, orders.values())
    returns.count(ctx, {quote_id: kept[quote_id] for quote_id in completed})


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Count what came back; a refund that comes before its payment waits."""
    named = [event for event in events if event.order_id is not None or event.reservation_id is not None]
    fresh = _record(ctx, named)
    if not fresh:
        return
    orders = {event.order_id for event in named if event.order_id is not None}
    of_order = {row.order_id: row.quote_id for row in ctx.sql("paid_with", orders=sorted(orders))}
    ids = [*of_order.values(), *(event.reservation_id for event in named if event.reservation_id is not None)]
    kept = keeping.lock(ctx, ids, [event.member for event in named])
    belonging: dict[str, str] = {}
    for event in named:
        if event.refund_id not in fresh:
            continue
        fresh.remove(event.refund_id)
        quote_id = of_order.get(event.order_id) if event.order_id is not None else event.reservation_id
        one = kept.get(quote_id or "")
        if one is not None and one.state == "confirmed" and one.belongs_to(event.member):
            belonging[event.refund_id] = one.id
    returns.attach(ctx, belonging)
    returns.count(ctx, {quote_id: kept[quote_id] for quote_id in belonging.values()})


def _lock(ctx: Ctx, events: Sequence[OrderCreated] | Sequence[OrderPaid]) -> dict[str, Kept]:
    ids = [event.reservation_id for event in events if event.reservation_id is not None]
    return keeping.lock(ctx, ids, [event.member for event in events])


def _owns(kept: dict[str, Kept], event: OrderPaid) -> bool:
    one = kept.get(event.reservation_id or "")
    return one is not None and one.belongs_to(event.member)


def _foreign(ctx: Ctx, events: list[OrderPaid]) -> list[OrderPaid]:
    """Payments with somebody else's quote; those with an id that nobody knows are left out."""
    if not events:
        return []
    known = {row.id for row in ctx.sql("known", ids=[event.reservation_id for event in events])}
    for event in events:
        problem = "of another member" if event.reservation_id in known else "unknown"
        ctx.log.warning("payment without its quote", position=event.position, quote=problem)
    return [event for event in events if event.reservation_id in known]


def _claim(ctx: Ctx, events: list[OrderPaid]) -> set[str]:
    first = {event.order_id: event for event in reversed(events)}
    if not first:
        return set()
    rows = ctx.sql(
        "claim",
        orders=list(first),
        quotes=[event.reservation_id for event in first.values()],
        members=[event.member for event in first.values()],
        totals=[event.total for event in first.values()],
        times=[event.occurred_at for event in first.values()],
    )
    return {row.order_id for row in rows}


def _outcome(ctx: Ctx, one: Kept, event: OrderPaid) -> str:
    """What comes of a payment; what was released is held again first."""
    if one.state == "confirmed":
        return "taken"
    try:
        holding.hold_for_payment(ctx, one)
    except Refused as error:
        ctx.log.warning("late payment cannot be honoured", position=event.position, code=error.code)
        holding.release(ctx, [one])
        return "gone"
    one.state, one.order_id = "confirmed", event.order_id
    return "confirmed"


def _learn_buyers(kept: dict[str, Kept], events: list[OrderPaid]) -> None:
    """Whoever pays a quote of nobody is its member from now on."""
    for event in events:
        one = kept[str(event.reservation_id)]
        if one.member is None and one.order_id == event.order_id and one.state == "confirmed":
            one.member = event.member


def _complete(ctx: Ctx, events: list[OrderPaid]) -> set[str]:
    """Write what was paid beside payments that were confirmed without saying so; whose quotes they are."""
    if not events:
        return set()
    rows = ctx.sql(
        "complete",
        orders=[event.order_id for event in events],
        quotes=[event.reservation_id for event in events],
        members=[event.member for event in events],
        totals=[event.total for event in events],
    )
    return {row.quote_id for row in rows if row.outcome == "confirmed"}


def _ask_back(ctx: Ctx, refused: list[OrderPaid], outcomes: dict[str, str]) -> None:
    """Ask for the money of payments that cannot be honoured, less what went back already."""
    if not refused:
        return
    rows = ctx.sql("waiting", orders=[event.order_id for event in refused])
    back = {row.order_id: row.amount for row in rows}
    for event in refused:
        amount = event.total - back.get(event.order_id, 0)
        if amount > 0:
            asked = RefundRequested(
                order_id=event.order_id,
                amount=amount,
                currency=event.currency,
                reason=f"quote-{outcomes[event.order_id]}",
                reservation_id=event.reservation_id,
            )
            ctx.emit(asked, member=event.member, cause=event)


def _record(ctx: Ctx, events: list[OrderRefunded]) -> set[str]:
    if not events:
        return set()
    rows = ctx.sql(
        "refunds",
        refunds=[event.refund_id for event in events],
        members=[event.member for event in events],
        orders=[event.order_id for event in events],
        reservations=[event.reservation_id for event in events],
        amounts=[event.amount for event in events],
        units=[_units(event) for event in events],
        times=[event.occurred_at for event in events],
    )
    return {row.refund_id for row in rows}


def _units(event: OrderRefunded) -> str:
    """Units by sku, as JSON."""
    units: Counter[str] = Counter()
    for line in event.lines:
        units[line.sku] += line.quantity
    return msgspec.json.encode(dict(units)).decode()
