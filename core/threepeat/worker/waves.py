"""Packs events into calls without letting one member's events overtake each other."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from threepeat.plugins import Handler
from threepeat.sdk.events import Event

Wave = tuple[Handler, list[Event]]


def waves(events: Iterable[Event], handlers: Sequence[Handler]) -> list[Wave]:
    """Group events, given in log order, into as few calls as their members' order allows.

    An event joins its handler's wave only if no earlier event of that member waits in a later wave.
    Events without a member keep their order among themselves.
    """
    by_class: dict[type[Event], list[Handler]] = {}
    for handler in handlers:
        by_class.setdefault(handler.event, []).append(handler)
    found: list[Wave] = []
    of_handler: dict[int, list[int]] = {}
    last: dict[int | None, int] = {}
    for event in events:
        member = event.envelope.member if event.envelope else None
        for handler in by_class.get(type(event), ()):
            earliest = last.get(member, 0)
            mine = of_handler.setdefault(handler.number, [])
            place = bisect_left(mine, earliest)
            if place == len(mine):
                mine.append(len(found))
                found.append((handler, []))
            last[member] = mine[place]
            found[mine[place]][1].append(event)
    return found
