"""What a merchant sets about the newcomer pack."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from threepeat.sdk import Audience, PluginSettings, RewardChoice, Store, Wording, _, ngettext, shown

POINTS = RewardChoice(kind="points", amount=50)


class WelcomeSettings(PluginSettings):
    """Who is a newcomer, and what newcomers get."""

    trigger: Literal["registration", "first_order"] = Field(
        default="registration",
        title=_("The pack is given"),
        description=_("A registration never waits for it."),
        json_schema_extra=shown(
            group=_("Who gets it"),
            choices={"registration": _("With the registration"), "first_order": _("With the first paid order")},
        ),
    )
    newcomers_only: bool = Field(
        default=True,
        title=_("Only who registered since this was switched on"),
        description=_("Keeps the pack from members whom you had before."),
        json_schema_extra=shown(group=_("Who gets it")),
    )
    first_order_within_days: int | None = Field(
        default=30,
        ge=1,
        le=365,
        title=_("First order within days of registration"),
        description=_("For packs that come with the first order. Leave it empty for no limit."),
        json_schema_extra=shown(group=_("Who gets it"), unit="days"),
    )
    audience: Audience = Field(
        default=Audience(),
        title=_("For whom"),
        description=_("Only newcomers who fit when the pack is due get it."),
        json_schema_extra=shown(group=_("Who gets it")),
    )
    rewards: tuple[RewardChoice, ...] = Field(
        default=(POINTS,),
        min_length=1,
        max_length=5,
        title=_("What is in the pack"),
        description=_("One to five rewards, each given once to a person, for ever."),
        json_schema_extra=shown(group=_("The pack")),
    )
    second_reward: RewardChoice | None = Field(
        default=POINTS,
        title=_("Reward for the second order"),
        description=_("The second order makes a habit. Leave it empty for none."),
        json_schema_extra=shown(group=_("The second order")),
    )
    second_within_days: int = Field(
        default=30,
        ge=1,
        le=365,
        title=_("Second order within days of the pack"),
        description=_("After that the promise expires without a word."),
        json_schema_extra=shown(group=_("The second order"), unit="days"),
    )
    least_total: int = Field(
        default=1,
        ge=1,
        le=10**9,
        title=_("Smallest order that counts"),
        description=_("A smaller first order brings no pack, a smaller second order no reward."),
        json_schema_extra=shown(group=_("Orders"), unit="money"),
    )
    take_back_days: int = Field(
        default=30,
        ge=0,
        le=365,
        title=_("Take back what was given for an order that is refunded within days"),
        description=_(
            "Counted from the payment, in proportion to the money that went back. 0 takes nothing back."
        ),
        json_schema_extra=shown(group=_("Orders"), unit="days"),
    )

    def worked(self, store: Store) -> Iterable[Wording]:
        """What a newcomer can get."""
        count = len(self.rewards)
        if self.trigger == "registration":
            yield ngettext(
                "Whoever registers gets {count} reward at once.",
                "Whoever registers gets {count} rewards at once.",
                count,
                count=count,
            )
        else:
            yield ngettext(
                "Whose first order comes to at least {least} gets {count} reward with it.",
                "Whose first order comes to at least {least} gets {count} rewards with it.",
                count,
                count=count,
                least=store.money(self.least_total),
            )
        if self.second_reward is not None:
            yield ngettext(
                "A second order of at least {least} within {days} day of the pack brings one reward more.",
                "A second order of at least {least} within {days} days of the pack brings one reward more.",
                self.second_within_days,
                days=self.second_within_days,
                least=store.money(self.least_total),
            )
