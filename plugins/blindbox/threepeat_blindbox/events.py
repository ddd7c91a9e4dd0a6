"""What blind boxes tell the rest of the platform."""

from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, Sender
from threepeat.sdk.wording import _


class BoxOpened(Event, frozen=True, kw_only=True):
    """A member's box was drawn.

    Attributes:
        item: The SKU to put into the parcel.
        order_id: The order that paid for it; None for a chance.
    """

    type: ClassVar[str] = "box.opened"
    title: ClassVar[str] = _("opened")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    series: str
    item: str
    hidden: bool
    draw_no: int
    order_id: str | None = None


class SeriesClosed(Event, frozen=True, kw_only=True):
    """Nothing can be drawn from a series any more, and its seed is public."""

    type: ClassVar[str] = "series.closed"
    title: ClassVar[str] = _("closed a series")
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    about_member: ClassVar[bool] = False

    series: str
    draws: int
