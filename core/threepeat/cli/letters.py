"""`threepeat letters` and `threepeat events`: what plugins could not handle, and the log as it grows."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events import letters as dead_letters
from threepeat.events import refusals
from threepeat.events.letters import LetterKind
from threepeat.events.platform import Platform
from threepeat.tenancy import switches, tenants
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant

BY = "operator"

TAIL = text("""
    SELECT e.position, e.received_at, e.occurred_at, e.source, e.id, e.type, e.subject, e.depth, e.erased_at,
           e.data::text AS data,
           (SELECT string_agg(d.plugin, ' ' ORDER BY d.plugin) FROM core.dead_letter d
            WHERE d.tenant_id = :tenant AND d.position = e.position) AS letters
    FROM core.event e
    WHERE e.tenant_id = :tenant AND e.position > :after
      AND (CAST(:type AS text) IS NULL OR e.type = :type)
    ORDER BY e.position LIMIT 1000
""")
HEAD = text("SELECT head FROM core.stream WHERE tenant_id = :tenant")

app = typer.Typer(help="Dead letters: what a plugin could not handle.", no_args_is_help=True)
events_app = typer.Typer(help="A tenant's event log.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's short name.")]
PluginName = Annotated[str, typer.Argument(metavar="PLUGIN", help="The plugin's id.")]
Reference = Annotated[
    str, typer.Argument(metavar="REFERENCE", help="The event's position, or name:key of a deadline or call.")
]
Kind = Annotated[str, typer.Option(help="event, timer or call.")]

console = Console()


@contextmanager
def _opened(slug: str) -> Iterator[tuple[Platform, Tenant]]:
    with Platform.open() as platform:
        with platform.database.directory() as connection:
            tenant = tenants.by_slug(connection, slug)
        yield platform, tenant


@contextmanager
def _inside(slug: str) -> Iterator[Scope]:
    with (
        _opened(slug) as (platform, tenant),
        platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope,
    ):
        yield scope


@app.command("list")
def list_letters(
    slug: Slug,
    plugin: Annotated[str | None, typer.Option(help="Of this plugin only.")] = None,
    member: Annotated[str | None, typer.Option(help="Of this member only, by the shop's id.")] = None,
    dropped: Annotated[bool, typer.Option("--dropped", help="Those that were dropped, too.")] = False,
    most: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 100,
) -> None:
    """List what plugins could not handle and what waits behind it, the oldest first.

    A plugin that failed too often in a row is paused; `threepeat letters resume` lets it go on.
    """
    table = Table("plugin", "kind", "reference", "what", "member", "state", "tried", "since", "error")
    with _inside(slug) as scope:
        for one in dead_letters.list_letters(scope, plugin=plugin, member=member, dropped=dropped, most=most):
            error = one.error.splitlines()[0] if one.error else ""
            since = f"{one.created_at:%Y-%m-%d %H:%M}"
            row = (one.plugin, one.kind, one.reference, one.name, one.member or "", one.state)
            table.add_row(*row, str(one.attempts), since, error)
        paused = {name: found.paused for name, found in switches.activations(scope).items() if found.paused}
    console.print(table)
    for name, reason in paused.items():
        console.print(f"[bold red]{name} is paused[/]: {reason}", highlight=False)


@app.command("show")
def show_letter(slug: Slug, plugin: PluginName, reference: Reference, kind: Kind = "event") -> None:
    """Show one letter whole: error and data. It may quote a person's data."""
    with _inside(slug) as scope:
        found = dead_letters.show(scope, plugin, _kind(kind), reference)
    typer.echo(f"{found.plugin}: {found.name} {found.reference}, {found.state}, tried {found.attempts} times")
    typer.echo(f"member: {found.member or '-'}")
    typer.echo(found.error)
    typer.echo(orjson.dumps(orjson.loads(found.data), option=orjson.OPT_INDENT_2).decode())


