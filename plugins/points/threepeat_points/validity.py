"""From when points can be spent and until when, by the calendar of the store.

Both are whole local days: points of an order wait until the end of a day and live until the end of one, so that
a whole day of lots is unlocked, reminded of or written off at once.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from threepeat.sdk import midnight
from threepeat_points.settings import PointsSettings, RollUp

DAY = timedelta(days=1)

MONTHS: dict[RollUp, int] = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
"""How many months the periods have at whose end points expire."""


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """The first moment after a local day."""
    return midnight(day + DAY, zone)


def last_day(day: date, roll_up: RollUp) -> date:
    """The last day of the month, quarter, half-year or year in which a day lies; of `day` the day itself."""
    if roll_up == "day":
        return day
    months = MONTHS[roll_up]
    following = (day.month - 1) // months * months + months  # of the month after the period, counted from 0
    return date(day.year + following // 12, following % 12 + 1, 1) - DAY


class Validity:
    """Says for many instants when their points unlock and expire; each local day is worked out once."""

    def __init__(self, settings: PointsSettings, zone: ZoneInfo) -> None:
        self._zone = zone
        self._waits = settings.waits
        self._unlocks = lru_cache(maxsize=None)(_after(settings.unlocks_after_days, "day", zone))
        self._expires = lru_cache(maxsize=None)(
            _after(settings.expires_after_days, settings.expires_at_end_of, zone)
        )

    @property
    def waits(self) -> bool:
        """Whether points of orders wait at all."""
        return self._waits

    def unlocks(self, at: datetime) -> datetime | None:
        """When points unlock whose waiting begins at an instant; None if they never do by themselves."""
        return self._unlocks(self._day(at))

    def expires(self, at: datetime) -> datetime | None:
        """When points expire that were earned at an instant; None if never."""
        return self._expires(self._day(at))

    def after(self, at: datetime, days: int) -> datetime:
        """The end of the local day that is so many days after an instant."""
        return end_of(self._day(at) + days * DAY, self._zone)

    def _day(self, at: datetime) -> date:
        return at.astimezone(self._zone).date()


def _after(days: int | None, roll_up: RollUp, zone: ZoneInfo) -> Callable[[date], datetime | None]:
    if days is None:
        return lambda _: None
    return lambda day: end_of(last_day(day + days * DAY, roll_up), zone)
