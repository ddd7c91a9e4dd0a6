"""Appends batches to a tenant's log: deduplicated, gapless, in commit order.

The one asynchronous road into the database. A batch is one transaction: members are resolved, then
the tenant's stream row is taken, last before commit, so that positions have no gaps and no later
commit can come to stand before an earlier one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, DataError, Error, errors

from threepeat.events.incoming import Item, Verdict, judge

SET_TENANT = "SELECT set_config('threepeat.tenant', %s, true)"

KNOWN = """
    SELECT value, member_id FROM core.identity
    WHERE tenant_id = %s AND kind = 'shop' AND value = ANY(%s::text[])
"""
FRESH = """
    WITH fresh AS (
        INSERT INTO core.identity (tenant_id, kind, value, member_id)
        SELECT %(tenant)s, 'shop', value, nextval('core.member_id') FROM unnest(%(values)s::text[]) AS value
        ORDER BY value ON CONFLICT DO NOTHING RETURNING value, member_id
    ), born AS (
        INSERT INTO core.member (tenant_id, id, holdout_unit) SELECT %(tenant)s, member_id, member_id FROM fresh
    )
    SELECT value, member_id FROM fresh
"""
# Every item gets its position on the assumption that all are new; the unique key on (tenant, source, id)
# tells whether they were, and the caller undoes the statement if not.
APPEND = """
    WITH stream AS (
        UPDATE core.stream SET head = head + %(n)s WHERE tenant_id = %(tenant)s RETURNING head - %(n)s AS base
    ), appended AS (
        INSERT INTO core.event
            (tenant_id, position, source, id, type, subject, member_id, occurred_at, depth, data)
        SELECT %(tenant)s, stream.base + item.n, item.source, item.id, item.type, item.subject, item.member,
               item.occurred_at, item.depth, item.data::jsonb
        FROM stream, unnest(
            %(source)b::text[], %(id)b::text[], %(type)b::text[], %(subject)b::text[], %(member)b::bigint[],
            %(occurred_at)b::timestamptz[], %(depth)b::int[], %(data)b::text[]
        ) WITH ORDINALITY AS item (source, id, type, subject, member, occurred_at, depth, data, n)
        ON CONFLICT (tenant_id, source, id) DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM appended), (SELECT base FROM stream)
"""
TAKEN = """
    SELECT e.source, e.id, e.type, e.subject, e.occurred_at, e.position, e.data = item.data::jsonb
    FROM unnest(%(source)b::text[], %(id)b::text[], %(data)b::text[]) AS item (source, id, data)
    JOIN core.event e ON e.tenant_id = %(tenant)s AND e.source = item.source AND e.id = item.id
"""
WAKE = "INSERT INTO core.backlog (tenant_id) VALUES (%s)"
# A value out of range or malformed, or JSON nested deeper than PostgreSQL's stack.
UNSTORABLE = (DataError, errors.StatementTooComplex)
LOCK_STREAM = "SELECT FROM core.stream WHERE tenant_id = %s FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Appended:
    """What a batch came to; the items carry their verdicts and positions."""

    items: Sequence[Item]

    def count(self, verdict: Verdict) -> int:
        """How many items got a verdict."""
        return sum(item.verdict is verdict for item in self.items)


async def append(connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item]) -> Appended:
    """Append the accepted items of a batch in one transaction, and commit it.

    Items whose key is taken become duplicates or conflicts; a value that PostgreSQL refuses makes its
    item invalid and no other. When this returns, what is accepted is durable.
    """
    accepted = [item for item in items if item.verdict is Verdict.ACCEPTED]
    if accepted:
        try:
            await _transaction(connection, tenant_id, accepted)
        except UNSTORABLE as error:
            await _narrow(connection, tenant_id, accepted, error)
    return Appended(items)


async def _narrow(connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item], error: Error) -> None:
    """Append halves until the item that PostgreSQL refuses stands alone."""
    if len(items) == 1:
        reason = error.diag.message_primary or "the database refuses it"
        items[0].refuse(Verdict.INVALID, f"data: {reason}")
        return
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        try:
            await _transaction(connection, tenant_id, half)
        except UNSTORABLE as inner:
            await _narrow(connection, tenant_id, half, inner)


async def _transaction(connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item]) -> None:
    items = [item for item in items if item.verdict is Verdict.ACCEPTED]
    async with connection.pipeline(), connection.transaction():
        members = await _resolve(connection, tenant_id, items)
        appended = await _append(connection, tenant_id, items, members)
        if not appended:
            # Some keys were taken. The stream row is ours now, so nobody else can take one in between.
            await connection.execute(LOCK_STREAM, (tenant_id,))
            await _judge_taken(connection, tenant_id, items)
            fresh = [item for item in items if item.verdict is Verdict.ACCEPTED]
            if fresh and not await _append(connection, tenant_id, fresh, members):
                raise errors.SerializationFailure("a key was taken under the stream's lock")


async def _resolve(
    connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item]
) -> dict[str | None, int | None]:
    wanted = sorted({item.subject for item in items if item.subject is not None})
    await connection.execute(SET_TENANT, (str(tenant_id),))
    cursor = await connection.execute(KNOWN, (tenant_id, wanted))
    found: dict[str | None, int | None] = dict(await cursor.fetchall())
    found[None] = None
    while missing := [value for value in wanted if value not in found]:
        cursor = await connection.execute(FRESH, {"tenant": tenant_id, "values": missing})
        found.update(await cursor.fetchall())
        if any(value not in found for value in missing):
            cursor = await connection.execute(KNOWN, (tenant_id, missing))
            found.update(await cursor.fetchall())
    return found


async def _append(
    connection: AsyncConnection[Any],
    tenant_id: int,
    items: Sequence[Item],
    members: dict[str | None, int | None],
) -> bool:
    binds = {
        "tenant": tenant_id,
        "n": len(items),
        "source": [item.source for item in items],
        "id": [item.id for item in items],
        "type": [item.type for item in items],
        "subject": [item.subject for item in items],
        "member": [members[item.subject] for item in items],
        "occurred_at": [item.occurred_at for item in items],
        "depth": [0] * len(items),
        "data": [item.data for item in items],
    }
    await connection.execute("SAVEPOINT append")
    cursor = await connection.execute(APPEND, binds)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - the statement always answers one row
    count, base = row
    if count != len(items):
        await connection.execute("ROLLBACK TO SAVEPOINT append")
        return False
    for number, item in enumerate(items, 1):
        item.position = base + number
    await connection.execute(WAKE, (tenant_id,))
    return True


async def _judge_taken(connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item]) -> None:
    cursor = await connection.execute(
        TAKEN,
        {
            "tenant": tenant_id,
            "source": [item.source for item in items],
            "id": [item.id for item in items],
            "data": [item.data for item in items],
        },
    )
    stored = {(row[0], row[1]): row for row in await cursor.fetchall()}
    for item in items:
        row = stored.get((item.source, item.id))
        if row is not None:
            first = Item(0, source=row[0], id=row[1], type=row[2], subject=row[3], occurred_at=row[4])
            judge(item, first, same_data=row[6])
            item.position = row[5]
