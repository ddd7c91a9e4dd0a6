"""Hands gifts out, writes down what became of each, and takes back what refunds ask for."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Row

from threepeat.sdk import Context, Grant, GrantState, Occurrence, Revocation
from threepeat.sdk.events import OrderPaid
from threepeat_welcome.settings import WelcomeSettings

Ctx = Context[WelcomeSettings]
Part = Literal["pack", "second"]

OWED_FOR = timedelta(days=35)
"""How long a promised reward is tried again: past the month's end, when there is a new budget."""
MOST = 5_000

_KEPT = {GrantState.GRANTED, GrantState.DUPLICATE}
_LATER = {GrantState.OVER_BUDGET, GrantState.CLOSED}


@dataclass(frozen=True, slots=True)
class Gift:
    """A reward that is due.

    Attributes:
        number: Its place in the pack, from 1; it names the rule, so it is given once per person for ever.
        item: Which one of its kind, if there are several.
        order: The order that it is given for, if any.
    """

    member: int
    part: Part
    number: int
    kind: str
    amount: int
    item: str = ""
    order: OrderPaid | None = None


def hand_out(ctx: Ctx, gifts: Sequence[Gift]) -> frozenset[int]:
    """Give what can be given, each gift by itself: a refused one keeps no other back.

    Returns:
        The members who got something.
    """
    written: list[tuple[Gift, str, str | None]] = []
    for kind, mine in _by_kind(gifts).items():
        answers = ctx.grant(kind, [_grant(one.member, one) for one in mine])
        for one, answer in zip(mine, answers, strict=True):
            if answer.state is GrantState.GRANTED:
                written.append((one, "given", answer.key))
            elif answer.state in _LATER and one.part == "second":
                written.append((one, "owed", None))
            elif answer.state is not GrantState.DUPLICATE:
                written.append((one, "missed", None))
    if written:
        orders = [one.order for one, _, _ in written]
        ctx.sql(
            "give",
            members=[one.member for one, _, _ in written],
            parts=[one.part for one, _, _ in written],
            numbers=[one.number for one, _, _ in written],
            kinds=[one.kind for one, _, _ in written],
            amounts=[one.amount for one, _, _ in written],
            items=[one.item for one, _, _ in written],
            states=[state for _, state, _ in written],
            keys=[key for _, _, key in written],
            orders=[order.order_id if order else None for order in orders],
            totals=[order.total if order else 0 for order in orders],
            times=[order.occurred_at if order else None for order in orders],
        )
        take_back(ctx, {order.order_id for order in orders if order is not None})
    return frozenset(one.member for one, state, _ in written if state == "given")


def settle(ctx: Ctx, occurrence: Occurrence) -> None:
    """Try again to give what was promised and could not be given: the budget was used up, or the keeper closed."""
    del occurrence
    done: list[tuple[Row[Any], str, str | None]] = []
    for kind, mine in _by_kind(ctx.sql("owed", most=MOST)).items():
        answers = ctx.grant(kind, [_grant(row.member_id, row) for row in mine])
        for row, answer in zip(mine, answers, strict=True):
            if answer.state in _KEPT:
                done.append((row, "given", answer.key))
            elif answer.state not in _LATER or row.decided_at < ctx.now - OWED_FOR:
                done.append((row, "missed", None))
    if done:
        ctx.sql(
            "settle",
            ids=[row.id for row, _, _ in done],
            states=[state for _, state, _ in done],
            keys=[key for _, _, key in done],
        )
        take_back(ctx, {row.order_id for row, _, _ in done if row.order_id is not None})


def take_back(ctx: Ctx, orders: Collection[str]) -> None:
    """Take back what refunds of these orders ask for: in proportion, rounded in the member's favour."""
    if not orders or not ctx.settings.take_back_days:
        return
    due = defaultdict(list)
    for row in ctx.sql("take_back", orders=sorted(orders), days=ctx.settings.take_back_days):
        due[row.kind].append(Revocation(row.reward_key, row.amount))
    for kind, revocations in due.items():
        ctx.revoke(kind, revocations)


def _grant(member: int, one: Gift | Row[Any]) -> Grant:
    """The cause is the same text for ever, so a second registration is not a second cause."""
    return Grant(member, one.amount, f"{one.part}-{one.number}", one.part, item=one.item)


def _by_kind(gifts: Sequence[Any]) -> dict[str, list[Any]]:
    """Gifts or rows of gifts by kind, in their order."""
    found: dict[str, list[Any]] = {}
    for one in gifts:
        found.setdefault(one.kind, []).append(one)
    return found
