"""Whether a metric's answer can be shown."""

from itertools import pairwise
from typing import Any, get_args

from threepeat.sdk.errors import PluginError
from threepeat.sdk.metrics import Answer, Figure, Funnel, MetricUnit, Period, Series, Stat, Table
from threepeat.sdk.storable import storable

MAX_LINES = 20
MAX_STEPS = 20
MAX_COLUMNS = 20
MAX_ROWS = 1000
MAX_TEXT = 200
MAX_FIGURE = 2**63 - 1
UNITS = frozenset(get_args(MetricUnit))


def checked(answer: Any, asked: Period) -> Answer:
    """An answer that can be shown, copied so that nothing of the plugin's is left in it.

    Raises:
        PluginError: It does not fit; the message says where.
    """
    if isinstance(answer, Stat):
        warning = _text(answer.warning) if answer.warning else ""
        return Stat(_figure(answer.value), _unit(answer.unit), _figure(answer.before), warning)
    if isinstance(answer, Series):
        return _series(answer, asked)
    if isinstance(answer, Funnel):
        return _funnel(answer)
    if isinstance(answer, Table):
        return _table(answer)
    raise PluginError(f"a metric answers with Stat, Series, Funnel or Table, not {type(answer).__name__}")


def _series(answer: Series, asked: Period) -> Series:
    if not 1 <= len(answer.lines) <= MAX_LINES:
        raise PluginError(f"a series has 1 to {MAX_LINES} lines, not {len(answer.lines)}")
    if answer.kind not in {"line", "bar"}:
        raise PluginError(f"a series is a line or a bar, not {answer.kind!r}")
    for name, figures in answer.lines.items():
        if len(figures) != len(asked.days):
            raise PluginError(f"the line {name!r} has {len(figures)} figures for {len(asked.days)} days")
    lines = {_text(name): tuple(map(_figure, figures)) for name, figures in answer.lines.items()}
    return Series(lines, _unit(answer.unit), answer.kind)


def _funnel(answer: Funnel) -> Funnel:
    if not 1 <= len(answer.steps) <= MAX_STEPS:
        raise PluginError(f"a funnel has 1 to {MAX_STEPS} steps, not {len(answer.steps)}")
    steps = tuple((_text(name), _count(count)) for name, count in answer.steps)
    for (_before, above), (name, count) in pairwise(steps):
        if count > above:
            raise PluginError(f"the step {name!r} has more than the one before it")
    return Funnel(steps)


def _table(answer: Table) -> Table:
    if not 1 <= len(answer.columns) <= MAX_COLUMNS or len(answer.rows) > MAX_ROWS:
        raise PluginError(f"a table has 1 to {MAX_COLUMNS} columns and at most {MAX_ROWS} rows")
    columns = tuple((_text(heading), _unit(unit)) for heading, unit in answer.columns)
    for row in answer.rows:
        if len(row) != len(columns):
            raise PluginError(f"a row has {len(row)} cells for {len(columns)} columns")
    rows = tuple(
        (_text(row[0]), *(_text(cell) if isinstance(cell, str) else _figure(cell) for cell in row[1:]))
        for row in answer.rows
    )
    return Table(columns, rows)


def _figure(value: Any) -> Figure:
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_FIGURE:
        raise PluginError(f"a figure is a whole number or None, not {type(value).__name__}")
    return int(value)


def _count(value: Any) -> int:
    figure = _figure(value)
    if figure is None or figure < 0:
        raise PluginError("a step of a funnel is a number from 0")
    return figure


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT:
        raise PluginError(f"a text of an answer has 1 to {MAX_TEXT} characters")
    if not storable(value):
        raise PluginError("a text of an answer holds characters that are no text")
    return value


def _unit(value: Any) -> MetricUnit:
    if value not in UNITS:
        raise PluginError(f"a figure is in one of {sorted(UNITS)}")
    unit: MetricUnit = value
    return unit
