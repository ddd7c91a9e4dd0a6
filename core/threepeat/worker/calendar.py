"""When a tenant's local times come, in UTC."""

from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from threepeat.sdk.timers import Schedule

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def after(schedule: Schedule, zone: ZoneInfo, moment: datetime) -> tuple[date, datetime]:
    """The first occurrence after an instant: its local day, and when it is due in UTC."""
    day = moment.astimezone(zone).date() - DAY
    while True:
        if _named(schedule, day):
            due = instant(day, schedule, zone)
            if due > moment:
                return day, due
        day += DAY


def latest(schedule: Schedule, zone: ZoneInfo, moment: datetime) -> date:
    """The local day of the last occurrence that is not after an instant."""
    day = moment.astimezone(zone).date() + DAY
    while not (_named(schedule, day) and instant(day, schedule, zone) <= moment):
        day -= DAY
    return day


def instant(day: date, schedule: Schedule, zone: ZoneInfo) -> datetime:
    """When a schedule is due on a local day: the first of two such times, or the first after a gap."""
    local = datetime.combine(day, schedule.at, tzinfo=zone)
    due = local.astimezone(UTC)
    if due.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return due
    # The time does not exist. Read with the offset from after the gap it lies before the gap, and the
    # other way round; between the two the clock is put forward.
    low, high = local.replace(fold=1).astimezone(UTC), due
    offset = high.astimezone(zone).utcoffset()
    while high - low > SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (low, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, high)
    return high


def _named(schedule: Schedule, day: date) -> bool:
    if schedule.weekday is not None:
        return day.weekday() == schedule.weekday
    if schedule.day is not None:
        return day.day == min(schedule.day, monthrange(day.year, day.month)[1])
    return True
