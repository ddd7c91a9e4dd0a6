"""Growth: what orders, refunds and interactions bring and take, kept so that each counts once.

Growth is summed by member and local day, so that a window of a year is at most 366 narrow rows. An order's growth
stands on the day of its payment; what is refunded of it goes off that day, and all of it if nothing is left. A
refund that names no order takes what its money would bring from the day of the refund. Growth never comes from
points, so spending them never lowers it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from threepeat.sdk.events import Event, OrderPaid, OrderRefunded
from threepeat_tiers.climbing import Entry
from threepeat_tiers.rules import Rules
from threepeat_tiers.versions import Ctx
from threepeat_tiers.windows import local_day


def met(ctx: Ctx, events: Iterable[Event]) -> list[Entry]:
    """Entries of no growth: the members are known from here on."""
    return [_entry(ctx, event, 0) for event in events]


def paid(ctx: Ctx, events: Sequence[OrderPaid], rules: Mapping[int, Rules]) -> list[Entry]:
    """Count orders that were not counted yet, by the rules under which their members stand.

    A refund that came before its order is taken off at once.
    """
    first = {event.order_id: event for event in reversed(events)}
    orders = sorted(first.values(), key=lambda event: event.position)
    counted = ctx.sql(
        "orders",
        orders=[event.order_id for event in orders],
        members=[event.member for event in orders],
        days=[local_day(ctx, event.occurred_at) for event in orders],
        totals=[event.total for event in orders],
        rates=[rules[event.member].growth_per_unit for event in orders],
        per_order=[rules[event.member].growth_per_order for event in orders],
        minor_units=ctx.tenant.minor_units,
    )
    brought = {row.order_id: row.growth for row in counted}
    return [_entry(ctx, event, brought[event.order_id]) for event in orders if event.order_id in brought]


def refunded(ctx: Ctx, events: Sequence[OrderRefunded], rules: Mapping[int, Rules]) -> None:
    """Take off what refunds ask for, each once. Nobody's tier changes by it before the next review."""
    first = {event.refund_id: event for event in reversed(events)}
    refunds = sorted(first.values(), key=lambda event: event.position)
    ctx.sql(
        "refunds",
        refunds=[event.refund_id for event in refunds],
        orders=[event.order_id for event in refunds],
        members=[event.member for event in refunds],
        amounts=[event.amount for event in refunds],
        days=[local_day(ctx, event.occurred_at) for event in refunds],
        rates=[rules[event.member].growth_per_unit for event in refunds],
        minor_units=ctx.tenant.minor_units,
    )
    orders = sorted({event.order_id for event in refunds if event.order_id is not None})
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


def add(ctx: Ctx, entries: Sequence[Entry]) -> None:
    """Add what entries bring to the days."""
    sums: Counter[Any] = Counter()
    for entry in entries:
        sums[entry.member_id, entry.day] += entry.value
    keys = sorted(key for key, value in sums.items() if value)
    if keys:
        ctx.sql(
            "add_growth",
            members=[member for member, _ in keys],
            days=[day for _, day in keys],
            values=[sums[key] for key in keys],
        )


def _entry(ctx: Ctx, event: Event, value: int) -> Entry:
    day = local_day(ctx, event.occurred_at)
    return Entry(event.member, event.position, event.occurred_at, day, value)
