"""What the tactic tells the rest of the platform."""

from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Amount, Count, Event, Id, Instant, Sender, Text
from threepeat.sdk.wording import _


class Offered(Event, frozen=True, kw_only=True):
    """A sleeping member was promised a reward for an order until an instant.

    `item` says which one, for a kind of which the store has several.
    """

    type: ClassVar[str] = "winback.offered"
    title: ClassVar[str] = _("offered")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    kind: Id
    item: Text = ""
    amount: Count
    until: Instant


class Returned(Event, frozen=True, kw_only=True):
    """A woken member ordered while the offer lived."""

    type: ClassVar[str] = "winback.returned"
    title: ClassVar[str] = _("returned")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    order_id: Id
    total: Amount
    slept_since: Instant
