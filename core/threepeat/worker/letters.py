"""Dead letters: what a plugin could not handle, with what waits behind it, and what is tried again."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events.context import PluginContext
from threepeat.events.log import Unreadable, concerned
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Handler, Installed
from threepeat.sdk.events import Event
from threepeat.tenancy.switches import SwitchState
from threepeat.worker.waves import waves

PARKED = text("""
    SELECT plugin, member_id, min(position) AS position, bool_or(state = 'retry') AS retried FROM core.dead_letter
    WHERE tenant_id = :tenant AND plugin = ANY(CAST(:plugins AS text[])) AND state <> 'dropped'
      AND member_id = ANY(CAST(:members AS bigint[]))
    GROUP BY plugin, member_id
""")
PARK = text("""
    INSERT INTO core.dead_letter (tenant_id, plugin, position, member_id, error, behind, state)
    SELECT :tenant, :plugin, position, member_id, error, behind, state
    FROM unnest(CAST(:positions AS bigint[]), CAST(:members AS bigint[]), CAST(:errors AS text[]),
                CAST(:behinds AS bigint[]), CAST(:states AS text[]))
         AS given (position, member_id, error, behind, state)
    ON CONFLICT (tenant_id, plugin, position) DO UPDATE
    SET error = excluded.error, behind = excluded.behind, state = excluded.state,
        attempts = core.dead_letter.attempts + (excluded.behind IS NULL)::int, changed_at = core.now()
""")
QUEUED = text("""
    SELECT d.plugin, d.position FROM unnest(CAST(:plugins AS text[])) AS p (plugin),
    LATERAL (
        SELECT plugin, position FROM core.dead_letter d
        WHERE d.tenant_id = :tenant AND d.plugin = p.plugin AND d.state = 'retry' ORDER BY d.position LIMIT :most
    ) d
    ORDER BY d.plugin, d.position
""")
SETTLED = text("""
    DELETE FROM core.dead_letter
    WHERE tenant_id = :tenant AND plugin = :plugin AND position = ANY(CAST(:positions AS bigint[]))
""")


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that is put aside."""

    position: int
    member: int | None
    error: str
    behind: int | None
    state: str = "waiting"


@dataclass
class Events:
    """Events on their way to one plugin; it is the `Work` of a share.

    Attributes:
        parked: Members whose letters wait: the position of their first, and whether somebody asked to try again.
    """

    opened: OpenTenant
    plugin: Installed
    handlers: Sequence[Handler]
    parked: dict[int, tuple[int, bool]] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)

    def prepare(self, events: Sequence[Event]) -> None:
        """Look up who takes part."""
        if any(not handler.always for handler in self.handlers):
            self.opened.gate(self.plugin.id).load(concerned(events))

    def free(self, items: Sequence[Event]) -> list[Event]:
        """The events that need not wait; the others are put behind the letter of their member."""
        return list(self._free(items))

    def _free(self, items: Sequence[Event]) -> Iterator[Event]:
        for event in items:
            member = _member(event)
            if member is not None and member in self.parked:
                first, retried = self.parked[member]
                reason, state = f"waits behind position {first}", "retry" if retried else "waiting"
                self.letters.append(Letter(event.position, member, reason, first, state))
            else:
                yield event

    def run(self, context: PluginContext, items: Sequence[Event]) -> None:
        """Hand the events to their handlers, in waves."""
        for handler, wave in waves(items, self.handlers):
            wanted = wave if handler.always else [event for event in wave if self._open(event)]
            if wanted:
                handler.handle(context, wanted)

    def failed(self, item: Event, error: str) -> None:
        """Put an event aside."""
        self._put_aside(item.position, _member(item), error)

    def unreadable(self, item: Unreadable) -> None:
        """Put an event aside that no longer fits its class."""
        self._put_aside(item.position, item.member, item.reason)

    def name(self, item: Event) -> str:
        """What it is called among the counted attempts."""
        return f"event:{item.position}"

    def depth(self, item: Event) -> int:
        """How many events caused one another to bring it about."""
        return item.depth

    def write(self) -> None:
        """Write the letters of this turn."""
        if self.letters:
            park(self.opened.scope, self.plugin.id, self.letters)
            self.letters = []

    def _put_aside(self, position: int, member: int | None, error: str) -> None:
        self.letters.append(Letter(position, member, error, None))
        if member is not None:
            self.parked.setdefault(member, (position, False))

    def _open(self, event: Event) -> bool:
        if self.opened.state(self.plugin.id) is not SwitchState.ENABLED:
            return False
        member = _member(event)
        return member is None or self.opened.gate(self.plugin.id)(member)


class Retried(Events):
    """Events that are handed over again, in their order for each member, after somebody asked for it.

    Nothing waits before them: they are the first of their members.
    """

    def settle(self, positions: Collection[int], untried: Collection[int]) -> None:
        """Remove the letters that were handled; write those that failed again or wait behind one that did."""
        kept = {letter.position for letter in self.letters} | set(untried)
        done = [position for position in positions if position not in kept]
        self.opened.scope.run(SETTLED, plugin=self.plugin.id, positions=done)
        self.write()


def park(scope: Scope, plugin: str, letters: Sequence[Letter]) -> None:
    """Put events aside."""
    scope.run(
        PARK,
        plugin=plugin,
        positions=[letter.position for letter in letters],
        members=[letter.member for letter in letters],
        errors=[letter.error for letter in letters],
        behinds=[letter.behind for letter in letters],
        states=[letter.state for letter in letters],
    )


def parked(
    scope: Scope, plugins: Collection[str], members: Collection[int]
) -> dict[str, dict[int, tuple[int, bool]]]:
    """By plugin, those of some members whose letters wait, as `Events.parked`; all of them at once."""
    found: dict[str, dict[int, tuple[int, bool]]] = {name: {} for name in plugins}
    if members:
        for row in scope.run(PARKED, plugins=list(plugins), members=sorted(members)):
            found[row.plugin][row.member_id] = (row.position, row.retried)
    return found


def queued(scope: Scope, plugins: Collection[str], most: int) -> dict[str, list[int]]:
    """By plugin, the positions that somebody asked to try again, in order; plugins without any are absent."""
    found: dict[str, list[int]] = {}
    for row in scope.run(QUEUED, plugins=list(plugins), most=most):
        found.setdefault(row.plugin, []).append(row.position)
    return found


def _member(event: Event) -> int | None:
    return event.envelope.member if event.envelope else None
