"""`threepeat plugin`: what those who write plugins need, and those who install them."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Write plugins, check them, and look at those that are installed.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Such as thanks or bring-a-friend; its id.")],
    title: Annotated[str | None, typer.Option(help="What merchants call it.")] = None,
    title_zh: Annotated[str | None, typer.Option(help="What merchants call it in Chinese.")] = None,
    author: Annotated[str | None, typer.Option(help="Who writes it.")] = None,
    licence: Annotated[
        str | None, typer.Option("--license", help="MIT, Apache-2.0, BSD-3-Clause or proprietary.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The project's folder; threepeat-NAME by default.")
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing.")] = False,
) -> None:
    """Write a new tactic that works: tested, typed, translated, and keeping every rule.

    It thanks members after every few orders; change it into yours. It is a project of its own, to be published as
    a distribution. Needs the extra `developer` of threepeat-core.
    """
    from threepeat.cli.plugin import making  # noqa: PLC0415

    given = {"title": title, "title_zh": title_zh, "author": author, "license": licence}
    making.run(name, given, output=output, defaults=defaults)


@app.command("check")
def check(
    target: Annotated[
        str,
        typer.Argument(metavar="PATH|ID", help="The folder of a plugin's project, or an installed one's id."),
    ] = ".",
    as_json: AsJson = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="RULE", help="Ask this rule only; repeat it.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 1 also if a rule is broken that is only advised.")
    ] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Keep the outcome of the whole check in the platform's database.")
    ] = False,
) -> None:
    """Ask every rule of the conformance suite about a plugin; exit 1 if it breaks one that it must keep.

    The plugin has to be installed, as `pip install -e .` does. It runs on a PostgreSQL of its own in a temporary
    folder; DATABASE_URL names another, by a superuser's URL. What --record keeps is shown by `threepeat plugin
    list` and on the operators' pages, whether the plugin passes or not.
    """
    from threepeat.cli.plugin import checking  # noqa: PLC0415

    broken = checking.run(target, only or (), as_json=as_json, strict=strict, record=record)
    if broken:
        raise typer.Exit(1)


@app.command("dev")
def dev(
    target: Annotated[
        str, typer.Argument(metavar="PATH|ID", help="The folder of a plugin's project, or an installed one's id.")
    ] = ".",
    data: Annotated[Path, typer.Option(help="Folder of the database.")] = Path(".threepeat/dev"),
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 0,
    once: Annotated[bool, typer.Option("--once", help="Stop when everything is up.")] = False,
) -> None:
    """Serve a demo store with the plugin on, and start again whenever a file of the plugin changes.

    Database, API, consoles and worker run on this machine only; it says who can sign in. Ctrl-C stops everything.
    """
    from threepeat.cli.plugin import checking, developing  # noqa: PLC0415

    developing.run(checking.project(target).plugin, data, port=port, once=once)


@app.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """List the plugins: where they come from, whether they fit and run, and how many stores have them on.

    It starts no database; without one that runs, what only it knows is left out.
    """
    from threepeat.cli.plugin import listing  # noqa: PLC0415

    listing.show_list(as_json=as_json)


@app.command("audit")
def audit(
    plugin: Annotated[
        str | None, typer.Argument(metavar="ID", help="This plugin only; without it all that are installed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at what plugins' distributions bring besides their plugin, without loading them.

    Exit 1 if one has a .pth file, which runs at every start of Python, or files outside its own package.
    """
    from threepeat.cli.plugin import listing  # noqa: PLC0415

    if listing.show_audit(plugin, as_json=as_json):
        raise typer.Exit(1)


@app.command("purge")
def purge(
    plugin: Annotated[str, typer.Argument(metavar="ID", help="The plugin's id.")],
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write it first; {ID}-purged.zip by default.")
    ] = None,
    no_export: Annotated[bool, typer.Option("--no-export", help="Write no file: it cannot be had back.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete all data of a plugin that is uninstalled, or off in every store; first it is written into a file.

    To uninstall a plugin deletes nothing: installed again, it goes on with what it had. This ends that. Its schema
    goes, and what core keeps for it: how stores have set it, where it stands in their logs, its deadlines and its
    dead letters. The file is a zip of JSON lines, one file for each table.
    """
    from threepeat.cli.plugin import purging  # noqa: PLC0415

    purging.run(plugin, None if no_export else export or Path(f"{plugin}-purged.zip"), yes=yes)
