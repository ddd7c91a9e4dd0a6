"""What time does to seats: those that were held and not paid go after a while."""

from threepeat.sdk import Due, Occurrence
from threepeat_groupbuy.campaigns import Ctx

SWEEP = "sweep"
MOST = 5_000
"""Rows that one run removes; what is left is done right after it."""


def nightly(ctx: Ctx, occurrence: Occurrence) -> None:
    """Remove what nobody needs any more."""
    del occurrence
    _sweep(ctx)


def go_on(ctx: Ctx, dues: list[Due]) -> None:
    """Remove what one run could not."""
    del dues
    _sweep(ctx)


def _sweep(ctx: Ctx) -> None:
    if len(ctx.sql("idle", most=MOST)) == MOST:
        ctx.later(SWEEP, SWEEP, ctx.now)
