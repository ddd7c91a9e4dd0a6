"""What the tactic tells others."""

from typing import ClassVar

from threepeat.sdk import _
from threepeat.sdk.events import PLUGIN, Event, Instant, Sender


class PackOffered(Event, frozen=True, kw_only=True):
    """A member was offered the pack before a storm."""

    type: ClassVar[str] = "weatherpack.offered"
    title: ClassVar[str] = _("offered before a storm")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    until: Instant
