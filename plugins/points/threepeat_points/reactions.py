"""Earning, completion and claw-back, for whole batches."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import date, datetime
from typing import TypeVar

from threepeat.sdk.events import Event, OrderCompleted, OrderPaid, OrderRefunded
from threepeat_points import factors
from threepeat_points.accounts import Ctx, lock, mature, pay_debts, touchable, validity, write
from threepeat_points.events import PointsEarned
from threepeat_points.ledger import Movement, due_for_order, take
from threepeat_points.ledger import mature as aged
from threepeat_points.validity import Validity

E = TypeVar("E", bound=Event)


def earn(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Grant points for paid orders: one lot per order, by the factor of its moment; a debt is paid first."""
    orders = {event.order_id: event for event in _firsts(events, lambda event: event.order_id)}
    batch = list(orders.values())
    members = {event.member for event in batch}
    debts = lock(ctx, members, opening=members)
    if ctx.settings.most_per_day is not None:
        batch = _fresh(ctx, batch)
        if not batch:
            return
    days, rooms = _rooms(ctx, batch)
    terms = factors.terms(ctx, batch)
    times = validity(ctx)
    expiries = [times.expires(event.occurred_at) for event in batch]
    fresh = ctx.sql(
        "grant",
        orders=[event.order_id for event in batch],
        members=[event.member for event in batch],
        totals=[event.total for event in batch],
        times=[event.occurred_at for event in batch],
        expiries=expiries,
        unlocks=_unlocks(ctx, batch, times),
        waiting=times.waits,
        days=days,
        rooms=rooms,
        minor_units=ctx.tenant.minor_units,
        rate=ctx.settings.points_per_unit,
        most=ctx.settings.most_per_order,
        multiplied=list(terms),
        numerators=[one.factor.numerator for one in terms.values()],
        denominators=[one.factor.denominator for one in terms.values()],
        bonus_days=[one.bonus_day for one in terms.values()],
    )
    pay_debts(ctx, fresh, debts)
    ends = dict(zip((event.order_id for event in batch), expiries, strict=True))
    for lot in fresh:
        if lot.granted:
            earned = PointsEarned(
                order_id=lot.order_id, points=lot.granted, expires_at=ends[lot.order_id], waiting=lot.waiting
            )
            ctx.emit(earned, member=lot.member_id, cause=orders[lot.order_id])


def complete(ctx: Ctx, events: list[OrderCompleted]) -> None:
    """Say until when the points of completed orders wait; an order that is not paid yet is remembered."""
    batch = _firsts(events, lambda event: (event.order_id, event.member))
    members = {event.member for event in batch}
    if lock(ctx, members):
        times = validity(ctx)
        told = ctx.sql(
            "complete",
            orders=[event.order_id for event in batch],
            members=[event.member for event in batch],
            unlocks=[_unlocks_completed(ctx, times, event.occurred_at) for event in batch],
        )
        mature(ctx, {lot.member_id for lot in told if lot.unlocks_at <= ctx.now})
    if ctx.settings.waits_for == "completion":
        part = ctx.taking_part(members)
        early = [event for event in batch if event.member in part]
        if early:
            ctx.sql(
                "note_completions",
                orders=[event.order_id for event in early],
                members=[event.member for event in early],
                times=[event.occurred_at for event in early],
            )


def claw_back(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take back what refunded money had earned.

    A refund that names its order reverses what that order earned. One without an order reverses one point
    per whole unit; it touches members who take part or once did, never the comparison group.
    """
    batch = _firsts(events, lambda event: event.refund_id)
    members = {event.member for event in batch}
    debts = lock(ctx, members, opening=ctx.taking_part(members))
    counted = ctx.sql(
        "count_refunds",
        refunds=[event.refund_id for event in batch],
        orders=[event.order_id for event in batch],
        members=[event.member for event in batch],
        amounts=[event.amount for event in batch],
    )
    fresh = {row.refund_id for row in counted}
    batch = [event for event in batch if event.refund_id in fresh and event.member in debts]
    if not batch:
        return
    lots = touchable(
        ctx,
        {event.member for event in batch},
        min(event.occurred_at for event in batch),
        orders=[event.order_id for event in batch if event.order_id is not None],
    )
    journal: list[Movement] = []
    for event in batch:
        mine = lots[event.member]
        for lot in mine:
            journal += aged(lot, event.member, event.occurred_at)
        if event.order_id is None:
            own, due = None, event.amount // ctx.tenant.minor_units * ctx.settings.points_per_unit
        else:
            own = next((lot for lot in mine if lot.order_id == event.order_id), None)
            due = due_for_order(own, event.amount) if own else 0
        if due:
            line = Movement(event.member, "reversed", f"refund:{event.refund_id}", event.occurred_at)
            debts[event.member] += take(due, own, mine, line)
            journal.append(line)
    write(ctx, lots, debts, journal)


def _firsts(events: Iterable[E], name: Callable[[E], Hashable]) -> list[E]:
    """Events that report different things: of several under one name the first stands."""
    found: dict[Hashable, E] = {}
    for event in events:
        found.setdefault(name(event), event)
    return list(found.values())


def _unlocks(ctx: Ctx, batch: Sequence[OrderPaid], times: Validity) -> list[datetime | None]:
    """Until when the points of each order wait; None if they do not, or nobody can say yet."""
    if not times.waits:
        return [None] * len(batch)
    if ctx.settings.waits_for == "payment":
        return [times.unlocks(event.occurred_at) for event in batch]
    rows = ctx.sql(
        "completions", orders=[event.order_id for event in batch], members=[event.member for event in batch]
    )
    found = {row.order_id: _unlocks_completed(ctx, times, row.completed_at) for row in rows}
    return [found.get(event.order_id) for event in batch]


def _unlocks_completed(ctx: Ctx, times: Validity, at: datetime) -> datetime:
    """Until when the points of an order wait that was completed at an instant."""
    days = ctx.settings.waiting_days
    return times.after(at, days) if days else at


def _fresh(ctx: Ctx, batch: Sequence[OrderPaid]) -> list[OrderPaid]:
    """The orders that have not earned yet; the others would use up the room of a day."""
    known = {row.order_id for row in ctx.sql("lots_of_orders", orders=[event.order_id for event in batch])}
    return [event for event in batch if event.order_id not in known]


def _rooms(ctx: Ctx, batch: Sequence[OrderPaid]) -> tuple[list[date | None], list[int | None]]:
    """The local day of each order, and what its member's orders of that day may still earn together."""
    most = ctx.settings.most_per_day
    if most is None:
        return [None] * len(batch), [None] * len(batch)
    zone = ctx.tenant.timezone
    days: list[date | None] = [event.occurred_at.astimezone(zone).date() for event in batch]
    asked = {(event.member, day) for event, day in zip(batch, days, strict=True)}
    earned = {
        (row.member_id, row.day): row.points
        for row in ctx.sql(
            "earned_on",
            members=[member for member, _ in asked],
            days=[day for _, day in asked],
            timezone=zone.key,
        )
    }
    rooms = [max(most - earned.get((event.member, day), 0), 0) for event, day in zip(batch, days, strict=True)]
    return days, list(rooms)
