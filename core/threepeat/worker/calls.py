"""Calls to the outside: claimed in a turn, made with no transaction open, settled in one of their own."""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import orjson
import structlog
from prometheus_client import Counter as Metric
from sqlalchemy import TextClause, text

from threepeat.database.engine import Scope
from threepeat.database.faults import fault_point
from threepeat.database.redact import brief
from threepeat.events import log
from threepeat.events.context import Cause
from threepeat.events.opened import OpenTenant
from threepeat.events.platform import Platform
from threepeat.plugins import Installed
from threepeat.plugins.dispatch import call as call_in
from threepeat.sdk.timers import Call, GiveUp, Outbound, RetryAfter
from threepeat.tenancy import members, switches
from threepeat.tenancy.tenants import Tenant
from threepeat.worker.share import is_transient
from threepeat.worker.watch import Watch

PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 10800, 21600, 43200, 86400, 86400)
)
"""How long to wait after each failed attempt: about three days in all."""
LEASE = timedelta(seconds=60)
PER_TENANT = 4
"""Calls of one tenant that a worker makes at a time."""
GONE = -1
"""Stands for a member who was erased while the call was made: its outcome concerns nobody."""
UNSETTLED = "the worker stopped while it made the call"
MOST_UNSETTLED = 3

# The attempt is counted, and the row leased, before anything is sent. (Not a subquery: it could be run twice.)
CLAIM = text("""
    WITH due AS MATERIALIZED (
        SELECT d.plugin, d.name, d.key, d.error FROM unnest(CAST(:plugins AS text[])) AS p (plugin),
        LATERAL (
            SELECT * FROM core.timer c
            WHERE c.tenant_id = :tenant AND c.plugin = p.plugin AND c.kind = 'call' AND c.due_at <= :now
            ORDER BY c.due_at LIMIT :most FOR UPDATE SKIP LOCKED
        ) d
        LIMIT :most
    )
    UPDATE core.timer t SET due_at = :now + :lease, attempts = t.attempts + 1, error = :unsettled FROM due
    WHERE t.tenant_id = :tenant AND t.kind = 'call'
      AND t.plugin = due.plugin AND t.name = due.name AND t.key = due.key
    RETURNING t.plugin, t.name, t.key, t.payload, t.member_id, t.attempts, t.created_at, due.error AS before
""")
# A call that was asked for again meanwhile counts its attempts anew, so it is not this one any more.
MINE = "tenant_id = :tenant AND plugin = :plugin AND kind = 'call' AND name = :name AND key = :key"
SAME = "AND attempts = :attempt AND created_at = :created"
DONE = text(f"DELETE FROM core.timer WHERE {MINE} {SAME}")  # noqa: S608 - constants
AGAIN = text(f"""
    UPDATE core.timer SET due_at = core.now() + :pause, error = :error WHERE {MINE} {SAME}
""")  # noqa: S608 - constants
GIVEN_UP = text(f"""
    UPDATE core.timer SET due_at = NULL, failed_at = core.now(), error = :error WHERE {MINE} {SAME}
""")  # noqa: S608 - constants
LOOK_SECONDS = 0.1
WAKE = text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)")

Tell = Callable[[Any, Call, Any], None]
"""Takes a context, a call, and what came of it."""

CALLS = Metric("threepeat_calls_total", "Calls to the outside, by outcome.", ["plugin", "outcome"])

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A call in this worker's hands."""

    tenant: Tenant
    plugin: Installed
    settings: Any
    call: Call
    created_at: datetime
    deadly: bool
    given: Mapping[str, Any] | Exception | None = None
    """What it was prepared with, or why it could not be; None if nobody prepares it."""


class _AskedAgain(Exception):  # noqa: N818 - undoes what its savepoint holds
    """The call was asked for again while it was made, so what came of it is of no interest."""


class StuckError(RuntimeError):
    """A call does not return; only the end of the process frees its thread."""


