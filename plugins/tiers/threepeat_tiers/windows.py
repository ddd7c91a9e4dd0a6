"""Days: in which growth counts, and on which it is reviewed. All of them are local days of the store."""

from datetime import date, datetime, timedelta
from typing import Any

from threepeat.sdk import Context
from threepeat_tiers.rules import Rules

DAY = timedelta(days=1)
BEGINNING = date(1970, 1, 1)
END = date(9999, 12, 31)


def today(ctx: Context[Any]) -> date:
    """The store's local day."""
    return local_day(ctx, ctx.now)


def local_day(ctx: Context[Any], moment: datetime) -> date:
    """The store's local day of an instant."""
    return moment.astimezone(ctx.tenant.timezone).date()


def window_start(rules: Rules, joined: date, day: date) -> date:
    """The first day of the window that ends with a day, for a member who joined on a day."""
    if rules.mode == "share":
        return day.replace(day=1) if rules.ranked_by == "month" else day - (rules.window_days - 1) * DAY
    if rules.window == "rolling":
        return day - (rules.window_days - 1) * DAY
    if rules.window == "calendar_year":
        return day.replace(month=1, day=1)
    if rules.window == "membership_year":
        return _anniversary(joined, day)
    return BEGINNING


def window_end(rules: Rules, joined: date, day: date) -> date:
    """The last day with which a window can end that contains a day."""
    if rules.window == "rolling":
        return day + (rules.window_days - 1) * DAY
    if rules.window == "calendar_year":
        return day.replace(month=12, day=31)
    if rules.window == "membership_year":
        return _next_anniversary(joined, day) - DAY
    return END


def next_review(rules: Rules, joined: date, day: date) -> date:
    """The first day after a day on which a member is reviewed; the day before it is the last that counts."""
    if rules.mode == "threshold" and rules.window == "calendar_year":
        return date(day.year + 1, 1, 1)
    if rules.mode == "threshold" and rules.window == "membership_year":
        return _next_anniversary(joined, day)
    return (day.replace(day=1) + 31 * DAY).replace(day=1)


def _anniversary(joined: date, day: date) -> date:
    """The last anniversary up to a day; what lies before the joining is divided into years in the same way."""
    found = _in_year(joined, day.year)
    return found if found <= day else _in_year(joined, day.year - 1)


def _next_anniversary(joined: date, day: date) -> date:
    found = _in_year(joined, day.year)
    return found if found > day else _in_year(joined, day.year + 1)


def _in_year(joined: date, year: int) -> date:
    """29 February becomes 28 February where there is none."""
    try:
        return joined.replace(year=year)
    except ValueError:
        return date(year, 2, 28)
