"""Reviews: where members stand once a period is over. A stretch of members at a time, the earliest day first.

A review happens for its own day, however late the worker comes to it. It never looks at what came in after the
period that it judges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from threepeat.sdk import Due, Notice, Occurrence, midnight
from threepeat.sdk.wording import Value
from threepeat_tiers import rising, standings
from threepeat_tiers.climbing import Standing, review, reviewed_window
from threepeat_tiers.events import TierAtRisk
from threepeat_tiers.growth import within
from threepeat_tiers.messages import AT_RISK, SHORT
from threepeat_tiers.rules import Rules, cut_sizes
from threepeat_tiers.standings import Move
from threepeat_tiers.versions import RULES_CHANGED, Ctx, InForce, in_force, versions
from threepeat_tiers.windows import DAY, today, window_start

REVIEW = "review"
MOST = 2_000
"""Members in a stretch."""


def begin(ctx: Ctx, occurrence: Occurrence) -> None:
    """Each morning, look at those whose day has come."""
    del occurrence
    ctx.later(REVIEW, REVIEW, ctx.now)


def go_on(ctx: Ctx, due: list[Due]) -> None:
    """Review the next stretch of members; the others come in the next turn."""
    del due
    force = in_force(ctx)
    rows = [] if force.closing else ctx.sql("to_review", day=today(ctx), most=MOST)
    if rows:
        found = [standings.of(row) for row in rows]
        _review(ctx, force, found)
        ctx.later(REVIEW, REVIEW, ctx.now)


def rules_changed(ctx: Ctx, due: list[Due]) -> None:
    """Let the newest version begin for those who cannot lose by it, a stretch at a time, and let them rise."""
    del due
    force = in_force(ctx)
    known = versions(ctx, range(1, force.number))
    better = [number for number, rules in known.items() if not force.rules.worsens(rules)]
    rows = [] if force.closing else ctx.sql("under_versions", versions=better, most=MOST)
    if not rows:
        return
    found = [standings.of(row) for row in rows]
    rules = {**known, force.number: force.rules}
    taking_part = ctx.taking_part({one.member_id for one in found})
    renewed = [replace(one, version=force.number) for one in found]
    looked = rising.look(ctx, rules, [one for one in renewed if one.member_id in taking_part])
    after = {**{one.member_id: one for one in renewed}, **{one.member_id: one for one in looked}}
    moves = [Move(after[one.member_id], one.level, "rules", ctx.now) for one in found]
    standings.write(ctx, after.values(), moves, rules, new=False)
    ctx.later(RULES_CHANGED, RULES_CHANGED, ctx.now)


def _review(ctx: Ctx, force: InForce, found: Sequence[Standing]) -> None:
    """Review members who all have the same day of review."""
    day = found[0].review_on
    older = {one.version for one in found} - {force.number}
    rules = {**versions(ctx, older), force.number: force.rules}
    # A ranking is one for everybody: by the newest rules that have one.
    ranking = rules[max((number for number, one in rules.items() if one.mode == "share"), default=force.number)]
    judged = {
        one.member_id: ranking if rules[one.version].mode == "share" else rules[one.version] for one in found
    }
    growth = within(ctx, {one.member_id: reviewed_window(judged[one.member_id], one) for one in found})
    coming = {
        one.member_id: (window_start(force.rules, one.joined_on, day - DAY), day - DAY)
        for one in found
        if judged[one.member_id] is not force.rules and force.rules.mode == "threshold"
    }
    growth_now = within(ctx, coming)
    ranked = any(one.mode == "share" for one in judged.values())
    cuts = _cuts(ctx, ranking, day) if ranked else {}
    taking_part = ctx.taking_part(judged)
    changed, moves = [], []
    for before in found:
        member = before.member_id
        mine, own = judged[member], growth.get(member, 0)
        after = review(mine, before, own, (force.number, force.rules), growth_now.get(member, 0), cuts)
        if member not in taking_part:
            after = replace(after, earned=min(after.earned, before.earned))
        changed.append(after)
        if after.grace_until is not None:
            _warn(ctx, mine, after, own)
        elif (after.level, after.version) != (before.level, before.version):
            moves.append(Move(after, before.level, "review", midnight(day, ctx.tenant.timezone)))
    standings.write(ctx, changed, moves, rules, new=False)
    ctx.log.info("members reviewed", day=str(day), members=len(found), moved=len(moves))


def _warn(ctx: Ctx, rules: Rules, standing: Standing, growth: int) -> None:
    """Tell what is missing, unless a late worker finds the days of grace over already."""
    tier = rules.at(standing.earned)
    if tier is not None and standing.grace_until is not None and standing.grace_until > today(ctx):
        at_risk = TierAtRisk(
            level=standing.earned, until=standing.grace_until, missing=tier.keep - max(growth, 0), name=tier.name
        )
        cause = f"risk {standing.member_id} {standing.grace_until}"
        ctx.emit(at_risk, member=standing.member_id, cause=cause)
        spend = rules.spending(at_risk.missing, ctx.tenant.minor_units)
        values: dict[str, Value] = {"day": standing.grace_until, "tier": tier.name}
        until = midnight(standing.grace_until, ctx.tenant.timezone)
        if spend is not None:
            values["amount"] = ctx.tenant.money(spend)
            ctx.message(AT_RISK, [Notice(standing.member_id, cause, values, until)])
        else:
            values["growth"] = at_risk.missing
            ctx.message(SHORT, [Notice(standing.member_id, cause, values, until)])


def _cuts(ctx: Ctx, rules: Rules, day: date) -> Mapping[int, int]:
    """What growth each tier above the lowest asks for in the ranking of a day; made once, before anybody moves.

    Who has the same growth as the last one in a tier stands in it, too. Whoever has no growth is not ranked.
    """
    made = ctx.sql("ranking", day=day)
    if made:
        return {int(level): least for level, least in made[0].cuts.items()}
    span = {"day": day, "first": window_start(rules, day, day - DAY), "last": day - DAY}
    members = ctx.sql("ranked", **span)[0].members
    levels = sorted((level for level in rules.by_level if level > rules.lowest), reverse=True)
    sizes = cut_sizes([rules.by_level[level].share_percent for level in levels], members)
    places = {level: sum(sizes[: number + 1]) for number, level in enumerate(levels)}
    found = {row.place: row.growth for row in ctx.sql("ranked_at", places=sorted({*places.values()}), **span)}
    cuts = {level: found[place] for level, place in places.items() if place in found}
    ctx.sql("ranking_add", day=day, ranked=members, levels=[*map(str, cuts)], cuts=list(cuts.values()))
    return cuts
