"""Whether messages are read, and what was not sent."""

from datetime import date
from typing import Any

from threepeat.sdk import Metric, Period, Series, Spoken, Stat, Table, _, metric
from threepeat_messages import kinds
from threepeat_messages.channels import Ctx
from threepeat_messages.unsent import REASONS

MOST = 50
SENT = {"service": _("Service notices"), "marketing": _("Marketing")}


def daily(ctx: Ctx, period: Period) -> Series:
    """Messages that were sent, by local day and purpose."""
    found: dict[str, dict[date, int]] = {name: {} for name in SENT}
    for row in ctx.sql("metric_daily", timezone=ctx.tenant.timezone.key, **_within(period)):
        found[row.purpose][row.day] = row.messages
    return Series({title: period.fill(found[name]) for name, title in SENT.items()}, kind="bar")


def read(ctx: Ctx, period: Period) -> Stat:
    """Of the messages that were sent into the inbox in the period, how many are read by now."""
    before = period.begin - (period.end - period.begin)
    rows = {row.current: row for row in ctx.sql("metric_read", before=before, **_within(period))}
    share = {current: row.read * 10_000 // row.sent for current, row in rows.items() if row.sent}
    return Stat(share.get(True), "percent", share.get(False))


def by_kind(ctx: Ctx, period: Period) -> Table:
    """How many of each kind were sent, and how many of them are read."""
    known = kinds.every(ctx)
    rows: list[tuple[int | str | None, ...]] = []
    for row in ctx.sql("metric_kinds", most=MOST, **_within(period)):
        kind = known.get((row.plugin, row.kind))
        title = Spoken(kind.known.title) if kind is not None else f"{row.plugin} · {row.kind}"
        rows.append((title, row.sent, row.read, row.read * 10_000 // row.sent))
    columns = ((_("Message"), ""), (_("Sent"), ""), (_("Read"), ""), (_("Share that was read"), "percent"))
    return Table(columns, rows)  # type: ignore[arg-type] # units are literals


def unsent(ctx: Ctx, period: Period) -> Table:
    """What was not sent, by reason, the most frequent first."""
    rows = [(REASONS[row.reason], row.messages) for row in ctx.sql("metric_unsent", **_within(period))]
    return Table(((_("Reason"), ""), (_("Messages"), "")), rows)


def waiting(ctx: Ctx, period: Period) -> Stat:
    """Messages that wait now."""
    del period
    return Stat(ctx.sql("metric_waiting")[0].messages)


def _within(period: Period) -> dict[str, Any]:
    return {"since": period.begin, "until": period.end}


METRICS: tuple[Metric, ...] = (
    metric("daily", daily, question=_("How many messages are sent each day?")),
    metric("read", read, question=_("How many of the messages in the inbox are read?")),
    metric("kinds", by_kind, question=_("Which messages are read?")),
    metric("unsent", unsent, question=_("What was not sent, and why?")),
    metric("waiting", waiting, question=_("How many messages wait for the end of the quiet hours?")),
)
