"""`threepeat collection`: what a merchant manages in a plugin besides its settings, from a terminal."""

import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from threepeat.events import collections
from threepeat.events.collections import Managed
from threepeat.sdk.collections import MAX_PAGE, Item, Query
from threepeat.tenancy.errors import Invalid
from threepeat_tenants.opening import BY, Slug, inside

console = Console()

app = typer.Typer(
    help="Manage what a plugin keeps besides its settings, such as bonus days.", no_args_is_help=True
)

Plugin = Annotated[str, typer.Argument(metavar="PLUGIN", help="The plugin's id.")]
Name = Annotated[str, typer.Argument(metavar="COLLECTION", help="Such as bonus_days.")]
ItemId = Annotated[str, typer.Argument(metavar="ITEM", help="The item's id, as the list shows it.")]
Values = Annotated[
    str,
    typer.Argument(metavar="JSON", help="The fields as a JSON object; @file reads a file, - the standard input."),
]
Revision = Annotated[
    int | None, typer.Option(help="The revision that you read: refused if somebody changed it since.")
]


def register(root: typer.Typer) -> None:
    """Add the commands to `threepeat`."""
    root.add_typer(app, name="collection")


@app.command("list")
def list_items(
    slug: Slug,
    plugin: Annotated[str | None, typer.Argument(metavar="[PLUGIN]", help="The plugin's id.")] = None,
    name: Annotated[str | None, typer.Argument(metavar="[COLLECTION]", help="Such as bonus_days.")] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    search: Annotated[str, typer.Option(help="Only those whose title contains this.")] = "",
    after: Annotated[str | None, typer.Option(help="Only those after the item with this id.")] = None,
    limit: Annotated[int, typer.Option(help=f"How many, 1 to {MAX_PAGE}.")] = 50,
) -> None:
    """List a collection's items; without a collection, the collections that a tenant has."""
    with inside(slug) as (platform, tenant, scope):
        opened = platform.inside(scope, tenant)
        if plugin is None or name is None:
            found = [one for one in collections.everything(opened) if plugin in {None, one.plugin.id}]
            _show_collections(found)
            return
        page = collections.find(opened, plugin, name, Query(state, search, after, limit))
    table = Table("item", "title", "state", "revision", "changed", "")
    for item in page.items:
        figures = ", ".join(f"{heading}: {figure}" for heading, figure in item.figures.items())
        local = item.changed_at.astimezone(tenant.store.timezone) if item.changed_at is not None else None
        changed = f"{local:%Y-%m-%d %H:%M}" if local is not None else ""
        table.add_row(item.id, _plain(item.title), item.state, str(item.revision), changed, _plain(figures))
    console.print(table)
    if page.next is not None:
        typer.echo(f"there are more: --after {page.next}")


@app.command("show")
def show_item(slug: Slug, plugin: Plugin, name: Name, item: ItemId) -> None:
    """Show an item with its values."""
    with inside(slug) as (platform, tenant, scope):
        opened = platform.inside(scope, tenant)
        found, one = collections.managed(opened, plugin, name), collections.read(opened, plugin, name, item)
    _show(found, one)


@app.command("create")
def create_item(slug: Slug, plugin: Plugin, name: Name, values: Values) -> None:
    """Make an item."""
    given = _read(values)
    with inside(slug) as (platform, tenant, scope):
        opened = platform.inside(scope, tenant)
        one = collections.create(opened, plugin, name, given, by=BY)
        found = collections.managed(opened, plugin, name)
    _show(found, one)


@app.command("update")
def update_item(
    slug: Slug, plugin: Plugin, name: Name, item: ItemId, values: Values, revision: Revision = None
) -> None:
    """Change some fields of an item; what is left out stays as it is."""
    changes = _read(values)
    with inside(slug) as (platform, tenant, scope):
        opened = platform.inside(scope, tenant)
        before = collections.read(opened, plugin, name, item)
        given = {**before.values.model_dump(mode="json", exclude_unset=True), **changes}
        seen = before.revision if revision is None else revision
        one = collections.update(opened, plugin, name, item, given, revision=seen, by=BY)
        found = collections.managed(opened, plugin, name)
    _show(found, one)


@app.command("act")
def act_on_item(
    slug: Slug,
    plugin: Plugin,
    name: Name,
    item: ItemId,
    action: Annotated[
        str, typer.Argument(metavar="ACTION", help="Such as publish; `show` names what is possible.")
    ],
    revision: Revision = None,
) -> None:
    """Take a step with an item."""
    with inside(slug) as (platform, tenant, scope):
        opened = platform.inside(scope, tenant)
        seen = collections.read(opened, plugin, name, item).revision if revision is None else revision
        one = collections.act(opened, plugin, name, item, action, revision=seen, by=BY)
        found = collections.managed(opened, plugin, name)
    _show(found, one)


@app.command("file")
def write_file(
    slug: Slug,
    plugin: Plugin,
    name: Name,
    item: ItemId,
    into: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it, instead of the standard output.")
    ] = None,
) -> None:
    """Write the file of an item, such as a batch's codes."""
    with inside(slug) as (platform, tenant, scope):
        content = collections.download(platform.inside(scope, tenant), plugin, name, item, by=BY)
    if into is None:
        sys.stdout.buffer.write(content)
        return
    try:
        into.write_bytes(content)
    except OSError as error:
        raise Invalid("--output", f"{into} cannot be written: {error.strerror}") from None


def _show_collections(found: list[Managed]) -> None:
    table = Table("plugin", "collection", "title", "states", "actions", "")
    for one in found:
        declared = one.declared
        states, actions = ", ".join(declared.states), ", ".join(declared.actions)
        state = "" if one.open else "closing"
        table.add_row(one.plugin.id, declared.name, _plain(declared.title), states, actions, state)
    console.print(table)


def _show(found: Managed, item: Item[Any]) -> None:
    table = Table("field", "value", show_header=False)
    for field, value in item.values.model_dump(mode="json").items():
        shown = value if isinstance(value, str) else orjson.dumps(value).decode()
        table.add_row(field, _plain(shown))
    for heading, figure in item.figures.items():
        table.add_row(_plain(heading), _plain(str(figure)))
    can = [*(["update"] if found.editable(item) else []), *(step.name for step in found.actions(item))]
    can += ["file"] if found.has_file(item) else []
    typer.echo(f"{found.plugin.id}/{found.declared.name}/{item.id} is {item.state}, revision {item.revision}")
    console.print(table)
    for heading, text in item.once.items():
        typer.echo(f"{heading}, shown this once:\n{text}")
    typer.echo(f"possible now: {', '.join(can) or 'nothing'}")


def _read(given: str) -> dict[str, Any]:
    """The JSON object that a user gives, names a file of, or pipes in."""
    try:
        if given.startswith("@"):
            raw = Path(given[1:]).read_bytes()
        else:
            raw = sys.stdin.buffer.read() if given == "-" else given.encode()
        value = orjson.loads(raw)
    except OSError as error:
        raise Invalid("JSON", f"{given[1:]} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise Invalid("JSON", f"that is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise Invalid("JSON", "give an object with the fields")
    return value


def _plain(text: str) -> str:
    """A text that people typed, without power over the terminal."""
    return escape("".join(letter if letter.isprintable() else " " for letter in text))
