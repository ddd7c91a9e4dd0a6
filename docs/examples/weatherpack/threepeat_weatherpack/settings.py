"""What a merchant sets."""

from pydantic import Field

from threepeat.sdk import PluginSettings, RewardChoice, _, shown


class WeatherpackSettings(PluginSettings):
    """Where the store is, what is in the pack, and for whom it is."""

    city: str = Field(default="Shanghai", min_length=1, max_length=80, title=_("City"))
    pack: str = Field(
        default="Stay-home pack",
        min_length=1,
        max_length=80,
        title=_("Name of the pack"),
        json_schema_extra=shown(group=_("The pack")),
    )
    sku: str = Field(
        default="stay-home-pack",
        min_length=1,
        max_length=80,
        title=_("SKU of the pack"),
        description=_("An order with this SKU takes the offer."),
        json_schema_extra=shown(group=_("The pack")),
    )
    reward: RewardChoice = Field(
        default=RewardChoice(kind="points", amount=50),
        title=_("Reward"),
        description=_("What a member gets who buys the pack before the storm is over."),
        json_schema_extra=shown(group=_("The pack")),
    )
    categories: tuple[str, ...] = Field(
        default=("groceries",),
        min_length=1,
        max_length=20,
        title=_("Categories"),
        description=_("Of order lines; whoever buys from them on weekends is asked."),
        json_schema_extra=shown(group=_("Who is asked")),
    )
    weekends: int = Field(
        default=2,
        ge=1,
        le=4,
        title=_("Weekends"),
        description=_("On how many of the last four weekends a member has to have bought."),
        json_schema_extra=shown(group=_("Who is asked")),
    )
