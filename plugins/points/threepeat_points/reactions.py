"""Earning and claw-back, for whole batches."""

from datetime import timedelta

from threepeat.sdk import Context
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat_points.events import PointsEarned
from threepeat_points.ledger import OpenLot, due_for_order, take
from threepeat_points.settings import PointsSettings


def earn(ctx: Context[PointsSettings], events: list[OrderPaid]) -> None:
    """Grant points for paid orders: one lot per order, and a debt is paid first."""
    orders = {event.order_id: event for event in reversed(events)}
    batch = sorted(orders.values(), key=lambda event: event.position)
    debts = _lock(ctx, {event.member for event in batch}, opening=True)
    days = ctx.settings.expires_after_days
    life = timedelta(days=days) if days is not None else None
    fresh = ctx.sql(
        "grant",
        orders=[event.order_id for event in batch],
        members=[event.member for event in batch],
        totals=[event.total for event in batch],
        times=[event.occurred_at for event in batch],
        expiries=[event.occurred_at + life if life else None for event in batch],
        minor_units=ctx.tenant.minor_units,
        rate=ctx.settings.points_per_unit,
    )
    paid: dict[tuple[int, int], int] = {}
    changed: dict[int, int] = {}
    for lot in fresh:
        owed = changed.get(lot.member_id, debts[lot.member_id])
        if owed and lot.granted:
            paid[lot.member_id, lot.id] = min(owed, lot.granted)
            changed[lot.member_id] = owed - paid[lot.member_id, lot.id]
        if lot.granted:
            order = orders[lot.order_id]
            earned = PointsEarned(
                order_id=lot.order_id,
                points=lot.granted,
                expires_at=order.occurred_at + life if life else None,
            )
            ctx.emit(earned, member=lot.member_id, cause=order)
    if paid:
        ctx.sql(
            "settle",
            lot_members=[member for member, _ in paid],
            lots=[lot for _, lot in paid],
            paid=list(paid.values()),
            members=list(changed),
            debts=list(changed.values()),
        )


def claw_back(ctx: Context[PointsSettings], events: list[OrderRefunded]) -> None:
    """Take back what refunded money had earned.

    A refund that names its order reverses what that order earned. One without an order reverses one point
    per whole unit; it touches members who take part or once did, never the comparison group.
    """
    members = {event.member for event in events}
    debts = _lock(ctx, {member for member in members if ctx.takes_part(member)}, opening=True)
    debts.update(_lock(ctx, members - debts.keys(), opening=False))
    counted = ctx.sql(
        "count_refunds",
        refunds=[event.refund_id for event in events],
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        amounts=[event.amount for event in events],
    )
    fresh = {row.refund_id for row in counted}
    lots: dict[int, list[OpenLot]] = {member: [] for member in members}
    orders = [event.order_id for event in events if event.order_id is not None]
    for row in ctx.sql("lots", members=sorted(members), orders=orders):
        lots[row.member_id].append(
            OpenLot(
                row.id,
                row.order_id,
                row.order_total,
                row.order_refunded,
                row.minor_units,
                row.rate,
                row.granted,
                row.reversed,
                row.remaining,
                row.expires_at,
            )
        )
    journal: list[tuple[OrderRefunded, int]] = []
    for event in events:
        if event.refund_id in fresh and event.member in debts:
            fresh.remove(event.refund_id)
            mine = lots[event.member]
            own = next((lot for lot in mine if lot.order_id == event.order_id), None)
            if event.order_id is None:
                due = event.amount // ctx.tenant.minor_units * ctx.settings.points_per_unit
            else:
                due = due_for_order(own, event.amount) if own else 0
            if due:
                debts[event.member] += take(due, own, mine, event.occurred_at)
                journal.append((event, due))
    touched = [(member, lot) for member, mine in lots.items() for lot in mine]
    ctx.sql(
        "reverse",
        lot_members=[member for member, _ in touched],
        lots=[lot.id for _, lot in touched],
        remaining=[lot.remaining for _, lot in touched],
        reversed=[lot.reversed for _, lot in touched],
        order_refunded=[lot.order_refunded for _, lot in touched],
        entry_members=[event.member for event, _ in journal],
        entry_references=[f"refund:{event.refund_id}" for event, _ in journal],
        entry_points=[points for _, points in journal],
        entry_times=[event.occurred_at for event, _ in journal],
        members=list(debts),
        debts=list(debts.values()),
    )


def _lock(ctx: Context[PointsSettings], members: set[int], *, opening: bool) -> dict[int, int]:
    """Lock the members' accounts, opening missing ones if asked, and say what each owes."""
    if opening:
        ctx.sql("accounts", members=sorted(members))
    return {row.member_id: row.debt for row in ctx.sql("lock_accounts", members=sorted(members))}
