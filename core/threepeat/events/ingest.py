"""Appends batches to a tenant's log: deduplicated, gapless, in commit order.

The one asynchronous road into the database. A batch is one transaction: members are resolved, then
the tenant's stream row is taken, last before commit, so that positions have no gaps and no later
commit can come to stand before an earlier one.

A merge or an erasure between the two would let events be appended that name a member who is no more. Both
count up `core.stream.moves` before they commit; the append finds another count than the look-up did, and the
batch begins anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from psycopg import AsyncConnection, DataError, Error, errors
from sqlalchemy import TextClause
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from threepeat.database.asynchronous import in_tenant
from threepeat.database.engine import Timeouts
from threepeat.database.faults import fault_point
from threepeat.events.incoming import Item, Verdict, judge, reopen
from threepeat.sdk.events import ConsentChanged
from threepeat.tenancy import consents, members, tombstones
from threepeat.tenancy.consents import Statement
from threepeat.tenancy.keyring import Keyring

ATTEMPTS = 20
"""How often a batch begins anew because members moved; each time one merge or erasure has committed."""


def plain(statement: TextClause) -> str:
    """A statement as psycopg takes it without SQLAlchemy."""
    return str(statement.compile(dialect=PGDialect_psycopg()))  # type: ignore[no-untyped-call]


KNOWN = plain(members.KNOWN)
FRESH = plain(members.FRESH)
UNMAKE = plain(members.UNMAKE)
BURIED = plain(tombstones.BURIED)
RECORD_CONSENTS = plain(consents.RECORD)
LOCK_MEMBERS = plain(members.LOCK)
# Every item gets its position on the assumption that all are new; the unique key on (tenant, source, id)
# tells whether they were, and the caller undoes the statement if not.
APPEND = """
    WITH stream AS (
        UPDATE core.stream SET head = head + %(n)s
        WHERE tenant_id = %(tenant)s AND moves = coalesce(%(moves)s::bigint, moves)
        RETURNING head - %(n)s AS base
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


_consent = msgspec.json.Decoder(ConsentChanged)


class MembersMovedError(Exception):
    """A member was merged or erased since the batch looked its members up."""


@dataclass(frozen=True, slots=True)
class Found:
    """The members of a batch.

    Attributes:
        members: Core's ids by the shop's ids; None leads to None.
        moves: How many merges and erasures there had been when they were looked up; None without members.
    """

    members: dict[str | None, int | None]
    moves: int | None


@dataclass(frozen=True, slots=True)
class Appended:
    """What a batch came to; the items carry their verdicts and positions."""

    items: Sequence[Item]

    def count(self, verdict: Verdict) -> int:
        """How many items got a verdict."""
        return sum(item.verdict is verdict for item in self.items)


async def append(
    connection: AsyncConnection[Any],
    keyring: Keyring,
    tenant_id: int,
    items: Sequence[Item],
    timeouts: Timeouts | None = None,
) -> Appended:
    """Append the accepted items of a batch in one transaction, and commit it.

    Items whose key is taken become duplicates or conflicts; an item about an erased member is invalid; a value
    that PostgreSQL refuses makes its item invalid and no other. When this returns, what is accepted is durable,
    and consents that were given or withdrawn hold.

    Args:
        timeouts: How long a transaction may take over one step; the server's own by default.
    """
    batch = _Batch(connection, keyring, tenant_id, timeouts)
    accepted = [item for item in items if item.verdict is Verdict.ACCEPTED]
    while accepted:
        try:
            await batch.append(accepted)
        except UNSTORABLE as error:
            await _narrow(batch, accepted, error)
        accepted = reopen(items)
    return Appended(items)


async def _narrow(batch: "_Batch", items: Sequence[Item], error: Error) -> None:
    """Append halves until the item that PostgreSQL refuses stands alone."""
    if len(items) == 1:
        reason = error.diag.message_primary or "the database refuses it"
        items[0].refuse(Verdict.INVALID, f"data: {reason}")
        return
    middle = len(items) // 2
    for half in (items[:middle], items[middle:]):
        try:
            await batch.append(half)
        except UNSTORABLE as inner:
            await _narrow(batch, half, inner)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Where a batch goes: each call of `append` is a transaction."""

    connection: AsyncConnection[Any]
    keyring: Keyring
    tenant_id: int
    timeouts: Timeouts | None

    async def append(self, items: Sequence[Item]) -> None:
        for _ in range(ATTEMPTS):
            try:
                await self._transaction([item for item in items if item.verdict is Verdict.ACCEPTED])
            except MembersMovedError:
                continue
            return
        raise errors.SerializationFailure("members were merged or erased all the while")

    async def _transaction(self, items: Sequence[Item]) -> None:
        async with in_tenant(self.connection, self.tenant_id, self.timeouts):
            found = await _resolve(self.connection, self.keyring, self.tenant_id, items)
            items = _living(items, found)
            if not items:
                return
            await _hold_consenting(self.connection, self.tenant_id, items, found)
            appended = await _append(self.connection, self.tenant_id, items, found)
            if not appended:
                # Some keys were taken. The stream row is ours now, so nobody else can take one in between.
                await self.connection.execute(LOCK_STREAM, (self.tenant_id,))
                await _judge_taken(self.connection, self.tenant_id, items)
                items = [item for item in items if item.verdict is Verdict.ACCEPTED]
                if items and not await _append(self.connection, self.tenant_id, items, found):
                    raise errors.SerializationFailure("a key was taken under the stream's lock")
            await _record_consents(self.connection, self.tenant_id, items, found)
            fault_point("ingest.appended")
        fault_point("ingest.committed")


def _living(items: Sequence[Item], found: Found) -> Sequence[Item]:
    """The items whose members could be found or made; the others are about erased ones and are refused."""
    buried = [item for item in items if item.subject not in found.members]
    for item in buried:
        item.refuse(
            Verdict.INVALID, "subject: this member was erased; readmit it by PUT /v1/members if it has come back"
        )
    return [item for item in items if item.subject in found.members] if buried else items


async def _resolve(
    connection: AsyncConnection[Any], keyring: Keyring, tenant_id: int, items: Sequence[Item]
) -> Found:
    wanted = sorted({item.subject for item in items if item.subject is not None})
    cursor = await connection.execute(KNOWN, {"tenant": tenant_id, "values": wanted})
    rows = await cursor.fetchall()
    found: dict[str | None, int | None] = {value: member for value, member, _ in rows}
    if len(found) < len(wanted):
        rows += await _make(connection, keyring, tenant_id, [value for value in wanted if value not in found])
        found = {value: member for value, member, _ in rows}
    found[None] = None
    return Found(found, min((moves for _, _, moves in rows), default=None))


async def _make(
    connection: AsyncConnection[Any], keyring: Keyring, tenant_id: int, missing: Sequence[str]
) -> list[tuple[str, int, int]]:
    """Rows of `KNOWN` for ids that were not known; those that stand on a tombstone are left out."""
    owners = {
        key: value for value in missing for key in tombstones.hashes(keyring, tenant_id, members.SHOP, value)
    }
    made: dict[str, int] = {}
    found: dict[str, tuple[str, int, int]] = {}
    waiting = missing
    while waiting:
        binds = {"tenant": tenant_id, "values": waiting}
        fresh = await connection.execute(FRESH, binds)
        known = await connection.execute(KNOWN, binds)
        stones = await connection.execute(BURIED, {"tenant": tenant_id, "hashes": list(owners)})
        made.update(await fresh.fetchall())
        found.update({row[0]: row for row in await known.fetchall()})
        buried = {owners[bytes(key)] for (key,) in await stones.fetchall()}
        waiting = [value for value in waiting if value not in found]
    gone = [member for value, member in made.items() if value in buried]
    if gone:
        await connection.execute(UNMAKE, {"tenant": tenant_id, "members": gone})
    return [row for value, row in found.items() if value not in buried]


async def _append(connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item], found: Found) -> bool:
    binds = {
        "tenant": tenant_id,
        "n": len(items),
        "moves": found.moves,
        "source": [item.source for item in items],
        "id": [item.id for item in items],
        "type": [item.type for item in items],
        "subject": [item.subject for item in items],
        "member": [found.members[item.subject] for item in items],
        "occurred_at": [item.occurred_at for item in items],
        "depth": [0] * len(items),
        "data": [item.data for item in items],
    }
    await connection.execute("SAVEPOINT append")
    cursor = await connection.execute(APPEND, binds)
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 - the statement always answers one row
    count, base = row
    if base is None:
        raise MembersMovedError
    if count != len(items):
        await connection.execute("ROLLBACK TO SAVEPOINT append")
        return False
    for number, item in enumerate(items, 1):
        item.position = base + number
    await connection.execute(WAKE, (tenant_id,))
    return True


async def _hold_consenting(
    connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item], found: Found
) -> None:
    """Wait until nobody acts any more on what these members said before; members are locked before the stream."""
    concerned = {found.members[item.subject] for item in items if item.type == ConsentChanged.type}
    if concerned:
        await connection.execute(LOCK_MEMBERS, {"tenant": tenant_id, "members": sorted(filter(None, concerned))})


async def _record_consents(
    connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item], found: Found
) -> None:
    given = [item for item in items if item.type == ConsentChanged.type]
    if given:
        statements = [_statement(item, found.members[item.subject]) for item in given]
        await connection.execute(RECORD_CONSENTS, {"tenant": tenant_id, **consents.columns(statements)})


def _statement(item: Item, member: int | None) -> Statement:
    assert member is not None  # noqa: S101 - the class is about a member
    event = _consent.decode(item.data)
    return Statement(
        member,
        event.purpose,
        consents.reference(item.source, item.id),
        event.granted,
        event.text_version,
        event.channel,
        item.occurred_at,
    )


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
