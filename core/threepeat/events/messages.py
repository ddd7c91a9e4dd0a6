"""Messages on their way from the plugins that have something to say to the service that brings them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from babel.dates import format_datetime

from threepeat.events import rewards
from threepeat.plugins import Installed
from threepeat.plugins.translations import by_language, translate
from threepeat.sdk.context import Store
from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event
from threepeat.sdk.messages import MAX_TEXT, KnownKind, Message, MessageKind, Messages, Notice
from threepeat.sdk.plugin import Plugin
from threepeat.sdk.records import Provided
from threepeat.sdk.storable import storable
from threepeat.sdk.timers import Due
from threepeat.sdk.wording import Amount, Value, Wording, said
from threepeat.tenancy import members
from threepeat.tenancy.switches import SwitchState

if TYPE_CHECKING:
    from threepeat.events.context import PluginContext
    from threepeat.events.opened import OpenTenant

MAX_CAUSE = 200
LANGUAGES: Mapping[str, str] = {"en": "en", "zh": "zh_CN"}
"""In which languages members read, with the locale of each."""

Announced = dict[tuple[str, str, str, int], Message]
"""What a call has to say, by plugin, kind, cause and member: the first of several that are the same counts."""

_DECLARED: WeakKeyDictionary[Plugin[Any], Sequence[KnownKind]] = WeakKeyDictionary()


def announce(
    opened: "OpenTenant", sender: "PluginContext", plugin: Installed, kind: str, notices: Sequence[Notice]
) -> Announced:
    """Check what a plugin has to say; nobody is asked and nothing is written yet.

    Raises:
        PluginError: The plugin does not declare the kind, or a notice does not fit it.
    """
    declared = plugin.message_kinds.get(kind)
    if declared is None:
        raise PluginError(f"{plugin.id} sends the message {kind!r} without declaring it in `message_kinds`")
    if not notices or _service(opened) is None:
        return {}
    found: Announced = {}
    store = opened.tenant.store
    for number, one in enumerate(notices):
        _check(declared, f"notices[{number}]", one)
        if one.member < 0:  # stands for somebody who was erased, in rows that were made anonymous
            continue
        key = _key(plugin.id, kind, one.cause)
        found.setdefault(
            (plugin.id, kind, key, one.member),
            Message(
                plugin=plugin.id,
                kind=kind,
                key=key,
                member=one.member,
                purpose=declared.purpose,
                values=_written(plugin, one.values, store, f"notices[{number}]"),
                happened_at=_happened(one.cause, sender.now),
                until=one.until,
                taking_part=True,
            ),
        )
    return found


def deliver(opened: "OpenTenant", sender: "PluginContext", announced: Announced) -> None:
    """Hand what a call has said to the service, all of it at once; the caller's savepoint carries it.

    Members who were merged meanwhile are written to under their new id, those who were erased are left out.
    """
    waiting = list(announced.values())
    announced.clear()
    service = _service(opened)
    if not waiting or service is None:
        return
    concerned = sorted({one.member for one in waiting})
    if not sender.in_turn:
        members.hold(opened.scope, concerned)
    present = _moved(waiting, members.moved(opened.scope, concerned))
    meant = _take_part(opened, present)
    if present:
        provider, provided = service
        brought: Messages = provided.factory(sender.peer(provider))
        brought.send(
            [
                one
                if one.purpose == "service" or (one.plugin, one.member) in meant
                else replace(one, taking_part=False)
                for one in present
            ]
        )
    if announced:
        raise PluginError("a service has nothing of its own to say while it takes what others say")


def known(opened: "OpenTenant") -> list[KnownKind]:
    """Every kind of message that may be sent now, in serving order; a plugin that is closing makes no offers."""
    return [
        kind
        for plugin in opened.platform.registry
        if plugin.message_kinds and (state := opened.state(plugin.id)) is not SwitchState.OFF
        for kind in _declared(plugin)
        if state is SwitchState.ENABLED or kind.purpose == "service"
    ]


def _declared(plugin: Installed) -> Sequence[KnownKind]:
    """A plugin's kinds with their translations, which nobody changes while it runs."""
    if plugin.plugin not in _DECLARED:
        _DECLARED[plugin.plugin] = [
            KnownKind(
                plugin=plugin.id,
                owner=by_language(plugin, plugin.manifest.title),
                name=kind.name,
                title=by_language(plugin, kind.title),
                text=by_language(plugin, kind.text),
                purpose=kind.purpose,
                variables={name: by_language(plugin, title) for name, title in kind.variables.items()},
            )
            for kind in plugin.message_kinds.values()
        ]
    return _DECLARED[plugin.plugin]


