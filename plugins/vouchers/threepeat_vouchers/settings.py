"""What a merchant sets about vouchers as a whole; everything else stands on the templates."""

from pydantic import Field

from threepeat.sdk import PluginSettings, _, shown


class VouchersSettings(PluginSettings):
    """Which voucher counts without being chosen, and how often members may mistype a code."""

    choose_best: bool = Field(
        default=True,
        title=_("Use the best voucher by itself"),
        description=_("An order in which the member chose none gets the one that takes off most."),
    )
    wrong_codes_per_hour: int = Field(
        default=10,
        ge=1,
        le=1000,
        title=_("Wrong codes in an hour"),
        description=_("How many wrong codes a member may type in an hour. Codes are far too long to be guessed."),
        json_schema_extra=shown(unit="times"),
    )
