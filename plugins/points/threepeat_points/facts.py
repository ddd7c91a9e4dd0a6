"""What others may know of a member's points."""

from threepeat.sdk import Fact, fact
from threepeat_points.rewards import balance

FACTS: tuple[Fact, ...] = (
    fact(
        "points.available",
        balance,
        kind="number",
        title={"en": "number of points available", "zh": "可用积分"},
        default=0,
    ),
)
