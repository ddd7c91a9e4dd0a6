"""`/v1/metrics`: what the plugins of a store report."""

from datetime import date
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from threepeat.events import metrics
from threepeat.events.metrics import MAX_DAYS, Reported
from threepeat.events.opened import OpenTenant
from threepeat.http.calls import AppDoor, bearer
from threepeat.http.paths import Room
from threepeat.plugins import Installed
from threepeat.sdk.metrics import Answer, Figure, Funnel, MetricUnit, Series, Stat
from threepeat.tenancy.switches import SwitchState

router = Room(prefix="/v1/metrics", tags=["metrics"], dependencies=[Depends(bearer)])

Days = Annotated[int, Query(ge=1, le=MAX_DAYS, description="How many of the store's local days, up to today.")]
Unit = Annotated[
    MetricUnit,
    Field(
        description="`money` is minor units of the store's currency, `percent` hundredths of a percent,"
        " `days` days; empty are plain numbers."
    ),
]


class StatView(BaseModel):
    """A single figure."""

    kind: Literal["stat"] = "stat"
    unit: Unit
    value: Figure
    before: Figure = Field(description="The same figure of as many days before, if it compares.")
    warning: str = Field(description="What is wrong with it and what to do; empty if nothing is.")


class LineView(BaseModel):
    """One line of a series."""

    name: str
    figures: list[Figure] = Field(description="One for each of `days`.")


class SeriesView(BaseModel):
    """Figures for each day."""

    kind: Literal["series"] = "series"
    unit: Unit
    shape: Literal["line", "bar"]
    lines: list[LineView]


class StepView(BaseModel):
    """How many came so far."""

    name: str
    count: int


class FunnelView(BaseModel):
    """How many came how far; each step counts some of those of the step before."""

    kind: Literal["funnel"] = "funnel"
    steps: list[StepView]


class ColumnView(BaseModel):
    """A heading, and what stands below it."""

    heading: str
    unit: Unit


class TableView(BaseModel):
    """Rows under headings; the first cell of a row is a text."""

    kind: Literal["table"] = "table"
    columns: list[ColumnView]
    rows: list[list[int | str | None]]


AnswerView = Annotated[StatView | SeriesView | FunnelView | TableView, Field(discriminator="kind")]


class MetricView(BaseModel):
    """A question and its answer."""

    name: str
    question: str
    answer: AnswerView | None
    error: str | None = Field(description="Why there is no answer.")


class PluginMetrics(BaseModel):
    """What one plugin reports."""

    id: str
    title: str
    state: SwitchState
    metrics: list[MetricView]


class MetricsView(BaseModel):
    """What is reported about a period."""

    currency: str = Field(description="ISO 4217 code of all money.")
    minor_units: int = Field(description="Minor units in one whole unit of the currency.")
    days: list[date] = Field(description="The store's local days, oldest first.")
    plugins: list[PluginMetrics]


@router.get("", response_model=MetricsView, summary="What the tactics and services report")
def get_metrics(request: Request, door: AppDoor, days: Days = 30) -> MetricsView:
    """Everything that plugins report which are on in this store, or closing."""
    return door.read(request, lambda call: view(call.opened, days))


@router.get("/{plugin}", response_model=MetricsView, summary="What one plugin reports")
def get_plugin_metrics(request: Request, door: AppDoor, plugin: str, days: Days = 30) -> MetricsView:
    """What one plugin reports; not found if it is off, or reports nothing."""
    return door.read(request, lambda call: view(call.opened, days, plugin))


def view(opened: OpenTenant, days: int, only: str | None = None) -> MetricsView:
    """What is reported about a store's last days.

    Args:
        only: The only plugin to ask; all that are on or closing by default.

    Raises:
        Invalid: `days` is not 1 to 366.
        NotFound: The only plugin reports nothing.
    """
    store = opened.tenant.store
    asked = metrics.period(store, opened.scope.now, days)
    wanted = metrics.reporting(opened) if only is None else [metrics.one_reporting(opened, only)]

    def reported(plugin: Installed) -> PluginMetrics:
        return PluginMetrics(
            id=plugin.id,
            title=str(plugin.manifest.title),
            state=opened.state(plugin.id),
            metrics=[_metric(one) for one in metrics.report(opened, plugin, asked)],
        )

    return MetricsView(
        currency=store.currency,
        minor_units=store.minor_units,
        days=list(asked.days),
        plugins=[reported(plugin) for plugin in wanted],
    )


def _metric(reported: Reported) -> MetricView:
    answer = _answer(reported.answer) if reported.answer is not None else None
    metric = reported.metric
    return MetricView(name=metric.name, question=str(metric.question), answer=answer, error=reported.error)


def _answer(answer: Answer) -> StatView | SeriesView | FunnelView | TableView:
    if isinstance(answer, Stat):
        return StatView(unit=answer.unit, value=answer.value, before=answer.before, warning=str(answer.warning))
    if isinstance(answer, Series):
        lines = [LineView(name=str(name), figures=list(figures)) for name, figures in answer.lines.items()]
        return SeriesView(unit=answer.unit, shape=answer.kind, lines=lines)
    if isinstance(answer, Funnel):
        return FunnelView(steps=[StepView(name=str(name), count=count) for name, count in answer.steps])
    columns = [ColumnView(heading=str(heading), unit=unit) for heading, unit in answer.columns]
    return TableView(columns=columns, rows=[list(row) for row in answer.rows])
