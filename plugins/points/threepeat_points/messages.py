"""What points say to members."""

from threepeat.sdk import _, message_kind

EXPIRING = "expiring"

KINDS = (
    message_kind(
        EXPIRING,
        title=_("Points expire soon"),
        text=_("{points} of your points expire at the end of {day}."),
        variables={"points": _("How many points"), "day": _("The last day on which they can be spent")},
    ),
)
