"""What the merchant learns: how many are welcomed, how far they come, and what could not be given."""

from datetime import timedelta

from threepeat.sdk import Funnel, Metric, Period, Series, Stat, _, metric
from threepeat_welcome.gifts import Ctx

AGAIN = timedelta(days=30)


def packs(ctx: Ctx, period: Period) -> Series:
    """Packs of each day."""
    zone = str(ctx.tenant.timezone)
    rows = ctx.sql("packs_by_day", since=period.begin, until=period.end, zone=zone)
    found = {row.day: row.packs for row in rows}
    return Series({_("Packs"): [found.get(day, 0) for day in period.days]}, kind="bar")


def journey(ctx: Ctx, period: Period) -> Funnel:
    """How far those came who registered in the period."""
    row = ctx.sql("journey", since=period.begin, until=period.end)[0]
    return Funnel(
        (
            (_("Registered"), row.registered),
            (_("Got the pack"), row.welcomed),
            (_("First order"), row.first_orders),
            (_("Second order"), row.second_orders),
        )
    )


def again(ctx: Ctx, period: Period) -> Stat:
    """The share of those welcomed at least 30 days before who ordered twice in time."""
    span = period.end - period.begin
    since, until = period.begin - AGAIN, period.end - AGAIN
    now, before = ctx.sql("again", since=[since, since - span], until=[until, since])
    return Stat(_rate(now.again, now.packs), "percent", _rate(before.again, before.packs))


def not_given(ctx: Ctx, period: Period) -> Stat:
    """Rewards that were refused: by the budget, the comparison group or a kind that the store does not have."""
    return Stat(ctx.sql("not_given", since=period.begin, until=period.end)[0].gifts)


def _rate(part: int, whole: int) -> int | None:
    return part * 10_000 // whole if whole else None


METRICS: tuple[Metric, ...] = (
    metric("packs", packs, question=_("How many newcomers get the pack each day?")),
    metric("journey", journey, question=_("How far do newcomers come?")),
    metric(
        "again",
        again,
        question=_("How many order a second time within 30 days of the pack?"),
    ),
    metric(
        "not_given",
        not_given,
        question=_("How many rewards could not be given, because the budget was used up or the reward is off?"),
    ),
)
