"""What a merchant sets about points."""

from pydantic import Field

from threepeat.sdk import PluginSettings


class PointsSettings(PluginSettings):
    """How points are earned and how long they live."""

    points_per_unit: int = Field(
        default=1,
        ge=1,
        le=1000,
        title="Points per unit of money",
        description="For each whole unit of an order's total. An order of ¥128.90 earns 128 points at 1.",
    )
    points_per_unit_value: int = Field(
        default=100,
        ge=1,
        le=1_000_000,
        title="Points that are worth one unit of money",
        description="Says what points cost the budget of a tactic that gives them: at 100, a reward of 250 points "
        "costs 2.50. Rounded up.",
    )
    expires_after_days: int | None = Field(
        default=730,
        ge=1,
        le=3650,
        title="Points expire after days",
        description="Counted from the order's payment. Leave it empty for points that never expire.",
    )
