"""What the merchant sees of check-ins, and whether they are worth anything."""

from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Context, Funnel, Metric, Period, Series, Table, _, metric
from threepeat.sdk.metrics import Figure
from threepeat_checkin.days import DAY, today
from threepeat_checkin.settings import CheckinSettings

Ctx = Context[CheckinSettings]

CLASSES = {1: _("1 or 2 days"), 3: _("3 to 6 days"), 7: _("7 to 29 days"), 30: _("30 days or more")}
UNKNOWN: tuple[Figure, ...] = (None,) * 5
"""The figures of days on which the tactic was not there yet."""
REASONS = {
    "over_budget": _("The month's budget was used up"),
    "closed": _("The store does not give this reward at the moment"),
    "held_out": _("The member was not to get any"),
}
ONLY_TAPS = _(
    "Check-ins rise and the orders of those who check in fall: they come for the reward and do not buy. Tie"
    " rewards to orders, or use the slot for another tactic."
)


def daily(ctx: Ctx, period: Period) -> Series:
    """Check-ins and made-up days of each day."""
    rows = {row.day: row for row in ctx.sql("metric_days", first=period.days[0], last=period.days[-1])}
    found = [rows.get(day) for day in period.days]
    return Series(
        {
            _("Checked in"): [row.taps if row else 0 for row in found],
            _("Made up for"): [row.made_up if row else 0 for row in found],
        },
        kind="bar",
    )


def streaks(ctx: Ctx, period: Period) -> Table:
    """Members by the length of the streak that they are in now."""
    del period
    found = {row.at_least: row.members for row in ctx.sql("metric_streaks", day=today(ctx))}
    rows = [(title, found.get(least, 0)) for least, title in CLASSES.items()]
    return Table([(_("Days in a row"), ""), (_("Members"), "")], rows)


def bought(ctx: Ctx, period: Period) -> Funnel:
    """Members who checked in, and those of them who bought soon."""
    row = ctx.sql("metric_bought", first=period.days[0], last=period.days[-1])[0]
    return Funnel([(_("Checked in"), row.members), (_("Bought within 7 days"), row.buyers)])


def value(ctx: Ctx, period: Period) -> Table:
    """Check-ins beside the orders of those who check in, and beside the same of as many days before."""
    first, last = period.days[0], period.days[-1]
    before = first - len(period.days) * DAY
    now, then = ctx.sql("metric_value", firsts=[first, before], lasts=[last, first - DAY])
    rows = [
        (_("This period"), *_worth(now)),
        (_("As many days before"), *(_worth(then) if then.known else UNKNOWN)),
    ]
    if _only_taps(now, then):
        rows.append((ONLY_TAPS, *UNKNOWN))
    columns = [
        _("Period"),
        _("Check-ins"),
        _("Members who checked in"),
        _("Their orders"),
        _("Orders for each 100 of them"),
    ]
    return Table([*((title, "") for title in columns), (_("Share who bought"), "percent")], rows)


def missed(ctx: Ctx, period: Period) -> Table:
    """Rewards that were due and could not be given."""
    found = ctx.sql("metric_missed", first=period.days[0], last=period.days[-1])
    rows = [(REASONS[row.state], row.kind, row.times) for row in found]
    return Table([(_("Reason"), ""), (_("Reward"), ""), (_("Times"), "")], rows)


def _worth(row: Row[Any]) -> tuple[Figure, ...]:
    """The figures of a stretch of days."""
    each_hundred = row.orders * 100 // row.members if row.members else None
    share = row.buyers * 10_000 // row.members if row.members else None
    return (row.check_ins, row.members, row.orders, each_hundred, share)


def _only_taps(now: Row[Any], then: Row[Any]) -> bool:
    """Whether check-ins rose and orders fell, each by a tenth at least: less is chance."""
    return bool(
        then.known and 10 * now.check_ins >= 11 * then.check_ins > 0 and 10 * now.orders <= 9 * then.orders
    )


METRICS: tuple[Metric, ...] = (
    metric("daily", daily, question=_("How many members check in each day?")),
    metric("value", value, question=_("Do check-ins bring orders, or only more check-ins?")),
    metric("bought", bought, question=_("Do those who check in also buy?")),
    metric("streaks", streaks, question=_("How long are the streaks that members are in now?")),
    metric("missed", missed, question=_("Which rewards were due and could not be given?")),
)
