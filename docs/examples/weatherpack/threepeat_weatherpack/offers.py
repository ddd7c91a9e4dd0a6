"""Who is offered the pack, and what becomes of it."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from threepeat.sdk import Call, Context, Grant, GrantState, Notice, Occurrence, Revocation
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat_weatherpack.events import PackOffered
from threepeat_weatherpack.settings import WeatherpackSettings

Ctx = Context[WeatherpackSettings]

WEEK = timedelta(days=7)
WEEKENDS = 4
KEPT = 5 * WEEK
SATURDAY = 5


def note(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Note who bought from the categories on a weekend."""
    wanted = set(ctx.settings.categories)
    zone = ctx.tenant.timezone
    bought = [
        (event.member, local.date() - timedelta(days=local.weekday() - SATURDAY))
        for event in events
        if (local := event.occurred_at.astimezone(zone)).weekday() >= SATURDAY
        and wanted.intersection(line.category for line in event.lines)
    ]
    if bought:
        ctx.sql("note", members=[member for member, _ in bought], saturdays=[day for _, day in bought])


def ask(ctx: Ctx, occurrence: Occurrence) -> None:
    """Ask the source, and forget the weekends that no longer count."""
    ctx.sql("forget", before=occurrence.day - KEPT)
    ctx.call("forecast", "forecast", {"city": ctx.settings.city})


def offer(ctx: Ctx, call: Call, warnings: Sequence[dict[str, Any]]) -> None:
    """Offer the pack before each storm that is not over."""
    del call
    today = ctx.now.astimezone(ctx.tenant.timezone).date()
    for warning in warnings:
        until = datetime.fromisoformat(warning["ends_at"])
        if until > ctx.now:
            _offer(ctx, warning["id"], until, today)


def _offer(ctx: Ctx, warning: str, until: datetime, today: date) -> None:
    last = today - timedelta(days=(today.weekday() - SATURDAY) % 7 or 7)
    regulars = ctx.sql(
        "regulars", first=last - (WEEKENDS - 1) * WEEK, last=last, weekends=ctx.settings.weekends, warning=warning
    )
    members = sorted(ctx.taking_part([row.member_id for row in regulars]))
    if not members:
        return
    made = ctx.sql("offer", warning=warning, members=members, until=until, now=ctx.now)
    cause, day = f"warning-{warning}", until.astimezone(ctx.tenant.timezone).date()
    ctx.message(
        "offer",
        [Notice(row.member_id, cause, {"pack": ctx.settings.pack, "day": day}, until=until) for row in made],
    )
    for row in made:
        ctx.emit(PackOffered(until=until), member=row.member_id, cause=cause)


def bought(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Reward whoever buys the pack that they were offered."""
    mine = [event for event in events if any(line.sku == ctx.settings.sku for line in event.lines)]
    if not mine:
        return
    taken = ctx.sql(
        "take",
        members=[event.member for event in mine],
        orders=[event.order_id for event in mine],
        times=[event.occurred_at for event in mine],
    )
    if not taken:
        return
    reward, orders = ctx.settings.reward, {event.order_id: event for event in mine}
    grants = [
        Grant(row.member_id, reward.amount, "bought", orders[row.order_id], item=reward.item) for row in taken
    ]
    given = [
        (row.order_id, answer.key)
        for row, answer in zip(taken, ctx.grant(reward.kind, grants), strict=True)
        if answer.state in {GrantState.GRANTED, GrantState.DUPLICATE}
    ]
    if given:
        ctx.sql("reward", kind=reward.kind, orders=[order for order, _ in given], keys=[key for _, key in given])


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take the reward back with the order."""
    orders = [event.order_id for event in events if event.order_id is not None]
    rows = ctx.sql("give_back", orders=orders) if orders else ()
    for kind in {row.reward_kind for row in rows if row.reward_kind}:
        ctx.revoke(kind, [Revocation(row.reward_key) for row in rows if row.reward_kind == kind])
