"""What the tactic tells the rest of the platform."""

from datetime import date
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from threepeat.sdk.events import PLUGIN, Event, Sender, Text
from threepeat.sdk.wording import _

Level = Annotated[int, Meta(ge=0, le=10)]
Reason = Literal["growth", "review", "rules", "bought", "granted", "floor_over", "merged"]


class TierChanged(Event, frozen=True, kw_only=True):
    """A member's tier changed. Levels count from 1, the lowest tier; 0 is no tier.

    `from_name` and `to_name` are what the store calls the tiers; `version` is the number of the rules.
    """

    type: ClassVar[str] = "tier.changed"
    title: ClassVar[str] = _("changed")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    from_level: Level
    to_level: Level
    reason: Reason
    version: int
    from_name: Text = ""
    to_name: Text = ""


class TierAtRisk(Event, frozen=True, kw_only=True):
    """A member fell short at a review and keeps the tier until a day, if `missing` growth comes in before it."""

    type: ClassVar[str] = "tier.at_risk"
    title: ClassVar[str] = _("about to be lost")
    senders: ClassVar[frozenset[Sender]] = PLUGIN

    level: Level
    until: date
    missing: Annotated[int, Meta(ge=0)]
    name: Text = ""
