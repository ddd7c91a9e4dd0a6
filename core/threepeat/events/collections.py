"""What merchants manage in a plugin: calls into its collections, inside a tenant's open transaction."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.events import items
from threepeat.events.context import Cause, PluginContext
from threepeat.events.sheets import sheet
from threepeat.plugins import Installed
from threepeat.plugins.translations import translate
from threepeat.sdk.collections import MAX_PAGE, Action, CollectionOf, Item, ItemModel, Once, Query
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.storable import storable
from threepeat.tenancy import audit, facts, filled, kinds, switches, types
from threepeat.tenancy.errors import Conflict, Fault, Invalid, NotFound, Stale, TenancyError
from threepeat.tenancy.switches import SwitchState

if TYPE_CHECKING:
    from threepeat.events.opened import OpenTenant

MAX_SEARCH = 100

VALUES = "values"
"""How errors call what was filled in."""

STATE = text("SELECT state FROM core.activation WHERE tenant_id = :tenant AND plugin = :plugin")


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        next: Pass it as `after` for what follows; None at the end.
    """

    items: Sequence[Item[Any]]
    next: str | None


@dataclass(frozen=True, slots=True)
class Managed:
    """A collection as it stands in a store."""

    plugin: Installed
    declared: CollectionOf[Any]
    state: SwitchState

    @property
    def open(self) -> bool:
        """Whether items can be made and saved; a tactic that is closing takes nothing new."""
        return self.state is SwitchState.ENABLED

    @property
    def makes(self) -> bool:
        """Whether the merchant can make items now."""
        return self.open and self.declared.create is not None

    def editable(self, item: Item[Any]) -> bool:
        """Whether the item's form can be saved now."""
        return self.open and item.state in self.declared.editable

    def has_file(self, item: Item[Any]) -> bool:
        """Whether there is a file of the item now."""
        return self.declared.download is not None and item.state in self.declared.download.states

    def actions(self, item: Item[Any]) -> list[Action]:
        """The steps that can be taken with the item now."""
        return [
            one for one in self.declared.actions.values() if item.state in one.states and (self.open or one.always)
        ]


def managed(opened: "OpenTenant", plugin_id: str, name: str) -> Managed:
    """A collection of a plugin that is on or closing.

    Raises:
        NotFound: The plugin is not installed, quarantined or off in this store, or has no such collection.
    """
    registry = opened.platform.registry
    if plugin_id not in registry:
        raise NotFound(f"there is no plugin {plugin_id!r}")
    plugin = registry[plugin_id]
    if name not in plugin.collections:
        raise NotFound(f"{plugin_id!r} has no collection {name!r}")
    state = opened.state(plugin_id)
    if state is SwitchState.OFF:
        raise NotFound(f"{plugin_id!r} is off in this store: switch it on first")
    return Managed(plugin, plugin.collections[name], state)


def everything(opened: "OpenTenant") -> list[Managed]:
    """Every collection of every plugin that is on or closing, in serving order."""
    return [
        managed(opened, plugin.id, name)
        for plugin in opened.platform.registry
        if opened.state(plugin.id) is not SwitchState.OFF
        for name in plugin.collections
    ]


def find(opened: "OpenTenant", plugin_id: str, name: str, query: Query) -> Page:
    """A page of items.

    Raises:
        NotFound: There is no such collection here.
        Invalid: Something of the query is not acceptable.
        PluginError: The plugin failed, or answered something else than it declared.
    """
    found = managed(opened, plugin_id, name)
    _require_askable(found.declared, query)
    asked = replace(query, limit=query.limit + 1)
    with _asking(opened, found) as context:
        given = found.declared.find(context, asked)
        items.require_answer(found.declared, given, asked)
    shown = given[: query.limit]
    return Page(shown, shown[-1].id if len(given) > len(shown) else None)


def read(opened: "OpenTenant", plugin_id: str, name: str, item_id: str) -> Item[Any]:
    """One item.

    Raises:
        NotFound: There is no such item or collection here.
        PluginError: The plugin failed, or answered something else than it declared.
    """
    return _read(opened, managed(opened, plugin_id, name), item_id)


def create(
    opened: "OpenTenant", plugin_id: str, name: str, given: Mapping[str, Any] | ItemModel, *, by: str
) -> Item[Any]:
    """Make an item of what was filled in.

    Args:
        given: The form's values, as JSON has them or as the collection's model.
        by: Who does it, for the audit trail.

    Raises:
        NotFound: There is no such collection here.
        Conflict: The plugin is closing, or merchants make no items of this collection.
        Invalid: A value is not acceptable; `errors` holds all of them.
        Refused: The plugin's rules are against it.
        PluginError: The plugin failed, or answered something else than it declared.
    """
    found = _hold(opened, managed(opened, plugin_id, name))
    if found.declared.create is None:
        raise Conflict("not-made-here", f"nobody makes an item of {name!r} by hand")
    values = _values(opened, found, given)
    with _changing(opened, found, f"create:{secrets.token_hex(16)}") as context:
        answer = found.declared.create(context, values)
        item_id, shown = (answer.id, answer.shown) if isinstance(answer, Once) else (answer, {})
        items.require_id(item_id)
        items.require_shown(shown)
    item = _read(opened, found, item_id, made=True)
    _record(opened, found, item, "created", by)
    return replace(item, once={str(heading): str(one) for heading, one in shown.items()})


