"""Gives woken members who come back what they were promised, and takes it back when money goes back."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Grant, Granted, GrantState, Occurrence, Revocation
from threepeat_winback.offers import Ctx

OWED_FOR = timedelta(days=35)
"""How long a promised reward is tried again: past the month's end, when there is a new budget."""
MOST = 5_000

_KEPT = {GrantState.GRANTED, GrantState.DUPLICATE}
_LATER = {GrantState.OVER_BUDGET, GrantState.CLOSED}


def give(ctx: Ctx, offers: Sequence[Row[Any]]) -> None:
    """Give what offers promise whose order has come; what cannot be given stays owed for a while.

    Args:
        offers: Rows with `id`, `member_id`, `kind`, `amount`, `item`, `order_id` and `paid_at`.
    """
    done: list[tuple[Row[Any], str, Granted]] = []
    for kind, mine in _by_kind(offers).items():
        grants = [Grant(row.member_id, row.amount, "return", f"offer {row.id}", item=row.item) for row in mine]
        answers = ctx.grant(kind, grants)
        for row, answer in zip(mine, answers, strict=True):
            if answer.state in _KEPT:
                done.append((row, "given", answer))
            elif answer.state not in _LATER or row.paid_at < ctx.now - OWED_FOR:
                done.append((row, "missed", answer))
    if done:
        ctx.sql(
            "settle",
            ids=[row.id for row, _, _ in done],
            states=[state for _, state, _ in done],
            keys=[answer.key if state == "given" else None for _, state, answer in done],
            costs=[answer.cost for _, _, answer in done],
        )
        take_back(ctx, {row.order_id for row, _, _ in done})


def settle(ctx: Ctx, occurrence: Occurrence) -> None:
    """Try again to give what was promised and could not be given: the budget was used up, or the keeper closed."""
    del occurrence
    give(ctx, ctx.sql("owed", most=MOST))


def take_back(ctx: Ctx, orders: Collection[str]) -> None:
    """Take back what refunds of these orders ask for: in proportion, rounded in the member's favour."""
    if not orders or not ctx.settings.take_back_days:
        return
    due = defaultdict(list)
    for row in ctx.sql("take_back", orders=sorted(orders), days=ctx.settings.take_back_days):
        due[row.kind].append(Revocation(row.reward_key, row.amount))
    for kind, revocations in due.items():
        ctx.revoke(kind, revocations)


def _by_kind(offers: Sequence[Row[Any]]) -> dict[str, list[Row[Any]]]:
    found: dict[str, list[Row[Any]]] = {}
    for one in offers:
        found.setdefault(one.kind, []).append(one)
    return found
