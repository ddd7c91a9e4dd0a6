"""What points tell the rest of the platform."""

from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, Id, Instant, Sender
from threepeat.sdk.wording import _


class PointsEarned(Event, frozen=True, kw_only=True):
    """A member earned points for an order."""

    type: ClassVar[str] = "points.earned"
    title: ClassVar[str] = _("earned")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    order_id: Id
    points: int
    expires_at: Instant | None = None
