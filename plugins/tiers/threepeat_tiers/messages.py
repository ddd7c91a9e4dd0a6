"""What tiers say to members."""

from threepeat.sdk import _, message_kind

CHANGED, AT_RISK, SHORT = "changed", "at_risk", "short"

KINDS = (
    message_kind(
        CHANGED,
        title=_("Your tier"),
        text=_("Your tier is now {tier}."),
        variables={"tier": _("The tier's name")},
    ),
    message_kind(
        AT_RISK,
        title=_("Keep your tier"),
        text=_("Spend {amount} before {day}, and you stay {tier}."),
        variables={
            "amount": _("How much spending keeps it"),
            "day": _("The day on which the tier goes"),
            "tier": _("The tier's name"),
        },
    ),
    message_kind(
        SHORT,
        title=_("Keep your tier, where spending brings no growth"),
        text=_("Collect {growth} more growth before {day}, and you stay {tier}."),
        variables={
            "growth": _("How much growth is missing"),
            "day": _("The day on which the tier goes"),
            "tier": _("The tier's name"),
        },
    ),
)
