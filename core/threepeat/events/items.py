"""What a plugin's collection gives is what it declared; the messages repeat nothing that people typed."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from threepeat.sdk.collections import CollectionOf, Item, Query
from threepeat.sdk.errors import PluginError

ITEM_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")
MAX_REVISION = 2**63 - 1
MAX_SHOWN = 2000


def require_answer(declared: CollectionOf[Any], given: Any, asked: Query) -> None:
    """See that a list is one: at most as many items as asked for, each once, in the state that was asked for.

    Raises:
        PluginError: It is not.
    """
    if not isinstance(given, Sequence) or len(given) > asked.limit:
        number = len(given) if isinstance(given, Sequence) else type(given).__name__
        raise PluginError(f"it gives {number} where at most {asked.limit} items are asked for")
    for item in given:
        require_item(declared, item)
        if asked.state is not None and item.state != asked.state:
            raise PluginError(f"asked for what is {asked.state} it gives what is {item.state}")
    ids = {item.id for item in given}
    if len(ids) < len(given) or asked.after in ids:
        raise PluginError("it gives an item twice")


def require_item(declared: CollectionOf[Any], item: Any) -> None:
    """See that an item has the shape, the state and the model of its collection.

    Raises:
        PluginError: It has not.
    """
    if not isinstance(item, Item):
        raise PluginError(f"it gives {type(item).__name__} instead of an Item")
    require_id(item.id)
    reason = next((reason for wrong, reason in _faults(declared, item) if wrong), None)
    if reason is not None:
        raise PluginError(f"{item.id!r} {reason}")


def require_id(given: Any) -> None:
    """See that an id is one.

    Raises:
        PluginError: It is not.
    """
    if not isinstance(given, str) or not ITEM_ID.fullmatch(given):
        raise PluginError(f"the id {given!r} must match {ITEM_ID.pattern}")


def require_same(item: Any, wanted: str) -> None:
    """See that an item is the one that was asked for.

    Raises:
        PluginError: It is another.
    """
    if item.id != wanted:
        raise PluginError(f"asked for {wanted!r} it gives {item.id!r}")


def require_verdict(given: Any) -> None:
    """See that a change says whether it was made.

    Raises:
        PluginError: It says something else.
    """
    if not isinstance(given, bool):
        raise PluginError(f"a change answers {type(given).__name__} instead of whether it was made")


def require_shown(given: Any) -> None:
    """See that what is shown once is texts by heading that a page can hold.

    Raises:
        PluginError: It is not.
    """
    texts = isinstance(given, Mapping) and all(isinstance(one, str) for pair in given.items() for one in pair)
    if not texts or sum(len(str(one).encode()) for pair in given.items() for one in pair) > MAX_SHOWN:
        raise PluginError(f"what is shown once must be texts by heading, at most {MAX_SHOWN} bytes in all")


def require_later(item: Item[Any], before: Item[Any]) -> None:
    """See that a change was counted.

    Raises:
        PluginError: The revision is not above the one before.
    """
    if item.revision <= before.revision:
        raise PluginError(f"{item.id!r} was changed and its revision is still {item.revision}")


def _faults(declared: CollectionOf[Any], item: Any) -> Sequence[tuple[bool, str]]:
    revision, changed_at, figures = item.revision, item.changed_at, item.figures
    return (
        (item.state not in declared.states, f"is in the state {item.state!r}, which is not declared"),
        (
            not isinstance(item.values, declared.model),
            f"has values of the type {type(item.values).__name__} instead of {declared.model.__name__}",
        ),
        (
            type(revision) is not int or not 1 <= revision <= MAX_REVISION,
            f"has a revision that is no whole number from 1 to {MAX_REVISION}",
        ),
        (not isinstance(item.title, str) or not item.title, "has no title"),
        (
            changed_at is not None and (not isinstance(changed_at, datetime) or changed_at.utcoffset() is None),
            "has no instant with a time zone at which it was changed",
        ),
        (
            not isinstance(figures, Mapping)
            or not all(isinstance(name, str) and isinstance(one, int | str) for name, one in figures.items()),
            "has figures that are no numbers and texts by heading",
        ),
    )
