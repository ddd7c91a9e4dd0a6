"""Lets members rise at once: the whole batch by a few statements, the days only of those who may reach a tier."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from threepeat.sdk.events import Event
from threepeat_tiers import standings
from threepeat_tiers.climbing import Entry, Fall, Standing, climb, newcomer, reached, span
from threepeat_tiers.growth import within
from threepeat_tiers.rules import Rules
from threepeat_tiers.standings import Move
from threepeat_tiers.versions import Ctx, InForce
from threepeat_tiers.windows import next_review, today

Days = Mapping[int, Mapping[date, int]]


def rise(
    ctx: Ctx,
    force: InForce,
    rules: Mapping[int, Rules],
    known: Mapping[int, Standing],
    entries: Sequence[Entry],
    events: Sequence[Event],
) -> None:
    """Let those members rise whom new entries lift, and give whoever was just met a standing.

    Args:
        rules: By number of the version, those by which a review took a tier among them.
        known: The standings that there are, locked.
        entries: Added to the days already.
    """
    mine: dict[int, list[Entry]] = defaultdict(list)
    for entry in sorted(entries, key=lambda one: one.position):
        mine[entry.member_id].append(entry)
    taking_part = ctx.taking_part(mine)
    standing = {
        member: known.get(member) or newcomer(force.rules, force.number, member, brought[0].day, brought[0].day)
        for member, brought in mine.items()
        if member in taking_part
    }
    days = _days(ctx, rules, standing, {member: [one.day for one in mine[member]] for member in standing})
    falls = _falls(ctx, rules, standing, mine)
    causes = {event.position: event for event in events}
    changed = {member: one for member, one in standing.items() if member not in known}
    moves: list[Move] = []
    for member in sorted(days.keys() | falls.keys()):
        own = Counter(days.get(member, {}))
        for entry in mine[member]:
            own[entry.day] -= entry.value
        one, before = standing[member], standing[member].level
        for step in climb(rules[one.version], one, own, mine[member], falls.get(member)):
            if step.standing.level != before:
                cause = causes[step.position]
                moves.append(
                    Move(step.standing, before, "growth", step.occurred_at, step.position, cause, again=step.again)
                )
            before, changed[member] = step.standing.level, step.standing
    standings.write(ctx, changed.values(), moves, rules)


def look(ctx: Ctx, rules: Mapping[int, Rules], found: Sequence[Standing]) -> list[Standing]:
    """How members stand if what they have reached by today counts; nothing is written."""
    day = today(ctx)
    days = _days(ctx, rules, {one.member_id: one for one in found}, {one.member_id: [day] for one in found})
    looked = []
    for before in found:
        one = before
        first = max(day, one.reviewed_on) if one.reviewed_on else day
        level = reached(rules[one.version], one, days[one.member_id], first) if one.member_id in days else 0
        if level > one.earned:
            review = max(one.review_on, next_review(rules[one.version], one.joined_on, first))
            one = replace(one, earned=level, review_on=review, grace_until=None, grace_since=None)
        looked.append(one)
    return looked


def _falls(
    ctx: Ctx, rules: Mapping[int, Rules], standing: Mapping[int, Standing], mine: Mapping[int, Sequence[Entry]]
) -> dict[int, Fall]:
    """What a review took from members for whom something came in late, as it was without these entries."""
    windows = {
        member: window
        for member, one in standing.items()
        if (window := one.fell_by) and any(window[0] <= entry.day <= window[1] for entry in mine[member])
    }
    growth = within(ctx, windows)
    falls = {}
    for member, (first, last) in windows.items():
        level, version = standing[member].fell_from, standing[member].fell_version
        if level is not None and version is not None:
            late = sum(entry.value for entry in mine[member] if first <= entry.day <= last)
            falls[member] = Fall(level, rules[version], first, last, growth.get(member, 0) - late)
    return falls


def _days(
    ctx: Ctx, rules: Mapping[int, Rules], standing: Mapping[int, Standing], touched: Mapping[int, Sequence[date]]
) -> dict[int, dict[date, int]]:
    """Growth by day of those members who may reach a higher tier by what happened on the touched days."""
    needs = {member: rules[one.version].needs_above(one.earned) for member, one in standing.items()}
    spans = {
        member: span(rules[one.version], one, touched[member])
        for member, one in standing.items()
        if needs[member] is not None and rules[one.version].mode == "threshold"
    }
    placed: dict[int, dict[date, int]] = {
        member: {}
        for member, one in standing.items()
        if rules[one.version].mode == "share" and one.earned < rules[one.version].lowest
    }
    if not spans:
        return placed
    order = sorted(spans)
    rows = ctx.sql(
        "may_reach",
        members=order,
        firsts=[spans[member][0] for member in order],
        lasts=[spans[member][1] for member in order],
        needs=[needs[member] for member in order],
    )
    days: dict[int, dict[date, int]] = {**placed, **{member: {} for member in order if needs[member] == 0}}
    for row in rows:
        days.setdefault(row.member_id, {})[row.day] = row.value
    return days
