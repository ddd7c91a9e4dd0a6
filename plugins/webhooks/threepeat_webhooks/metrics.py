"""Whether what is sent arrives, how long that takes, and which endpoints need somebody."""

from typing import Any

from threepeat.sdk import Context, Funnel, Metric, Period, Stat, Table, _, metric
from threepeat_webhooks.settings import WebhooksSettings

Ctx = Context[WebhooksSettings]


def arrive(ctx: Ctx, period: Period) -> Funnel:
    """What was sent, what arrived, and what arrived at once."""
    (row,) = ctx.sql("metric_arrive", **_within(period))
    return Funnel(
        [(_("Sent"), row.sent), (_("Arrived"), row.arrived), (_("Arrived at the first attempt"), row.first)]
    )


def endpoints(ctx: Ctx, period: Period) -> Table:
    """What became of the deliveries to each endpoint."""
    rows = [
        (row.name, row.sent, row.arrived, row.waiting, row.lost, row.seconds)
        for row in ctx.sql("metric_endpoints", **_within(period))
    ]
    headings = (
        _("Endpoint"),
        _("Sent"),
        _("Arrived"),
        _("On its way"),
        _("Failed or stopped"),
        _("Seconds until half had arrived"),
    )
    return Table([(heading, "") for heading in headings], rows)


def failing(ctx: Ctx, period: Period) -> Stat:
    """Endpoints at which nothing arrives."""
    del period
    (row,) = ctx.sql("metric_failing")
    warning = ""
    if row.disabled:
        warning = _("An endpoint is disabled: repair it, switch it on, and have what it missed sent again.")
    elif row.failing:
        warning = _("Nothing arrives at an endpoint at the moment: look at its deliveries before it is disabled.")
    return Stat(row.failing + row.disabled, warning=warning)


def _within(period: Period) -> dict[str, Any]:
    return {"since": period.begin, "until": period.end}


METRICS: tuple[Metric, ...] = (
    metric("failing", failing, question=_("How many endpoints do not answer as they should?")),
    metric("arrive", arrive, question=_("How much of what is sent arrives?")),
    metric("endpoints", endpoints, question=_("What arrives at each endpoint, and how fast?")),
)
