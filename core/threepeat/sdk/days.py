"""Days of a store's calendar."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day; where the clock is put forward at midnight, the moment of the change."""
    # Read with the offset from before the change, a midnight that the clock skips is that moment.
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
