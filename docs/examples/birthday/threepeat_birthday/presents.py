"""The present, on the morning of the day."""

from calendar import isleap
from collections.abc import Iterator
from datetime import date, timedelta

from threepeat.sdk import Context, Grant, GrantState, Occurrence
from threepeat_birthday.events import Celebrated
from threepeat_birthday.settings import BirthdaySettings

Ctx = Context[BirthdaySettings]

DAY = timedelta(days=1)
LATE_DAYS = 7
"""After an outage, presents of so many days are made up for."""


def celebrate(ctx: Ctx, occurrence: Occurrence) -> None:
    """Give everybody their present whose birthday has come since the last time."""
    today = occurrence.day
    first = occurrence.previous + DAY if occurrence.previous else today
    born = list(_born(max(first, today - LATE_DAYS * DAY), today))
    rows = ctx.sql(
        "due",
        days=[day for day, _, _ in born],
        years=[day.year for day, _, _ in born],
        months=[month for _, month, _ in born],
        numbers=[number for _, _, number in born],
    )
    settings = ctx.settings
    fitting = ctx.matching(settings.audience, {row.member_id for row in rows})
    rows = [row for row in rows if row.member_id in fitting]
    if not rows:
        return
    present = settings.present
    grants = [
        Grant(row.member_id, present.amount, "birthday", f"birthday-{row.year}", item=present.item) for row in rows
    ]
    given = [
        answer.state in {GrantState.GRANTED, GrantState.DUPLICATE} for answer in ctx.grant(present.kind, grants)
    ]
    ctx.sql(
        "note",
        members=[row.member_id for row in rows],
        years=[row.year for row in rows],
        states=["given" if one else "missed" for one in given],
        today=today,
    )
    for row, one in zip(rows, given, strict=True):
        if one:
            ctx.emit(Celebrated(year=row.year), member=row.member_id, cause=f"birthday-{row.year}")


def _born(first: date, last: date) -> Iterator[tuple[date, int, int]]:
    """Each day, with the month and day of those who celebrate on it."""
    day = first
    while day <= last:
        yield day, day.month, day.day
        if (day.month, day.day) == (2, 28) and not isleap(day.year):
            yield day, 2, 29
        day += DAY
