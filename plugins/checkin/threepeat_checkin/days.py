"""Days: those of the store's clock, never a client's."""

from datetime import date, timedelta
from typing import Any

from threepeat.sdk import Context

DAY = timedelta(days=1)


def today(ctx: Context[Any]) -> date:
    """The store's local day."""
    return ctx.now.astimezone(ctx.tenant.timezone).date()


def month_of(day: date) -> date:
    """The first day of a day's month."""
    return day.replace(day=1)


def end_of_month(first: date) -> date:
    """The last day of the month that begins with a day."""
    return month_of(first + 31 * DAY) - DAY
