"""Two members who are one person: everything of the source's becomes the target's, in one transaction.

Merges and erasures of a tenant come one after the other. Its cursors are locked next, so no event of either is
being handled, then the members, so no command of either is under way. The log keeps the old member id; whoever
reads it asks `members.moved`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.database.engine import Scope
from threepeat.database.personal import PersonalTable, personal_tables, quoted
from threepeat.database.redact import brief
from threepeat.events.context import Cause
from threepeat.events.opened import OpenTenant
from threepeat.events.platform import Platform
from threepeat.plugins import Installed
from threepeat.sdk.errors import Refused
from threepeat.tenancy import audit, members
from threepeat.tenancy.errors import Conflict, NotFound
from threepeat.tenancy.identities import PHONE, Identity
from threepeat.tenancy.tenants import Tenant

CORE = "core"
STAYS = frozenset({"core.member", "core.merge", "core.idempotency"})
"""Tables in which a merged member's id remains: what points to the target, and answers given under its name."""

LOCK_CURSORS = text("SELECT FROM core.cursor WHERE tenant_id = :tenant ORDER BY plugin FOR UPDATE")
LOCK_MEMBERS = text("""
    SELECT id, merged_into, erase_requested_at FROM core.member
    WHERE tenant_id = :tenant AND (id IN (:source, :target) OR merged_into = :source)
    ORDER BY id FOR UPDATE
""")
WRITE_DOWN = text("""
    INSERT INTO core.merge (tenant_id, source_id, target_id, identities, merged_by)
    SELECT :tenant, :source, :target,
           coalesce(jsonb_agg(jsonb_build_array(kind, value) ORDER BY kind, value), '[]'), :by
    FROM core.identity WHERE tenant_id = :tenant AND member_id = :source
""")
MOVE_IDENTITIES = text("""
    UPDATE core.identity SET member_id = :target, linked_at = transaction_timestamp()
    WHERE tenant_id = :tenant AND member_id = :source
""")
POINT = text("""
    UPDATE core.member SET merged_into = :target
    WHERE tenant_id = :tenant AND (id = :source OR merged_into = :source)
""")
# The target keeps its holdout_unit: a merge does not move a member between groups.
JOIN = text("""
    UPDATE core.member t
    SET exempt = t.exempt OR s.exempt,
        suspended_until = greatest(t.suspended_until, s.suspended_until),
        suspended_reason = CASE WHEN s.suspended_until > coalesce(t.suspended_until, '-infinity')
                                THEN s.suspended_reason ELSE t.suspended_reason END,
        created_at = least(t.created_at, s.created_at)
    FROM core.member s
    WHERE t.tenant_id = :tenant AND t.id = :target AND s.tenant_id = :tenant AND s.id = :source
""")
# A key that both have used keeps its answer under the name that the target already had.
MOVE_ANSWERS = text("""
    UPDATE core.idempotency i
    SET member_id = :target, principal = CASE
        WHEN EXISTS (SELECT FROM core.idempotency o
                     WHERE o.tenant_id = :tenant AND o.principal = :into AND o.key = i.key)
        THEN i.principal ELSE :into END
    WHERE i.tenant_id = :tenant AND i.principal = :gone
""")
MOVE_CONSENTS = text("""
    UPDATE core.consent SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
""")
MOVE_LETTERS = text("""
    UPDATE core.dead_letter SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
""")
MOVE_ATTEMPTS = text("""
    UPDATE core.attempt SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
""")
# Rewards and timers are locked in the order of their keys before they change.
MOVE_REWARDS = text("""
    WITH locked AS (
        SELECT plugin, key FROM core.reward WHERE tenant_id = :tenant AND member_id = :source
        ORDER BY plugin, key FOR UPDATE
    )
    UPDATE core.reward r SET member_id = :target FROM locked l
    WHERE r.tenant_id = :tenant AND (r.plugin, r.key) = (l.plugin, l.key)
""")
MOVE_TIMERS = text("""
    WITH locked AS (
        SELECT plugin, kind, name, key FROM core.timer WHERE tenant_id = :tenant AND member_id = :source
        ORDER BY plugin, kind, name, key FOR UPDATE
    )
    UPDATE core.timer t SET member_id = :target FROM locked l
    WHERE t.tenant_id = :tenant AND (t.plugin, t.kind, t.name, t.key) = (l.plugin, l.kind, l.name, l.key)
""")
MOVE_OUTBOX = text("""
    UPDATE core.outbox SET member_id = :target WHERE tenant_id = :tenant AND member_id = :source
""")
HISTORY = text("""
    SELECT g.identities, g.merged_at, g.merged_by FROM core.member s
    JOIN core.merge g ON g.tenant_id = s.tenant_id AND g.source_id = s.id
    WHERE s.tenant_id = :tenant AND s.merged_into = :member ORDER BY g.merged_at DESC, g.source_id DESC
""")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge that was done.

    Attributes:
        identities: What led to the source.
        merged_by: The principal who asked for it.
    """

    identities: list[Identity]
    merged_at: datetime
    merged_by: str


def merge(platform: Platform, scope: Scope, tenant: Tenant, source_id: int, target_id: int, *, by: str) -> None:
    """Make the target of everything that is the source's; it cannot be undone.

    Args:
        source_id: The member who goes.
        target_id: The member who stays, with its own comparison group.
        by: Who asks for it.

    Raises:
        NotFound: One of the two is not there.
        Conflict: They are one already, one of the two is being erased, or a plugin cannot hand its rows over.
        Refused: A plugin has a reason against it.
    """
    members.alone(scope)
    scope.run(LOCK_CURSORS)
    _lock(scope, source_id, target_id)
    tables = personal_tables(scope.connection)
    _refuse_stranded(platform, scope, tables, source_id)
    ids = {"source": source_id, "target": target_id}
    scope.run(WRITE_DOWN, **ids, by=by)
    for statement in (MOVE_IDENTITIES, POINT, JOIN, MOVE_CONSENTS, MOVE_LETTERS, MOVE_ATTEMPTS, MOVE_REWARDS):
        scope.run(statement, **ids)
    scope.held.discard(source_id)
    scope.run(MOVE_ANSWERS, target=target_id, into=f"member:{target_id}", gone=f"member:{source_id}")
    opened = platform.inside(scope, tenant)
    for plugin in platform.registry:
        if plugin.id in opened.activations:
            _hand_over(opened, plugin, source_id, target_id)
    scope.run(MOVE_TIMERS, **ids)
    scope.run(MOVE_OUTBOX, **ids)
    _refuse_leftovers(scope, tables, source_id)
    members.fence(scope)
    audit.record(scope, by, "member.merged", f"member:{target_id}", source=source_id)


def history(scope: Scope, member_id: int) -> list[Merged]:
    """Who was merged into a member, the newest merge first, those who had been merged into them included."""
    return [
        Merged(
            [Identity(kind, None if kind == PHONE else value) for kind, value in row.identities],
            row.merged_at,
            row.merged_by,
        )
        for row in scope.run(HISTORY, member=member_id)
    ]


def _lock(scope: Scope, source_id: int, target_id: int) -> None:
    if source_id == target_id:
        raise Conflict("same-member", "the two are one member already")
    rows = {row.id: row for row in scope.run(LOCK_MEMBERS, source=source_id, target=target_id)}
    for name, member_id in (("source", source_id), ("target", target_id)):
        row = rows.get(member_id)
        if row is None:
            raise NotFound(f"the {name} of the merge is not there")
        if row.merged_into is not None:
            raise Conflict("merged", f"the {name} was merged in the meantime; look both members up again")
        if row.erase_requested_at is not None:
            raise Conflict("erased", f"the {name} is being erased")


def _refuse_stranded(platform: Platform, scope: Scope, tables: Collection[PersonalTable], source_id: int) -> None:
    """A plugin that may not run cannot hand its rows over, and half a merge is worse than none."""
    healthy = {CORE, *(plugin.id for plugin in platform.registry)}
    found = _holding(scope, [table for table in tables if table.table.schema not in healthy], source_id)
    if found:
        raise Conflict(
            "plugin-unavailable",
            f"{found[0]} holds rows of the member, and its plugin may not run: nothing was merged; "
            "`threepeat doctor` tells why",
        )


def _hand_over(opened: OpenTenant, plugin: Installed, source_id: int, target_id: int) -> None:
    context = opened.context(plugin, cause=Cause(f"merge:{source_id}:{target_id}"))
    try:
        with opened.scope.plugin_call():
            plugin.plugin.merge_members(context, source_id, target_id)
        context.finish()
    except (Refused, OperationalError):
        raise
    except Exception as error:
        logger.error("merge failed", tenant=opened.tenant.store.slug, plugin=plugin.id, error=brief(error))
        raise Conflict(
            "merge-failed", f"the plugin {plugin.id!r} cannot merge these members: nothing was merged"
        ) from error


def _refuse_leftovers(scope: Scope, tables: Collection[PersonalTable], source_id: int) -> None:
    """Hold every plugin to its word, and core too; what nobody may change stays under the old id."""
    wanted = [table for table in tables if str(table) not in STAYS]
    found = _holding(scope, wanted, source_id, changeable=True)
    if found:
        logger.error("merge failed", table=found[0], error="rows of the source were left behind")
        raise Conflict("merge-failed", f"rows of the member were left behind in {found[0]}: nothing was merged")


def _holding(
    scope: Scope, tables: Collection[PersonalTable], member_id: int, *, changeable: bool = False
) -> list[str]:
    """Those of some tables that hold rows of a member; only such as the app may change, if asked."""
    if not tables:
        return []
    statement = " UNION ALL ".join(_holds(table, changeable=changeable) for table in tables)
    return [row.holder for row in scope.run(text(statement), member=member_id)]


def _holds(table: PersonalTable, *, changeable: bool) -> str:
    name = table.table.quoted
    condition = f"has_table_privilege('{name.replace(chr(39), chr(39) * 2)}', 'UPDATE') AND " if changeable else ""
    literal = str(table).replace("'", "''").replace(":", "\\:")
    return (
        f"SELECT '{literal}' AS holder WHERE {condition}EXISTS"  # noqa: S608 - names from the catalogue, quoted
        f" (SELECT FROM {name} WHERE tenant_id = :tenant AND {quoted(table.member)} = :member)"
    )
