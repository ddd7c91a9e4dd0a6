"""What a merchant sets about points."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from threepeat.sdk import PluginSettings, Store, _, ngettext, shown

EXAMPLE = 128
"""Whole units of money in the example of an order."""
MAX_RULES = 10
MAX_POINTS = 10**9
"""That a limit may name, or a member pay with at once."""

Limit = Annotated[int, Field(ge=1, le=MAX_POINTS)]

EARNING, LIFE, VALUE, PAYING = _("Earning"), _("Waiting and expiry"), _("Value"), _("Paying with points")
TAKING_PART = _("Taking part")

RollUp = Literal["day", "month", "quarter", "half_year", "year"]
Activity = Literal[
    "member.registered",
    "account.followed",
    "session.started",
    "content.viewed",
    "product.favorited",
    "review.submitted",
    "feedback.submitted",
    "code.scanned",
    "visit.made",
    "appointment.attended",
]
"""What points can be given for. Shares are not among it: the platform forbids paying for them."""

ROLLED_UP: dict[RollUp, str] = {
    "month": _("They live on to the end of the month of their last day"),
    "quarter": _("They live on to the end of the quarter of their last day"),
    "half_year": _("They live on to the end of the half-year of their last day"),
    "year": _("They live on to the end of the year of their last day"),
}
"""What an example says of points that expire together."""

ONCE: frozenset[str] = frozenset({"member.registered", "account.followed"})
"""What a member does once: it brings points once, however often it is reported."""


def _no_share(value: object) -> object:
    if value == "share.sent":
        raise PydanticCustomError("share", _("The platform forbids paying for shares: choose something else."))
    return value


class TakingPart(BaseModel):
    """A rule of taking part: an event brings points."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Annotated[Activity, BeforeValidator(_no_share)] = Field(
        title=_("What for"),
        description=_("What the member does."),
        json_schema_extra=shown(
            choices={
                "member.registered": _("Registering (once)"),
                "account.followed": _("Following the official account (once)"),
                "session.started": _("Opening the mini-program"),
                "content.viewed": _("Reading or watching something"),
                "product.favorited": _("Marking a favourite"),
                "review.submitted": _("Reviewing a product"),
                "feedback.submitted": _("Giving feedback"),
                "code.scanned": _("Scanning a code"),
                "visit.made": _("Visiting the store"),
                "appointment.attended": _("Coming to an appointment"),
            }
        ),
    )
    points: int = Field(ge=1, le=100_000, title=_("Points"), json_schema_extra=shown(unit="points"))
    times_a_day: int = Field(
        default=1,
        ge=1,
        le=100,
        title=_("At most so often a day"),
        description=_("What a member does more often on the same day brings nothing more."),
        json_schema_extra=shown(unit="times"),
    )


