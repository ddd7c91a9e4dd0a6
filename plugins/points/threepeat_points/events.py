"""What points tell the rest of the platform."""

from datetime import datetime
from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, Sender


class PointsEarned(Event, frozen=True, kw_only=True):
    """A member earned points for an order."""

    type: ClassVar[str] = "points.earned"
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    order_id: str
    points: int
    expires_at: datetime | None = None
