"""What core does for itself in a tenant: ends closings, completes erasures, sweeps what is kept for a while only.

Its deadlines are rows of the same table as the plugins', under the name `core`. They are carried out after
the turn, each in a transaction of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.database.lost import is_lost
from threepeat.database.redact import brief
from threepeat.events import erasure
from threepeat.events.platform import Platform
from threepeat.tenancy import switches
from threepeat.tenancy.tenants import Tenant
from threepeat.worker.watch import Watch

CORE = "core"
LEASE = timedelta(minutes=10)
ASK_AGAIN = timedelta(minutes=10)
SWEEP = timedelta(hours=1)
KEEP_ANSWERS = timedelta(hours=72)
MOST = 5_000

TAKE = text("""
    WITH due AS MATERIALIZED (
        SELECT name, key FROM core.timer
        WHERE tenant_id = :tenant AND plugin = 'core' AND kind = 'timer' AND due_at <= :now
        ORDER BY due_at LIMIT 10 FOR UPDATE SKIP LOCKED
    )
    UPDATE core.timer t SET due_at = :now + :lease, attempts = t.attempts + 1 FROM due
    WHERE t.tenant_id = :tenant AND t.plugin = 'core' AND t.kind = 'timer'
      AND t.name = due.name AND t.key = due.key
    RETURNING t.name, t.key
""")
SET = text("""
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at)
    VALUES (:tenant, 'core', 'timer', :name, :key, core.now() + :pause)
    ON CONFLICT (tenant_id, plugin, kind, name, key) DO UPDATE SET due_at = excluded.due_at
""")
REMOVE = text("""
    DELETE FROM core.timer
    WHERE tenant_id = :tenant AND plugin = 'core' AND kind = 'timer' AND name = :name AND key = :key
""")
PLAN = text("""
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at)
    VALUES (:tenant, 'core', 'timer', 'sweep', '', core.now() + :pause) ON CONFLICT DO NOTHING
""")
FORGET_ANSWERS = text("""
    WITH old AS MATERIALIZED (
        SELECT principal, key FROM core.idempotency
        WHERE tenant_id = :tenant AND created_at < transaction_timestamp() - :keep LIMIT :most
    )
    DELETE FROM core.idempotency i USING old
    WHERE i.tenant_id = :tenant AND i.principal = old.principal AND i.key = old.key
""")

logger = structlog.get_logger(__name__)


def plan(scope: Scope) -> None:
    """See to it that the sweep has its row."""
    scope.run(PLAN, pause=SWEEP)


def take(scope: Scope) -> Sequence[Row[Any]]:
    """Core's own deadlines that have come; they come again unless they are carried out."""
    return scope.run(TAKE, lease=LEASE, now=scope.now)


def carry_out(platform: Platform, tenant: Tenant, rows: Sequence[Row[Any]], watch: Watch) -> None:
    """Carry them out; one that fails comes again and holds back no other."""
    for row in rows:
        try:
            DUTIES[row.name](platform, tenant, row.key, watch)
        except Exception as error:
            if is_lost(error):
                raise
            logger.error("housekeeping failed", tenant=tenant.store.slug, duty=row.name, error=brief(error))


def _end_closing(platform: Platform, tenant: Tenant, key: str, watch: Watch) -> None:
    """Switch a closing plugin off once it owes nothing, or ask again later."""
    with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
        with watch.busy(tenant=tenant.store.slug, plugin=key):
            done = switches.end_closing(scope, tenant, platform.registry, key, act=platform.act)
        if done:
            scope.run(REMOVE, name="closing", key=key)
        else:
            scope.run(SET, name="closing", key=key, pause=ASK_AGAIN)


def _erase(platform: Platform, tenant: Tenant, key: str, watch: Watch) -> None:
    erasure.complete(platform, tenant, key, busy=watch.busy)
    with platform.database.tenant(tenant.id) as scope:
        scope.run(REMOVE, name="erase", key=key)


def _sweep(platform: Platform, tenant: Tenant, key: str, _watch: Watch) -> None:
    with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
        full = scope.count(FORGET_ANSWERS, keep=KEEP_ANSWERS, most=MOST) == MOST
        scope.run(SET, name="sweep", key=key, pause=timedelta() if full else SWEEP)


DUTIES: Mapping[str, Callable[[Platform, Tenant, str, Watch], None]] = {
    "closing": _end_closing,
    "erase": _erase,
    "sweep": _sweep,
}
