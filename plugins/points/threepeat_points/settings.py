"""What a merchant sets about points."""

from collections.abc import Iterable

from pydantic import Field

from threepeat.sdk import PluginSettings, Store, _, ngettext, shown

EXAMPLE = 128
"""Whole units of money in the example of an order."""


class PointsSettings(PluginSettings):
    """How points are earned and how long they live."""

    points_per_unit: int = Field(
        default=1,
        ge=1,
        le=1000,
        title=_("Points per unit of money"),
        description=_("For each whole unit of an order's total. An order of ¥128.90 earns 128 points at 1."),
        json_schema_extra=shown(group=_("Earning"), unit="points"),
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
        json_schema_extra=shown(group=_("Value"), unit="points"),
    )
    expires_after_days: int | None = Field(
        default=730,
        ge=1,
        le=3650,
        title=_("Points expire after days"),
        description=_("Counted from the order's payment. Leave it empty for points that never expire."),
        json_schema_extra=shown(group=_("Earning"), unit="days"),
    )

    def worth(self, points: int, store: Store) -> int:
        """What points are worth, in minor units, rounded up."""
        return -(-points * store.minor_units // self.points_per_unit_value)

    def worked(self, store: Store) -> Iterable[str]:
        """What an order earns, and what that is worth."""
        points = EXAMPLE * self.points_per_unit
        yield _("An order of {total} earns {n} points", total=store.money(EXAMPLE * store.minor_units), n=points)
        yield _("{n} points are worth {worth}", n=points, worth=store.money(self.worth(points, store)))
        if self.expires_after_days is not None:
            yield ngettext(
                "Points that are not spent within {days} day of the order expire",
                "Points that are not spent within {days} days of the order expire",
                self.expires_after_days,
                days=self.expires_after_days,
            )
