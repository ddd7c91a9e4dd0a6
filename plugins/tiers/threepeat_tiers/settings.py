"""What a merchant sets about tiers as a whole; the tiers themselves are a collection."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from threepeat.sdk import PluginSettings, Store, Wording, _, ngettext, shown

GROWTH, STANDING = _("Growth value"), _("How members stand")
MAX_INTERACTIONS = 10

InteractionKind = Literal[
    "visit.made",
    "appointment.attended",
    "service.progressed",
    "review.submitted",
    "feedback.submitted",
    "content.viewed",
    "code.scanned",
    "account.followed",
    "product.favorited",
    "session.started",
]
"""What taking part can mean. Sharing never counts: the platform forbids paying for it."""

KINDS = {
    "visit.made": _("Came to the store"),
    "appointment.attended": _("Came to an appointment"),
    "service.progressed": _("A service reached a stage"),
    "review.submitted": _("Reviewed a product"),
    "feedback.submitted": _("Gave feedback"),
    "content.viewed": _("Read or watched something"),
    "code.scanned": _("Scanned a code"),
    "account.followed": _("Followed the official account"),
    "product.favorited": _("Marked a favourite"),
    "session.started": _("Opened the mini-program"),
}


class Interaction(BaseModel):
    """How taking part counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: InteractionKind = Field(
        title=_("What"), description=_("What the member does."), json_schema_extra=shown(choices=KINDS)
    )
    growth: int = Field(ge=1, le=10_000, title=_("Growth value"), description=_("What each time brings."))
    most_a_day: int = Field(
        default=1,
        ge=1,
        le=100,
        title=_("Times a day"),
        description=_("More on the same day brings nothing."),
        json_schema_extra=shown(unit="times"),
    )


class TiersSettings(PluginSettings):
    """How growth comes about, and how it decides where members stand."""

    mode: Literal["threshold", "share"] = Field(
        default="threshold",
        title=_("Tiers are reached"),
        description=_("By a fixed growth value, or by being among the best of the month."),
        json_schema_extra=shown(
            group=STANDING,
            choices={
                "threshold": _("By growth value: up at once, down only at a review"),
                "share": _("By a monthly ranking: each tier takes a share of the members"),
            },
        ),
    )
    window: Literal["rolling", "calendar_year", "membership_year", "lifetime"] = Field(
        default="rolling",
        title=_("Growth counts within"),
        description=_("Spending points never lowers it. It is reviewed when the time is over, or each month."),
        json_schema_extra=shown(
            group=STANDING,
            choices={
                "rolling": _("The last days, reviewed each month"),
                "calendar_year": _("A calendar year, reviewed on 1 January"),
                "membership_year": _("A year from the day the member joined, reviewed when it ends"),
                "lifetime": _("All time, reviewed each month"),
            },
        ),
    )
    window_days: int = Field(
        default=365,
        ge=30,
        le=1095,
        title=_("How many last days"),
        description=_("For a window of the last days."),
        json_schema_extra=shown(group=STANDING, unit="days"),
    )
    ranked_by: Literal["month", "rolling"] = Field(
        default="month",
        title=_("The ranking counts"),
        description=_(
            "For the monthly ranking, made on the first of the month among members with growth in this time. Who"
            " has the same growth as the last one in a tier stands in that tier, too."
        ),
        json_schema_extra=shown(
            group=STANDING, choices={"month": _("The last full month"), "rolling": _("The last days, as above")}
        ),
    )
    downgrade: Literal["one_down", "recompute"] = Field(
        default="one_down",
        title=_("Who does not keep a tier goes"),
        description=_("Only at a review, never because of points that were spent."),
        json_schema_extra=shown(
            group=STANDING,
            choices={"one_down": _("One tier down"), "recompute": _("To the tier that the growth reaches")},
        ),
    )
    grace_days: int = Field(
        default=30,
        ge=0,
        le=180,
        title=_("Days of grace"),
        description=_(
            "Who falls short at a review keeps the tier for so long, sees what is missing, and can make up for it."
        ),
        json_schema_extra=shown(group=STANDING, unit="days"),
    )
    growth_per_unit: int = Field(
        default=1,
        ge=0,
        le=1000,
        title=_("Growth for each whole unit of money paid"),
        description=_("Refunds take it back."),
        json_schema_extra=shown(group=GROWTH),
    )
    growth_per_order: int = Field(
        default=0,
        ge=0,
        le=100_000,
        title=_("Growth for each paid order"),
        description=_("On top; an order that is refunded in full brings nothing."),
        json_schema_extra=shown(group=GROWTH),
    )
    interactions: tuple[Interaction, ...] = Field(
        default=(),
        max_length=MAX_INTERACTIONS,
        title=_("Growth for taking part"),
        description=_("Each kind once. Sharing never counts."),
        json_schema_extra=shown(group=GROWTH),
    )

    @field_validator("interactions")
    @classmethod
    def _each_once(cls, given: tuple[Interaction, ...]) -> tuple[Interaction, ...]:
        if any(times > 1 for times in Counter(one.kind for one in given).values()):
            raise PydanticCustomError("kind_twice", _("give each kind once"))
        return given

    def worked(self, store: Store) -> Iterable[Wording]:
        """What an order brings, and what happens to whoever falls short."""
        amount = 20_000 // 100 * store.minor_units
        growth = amount // store.minor_units * self.growth_per_unit + self.growth_per_order
        yield _("An order of {total} brings {growth} growth.", total=store.money(amount), growth=growth)
        if self.mode == "share":
            yield _("On the first of each month the members are ranked and placed anew.")
        elif self.grace_days:
            yield ngettext(
                "Who falls short at a review has {days} day to make up for it before the tier is lost.",
                "Who falls short at a review has {days} days to make up for it before the tier is lost.",
                self.grace_days,
                days=self.grace_days,
            )
        else:
            yield _("Who falls short at a review loses the tier on that day.")
