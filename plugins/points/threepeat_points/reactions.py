"""Earning and claw-back, for whole batches."""

from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat_points import factors
from threepeat_points.accounts import Ctx, Reversal, life, lock, pay_debts, touchable, write_reversals
from threepeat_points.events import PointsEarned
from threepeat_points.ledger import due_for_order, take


def earn(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Grant points for paid orders: one lot per order, by the factor of its moment; a debt is paid first."""
    orders = {event.order_id: event for event in reversed(events)}
    batch = sorted(orders.values(), key=lambda event: event.position)
    members = {event.member for event in batch}
    debts = lock(ctx, members, opening=members)
    lives = life(ctx)
    terms = factors.terms(ctx, batch)
    fresh = ctx.sql(
        "grant",
        orders=[event.order_id for event in batch],
        members=[event.member for event in batch],
        totals=[event.total for event in batch],
        times=[event.occurred_at for event in batch],
        expiries=[event.occurred_at + lives if lives else None for event in batch],
        minor_units=ctx.tenant.minor_units,
        rate=ctx.settings.points_per_unit,
        multiplied=list(terms),
        numerators=[one.factor.numerator for one in terms.values()],
        denominators=[one.factor.denominator for one in terms.values()],
        bonus_days=[one.bonus_day for one in terms.values()],
    )
    pay_debts(ctx, fresh, debts)
    for lot in fresh:
        if lot.granted:
            order = orders[lot.order_id]
            earned = PointsEarned(
                order_id=lot.order_id,
                points=lot.granted,
                expires_at=order.occurred_at + lives if lives else None,
            )
            ctx.emit(earned, member=lot.member_id, cause=order)


def claw_back(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take back what refunded money had earned.

    A refund that names its order reverses what that order earned. One without an order reverses one point
    per whole unit; it touches members who take part or once did, never the comparison group.
    """
    members = {event.member for event in events}
    debts = lock(ctx, members, opening={member for member in members if ctx.takes_part(member)})
    counted = ctx.sql(
        "count_refunds",
        refunds=[event.refund_id for event in events],
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        amounts=[event.amount for event in events],
    )
    fresh = {row.refund_id for row in counted}
    lots = touchable(ctx, debts.keys(), orders=[event.order_id for event in events if event.order_id is not None])
    journal: list[Reversal] = []
    for event in events:
        if event.refund_id in fresh and event.member in debts:
            fresh.remove(event.refund_id)
            mine = lots[event.member]
            if event.order_id is None:
                own, due = None, event.amount // ctx.tenant.minor_units * ctx.settings.points_per_unit
            else:
                own = next((lot for lot in mine if lot.order_id == event.order_id), None)
                due = due_for_order(own, event.amount) if own else 0
            if due:
                debts[event.member] += take(due, own, mine, event.occurred_at)
                journal.append(Reversal(event.member, f"refund:{event.refund_id}", due, event.occurred_at))
    write_reversals(ctx, "reversed", lots, debts, journal)
