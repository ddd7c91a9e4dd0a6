"""Floors: tiers that members have at least, bought or granted, each until its own end."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from threepeat.sdk import Due
from threepeat.sdk.events import OrderPaid, OrderRefunded
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


def bought(ctx: Ctx, events: Sequence[OrderPaid], rules: Rules) -> None:
    """Keep the tiers that orders have bought: from the payment, or from the end of what was bought before."""
    wanted = _sold(events, rules)
    if not wanted:
        return
    members = {event.member for event, _, _ in wanted}
    orders = sorted({event.order_id for event, _, _ in wanted})
    known = ctx.sql("floors_bought", members=sorted(members), orders=orders)
    there = {(row.order_id, row.level) for row in known}
    ends: dict[tuple[int, int], datetime] = {}
    for row in known:
        if row.state == "open":
            key = row.member_id, row.level
            ends[key] = max(row.until, ends.get(key, row.until))
    fresh = {(event.order_id, level): (event, days) for event, level, days in reversed(wanted)}
    untils = {}
    for (order, level), (event, days) in reversed(fresh.items()):
        if (order, level) not in there:
            begins = max(event.occurred_at, ends.get((event.member, level), event.occurred_at))
            ends[event.member, level] = untils[order, level] = begins + timedelta(days=days)
    bought_now = [fresh[key] for key in untils]
    rows = ctx.sql(
        "buy",
        members=[event.member for event, _ in bought_now],
        levels=[level for _, level in untils],
        begins=[event.occurred_at for event, _ in bought_now],
        untils=list(untils.values()),
        days=[days for _, days in bought_now],
        orders=[order for order, _ in untils],
    )
    for row in rows:
        remind(ctx, row.id, row.member_id, row.until)
    ctx.sql("floors_refunded", orders=orders)
    look(ctx, members)


def _sold(events: Sequence[OrderPaid], rules: Rules) -> list[tuple[OrderPaid, int, int]]:
    """Which orders buy which levels for how many days, in the order of the log."""
    sold = {sku: tier for tier in rules.tiers for sku in tier.sold_as}
    found = []
    for event in sorted(events, key=lambda one: one.position):
        days: Counter[int] = Counter()
        for line in event.lines if sold else ():
            if line.sku in sold:
                days[sold[line.sku].level] += line.quantity * sold[line.sku].sold_days
        found += [(event, level, min(number, MOST_DAYS)) for level, number in sorted(days.items())]
    return found


def refunded(ctx: Ctx, events: Sequence[OrderRefunded], rules: Rules) -> None:
    """End what was bought with orders that went back in full, or whose refund names the tier's product."""
    sold = {sku: tier.level for tier in rules.tiers for sku in tier.sold_as}
    named = [(event, event.order_id) for event in events if event.order_id is not None]
    lines = {(order, sold[line.sku]) for event, order in named for line in event.lines if line.sku in sold}
    rows = list(ctx.sql("floors_refunded", orders=sorted({order for _, order in named}))) if named else []
    if lines:
        rows += ctx.sql(
            "floors_returned", orders=[order for order, _ in sorted(lines)], levels=[to for _, to in sorted(lines)]
        )
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
        look(ctx, {row.member_id for row in rows})


def remind(ctx: Ctx, floor: int, member: int, until: datetime) -> None:
    """Look at the member's floors when one ends."""
    ctx.later(FLOOR, f"{floor} ends", until, member=member)


def looked(ctx: Ctx, due: list[Due]) -> None:
    """Look at the floors of members of whom one begins or ends."""
    look(ctx, {one.member for one in due if one.member is not None})


def look(ctx: Ctx, members: Collection[int]) -> None:
    """Let those floors count that are open now, and no others. What was paid for counts for everybody."""
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
                moves.append(Move(after, was, _why(was, after, bought=after.paid > before.paid), ctx.now))
    standings.write(ctx, changed, moves, rules, offers=not force.closing)


def _met(ctx: Ctx, force: InForce, members: Sequence[int]) -> dict[int, Standing]:
    """Standings for those who have none, with what they have earned so far if they take part."""
    found = {member: newcomer(force.rules, force.number, member, today(ctx)) for member in members}
    if found and not force.closing:
        rising_ones = [found[member] for member in ctx.taking_part(found)]
        found.update({one.member_id: one for one in rising.look(ctx, {force.number: force.rules}, rising_ones)})
    return found


def _why(was: int, after: Standing, *, bought: bool) -> Reason:
    if after.level < was:
        return "floor_over"
    return "bought" if bought else "granted"