def _service(opened: "OpenTenant") -> tuple[Installed, Provided] | None:
    """Who brings messages in this store, if anybody does."""
    found = opened.platform.registry.provider(Messages)
    return found if found is not None and opened.state(found[0].id) is SwitchState.ENABLED else None


def _moved(waiting: Iterable[Message], where: Mapping[int, int | None]) -> list[Message]:
    """Messages to those whom their members are now; what went to two who are one by now is one message."""
    found: Announced = {}
    for one in waiting:
        member = where.get(one.member, one.member)
        if member is not None:
            found.setdefault((one.plugin, one.kind, one.key, member), replace(one, member=member))
    return list(found.values())


def _take_part(opened: "OpenTenant", waiting: Sequence[Message]) -> frozenset[tuple[str, int]]:
    """To whom which plugin may hand something, for marketing; a service notice goes to everybody."""
    asked: dict[str, set[int]] = {}
    for one in waiting:
        if one.purpose == "marketing":
            asked.setdefault(one.plugin, set()).add(one.member)
    found = set()
    for plugin, concerned in asked.items():
        gate = opened.gate(plugin)
        gate.load(concerned)
        found |= {(plugin, member) for member in concerned if gate(member)}
    return frozenset(found)


def _check(kind: MessageKind, place: str, one: Notice) -> None:
    if type(one.member) is not int or not one.member or abs(one.member) >= 2**63:
        raise PluginError(f"{place}.member: {one.member!r} is not core's id of a member")
    cause: object = one.cause
    if isinstance(cause, Event):
        if kind.purpose == "service" and not cause.about_member:
            raise PluginError(
                f"{place}.cause: a service notice answers what members did, and {cause.type} is about nobody"
            )
    elif not isinstance(cause, Due) and not (
        isinstance(cause, str) and 0 < len(cause) <= MAX_CAUSE and storable(cause)
    ):
        raise PluginError(f"{place}.cause: give an event, a deadline, or 1 to {MAX_CAUSE} characters")
    if one.until is not None and one.until.tzinfo is None:
        raise PluginError(f"{place}.until: the instant needs a time zone")
    for name in sorted(kind.variables.keys() ^ one.values.keys()):
        fault = "has no value" if name in kind.variables else f"the message {kind.name!r} has no such variable"
        raise PluginError(f"{place}.values.{name}: {fault}")


def _happened(cause: Event | Due | str, now: datetime) -> datetime:
    if isinstance(cause, Event):
        return cause.occurred_at
    return cause.due_at if isinstance(cause, Due) else now


def _key(plugin: str, kind: str, cause: Event | Due | str) -> str:
    """Hash of who says what about which cause, but not to whom: a merge gives a message to another member."""
    return sha256(json.dumps([plugin, kind, *rewards.named(cause)]).encode()).hexdigest()[:32]


def _written(
    plugin: Installed, values: Mapping[str, Value], store: Store, place: str
) -> Mapping[str, Mapping[str, str]]:
    return {
        language: {
            name: _said(plugin, value, locale, store, f"{place}.values.{name}") for name, value in values.items()
        }
        for language, locale in LANGUAGES.items()
    }


def _said(plugin: Installed, value: Value, locale: str, store: Store, place: str) -> str:
    """A value as a language writes it."""
    if isinstance(value, Wording):
        written = translate(plugin, value, locale) if locale != "en" else str(value)
    elif isinstance(value, str):
        written = value
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise PluginError(f"{place}: the instant needs a time zone")
        written = _moment(value.astimezone(store.timezone).replace(tzinfo=None), locale)
    elif isinstance(value, Amount | date) or type(value) is int:
        written = _quantity(value, locale)
    else:
        raise PluginError(
            f"{place}: a value is a whole number, a text, a date or an amount, not a {type(value).__name__}"
        )
    if len(written) > MAX_TEXT or not storable(written):
        raise PluginError(f"{place}: use at most {MAX_TEXT} characters of valid text")
    return written


# A batch says the same amount, day or number to many.
@lru_cache(maxsize=4096)
def _quantity(value: int | date | Amount, locale: str) -> str:
    return said(value, locale)


@lru_cache(maxsize=4096)
def _moment(local: datetime, locale: str) -> str:
    """A store's local time, without its zone: one instant in two zones is one key, and two texts."""
    return format_datetime(local, "medium" if locale == "en" else "yyyy年M月d日 HH:mm", locale=locale)
