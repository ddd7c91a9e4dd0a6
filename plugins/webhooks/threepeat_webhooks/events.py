"""What webhooks tell the rest of the platform, and the endpoints."""

from typing import ClassVar, Literal

from threepeat.sdk.events import PLUGIN, Event, Id, Sender
from threepeat.sdk.wording import _


class Tested(Event, frozen=True, kw_only=True):
    """Somebody asked for a test event; it goes to this endpoint alone. It is about no member."""

    type: ClassVar[str] = "webhooks.tested"
    title: ClassVar[str] = _("test event")
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    about_member: ClassVar[bool] = False

    endpoint: Id


class EndpointDisabled(Event, frozen=True, kw_only=True):
    """Nothing is sent to an endpoint any more: it said so, or has failed for days. It is about no member."""

    type: ClassVar[str] = "webhooks.endpoint_disabled"
    title: ClassVar[str] = _("endpoint disabled")
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    about_member: ClassVar[bool] = False

    endpoint: Id
    reason: Literal["gone", "failing"]
