"""Who handles what, frozen per set of enabled plugins, and calls whose outcome is always a value."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from threepeat.sdk.context import Context
from threepeat.sdk.events import Event

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Handler:
    """A reaction with its owner; `number` is its place in the plugin's declaration."""

    plugin: str
    number: int
    event: type[Event]
    handle: Callable[[Context[Any], list[Any]], None]
    always: bool
    unread: frozenset[str]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What a call into a plugin came to.

    Attributes:
        plugin: The plugin's id.
        value: The answer, if it gave one.
        error: The exception, if it raised.
        seconds: Wall time.
    """

    plugin: str
    value: T | None
    error: Exception | None
    seconds: float


class Table:
    """The handlers of one set of enabled plugins, by plugin, in serving order."""

    def __init__(self, handlers: Mapping[str, tuple[Handler, ...]]) -> None:
        self.handlers = handlers
        self.unread: dict[str, frozenset[str]] = {}
        """By type of the events that anybody handles: the fields that nobody reads."""
        for handler in (one for found in handlers.values() for one in found):
            others = self.unread.get(handler.event.type, handler.unread)
            self.unread[handler.event.type] = handler.unread & others


def call(plugin: str, function: Callable[[], T]) -> Outcome[T]:
    """Call into a plugin."""
    began = time.perf_counter()
    try:
        value = function()
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        return Outcome(plugin, None, error, time.perf_counter() - began)
    return Outcome(plugin, value, None, time.perf_counter() - began)