def update(
    opened: "OpenTenant",
    plugin_id: str,
    name: str,
    item_id: str,
    given: Mapping[str, Any] | ItemModel,
    *,
    revision: int,
    by: str,
) -> Item[Any]:
    """Save an item's form, the whole of it.

    Args:
        revision: The revision that the caller read.

    Raises:
        NotFound: There is no such item or collection here.
        Stale: Somebody else changed it in between.
        Conflict: The plugin is closing, or the item's state lets nobody change it.
        Invalid: A value is not acceptable; `errors` holds all of them.
        Refused: The plugin's rules are against it.
        PluginError: The plugin failed, or answered something else than it declared.
    """
    found = _hold(opened, managed(opened, plugin_id, name))
    before = _seen(opened, found, item_id, revision)
    if found.declared.update is None or before.state not in found.declared.editable:
        editable = found.declared.editable
        only = f"only {_or(editable)} can be saved" if editable else "none can be saved"
        raise Conflict("not-editable", f"it is in the state {before.state}, and {only}")
    values = _values(opened, found, given)
    with _changing(opened, found, f"{item_id}:{revision}:update") as context:
        saved = found.declared.update(context, item_id, revision, values)
    return _written(opened, found, before, "updated", made=saved, by=by)


def act(
    opened: "OpenTenant", plugin_id: str, name: str, item_id: str, action: str, *, revision: int, by: str
) -> Item[Any]:
    """Take a step with an item, such as publish.

    Raises:
        NotFound: There is no such item, action or collection here.
        Stale: Somebody else changed it in between.
        Conflict: The plugin is closing, or the item's state does not allow the step.
        Refused: The plugin's rules are against it.
        PluginError: The plugin failed, or answered something else than it declared.
    """
    found = managed(opened, plugin_id, name)
    step = found.declared.actions.get(action)
    if step is None:
        raise NotFound(f"{name!r} has no action {action!r}")
    found = _hold(opened, found, always=step.always)
    before = _seen(opened, found, item_id, revision)
    if before.state not in step.states:
        raise Conflict("not-now", f"it is in the state {before.state}, and {action} is for {_or(step.states)}")
    with _changing(opened, found, f"{item_id}:{revision}:{action}") as context:
        made = step.handler(context, item_id, revision)
        shown = made.shown if isinstance(made, Once) else {}
        items.require_shown(shown)
    item = _written(opened, found, before, action, made=isinstance(made, Once) or made, by=by)
    return replace(item, once={str(heading): str(one) for heading, one in shown.items()})


def download(
    opened: "OpenTenant", plugin_id: str, name: str, item_id: str, *, by: str, locale: str = "en"
) -> bytes:
    """The file of an item: JSON, or CSV with a mark in front, so that spreadsheets read it as UTF-8.

    Args:
        by: Who takes it, for the audit trail.
        locale: The language of its headings.

    Raises:
        NotFound: There is no such item or collection here, or it has no file.
        Conflict: There is no file of it in this state.
        Refused: The plugin's rules are against it.
        PluginError: The plugin failed.
    """
    found = managed(opened, plugin_id, name)
    declared = found.declared.download
    if declared is None:
        raise NotFound(f"{name!r} has no files")
    item = _read(opened, found, item_id)
    if item.state not in declared.states:
        raise Conflict("not-now", f"it is in the state {item.state}, and its file is for {_or(declared.states)}")
    with _asking(opened, found) as context:
        given = declared.handler(context, item_id)
        if isinstance(given, Mapping) is not (declared.kind == "json"):
            raise PluginError(f"{name!r} promises a file of {declared.kind}, and gave a {type(given).__name__}")
        if isinstance(given, Mapping):
            made = orjson.dumps(given)
        else:
            headings, *lines = given
            made = sheet([[translate(found.plugin, str(one), locale) for one in headings], *lines])
    _record(opened, found, item, "downloaded", by)
    return made


def _hold(opened: "OpenTenant", found: Managed, *, always: bool = False) -> Managed:
    """Keep the switch as it stands until the change is done; what was read of it before may be old."""
    switches.stand_still(opened.scope)
    row = opened.scope.one(STATE, plugin=found.plugin.id)
    state = SwitchState(row.state) if row is not None else SwitchState.OFF
    if state is SwitchState.OFF:
        raise NotFound(f"{found.plugin.id!r} is off in this store: switch it on first")
    if state is SwitchState.CLOSING and not always:
        raise Conflict("closing", f"{found.plugin.id!r} is closing and takes nothing new: switch it on first")
    return replace(found, state=state)


