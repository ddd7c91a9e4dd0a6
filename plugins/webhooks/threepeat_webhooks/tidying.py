"""Deliveries that are over for long go at night."""

from threepeat.sdk import Context, Due, Occurrence
from threepeat_webhooks.settings import WebhooksSettings

Ctx = Context[WebhooksSettings]

SWEEP = "sweep"
MOST = 5_000
"""Rows that one run removes; what is left is done right after it."""


def nightly(ctx: Ctx, occurrence: Occurrence) -> None:
    """Remove what nobody can have sent again any more."""
    del occurrence
    _sweep(ctx)


def go_on(ctx: Ctx, dues: list[Due]) -> None:
    """Remove what one run could not."""
    del dues
    _sweep(ctx)


def _sweep(ctx: Ctx) -> None:
    before = ctx.now - ctx.settings.kept_for
    ctx.sql("gone_resends", before=before)
    if len(ctx.sql("gone", before=before, most=MOST)) == MOST:
        ctx.later(SWEEP, SWEEP, ctx.now)
