"""What the tactic tells others."""

from typing import ClassVar

from threepeat.sdk import _
from threepeat.sdk.events import PLUGIN, Event, Sender


class Celebrated(Event, frozen=True, kw_only=True):
    """A member got the present of a year."""

    type: ClassVar[str] = "birthday.celebrated"
    title: ClassVar[str] = _("birthday")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    year: int
