"""A tactic that is off does nothing, and one that is closing begins nothing."""

import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from threepeat.tenancy import switches
from threepeat.tenancy.switches import SwitchState
from threepeat.testing.conformance import baskets, offers, phone
from threepeat.testing.conformance.bench import BY, Bench, Stand
from threepeat.testing.conformance.project import ProjectError
from threepeat.testing.conformance.states import differences

TITLE = "Off means off: nothing is asked, handed out or kept; and while it closes, nobody new gets anything."
FIX = (
    "Mark a reaction or route with always=True only if it reverses, keeps or records; ask ctx.closing before it"
    " hands something out. Start no threads: use ctx.later, schedules and outbounds, which core stops."
)
YEAR = timedelta(days=400)


def check(bench: Bench) -> Iterator[str]:
    """A store that never had it, one in which it is off, and one in which it closes."""
    with _threads(bench) as started:
        if bench.installed.manifest.kind == "tactic":
            yield from _never_on(bench)
        yield from _off(bench)
        yield from _closing(bench)
    for thread, place in started:
        if thread.is_alive():
            yield f"{place} starts a thread, which goes on while the plugin is off"


def _never_on(bench: Bench) -> Iterator[str]:
    stand = bench.store(on=False)
    stand.live()
    for table, rows in stand.state().tables.items():
        if rows:
            yield f"{table} has {len(rows)} row(s) in a store that never had it on"
    yield from _answers(stand)


def _off(bench: Bench) -> Iterator[str]:
    platform = offers.owing(bench, [])
    stand = bench.store(platform=platform)
    _switch_off(stand)
    if stand.switched() is not SwitchState.OFF:
        raise ProjectError("the plugin cannot be switched off in an empty store")
    before = stand.state()
    stand.live()
    stand.pass_time(YEAR)
    stand.drain()
    yield from (f"while it is off, {one}" for one in differences(before, stand.state()))
    yield from _answers(stand)


def _answers(stand: Stand) -> Iterator[str]:
    plugin = stand.bench.installed
    for route in plugin.routes:
        answer = phone.ask(stand, route)
        if answer.status_code != 404:
            yield f"{route.method} {route.path} answers {answer.status_code} while it is off"
    for name in plugin.collections:
        answer = stand.call("GET", f"/v1/plugins/{plugin.id}/{name}")
        if answer.status_code != 404:
            yield f"the collection {name} answers {answer.status_code} while it is off"
    if plugin.metrics and stand.call("GET", f"/v1/metrics/{plugin.id}").status_code != 404:
        yield "its metrics are answered while it is off"
    cards = stand.call("GET", "/v1/me", token=stand.token()).json()["tactics"]
    if plugin.id in {card["id"] for card in cards}:
        yield "members see it while it is off"


def _closing(bench: Bench) -> Iterator[str]:
    """What it hands to somebody who had nothing when it began to close."""
    stand = bench.store(platform=offers.owing(bench, ["something"]))
    stand.live("ann")
    baskets.prepare(stand, "ann")
    _switch_off(stand)
    stand.live("eve")
    phone.command(stand, ["eve"])
    stand.drain()
    for one in offers.handed(stand, "eve"):
        yield f"while it is closing, a member who had nothing gets {one}"
    for wants in baskets.wanted(stand) if bench.installed.price_rules else ():
        for rule, amount, shipping in baskets.taken_off(stand, baskets.quote(stand, "eve", wants)):
            off = f"{amount} off the goods and {shipping} off delivery"
            yield f"while it is closing, a member who had nothing gets {off} by the rule {rule}"


def _switch_off(stand: Stand) -> None:
    with stand.scope() as scope:
        registry = stand.platform.registry
        switches.disable(scope, stand.tenant, registry, stand.bench.installed.id, by=BY, act=stand.platform.act)


@contextmanager
def _threads(bench: Bench) -> Iterator[list[tuple[threading.Thread, str]]]:
    """The threads that the plugin's code starts meanwhile, and where."""
    started: list[tuple[threading.Thread, str]] = []
    package, start = str(bench.installed.package), threading.Thread.start

    def noted(thread: threading.Thread) -> None:
        for frame in traceback.extract_stack():
            if frame.filename.startswith(package):
                started.append((thread, f"{Path(frame.filename).name}:{frame.lineno}"))
                break
        start(thread)

    threading.Thread.start = noted  # type: ignore[assignment,method-assign]
    try:
        yield started
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
