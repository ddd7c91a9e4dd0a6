"""Versions: what was put into force, and when it begins for whom.

The rules that a merchant edits are put into force by themselves, as a new version, before anything is counted by
them. Who is met from then on stands under it at once; whoever stands under an older one, from the next review on.
A version by which nobody can lose begins at once for everybody.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from threepeat.sdk import Context
from threepeat_tiers.rules import Rules, TierRule, parse
from threepeat_tiers.settings import TiersSettings

Ctx = Context[TiersSettings]

RULES_CHANGED = "rules"
"""The timer that lets a version begin for everybody by whom nothing is lost."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What counts for whoever is met now.

    Attributes:
        closing: The tactic makes no new offers.
    """

    number: int
    rules: Rules
    closing: bool


def in_force(ctx: Ctx) -> InForce:
    """Put what the merchant has edited into force, if it differs, and say what counts now."""
    row = ctx.sql("latest")[0]
    edited = Rules.of(ctx.settings, [TierRule.model_validate(form) for form in row.tiers])
    number, before = row.number or 0, parse(row.rules) if row.rules else None
    if before is not None and before == edited:
        return InForce(number, before, row.closing)
    if not ctx.sql("add_version", number=number + 1, rules=edited.model_dump_json()):
        return in_force(ctx)  # somebody else was first: look at what counts now
    if before is not None and not edited.worsens(before):
        ctx.later(RULES_CHANGED, RULES_CHANGED, ctx.now)
    return InForce(number + 1, edited, row.closing)


def newest(ctx: Ctx) -> tuple[int, Rules]:
    """The version that was put into force last; reads only."""
    row = ctx.sql("latest")[0]
    if row.rules:
        return row.number, parse(row.rules)
    return 0, Rules.of(ctx.settings, [TierRule.model_validate(form) for form in row.tiers])


def versions(ctx: Ctx, numbers: Collection[int]) -> Mapping[int, Rules]:
    """The rules of versions, by number."""
    if not numbers:
        return {}
    return {row.number: parse(row.rules) for row in ctx.sql("versions", numbers=sorted(set(numbers)))}
