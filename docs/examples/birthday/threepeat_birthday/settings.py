"""What a merchant sets."""

from pydantic import Field

from threepeat.sdk import Audience, PluginSettings, RewardChoice, _


class BirthdaySettings(PluginSettings):
    """What the present is, and for whom."""

    present: RewardChoice = Field(
        default=RewardChoice(kind="points", amount=100),
        title=_("Present"),
        description=_("What a member gets on their birthday."),
    )
    audience: Audience = Field(
        default=Audience(),
        title=_("For whom"),
        description=_("Only members who fit on their birthday get it."),
    )
