"""A tactic that is switched off keeps what it promised and comes to an end, or says what is still owed."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import text

from threepeat.database.redact import brief
from threepeat.tenancy import switches
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.switches import SwitchState
from threepeat.testing.conformance import offers, phone
from threepeat.testing.conformance.bench import BY, Bench, NotApplicable, Stand

TITLE = "Switched off, it keeps its promises and is off once nothing is owed; until then it says what is owed."
FIX = (
    "Let open_obligations count what members can still claim and yield a sentence only if there is something;"
    " let what is promised end by a deadline (ctx.later); and let on_closing and on_disabled raise nothing."
)
DAYS = (1, 8, 35, 100, 200, 400)
"""When it is looked at; by the last of them every deadline has passed."""

FAILED = text("""
    SELECT kind, name, error FROM core.timer
    WHERE tenant_id = :tenant AND plugin = :plugin AND (failed_at IS NOT NULL OR error IS NOT NULL) ORDER BY 1, 2
""")


def check(bench: Bench) -> Iterator[str]:
    """Switch it off where nobody has anything, and where members have lived; then let a year pass."""
    yield from _untouched(bench)
    stand = bench.store()
    for member in ("ann", "bob"):
        stand.live(member)
    phone.command(stand, ("ann", "bob"))
    stand.drain()
    fault = _switch_off(stand)
    if fault:
        yield fault
        return
    if stand.switched() is SwitchState.CLOSING:
        stand.live("eve")
        for one in offers.handed(stand, "eve"):
            yield f"while it is closing, a member who had nothing gets {one}"
    for days in DAYS:
        stand.pass_time(timedelta(days=days))
        stand.drain()
    yield from (f"while it was closing, events could not be handled: {letter}" for letter in stand.letters())
    with stand.scope() as scope:
        for row in scope.run(FAILED, plugin=bench.installed.id):
            yield f"while it was closing, the {row.kind} {row.name} failed: {row.error}"
    if stand.switched() is SwitchState.CLOSING:
        yield from _end(stand)


def _untouched(bench: Bench) -> Iterator[str]:
    stand = bench.store()
    fault = _switch_off(stand)
    if fault:
        yield fault
    elif stand.switched() is not SwitchState.OFF:
        said = "; ".join(map(str, _owed(stand))) or "nothing"
        yield f"in a store where nothing has happened it does not switch off; it says that it owes: {said}"


def _end(stand: Stand) -> Iterator[str]:
    """A year has passed: it says what it owes, or is off."""
    owed = _owed(stand)
    if not owed:
        fault = _switch_off(stand)
        if fault:
            yield fault
        return
    for one in owed:
        if not isinstance(one, str) or len(str(one).split()) < 3:  # two words are no sentence
            yield f"open_obligations says {one!r}, which tells a merchant nothing: yield a sentence"


def _owed(stand: Stand) -> list[object]:
    with stand.scope() as scope:
        return list(stand.bench.installed.plugin.open_obligations(stand.context(scope)) or ())


def _switch_off(stand: Stand) -> str:
    """How it fails; empty if it does not."""
    plugin = stand.bench.installed.id
    try:
        with stand.scope() as scope:
            switches.disable(scope, stand.tenant, stand.platform.registry, plugin, by=BY, act=stand.platform.act)
    except Invalid as refused:
        raise NotApplicable(str(refused)) from None
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        return f"switching it off fails in on_closing, open_obligations or on_disabled: {brief(error)}"
    return ""
