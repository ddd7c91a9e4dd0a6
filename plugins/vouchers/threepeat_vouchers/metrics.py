"""What the merchant sees of vouchers: whether they are used, and what they take off for which orders."""

from threepeat.sdk import Metric, Period, Series, Stat, Table, _, metric
from threepeat_vouchers.templates import Ctx


def used(ctx: Ctx, period: Period) -> Stat:
    """The share of the vouchers given in a period that were used by now."""
    span = period.end - period.begin
    now = _share(ctx, period.begin, period.end)
    return Stat(now, "percent", _share(ctx, period.begin - span, period.begin))


def daily(ctx: Ctx, period: Period) -> Series:
    """How many were given and used on each day."""
    zone = ctx.tenant.timezone.key
    rows = {row.day: row for row in ctx.sql("metric_daily", begin=period.begin, end=period.end, zone=zone)}
    return Series(
        {
            _("Given"): period.fill({day: row.given for day, row in rows.items()}),
            _("Used"): period.fill({day: row.used for day, row in rows.items()}),
        },
        kind="bar",
    )


def templates(ctx: Ctx, period: Period) -> Table:
    """Each template's vouchers, and what they took off against what their orders paid."""
    rows = ctx.sql("metric_templates", begin=period.begin, end=period.end)
    return Table(
        [
            (_("Voucher"), ""),
            (_("Given"), ""),
            (_("Used"), ""),
            (_("Share used"), "percent"),
            (_("Taken off"), "money"),
            (_("Paid for these orders"), "money"),
        ],
        [
            (
                row.name,
                row.given,
                row.used,
                row.used * 10_000 // row.given if row.given else None,
                row.taken_off,
                row.paid,
            )
            for row in rows
        ],
    )


def _share(ctx: Ctx, begin: object, end: object) -> int | None:
    row = ctx.sql("metric_totals", begin=begin, end=end)[0]
    return row.used * 10_000 // row.given if row.given else None


METRICS: tuple[Metric, ...] = (
    metric("used", used, question=_("How many of the vouchers that were given are used by now?")),
    metric("templates", templates, question=_("What does each voucher take off, and what do its orders bring?")),
    metric("daily", daily, question=_("How many vouchers are given and used each day?")),
)
