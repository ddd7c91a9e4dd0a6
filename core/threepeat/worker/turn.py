"""One tenant's turn: what is due, then the log, for each plugin in savepoints; effects and positions together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.database.faults import fault_point
from threepeat.database.sealed import BrokenTurnError
from threepeat.events import log
from threepeat.events.log import Emitted, Unreadable
from threepeat.events.opened import OpenTenant
from threepeat.events.platform import Platform
from threepeat.plugins import Chosen, Handler, Installed, Table
from threepeat.sdk.events import Event
from threepeat.tenancy import members
from threepeat.tenancy.switches import SwitchState
from threepeat.tenancy.tenants import Tenant
from threepeat.worker import choosing, housekeeping, letters, timers
from threepeat.worker.calls import Caller, Claimed
from threepeat.worker.careful import Careful
from threepeat.worker.letters import Events, Retried
from threepeat.worker.share import Share
from threepeat.worker.timers import Deadlines, Occurrences
from threepeat.worker.watch import Watch

CURSORS = text("""
    SELECT plugin, position, letters, paused_at FROM core.cursor
    WHERE tenant_id = :tenant ORDER BY plugin FOR UPDATE
""")
ADVANCE = text("""
    UPDATE core.cursor c SET position = :until
    WHERE c.tenant_id = :tenant AND c.plugin = ANY(CAST(:plugins AS text[])) AND c.position < :until
""")
# Written right after the plugin was called, and only inside the tenant that the turn began in.
STAND = text("""
    UPDATE core.cursor
    SET position = greatest(position, :position), letters = :letters,
        paused_at = CASE WHEN CAST(:reason AS text) IS NULL THEN NULL ELSE core.now() END, paused_reason = :reason
    WHERE tenant_id = :tenant AND plugin = :plugin AND current_setting('threepeat.tenant') = :inside
