"""Quiet hours, in the store's local time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


def awake_at(now: datetime, zone: ZoneInfo, begin: time, end: time) -> datetime:
    """When marketing may go: now, or the instant at which the quiet hours end.

    Args:
        now: In UTC.
        zone: The store's.
        begin: Local time at which quiet hours begin.
        end: Local time at which they are over; with the same time as `begin` there are none.

    Returns:
        An instant in UTC, never before `now`. Where a change to summer time skips the end, the first one after.
    """
    here = now.astimezone(zone)
    if not is_quiet(here.time(), begin, end):
        return now
    day = here.date()
    return next(found for one in (day, day + DAY, day + 2 * DAY) if (found := _instant(one, end, zone)) > now)


def is_quiet(moment: time, begin: time, end: time) -> bool:
    """Whether a local time lies in quiet hours; they may go over midnight."""
    moment = moment.replace(tzinfo=None, fold=0)
    return begin <= moment < end if begin <= end else moment >= begin or moment < end


def minute(moment: time) -> int:
    """The minute of the day, from 0."""
    return moment.hour * 60 + moment.minute


def monday(day: date) -> date:
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    # A time that is skipped is read by the offset before the change, which lands right after it.
    return datetime.combine(day, at, zone).astimezone(UTC)
