"""Two members with tiers who are one person."""

from dataclasses import replace

from threepeat.sdk import Due
from threepeat_tiers import rising, standings
from threepeat_tiers.climbing import Standing
from threepeat_tiers.standings import Move
from threepeat_tiers.versions import Ctx, in_force, versions

LOOK = "look"
"""The timer that lets a person rise by what a merge has brought together."""


def merge_members(ctx: Ctx, source: int, target: int) -> None:
    """Growth adds up, the better standing wins, floors go along, and no gift is given twice.

    The trail of the target goes on; what the source brought along is kept beside it.
    """
    known = standings.read(ctx, [source, target])
    before = known.get(target)
    ctx.sql("merge_growth", source=source, target=target)
    ctx.sql("merge_orders", source=source, target=target)
    ctx.sql("merge_interactions", source=source, target=target)
    ctx.sql("merge_gifts_settled", source=source, target=target)
    ctx.sql("merge_gifts", source=source, target=target)
    ctx.sql("merge_rest", source=source, target=target)
    # Growth is noted of members without a standing, too: the person may have reached a tier by it.
    ctx.later(LOOK, f"{LOOK} {target}", ctx.now, member=target)
    if source not in known:
        return
    ctx.sql("merge_gone", source=source)
    after = _better(replace(known[source], member_id=target), before)
    was = (before.level, before.version) if before else (0, 0)
    moves = [Move(after, was[0], "merged", ctx.now)] if (after.level, after.version) != was else []
    standings.write(ctx, [after], moves, versions(ctx, [after.version]), offers=False)


def looked(ctx: Ctx, due: list[Due]) -> None:
    """Let members rise by what they have now."""
    force = in_force(ctx)
    found = standings.read(ctx, ctx.taking_part({one.member for one in due if one.member is not None}))
    if force.closing or not found:
        return
    rules = {**versions(ctx, {one.version for one in found.values()}), force.number: force.rules}
    after = rising.look(ctx, rules, list(found.values()))
    risen = [one for one in after if one != found[one.member_id]]
    moves = [
        Move(one, found[one.member_id].level, "merged", ctx.now)
        for one in risen
        if one.level != found[one.member_id].level
    ]
    standings.write(ctx, risen, moves, rules, new=False)


def _better(one: Standing, other: Standing | None) -> Standing:
    """The standing with the higher earned tier, and of equal ones that which is reviewed later; both floors.

    What a review took can come back only if it was the last review of both.
    """
    if other is None:
        return one
    kept = max(one, other, key=lambda found: (found.earned, found.review_on, found.version))
    reviews = [found.reviewed_on for found in (one, other) if found.reviewed_on is not None]
    reviewed_on = max(reviews, default=None)
    if kept.reviewed_on != reviewed_on:
        kept = replace(kept, fell_from=None, fell_version=None, fell_since=None)
    return replace(
        kept,
        paid=max(one.paid, other.paid),
        granted=max(one.granted, other.granted),
        joined_on=min(one.joined_on, other.joined_on),
        reviewed_on=reviewed_on,
    )