def _seen(opened: "OpenTenant", found: Managed, item_id: str, revision: int) -> Item[Any]:
    """The item as the caller saw it."""
    if type(revision) is not int or not 1 <= revision <= items.MAX_REVISION:
        raise Invalid("revision", f"choose 1 to {items.MAX_REVISION}")
    item = _read(opened, found, item_id)
    if item.revision != revision:
        raise _stale(item_id)
    return item


def _written(
    opened: "OpenTenant", found: Managed, before: Item[Any], what: str, *, made: object, by: str
) -> Item[Any]:
    """The item after a change, if the plugin's conditional write says that it was made."""
    with _named(found):
        items.require_verdict(made)
    if not made:
        raise _stale(before.id)
    item = _read(opened, found, before.id, made=True)
    with _named(found):
        items.require_later(item, before)
    _record(opened, found, item, what, by)
    return item


def _stale(item_id: str) -> Stale:
    return Stale(f"{item_id!r} was changed by somebody else; read it again")


def _record(opened: "OpenTenant", found: Managed, item: Item[Any], what: str, by: str) -> None:
    subject = f"{found.plugin.id}/{found.declared.name}/{item.id}"
    audit.record(opened.scope, by, f"collection.{what}", subject, state=item.state, revision=item.revision)


def _require_askable(declared: CollectionOf[Any], query: Query) -> None:
    if type(query.limit) is not int or not 1 <= query.limit <= MAX_PAGE:
        raise Invalid("limit", f"choose 1 to {MAX_PAGE}")
    if query.state is not None and query.state not in declared.states:
        raise Invalid("state", f"choose {_or(declared.states)}")
    if query.after is not None and not items.ITEM_ID.fullmatch(query.after):
        raise Invalid("after", "give the `next` of the page before")
    if len(query.search) > MAX_SEARCH or not storable(query.search):
        raise Invalid("search", f"use at most {MAX_SEARCH} characters of valid text")


def _values(opened: "OpenTenant", found: Managed, given: Mapping[str, Any] | ItemModel) -> ItemModel:
    """What was filled in, checked by the model and by what the store has."""
    model: type[ItemModel] = found.declared.model
    if isinstance(given, model):
        meant = given
    else:
        if not isinstance(given, Mapping):
            raise Invalid(VALUES, "give an object with the fields of the form")
        filled.require_shallow(given, VALUES)
        with _named(found):
            try:
                meant = model.model_validate(given)
            except ValidationError as error:
                raise filled.invalid(error, VALUES) from None
    filled.require_storable(meant, VALUES)
    registry = opened.platform.registry
    on = [name for name in opened.activations if opened.state(name) is SwitchState.ENABLED]
    offered = kinds.offered(registry, on, found.plugin.id)
    wrong = [
        *facts.faults(meant, facts.catalogue(registry), (VALUES,)),
        *kinds.faults(meant, offered, (VALUES,)),
        *types.faults(meant, opened.platform.catalogue.classes, (VALUES,)),
    ]
    if wrong:
        raise Invalid.every(wrong)
    return meant


def _read(opened: "OpenTenant", found: Managed, item_id: str, *, made: bool = False) -> Item[Any]:
    """One item; one that was just `made` must be there."""
    if not items.ITEM_ID.fullmatch(item_id):
        raise NotFound(f"{found.declared.name!r} has no item {item_id!r}")
    with _asking(opened, found) as context:
        item = found.declared.read(context, item_id)
        if item is not None or made:
            items.require_item(found.declared, item)
            items.require_same(item, item_id)
    if item is None:
        raise NotFound(f"{found.declared.name!r} has no item {item_id!r}")
    return item


@contextmanager
def _asking(opened: "OpenTenant", found: Managed) -> Iterator[PluginContext]:
    """A context that reads: what it leaves to write is dropped."""
    with _named(found), opened.scope.plugin_call():
        yield opened.context(found.plugin, cause=Cause(f"collection:{found.declared.name}"))
    opened.scope.require_tenant()


@contextmanager
def _changing(opened: "OpenTenant", found: Managed, what: str) -> Iterator[PluginContext]:
    """A context that changes something; its events, deadlines and grants stand or fall with the change.

    Args:
        what: Unique for ever in the collection: events that the change emits are named after it.
    """
    context = opened.context(found.plugin, cause=Cause(f"collection:{found.declared.name}:{what}"))
    with _named(found), opened.scope.plugin_call():
        yield context
        context.finish()
    opened.scope.require_tenant()


@contextmanager
def _named(found: Managed) -> Iterator[None]:
    """Name the plugin and the collection that fail; answers to the caller pass."""
    what = f"{found.plugin.id}: the collection {found.declared.name!r}"
    try:
        yield
    except Refused as error:
        if error.field:
            raise Invalid.every([Fault(f"{VALUES}.{error.field}", error.reason, "refused")]) from None
        raise
    except TenancyError:
        raise
    except DBAPIError as error:
        # It stays what it is: whether trying again may help is for the caller to see.
        error.add_note(f"while it was asked: {what}")
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        raise PluginError(f"{what}: {reason}") from error


def _or(names: Mapping[str, Any] | frozenset[str]) -> str:
    return " or ".join(sorted(names))