@app.command("retry")
def retry_letters(
    slug: Slug,
    plugin: Annotated[str | None, typer.Option(help="Of this plugin only.")] = None,
    member: Annotated[str | None, typer.Option(help="Of this member only, by the shop's id.")] = None,
    kind: Annotated[str | None, typer.Option(help="event, timer or call.")] = None,
    reference: Annotated[str | None, typer.Option(help="This one only; needs --plugin and --kind.")] = None,
) -> None:
    """Let the worker try letters again, each member's in the order of the log."""
    with _inside(slug) as scope:
        chosen = _kind(kind) if kind is not None else None
        count = dead_letters.retry(scope, plugin=plugin, member=member, kind=chosen, reference=reference, by=BY)
    typer.echo(f"{count} will be tried again by the worker")


@app.command("drop")
def drop_letter(slug: Slug, plugin: PluginName, reference: Reference, kind: Kind = "event") -> None:
    """Let a letter go for good: its effect will never happen. What waited behind it is tried."""
    with _inside(slug) as scope:
        dead_letters.drop(scope, plugin, _kind(kind), reference, by=BY)
    typer.echo(f"{reference} is dropped")


@app.command("resume")
def resume(slug: Slug, plugin: PluginName) -> None:
    """Let a paused plugin go on where it stopped."""
    with _inside(slug) as scope:
        switches.resume(scope, plugin, by=BY)
    typer.echo(f"{plugin} goes on")


@events_app.command("tail")
def tail(
    slug: Slug,
    number: Annotated[int, typer.Option("--number", "-n", min=0, max=1000, help="Begin so many back.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more, until Ctrl-C.")] = False,
    kind: Annotated[str | None, typer.Option("--type", help="Only events of this type.")] = None,
    data: Annotated[bool, typer.Option("--data", help="Show the data too; it may be a person's.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the newest events of a tenant's log, with the plugins that could not handle them."""
    with suppress(KeyboardInterrupt), _opened(slug) as (platform, tenant):
        after: int | None = None
        while after is None or follow:
            with platform.database.tenant(tenant.id) as scope:
                row = scope.one(HEAD)
                after = max((row.head if row else 0) - number, 0) if after is None else after
                after = _print(scope, after, kind, data=data, as_json=as_json)
            time.sleep(0.5 if follow else 0)


@events_app.command("refused")
def refused(
    slug: Slug,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=refusals.MOST, help="So many.")] = 20,
) -> None:
    """Show what a tenant sent of late that could not be taken: type and field, never a value."""
    table = Table("at", "type", "verdict", "field")
    with _inside(slug) as scope:
        for one in refusals.recent(scope, limit=number):
            table.add_row(f"{one.at:%Y-%m-%d %H:%M:%S}", one.type or "?", one.verdict, one.detail or "?")
    console.print(table)


def _print(scope: Scope, after: int, kind: str | None, *, data: bool, as_json: bool) -> int:
    for row in scope.run(TAIL, after=after, type=kind):
        after = row.position
        letters = f"  ✗ {row.letters}" if row.letters else ""
        if as_json:
            shown = {
                "position": row.position,
                "type": row.type,
                "subject": row.subject,
                "time": row.occurred_at,
                "source": row.source,
                "id": row.id,
                "depth": row.depth,
                "letters": (row.letters or "").split(),
                **({"data": orjson.Fragment(row.data)} if data else {}),
            }
            typer.echo(orjson.dumps(shown).decode())
        else:
            who = "(erased)" if row.erased_at else row.subject or "-"
            what = f"  {row.data}" if data else ""
            typer.echo(
                f"{row.position:>8}  {row.occurred_at:%Y-%m-%d %H:%M:%S}  {row.type:<22} {who}{what}{letters}"
            )
    return after


def _kind(given: str) -> LetterKind:
    if given == "event":
        return "event"
    if given == "timer":
        return "timer"
    if given == "call":
        return "call"
    raise NotFound(f"there are letters of events, timers and calls, not of {given!r}")
