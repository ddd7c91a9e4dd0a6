"""What a merchant sets about all messages together."""

from collections.abc import Iterable
from datetime import time

from pydantic import Field, field_validator

from threepeat.sdk import PluginSettings, _, ngettext, shown
from threepeat.sdk.context import Store

QUIET = _("Quiet hours")
CAPS = _("How many are too many")
KEEPING = _("How long")
TRYING = _("For trying out")


class MessagesSettings(PluginSettings):
    """When marketing rests, how much of it one member gets, and how long messages are kept."""

    quiet_from: time = Field(
        default=time(21),
        title=_("Quiet from"),
        description=_("From this time on marketing waits. Service notices go into the inbox at any time."),
        json_schema_extra=shown(group=QUIET),
    )
    quiet_until: time = Field(
        default=time(9),
        title=_("Quiet until"),
        description=_("In your store's time zone. The same time twice means that there are no quiet hours."),
        json_schema_extra=shown(group=QUIET),
    )
    per_day: int = Field(
        default=1,
        ge=0,
        le=20,
        title=_("Marketing messages a day"),
        description=_("For one member, from all tactics together. 0 sends none."),
        json_schema_extra=shown(group=CAPS, unit="times"),
    )
    per_week: int = Field(
        default=3,
        ge=0,
        le=100,
        title=_("Marketing messages a week"),
        description=_("For one member, from all tactics together. A week begins on Monday."),
        json_schema_extra=shown(group=CAPS, unit="times"),
    )
    stale_days: int = Field(
        default=3,
        ge=1,
        le=14,
        title=_("Too old to send after"),
        description=_("Of what happened longer ago nobody is told any more, such as of orders that are imported."),
        json_schema_extra=shown(group=KEEPING, unit="days"),
    )
    keep_days: int = Field(
        default=180,
        ge=30,
        le=3650,
        title=_("Keep messages for"),
        description=_("After that their texts are deleted. That there was one is still known."),
        json_schema_extra=shown(group=KEEPING, unit="days"),
    )
    development: bool = Field(
        default=False,
        title=_("Development log"),
        description=_(
            "Templates may then write to the server's log instead of the inbox. Members do not see that, and"
            " the log holds no values."
        ),
        json_schema_extra=shown(group=TRYING),
    )

    @field_validator("quiet_from", "quiet_until")
    @classmethod
    def _whole_minutes(cls, given: time) -> time:
        """A local time to the minute."""
        return given.replace(second=0, microsecond=0, tzinfo=None, fold=0)

    def worked(self, store: Store) -> Iterable[str]:
        """What becomes of a message in the evening, and of one too many."""
        del store
        if self.quiet_from != self.quiet_until:
            yield _(
                "Marketing that comes up at {begin} is read from {end} on; a service notice is read at once.",
                begin=f"{self.quiet_from:%H:%M}",
                end=f"{self.quiet_until:%H:%M}",
            )
        if self.per_day and self.per_week:
            yield ngettext(
                "After {n} marketing message on a day the next one is not sent, and you see why.",
                "After {n} marketing messages on a day the next one is not sent, and you see why.",
                min(self.per_day, self.per_week),
                n=min(self.per_day, self.per_week),
            )
        else:
            yield _("No marketing is sent.")
