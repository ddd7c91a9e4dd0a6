"""Shapes of dates and times."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar

from typing_extensions import override

from threepeat.sdk.wording import _
from threepeat_tenants.forms.leaves import Leaf
from threepeat_tenants.forms.shapes import Misfit
from threepeat_tenants.forms.surroundings import Surroundings


@dataclass(frozen=True)
class Day(Leaf):
    """A date."""

    optional: bool = False

    kind: ClassVar[str] = "date"

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        del around
        return date.fromisoformat(value).isoformat()

    @override
    def value(self, text: str, around: Surroundings) -> str:
        del around
        try:
            return date.fromisoformat(text.strip()).isoformat()
        except ValueError:
            raise Misfit(_("Enter a date, such as {example}.", example="2026-06-18")) from None


@dataclass(frozen=True)
class Clock(Leaf):
    """A time of day."""

    optional: bool = False

    kind: ClassVar[str] = "time"

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        del around
        return _to_minutes(time.fromisoformat(value))

    @override
    def value(self, text: str, around: Surroundings) -> str:
        del around
        try:
            return time.fromisoformat(text.strip()).isoformat()
        except ValueError:
            raise Misfit(_("Enter a time, such as {example}.", example="09:30")) from None

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        del around
        if one is None or other is None:
            return one is other
        return time.fromisoformat(one) == time.fromisoformat(other)


@dataclass(frozen=True)
class Instant(Leaf):
    """A date and time, in the store's time zone."""

    optional: bool = False

    kind: ClassVar[str] = "datetime-local"

    @override
    def text(self, value: Any, around: Surroundings) -> str:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("no time zone")
        local = moment.astimezone(around.store.timezone)
        return f"{local.date().isoformat()}T{_to_minutes(local.time())}"

    @override
    def value(self, text: str, around: Surroundings) -> str:
        try:
            given = datetime.fromisoformat(text.strip())
            moment = given.replace(tzinfo=around.store.timezone) if given.tzinfo is None else given
            plain_utc = moment.astimezone(UTC)
            back = plain_utc.astimezone(around.store.timezone).replace(tzinfo=None)
        except (ValueError, OverflowError):
            example = "2026-06-18 09:30"
            raise Misfit(_("Enter a date and a time, such as {example}.", example=example)) from None
        if given.tzinfo is None and back != given:
            raise Misfit(_("There is no such time on that day: the clocks change."))
        return plain_utc.isoformat().replace("+00:00", "Z")

    @override
    def same(self, one: Any, other: Any, around: Surroundings) -> bool:
        del around
        if one is None or other is None:
            return one is other
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)


def _to_minutes(moment: time) -> str:
    """A time of day as browsers write it, as short as it goes.

    Raises:
        ValueError: It is finer than a browser can show.
    """
    if moment.microsecond % 1000 or moment.tzinfo is not None:
        raise ValueError("finer than a millisecond, or with a zone of its own")
    if moment.microsecond:
        return moment.isoformat(timespec="milliseconds")
    return moment.isoformat(timespec="seconds" if moment.second else "minutes")
