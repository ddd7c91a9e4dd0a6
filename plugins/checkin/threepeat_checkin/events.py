"""What check-ins tell the rest of the platform."""

from datetime import date
from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, Sender
from threepeat.sdk.wording import _


class CheckinDone(Event, frozen=True, kw_only=True):
    """A member checked in, or made up for a day.

    `streak` is the number of days in a row that `day` now stands in.
    """

    type: ClassVar[str] = "checkin.done"
    title: ClassVar[str] = _("done")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    day: date
    streak: int
    made_up: bool = False
