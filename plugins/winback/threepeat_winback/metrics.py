"""What the merchant learns: how many sleep, how many are woken and come back, and what that costs."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Funnel, Metric, Period, Series, Stat, Table, _, metric
from threepeat_winback.offers import Ctx


def bands(ctx: Ctx, period: Period) -> Table:
    """How the buyers stand now, whatever the period."""
    del period
    settings = ctx.settings
    asleep = ctx.now - timedelta(days=settings.asleep_after_days)
    row = ctx.sql("bands", asleep=asleep, lost=ctx.now - timedelta(days=settings.lost_after_days))[0]
    return Table(
        ((_("Buyers"), ""), (_("Members"), "")),
        ((_("Awake"), row.awake), (_("Asleep"), row.asleep), (_("Lost"), row.lost)),
    )


def each_day(ctx: Ctx, period: Period) -> Series:
    """Offers and returns of each day."""
    zone = str(ctx.tenant.timezone)
    found = {row.day: row for row in ctx.sql("offers_by_day", since=period.begin, until=period.end, zone=zone)}
    days = [found.get(day) for day in period.days]
    lines: dict[str, list[int | None]] = {
        _("Woken"): [row.offers if row else 0 for row in days],
        _("Came back"): [row.orders if row else 0 for row in days],
    }
    return Series(lines, kind="bar")


def journey(ctx: Ctx, period: Period) -> Funnel:
    """How far those came who were woken in the period."""
    row = _outcomes(ctx, period)[0]
    return Funnel(
        ((_("Woken"), row.offers), (_("Came back in time"), row.returned), (_("Kept the reward"), row.kept))
    )


def cost(ctx: Ctx, period: Period) -> Stat:
    """What the rewards of the period's offers cost, less what refunds took back."""
    now, before = _outcomes(ctx, period)
    return Stat(now.cost, "money", before.cost)


def cost_each(ctx: Ctx, period: Period) -> Stat:
    """The same, for each member who came back."""
    now, before = (row.cost // row.returned if row.returned else None for row in _outcomes(ctx, period))
    return Stat(now, "money", before)


def not_given(ctx: Ctx, period: Period) -> Stat:
    """Rewards that are owed, and those that never could be given."""
    return Stat(_outcomes(ctx, period)[0].not_given)


def _outcomes(ctx: Ctx, period: Period) -> Sequence[Row[Any]]:
    """What became of the offers of the period, and of as many days before."""
    span = period.end - period.begin
    return ctx.sql("outcomes", since=[period.begin, period.begin - span], until=[period.end, period.begin])


METRICS: tuple[Metric, ...] = (
    metric("bands", bands, question=_("How many buyers are awake, asleep and lost?")),
    metric("journey", journey, question=_("How many of those woken come back?")),
    metric("each_day", each_day, question=_("How many are woken and come back each day?")),
    metric("cost", cost, question=_("What do the rewards for coming back cost?")),
    metric("cost_each", cost_each, question=_("What does a member who comes back cost?")),
    metric(
        "not_given",
        not_given,
        question=_(
            "How many promised rewards could not be given, as the budget was used up or the reward is off?"
        ),
    ),
)
