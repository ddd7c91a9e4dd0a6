"""`threepeat db`: the embedded server, schemas up to date, backup and restore."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from threepeat.cli import backup
from threepeat.database import migrate
from threepeat.database.config import DatabaseConfig, Urls, connect, driver_url
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.engine import Database
from threepeat.database.roles import Passwords, bootstrap
from threepeat.events.platform import sources
from threepeat.plugins import Registry
from threepeat.sdk.migrations import Roles

app = typer.Typer(help="The embedded PostgreSQL, the schemas in it, backup and restore.", no_args_is_help=True)


def _embedded() -> EmbeddedServer:
    config = DatabaseConfig()
    if not config.embedded:
        typer.echo("THREEPEAT_APP_URL names a server of yours: start and stop it there", err=True)
        raise typer.Exit(1)
    return EmbeddedServer(config.data)


@app.command()
def start() -> None:
    """Start the embedded server; `serve`, `worker` and `demo` do so themselves."""
    server = _embedded()
    server.start()
    typer.echo(f"running, process {server.status().pid}")


@app.command()
def stop() -> None:
    """Stop the embedded server."""
    _embedded().stop()
    typer.echo("stopped")


@app.command()
def status() -> None:
    """Say whether the server runs and how every schema stands to its code; exit 1 unless all are ok."""
    config = DatabaseConfig()
    out = Console()
    if config.embedded:
        found = _embedded().status()
        out.print(f"embedded server in {found.data}: {'running' if found.running else 'stopped'}")
        if not found.running:
            raise typer.Exit(1)
    urls = connect(config)
    database = Database(urls)
    table = Table("schema", "state", "current", "newest")
    with database.owner.connect() as connection:
        states = migrate.status(connection, urls.roles, [migrate.CORE, *sources(Registry.discover())])
    database.dispose()
    for one in states:
        table.add_row(one.schema, one.state, one.current or "-", one.head or "-")
    out.print(table)
    if any(one.state in {migrate.State.PENDING, migrate.State.AHEAD} for one in states):
        raise typer.Exit(1)


@app.command()
def upgrade() -> None:
    """Bring core's schema and every plugin's up to date."""
    urls: Urls = connect(DatabaseConfig())
    database = Database(urls)
    before, failed = migrate.upgrade_all(database.owner, urls.roles, sources(Registry.discover()))
    database.dispose()
    for one in before:
        moved = "" if one.state is migrate.State.OK else f" (was {one.current or 'not there'})"
        typer.echo(f"{one.schema}: {one.head}{moved}")
    for schema, reason in failed.items():
        typer.echo(f"{schema}: {reason}", err=True)
    if failed:
        raise typer.Exit(1)


@app.command()
def create(
    admin_url: Annotated[str, typer.Argument(help="URL of a role that may create roles and databases.")],
    name: Annotated[str, typer.Option(help="Name of the database to make.")] = "threepeat",
) -> None:
    """Make roles and database on a server of yours, and print the three URLs to set.

    Run it again to give the roles new passwords.
    """
    import secrets  # noqa: PLC0415

    roles = Roles.prefixed(DatabaseConfig().role_prefix)
    passwords = Passwords(*(secrets.token_urlsafe(24) for _ in range(3)))
    admin = driver_url(admin_url)
    bootstrap(admin.set(drivername="postgresql").render_as_string(hide_password=False), name, roles, passwords)
    for variable, role in (("APP", "app"), ("OWNER", "owner"), ("OPS", "ops")):
        url = admin.set(
            drivername="postgresql",
            username=getattr(roles, role),
            password=getattr(passwords, role),
            database=name,
        )
        typer.echo(f"export THREEPEAT_{variable}_URL='{url.render_as_string(hide_password=False)}'")


app.command()(backup.backup)
app.command()(backup.restore)
app.command()(backup.discard)
