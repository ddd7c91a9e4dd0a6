"""What plugins report, as figures, tables, and the data of charts: one heading each, the question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from threepeat.sdk.context import Store
from threepeat.sdk.metrics import Answer, Figure, Funnel, MetricUnit, Period, Series, Stat, Table
from threepeat_tenants.console import formats


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table, as it is shown."""

    shown: str
    number: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A metric, ready for `parts/chart.html`.

    Attributes:
        id: Unique on its page.
        question: What it answers.
        kind: `stat`, `line`, `bar`, `funnel` or `table`.
        headings: Of the table that says the same, each with whether its column holds numbers.
        rows: Of that table.
        data: For the script that draws; empty if there is nothing to draw.
        value: A stat's figure.
        before: The figure that it compares with; empty if there is none.
        change: How much it has changed since, with its sign; empty if it cannot be said.
        warning: What is wrong with a stat's figure; empty if nothing is.
        failed: Why there is no answer; empty if there is one.
    """

    id: str
    question: str
    kind: str
    headings: Sequence[Cell] = ()
    rows: Sequence[Sequence[Cell]] = ()
    data: dict[str, Any] | None = None
    value: str = ""
    before: str = ""
    change: str = ""
    warning: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Charts:
    """Makes charts for one reader.

    Args:
        store: Whose money it is.
        locale: The reader's language.
        day: The heading of the days, in that language.
        step: The heading of a funnel's steps.
        count: The heading of how many came that far.
        share: The heading of their share of the first step.
        translate: Says the plugin's texts in that language.
    """

    store: Store
    locale: str
    day: str
    step: str
    count: str
    share: str
    translate: Callable[[str], str]

    def chart(self, id: str, question: str, answer: Answer, period: Period) -> Chart:  # noqa: A002 - HTML's name
        """A metric's answer as a chart and the table that says the same."""
        asked = self.translate(question)
        match answer:
            case Stat():
                return self._stat(id, asked, answer)
            case Series():
                return self._series(id, asked, answer, period)
            case Funnel():
                return self._funnel(id, asked, answer)
            case Table():
                return self._table(id, asked, answer)

    def failed(self, id: str, question: str, reason: str) -> Chart:  # noqa: A002 - HTML's name
        """A metric that has no answer."""
        return Chart(id, self.translate(question), "failed", failed=reason)

    def _figure(self, value: Figure, unit: MetricUnit) -> str:
        return formats.figure(value, unit, self.store, self.locale)

    def _number(self, value: Figure, unit: MetricUnit) -> Cell:
        return Cell(self._figure(value, unit), number=True)

    def _stat(self, id: str, question: str, stat: Stat) -> Chart:  # noqa: A002
        change = ""
        if stat.value is not None and stat.before:
            grown = round((stat.value - stat.before) * 10_000 / stat.before)
            change = ("+" if grown > 0 else "") + formats.percent(round(grown, -2), self.locale)
        return Chart(
            id,
            question,
            "stat",
            value=self._figure(stat.value, stat.unit),
            before="" if stat.before is None else self._figure(stat.before, stat.unit),
            change=change,
            warning=self.translate(stat.warning) if stat.warning else "",
        )

    def _series(self, id: str, question: str, series: Series, period: Period) -> Chart:  # noqa: A002
        names = [self.translate(name) for name in series.lines]
        days = [formats.day(day, self.locale) for day in period.days]
        columns = list(series.lines.values())
        rows = [
            [Cell(day, number=False), *(self._number(column[place], series.unit) for column in columns)]
            for place, day in enumerate(days)
        ]
        lines = [
            {"name": name, "values": list(column), "shown": [self._figure(value, series.unit) for value in column]}
            for name, column in zip(names, columns, strict=True)
        ]
        return Chart(
            id,
            question,
            series.kind,
            headings=[Cell(self.day, number=False), *(Cell(name, number=True) for name in names)],
            rows=rows,
            data={
                "kind": series.kind,
                "days": [formats.short_day(day, self.locale) for day in period.days],
                "full": days,
                "lines": lines,
                **self._scale(series.unit),
            },
        )

    def _funnel(self, id: str, question: str, funnel: Funnel) -> Chart:  # noqa: A002
        first = funnel.steps[0][1] if funnel.steps else 0
        steps = [
            (self.translate(name), count, count * 10_000 // first if first else None)
            for name, count in funnel.steps
        ]
        headings = [Cell(self.step, number=False), Cell(self.count, number=True), Cell(self.share, number=True)]
        rows = [
            [Cell(name, number=False), self._number(count, ""), self._number(share, "percent")]
            for name, count, share in steps
        ]
        if not first:  # a drawing of nothing would look as if everybody went on
            return Chart(id, question, "table", headings=headings, rows=rows)
        return Chart(
            id,
            question,
            "funnel",
            headings=headings,
            rows=rows,
            data={
                "kind": "funnel",
                "steps": [
                    {
                        "name": name,
                        "value": count,
                        "shown": f"{self._figure(count, '')} · {self._figure(share, 'percent')}",
                    }
                    for name, count, share in steps
                ],
            },
        )

    def _table(self, id: str, question: str, table: Table) -> Chart:  # noqa: A002
        units = [unit for _, unit in table.columns]
        return Chart(
            id,
            question,
            "table",
            headings=[
                Cell(self.translate(name), number=place > 0) for place, (name, _) in enumerate(table.columns)
            ],
            rows=[[self._cell(value, unit) for value, unit in zip(row, units, strict=True)] for row in table.rows],
        )

    def _cell(self, value: Figure | str, unit: MetricUnit) -> Cell:
        if isinstance(value, str):
            return Cell(self.translate(value), number=False)
        return self._number(value, unit)

    def _scale(self, unit: MetricUnit) -> dict[str, Any]:
        """How the script writes the figures of an axis."""
        if unit == "money":
            return {"divisor": self.store.minor_units, "style": "currency", "currency": self.store.currency}
        return {"divisor": 10_000, "style": "percent"} if unit == "percent" else {"divisor": 1, "style": "decimal"}
