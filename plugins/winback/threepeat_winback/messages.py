"""What members are told who have stopped buying."""

from threepeat.sdk import _, message_kind

WAKE = "wake"

KINDS = (
    message_kind(
        WAKE,
        title=_("We have not seen you for a while"),
        text=_("It has been a while. Order by {day}, and a reward is yours."),
        purpose="marketing",
        variables={"day": _("The last day of the offer")},
    ),
)
