"""The event catalogue: one class per fact, named in the past tense.

An event class describes the `data` of a CloudEvents 1.0 envelope. Fields are only ever added, with a
default; a change of meaning gets a new type name. Money is an integer of minor units (fen, pence)
with an ISO 4217 currency; instants carry a time zone.
"""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, ClassVar, Self, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

MAX_AMOUNT = 10**15

Id = Annotated[str, Meta(min_length=1, max_length=128)]
Text = Annotated[str, Meta(max_length=500)]
Amount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT)]
Count = Annotated[int, Meta(ge=1, le=10**9)]
Purpose = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9._-]+\Z")]
Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]
Instant = Annotated[datetime, Meta(tz=True)]
MEMBER = "member"
MemberId = Annotated[int, MEMBER]
"""Core's id of another member than the one that the event is about; outside they go by the shop's own ids."""


class Sender(StrEnum):
    """Who may send an event type."""

    SERVER = "server"
    MEMBER = "member"
    PLUGIN = "plugin"


SERVER = frozenset({Sender.SERVER})
BEHAVIOUR = frozenset({Sender.SERVER, Sender.MEMBER})
PLUGIN = frozenset({Sender.PLUGIN})


class Envelope:
    """Where an event stands in its tenant's log. Core fills it; a sender cannot."""

    __slots__ = ("depth", "id", "member", "occurred_at", "position", "source")

    def __init__(
        self,
        position: int,
        source: str,
        id: str,  # noqa: A002 - CloudEvents' name
        member: int | None,
        occurred_at: datetime,
        depth: int = 0,
    ) -> None:
        self.position = position
        self.source = source
        self.id = id
        self.member = member
        self.occurred_at = occurred_at
        self.depth = depth


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """Base of all events.

    Subclasses set `type` and, where it is not the shop's server, `senders`. `about_member` is false for
    facts that concern nobody in particular; all others need a subject. `title` is what merchants read after the
    plugin's name, such as `_("earned")`.
    """

    type: ClassVar[str] = ""
    title: ClassVar[str] = ""
    senders: ClassVar[frozenset[Sender]] = SERVER
    about_member: ClassVar[bool] = True

    envelope: Envelope | None = None

    @property
    def position(self) -> int:
        """Gapless position in the tenant's log, from 1."""
        return self._sent().position

    @property
    def source(self) -> str:
        """The CloudEvents `source`; with `id`, unique in the tenant for ever."""
        return self._sent().source

    @property
    def id(self) -> str:
        """The CloudEvents `id`."""
        return self._sent().id

    @property
    def member(self) -> int:
        """Core's id of the member that the event is about.

        Raises:
            LookupError: The event has no subject.
        """
        member = self._sent().member
        if member is None:
            raise LookupError(f"{self.type} at {self.position} has no member")
        return member

    @property
    def depth(self) -> int:
        """How many events caused one another to bring this one about; 0 from a shop or a member."""
        return self._sent().depth

    @property
    def occurred_at(self) -> datetime:
        """When it happened, in UTC."""
        return self._sent().occurred_at

    def placed(self, envelope: Envelope) -> Self:
        """Give a decoded event its place in the log; only core calls this."""
        msgspec.structs.force_setattr(self, "envelope", envelope)
        return self

    def _sent(self) -> Envelope:
        if self.envelope is None:
            raise LookupError(f"this {self.type} has not been sent yet")
        return self.envelope


class Line(Struct, frozen=True, kw_only=True, gc=False):
    """One line of an order: `amount` is the line's total in minor units after its discounts."""

    sku: Id
    quantity: Count
    amount: Amount
    name: Text = ""
    category: Text = ""


@lru_cache(maxsize=1024)
def member_fields(kind: type[Event]) -> frozenset[str]:
    """The fields of a class that hold a `MemberId`, or several."""
    hints = get_type_hints(kind, include_extras=True)
    return frozenset(name for name, hint in hints.items() if _holds_member(hint))


def _holds_member(hint: object) -> bool:
    if MEMBER in getattr(hint, "__metadata__", ()):
        return True
    return any(map(_holds_member, get_args(hint)))


class OrderEvent(Event, frozen=True, kw_only=True):
    """Base of the events that name an order."""

    order_id: Id


