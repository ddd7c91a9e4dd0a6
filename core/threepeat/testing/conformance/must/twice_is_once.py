"""A merchant clicks twice, a server answers late: switching a plugin twice is switching it once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from threepeat.database.engine import Scope
from threepeat.events.platform import Platform
from threepeat.plugins import Installed
from threepeat.tenancy import switches
from threepeat.tenancy.switches import SwitchState
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.conformance.bench import BY, Bench, NotApplicable, Stand
from threepeat.testing.conformance.states import State, differences, noise

TITLE = "on_enabled, on_closing and on_disabled leave the same behind when they are called twice as when once."
FIX = (
    "Write in these hooks with ON CONFLICT or as a conditional UPDATE, set values instead of counting up, and let"
    " what on_disabled removes be made again by on_enabled."
)
HOOKS = ("on_enabled", "on_closing", "on_disabled")

Act = Callable[[Scope, Tenant, Installed, str], Any]


@dataclass(frozen=True)
class _BrokenError(Exception):
    """A hook raised when it was called again."""

    hook: str
    error: Exception


def check(bench: Bench) -> Iterator[str]:
    """Switch with hooks that are called twice, and switch again over HTTP."""
    installed = bench.installed
    if not any(map(installed.overrides, HOOKS)):
        raise NotApplicable(f"it overrides none of {', '.join(HOOKS)}")
    if installed.manifest.kind == "service":
        yield from _service(bench)
        return
    try:
        yield from _called_twice(bench)
    except _BrokenError as broken:
        yield f"{broken.hook} fails when it is called again: {type(broken.error).__name__}: {_line(broken.error)}"
    yield from _switched_again(bench)


def _called_twice(bench: Bench) -> Iterator[str]:
    """The life of a tactic, with every hook called once, once more for what differs by itself, and twice."""
    once, twin, twice = (_off(bench) for _ in range(3))
    lives = zip(
        _life(once, once.platform.act),
        _life(twin, twin.platform.act),
        _life(twice, _twice(twice.platform)),
        strict=True,
    )
    for (when, wanted), (_, other), (_, found) in lives:
        wrong = [*differences(wanted, found, noise(wanted, other))]
        yield from (f"with each hook called twice, {when}: {one}" for one in wrong)
        if wrong:
            return  # what follows from it would be told again


def _off(bench: Bench) -> Stand:
    """A store that will have no comparison group, which is another in each store."""
    stand = bench.store(on=False)
    if bench.installed.manifest.holdout == "member":
        body = {"settings": {}, "holdout_percent": 0}
        stand.call("PUT", f"/v1/tactics/{bench.installed.id}/settings", body).raise_for_status()
    return stand


def _life(stand: Stand, act: Act) -> Iterator[tuple[str, State]]:
    def switch(verb: Callable[..., object]) -> State:
        with stand.scope() as scope:
            verb(scope, stand.tenant, stand.platform.registry, stand.bench.installed.id, by=BY, act=act)
        stand.drain()
        return stand.state()

    yield "after it was switched on", switch(switches.enable)
    yield "after it was switched off", switch(switches.disable)
    yield "after it was switched on again", switch(switches.enable)
    stand.prepare()
    stand.live()
    yield "after members did something and it was switched off", switch(switches.disable)


def _twice(platform: Platform) -> Act:
    def act(scope: Scope, tenant: Tenant, plugin: Installed, hook: str) -> Any:
        answer = platform.act(scope, tenant, plugin, hook)
        if hook not in HOOKS:
            return answer
        try:
            return platform.act(scope, tenant, plugin, hook)
        except Exception as error:
            raise _BrokenError(hook, error) from error

    return act


def _service(bench: Bench) -> Iterator[str]:
    """A service is switched on with the store and stays on."""
    once, twin, twice = (bench.store() for _ in range(3))
    try:
        with twice.scope() as scope:
            twice.platform.act(scope, twice.tenant, bench.installed, "on_enabled")
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        yield f"on_enabled fails when it is called again: {type(error).__name__}: {_line(error)}"
        return
    states = []
    for stand in (once, twin, twice):
        stand.drain()
        states.append(stand.state())
    wanted, other, found = states
    for one in differences(wanted, found, noise(wanted, other)):
        yield f"on_enabled called twice: {one}"


def _switched_again(bench: Bench) -> Iterator[str]:
    once, twin, again = (_off(bench) for _ in range(3))
    for stand in (once, twin):
        stand.switch("enable")
    for verb in ("enable", "enable", "disable", "disable", "enable"):
        answer = again.switch(verb)
        if answer.status_code >= 400:
            yield f"POST …/{verb} in a row of enable, disable, enable answers {answer.status_code}: {answer.text}"
            return
    if again.switched() is not SwitchState.ENABLED:
        yield f"after enable, disable and enable it is {again.switched()}"
    states = [_rows(stand) for stand in (once, twin, again)]
    for one in differences(states[0], states[2], noise(states[0], states[1])):
        yield f"after enable, disable and enable, against one enable: {one}"


def _rows(stand: Stand) -> State:
    """Without the events of the plugin: that it was switched on may be told each time."""
    tables = stand.state().tables
    return State({name: rows for name, rows in tables.items() if name != "its events"})


def _line(error: Exception) -> str:
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]