class PointsSettings(PluginSettings):
    """How points are earned, when they can be spent, how long they live and what they are worth."""

    points_per_unit: int = Field(
        default=1,
        ge=1,
        le=1000,
        title=_("Points per unit of money"),
        description=_("For each whole unit of an order's total. An order of ¥128.90 earns 128 points at 1."),
        json_schema_extra=shown(group=EARNING, unit="points"),
    )
    most_per_order: Limit | None = Field(
        default=None,
        title=_("At most for one order"),
        description=_("Leave it empty for no limit."),
        json_schema_extra=shown(group=EARNING, unit="points"),
    )
    most_per_day: Limit | None = Field(
        default=None,
        title=_("At most for a member's orders of one day"),
        description=_("What refunds took back makes room again. Leave it empty for no limit."),
        json_schema_extra=shown(group=EARNING, unit="points"),
    )
    waits_for: Literal["payment", "completion"] = Field(
        default="payment",
        title=_("Points of an order wait from"),
        description=_("They can be spent once the days below have passed: nobody spends them and returns."),
        json_schema_extra=shown(
            group=LIFE,
            choices={"payment": _("The payment of the order"), "completion": _("The completion of the order")},
        ),
    )
    waiting_days: int = Field(
        default=0,
        ge=0,
        le=365,
        title=_("Points wait for days"),
        description=_("Until the end of the last day, such as your return window. At 0 they do not wait."),
        json_schema_extra=shown(group=LIFE, unit="days"),
    )
    expires_after_days: int | None = Field(
        default=730,
        ge=1,
        le=3650,
        title=_("Points expire after days"),
        description=_(
            "Counted from the order's payment, to the end of the last day. Leave it empty for points that never "
            "expire."
        ),
        json_schema_extra=shown(group=LIFE, unit="days"),
    )
    expires_at_end_of: RollUp = Field(
        default="day",
        title=_("They expire at the end of"),
        description=_("The later day on which points expire together."),
        json_schema_extra=shown(
            group=LIFE,
            choices={
                "day": _("That day"),
                "month": _("The month of that day"),
                "quarter": _("The quarter of that day"),
                "half_year": _("The half-year of that day"),
                "year": _("The year of that day"),
            },
        ),
    )
    grace_days: int = Field(
        default=7,
        ge=0,
        le=365,
        title=_("Days of grace for points that come back"),
        description=_(
            "When a redemption or an order is cancelled, its points go back with the expiry that they had. Those "
            "that have expired meanwhile live for so many days more; at 0 they are forfeited."
        ),
        json_schema_extra=shown(group=LIFE, unit="days"),
    )
    points_per_unit_value: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        title=_("Points that are worth one unit of money"),
        description=_(
            "Says what points cost the budget of a tactic that gives them: at 100, a reward of 250 points "
            "costs 2.50. Rounded up."
        ),
        json_schema_extra=shown(group=VALUE, unit="points"),
    )
    pay_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        title=_("Percent of the goods that points may pay"),
        description=_("0 switches paying with points off."),
        json_schema_extra=shown(group=PAYING, unit="percent"),
    )
    pay_most: Limit | None = Field(
        default=None,
        title=_("Points that one order may be paid with"),
        description=_("Leave it empty for no limit."),
        json_schema_extra=shown(group=PAYING, unit="points"),
    )
    pay_step: int = Field(
        default=1,
        ge=1,
        le=1_000_000,
        title=_("In steps of"),
        description=_("At 100, members pay with 100, 200, 300 points."),
        json_schema_extra=shown(group=PAYING, unit="points"),
    )
    taking_part: tuple[TakingPart, ...] = Field(
        default=(),
        max_length=MAX_RULES,
        title=_("Points for taking part"),
        description=_(
            "They come out of this tactic's monthly budget. Sharing is not among it: the platform forbids paying "
            "for shares."
        ),
        json_schema_extra=shown(group=TAKING_PART),
    )

    @field_validator("expires_after_days")
    @classmethod
    def _outlive_the_wait(cls, days: int | None, info: ValidationInfo) -> int | None:
        waiting = info.data.get("waiting_days", 0)
        if days is not None and days <= waiting:
            raise PydanticCustomError("expires_waiting", _("must be more days than points wait"))
        return days

    @field_validator("taking_part")
    @classmethod
    def _each_once(cls, rules: tuple[TakingPart, ...]) -> tuple[TakingPart, ...]:
        if len({rule.event for rule in rules}) < len(rules):
            raise PydanticCustomError("rules", _("two rules are for the same: give each once"))
        return rules

    @property
    def waits(self) -> bool:
        """Whether points of orders wait."""
        return self.waits_for == "completion" or self.waiting_days > 0

    @property
    def unlocks_after_days(self) -> int | None:
        """Days from the payment; None if the payment does not decide."""
        return self.waiting_days if self.waits_for == "payment" else None

    def worth(self, points: int, store: Store) -> int:
        """What points are worth, in minor units, rounded up."""
        return -(-points * store.minor_units // self.points_per_unit_value)

    def pays(self, points: int, store: Store) -> int:
        """What points pay of an order, in minor units, rounded down."""
        return points * store.minor_units // self.points_per_unit_value

    def worked(self, store: Store) -> Iterable[str]:
        """What an order earns, what that is worth, when it can be spent and when it expires."""
        earned = EXAMPLE * self.points_per_unit
        points = min(earned, self.most_per_order or earned, self.most_per_day or earned)
        yield _("An order of {total} earns {n} points", total=store.money(EXAMPLE * store.minor_units), n=points)
        yield _("{n} points are worth {worth}", n=points, worth=store.money(self.worth(points, store)))
        if self.waits_for == "payment" and self.waiting_days:
            yield ngettext(
                "They can be spent {days} day after the payment",
                "They can be spent {days} days after the payment",
                self.waiting_days,
                days=self.waiting_days,
            )
        if self.waits_for == "completion":
            yield ngettext(
                "They can be spent {days} day after the order's completion",
                "They can be spent {days} days after the order's completion",
                self.waiting_days,
                days=self.waiting_days,
            )
        if self.expires_after_days is not None:
            yield ngettext(
                "Points that are not spent within {days} day of the order expire",
                "Points that are not spent within {days} days of the order expire",
                self.expires_after_days,
                days=self.expires_after_days,
            )
            if self.expires_at_end_of != "day":
                yield ROLLED_UP[self.expires_at_end_of]
        most = EXAMPLE * store.minor_units * self.pay_percent // 100
        points = self.usable(MAX_POINTS, most, store)
        if points:
            yield _(
                "{n} points pay {amount} of an order of {total}",
                n=points,
                amount=store.money(self.pays(points, store)),
                total=store.money(EXAMPLE * store.minor_units),
            )

    def usable(self, wanted: int, most: int, store: Store) -> int:
        """With how many of the points that somebody wants to use an order may be paid.

        Whole steps, no more than the limit, and no point more than is needed for what they pay.

        Args:
            most: What they may pay, in minor units.
        """
        points = min(wanted, self.pay_most or wanted, most * self.points_per_unit_value // store.minor_units)
        points -= points % self.pay_step
        needed = -(-self.pays(points, store) * self.points_per_unit_value // store.minor_units)
        return -(-needed // self.pay_step) * self.pay_step
