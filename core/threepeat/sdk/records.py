"""What the declaring hooks return."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from msgspec import structs

from threepeat.sdk.context import Context
from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event
from threepeat.sdk.messages import Messages
from threepeat.sdk.orders import Orders
from threepeat.sdk.pricing import Checkout

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Reaction:
    """A handler for an event class, or for any of them. Build it with `when` or `when_any`."""

    event: type[Event]
    handler: Callable[[Context[Any], list[Any]], None]
    always: bool
    unread: frozenset[str]
    wanted: Callable[[Context[Any]], Collection[str] | None] | None = None

    def takes(self, kind: str) -> bool:
        """Whether it may be handed events of a type."""
        return self.wanted is not None or self.event.type == kind


def when(
    event: type[E],
    handler: Callable[[Context[Any], list[E]], None],
    *,
    always: bool = False,
    unread: Collection[str] = (),
) -> Reaction:
    """React to an event class.

    Args:
        event: The class of the events that the handler takes.
        handler: Called in the worker with a context and a non-empty list of events, in log order for
            each member. Its writes commit together with the plugin's position in the log: an effect
            happens exactly once. An exception undoes the whole call.
        always: Deliver the event also for members of the comparison group and while the tactic is
            closing. Set it for reversals, deadlines and what was paid for; leave it off for whatever
            hands something out.
        unread: Large fields that the handler does not look at, such as an order's `lines`. Where no
            enabled plugin reads them they are not fetched, and have their default.

    Raises:
        PluginError: `unread` names a field that the class lacks or that has no default.
    """
    defaults = {field.name for field in structs.fields(event) if not field.required}
    for name in unread:
        if name not in defaults:
            raise PluginError(f"unread={name!r}: {event.__name__} has no such field with a default")
    return Reaction(event, handler, always, frozenset(unread))


def when_any(
    handler: Callable[[Context[Any], list[Event]], None],
    *,
    wanted: Callable[[Context[Any]], Collection[str] | None],
    always: bool = False,
) -> Reaction:
    """React to events of types that each store chooses, other plugins' too.

    Args:
        handler: As with `when`; it takes events of every class that is wanted.
        wanted: Takes a context and returns the types that the store wants now, None for all there are. It is
            asked before each batch of the log, so it has to be quick, and writes nothing. Types that nobody wants
            are not even read.
        always: As with `when`.
    """
    return Reaction(Event, handler, always, frozenset(), wanted)


@dataclass(frozen=True, slots=True)
class Route:
    """A member route, mounted under `/v1/me/{plugin id}`. Build it with `get` or `post`."""

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[..., Any]
    summary: str
    always: bool


def get(path: str, handler: Callable[..., Any], *, summary: str, always: bool = True) -> Route:
    """Answer a member's GET.

    Args:
        path: Begins with a slash; `{name}` segments become parameters of the handler.
        handler: Takes the context first, then path and query parameters, annotated; the answer's
            annotation (a pydantic model) becomes the documented schema.
        summary: One line for the API reference.
        always: Answer also members of the comparison group and while the tactic is closing.
    """
    return Route("GET", path, handler, summary, always)


def post(path: str, handler: Callable[..., Any], *, summary: str, always: bool = False) -> Route:
    """Carry out a member's command. Core asks for an `Idempotency-Key` and replays its answer.

    The arguments are those of `get`; a pydantic parameter is read from the JSON body.
    """
    return Route("POST", path, handler, summary, always)


@dataclass(frozen=True, slots=True)
class Provided:
    """An implementation of one of the SDK's service protocols. Build it with `provide_orders` or the like."""

    protocol: type[Any]
    factory: Callable[[Context[Any]], Any]


def provide_orders(factory: Callable[[Context[Any]], Orders]) -> Provided:
    """Be the one who answers `ctx.orders` for every plugin that requires this one."""
    return Provided(Orders, factory)


def provide_checkout(factory: Callable[[Context[Any]], Checkout]) -> Provided:
    """Be the one who keeps the quotes of `/v1/quotes`."""
    return Provided(Checkout, factory)


def provide_messages(factory: Callable[[Context[Any]], Messages]) -> Provided:
    """Be the one who brings what plugins say with `ctx.message` to members."""
    return Provided(Messages, factory)


@dataclass(frozen=True, slots=True)
class Invariant:
    """A promise about stored data that `threepeat verify` checks for each tenant.

    Attributes:
        name: Short identifier, unique in the plugin.
        promise: The sentence that the query holds the data to.
        sql: Name of a file in the plugin's `sql/` folder; each row it returns is a violation. Besides what every
            statement may read it may look at `core.timer` (tenant_id, plugin, kind, name, key).
    """

    name: str
    promise: str
    sql: str
