"""The `threepeat` command and its subcommands; other distributions add theirs by entry point."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Annotated

import psycopg
import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from threepeat import __version__
from threepeat.cli import db, demo, importing, letters, plugin, serve
from threepeat.cli.logs import configure
from threepeat.cli.orders_file import ImportFileError
from threepeat.database.checks import BootError
from threepeat.database.config import DatabaseConfig
from threepeat.database.embedded import EmbeddedError
from threepeat.database.lost import because, is_lost
from threepeat.database.poolers import PoolerError
from threepeat.database.programs import BackupError
from threepeat.sdk.errors import PluginError, Refused
from threepeat.tenancy.errors import TenancyError

GROUP = "threepeat.commands"

READABLE = (
    BackupError,
    BootError,
    EmbeddedError,
    ImportFileError,
    PluginError,
    PoolerError,
    Refused,
    TenancyError,
)
"""Errors whose message says what to do."""

console = Console(stderr=True)

app = typer.Typer(
    name="threepeat",
    help="Retention tactics for stores: a small core, and a plugin for each tactic.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Group(typer.core.TyperGroup):
    """Turns the errors that a user can act on into one line and exit code 1."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run a command."""
        with readable_errors():
            return super().invoke(ctx)


@contextmanager
def readable_errors() -> Iterator[None]:
    """Print errors that say what to do without a traceback."""
    try:
        yield
    except READABLE as error:
        _fail(str(error))
    except (DBAPIError, psycopg.Error) as error:
        if not is_lost(error):
            raise
        _fail(f"the database cannot be reached: {because(error)}")
    except ValidationError as error:
        _fail("; ".join(f"{'.'.join(map(str, e['loc'])) or 'configuration'}: {e['msg']}" for e in error.errors()))


def _fail(message: str) -> None:
    console.print(f"[bold red]error[/] {escape(message)}", highlight=False, markup=True)
    raise typer.Exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
    log_format: Annotated[
        str,
        typer.Option(envvar="THREEPEAT_LOG_FORMAT", help="json for machines, text for people, auto by terminal."),
    ] = "auto",
    log_level: Annotated[
        str, typer.Option(envvar="THREEPEAT_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    """Retention tactics for stores: a small core, and a plugin for each tactic."""
    del version
    configure(log_format, log_level)


@app.command()
def doctor() -> None:
    """Look at database, roles, schemas and plugins; exit 1 if anything keeps them from serving."""
    from threepeat.events.platform import Platform  # noqa: PLC0415

    out = Console()
    config = DatabaseConfig()
    with Platform.open(config) as platform:
        table = Table("plugin", "kind", "version", "from", "state")
        for plugin in platform.registry:
            manifest = plugin.manifest
            table.add_row(plugin.id, manifest.kind, plugin.version, plugin.distribution, "[green]ok[/]")
        for found in platform.registry.quarantined.values():
            table.add_row(found.id, "", "", found.distribution, f"[red]quarantined[/] {found.reason}")
        out.print(f"database: {'embedded in ' + str(config.data) if config.embedded else 'by URL'}, safe to serve")
        out.print(table)
    if platform.registry.quarantined:
        raise typer.Exit(1)


@app.command()
def verify(
    tenant: Annotated[str | None, typer.Option(help="Check this tenant only, by its short name.")] = None,
) -> None:
    """Check every promise about stored data, for each tenant; exit 1 if one does not hold."""
    from threepeat.events.platform import Platform  # noqa: PLC0415
    from threepeat.events.verify import verify as check  # noqa: PLC0415
    from threepeat.tenancy import tenants  # noqa: PLC0415

    with Platform.open() as platform:
        with platform.database.directory() as connection:
            wanted = [tenants.by_slug(connection, tenant)] if tenant else tenants.everyone(connection)
        checks, broken = 0, 0
        for one in wanted:
            for finding in check(platform, one):
                checks += 1
                if finding.rows:
                    broken += 1
                    typer.echo(f"{finding.tenant}: {finding.owner}.{finding.name}: {finding.promise}")
                    for row in finding.rows:
                        typer.echo(f"  {row}")
    typer.echo(f"{checks} checks in {len(wanted)} tenants, {broken} violated")
    if broken:
        raise typer.Exit(1)


app.command()(serve.serve)
app.command()(serve.worker)
app.command()(demo.demo)
app.add_typer(db.app, name="db")
app.add_typer(importing.app, name="import")
app.add_typer(letters.app, name="letters")
app.add_typer(letters.events_app, name="events")
app.add_typer(plugin.app, name="plugin")
app.info.cls = Group

for point in entry_points(group=GROUP):
    try:
        point.load()(app)
    except Exception as error:  # noqa: BLE001 - a broken extension must not take the command line away
        print(f"the commands of {point.value} cannot be loaded: {error}", file=sys.stderr)  # noqa: T201
