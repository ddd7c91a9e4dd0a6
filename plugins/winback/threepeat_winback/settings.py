"""What a merchant sets about waking sleeping members."""

from collections.abc import Iterable

from pydantic import Field, ValidationInfo, field_validator

from threepeat.sdk import Audience, PluginSettings, RewardChoice, Store, Wording, _, ngettext, shown


class WinbackSettings(PluginSettings):
    """Who sleeps, who is woken, and what brings them back."""

    asleep_after_days: int = Field(
        default=30,
        ge=7,
        le=365,
        title=_("Asleep after days"),
        description=_(
            "Without an order, a visit, an appointment or a step of a service. Who never bought is left alone."
        ),
        json_schema_extra=shown(group=_("Who is woken"), unit="days"),
    )
    lost_after_days: int = Field(
        default=180,
        ge=8,
        le=730,
        title=_("Lost after days"),
        description=_("Whoever has slept longer is not woken any more. More than the days above."),
        json_schema_extra=shown(group=_("Who is woken"), unit="days"),
    )
    audience: Audience = Field(
        default=Audience(),
        title=_("For whom"),
        description=_("Only sleepers who fit are woken."),
        json_schema_extra=shown(group=_("Who is woken")),
    )
    most_a_day: int = Field(
        default=200,
        ge=1,
        le=5_000,
        title=_("At most a day"),
        description=_("So many members are woken each morning, those who fell asleep last before the others."),
        json_schema_extra=shown(group=_("How often"), unit="times"),
    )
    cooldown_days: int = Field(
        default=90,
        ge=1,
        le=730,
        title=_("Days between two offers to a member"),
        description=_("At least as long as an offer lives."),
        json_schema_extra=shown(group=_("How often"), unit="days"),
    )
    most_offers: int = Field(
        default=3,
        ge=1,
        le=20,
        title=_("Offers to a member, for ever"),
        description=_("Who was woken so often and still sleeps is left alone."),
        json_schema_extra=shown(group=_("How often"), unit="times"),
    )
    reward: RewardChoice = Field(
        default=RewardChoice(kind="points", amount=50),
        title=_("Reward for coming back"),
        description=_("Promised when the member is woken, given with the next order."),
        json_schema_extra=shown(group=_("The offer")),
    )
    offer_days: int = Field(
        default=7,
        ge=1,
        le=60,
        title=_("The offer lives for days"),
        description=_("An order within this time brings the reward. Not longer than the days between two offers."),
        json_schema_extra=shown(group=_("The offer"), unit="days"),
    )
    least_total: int = Field(
        default=1,
        ge=1,
        le=10**9,
        title=_("Smallest order that counts"),
        description=_("A smaller order does not bring the reward; the offer goes on."),
        json_schema_extra=shown(group=_("Orders"), unit="money"),
    )
    take_back_days: int = Field(
        default=30,
        ge=0,
        le=365,
        title=_("Take the reward back if the order is refunded within days"),
        description=_(
            "Counted from the payment, in proportion to the money that went back. 0 takes nothing back."
        ),
        json_schema_extra=shown(group=_("Orders"), unit="days"),
    )

    @field_validator("lost_after_days")
    @classmethod
    def _after_sleep(cls, days: int, info: ValidationInfo) -> int:
        asleep = info.data.get("asleep_after_days")
        if asleep is not None and days <= asleep:
            raise ValueError(_("enter more than {asleep}, the days until asleep", asleep=asleep))
        return days

    @field_validator("offer_days")
    @classmethod
    def _within_cooldown(cls, days: int, info: ValidationInfo) -> int:
        cooldown = info.data.get("cooldown_days")
        if cooldown is not None and days > cooldown:
            raise ValueError(_("enter at most {cooldown}, the days between two offers", cooldown=cooldown))
        return days

    def worked(self, store: Store) -> Iterable[Wording]:
        """What happens to a member who stops coming."""
        yield ngettext(
            "Whose last order was {asleep} days ago is asked back, and has {days} day for an order of at least"
            " {least}.",
            "Whose last order was {asleep} days ago is asked back, and has {days} days for an order of at least"
            " {least}.",
            self.offer_days,
            asleep=self.asleep_after_days,
            days=self.offer_days,
            least=store.money(self.least_total),
        )
        yield _(
            "{most} members at most are asked each day, which is {month} in 30 days.",
            most=self.most_a_day,
            month=self.most_a_day * 30,
        )
