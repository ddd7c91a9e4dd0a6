"""What others may know of where a member stands."""

from collections.abc import Collection, Mapping
from datetime import date

from threepeat.sdk import Fact, fact
from threepeat_tiers import standings
from threepeat_tiers.benefits import current
from threepeat_tiers.climbing import Standing
from threepeat_tiers.growth import within
from threepeat_tiers.rules import Rules
from threepeat_tiers.versions import Ctx, versions
from threepeat_tiers.windows import today, window_start


def tier(ctx: Ctx, members: Collection[int]) -> Mapping[int, frozenset[str]]:
    """The name of the member's tier, as the store calls it; a set of one, for each store has names of its own."""
    return {member: frozenset({one.name}) for member, (_rules, one) in current(ctx, members).items()}


def level(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """The member's tier as a number, from 1."""
    return {member: one.level for member, (_rules, one) in current(ctx, members).items()}


def early_access_hours(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """How much earlier than others the member may buy what is new."""
    return {member: one.early_access_hours for member, (_rules, one) in current(ctx, members).items()}


def growth(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """The member's growth in the window that ends today."""
    found = {row.member_id: standings.of(row) for row in ctx.sql("standings_now", members=sorted(members))}
    known = versions(ctx, {one.version for one in found.values()})
    windows = {member: window(ctx, known[one.version], one) for member, one in found.items()}
    return {member: max(value, 0) for member, value in within(ctx, windows).items()}


def window(ctx: Ctx, rules: Rules, standing: Standing) -> tuple[date, date]:
    """The window of a member that ends today."""
    day = today(ctx)
    return window_start(rules, standing.joined_on, day), day


FACTS: tuple[Fact, ...] = (
    fact("tiers.tier", tier, kind="tags", title={"en": "tiers", "zh": "会员等级名称"}),
    fact("tiers.level", level, kind="number", title={"en": "tier level", "zh": "会员等级（第几级）"}, default=0),
    fact("tiers.growth", growth, kind="number", title={"en": "growth value", "zh": "成长值"}, default=0),
    fact(
        "tiers.early_access_hours",
        early_access_hours,
        kind="number",
        title={"en": "number of hours of early access", "zh": "新品优先购小时数"},
        default=0,
    ),
)
