"""Reads the log for handlers, and appends what plugins emit."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events.incoming import Catalogue
from threepeat.sdk.events import Envelope, Event, event_data

READ = text("""
    SELECT e.position, e.source, e.id, e.type, e.member_id, e.occurred_at, e.depth,
           CASE WHEN w.unread = '' THEN e.data ELSE e.data - string_to_array(w.unread, ',') END::text
    FROM core.event e
    JOIN unnest(CAST(:types AS text[]), CAST(:unread AS text[])) AS w (type, unread) ON w.type = e.type
    WHERE e.tenant_id = :tenant AND e.position > :after AND e.position <= :until AND e.erased_at IS NULL
    ORDER BY e.position
""")
READ_AT = text("""
    SELECT e.position, e.source, e.id, e.type, e.member_id, e.occurred_at, e.depth, e.data::text
    FROM core.event e
    WHERE e.tenant_id = :tenant AND e.position = ANY(CAST(:positions AS bigint[]))
      AND e.type = ANY(CAST(:types AS text[])) AND e.erased_at IS NULL
    ORDER BY e.position
""")
HEAD = text("SELECT head FROM core.stream WHERE tenant_id = :tenant")
FIRST_AFTER = text("""
    SELECT occurred_at FROM core.event WHERE tenant_id = :tenant AND position > :after ORDER BY position LIMIT 1
""")
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


# As in ingest, all are taken for new, and the statement is undone if the unique key shows that some are not.
APPEND = text("""
    WITH stream AS (
        UPDATE core.stream SET head = head + :n WHERE tenant_id = :tenant RETURNING head - :n AS base
    ), appended AS (
        INSERT INTO core.event (tenant_id, position, source, id, type, member_id, occurred_at, depth, cause, data)
        SELECT :tenant, base + n, source, id, type, member_id, occurred_at, depth, cause, CAST(data AS jsonb)
        FROM stream, unnest(
            CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:types AS text[]), CAST(:members AS bigint[]),
            CAST(:times AS timestamptz[]), CAST(:depths AS int[]), CAST(:causes AS bigint[]),
            CAST(:datas AS text[])
        ) WITH ORDINALITY AS given (source, id, type, member_id, occurred_at, depth, cause, data, n)
        ON CONFLICT (tenant_id, source, id) DO NOTHING
        RETURNING 1
    )
    SELECT count(*) AS appended FROM appended
""")
KNOWN = text("""
    SELECT e.source, e.id
    FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[])) AS given (source, id)
    JOIN core.event e ON e.tenant_id = :tenant AND e.source = given.source AND e.id = given.id
""")
# What waits is noted in the same statement, so that a worker comes to look at it.
SEND = text("""
    WITH sent AS (
        INSERT INTO core.outbox (tenant_id, source, event_id, type, member_id, occurred_at, depth, data)
        SELECT :tenant, sent.source, sent.id, sent.type, sent.member, sent.occurred_at, sent.depth,
               CAST(sent.data AS jsonb)
        FROM unnest(CAST(:sources AS text[]), CAST(:ids AS text[]), CAST(:types AS text[]),
                    CAST(:members AS bigint[]), CAST(:times AS timestamptz[]), CAST(:depths AS int[]),
                    CAST(:datas AS text[]))
             WITH ORDINALITY AS sent (source, id, type, member, occurred_at, depth, data, n)
        ORDER BY sent.n
    )
    INSERT INTO core.backlog (tenant_id) VALUES (:tenant)
""")


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event that a plugin emitted and that is not in the log yet.

    Attributes:
        cause: Position of the event that it answers, if it answers one.
    """

    source: str
    id: str
    event: Event
    member: int | None
    occurred_at: datetime
    depth: int
    cause: int | None = None


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


def first_after(scope: Scope, after: int) -> datetime | None:
    """When the first event behind a position happened; None if there is none."""
    row = scope.one(FIRST_AFTER, after=after)
    return row.occurred_at if row else None


