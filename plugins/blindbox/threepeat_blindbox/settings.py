"""What a merchant sets about blind boxes as a whole; odds and prices stand on the series."""

from hashlib import sha256
from typing import Annotated

from pydantic import Field, StringConstraints

from threepeat.sdk import PluginSettings, _, shown

AGES, AFTER, LIMITS = _("Who may buy"), _("Boxes and chances that wait"), _("Prices")

AGE_TEXT = _(
    "I am 18 or older, or I am at least 8 and my guardian agrees to this purchase. What a box holds is decided by"
    " chance; the odds are published."
)


class BlindboxSettings(PluginSettings):
    """What members confirm before their first box, and how long boxes and chances wait."""

    age_text: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        default="",
        max_length=500,
        title=_("What members confirm"),
        description=_(
            "Before their first box, members confirm that they are of age or that a guardian agrees. Leave it"
            " empty for our text. A change asks everybody again."
        ),
        json_schema_extra=shown(group=AGES, long=True),
    )
    open_within_days: int = Field(
        default=7,
        ge=1,
        le=30,
        title=_("Unopened boxes are paid back after"),
        description=_(
            "A box waits unopened if the odds changed before it was paid, or if its buyer had not seen them."
        ),
        json_schema_extra=shown(group=AFTER, unit="days"),
    )
    chance_days: int = Field(
        default=30,
        ge=1,
        le=365,
        title=_("Chances to draw are valid for"),
        description=_("From the day on which a member is given one."),
        json_schema_extra=shown(group=AFTER, unit="days"),
    )
    most_price: int | None = Field(
        default=None,
        ge=1,
        le=10**9,
        title=_("Highest price of a box"),
        description=_("A dearer series cannot go on sale. Empty for no limit; above ¥200 its page warns."),
        json_schema_extra=shown(group=LIMITS, unit="money"),
    )

    @property
    def text_version(self) -> str:
        """Tells which text members confirmed: another text is another version."""
        return sha256((self.age_text or str(AGE_TEXT)).encode()).hexdigest()[:12]
