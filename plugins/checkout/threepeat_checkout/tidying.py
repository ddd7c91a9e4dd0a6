"""What time does to quotes: what is held beyond its time is released, what nobody needs any more goes."""

from datetime import timedelta

from threepeat.sdk import Due, Occurrence
from threepeat.sdk.events import OrderPaid
from threepeat_checkout import holding, keeping
from threepeat_checkout.keeping import TIMER, Ctx, Kept

SWEEP = "sweep"
MOST = 5_000
"""Rows of a kind that one run removes; what is left is done right after it."""
AGAIN = timedelta(hours=1)
LOOKS = 24
"""How often a payment is waited for that stands in the log and is not read, such as a dead letter."""


def release(ctx: Ctx, dues: list[Due]) -> None:
    """Release what was not paid in time.

    After an outage the payment may stand in the log already: then it stays held until the payment is read.
    """
    members = [due.member for due in dues if due.member is not None]
    kept = keeping.lock(ctx, [due.key for due in dues], members)
    over = [one for one in kept.values() if one.state == "reserved" and not one.holds(ctx.now)]
    looks = {due.key: due.payload.get("looks", 0) + 1 for due in dues}
    paid = _paid_in_log(ctx, [one for one in over if looks[one.id] < LOOKS])
    for one in over:
        if one.id in paid:
            ctx.later(TIMER, one.id, ctx.now + AGAIN, member=one.member, payload={"looks": looks[one.id]})
    gone = [one for one in over if one.id not in paid]
    holding.release(ctx, gone)
    keeping.write(ctx, gone)


def release_all_of(ctx: Ctx, member: int) -> None:
    """Release whatever is held for a member who is being erased."""
    ids = [row.id for row in ctx.sql("held_for", member=member)]
    kept = [one for one in keeping.lock(ctx, ids, [member]).values() if one.state == "reserved"]
    holding.release(ctx, kept)
    keeping.write(ctx, kept)


def nightly(ctx: Ctx, occurrence: Occurrence) -> None:
    """Remove what nobody needs any more."""
    del occurrence
    _sweep(ctx)


def go_on(ctx: Ctx, dues: list[Due]) -> None:
    """Remove what one run could not."""
    del dues
    _sweep(ctx)


def _paid_in_log(ctx: Ctx, over: list[Kept]) -> set[str]:
    """Those of held quotes with a payment of their member that was not read yet."""
    owned = {one.id: one.member for one in over if one.member is not None}
    if not owned:
        return set()
    members = sorted(set(owned.values()))
    return {row.id for row in ctx.sql("unread", ids=list(owned), members=members, payment=OrderPaid.type)}


def _sweep(ctx: Ctx) -> None:
    removed = [len(ctx.sql(name, most=MOST)) for name in ("idle", "unclaimed")]
    if max(removed) == MOST:
        ctx.later(SWEEP, SWEEP, ctx.now)