def read(
    scope: Scope, catalogue: Catalogue, after: int, until: int, unread: Mapping[str, Collection[str]]
) -> tuple[list[Event], list[Unreadable]]:
    """Events between two positions, `after` excluded, in log order.

    Args:
        unread: The wanted types, each with the fields that are left out.
    """
    unread_fields = [",".join(sorted(fields)) for fields in unread.values()]
    return _decoded(catalogue, scope.run(READ, after=after, until=until, types=list(unread), unread=unread_fields))


def read_at(
    scope: Scope, catalogue: Catalogue, positions: Sequence[int], types: Collection[str]
) -> tuple[list[Event], list[Unreadable]]:
    """Events at given positions, as far as they are of the wanted types and not erased, in log order."""
    return _decoded(catalogue, scope.run(READ_AT, positions=list(positions), types=sorted(types)))


def concerned(events: Iterable[Event]) -> set[int]:
    """The members of some events."""
    found = (event.envelope.member for event in events if event.envelope is not None)
    return {member for member in found if member is not None}


def moved(events: Sequence[Event], where: Mapping[int, int | None]) -> list[Event]:
    """Give merged members' events to whom they turned out to be; leave out whoever is being erased."""
    if not where:
        return list(events)
    kept = []
    for event in events:
        member = event.envelope.member if event.envelope is not None else None
        if member is None or member not in where:
            kept.append(event)
        elif (target := where[member]) is not None and event.envelope is not None:
            event.envelope.member = target
            kept.append(event)
    return kept


def _decoded(catalogue: Catalogue, rows: Sequence[Any]) -> tuple[list[Event], list[Unreadable]]:
    events: list[Event] = []
    unreadable: list[Unreadable] = []
    decoders = catalogue.decoders
    found: Sequence[tuple[int, str, str, str, int | None, datetime, int, str]] = rows
    for position, source, event_id, kind, member, occurred_at, depth, data in found:
        try:
            event = decoders[kind].decode(data)
        except msgspec.DecodeError as error:
            unreadable.append(Unreadable(position, kind, member, str(error)))
        else:
            events.append(event.placed(Envelope(position, source, event_id, member, occurred_at, depth)))
    return events, unreadable


def append(scope: Scope, emitted: Sequence[Emitted]) -> None:
    """Append what reactions emitted; the worker does so last before its commit.

    An event whose id is in the log already is the same event, and is dropped.
    """
    if not emitted:
        return
    columns = _columns(emitted)
    savepoint = scope.connection.begin_nested()
    row = scope.one(APPEND, n=len(emitted), **columns)
    if row is not None and row.appended == len(emitted):
        savepoint.commit()
        return
    savepoint.rollback()
    known = {(row.source, row.id) for row in scope.run(KNOWN, sources=columns["sources"], ids=columns["ids"])}
    append(scope, [one for one in emitted if (one.source, one.id) not in known])


def send(scope: Scope, emitted: Sequence[Emitted]) -> None:
    """Put what a command emitted into the outbox: commands never wait for the stream row."""
    if emitted:
        columns = _columns(emitted)
        del columns["causes"]  # commands answer no event
        scope.run(SEND, **columns)


def _columns(emitted: Sequence[Emitted]) -> dict[str, list[object]]:
    return {
        "sources": [one.source for one in emitted],
        "ids": [one.id for one in emitted],
        "types": [one.event.type for one in emitted],
        "members": [one.member for one in emitted],
        "times": [one.occurred_at for one in emitted],
        "depths": [one.depth for one in emitted],
        "causes": [one.cause for one in emitted],
        "datas": [event_data(one.event) for one in emitted],
    }


def move_outbox(scope: Scope, most: int) -> bool:
    """Append what commands emitted to the log, under the tenant's stream row.

    Returns:
        Whether anything waited.
    """
    row = scope.one(OUTBOX_WAITS)
    if row is None or not row.waits:
        return False
    scope.run(MOVE, most=most)
    return True
