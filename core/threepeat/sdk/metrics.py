"""What a plugin reports to the merchant: data, never HTML. Each metric answers one question."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from threepeat.sdk.errors import PluginError

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")

MetricUnit = Literal["", "money", "percent", "days"]
"""What figures are in: plain numbers, minor units of the store's currency, hundredths of a percent, or days."""

Figure = int | None
"""One figure; None where there is none, such as a rate of nobody."""


@dataclass(frozen=True, slots=True)
class Period:
    """What a metric is asked about.

    Attributes:
        days: The store's local days, without a gap, oldest first.
        begin: The instant at which the first of them begins.
        end: The instant at which the last of them ends.
    """

    days: Sequence[date]
    begin: datetime
    end: datetime

    def fill(self, figures: Mapping[date, int]) -> list[int]:
        """One figure for each day: those by local day, and 0 for every day that has none."""
        return [figures.get(day, 0) for day in self.days]


@dataclass(frozen=True, slots=True)
class Stat:
    """A single figure.

    Attributes:
        before: The same figure of as many days before, if it compares.
        warning: What is wrong with it and what to do, in one sentence; empty if nothing is.
    """

    value: Figure
    unit: MetricUnit = ""
    before: Figure = None
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Figures for each day of the period.

    Attributes:
        lines: By the name of the line; each has one figure for each day.
        kind: `line` for levels, `bar` for amounts of a day.
    """

    lines: Mapping[str, Sequence[Figure]]
    unit: MetricUnit = ""
    kind: Literal["line", "bar"] = "line"


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many came how far: steps by name, each at most as large as the one before."""

    steps: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        columns: A heading and a unit for each column; the first column is a text.
    """

    columns: Sequence[tuple[str, MetricUnit]]
    rows: Sequence[Sequence[Figure | str]]


Answer = Stat | Series | Funnel | Table


@dataclass(frozen=True, slots=True)
class Metric:
    """A question and who answers it. Build it with `metric`."""

    name: str
    question: str
    answer: Callable[[Any, Period], Answer]


def metric(name: str, answer: Callable[[Any, Period], Answer], *, question: str) -> Metric:
    """Report something to the merchant.

    Args:
        name: Short identifier, unique in the plugin.
        answer: Takes a context and a `Period`, reads only, and returns a `Stat`, `Series`, `Funnel` or `Table`.
            One query for the whole period, never one for each day.
        question: What the merchant reads above it, as a question: `_("How many points are earned each day?")`.

    Raises:
        PluginError: The name or the question does not fit.
    """
    if not NAME.fullmatch(name):
        raise PluginError(f"the metric {name!r} must match {NAME.pattern}")
    if not question.strip():
        raise PluginError(f"the metric {name!r} needs a question")
    return Metric(name, question, answer)
