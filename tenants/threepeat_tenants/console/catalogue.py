"""Which events a store has to send, for which tactics, and what each has to hold."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec import inspect

from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.sdk.events import MAX_AMOUNT, Event, Sender
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy.switches import SwitchState

CURRENCY = "^[A-Z]{3}$"
ANYTHING = _("a value")
PLAIN: Mapping[type[inspect.Type], Wording] = {
    inspect.FloatType: _("number"),
    inspect.BoolType: _("true or false"),
    inspect.DateTimeType: _("point in time with its time zone"),
}


@dataclass(frozen=True, slots=True)
class Item:
    """A field of an event's data.

    Attributes:
        kind: What it holds, in words.
    """

    name: str
    kind: Wording
    required: bool


@dataclass(frozen=True, slots=True)
class Needed:
    """An event that some tactic answers.

    Attributes:
        type: As it is sent.
        senders: `server`, `member`.
        items: The fields of its data.
        subject: It is about a member, who has to be named.
        tactics: Ids of those that answer it, or stand on a service that does.
    """

    type: str
    senders: frozenset[Sender]
    items: tuple[Item, ...]
    subject: bool
    tactics: tuple[str, ...]


def needed(opened: OpenTenant) -> list[Needed]:
    """What the tactics that are on need from outside, those first that most of them need."""
    registry = opened.platform.registry
    users: dict[type[Event], list[str]] = {}
    for plugin in registry:
        if plugin.manifest.kind == "tactic" and opened.state(plugin.id) is not SwitchState.OFF:
            for event in dict.fromkeys(_answered(opened, plugin)):
                if event.senders - {Sender.PLUGIN}:
                    users.setdefault(event, []).append(plugin.id)
    order = list(opened.platform.catalogue.classes)
    found = [
        Needed(event.type, event.senders, tuple(items(event)), event.about_member, tuple(tactics))
        for event, tactics in users.items()
    ]
    return sorted(found, key=lambda one: (-len(one.tactics), order.index(one.type)))


def items(event: type[Event]) -> Iterator[Item]:
    """The fields of an event's data, the required ones first."""
    known = inspect.type_info(event)
    assert isinstance(known, inspect.StructType)  # noqa: S101 - an event class is a struct
    fields = [field for field in known.fields if field.name != "envelope"]
    for field in sorted(fields, key=lambda field: not field.required):
        yield Item(field.encode_name, _words(field.type), field.required)


def _answered(opened: OpenTenant, plugin: Installed) -> Iterator[type[Event]]:
    registry = opened.platform.registry
    for one in (plugin, *(registry[name] for name in plugin.manifest.requires if name in registry)):
        yield from (reaction.event for reaction in one.reactions if not reaction.wanted)


def _words(kind: inspect.Type) -> Wording:
    if isinstance(kind, inspect.UnionType):
        inner = [one for one in kind.types if not isinstance(one, inspect.NoneType)]
        return _words(inner[0]) if len(inner) == 1 else ANYTHING
    if isinstance(kind, inspect.IntType):
        return _("money, in the smallest unit such as fen") if kind.le == MAX_AMOUNT else _("whole number")
    if isinstance(kind, inspect.StrType):
        return _text(kind)
    if isinstance(kind, inspect.ListType):
        return _list(kind)
    return PLAIN.get(type(kind), ANYTHING)


def _text(kind: inspect.StrType) -> Wording:
    if kind.pattern == CURRENCY:
        return _("currency code such as CNY")
    return _("text of at most {n} characters", n=kind.max_length) if kind.max_length else _("text")


def _list(kind: inspect.ListType) -> Wording:
    if not isinstance(kind.item_type, inspect.StructType):
        return _("list")
    names = ", ".join(field.encode_name for field in kind.item_type.fields if field.required)
    return _("list of objects with {names}", names=names)
