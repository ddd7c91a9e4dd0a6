"""What the merchant learns: who stands where, who moves, who is about to fall, and what must not be concluded."""

from collections.abc import Sequence
from datetime import date

from threepeat.sdk import Metric, Period, Series, Stat, Table, _, metric
from threepeat.sdk.metrics import Figure, MetricUnit
from threepeat_tiers.rules import Rules
from threepeat_tiers.versions import Ctx, newest, versions
from threepeat_tiers.windows import DAY, today, window_start

SOON = 31 * DAY
NONE = _("No tier")


def members(ctx: Ctx, period: Period) -> Table:
    """How many stand in each tier now, whatever the period."""
    del period
    rows = ctx.sql("metric_members")
    rules = newest(ctx)[1]
    columns: Sequence[tuple[str, MetricUnit]] = (
        (_("Tier"), ""),
        (_("Members"), ""),
        (_("Of these bought or granted"), ""),
    )
    return Table(columns, [(_name(rules, row.level), row.members, row.floors) for row in rows])


def moves(ctx: Ctx, period: Period) -> Series:
    """Who moved up and down on each day."""
    zone = str(ctx.tenant.timezone)
    rows = ctx.sql("metric_moves", since=period.begin, until=period.end, zone=zone)
    lines: dict[str, Sequence[Figure]] = {
        _("Moved up"): period.fill({row.day: row.up for row in rows}),
        _("Moved down"): period.fill({row.day: row.down for row in rows}),
    }
    return Series(lines, kind="bar")


def buying(ctx: Ctx, period: Period) -> Table:
    """Orders of the period by the tier in which the members stand now."""
    rows = ctx.sql("metric_buying", first=period.days[0], last=period.days[-1])
    rules = newest(ctx)[1]
    columns: Sequence[tuple[str, MetricUnit]] = (
        (_("Tier"), ""),
        (_("Members"), ""),
        (_("Of these ordered"), "percent"),
        (_("Orders of 100 members"), ""),
    )  # fmt: skip
    return Table(
        columns,
        [
            (
                _name(rules, row.level),
                row.members,
                _share(row.buyers, row.members),
                row.orders * 100 // row.members,
            )
            for row in rows
        ],
    )


def at_risk(ctx: Ctx, period: Period) -> Table:
    """Whose review comes within a month, and who would fall short of the tier if nothing came in before it."""
    del period
    day = today(ctx)
    known = versions(ctx, range(1, newest(ctx)[0] + 1))
    judged = {number: rules for number, rules in known.items() if rules.mode == "threshold"}
    keeps = [(number, one.level, one.keep) for number, rules in judged.items() for one in rules.tiers if one.keep]
    rows = ctx.sql(
        "metric_at_risk",
        until=day + SOON,
        versions=[number for number, _level, _keep in keeps],
        levels=[level for _number, level, _keep in keeps],
        keeps=[keep for *_rest, keep in keeps],
        firsts=[_first(judged[number], day) for number, *_rest in keeps],
    )
    rules = newest(ctx)[1]
    columns: Sequence[tuple[str, MetricUnit]] = (
        (_("Tier"), ""),
        (_("Reviewed within 31 days"), ""),
        (_("Short of growth so far"), ""),
    )
    return Table(columns, [(_name(rules, row.level), row.members, row.short) for row in rows])


def gifts(ctx: Ctx, period: Period) -> Stat:
    """Rewards for entering a tier and for birthdays that were given."""
    span = period.end - period.begin
    since, until = [period.begin, period.begin - span], [period.end, period.begin]
    now, before = ctx.sql("metric_gifts", since=since, until=until)
    return Stat(now.given, before=before.given)


def gifts_waiting(ctx: Ctx, period: Period) -> Stat:
    """Promised rewards that could not be given yet, whatever the period."""
    del period
    return Stat(ctx.sql("outstanding")[0].gifts)


METRICS: tuple[Metric, ...] = (
    metric("members", members, question=_("How many members stand in each tier?")),
    metric("moves", moves, question=_("How many move up and down each day?")),
    metric(
        "buying",
        buying,
        question=_(
            "How often do members of each tier buy? Buying is what brought them there: only the comparison group"
            " says whether the tiers make them buy more."
        ),
    ),
    metric("at_risk", at_risk, question=_("Who will fall at the next review?")),
    metric("gifts", gifts, question=_("How many rewards were given for entering a tier and for birthdays?")),
    metric("gifts_waiting", gifts_waiting, question=_("How many promised rewards could not be given yet?")),
)


def _name(rules: Rules, level: int) -> str:
    tier = rules.at(level)
    return tier.name if tier is not None else NONE


def _share(part: int, whole: int) -> int | None:
    """In hundredths of a percent."""
    return part * 10_000 // whole if whole else None


def _first(rules: Rules, day: date) -> date | None:
    """The first day that will count at the next review; None if it depends on when the member joined."""
    if rules.window == "membership_year":
        return None
    if rules.window == "rolling":
        return (day.replace(day=1) + 31 * DAY).replace(day=1) - rules.window_days * DAY
    return window_start(rules, day, day)
