"""What a merchant manages besides settings: campaigns, series, templates, catalogue items.

A plugin declares a model and a few functions over its own table; core makes pages and a REST interface of them.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from threepeat.sdk.errors import PluginError

if TYPE_CHECKING:
    from threepeat.sdk.context import Store

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_PAGE = 100
NEWEST = 2**63 - 1
"""No numbered item has a greater number."""


def item_number(item: str) -> int:
    """A numbered item's number by its id; 0, which none has, for what is no number."""
    found = int(item) if item.isascii() and item.isdigit() and len(item) <= len(str(NEWEST)) else 0
    return found if found <= NEWEST and str(found) == item else 0


class ItemModel(BaseModel):
    """Base of the models of collections: the form that a merchant fills in.

    Fields are described as those of settings are: `title`, `description`, constraints, `shown(…)`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def worked(self, store: "Store") -> Iterable[str]:
        """What an item comes to, as examples; its page shows them below the form."""
        del store
        return ()


M = TypeVar("M", bound=ItemModel)


@dataclass(frozen=True, slots=True)
class Query:
    """Which items are asked for.

    Attributes:
        state: Only those in this state.
        search: Only those whose title contains this text.
        after: Only those that come after the item with this id, in the collection's order.
        limit: At most so many, 1 to 101: core asks for one more than it shows.
    """

    state: str | None = None
    search: str = ""
    after: str | None = None
    limit: int = MAX_PAGE

    @property
    def before(self) -> int:
        """For numbered items, the newest first: those below this number come after `after`."""
        return NEWEST if self.after is None else item_number(self.after)


@dataclass(frozen=True, slots=True)
class Item(Generic[M]):
    """One item as it stands.

    Attributes:
        id: Stable, unique in the store and collection; letters, digits and `- _`.
        state: One of the collection's `states`.
        values: What the form holds.
        revision: Counts the changes; a save names the revision that it read.
        title: What the list calls it.
        changed_at: None of what is as it came and nobody has changed.
        figures: What is known besides, by heading, such as how many are left.
        once: Core fills it, from `Once`.
    """

    id: str
    state: str
    values: M
    revision: int
    title: str
    changed_at: datetime | None
    figures: Mapping[str, int | str] = field(default_factory=dict)
    once: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Once:
    """An answer of `create` or of an action with texts that whoever asked is shown this once.

    Nothing keeps them: neither the audit trail nor the stored answer to an `Idempotency-Key`.

    Attributes:
        id: The item's id.
        shown: The texts by heading, such as a secret that was just made; at most 2,000 bytes in all.
    """

    id: str
    shown: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Action:
    """A step that a merchant takes with an item. Build it with `action`."""

    name: str
    handler: Callable[[Any, str, int], bool | Once]
    title: str
    states: frozenset[str]
    confirm: str
    always: bool


def action(
    name: str,
    handler: Callable[[Any, str, int], bool | Once],
    *,
    title: str,
    states: Collection[str],
    confirm: str = "",
    always: bool = False,
) -> Action:
    """A step such as publish, pause or close.

    Args:
        name: Short identifier, unique in the collection.
        handler: Takes a context, the item's id and the revision that the merchant saw. It makes the step by one
            conditional write (`UPDATE … WHERE id = :id AND revision = :revision AND state = …`) and returns
            whether it was made, or a `Once`. Raises `Refused` if the rules are against it.
        title: What its button says.
        states: The states in which it can be taken.
        confirm: What the merchant is asked first, if it cannot be taken back.
        always: It can be taken while the tactic is closing, too, such as to close or to refund.
    """
    return Action(name, handler, title, frozenset(states), confirm, always)


Rows = Sequence[Sequence[int | str]]
"""Lines of a file, the headings first."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file of an item. Build it with `download`."""

    handler: Callable[[Any, str], Rows | Mapping[str, Any]]
    title: str
    states: frozenset[str]
    kind: Literal["csv", "json"] = "csv"


def download(
    handler: Callable[[Any, str], Rows | Mapping[str, Any]],
    *,
    title: str,
    states: Collection[str],
    kind: Literal["csv", "json"] = "csv",
) -> Download:
    """A file of an item, such as a batch's codes.

    Who takes it stands in the audit trail, and needs the right to change things: it may be worth money.

    Args:
        handler: Takes a context and the item's id, reads only, and returns the lines, the headings first; for
            `json` an object of JSON values.
        title: What its button says.
        states: The states in which it can be had.
        kind: Whether core writes lines as CSV or an object as JSON.
    """
    return Download(handler, title, frozenset(states), kind)


@dataclass(frozen=True, slots=True)
class CollectionOf(Generic[M]):
    """A collection and who keeps it. Build it with `collection`."""

    name: str
    model: type[M]
    title: str
    singular: str
    summary: str
    states: Mapping[str, str]
    editable: frozenset[str]
    find: Callable[[Any, Query], Sequence[Item[M]]]
    read: Callable[[Any, str], Item[M] | None]
    create: Callable[[Any, M], str | Once] | None
    update: Callable[[Any, str, int, M], bool] | None
    actions: Mapping[str, Action]
    download: Download | None = None


def collection(
    name: str,
    model: type[M],
    *,
    title: str,
    singular: str,
    summary: str,
    states: Mapping[str, str],
    editable: Collection[str] = (),
    find: Callable[[Any, Query], Sequence[Item[M]]],
    read: Callable[[Any, str], Item[M] | None],
    create: Callable[[Any, M], str | Once] | None = None,
    update: Callable[[Any, str, int, M], bool] | None = None,
    actions: Sequence[Action] = (),
    download: Download | None = None,
) -> CollectionOf[M]:
    """Declare something that the merchant manages.

    Each callable takes a context of this plugin first and runs in one transaction with the audit entry.

    Args:
        name: Short identifier, unique in the plugin; a segment of the address.
        model: The form; a subclass of `ItemModel`. Every audience and reward in it is checked by core.
        title: What the page is called, in the plural.
        singular: What one item is called, as it stands in "New …".
        summary: One sentence that says what it is for.
        states: What each state is called, by its identifier.
        editable: The states in which the form can be saved; none without `update`.
        find: Answers a list, in an order that is stable and ends with the id.
        read: Answers one item, or None.
        create: Makes one and returns its id or a `Once`. None if merchants make none, such as what members
            redeemed.
        update: Saves the form by one conditional write on the revision and returns whether it was saved. None if
            nobody changes one.
        actions: The steps that can be taken.
        download: A file that can be had of an item.

    Raises:
        PluginError: A name does not fit, or a state is not declared.
    """
    known = frozenset(states)
    for one in (name, *(act.name for act in actions), *known):
        if not NAME.fullmatch(one):
            raise PluginError(f"collection {name!r}: {one!r} must match {NAME.pattern}")
    files = () if download is None else (download.states,)
    if bool(editable) is not (update is not None):
        raise PluginError(f"collection {name!r}: give update and the states that are editable together")
    changeable = (frozenset(editable),) if editable else ()
    for named in (*changeable, *(act.states for act in actions), *files):
        if not named or not named <= known:
            raise PluginError(f"collection {name!r}: {sorted(named - known) or 'nothing'} is none of its states")
    if len({act.name for act in actions}) < len(actions):
        raise PluginError(f"collection {name!r}: two actions have the same name")
    if not issubclass(model, ItemModel):
        raise PluginError(f"collection {name!r}: {model.__name__} must derive from ItemModel")
    return CollectionOf(
        name,
        model,
        title,
        singular,
        summary,
        dict(states),
        frozenset(editable),
        find,
        read,
        create,
        update,
        {act.name: act for act in actions},
        download,
    )
