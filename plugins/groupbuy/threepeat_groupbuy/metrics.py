"""What the merchant sees of group buys: whether groups fill, whom they bring, and what they sell."""

from threepeat.sdk import Funnel, Metric, Period, Series, Stat, Table, _, metric
from threepeat_groupbuy.campaigns import Ctx

FAILED = _("Your shop has not paid back everything that members of failed groups are owed. See the refunds.")


def funnel(ctx: Ctx, period: Period) -> Funnel:
    """Groups that were opened in a period, and how far they came by now."""
    row = ctx.sql("metric_funnel", begin=period.begin, end=period.end)[0]
    return Funnel([(_("Opened"), row.opened), (_("Somebody joined"), row.shared), (_("Complete"), row.filled)])


def daily(ctx: Ctx, period: Period) -> Series:
    """How many groups were opened, succeeded and failed on each day."""
    zone = ctx.tenant.timezone.key
    rows = {row.day: row for row in ctx.sql("metric_daily", begin=period.begin, end=period.end, zone=zone)}
    return Series(
        {
            _("Opened"): period.fill({day: row.opened for day, row in rows.items()}),
            _("Succeeded"): period.fill({day: row.succeeded for day, row in rows.items()}),
            _("Failed"): period.fill({day: row.failed for day, row in rows.items()}),
        },
        kind="bar",
    )


def new(ctx: Ctx, period: Period) -> Stat:
    """Which share of paid seats is of members who had bought nothing before."""
    span = period.end - period.begin
    return Stat(_new(ctx, period.begin, period.end), "percent", _new(ctx, period.begin - span, period.begin))


def campaigns(ctx: Ctx, period: Period) -> Table:
    """What each campaign's complete groups sold."""
    rows = ctx.sql("metric_campaigns", begin=period.begin, end=period.end)
    return Table(
        [
            (_("Group buy"), ""),
            (_("Paid seats"), ""),
            (_("In complete groups"), ""),
            (_("New customers"), ""),
            (_("Paid for these orders"), "money"),
            (_("Taken off"), "money"),
        ],
        [(row.name, row.seats, row.succeeded, row.fresh, row.paid, row.taken_off) for row in rows],
    )


def owed(ctx: Ctx, period: Period) -> Stat:
    """What the shop has still to pay back."""
    del period
    row = ctx.sql("metric_owed")[0]
    return Stat(row.amount, "money", warning=FAILED if row.late else "")


def _new(ctx: Ctx, begin: object, end: object) -> int | None:
    row = ctx.sql("metric_new", begin=begin, end=end)[0]
    return row.fresh * 10_000 // row.seats if row.seats else None


METRICS: tuple[Metric, ...] = (
    metric("funnel", funnel, question=_("Do groups that are opened become complete?")),
    metric("new", new, question=_("What share of the paid seats is of new customers?")),
    metric("campaigns", campaigns, question=_("What do the orders of each group buy bring?")),
    metric("daily", daily, question=_("How many groups are opened, succeed and fail each day?")),
    metric("owed", owed, question=_("How much has the shop still to pay back?")),
)
