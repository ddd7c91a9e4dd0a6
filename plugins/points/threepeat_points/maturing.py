"""What happens by itself: points that waited are unlocked, old ones written off, and members reminded in time.

Once a day, shortly after midnight, a store's members are gone through a stretch at a time: of those whose lots are
due, and of those whose lots expire in so many days. Whoever reads compares with now and depends on none of it.
"""

from datetime import UTC, date, datetime, time, timedelta

from threepeat.sdk import Due, Notice, Occurrence, schedule, timer
from threepeat_points.accounts import Ctx, lock, mature
from threepeat_points.events import PointsExpiring
from threepeat_points.messages import EXPIRING
from threepeat_points.validity import end_of

REMINDERS = (1, 7, 30)
"""Days before points expire on which members are reminded, the last reminder first."""
STRETCH = 1000
"""Members that are looked at in one transaction."""
SWEEP, REMIND = "sweep", "remind"
DAY = timedelta(days=1)


def daily(ctx: Ctx, occurrence: Occurrence) -> None:
    """Have what is due written down, and members reminded; days that were missed are made up for.

    Of several reminders of the same points that were missed the last one is sent, and none of what has expired.
    """
    ctx.later(SWEEP, SWEEP, ctx.now)
    previous = occurrence.previous or occurrence.day - DAY
    told: set[datetime] = set()
    for days in REMINDERS:
        for at in _expiries(ctx, previous + days * DAY, occurrence.day + days * DAY):
            if at not in told:
                told.add(at)
                payload = {"days": days, "at": at.isoformat(), "after": 0}
                ctx.later(REMIND, f"{days}:{at.isoformat()}", ctx.now, payload=payload)


def sweep(ctx: Ctx, due: list[Due]) -> None:
    """Write down what is due for a stretch of members; the others come next."""
    del due
    members = [row.member_id for row in ctx.sql("due_members", now=ctx.now, most=STRETCH)]
    if members:
        lock(ctx, members)
        mature(ctx, members)
        ctx.later(SWEEP, SWEEP, ctx.now)


def remind(ctx: Ctx, due: list[Due]) -> None:
    """Tell of a stretch of members what they have that expires at an instant; the others come next."""
    for one in due:
        if not one.payload:
            continue
        days, at = one.payload["days"], datetime.fromisoformat(one.payload["at"])
        day = (at - timedelta(microseconds=1)).astimezone(ctx.tenant.timezone).date()
        rows = ctx.sql("expiring", at=at, now=ctx.now, after=one.payload["after"], most=STRETCH)
        notices = []
        for row in rows:
            cause = f"expiring:{row.member_id}:{at}:{days}"
            told = PointsExpiring(points=row.points, days=days, expires_at=at)
            ctx.emit(told, member=row.member_id, cause=cause)
            notices.append(Notice(row.member_id, cause, {"points": row.points, "day": day}, until=at))
        ctx.message(EXPIRING, notices)
        if len(rows) == STRETCH:
            ctx.later(REMIND, one.key, ctx.now, payload={**one.payload, "after": rows[-1].member_id})


def _expiries(ctx: Ctx, after: date, until: date) -> list[datetime]:
    """When points expire by the end of one local day that had not expired by the end of another, nor by now."""
    zone = ctx.tenant.timezone
    rows = ctx.sql("expiries", since=max(end_of(after, zone), ctx.now), until=end_of(until, zone))
    return [row.expires_at.astimezone(UTC) for row in rows]


SCHEDULES = (schedule("daily", daily, at=time(0, 5), always=True),)
TIMERS = (timer(SWEEP, sweep), timer(REMIND, remind))
