"""Registrations, orders and refunds, for whole batches."""

from collections.abc import Mapping
from datetime import timedelta

from threepeat.sdk.events import Event, MemberRegistered, OrderPaid, OrderRefunded
from threepeat_welcome.events import PackReceived
from threepeat_welcome.gifts import Ctx, Gift, hand_out, take_back

SINCE = "member.since"
GRACE = timedelta(days=1)
"""Whoever buys first and registers within this is new all the same."""


def registered(ctx: Ctx, events: list[MemberRegistered]) -> None:
    """Note who registered, and welcome those who are new."""
    ctx.sql("note", members=[one.member for one in events], times=[one.occurred_at for one in events])
    if ctx.settings.trigger == "registration":
        first = {one.member: one for one in reversed(events)}
        bought = ctx.orders.summaries(first)
        new = {
            member: event
            for member, event in sorted(first.items())
            if member not in bought
            or (earliest := bought[member].first_order_at) is None
            or earliest >= event.occurred_at - GRACE
        }
        welcome(ctx, new)


def first_order(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Welcome members with their first paid order, if that is when the pack comes."""
    if ctx.settings.trigger != "first_order":
        return
    paid = [one for one in events if one.total >= ctx.settings.least_total]
    bought = ctx.orders.summaries({one.member for one in paid})
    first: dict[int, Event] = {}
    for event in paid:
        if event.member in bought and bought[event.member].first_order_at == event.occurred_at:
            first.setdefault(event.member, event)
    if first:
        # A shop need not send registrations: then the first contact counts.
        since = ctx.facts([SINCE], first)[SINCE]
        times = [min(since.get(member, event.occurred_at), event.occurred_at) for member, event in first.items()]
        ctx.sql("seen", members=list(first), times=times)
        welcome(ctx, first)


def welcome(ctx: Ctx, newcomers: Mapping[int, Event]) -> None:
    """Give the pack to whom it was not given yet: the newcomer's row decides, once for ever."""
    settings = ctx.settings
    members = set(newcomers)
    if members and not settings.audience.is_everybody:
        members = set(ctx.matching(settings.audience, members))
    if not members:
        return
    by_order = settings.trigger == "first_order"
    second, span = settings.second_reward, timedelta(days=settings.second_within_days)
    asked = [(member, newcomers[member]) for member in sorted(members)]
    claimed = ctx.sql(
        "claim",
        members=[member for member, _ in asked],
        times=[event.occurred_at for _, event in asked],
        only_new=settings.newcomers_only,
        within=settings.first_order_within_days if by_order else None,
        second_kind=second.kind if second else None,
        second_amount=second.amount if second else None,
        second_item=second.item if second else None,
        second_within=span if second else None,
    )
    gifts = []
    for row in claimed:
        event = newcomers[row.member_id]
        order = event if isinstance(event, OrderPaid) else None
        gifts += [
            Gift(row.member_id, "pack", number, one.kind, one.amount, one.item, order)
            for number, one in enumerate(settings.rewards, 1)
        ]
    given = hand_out(ctx, gifts)
    for row in claimed:
        if row.member_id in given:
            received = PackReceived(second_until=row.second_until)
            ctx.emit(received, member=row.member_id, cause=newcomers[row.member_id])


def ordered(ctx: Ctx, events: list[OrderPaid]) -> None:
    """Follow newcomers to their second order, and keep what was promised for it."""
    paid = [one for one in events if one.total >= ctx.settings.least_total]
    if not paid:
        return
    orders = {one.order_id: one for one in reversed(paid)}
    reached = ctx.sql(
        "ordered",
        members=[one.member for one in paid],
        orders=[one.order_id for one in paid],
        times=[one.occurred_at for one in paid],
    )
    hand_out(
        ctx,
        [
            Gift(
                row.member_id,
                "second",
                1,
                row.second_kind,
                row.second_amount,
                row.second_item,
                orders[row.second_order_id],
            )
            for row in reached
        ],
    )


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take back what was given for orders whose money went back."""
    named = [(one, one.order_id) for one in events if one.order_id is not None]
    if named:
        ctx.sql(
            "count_refunds",
            refunds=[one.refund_id for one, _ in named],
            orders=[order for _, order in named],
            members=[one.member for one, _ in named],
            amounts=[one.amount for one, _ in named],
            times=[one.occurred_at for one, _ in named],
        )
        take_back(ctx, {order for _, order in named})
