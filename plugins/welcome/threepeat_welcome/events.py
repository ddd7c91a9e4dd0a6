"""What the tactic tells the rest of the platform."""

from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, Instant, Sender
from threepeat.sdk.wording import _


class PackReceived(Event, frozen=True, kw_only=True):
    """A newcomer got the pack.

    `second_until` is when a second order has to be paid to bring a reward; empty if none was promised.
    """

    type: ClassVar[str] = "welcome.received"
    title: ClassVar[str] = _("received")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    second_until: Instant | None = None