class PricedOrderEvent(OrderEvent, frozen=True, kw_only=True):
    """Base of the order events that carry its price.

    `total` is what the member pays in minor units, after all discounts.
    """

    total: Amount
    currency: Currency
    lines: Annotated[list[Line], Meta(max_length=1000)] = []
    reservation_id: Id | None = None


class OrderCreated(PricedOrderEvent, frozen=True, kw_only=True):
    """An order was placed and is not paid yet."""

    type: ClassVar[str] = "order.created"


class OrderPaid(PricedOrderEvent, frozen=True, kw_only=True):
    """An order was paid in full."""

    type: ClassVar[str] = "order.paid"


class OrderShipped(OrderEvent, frozen=True, kw_only=True):
    """An order left the store."""

    type: ClassVar[str] = "order.shipped"


class OrderCompleted(OrderEvent, frozen=True, kw_only=True):
    """An order was received and its return window is the shop's concern from here."""

    type: ClassVar[str] = "order.completed"


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    """An order was cancelled before it was paid."""

    type: ClassVar[str] = "order.cancelled"
    reason: Text = ""


class OrderRefunded(Event, frozen=True, kw_only=True):
    """Money went back to the member.

    `amount` is this refund in minor units, not the sum so far. Without `order_id` it is a refund that
    the shop cannot tie to an order.
    """

    type: ClassVar[str] = "order.refunded"
    refund_id: Id
    amount: Amount
    currency: Currency
    order_id: Id | None = None
    lines: Annotated[list[Line], Meta(max_length=1000)] = []
    reservation_id: Id | None = None


class RefundFailed(OrderEvent, frozen=True, kw_only=True):
    """Money that was asked back for an order could not be paid back.

    `refund_id` is the shop's name of the attempt, if it has one; `reason` is for people.
    """

    type: ClassVar[str] = "refund.failed"
    refund_id: Id | None = None
    reason: Text = ""


class VisitMade(Event, frozen=True, kw_only=True):
    """A member came to the store."""

    type: ClassVar[str] = "visit.made"
    place: Text = ""


class AppointmentBooked(Event, frozen=True, kw_only=True):
    """A member booked a time."""

    type: ClassVar[str] = "appointment.booked"
    appointment_id: Id
    starts_at: Instant
    service: Text = ""


class AppointmentAttended(Event, frozen=True, kw_only=True):
    """A member came to an appointment."""

    type: ClassVar[str] = "appointment.attended"
    appointment_id: Id


class AppointmentCancelled(Event, frozen=True, kw_only=True):
    """An appointment was called off."""

    type: ClassVar[str] = "appointment.cancelled"
    appointment_id: Id
    reason: Text = ""


class ServiceProgressed(Event, frozen=True, kw_only=True):
    """A longer service (a course, a repair) reached a stage."""

    type: ClassVar[str] = "service.progressed"
    service_id: Id
    stage: Id


class SessionStarted(Event, frozen=True, kw_only=True):
    """A member opened the mini-program."""

    type: ClassVar[str] = "session.started"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    session_id: Id


class SessionEnded(Event, frozen=True, kw_only=True):
    """A member left the mini-program after `seconds`."""

    type: ClassVar[str] = "session.ended"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    session_id: Id
    seconds: Annotated[int, Meta(ge=0, le=7 * 86400)] = 0


class PageViewed(Event, frozen=True, kw_only=True):
    """A member saw a page."""

    type: ClassVar[str] = "page.viewed"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    page: Id


class ProductViewed(Event, frozen=True, kw_only=True):
    """A member saw a product."""

    type: ClassVar[str] = "product.viewed"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    sku: Id
    category: Text = ""


class ProductFavorited(Event, frozen=True, kw_only=True):
    """A member marked a product as a favourite."""

    type: ClassVar[str] = "product.favorited"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    sku: Id


class CartItem(Struct, frozen=True, kw_only=True, gc=False):
    """One product in a cart."""

    sku: Id
    quantity: Count


class CartUpdated(Event, frozen=True, kw_only=True):
    """A member's cart now holds `items`."""

    type: ClassVar[str] = "cart.updated"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    items: Annotated[list[CartItem], Meta(max_length=1000)] = []


class SearchPerformed(Event, frozen=True, kw_only=True):
    """A member searched for `query` and got `results` hits."""

    type: ClassVar[str] = "search.performed"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    query: Text
    results: Annotated[int, Meta(ge=0, le=10**9)] | None = None


