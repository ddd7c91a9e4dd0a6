"""The audit trail: who changed what in a tenant, and when. It is written with the change, in its transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, text

from threepeat.database.engine import Scope

RECORD = text("""
    INSERT INTO core.audit (tenant_id, actor, action, subject, details)
    VALUES (:tenant, :actor, :action, :subject, CAST(:details AS jsonb))
""")
READ = text("""
    SELECT id, at, actor, action, subject, details FROM core.audit
    WHERE tenant_id = :tenant AND (CAST(:before AS bigint) IS NULL OR id < :before)
      AND (CAST(:subject AS text) IS NULL OR subject = :subject)
    ORDER BY id DESC LIMIT :limit
""")
LATEST = text("""
    SELECT DISTINCT ON (subject) id, at, actor, action, subject, details FROM core.audit
    WHERE tenant_id = :tenant AND action = :action AND subject = ANY(CAST(:subjects AS text[]))
    ORDER BY subject, id DESC
""")
RECORD_OPERATOR = text("""
    INSERT INTO core.operator_audit (actor, action, subject, details)
    VALUES (:actor, :action, :subject, CAST(:details AS jsonb))
""")
READ_OPERATOR = text("""
    SELECT id, at, actor, action, subject, details FROM core.operator_audit
    WHERE CAST(:before AS bigint) IS NULL OR id < :before
    ORDER BY id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Entry:
    """One change.

    Attributes:
        actor: `key:…`, `staff:…`, `operator:…`, or a process such as `threepeat`.
        action: Such as `tactic.enabled`.
        subject: What it was done to, such as `points` or `member:42`.
        details: What a reader needs besides; never a secret and nobody's name.
    """

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: Mapping[str, Any]


def record(scope: Scope, actor: str, action: str, subject: str, **details: object) -> None:
    """Write an entry into the tenant's trail, in the transaction of the change."""
    scope.run(RECORD, actor=actor, action=action, subject=subject, details=orjson.dumps(details).decode())


def read(
    scope: Scope, *, before: int | None = None, subject: str | None = None, limit: int = 50
) -> Sequence[Entry]:
    """The tenant's trail, newest first.

    Args:
        before: Only entries older than the one with this id.
        subject: Only entries about this.
    """
    return [_entry(row) for row in scope.run(READ, before=before, subject=subject, limit=limit)]


def latest(scope: Scope, action: str, subjects: Collection[str]) -> Mapping[str, Entry]:
    """The newest entry of an action about each of these, by subject; those without one are left out."""
    rows = scope.run(LATEST, action=action, subjects=sorted(subjects)) if subjects else ()
    return {row.subject: _entry(row) for row in rows}


def record_for_operators(ops: Connection, actor: str, action: str, subject: str, **details: object) -> None:
    """Write an entry about what belongs to no single tenant, such as a plan; on a connection of the ops role."""
    values = {"actor": actor, "action": action, "subject": subject, "details": orjson.dumps(details).decode()}
    ops.execute(RECORD_OPERATOR, values)


def read_for_operators(ops: Connection, *, before: int | None = None, limit: int = 50) -> Sequence[Entry]:
    """What operators changed that belongs to no single tenant, newest first."""
    return [_entry(row) for row in ops.execute(READ_OPERATOR, {"before": before, "limit": limit}).all()]


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.id, row.at, row.actor, row.action, row.subject, row.details)