class Caller:
    """Makes calls in threads of its own.

    Args:
        platform: Where their outcomes are settled.
        slots: How many at a time.
        deadline: Seconds that one may take.
    """

    def __init__(self, platform: Platform, *, slots: int, deadline: float) -> None:
        self._platform = platform
        self._deadline = deadline
        self._pool = ThreadPoolExecutor(max(slots, 1), "threepeat-call")
        self._free = slots
        self._running: dict[int, float] = {}
        self._of_tenant: Counter[int] = Counter()
        self._lock = threading.Condition()

    def free(self, tenant: int) -> int:
        """How many calls of a tenant can begin now: one whose calls all hang leaves places to the others."""
        return min(self._free, PER_TENANT - self._of_tenant[tenant])

    def claim(self, opened: OpenTenant, plugins: Sequence[Installed], watch: Watch) -> list[Claimed]:
        """Take calls of a tenant that are due, as many as can begin at once; its transaction carries the lease.

        Raises:
            DBAPIError: A transient fault of the database.
        """
        names = [plugin.id for plugin in plugins if plugin.outbounds]
        most = self.free(opened.tenant.id)
        if not names or most < 1:
            return []
        rows = opened.scope.run(
            CLAIM, plugins=names, most=most, lease=LEASE, unsettled=UNSETTLED, now=opened.scope.now
        )
        registry = self._platform.registry
        claimed = [
            Claimed(
                opened.tenant,
                registry[row.plugin],
                opened.settings(registry[row.plugin]),
                Call(
                    row.name,
                    row.key,
                    _call_id(opened.tenant.id, row.plugin, row.name, row.key, row.created_at),
                    row.payload,
                    row.attempts,
                    row.member_id,
                ),
                row.created_at,
                row.before == UNSETTLED and row.attempts > MOST_UNSETTLED,
            )
            for row in rows
        ]
        return list(_prepared(opened, claimed, watch))

    def begin(self, claimed: Sequence[Claimed]) -> None:
        """Make calls, once the transaction that leased them has committed."""
        for one in claimed:
            with self._lock:
                self._free -= 1
                self._of_tenant[one.tenant.id] += 1
                self._running[id(one)] = time.monotonic()
            self._pool.submit(self._make, one)

    def check(self) -> None:
        """See that no call hangs.

        Raises:
            StuckError: One does.
        """
        with self._lock:
            oldest = min(self._running.values(), default=None)
        if oldest is not None and time.monotonic() - oldest > self._deadline:
            raise StuckError(f"a call to the outside takes longer than {self._deadline:g} seconds")

    def wait(self) -> bool:
        """Wait until no call is under way.

        Returns:
            Whether there were any.

        Raises:
            StuckError: One takes longer than the deadline.
        """
        with self._lock:
            waited = bool(self._running)
            while not self._lock.wait_for(lambda: not self._running, timeout=LOOK_SECONDS):
                self.check()
        return waited

    def finish(self) -> None:
        """Wait for the calls that have begun, and begin no more."""
        self._pool.shutdown()

    def _make(self, claimed: Claimed) -> None:
        try:
            self._perform(claimed)
        except Exception as error:  # noqa: BLE001 - the lease brings the call back
            logger.error("call not settled", plugin=claimed.plugin.id, call=claimed.call.name, error=brief(error))
        finally:
            with self._lock:
                self._free += 1
                self._of_tenant -= Counter((claimed.tenant.id,))
                del self._running[id(claimed)]
                self._lock.notify_all()

    def _perform(self, claimed: Claimed) -> None:
        outbound = claimed.plugin.outbounds.get(claimed.call.name)
        if outbound is None:
            self._settle_failure(claimed, None, GiveUp("the plugin does not declare it any more"))
            return
        if claimed.deadly:
            self._settle_failure(claimed, outbound, GiveUp(f"{UNSETTLED}, {MOST_UNSETTLED} times"))
            return
        try:
            if isinstance(claimed.given, Exception):
                raise claimed.given
            call = claimed.call if claimed.given is None else replace(claimed.call, payload=claimed.given)
            answer = outbound.perform(claimed.settings, call)
            fault_point("call.made")
            orjson.dumps(answer)
            self._settle(claimed, outbound, answer)
        except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
            self._settle_failure(claimed, outbound, error)

    def _settle(self, claimed: Claimed, outbound: Outbound, answer: Any) -> None:
        tenant = claimed.tenant
        with self._platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            switches.stand_still(scope)
            self._conclude(scope, claimed, DONE, "done", outbound.done, answer)
            # Others of the tenant may have waited for the free place.
            scope.run(WAKE)
        fault_point("call.settled")
        CALLS.labels(claimed.plugin.id, "done").inc()

    def _settle_failure(self, claimed: Claimed, outbound: Outbound | None, error: Exception) -> None:
        tenant, attempt = claimed.tenant, claimed.call.attempt
        message = f"{type(error).__name__}: {error}".replace("\0", "")[:2000]
        logger.warning(
            "call failed",
            tenant=tenant.store.slug,
            plugin=claimed.plugin.id,
            call=claimed.call.name,
            attempt=attempt,
            error=brief(error),
        )
        over = isinstance(error, GiveUp) or attempt > len(PAUSES)
        with self._platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            switches.stand_still(scope)
            if over:
                failed = outbound.failed if outbound is not None else None
                self._conclude(scope, claimed, GIVEN_UP, "failed", failed, message, error=message)
            else:
                _concerned(scope, claimed)  # members are locked before calls
                scope.run(AGAIN, **_binds(claimed), pause=_pause(error, attempt), error=message)
            scope.run(WAKE)
        CALLS.labels(claimed.plugin.id, "given up" if over else "failed").inc()

    def _conclude(
        self,
        scope: Scope,
        claimed: Claimed,
        statement: TextClause,
        outcome: str,
        tell: Tell | None,
        told: Any,
        **binds: Any,
    ) -> None:
        """Tell a plugin what its call came to, and write it down, unless the call was asked for again meanwhile.

        The call's row is locked after the plugin's own rows, as by those who ask for a call.
        """
        member = _concerned(scope, claimed)
        if tell is None or member == GONE:
            scope.run(statement, **_binds(claimed), **binds)
            return
        opened = self._platform.inside(scope, claimed.tenant)
        context = opened.context(claimed.plugin, cause=_cause(claimed, outcome))
        with contextlib.suppress(_AskedAgain):
            with scope.plugin_call():
                tell(context, replace(claimed.call, member=member), told)
                if not scope.count(statement, **_binds(claimed), **binds):
                    raise _AskedAgain
                emitted = context.take()
            log.send(scope, emitted)


