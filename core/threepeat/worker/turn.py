"""One tenant's turn: the batch read once, each plugin in a savepoint, effects and positions together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.database.engine import Scope
from threepeat.events import log
from threepeat.events.context import Cause
from threepeat.events.log import Emitted
from threepeat.events.opened import Gate
from threepeat.events.platform import Platform
from threepeat.plugins import Handler, Installed
from threepeat.plugins.dispatch import call
from threepeat.sdk.events import Event
from threepeat.tenancy import switches
from threepeat.tenancy.switches import Activation, SwitchState
from threepeat.tenancy.tenants import Tenant
from threepeat.worker.waves import waves

ATTEMPTS = 3

CURSORS = text("SELECT plugin, position FROM core.cursor WHERE tenant_id = :tenant ORDER BY plugin FOR UPDATE")
ADVANCE = text("""
    UPDATE core.cursor c SET position = :until
    WHERE c.tenant_id = :tenant AND c.plugin = ANY(CAST(:plugins AS text[]))
""")
PARKED = text("""
    SELECT member_id, min(position) AS position FROM core.dead_letter
    WHERE tenant_id = :tenant AND plugin = :plugin AND member_id = ANY(CAST(:members AS bigint[]))
    GROUP BY member_id
""")
PARK = text("""
    INSERT INTO core.dead_letter (tenant_id, plugin, position, member_id, error, behind)
    VALUES (:tenant, :plugin, :position, :member, :error, :behind) ON CONFLICT DO NOTHING
""")

HANDLED = Counter("threepeat_events_handled_total", "Events handed to plugins.", ["plugin"])
LETTERS = Counter("threepeat_dead_letters_total", "Events that a plugin could not handle.", ["plugin"])
SECONDS = Histogram("threepeat_handler_seconds", "Time that a plugin took for its part of a turn.", ["plugin"])

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What a turn did.

    Attributes:
        events: How many events it went past.
        more: The log goes on.
    """

    events: int
    more: bool


def serve(platform: Platform, tenant: Tenant, *, most: int) -> Progress:
    """Serve one batch of a tenant's log to its plugins and commit.

    Raises:
        DBAPIError: A transient fault of the database: nothing happened, try again.
    """
    with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
        moved = log.move_outbox(scope, most)
    with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
        on = {
            name: found
            for name, found in switches.activations(scope).items()
            if found.state is not SwitchState.OFF and name in platform.registry
        }
        # Locking the cursors keeps out a worker whose lease ran out while it was asleep.
        cursors = {row.plugin: row.position for row in scope.run(CURSORS) if row.plugin in on}
        head = log.head(scope)
        after = min(cursors.values(), default=head)
        until = min(head, after + most)
        emitted: list[Emitted] = []
        if after < until:
            emitted = _serve_plugins(platform, scope, tenant, on, cursors, after, until)
            log.append(scope, emitted)
    return Progress(until - after, moved or bool(emitted) or until < head)


def _serve_plugins(
    platform: Platform,
    scope: Scope,
    tenant: Tenant,
    on: Mapping[str, Activation],
    cursors: Mapping[str, int],
    after: int,
    until: int,
) -> list[Emitted]:
    table = platform.registry.table(frozenset(on))
    events, unreadable = log.read(scope, platform.catalogue, after, until, table.unread)
    emitted: list[Emitted] = []
    behind = [name for name, position in cursors.items() if position < until]
    for name, handlers in table.handlers.items():
        if name in behind:
            turn = _PluginTurn(platform, scope, tenant, platform.registry[name], on[name], handlers)
            for broken in unreadable:
                if broken.position > cursors[name] and any(h.event.type == broken.type for h in handlers):
                    turn.park(broken.position, broken.member, broken.reason)
            wanted = {handler.event for handler in handlers}
            turn.serve([e for e in events if e.position > cursors[name] and type(e) in wanted])
            emitted += turn.emitted
    scope.run(ADVANCE, plugins=behind, until=until)
    return emitted


@dataclass
class _PluginTurn:
    """One plugin's share of a turn."""

    platform: Platform
    scope: Scope
    tenant: Tenant
    plugin: Installed
    activation: Activation
    handlers: Sequence[Handler]
    parked: dict[int | None, int] = field(default_factory=dict)
    emitted: list[Emitted] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gate = Gate(self.scope, self.activation)

    def serve(self, events: Sequence[Event]) -> None:
        """Hand over a plugin's events; what it cannot handle is parked and the rest goes on."""
        members = {
            event.envelope.member for event in events if event.envelope and event.envelope.member is not None
        }
        rows = self.scope.run(PARKED, plugin=self.plugin.id, members=sorted(members)) if members else ()
        self.parked.update({row.member_id: row.position for row in rows})
        if any(not handler.always for handler in self.handlers):
            self.gate.load(members)
        self._bisect(events)

    def park(self, position: int, member: int | None, error: str, behind: int | None = None) -> None:
        """Put an event aside; later events of its member wait behind it."""
        self.scope.run(PARK, plugin=self.plugin.id, position=position, member=member, error=error, behind=behind)
        if member is not None:
            self.parked.setdefault(member, position)
        LETTERS.labels(self.plugin.id).inc()

    def _bisect(self, events: Sequence[Event]) -> None:
        events = list(self._free(events))
        if not events:
            return
        outcome = call(self.plugin.id, lambda: self._run(events))
        for _ in range(ATTEMPTS - 1 if len(events) == 1 else 0):
            if outcome.error is not None and not is_transient(outcome.error):
                outcome = call(self.plugin.id, lambda: self._run(events))
        SECONDS.labels(self.plugin.id).observe(outcome.seconds)
        if outcome.error is None:
            HANDLED.labels(self.plugin.id).inc(len(events))
        elif is_transient(outcome.error):
            raise outcome.error
        elif len(events) > 1:
            middle = len(events) // 2
            self._bisect(events[:middle])
            self._bisect(events[middle:])
        else:
            event, error = events[0], outcome.error
            logger.error(
                "dead letter",
                tenant=self.tenant.store.slug,
                plugin=self.plugin.id,
                position=event.position,
                type=event.type,
                exc_info=error,
            )
            member = event.envelope.member if event.envelope else None
            self.park(event.position, member, f"{type(error).__name__}: {error}"[:2000])

    def _free(self, events: Iterable[Event]) -> Iterable[Event]:
        """The events that need not wait; the others are put behind the letter of their member."""
        for event in events:
            member = event.envelope.member if event.envelope else None
            if member is not None and member in self.parked:
                first = self.parked[member]
                self.park(event.position, member, f"waits behind position {first}", first)
            else:
                yield event

    def _run(self, events: Sequence[Event]) -> None:
        with self.scope.connection.begin_nested():
            context = self.platform.inside(self.scope, self.tenant).context(self.plugin, cause=Cause(None))
            for handler, wave in waves(events, self.handlers):
                wanted = wave if handler.always else [event for event in wave if self._open(event)]
                if wanted:
                    handler.handle(context, wanted)
            emitted = context.take()
        self.emitted += emitted

    def _open(self, event: Event) -> bool:
        member = event.envelope.member if event.envelope else None
        return self.activation.state is SwitchState.ENABLED and (member is None or self.gate(member))


def is_transient(error: Exception) -> bool:
    """Whether trying again may help: a deadlock, a timeout, a serialization failure or a lost connection."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return (
        error.connection_invalidated or state is None or state[:2] in {"08", "40", "53", "57"} or state == "55P03"
    )