""")

WAIT_FOR_CALLS = timedelta(seconds=5)
"""Without a free place for a call there is no use in looking again at once."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What a turn did.

    Attributes:
        events: How many events it went past.
        more: Something waits that could be served at once.
        due: When the tenant has to be served next, by its own clock.
        position: How far the plugin stands that is furthest behind.
        duties: What core has to do for itself now.
        calls: Calls to the outside that the turn has leased.
    """

    events: int
    more: bool
    due: datetime | None = None
    position: int = 0
    duties: Sequence[Row[Any]] = ()
    calls: Sequence[Claimed] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """What serves turns in one worker.

    Attributes:
        pause_after: After how many letters in a row a plugin rests in a tenant.
        planned: Which tenants' schedules were looked after, for which plugins.
    """

    platform: Platform
    watch: Watch
    caller: Caller
    pause_after: int = 10
    planned: set[tuple[int, frozenset[str]]] = field(default_factory=set)

    def serve(self, tenant: Tenant, *, most: int, careful: Careful | None = None) -> Progress:
        """Serve what is due and one batch of a tenant's log, and commit.

        Raises:
            DBAPIError: A transient fault of the database: nothing happened, try again.
        """
        database = self.platform.database
        with database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            moved = log.move_outbox(scope, most)
            fault_point("outbox.moved")
        with database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            opened = self.platform.inside(scope, tenant)
            turn = _Turn(self, opened, careful, scope.run(CURSORS))
            self._plan(turn)
            work = turn.gather(most)
            turn.serve(work)
            log.append(scope, turn.emitted)
            if careful:
                careful.finish(scope)
            calls = self.caller.claim(opened, turn.active, self.watch)
            duties, due = turn.look_ahead(calls_wait=self.caller.free(tenant.id) <= len(calls))
            fault_point("turn.before-commit")
        fault_point("turn.after-commit")
        more = moved or work.more or bool(turn.emitted)
        return Progress(work.until - work.after, more, due, work.until, duties, calls)

    def _plan(self, turn: "_Turn") -> None:
        key = (turn.opened.tenant.id, frozenset(plugin.id for plugin in turn.active))
        if key not in self.planned:
            timers.plan(turn.opened, turn.active)
            housekeeping.plan(turn.opened.scope)
            self.planned.add(key)


class _Turn:
    """A turn inside its transaction; the cursors' locks keep out a worker whose lease ran out in its sleep."""

    def __init__(
        self, server: Server, opened: OpenTenant, careful: Careful | None, cursors: Sequence[Row[Any]]
    ) -> None:
        self.opened = opened
        self.emitted: list[Emitted] = []
        registry = server.platform.registry
        self._server = server
        self._scope: Scope = opened.scope
        self._careful = careful
        rows = {row.plugin: row for row in cursors if opened.state(row.plugin) is not SwitchState.OFF}
        self._positions = {name: row.position for name, row in rows.items() if row.paused_at is None}
        self._letters = {name: row.letters for name, row in rows.items()}
        self._chosen: Chosen = frozenset()
        self.active: list[Installed] = [plugin for plugin in registry if plugin.id in self._positions]

    def gather(self, most: int) -> "_Work":
        """Read what waits, and lock the members whom it concerns before anything of theirs is touched."""
        scope, catalogue = self._scope, self._server.platform.catalogue
        names = [plugin.id for plugin in self.active if plugin.timers or plugin.schedules]
        head = log.head(scope)
        after = min(self._positions.values(), default=head)
        come = timers.due(scope, names, ("timer", "schedule"), most)
        due = self._ripe(come, after) if after < head else come
        until = min(head, after + most)
        queued = letters.queued(scope, list(self._positions), most)
        if after < until or queued:
            # Only now that the head is read: who asked for types before the last of these events is among them.
            self._chosen = choosing.chosen(self.opened, self._positions, self._server.watch, self._careful)
        table = self._table
        found = log.read(scope, catalogue, after, until, table.unread) if after < until else ([], [])
        again = {
            name: log.read_at(scope, catalogue, positions, {h.event.type for h in table.handlers.get(name, ())})
            for name, positions in queued.items()
        }
        read_now = (event for read, _ in (found, *again.values()) for event in read)
        where = members.moved(scope, log.concerned(read_now))
        work = _Work(
            due=due,
            queued=queued,
            again={name: (log.moved(read, where), broken) for name, (read, broken) in again.items()},
            events=log.moved(found[0], where),
            broken=found[1],
            after=after,
            until=until,
            more=until < head
            or len(due) < len(come)
            or len(come) == most
            or any(len(one) == most for one in queued.values()),
        )
        members.lock(scope, work.members())
        return work

    def _ripe(self, come: Sequence[Row[Any]], after: int) -> Sequence[Row[Any]]:
        """Those before which nothing happened that is still unread: an outage makes no payment late."""
        since = log.first_after(self._scope, after) if come else None
        return come if since is None else [row for row in come if row.due_at < since]

    def serve(self, work: "_Work") -> None:
        """Hand everything over: deadlines, then letters, then the log."""
        self._serve_due(work)
        self._serve_letters(work)
        if work.after < work.until:
            self._serve_log(work)

    def _serve_due(self, work: "_Work") -> None:
        for plugin in self.active:
            mine = [row for row in work.due if row.plugin == plugin.id]
            if mine:
                share, opened = self._share(plugin), self.opened
                plans = timers.occurrences(opened, plugin, (row for row in mine if row.kind == "schedule"))
                share.hand_over(Occurrences(opened, plugin), plans)
                rows = [row for row in mine if row.kind == "timer"]
                places = {(row.name, row.key): row.place for row in rows}
                share.hand_over(Deadlines(opened, plugin, places), timers.deadlines(rows))
                self._stand(share, self._positions[plugin.id])

    def _serve_letters(self, work: "_Work") -> None:
        for plugin in self._still_active():
            if plugin.id in work.again:
                events, broken = work.again[plugin.id]
                share = self._share(plugin)
                retried = Retried(self.opened, plugin, self._handlers.get(plugin.id, ()))
                for one in broken:
                    retried.unreadable(one)
                retried.prepare(events)
                untried = share.hand_over(retried, events)
                retried.settle(work.queued[plugin.id], [event.position for event in untried])
                self._stand(share, self._positions[plugin.id])

    def look_ahead(self, *, calls_wait: bool) -> tuple[Sequence[Row[Any]], datetime | None]:
        """Core's own duties that have come, and when something is due next.

        Args:
            calls_wait: No more calls to the outside can begin: whoever ends one announces the tenant.
        """
        scope, active = self._scope, self._still_active()
        own = [(housekeeping.CORE, "timer")]
        outside = [(plugin.id, "call") for plugin in active if plugin.outbounds]
        timed = [plugin.id for plugin in active if plugin.timers or plugin.schedules]
        inside = [(name, kind) for name in timed for kind in ("timer", "schedule")]
        found = timers.next_due(scope, own + outside + inside)
        duties: Sequence[Row[Any]] = ()
        if own[0] in found and found[own[0]] <= scope.now:
            duties = housekeeping.take(scope)
            del found[own[0]]
            found |= timers.next_due(scope, own)
        for one in outside:
            if calls_wait and one in found:
                found[one] = max(found[one], scope.now + WAIT_FOR_CALLS)
        return duties, min(found.values(), default=None)

    def _serve_log(self, work: "_Work") -> None:
        until = work.until
        behind = [plugin for plugin in self._still_active() if self._positions[plugin.id] < until]
        meant = {plugin.id: self._meant_for(plugin, work) for plugin in behind}
        busy = [plugin for plugin in behind if any(meant[plugin.id])]
        everybody = log.concerned(event for plugin in busy for event in meant[plugin.id][0])
        parked = letters.parked(self._scope, [plugin.id for plugin in busy], everybody)
        for plugin in busy:
            mine, broken = meant[plugin.id]
            handlers = self._handlers.get(plugin.id, ())
            share, sent = self._share(plugin), Events(self.opened, plugin, handlers, parked[plugin.id])
            for one in broken:
                sent.unreadable(one)
            sent.prepare(mine)
            untried = share.hand_over(sent, mine)
            sent.write()
            self._stand(share, untried[0].position - 1 if untried else until)
            fault_point("turn.after-plugin")
        idle = [plugin.id for plugin in behind if plugin not in busy]
        if idle:
            self._scope.run(ADVANCE, plugins=idle, until=until)

    def _meant_for(self, plugin: Installed, work: "_Work") -> tuple[list[Event], list[Unreadable]]:
        """What of the log a plugin handles and has not had yet, and what of that no longer fits its class."""
        position, wanted = self._positions[plugin.id], {h.event for h in self._handlers.get(plugin.id, ())}
        types = {event.type for event in wanted}
        return (
            [event for event in work.events if event.position > position and type(event) in wanted],
            [one for one in work.broken if one.position > position and one.type in types],
        )

    def _stand(self, share: Share, position: int) -> None:
        """Write where a plugin stands, and let it rest if it failed too often."""
        name = share.plugin.id
        reason = f"{share.letters} things in a row could not be handled" if share.exhausted else None
        stood = self._scope.count(
            STAND,
            plugin=name,
            position=position,
            letters=share.letters,
            reason=reason,
            inside=str(self.opened.tenant.id),
        )
        if stood != 1:
            raise BrokenTurnError(f"{name} left the transaction in another tenant")
        self.emitted += share.emitted
        self._letters[name] = share.letters
        if share.exhausted:
            del self._positions[name]

    def _share(self, plugin: Installed) -> Share:
        return Share(
            self.opened,
            plugin,
            self._server.watch,
            letters=self._letters[plugin.id],
            pause_after=self._server.pause_after,
            careful=self._careful,
        )

    def _still_active(self) -> list[Installed]:
        return [plugin for plugin in self.active if plugin.id in self._positions]

    @property
    def _table(self) -> Table:
        return self._server.platform.registry.table(frozenset(self._positions), self._chosen)

    @property
    def _handlers(self) -> Mapping[str, tuple[Handler, ...]]:
        return self._table.handlers


@dataclass(frozen=True, slots=True)
class _Work:
    """What waits for a turn.

    Attributes:
        due: Rows of deadlines and schedules whose time has come.
        queued: By plugin, the positions that somebody asked to try again.
        again: By plugin, their events, and those that no longer fit their class.
        events: The next events of the log that anybody handles.
        broken: Those of them that no longer fit their class.
        after: The position before the first of them.
        until: The position of the last.
        more: More waits than fits.
    """

    due: Sequence[Row[Any]]
    queued: Mapping[str, Sequence[int]]
    again: Mapping[str, tuple[Sequence[Event], Sequence[Unreadable]]]
    events: Sequence[Event]
    broken: Sequence[Unreadable]
    after: int
    until: int
    more: bool

    def members(self) -> set[int]:
        """Everybody whom it concerns."""
        found = log.concerned(event for read, _ in self.again.values() for event in read)
        found |= log.concerned(self.events)
        return found | {row.member_id for row in self.due if row.member_id is not None}