def _prepared(opened: OpenTenant, claimed: Sequence[Claimed], watch: Watch) -> Iterator[Claimed]:
    """Let plugins prepare their calls; those that they do not want to make any more are removed."""
    together: dict[tuple[str, str], list[Claimed]] = {}
    for one in claimed:
        together.setdefault((one.plugin.id, one.call.name), []).append(one)
    for group in together.values():
        plugin, name = group[0].plugin, group[0].call.name
        outbound = plugin.outbounds.get(name)
        if outbound is None or outbound.prepare is None:
            yield from group
            continue
        given = _prepare(opened, plugin, outbound, [one.call for one in group], watch)
        for one in group:
            if isinstance(given, Exception):
                yield replace(one, given=given)
            elif one.call.key in given:
                yield replace(one, given=given[one.call.key])
            else:
                opened.scope.run(DONE, **_binds(one))
                CALLS.labels(plugin.id, "dropped").inc()


def _prepare(
    opened: OpenTenant, plugin: Installed, outbound: Outbound, calls: Sequence[Call], watch: Watch
) -> Mapping[str, Mapping[str, Any]] | Exception:
    """What a plugin gives its calls by key, or what went wrong.

    Raises:
        DBAPIError: A transient fault of the database.
    """
    prepare = outbound.prepare
    assert prepare is not None  # noqa: S101 - it is only called if there is one

    def ask() -> Mapping[str, Mapping[str, Any]]:
        with opened.scope.plugin_call(), watch.busy(tenant=opened.tenant.store.slug, plugin=plugin.id):
            return dict(prepare(opened.context(plugin, cause=Cause(f"prepare:{outbound.name}")), calls))

    outcome = call_in(plugin.id, ask)
    opened.scope.require_tenant()
    if outcome.error is not None and is_transient(outcome.error):
        raise outcome.error
    if outcome.value is not None:
        return outcome.value
    assert outcome.error is not None  # noqa: S101 - what gave no answer failed
    return outcome.error


def _pause(error: Exception, attempt: int) -> timedelta:
    if isinstance(error, RetryAfter):
        return min(max(timedelta(seconds=error.seconds), timedelta(seconds=1)), PAUSES[-1])
    return PAUSES[attempt - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing


def _concerned(scope: Scope, claimed: Claimed) -> int | None:
    """Whom the call concerns by now, held until its outcome is written: the member may have been merged since."""
    before = claimed.call.member
    if before is None:
        return None
    now = members.current(scope, before, hold=True)
    return GONE if now is None else now


def _cause(claimed: Claimed, outcome: str) -> Cause:
    """The same call may be given up, and be done after somebody asked for it again."""
    return Cause(f"call:{claimed.call.id}:{outcome}:{claimed.call.attempt}")


def _binds(claimed: Claimed) -> dict[str, Any]:
    call = claimed.call
    return {
        "plugin": claimed.plugin.id,
        "name": call.name,
        "key": call.key,
        "attempt": call.attempt,
        "created": claimed.created_at,
    }


def _call_id(tenant: int, plugin: str, name: str, key: str, created_at: datetime) -> str:
    return sha256(f"{tenant}\n{plugin}\n{name}\n{key}\n{created_at.isoformat()}".encode()).hexdigest()[:32]
