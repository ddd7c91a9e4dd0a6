"""What time does to quotes: what is held beyond its time is released, what nobody needs any more goes."""

from threepeat.sdk import Due, Occurrence
from threepeat_checkout import holding, keeping
from threepeat_checkout.keeping import Ctx

SWEEP = "sweep"
MOST = 5_000
"""Rows of a kind that one run removes; what is left is done right after it."""


def release(ctx: Ctx, dues: list[Due]) -> None:
    """Release what was not paid in time."""
    members = [due.member for due in dues if due.member is not None]
    kept = keeping.lock(ctx, [due.key for due in dues], members)
    over = [one for one in kept.values() if one.state == "reserved" and not one.holds(ctx.now)]
    holding.release(ctx, over)
    keeping.write(ctx, over)


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


def _sweep(ctx: Ctx) -> None:
    removed = [len(ctx.sql(name, most=MOST)) for name in ("idle", "unclaimed")]
    if max(removed) == MOST:
        ctx.later(SWEEP, SWEEP, ctx.now)
