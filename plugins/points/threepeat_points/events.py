"""What points tell the rest of the platform."""

from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, Id, Instant, Sender
from threepeat.sdk.wording import _


class PointsEarned(Event, frozen=True, kw_only=True):
    """A member earned points for an order; they can be spent once they are unlocked."""

    type: ClassVar[str] = "points.earned"
    title: ClassVar[str] = _("earned")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    order_id: Id
    points: int
    expires_at: Instant | None = None
    waiting: bool = False


class PointsUnlocked(Event, frozen=True, kw_only=True):
    """Points that waited can be spent."""

    type: ClassVar[str] = "points.unlocked"
    title: ClassVar[str] = _("unlocked")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    points: int


class PointsExpiring(Event, frozen=True, kw_only=True):
    """A member's points expire in `days` days, at the end of the day before `expires_at`."""

    type: ClassVar[str] = "points.expiring"
    title: ClassVar[str] = _("about to expire")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    points: int
    days: int
    expires_at: Instant


class PointsRedeemed(Event, frozen=True, kw_only=True):
    """A member redeemed points for an item of the catalogue."""

    type: ClassVar[str] = "points.redeemed"
    title: ClassVar[str] = _("redeemed")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    redemption_id: Id
    item_id: Id
    item: str
    points: int


class RedemptionCancelled(Event, frozen=True, kw_only=True):
    """A redemption was cancelled and its points went back."""

    type: ClassVar[str] = "points.redemption_cancelled"
    title: ClassVar[str] = _("redemption cancelled")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    redemption_id: Id
    item_id: Id
    item: str
    points: int
