"""`threepeat plugin purge`: ends the data of a plugin that nobody uses any more."""

from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from threepeat.database.config import DatabaseConfig, connect
from threepeat.database.engine import Database
from threepeat.events import purging
from threepeat.plugins import distributions
from threepeat.tenancy.errors import Conflict

BY = "operator:cli"


def run(plugin: str, export: Path | None, *, yes: bool) -> None:
    """Say what is there of a plugin, ask, write it into a file and delete it.

    Args:
        plugin: The plugin's id.
        export: The file; None for none.
        yes: Do not ask.

    Raises:
        TenancyError: It cannot be purged; the message says why. Nothing was changed.
        Exit: Another id was typed.
    """
    installed = plugin in distributions.of_plugins()
    database = Database(connect(DatabaseConfig()))
    try:
        with database.owner.connect() as connection:
            found = purging.remains(connection, plugin)
        if installed and found.stores:
            raise Conflict(
                "on", f"{plugin!r} is installed and on in {', '.join(found.stores)}: switch it off there first"
            )
        if export is not None and export.exists():
            raise Conflict("exists", f"{export} is there already: choose another name")
        table = Table("table", "rows")
        for name, rows in found.tables.items():
            table.add_row(name, f"{rows:,}")
        Console().print(table)
        for name, reason in purging.KEPT.items():
            typer.echo(f"{name} stays: {reason}.")
        if not yes and typer.prompt(f"All of this is deleted. Type {plugin} to go on") != plugin:
            typer.echo("That is another name: nothing was deleted.")
            raise typer.Exit(1)
        purging.purge(database.owner, plugin, installed=installed, export=export, by=BY)
    finally:
        database.dispose()
    typer.echo(f"{plugin} is purged.")
    if export is not None:
        typer.echo(f"{export} holds what was there, members' data too: later erasures do not reach into it.")
    if installed:
        typer.echo("It is still installed: the next `threepeat db upgrade` makes its tables anew, empty.")
