"""What can be seen of a plugin in a store from outside: by its merchant, its members and other plugins."""

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import Any

from threepeat.tenancy import switches
from threepeat.testing.conformance import baskets
from threepeat.testing.conformance.bench import Stand
from threepeat.testing.conformance.phone import ask

LATER = timedelta(seconds=61)

Picture = Mapping[str, str]
"""Values by the place where they are seen."""


def take(stand: Stand, members: Collection[str]) -> Picture:
    """Look at metrics, facts, member routes, prices, collections and settings."""
    return dict(_look(stand, members))


def changes(stand: Stand, members: Collection[str], before: Picture) -> Iterator[str]:
    """A sentence for each thing that looks different now.

    What tells the time of day is left out: it differs at each look.
    """
    now = take(stand, members)
    if now == before:
        return
    stand.pass_time(LATER)
    later = take(stand, members)
    stand.pass_time(timedelta())
    for place in sorted(before.keys() | now.keys()):
        was, is_now = before.get(place, "nothing"), now.get(place, "nothing")
        if was != is_now and later.get(place, "nothing") == is_now:
            yield f"{place}: {was} has become {is_now}"


def _look(stand: Stand, members: Collection[str]) -> Iterator[tuple[str, str]]:
    plugin = stand.bench.installed
    if plugin.metrics:
        yield from _leaves("the metrics", stand.call("GET", f"/v1/metrics/{plugin.id}").json())
    for name in plugin.collections:
        listed = stand.call("GET", f"/v1/plugins/{plugin.id}/{name}").json()
        yield from _leaves(f"the collection {name}", listed)
    for route in plugin.routes:
        if route.method == "GET":
            for member in members:
                answer = ask(stand, route, member)
                said = answer.json() if "json" in answer.headers.get("content-type", "") else answer.text
                yield from _leaves(f"GET {route.path} of {member}", {"status": answer.status_code, "is": said})
    if plugin.price_rules:
        yield from _prices(stand, members)
    ids = dict(zip(stand.members(list(members)), members, strict=True))
    with stand.scope() as scope:
        switch = switches.activations(scope).get(plugin.id)
        known = stand.context(scope).facts(list(plugin.facts), list(ids))
    yield from _leaves("the switch", {"state": switch.state, "settings": switch.settings} if switch else {})
    for name, values in known.items():
        for number, value in values.items():
            yield f"the fact {name} of {ids[number]}", repr(value)


def _prices(stand: Stand, members: Collection[str]) -> Iterator[tuple[str, str]]:
    for number, wants in enumerate(baskets.wanted(stand)):
        for member in members:
            made = baskets.quote(stand, member, wants)
            left = {"lines": made.lines, "delivery": made.shipping}
            yield from _leaves(f"the price of basket {number} for {member}", left)


def _leaves(place: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _leaves(f"{place}, {name}", one)
    elif isinstance(value, list):
        yield f"{place}, how many", str(len(value))
        for number, one in enumerate(value):
            yield from _leaves(f"{place}, {number}", one)
    else:
        yield place, str(value)
