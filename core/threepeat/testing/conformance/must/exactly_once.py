"""An effect happens once, however often its event is delivered and however the turns are cut."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from threepeat.testing.conformance.bench import Bench, NotApplicable, Stand
from threepeat.testing.conformance.states import differences, noise

TITLE = "An effect happens exactly once: under repeated delivery, in turns of any size, and when a turn is undone."
FIX = (
    "Write through ctx only: rows, events, deadlines and calls stand or fall with the turn. Keep nothing in"
    " variables of the module or the plugin between calls, and open no connection of your own."
)
MEMBERS = ("ann", "bob", "eve")


class Ended(BaseException):
    """Ends a worker in the middle of a turn, after the plugin has done its work; nobody may catch it."""


def check(bench: Bench) -> Iterator[str]:
    """Hold a plain run against a repeated one, one of small turns, and one whose turns were undone first."""
    if not bench.installed.reactions:
        raise NotApplicable("it reacts to no event")
    plain, twin = bench.store(), bench.store()
    for stand in (plain, twin):
        _happen(stand)
        stand.drain()
    wanted = plain.state()
    ignored = noise(wanted, twin.state())
    for how, run in (("delivered twice", _twice), ("in turns of one event", _singly), ("undone once", _undone)):
        yield from (f"{how}: {one}" for one in differences(wanted, run(bench).state(), ignored))


def _happen(stand: Stand) -> None:
    for member in MEMBERS:
        stand.happens(member)


def _twice(bench: Bench) -> Stand:
    stand = bench.store()
    for member in MEMBERS:
        stand.happens(member)
        stand.happens(member)
    stand.drain()
    _happen(stand)
    stand.drain()
    return stand


def _singly(bench: Bench) -> Stand:
    stand = bench.store()
    _happen(stand)
    stand.drain(batch=1)
    return stand


def _undone(bench: Bench) -> Stand:
    """The first call of each reaction ends the worker; its successor does it again."""
    ends = Ending()
    reactions = tuple(
        replace(one, handler=ends.after(number, one.handler))
        for number, one in enumerate(bench.installed.reactions)
    )
    stand = bench.store(platform=bench.altered(replace(bench.installed, reactions=reactions)))
    _happen(stand)
    for _ in range(50):
        with suppress(Ended):
            stand.drain()
            return stand
    raise RuntimeError("the worker does not come to an end")


class Ending:
    """Ends the worker after the first call of each handler."""

    def __init__(self) -> None:
        self._ended: set[int] = set()

    def after(self, number: int, handler: Callable[[Any, list[Any]], None]) -> Callable[[Any, list[Any]], None]:
        """The handler of a reaction, and then maybe the end."""

        def handle(ctx: Any, events: list[Any]) -> None:
            handler(ctx, events)
            if number not in self._ended:
                self._ended.add(number)
                raise Ended

        return handle
