"""Floors: tiers that members have at least, bought or granted, each until its own end."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Due
from threepeat.sdk.events import Event, OrderPaid, OrderRefunded
from threepeat_tiers import rising, standings
from threepeat_tiers.climbing import Standing, newcomer
from threepeat_tiers.events import Reason
from threepeat_tiers.rules import Rules
from threepeat_tiers.standings import Move
from threepeat_tiers.versions import Ctx, InForce, in_force, versions
from threepeat_tiers.windows import today

FLOOR = "floor"
"""The timer that looks at a member's floors."""
MOST_DAYS = 36_600
"""What one order can buy."""
LAST = datetime(2300, 1, 1, tzinfo=UTC)
"""When everything ends that was bought again and again."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A tier that an order buys: for how many days, and by which products."""

    event: OrderPaid
    level: int
    days: int
    skus: Sequence[str]

    @property
    def key(self) -> tuple[str, int]:
        """An order buys a tier once."""
        return self.event.order_id, self.level


def bought(ctx: Ctx, events: Sequence[OrderPaid], rules: Rules) -> None:
    """Keep the tiers that orders have bought: from the payment, or from the end of what was bought before."""
    sales = {sale.key: sale for sale in reversed(_sold(ctx, events, rules))}
    if not sales:
        return
    members = {sale.event.member for sale in sales.values()}
    orders = sorted({order for order, _ in sales})
    known = ctx.sql("floors_bought", members=sorted(members), orders=orders)
    there = {(row.order_id, row.level) for row in known}
    ends: dict[tuple[int, int], datetime] = {}
    for row in known:
        if row.state == "open":
            key = row.member_id, row.level
            ends[key] = max(row.until, ends.get(key, row.until))
    fresh = [sale for sale in reversed(sales.values()) if sale.key not in there]
    untils = []
    for sale in fresh:
        key, paid_at = (sale.event.member, sale.level), sale.event.occurred_at
        ends[key] = min(max(paid_at, ends.get(key, paid_at)) + timedelta(days=sale.days), LAST)
        untils.append(ends[key])
    rows = ctx.sql(
        "buy",
        members=[sale.event.member for sale in fresh],
        levels=[sale.level for sale in fresh],
        begins=[sale.event.occurred_at for sale in fresh],
        untils=untils,
        days=[sale.days for sale in fresh],
        orders=[sale.event.order_id for sale in fresh],
        skus=[json.dumps(sale.skus) for sale in fresh],
    )
    for row in rows:
        remind(ctx, row.id, row.member_id, row.until)
    _end(ctx, orders)
    look(ctx, members, {sale.event.member: sale.event for sale in reversed(fresh)})


def _sold(ctx: Ctx, events: Sequence[OrderPaid], rules: Rules) -> list[Sale]:
    """Which orders buy which tiers, in the order of the log; lines are looked at where a tier is for sale only."""
    sold = {sku: tier for tier in rules.tiers for sku in tier.sold_as}
    if not sold:
        return []
    orders = {event.position: event for event in events}
    days: Counter[tuple[int, int]] = Counter()
    skus: dict[tuple[int, int], list[str]] = defaultdict(list)
    for row in ctx.sql("sold", positions=sorted(orders), skus=sorted(sold)):
        tier = sold[row.sku]
        days[row.position, tier.level] += row.quantity * tier.sold_days
        skus[row.position, tier.level].append(row.sku)
    return [
        Sale(orders[position], level, min(number, MOST_DAYS), skus[position, level])
        for (position, level), number in sorted(days.items())
    ]


def refunded(ctx: Ctx, events: Sequence[OrderRefunded]) -> None:
    """End what was bought with orders that went back in full, or whose refunds name the tier's product."""
    first = {event.order_id: event for event in reversed(events) if event.order_id is not None}
    if first:
        ended = _end(ctx, sorted(first))
        if ended:
            look(ctx, {row.member_id for row in ended}, {row.member_id: first[row.order_id] for row in ended})


def _end(ctx: Ctx, orders: Sequence[str]) -> Sequence[Row[Any]]:
    """End what came back of what these orders have bought; what was bought on top ends as much earlier."""
    rows = ctx.sql("floors_refunded", orders=orders)
    if rows:
        ends = ctx.sql(
            "floors_shorten",
            members=[row.member_id for row in rows],
            levels=[row.level for row in rows],
            untils=[row.until for row in rows],
            days=[row.days for row in rows],
        )
        for row in ends:
            remind(ctx, row.id, row.member_id, row.until)
    return rows


def remind(ctx: Ctx, floor: int, member: int, until: datetime) -> None:
    """Look at the member's floors when one ends."""
    ctx.later(FLOOR, f"{floor} ends", until, member=member)


def looked(ctx: Ctx, due: list[Due]) -> None:
    """Look at the floors of members of whom one begins or ends."""
    look(ctx, {one.member for one in due if one.member is not None})


def look(ctx: Ctx, members: Collection[int], causes: Mapping[int, Event] = MappingProxyType({})) -> None:
    """Let those floors count that are open now, and no others. What was paid for counts for everybody.

    Args:
        causes: By member, the event that brought it about, if one did: what it changes counts from there on.
    """
    order = sorted(members)
    ctx.sql("floors_counted", members=order)
    parts = {row.member_id: (row.paid, row.granted) for row in ctx.sql("floors_parts", members=order)}
    known = standings.read(ctx, order)
    force = in_force(ctx)
    older = {one.version for one in known.values()} - {force.number}
    rules = {**versions(ctx, older), force.number: force.rules}
    met = _met(ctx, force, sorted(parts.keys() - known.keys()))
    changed, moves = [], []
    for member, before in {**known, **met}.items():
        paid, granted = parts.get(member, (0, 0))
        after = replace(before, paid=paid, granted=granted)
        was = 0 if member in met else before.level
        if member in met or after != before:
            changed.append(after)
            if after.level != was:
                why, cause = _why(was, after, bought=after.paid > before.paid), causes.get(member)
                at, position = (cause.occurred_at, cause.position) if cause else (ctx.now, None)
                moves.append(Move(after, was, why, at, position, cause))
    standings.write(ctx, changed, moves, rules, offers=not force.closing)


def _met(ctx: Ctx, force: InForce, members: Sequence[int]) -> dict[int, Standing]:
    """Standings for those who have none, with what they have earned so far if they take part."""
    day = today(ctx)
    found = {member: newcomer(force.rules, force.number, member, day, day) for member in members}
    if found and not force.closing:
        rising_ones = [found[member] for member in ctx.taking_part(found)]
        found.update({one.member_id: one for one in rising.look(ctx, {force.number: force.rules}, rising_ones)})
    return found


def _why(was: int, after: Standing, *, bought: bool) -> Reason:
    if after.level < was:
        return "floor_over"
    return "bought" if bought else "granted"
