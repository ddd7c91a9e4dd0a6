"""What happens by itself: points that waited are unlocked, old ones written off, members reminded of both in time.

Once a day, shortly after midnight, a store's members are gone through a stretch at a time: of those whose lots are
due, and of those whose lots expire in so many days. Whoever reads compares with now and depends on none of it.
"""

from datetime import date, time, timedelta

from threepeat.sdk import Due, Notice, Occurrence, schedule, timer
from threepeat_points.accounts import Ctx, lock, mature
from threepeat_points.events import PointsExpiring
from threepeat_points.messages import EXPIRING
from threepeat_points.validity import end_of

REMINDERS = (30, 7, 1)
"""Days before points expire on which members are reminded."""
STRETCH = 1000
"""Members that are looked at in one transaction."""
SWEEP, REMIND = "sweep", "remind"
DAY = timedelta(days=1)


def daily(ctx: Ctx, occurrence: Occurrence) -> None:
    """Have what is due written down, and members reminded; days that were missed are made up for."""
    ctx.later(SWEEP, SWEEP, ctx.now)
    previous = occurrence.previous or occurrence.day - DAY
    for days in REMINDERS:
        for ends in _ends(ctx, previous + days * DAY, occurrence.day + days * DAY):
            ctx.later(
                REMIND, f"{days}:{ends}", ctx.now, payload={"days": days, "day": ends.isoformat(), "after": 0}
            )


def sweep(ctx: Ctx, due: list[Due]) -> None:
    """Write down what is due for a stretch of members; the others come next."""
    del due
    members = [row.member_id for row in ctx.sql("due_members", now=ctx.now, most=STRETCH)]
    if members:
        lock(ctx, members)
        mature(ctx, members)
        ctx.later(SWEEP, SWEEP, ctx.now)


def remind(ctx: Ctx, due: list[Due]) -> None:
    """Tell of a stretch of members what they have that expires on a day; the others come next."""
    for one in due:
        if not one.payload:
            continue
        days, day = one.payload["days"], date.fromisoformat(one.payload["day"])
        at = end_of(day, ctx.tenant.timezone)
        rows = ctx.sql("expiring", at=at, after=one.payload["after"], most=STRETCH)
        notices = []
        for row in rows:
            cause = f"expiring:{row.member_id}:{day}:{days}"
            ctx.emit(
                PointsExpiring(points=row.points, days=days, expires_at=at), member=row.member_id, cause=cause
            )
            notices.append(Notice(row.member_id, cause, {"points": row.points, "day": day}, until=at))
        ctx.message(EXPIRING, notices)
        if len(rows) == STRETCH:
            ctx.later(REMIND, one.key, ctx.now, payload={**one.payload, "after": rows[-1].member_id})


def _ends(ctx: Ctx, after: date, until: date) -> list[date]:
    """The local days, after one and until another, at whose ends points expire."""
    zone = ctx.tenant.timezone
    rows = ctx.sql("expiry_days", since=end_of(after, zone), until=end_of(until, zone))
    return [(row.expires_at - timedelta(microseconds=1)).astimezone(zone).date() for row in rows]


SCHEDULES = (schedule("daily", daily, at=time(0, 5), always=True),)
TIMERS = (timer(SWEEP, sweep), timer(REMIND, remind))
