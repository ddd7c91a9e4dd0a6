"""A batch costs about as many statements however many events and members are in it."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from sqlalchemy import event as listening

from threepeat.events import metrics
from threepeat.events.platform import Platform
from threepeat.sdk.events import Event, Sender
from threepeat.sdk.timers import Call, RetryAfter
from threepeat.testing import samples
from threepeat.testing.conformance.bench import Bench, NotApplicable, Stand
from threepeat.worker import calls

TITLE = "A batch, a fact or a metric costs about as many statements for many members as for few."
FIX = (
    "Take the whole list at once: gather members and amounts into lists and run one statement with unnest(…), ask"
    " ctx.facts, ctx.multiplier and ctx.taking_part for all members together, and hand ctx.grant one list."
)
FEW, MANY, MOST = 10, 100, 500
SLACK = 5
"""So many more are no growth: what is in no cache yet, or a page more."""
DAY = 86_400.0
CALLS = "calls"
"""What is said to calls to the outside is said to each of them."""
ALL = 10_000
"""More than there are events: one turn takes all of them."""


Told = tuple[type[Event], Mapping[str, Any]]
"""What happens: an event's class, and fields that differ from the least."""


class Ran(NamedTuple):
    """A statement and the line of the plugin that it comes from."""

    place: str
    statement: str


def check(bench: Bench) -> Iterator[str]:
    """Send few events and many, of new members and of known ones; ask for facts and metrics after each."""
    plugin = bench.installed
    stand = bench.store(platform=_silent(bench))
    classes = [(event, data) for event, _, data in stand.story()]
    if not classes and not plugin.facts and not plugin.metrics:
        raise NotApplicable("it handles no events and reports nothing")
    many = max(3 * FEW, min(MANY, MOST // max(1, len(classes))))
    few, more = [f"few-{one}" for one in range(FEW)], [f"many-{one}" for one in range(many)]
    for whose, word in (("new", "first"), ("known", "second")):
        small, large = (_batch(stand, classes, members, word) for members in (few, more))
        for ran, times in _grown(small, large):
            yield f"{len(few)} and {many} events of {whose} members: {times} times {ran.statement} ({ran.place})"
    for name in plugin.facts:
        small, large = (_fact(stand, name, members) for members in (few, more))
        for ran, times in _grown(small, large):
            yield f"the fact {name} of {len(few)} and {many} members: {times} times {ran.statement} ({ran.place})"
    if plugin.metrics and classes:
        quiet = bench.store(platform=stand.platform)
        _batch(quiet, classes, few, "first")
        small, large = _metrics(quiet), _metrics(stand)
        for ran, times in _grown(small, large):
            yield f"metrics with {len(few)} and {many} members: {times} times {ran.statement} ({ran.place})"


def _silent(bench: Bench) -> Platform:
    """The plugin without its calls to the outside, each of which is a matter of its own."""

    def perform(_settings: object, _call: Call) -> None:
        raise RetryAfter(DAY, "nothing is called here")

    outbounds = {name: replace(one, perform=perform) for name, one in bench.installed.outbounds.items()}
    return bench.altered(replace(bench.installed, outbounds=outbounds))


def _grown(small: Counter[Ran], large: Counter[Ran]) -> Iterator[tuple[Ran, str]]:
    for ran, times in large.items():
        if times > small[ran] + SLACK:
            yield ran, f"{small[ran]} and {times}"


def _batch(stand: Stand, classes: Sequence[Told], members: list[str], word: str) -> Counter[Ran]:
    """One event of each class for each member, in one turn."""
    for event, data in classes:
        if Sender.SERVER in event.senders:
            stand.send(*(stand.event(event, one, about=f"{word}-{one}", **data) for one in members))
        else:
            _emit(stand, event, members, word)
    with _counting(stand) as ran:
        stand.drain(batch=ALL)
    return ran


def _emit(stand: Stand, event: type[Event], members: list[str], word: str) -> None:
    owner = next(plugin.id for plugin in stand.platform.registry if event in plugin.events)
    numbers = dict(zip(members, stand.members(members), strict=True)) if event.about_member else {}

    def emit(ctx: Any) -> None:
        for one in members:
            made = samples.converted(event, samples.event_data(event, f"{word}-{one}"))
            ctx.emit(made, member=numbers.get(one), cause=f"{word}-{one}")

    stand.act(emit, plugin=owner)


def _fact(stand: Stand, name: str, members: list[str]) -> Counter[Ran]:
    numbers = stand.members(members)
    with stand.scope() as scope, _counting(stand) as ran:
        stand.context(scope).facts([name], numbers)
    return ran


def _metrics(stand: Stand) -> Counter[Ran]:
    with stand.scope() as scope, _counting(stand) as ran:
        opened = stand.platform.inside(scope, stand.tenant)
        asked = metrics.period(stand.tenant.store, scope.now, 30)
        metrics.report(opened, stand.bench.installed, asked)
    return ran


@contextmanager
def _counting(stand: Stand) -> Iterator[Counter[Ran]]:
    """The statements that the plugin's code brings about meanwhile."""
    plugin, ran = stand.bench.installed, Counter[Ran]()
    package, schema = str(plugin.package), f"{plugin.id}."

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        place = _line(package)
        if place != CALLS and (place or schema in statement):
            ran[Ran(place or "when the turn ends", " ".join(statement.split())[:80])] += 1

    engine = stand.platform.database.app
    listening.listen(engine, "before_cursor_execute", note)
    try:
        yield ran
    finally:
        listening.remove(engine, "before_cursor_execute", note)


def _line(package: str) -> str:
    """The innermost line of a package that is being run; empty if none is."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - a whole stack would be built for each statement
    place = ""
    while frame is not None:
        if frame.f_code.co_filename == calls.__file__:
            return CALLS
        if not place and frame.f_code.co_filename.startswith(package):
            place = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
        frame = frame.f_back
    return place
