"""Dead letters for people: what lies there and why, trying it again, and letting it go."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.tenancy import audit
from threepeat.tenancy.errors import Invalid, NotFound

LetterKind = Literal["event", "timer", "call"]
POSITION = re.compile("[0-9]{1,19}")

COLUMNS = """
    SELECT d.plugin, 'event' AS kind, d.position::text AS reference, e.type AS name, d.member_id,
           i.value AS member, d.error, d.behind, d.state, d.attempts, d.created_at, e.data::text AS data
    FROM core.dead_letter d
    LEFT JOIN core.event e ON e.tenant_id = d.tenant_id AND e.position = d.position
    LEFT JOIN LATERAL (
        SELECT value FROM core.identity i
        WHERE i.tenant_id = d.tenant_id AND i.member_id = d.member_id AND i.kind = 'shop' ORDER BY value LIMIT 1
    ) i ON true
    WHERE d.tenant_id = :tenant
    UNION ALL
    SELECT t.plugin, t.kind, t.name || ':' || t.key, t.name, t.member_id, i.value,
           t.error, NULL, 'waiting', t.attempts, t.failed_at, t.payload::text
    FROM core.timer t
    LEFT JOIN LATERAL (
        SELECT value FROM core.identity i
        WHERE i.tenant_id = t.tenant_id AND i.member_id = t.member_id AND i.kind = 'shop' ORDER BY value LIMIT 1
    ) i ON true
    WHERE t.tenant_id = :tenant AND t.failed_at IS NOT NULL
"""
LIST = text(f"""
    SELECT * FROM ({COLUMNS}) AS l
    WHERE (CAST(:plugin AS text) IS NULL OR plugin = :plugin)
      AND (CAST(:member AS text) IS NULL OR member = :member)
      AND (:all OR state <> 'dropped')
    ORDER BY created_at, kind, length(reference), reference LIMIT :most OFFSET :skip
""")  # noqa: S608 - a constant
WAITING = text("""
    SELECT plugin, sum(letters)::bigint AS letters FROM (
        SELECT plugin, count(*) AS letters FROM core.dead_letter
        WHERE tenant_id = :tenant AND state = 'waiting' GROUP BY plugin
        UNION ALL
        SELECT plugin, count(*) FROM core.timer
        WHERE tenant_id = :tenant AND failed_at IS NOT NULL GROUP BY plugin
    ) AS l GROUP BY plugin
""")
SHOW = text(f"""
    SELECT * FROM ({COLUMNS}) AS l WHERE plugin = :plugin AND kind = :kind AND reference = :reference
""")  # noqa: S608 - a constant
# A member's letters are one chain: they are tried again together, in the order of the log.
RETRY = text("""
    UPDATE core.dead_letter d SET state = 'retry', changed_at = core.now(), changed_by = :by
    WHERE d.tenant_id = :tenant AND d.state = 'waiting' AND (CAST(:plugin AS text) IS NULL OR d.plugin = :plugin)
      AND (CAST(:position AS bigint) IS NULL OR d.position = :position OR d.member_id = (
          SELECT o.member_id FROM core.dead_letter o
          WHERE o.tenant_id = :tenant AND o.plugin = :plugin AND o.position = :position))
      AND (CAST(:member AS text) IS NULL OR d.member_id IN (
          SELECT i.member_id FROM core.identity i
          WHERE i.tenant_id = :tenant AND i.kind = 'shop' AND i.value = :member))
""")
RETRY_TIMERS = text("""
    UPDATE core.timer t SET due_at = core.now(), failed_at = NULL, error = NULL, attempts = 0
    WHERE t.tenant_id = :tenant AND t.failed_at IS NOT NULL
      AND (CAST(:plugin AS text) IS NULL OR t.plugin = :plugin)
      AND (CAST(:kind AS text) IS NULL OR t.kind = :kind)
      AND (CAST(:reference AS text) IS NULL OR t.name || ':' || t.key = :reference)
      AND (CAST(:member AS text) IS NULL OR t.member_id IN (
          SELECT i.member_id FROM core.identity i
          WHERE i.tenant_id = :tenant AND i.kind = 'shop' AND i.value = :member))
""")
DROP = text("""
    UPDATE core.dead_letter SET state = 'dropped', changed_at = core.now(), changed_by = :by
    WHERE tenant_id = :tenant AND plugin = :plugin AND position = :position
      AND state = 'waiting' AND behind IS NULL
    RETURNING member_id
