"""Growth: what orders, refunds and interactions bring and take, kept so that each counts once.

Growth is summed by member and local day, so that a window of a year is at most 366 narrow rows. An order's growth
stands on the day of its payment; what is refunded of it goes off that day, and all of it if nothing is left. A
refund that names no order takes what its money would bring from the day of the refund. Growth never comes from
points, so spending them never lowers it.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from threepeat.sdk.events import Event, OrderPaid, OrderRefunded
from threepeat_tiers.climbing import Entry
from threepeat_tiers.rules import Rules
from threepeat_tiers.versions import Ctx
from threepeat_tiers.windows import local_day


@dataclass(frozen=True, slots=True)
class Order:
    """A paid order, and the rules by which it counts; `total` in minor units."""

    id: str
    member_id: int
    day: date
    total: int
    rules: Rules


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund, and the rules by which it takes; `amount` in minor units."""

    id: str
    order_id: str | None
    member_id: int
    day: date
    amount: int
    rules: Rules
    skus: Sequence[str] = ()


def met(ctx: Ctx, events: Iterable[Event]) -> list[Entry]:
    """Entries of no growth: the members are known from here on."""
    return [_entry(ctx, event, 0) for event in events]


def paid(ctx: Ctx, events: Sequence[OrderPaid], rules: Mapping[int, Rules]) -> list[Entry]:
    """Count orders that were not counted yet, by the rules under which their members stand."""
    first = {event.order_id: event for event in reversed(events)}
    orders = sorted(first.values(), key=lambda event: event.position)
    brought = note_orders(
        ctx,
        [
            Order(
                event.order_id, event.member, local_day(ctx, event.occurred_at), event.total, rules[event.member]
            )
            for event in orders
        ],
    )
    return [_entry(ctx, event, brought[event.order_id]) for event in orders if event.order_id in brought]


def refunded(ctx: Ctx, events: Sequence[OrderRefunded], rules: Mapping[int, Rules]) -> None:
    """Take off what refunds ask for, each once. Nobody's tier changes by it before the next review."""
    first = {event.refund_id: event for event in reversed(events)}
    note_refunds(
        ctx,
        [
            Refund(
                event.refund_id,
                event.order_id,
                event.member,
                local_day(ctx, event.occurred_at),
                event.amount,
                rules[event.member],
                sorted({line.sku for line in event.lines}),
            )
            for event in sorted(first.values(), key=lambda event: event.position)
        ],
    )


def note_orders(ctx: Ctx, orders: Sequence[Order]) -> Mapping[str, int]:
    """Keep orders, each id once; what those bring that are new, less refunds that came before them."""
    rows = ctx.sql(
        "orders",
        orders=[order.id for order in orders],
        members=[order.member_id for order in orders],
        days=[order.day for order in orders],
        totals=[order.total for order in orders],
        rates=[order.rules.growth_per_unit for order in orders],
        per_order=[order.rules.growth_per_order for order in orders],
        minor_units=ctx.tenant.minor_units,
    )
    return {row.order_id: row.growth for row in rows}


def note_refunds(ctx: Ctx, refunds: Sequence[Refund]) -> None:
    """Keep refunds, each id once, and take off what their orders have brought."""
    ctx.sql(
        "refunds",
        refunds=[refund.id for refund in refunds],
        orders=[refund.order_id for refund in refunds],
        members=[refund.member_id for refund in refunds],
        amounts=[refund.amount for refund in refunds],
        days=[refund.day for refund in refunds],
        rates=[refund.rules.growth_per_unit for refund in refunds],
        skus=[json.dumps(refund.skus) for refund in refunds],
        minor_units=ctx.tenant.minor_units,
    )
    orders = sorted({refund.order_id for refund in refunds if refund.order_id is not None})
    if orders:
        ctx.sql("take_off", orders=orders)


def taken_part(ctx: Ctx, kind: str, events: Sequence[Event], rules: Mapping[int, Rules]) -> list[Entry]:
    """Count interactions of a kind, as often a day as the rules say."""
    counting = [event for event in events if kind in rules[event.member].counted]
    if not counting:
        return []
    days = [(event.member, local_day(ctx, event.occurred_at)) for event in counting]
    keys = sorted(set(days))
    before = ctx.sql(
        "interactions_before", kind=kind, members=[member for member, _ in keys], days=[day for _, day in keys]
    )
    times: Counter[Any] = Counter({(row.member_id, row.day): row.times for row in before})
    brought: Counter[Any] = Counter()
    entries = []
    for event, key in zip(counting, days, strict=True):
        terms = rules[event.member].counted[kind]
        value = terms.growth if times[key] < terms.most_a_day else 0
        times[key] += 1
        brought[key] += value
        entries.append(_entry(ctx, event, value))
    ctx.sql(
        "interactions",
        kind=kind,
        members=[member for member, _ in keys],
        days=[day for _, day in keys],
        times=[times[key] for key in keys],
        brought=[brought[key] for key in keys],
    )
    return entries


def add(ctx: Ctx, values: Iterable[tuple[int, date, int]]) -> None:
    """Add growth to members' days."""
    sums: Counter[tuple[int, date]] = Counter()
    for member, day, value in values:
        sums[member, day] += value
    keys = sorted(key for key, value in sums.items() if value)
    if keys:
        ctx.sql(
            "add_growth",
            members=[member for member, _ in keys],
            days=[day for _, day in keys],
            values=[sums[key] for key in keys],
        )


def within(ctx: Ctx, windows: Mapping[int, tuple[date, date]]) -> Mapping[int, int]:
    """Growth of members, each from a first to a last day; below zero after refunds; whoever has none is absent."""
    if not windows:
        return {}
    order = sorted(windows)
    rows = ctx.sql(
        "growth_in",
        members=order,
        firsts=[windows[member][0] for member in order],
        lasts=[windows[member][1] for member in order],
    )
    return {row.member_id: row.growth for row in rows}


def _entry(ctx: Ctx, event: Event, value: int) -> Entry:
    day = local_day(ctx, event.occurred_at)
    return Entry(event.member, event.position, event.occurred_at, day, value)
