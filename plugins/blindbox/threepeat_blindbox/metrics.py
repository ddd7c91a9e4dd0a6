"""What the merchant sees: which items came against the odds, boxes a day, and buyers who come back."""

from fractions import Fraction

from threepeat.sdk import Metric, Period, Series, Stat, Table, _, metric
from threepeat_blindbox import evidence
from threepeat_blindbox.odds import Pool, effective
from threepeat_blindbox.pools import Ctx


def items(ctx: Ctx, period: Period) -> Table:
    """How often each item came, and how often the published odds say."""
    rows = ctx.sql("metric_items", begin=period.begin, end=period.end)
    pools = {(row.series_id, row.version): evidence.read_pool(row.body) for row in rows}
    expected: dict[tuple[int, str], Fraction] = {}
    counted: dict[tuple[int, str], int] = {}
    names: dict[int, str] = {}
    for row in rows:
        names[row.series_id] = row.name
        drawn = dict(row.drawn)
        for item, rate in _rates(pools[row.series_id, row.version]).items():
            place = (row.series_id, item)
            expected[place] = expected.get(place, Fraction(0)) + rate * sum(drawn.values())
            counted[place] = counted.get(place, 0) + drawn.get(item, 0)
    return Table(
        [(_("Series"), ""), (_("Item"), ""), (_("By the odds"), ""), (_("Drawn"), "")],
        [
            (names[series], item, round(expected[series, item]), counted[series, item])
            for series, item in sorted(expected)
        ],
    )


def daily(ctx: Ctx, period: Period) -> Series:
    """Boxes opened on each day."""
    zone = ctx.tenant.timezone.key
    rows = ctx.sql("metric_daily", begin=period.begin, end=period.end, zone=zone)
    return Series({_("Opened"): period.fill({row.day: row.opened for row in rows})}, kind="bar")


def again(ctx: Ctx, period: Period) -> Stat:
    """The share of buyers who opened boxes on more than one day."""
    span = period.end - period.begin
    return Stat(_again(ctx, period.begin, period.end), "percent", _again(ctx, period.begin - span, period.begin))


def owed(ctx: Ctx, period: Period) -> Stat:
    """Money that was asked back and has not been paid back."""
    del period
    (row,) = ctx.sql("metric_owed")
    warning = _("Your shop could not pay some of it back: settle it with the members.") if row.failed else ""
    return Stat(row.amount, "money", warning=warning)


def _again(ctx: Ctx, begin: object, end: object) -> int | None:
    (row,) = ctx.sql("metric_again", begin=begin, end=end, zone=ctx.tenant.timezone.key)
    return row.again * 10_000 // row.buyers if row.buyers else None


def _rates(pool: Pool) -> dict[str, Fraction]:
    """How often each item comes; in a case, over the whole of it."""
    return effective(pool, {one.item: one.left for one in pool.items})


METRICS: tuple[Metric, ...] = (
    metric("items", items, question=_("Which items came, and which should have by the published odds?")),
    metric("daily", daily, question=_("How many boxes are opened each day?")),
    metric("again", again, question=_("How many buyers opened boxes on more than one day?")),
    metric("owed", owed, question=_("How much money for boxes waits to be paid back?")),
)