""")
FREE = text("""
    UPDATE core.dead_letter SET state = 'retry', changed_at = core.now(), changed_by = :by
    WHERE tenant_id = :tenant AND plugin = :plugin AND member_id = :member AND state = 'waiting'
""")
DROP_TIMER = text("""
    DELETE FROM core.timer
    WHERE tenant_id = :tenant AND plugin = :plugin AND kind = :kind AND name || ':' || key = :reference
      AND failed_at IS NOT NULL
    RETURNING name
""")
WAKE = text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Something that a plugin could not handle.

    Attributes:
        reference: The event's position, or `name:key` of a deadline or call.
        name: The event's type, or the timer's name.
        member: The shop's id of whom it concerns.
        error: What went wrong; may quote data.
        behind: The position that this event waits behind; it did not fail itself.
        state: `waiting`, `retry` (the worker will try it again) or `dropped`.
        data: The event's data or the timer's payload, as JSON text.
    """

    plugin: str
    kind: LetterKind
    reference: str
    name: str
    member: str | None
    error: str
    behind: int | None
    state: str
    attempts: int
    created_at: datetime
    data: str


def list_letters(
    scope: Scope,
    *,
    plugin: str | None = None,
    member: str | None = None,
    dropped: bool = False,
    most: int = 100,
    skip: int = 0,
) -> list[DeadLetter]:
    """What lies there, the oldest first.

    Args:
        skip: Leave out so many of the oldest.
    """
    rows = scope.run(LIST, plugin=plugin, member=member, all=dropped, most=most, skip=skip)
    return [_letter(row) for row in rows]


def waiting(scope: Scope) -> Mapping[str, int]:
    """How many letters of each plugin wait for somebody to decide."""
    return {row.plugin: row.letters for row in scope.run(WAITING)}


def show(scope: Scope, plugin: str, kind: LetterKind, reference: str) -> DeadLetter:
    """One letter.

    Raises:
        NotFound: There is no such letter.
    """
    row = scope.one(SHOW, plugin=plugin, kind=kind, reference=reference)
    if row is None:
        raise NotFound(f"{plugin!r} has no letter {reference!r}; `threepeat letters list` shows them")
    return _letter(row)


def retry(
    scope: Scope,
    *,
    plugin: str | None = None,
    member: str | None = None,
    kind: LetterKind | None = None,
    reference: str | None = None,
    by: str,
) -> int:
    """Let the worker try letters again; a member's letters of a plugin go together, in order.

    Args:
        plugin: Of this plugin only.
        member: Of this member only, by the shop's id.
        kind: Of this kind only.
        reference: This one only, and what waits behind it; needs plugin and kind.

    Returns:
        How many will be tried.
    """
    if reference is not None and (plugin is None or kind is None):
        raise Invalid("reference", "name the plugin and the kind too")
    count = 0
    if kind in {None, "event"}:
        position = _position(reference) if reference is not None else None
        count += scope.count(RETRY, plugin=plugin, member=member, position=position, by=by)
    if kind != "event":
        count += scope.count(RETRY_TIMERS, plugin=plugin, member=member, kind=kind, reference=reference)
    if count:
        audit.record(scope, by, "letters.retried", plugin or "", count=count)
        scope.run(WAKE)
    return count


def drop(scope: Scope, plugin: str, kind: LetterKind, reference: str, *, by: str) -> None:
    """Let a letter go for good; what waited behind it is tried.

    Raises:
        NotFound: There is no such letter, it waits behind another, or it is about to be tried.
    """
    if kind == "event":
        rows: Sequence[Row[Any]] = scope.run(DROP, plugin=plugin, position=_position(reference), by=by)
        if rows and rows[0].member_id is not None:
            scope.run(FREE, plugin=plugin, member=rows[0].member_id, by=by)
    else:
        rows = scope.run(DROP_TIMER, plugin=plugin, kind=kind, reference=reference)
    if not rows:
        raise NotFound(f"{plugin!r} has no letter {reference!r} that failed itself and is not being tried")
    audit.record(scope, by, "letter.dropped", f"{plugin}/{kind}/{reference}")
    scope.run(WAKE)


def _position(reference: str) -> int:
    if not POSITION.fullmatch(reference) or int(reference) >= 1 << 63:
        raise Invalid("reference", "an event's letter is named by its position")
    return int(reference)


def _letter(row: Row[Any]) -> DeadLetter:
    return DeadLetter(
        row.plugin,
        row.kind,
        row.reference,
        row.name or "",
        row.member,
        row.error or "",
        row.behind,
        row.state,
        row.attempts,
        row.created_at,
        row.data or "{}",
    )
