"""Whether members earn points and come back to spend them, and what the points out there will cost."""

from datetime import date
from typing import Any

from threepeat.sdk import Context, Funnel, Period, Series, Stat, _, metric
from threepeat_points.settings import PointsSettings

Ctx = Context[PointsSettings]

SLOW = 45
"""Days from earning to redeeming above which members lose interest, in the median."""
DAILY = {
    "earned": _("Earned"),
    "spent": _("Spent"),
    "returned": _("Given back"),
    "reversed": _("Taken back"),
    "expired": _("Expired"),
}


def daily(ctx: Ctx, period: Period) -> Series:
    """What came in, was spent, was taken back and expired, by local day."""
    binds = {**_within(period), "over": min(period.end, ctx.now), "timezone": ctx.tenant.timezone.key}
    found: dict[str, dict[date, int]] = {name: {} for name in DAILY}
    for row in ctx.sql("metric_daily", **binds):
        found[row.kind][row.day] = row.points
    return Series({name: period.fill(found[kind]) for kind, name in DAILY.items()}, kind="bar")


def held(ctx: Ctx, period: Period) -> Stat:
    """Points that members can spend now or once they have waited."""
    del period
    return Stat(_held(ctx))


def worth(ctx: Ctx, period: Period) -> Stat:
    """What these points cost if all of them are spent."""
    del period
    return Stat(ctx.settings.worth(_held(ctx), ctx.tenant), "money")


def funnel(ctx: Ctx, period: Period) -> Funnel:
    """Members with an order in the period, those of them who earned, and those of them who spent in it."""
    row = ctx.sql("metric_funnel", **_within(period))[0]
    return Funnel(((_("Ordered"), row.ordered), (_("Earned points"), row.earned), (_("Spent points"), row.spent)))


def cycle(ctx: Ctx, period: Period) -> Stat:
    """How old a point was when it was spent, in the median of the points that were spent."""
    before = period.begin - (period.end - period.begin)
    days = {row.current: row.days for row in ctx.sql("metric_cycle", before=before, **_within(period))}
    current = days.get(True)
    warning = ""
    if current is not None and current > SLOW:
        warning = _(
            "Members spend points after {days} days, in the median: above {slow} they lose interest. "
            "Offer something small in the catalogue, or let points pay for orders.",
            days=current,
            slow=SLOW,
        )
    return Stat(current, "days", days.get(False), warning)


def _within(period: Period) -> dict[str, Any]:
    return {"since": period.begin, "until": period.end}


def _held(ctx: Ctx) -> int:
    points: int = ctx.sql("metric_held")[0].points
    return points


METRICS = (
    metric("daily", daily, question=_("How many points are earned, spent and lost each day?")),
    metric("held", held, question=_("How many points do members hold?")),
    metric("worth", worth, question=_("What are the points that members hold worth?")),
    metric("funnel", funnel, question=_("How many members earn points, and how many spend some?")),
    metric(
        "cycle",
        cycle,
        question=_("After how many days are points spent, in the median? Above 45, members lose interest."),
    ),
)
