"""Reads the log for handlers, and moves the outbox into it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events.incoming import Catalogue
from threepeat.sdk.events import Envelope, Event

READ = text("""
    SELECT position, source, id, type, member_id, occurred_at, depth, data::text
    FROM core.event
    WHERE tenant_id = :tenant AND position > :after AND position <= :until
      AND type = ANY(CAST(:types AS text[]))
    ORDER BY position
""")
HEAD = text("SELECT head FROM core.stream WHERE tenant_id = :tenant")
OUTBOX_WAITS = text("SELECT EXISTS (SELECT FROM core.outbox WHERE tenant_id = :tenant) AS waits")
# Deleting decides who moves a row; an id that was moved before is dropped, it is the same event.
MOVE = text("""
    WITH taken AS (
        DELETE FROM core.outbox WHERE tenant_id = :tenant AND id IN (
            SELECT id FROM core.outbox WHERE tenant_id = :tenant ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
        ) RETURNING *
    ), fresh AS (
        SELECT DISTINCT ON (source, event_id) * FROM taken t
        WHERE NOT EXISTS (
            SELECT FROM core.event e
            WHERE e.tenant_id = :tenant AND e.source = t.source AND e.id = t.event_id)
        ORDER BY source, event_id, id
    ), numbered AS (
        SELECT *, row_number() OVER (ORDER BY id) AS n FROM fresh
    ), stream AS (
        UPDATE core.stream SET head = head + (SELECT count(*) FROM numbered)
        WHERE tenant_id = :tenant RETURNING head - (SELECT count(*) FROM numbered) AS base
    )
    INSERT INTO core.event (tenant_id, position, source, id, type, member_id, occurred_at, depth, data)
    SELECT :tenant, base + n, source, event_id, type, member_id, occurred_at, depth, data FROM numbered, stream
""")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An event in the log that no longer fits its class."""

    position: int
    type: str
    member: int | None
    reason: str


def head(scope: Scope) -> int:
    """The newest position of the tenant's log; 0 when it is empty."""
    row = scope.one(HEAD)
    return row.head if row else 0


def read(
    scope: Scope, catalogue: Catalogue, after: int, until: int, types: Collection[str]
) -> tuple[list[Event], list[Unreadable]]:
    """The events of some types between two positions, `after` excluded, in log order."""
    events: list[Event] = []
    unreadable: list[Unreadable] = []
    decoders = catalogue.decoders
    rows: Sequence[tuple[int, str, str, str, int | None, object, int, str]]
    rows = scope.run(READ, after=after, until=until, types=sorted(types))  # type: ignore[assignment]
    for position, source, event_id, kind, member, occurred_at, depth, data in rows:
        try:
            event = decoders[kind].decode(data)
        except msgspec.DecodeError as error:
            unreadable.append(Unreadable(position, kind, member, str(error)))
        else:
            events.append(event.placed(Envelope(position, source, event_id, member, occurred_at, depth)))  # type: ignore[arg-type]
    return events, unreadable


def move_outbox(scope: Scope, most: int) -> bool:
    """Append what plugins emitted to the log, under the tenant's stream row.

    Returns:
        Whether anything waited.
    """
    row = scope.one(OUTBOX_WAITS)
    if row is None or not row.waits:
        return False
    scope.run(MOVE, most=most)
    return True
