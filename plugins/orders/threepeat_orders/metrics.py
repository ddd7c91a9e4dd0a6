"""What comes in, and who comes back."""

from threepeat.sdk import Context, Period, Series, Stat, _, metric
from threepeat_orders.settings import OrdersSettings

Ctx = Context[OrdersSettings]

WHOLE = 10_000
"""All of something, in hundredths of a percent."""


def orders(ctx: Ctx, period: Period) -> Series:
    """Paid orders by local day, refunded ones included."""
    rows = ctx.sql("metric_paid", since=period.begin, until=period.end, timezone=ctx.tenant.timezone.key)
    return Series({_("Orders"): period.fill({row.day: row.orders for row in rows})}, kind="bar")


def revenue(ctx: Ctx, period: Period) -> Series:
    """Money paid by the day of the payment, and money that went back by the day of the refund."""
    binds = {"since": period.begin, "until": period.end, "timezone": ctx.tenant.timezone.key}
    paid = {row.day: row.paid for row in ctx.sql("metric_paid", **binds)}
    refunded = {row.day: row.refunded for row in ctx.sql("metric_refunded", **binds)}
    return Series({_("Paid"): period.fill(paid), _("Refunded"): period.fill(refunded)}, "money", "bar")


def returning(ctx: Ctx, period: Period) -> Stat:
    """The share of the period's buyers who had bought before their last order in it."""
    length = period.end - period.begin
    rows = ctx.sql("metric_returning", before=period.begin - length, since=period.begin, until=period.end)
    shares = {row.current: row.returning * WHOLE // row.buyers for row in rows}
    return Stat(shares.get(True), "percent", shares.get(False))


METRICS = (
    metric("orders", orders, question=_("How many orders are paid each day?")),
    metric("revenue", revenue, question=_("How much money comes in each day?")),
    metric("returning", returning, question=_("What share of the buyers had bought before?")),
)
