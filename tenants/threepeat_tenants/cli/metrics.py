"""`threepeat metrics`: what a store's plugins report, in a terminal."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from threepeat.events import metrics
from threepeat.events.metrics import Reported
from threepeat.sdk.context import Store
from threepeat.sdk.metrics import Period
from threepeat_tenants.console.charts import Chart, Charts
from threepeat_tenants.opening import Slug, inside

console = Console(markup=False, highlight=False)

Only = Annotated[str | None, typer.Argument(metavar="[PLUGIN]", help="The only plugin to show.")]
Days = Annotated[int, typer.Option(help="How many of the store's local days, up to today.")]


def register(app: typer.Typer) -> None:
    """Add the command to `threepeat`."""
    app.command("metrics")(show_metrics)


def show_metrics(
    slug: Slug,
    plugin: Only = None,
    days: Days = 30,
    as_json: Annotated[bool, typer.Option("--json", help="As the API answers it.")] = False,
) -> None:
    """Show what the plugins of a tenant report that are on, or closing."""
    # Late: a worker chooses how its processes count before anything that counts is loaded.
    from threepeat.http.metrics import view  # noqa: PLC0415

    with inside(slug) as (platform, tenant, scope):
        opened = platform.inside(scope, tenant)
        if as_json:
            typer.echo(view(opened, days, plugin).model_dump_json(indent=2))
            return
        asked = metrics.period(tenant.store, scope.now, days)
        wanted = metrics.reporting(opened) if plugin is None else [metrics.one_reporting(opened, plugin)]
        for one in wanted:
            console.rule(str(one.manifest.title), align="left")
            _show(tenant.store, asked, metrics.report(opened, one, asked))


def _show(store: Store, asked: Period, reported: Sequence[Reported]) -> None:
    charts = Charts(store, "en", "day", "step", "members", "share", str)
    for one in reported:
        question = str(one.metric.question)
        console.print(f"\n{question}")
        if one.answer is None:
            console.print(f"  {one.error}")
        else:
            _draw(charts.chart(one.metric.name, question, one.answer, asked))


def _draw(chart: Chart) -> None:
    if chart.kind == "stat":
        before = f" ({chart.before} before)" if chart.before else ""
        console.print(f"  {chart.value}{before}")
        return
    table = Table()
    for heading in chart.headings:
        table.add_column(heading.shown, justify="right" if heading.number else "left")
    for row in chart.rows:
        table.add_row(*(cell.shown for cell in row))
    console.print(table)
