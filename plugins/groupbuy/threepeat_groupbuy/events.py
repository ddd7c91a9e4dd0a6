"""What groups tell the rest of the platform.

Each event is about one member, so that everything of it goes when that member is erased. What members of a group
have in common is its `group_id`.
"""

from datetime import datetime
from typing import ClassVar

from threepeat.sdk.events import PLUGIN, Event, MemberId, Sender
from threepeat.sdk.wording import _


class GroupOpened(Event, frozen=True, kw_only=True):
    """A member paid for the first seat of a group."""

    type: ClassVar[str] = "group.opened"
    title: ClassVar[str] = _("opened a group")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    group_id: str
    campaign: str
    order_id: str
    size: int
    expires_at: datetime


class GroupJoined(Event, frozen=True, kw_only=True):
    """A member paid for another seat. `moved`: it is not in the group that was chosen, for that was not open."""

    type: ClassVar[str] = "group.joined"
    title: ClassVar[str] = _("joined a group")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    group_id: str
    campaign: str
    order_id: str
    joined: int
    size: int
    moved: bool = False


class GroupSucceeded(Event, frozen=True, kw_only=True):
    """A member's group is complete: the order can be delivered, and the group can become a community.

    Attributes:
        members: Core's ids of everybody who has a seat, this member included; each has an event of its own.
        leads: The member is the head.
        virtual: Seats that nobody has, which the merchant lets count.
        price: What one unit costs in the end, in minor units.
        pickup: Where a neighbourhood group's goods are handed over.
        slot: When they are delivered.
    """

    type: ClassVar[str] = "group.succeeded"
    title: ClassVar[str] = _("has a complete group")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    group_id: str
    campaign: str
    order_id: str
    members: list[MemberId]
    leads: bool
    virtual: int
    price: int
    pickup: str = ""
    slot: str = ""


class GroupFailed(Event, frozen=True, kw_only=True):
    """A member's group did not come about. `amount` is asked back, in minor units; nothing is to be delivered."""

    type: ClassVar[str] = "group.failed"
    title: ClassVar[str] = _("group failed")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    group_id: str
    campaign: str
    order_id: str
    amount: int
