"""Checks every promise about stored data, tenant by tenant."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, text

from threepeat.events.platform import Platform
from threepeat.tenancy import switches
from threepeat.tenancy.tenants import Tenant

MOST = 20

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
        "Every event with a subject has the member that the subject leads to.",
        text("""
            SELECT e.position FROM core.event e
            LEFT JOIN core.identity i
              ON i.tenant_id = e.tenant_id AND i.kind = 'shop' AND i.value = e.subject
            WHERE e.tenant_id = :tenant AND e.subject IS NOT NULL AND e.member_id IS DISTINCT FROM i.member_id
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
    with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
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
