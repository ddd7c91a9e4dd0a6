"""What others may know of a member's groups."""

from collections.abc import Collection, Mapping

from threepeat.sdk import Fact, fact
from threepeat_groupbuy.campaigns import Ctx


def groups(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """How many groups of each member succeeded."""
    return {row.member_id: row.groups for row in ctx.sql("fact_groups", members=list(members))}


def led(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """How many of them each member led."""
    return {row.member_id: row.led for row in ctx.sql("fact_groups", members=list(members))}


FACTS: tuple[Fact, ...] = (
    fact(
        "groupbuy.groups",
        groups,
        kind="number",
        title={"en": "number of group buys that succeeded", "zh": "拼团成功次数"},
        default=0,
    ),
    fact(
        "groupbuy.led",
        led,
        kind="number",
        title={"en": "number of group buys led to success", "zh": "开团成功次数"},
        default=0,
    ),
)