class ContentViewed(Event, frozen=True, kw_only=True):
    """A member read or watched something."""

    type: ClassVar[str] = "content.viewed"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    content_id: Id


class ShareSent(Event, frozen=True, kw_only=True):
    """A member shared something. Core refuses every reward that has this as its cause."""

    type: ClassVar[str] = "share.sent"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    what: Id


class ReviewSubmitted(Event, frozen=True, kw_only=True):
    """A member reviewed a product."""

    type: ClassVar[str] = "review.submitted"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    sku: Id
    rating: Annotated[int, Meta(ge=1, le=5)]
    text: Annotated[str, Meta(max_length=5000)] = ""
    order_id: Id | None = None


class FeedbackSubmitted(Event, frozen=True, kw_only=True):
    """A member told the store something."""

    type: ClassVar[str] = "feedback.submitted"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    text: Annotated[str, Meta(max_length=5000)]


class CodeScanned(Event, frozen=True, kw_only=True):
    """A member scanned a code."""

    type: ClassVar[str] = "code.scanned"
    senders: ClassVar[frozenset[Sender]] = BEHAVIOUR
    code: Id


class MemberRegistered(Event, frozen=True, kw_only=True):
    """Somebody became a member."""

    type: ClassVar[str] = "member.registered"


class MemberIdentified(Event, frozen=True, kw_only=True):
    """The shop learnt a fact about who a member is, such as a verified phone."""

    type: ClassVar[str] = "member.identified"
    kind: Id


class ConsentChanged(Event, frozen=True, kw_only=True):
    """A member gave or withdrew consent to `purpose`, after reading a version of the text, on a channel."""

    type: ClassVar[str] = "consent.changed"
    purpose: Purpose
    granted: bool
    text_version: Annotated[str, Meta(max_length=64)] = ""
    channel: Annotated[str, Meta(max_length=64)] = ""


class PermissionGranted(Event, frozen=True, kw_only=True):
    """A member allowed `count` messages of one subscribe-message template."""

    type: ClassVar[str] = "permission.granted"
    template: Id
    count: Count = 1


class AccountFollowed(Event, frozen=True, kw_only=True):
    """A member followed the store's official account."""

    type: ClassVar[str] = "account.followed"
    account: Id


class ProductUpdated(Event, frozen=True, kw_only=True):
    """A product of the catalogue changed. It is about no member."""

    type: ClassVar[str] = "product.updated"
    about_member: ClassVar[bool] = False
    sku: Id
    name: Text = ""
    category: Text = ""
    price: Amount | None = None


class RefundRequested(Event, frozen=True, kw_only=True):
    """Money is to go back to the member: what it was paid for cannot be had any more.

    Whoever took the money pays it back and reports `order.refunded`, or `refund.failed` if that is not possible.
    `reason` is a short stable identifier.
    """

    type: ClassVar[str] = "refund.requested"
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    order_id: Id
    amount: Amount
    currency: Currency
    reason: Text = ""
    reservation_id: Id | None = None


CATALOGUE: tuple[type[Event], ...] = (
    OrderCreated,
    OrderPaid,
    OrderShipped,
    OrderCompleted,
    OrderCancelled,
    OrderRefunded,
    RefundFailed,
    VisitMade,
    AppointmentBooked,
    AppointmentAttended,
    AppointmentCancelled,
    ServiceProgressed,
    SessionStarted,
    SessionEnded,
    PageViewed,
    ProductViewed,
    ProductFavorited,
    CartUpdated,
    SearchPerformed,
    ContentViewed,
    ShareSent,
    ReviewSubmitted,
    FeedbackSubmitted,
    CodeScanned,
    MemberRegistered,
    MemberIdentified,
    ConsentChanged,
    PermissionGranted,
    AccountFollowed,
    ProductUpdated,
)


SHARED: tuple[type[Event], ...] = (RefundRequested,)
"""Events that any plugin may send; it declares those that it does."""


_UNSENT = b'{"envelope":null'


def event_data(event: Event) -> str:
    """The `data` of an event that was not sent yet, as JSON text."""
    encoded = msgspec.json.encode(event)
    assert encoded.startswith(_UNSENT)  # noqa: S101 - the envelope is the first field, and empty until core fills it
    return "{" + encoded[len(_UNSENT) :].decode().removeprefix(",")
