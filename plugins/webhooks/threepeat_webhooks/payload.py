"""What is sent of an event: its type, its time, whom it is about by the shop's own id, and its data."""

from collections.abc import Mapping
from datetime import UTC
from hashlib import sha256
from typing import Any

import msgspec

from threepeat.sdk.events import Event, member_fields

MOST_DATA = 20_000
"""Bytes of an event's data as JSON; what would make it more is left out."""


def webhook_id(tenant: int, event: Event) -> str:
    """What tells the event from others: the same at every attempt and endpoint, and when it is sent again."""
    return "evt_" + sha256(f"{tenant}\n{event.source}\n{event.id}".encode()).hexdigest()[:32]


def concerned(event: Event) -> set[int]:
    """Core's ids of everybody whom an event names."""
    found = {event.envelope.member} if event.envelope is not None else set()
    for name in member_fields(type(event)):
        value = getattr(event, name)
        found |= set(value) if isinstance(value, list | tuple | frozenset) else {value}
    return {one for one in found if one is not None}


def body(event: Event, named: Mapping[int, str]) -> bytes:
    """The JSON that is sent.

    Args:
        event: An event of the log.
        named: What the shop calls whom it names; who is absent is left out.
    """
    data, omitted = _data(event, named)
    about = event.envelope.member if event.envelope is not None else None
    made: dict[str, Any] = {
        "type": event.type,
        "timestamp": event.occurred_at.astimezone(UTC),
        "source": event.source,
        "id": event.id,
        "member": named.get(about) if about is not None else None,
        "data": data,
    }
    return msgspec.json.encode({**made, "omitted": omitted} if omitted else made)


def _data(event: Event, named: Mapping[int, str]) -> tuple[dict[str, msgspec.Raw], list[str]]:
    """The fields that its class declares, and the names of those that are too large; the largest go first."""
    fields = (one for one in msgspec.structs.fields(event) if one.name != "envelope")
    members = member_fields(type(event))
    made = {
        one.encode_name: msgspec.Raw(msgspec.json.encode(_called(value, named) if one.name in members else value))
        for one in fields
        for value in (getattr(event, one.name),)
    }
    omitted = []
    for name in sorted(made, key=lambda name: len(bytes(made[name])), reverse=True):
        if sum(len(bytes(one)) for one in made.values()) <= MOST_DATA:
            break
        del made[name]
        omitted.append(name)
    return made, sorted(omitted)


def _called(value: Any, named: Mapping[int, str]) -> Any:
    """Core's ids as the shop calls them."""
    if isinstance(value, list | tuple | frozenset):
        return [named[one] for one in value if one in named]
    return named.get(value)
