"""Whether held orders are paid, what reductions take off, and which payments do not fit."""

from datetime import timedelta
from typing import Any

from threepeat.sdk import Context, Funnel, Metric, Period, Table, _, metric
from threepeat_checkout.settings import CheckoutSettings

Ctx = Context[CheckoutSettings]

KEPT = timedelta(days=90)
"""How long orders that were held and not paid are remembered."""
MOST = 50
"""Rows of a table of payments."""

REASONS = {
    "gone": _("Paid too late, and not to be had any more"),
    "taken": _("Its price was used by another order"),
    "stranger": _("Its price was another member's"),
}


def held(ctx: Ctx, period: Period) -> Funnel:
    """Orders that were held, and those of them that were paid."""
    row = ctx.sql("metric_held", since=max(period.begin, ctx.now - KEPT), until=period.end)[0]
    return Funnel([(_("Held"), row.held), (_("Paid"), row.paid)])


def taken(ctx: Ctx, period: Period) -> Table:
    """What each rule took off paid orders, and how much of it fell on what came back."""
    rows = [
        (f"{row.plugin}.{row.rule}", row.orders, row.taken, row.returned)
        for row in ctx.sql("metric_taken", **_within(period))
    ]
    columns = [(_("Reduction"), ""), (_("Orders"), ""), (_("Taken off"), "money"), (_("Returned"), "money")]
    return Table(columns, rows)  # type: ignore[arg-type]


def differ(ctx: Ctx, period: Period) -> Table:
    """Payments that are not what was quoted, the latest first."""
    rows = [
        (row.order_id, row.quoted, row.paid, row.paid - row.quoted)
        for row in ctx.sql("metric_differ", most=MOST, **_within(period))
    ]
    return Table(
        [(_("Order"), ""), (_("Quoted"), "money"), (_("Paid"), "money"), (_("Difference"), "money")], rows
    )


def refused(ctx: Ctx, period: Period) -> Table:
    """Payments that could not be honoured, the latest first."""
    rows = [
        (row.order_id, REASONS[row.outcome], row.total)
        for row in ctx.sql("metric_refused", most=MOST, **_within(period))
    ]
    return Table([(_("Order"), ""), (_("Reason"), ""), (_("Paid"), "money")], rows)


def _within(period: Period) -> dict[str, Any]:
    return {"since": period.begin, "until": period.end}


METRICS: tuple[Metric, ...] = (
    metric("held", held, question=_("How many of the orders that things were held for are paid?")),
    metric("taken", taken, question=_("What do reductions take off paid orders, and what comes back?")),
    metric("differ", differ, question=_("Which payments are not what was quoted?")),
    metric("refused", refused, question=_("Which payments could not be honoured?")),
)
