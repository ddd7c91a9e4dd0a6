"""The arithmetic of streaks, free of any database.

A check-in stands between the days in a row before it and, if it was made up for, those after it. It reaches the
steps that lie beyond the days before it. A run never gives a step more often than it has come to it, however its
parts grew together: mending a gap does not give again what a part of the run gave already.
"""

from collections.abc import Mapping

from threepeat_checkin.settings import CheckinSettings, Step


def reached(settings: CheckinSettings, *, before: int, run: int, given: Mapping[int, int]) -> list[Step]:
    """The steps that a check-in reaches.

    Args:
        before: Days in a row before it.
        run: Days in a row with it, those before and after it counted.
        given: How many times the run gave each step already, by the step's days.
    """
    return [
        step
        for step in settings.ladder
        if settings.due(step, run) > max(settings.due(step, before), given.get(step.days, 0))
    ]


def ahead(settings: CheckinSettings, streak: int) -> tuple[Step, int] | None:
    """The next step of a streak, and in how many days in a row from now it comes; None after the last."""
    last = settings.ladder[-1].days if settings.ladder else 0
    begun = streak // last * last if last and settings.after_the_last_step == "repeat" else 0
    coming = [(step, begun + step.days - streak) for step in settings.ladder if begun + step.days > streak]
    return min(coming, key=lambda one: one[1]) if coming else None
