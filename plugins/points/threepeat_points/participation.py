"""Points for taking part: an event brings them, so often a day and no more."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import get_args

from threepeat.sdk import Grant, GrantState
from threepeat.sdk.events import CATALOGUE, Event, ReviewSubmitted
from threepeat_points.accounts import Ctx
from threepeat_points.settings import ONCE, Activity, TakingPart

ACTIVITIES: tuple[type[Event], ...] = tuple(one for one in CATALOGUE if one.type in get_args(Activity))
UNREAD: Mapping[type[Event], Collection[str]] = {ReviewSubmitted: {"text"}}
"""What may be long and says nothing about points."""
RULE = "taking-part"


def take_part(ctx: Ctx, events: list[Event]) -> None:
    """Give the points that the rule for this kind of event brings, in the order of the log.

    Events count for the local day on which they happened, however late they are reported. What the budget does
    not cover is not counted either. Tallies need no lock of their own: a store has one turn at a time,
    and merges wait for its end.
    """
    kind = events[0].type
    rule = next((one for one in ctx.settings.taking_part if one.event == kind), None)
    if rule is None:
        return
    if kind in ONCE:
        _give(ctx, rule, events, lambda _: kind)
        return
    placed = [(event, event.occurred_at.astimezone(ctx.tenant.timezone).date()) for event in events]
    tally = Counter(
        {
            (row.member_id, row.day): row.times
            for row in ctx.sql(
                "tallies",
                members=sorted({event.member for event in events}),
                days=sorted({day for _, day in placed}),
                event=kind,
            )
        }
    )
    wanted: list[Event] = []
    days: list[tuple[int, date]] = []
    for event, day in placed:
        if tally[event.member, day] < rule.times_a_day:
            tally[event.member, day] += 1
            wanted.append(event)
            days.append((event.member, day))
    given = _give(ctx, rule, wanted, lambda event: event)
    counted = Counter(place for place, state in zip(days, given, strict=True) if state is GrantState.GRANTED)
    if counted:
        ctx.sql(
            "count_times",
            members=[member for member, _ in counted],
            days=[day for _, day in counted],
            times=list(counted.values()),
            event=kind,
        )


def _give(
    ctx: Ctx, rule: TakingPart, events: list[Event], cause: Callable[[Event], Event | str]
) -> list[GrantState]:
    """Give each event's points, charged to this tactic's budget. Core gives for nothing twice, nor for shares."""
    if not events:
        return []
    grants = [Grant(event.member, rule.points, RULE, cause(event)) for event in events]
    return [one.state for one in ctx.grant("points", grants)]
