"""What others may know of a newcomer."""

from collections.abc import Collection, Mapping

from threepeat.sdk import Fact, fact
from threepeat_welcome.gifts import Ctx


def received(ctx: Ctx, members: Collection[int]) -> Mapping[int, bool]:
    """Who was welcomed."""
    return {row.member_id: True for row in ctx.sql("known", members=sorted(members))}


def second_order_due(ctx: Ctx, members: Collection[int]) -> Mapping[int, bool]:
    """Whose second order would bring a reward now."""
    return {row.member_id: row.second_due for row in ctx.sql("known", members=sorted(members))}


FACTS: tuple[Fact, ...] = (
    fact(
        "welcome.received",
        received,
        kind="flag",
        title={"en": "have had the newcomer pack", "zh": "领过新人礼"},
        default=False,
    ),
    fact(
        "welcome.second_order_due",
        second_order_due,
        kind="flag",
        title={"en": "may still earn the reward for a second order", "zh": "可拿二单奖励"},
        default=False,
    ),
)
