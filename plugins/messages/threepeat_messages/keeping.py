"""Texts are deleted when their time is over; that there was a message stays, so that it is never sent again."""

from datetime import time, timedelta

from threepeat.sdk import Due, Occurrence, schedule, timer
from threepeat_messages.channels import Ctx

CLEAR = "clear"
STRETCH = 5_000
"""Messages that are cleared in one transaction."""


def nightly(ctx: Ctx, occurrence: Occurrence) -> None:
    """Begin with the oldest."""
    del occurrence
    _clear(ctx)


def clear(ctx: Ctx, due: list[Due]) -> None:
    """Go on with the next ones."""
    del due
    _clear(ctx)


def _clear(ctx: Ctx) -> None:
    """Delete the texts of a stretch of messages; the others come next."""
    before = ctx.now - timedelta(days=ctx.settings.keep_days)
    if len(ctx.sql("clear", before=before, most=STRETCH)) == STRETCH:
        ctx.later(CLEAR, CLEAR, ctx.now)


SCHEDULES = (schedule("clear", nightly, at=time(4, 20), always=True),)
TIMERS = (timer(CLEAR, clear),)
