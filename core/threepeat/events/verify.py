"""Checks every promise about stored data, tenant by tenant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, text

from threepeat.database.engine import Timeouts
from threepeat.events.platform import Platform
from threepeat.tenancy import switches
from threepeat.tenancy.tenants import Tenant

MOST = 20
PATIENCE = Timeouts(statement=3_600_000, lock=10_000, idle=60_000)
"""A check reads the whole log of a store."""

CORE: dict[str, tuple[str, TextClause]] = {
    "log": (
        "The log has no gap: as many events as its newest position says.",
        text("""
            SELECT s.head, count(e.position), max(e.position) FROM core.stream s
            LEFT JOIN core.event e ON e.tenant_id = s.tenant_id
            WHERE s.tenant_id = :tenant GROUP BY s.head
            HAVING s.head <> count(e.position) OR s.head <> coalesce(max(e.position), 0)
        """),
    ),
    "cursors": (
        "No plugin has read past the end of the log.",
        text("""
            SELECT c.plugin, c.position, s.head FROM core.cursor c JOIN core.stream s USING (tenant_id)
            WHERE c.tenant_id = :tenant AND c.position > s.head
        """),
    ),
    "members": (
        "Every event with a subject has the member that the subject leads to, or one who became that member.",
        text("""
            SELECT e.position FROM core.event e
            LEFT JOIN core.member m ON m.tenant_id = e.tenant_id AND m.id = e.member_id
            LEFT JOIN core.member t ON t.tenant_id = m.tenant_id AND t.id = m.merged_into
            LEFT JOIN core.identity i
              ON i.tenant_id = e.tenant_id AND i.kind = 'shop' AND i.value = e.subject
            WHERE e.tenant_id = :tenant AND e.subject IS NOT NULL
              AND coalesce(m.merged_into, e.member_id) IS DISTINCT FROM i.member_id
              AND coalesce(m.erase_requested_at, t.erase_requested_at) IS NULL
            LIMIT 20
        """),
    ),
    "merges": (
        "A merged member leads to one who is not merged, and nothing leads to it.",
        text("""
            SELECT m.id, m.merged_into FROM core.member m
            LEFT JOIN core.member t ON t.tenant_id = m.tenant_id AND t.id = m.merged_into
            WHERE m.tenant_id = :tenant AND m.merged_into IS NOT NULL
              AND (t.id IS NULL OR t.merged_into IS NOT NULL OR EXISTS (
                  SELECT FROM core.identity i WHERE i.tenant_id = m.tenant_id AND i.member_id = m.id))
            LIMIT 20
        """),
    ),
    "cap": (
        "No more tactics are on than the plan allows.",
        text("""
            SELECT count(*) FROM core.activation a JOIN core.tenant t ON t.id = a.tenant_id
            JOIN core.plan p ON p.id = t.plan
            WHERE a.tenant_id = :tenant AND a.slot IS NOT NULL GROUP BY p.tactic_cap
            HAVING count(*) > p.tactic_cap
        """),
    ),
    "budgets": (
        "What a month's budget has spent is what its rewards cost, less what came back.",
        text("""
            SELECT plugin, month, b.spent, r.cost FROM
                (SELECT plugin, month, sum(spent) AS spent FROM core.budget
                 WHERE tenant_id = :tenant GROUP BY plugin, month) b
                FULL JOIN (SELECT plugin, month, sum(cost - refunded_cost) AS cost FROM core.reward
                           WHERE tenant_id = :tenant GROUP BY plugin, month) r USING (plugin, month)
            WHERE coalesce(b.spent, 0) <> coalesce(r.cost, 0)
        """),
    ),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check in one tenant; without rows it holds.

    Attributes:
        owner: `core` or a plugin's id.
        rows: The violations, at most twenty.
    """

    tenant: str
    owner: str
    name: str
    promise: str
    rows: list[dict[str, Any]]


def verify(platform: Platform, tenant: Tenant) -> Iterator[Finding]:
    """Run every check of core and of each plugin that the tenant ever had."""
    slug = tenant.store.slug
    offset = tenant.clock_offset
    with platform.database.tenant(tenant.id, clock_offset=offset, timeouts=PATIENCE) as scope:
        for name, (promise, statement) in CORE.items():
            yield Finding(slug, "core", name, promise, _rows(scope.run(statement)))
        touched = switches.activations(scope)
        for plugin in platform.registry:
            if plugin.id in touched:
                for invariant in plugin.invariants:
                    statement = platform.statements[plugin.id][invariant.sql]
                    yield Finding(slug, plugin.id, invariant.name, invariant.promise, _rows(scope.run(statement)))


def _rows(found: Any) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in found[:MOST]]  # noqa: SLF001 - SQLAlchemy's documented mapping
