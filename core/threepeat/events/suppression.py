"""The first half of an erasure: from its commit on nothing is done with the member's data.

No identity leads to the member any more, tombstones refuse whatever would bring it back, and what was waiting to
be done or sent is gone. What is stored is `sweep`'s part.
"""

import json
import secrets
from collections.abc import Collection, Sequence

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events.erasure_list import Entry
from threepeat.events.platform import Platform
from threepeat.tenancy import audit, members, tombstones
from threepeat.tenancy.errors import NotFound

# As a worker's turn does: nothing of the tenant's is being handled meanwhile.
LOCK_CURSORS = text("SELECT FROM core.cursor WHERE tenant_id = :tenant ORDER BY plugin FOR UPDATE")
LOCK_MEMBER = text("""
    SELECT merged_into, erase_requested_at FROM core.member
    WHERE tenant_id = :tenant AND id = :id FOR UPDATE
""")
LOCK_MEMBERS = text("""
    SELECT id FROM core.member
    WHERE tenant_id = :tenant
      AND (id = ANY(CAST(:ids AS bigint[])) OR merged_into = ANY(CAST(:ids AS bigint[])))
    ORDER BY id FOR UPDATE
""")
STANDING = text("SELECT id, completed_at FROM core.erasure WHERE tenant_id = :tenant AND id = :id")
STANDING_FOR = text("""
    SELECT id FROM core.erasure
    WHERE tenant_id = :tenant AND (member_id = :member OR :member = ANY(merged)) AND completed_at IS NULL
""")
IDENTITIES = text("""
    SELECT kind, value FROM core.identity
    WHERE tenant_id = :tenant AND member_id = ANY(CAST(:ids AS bigint[]))
""")
MARK = text("""
    UPDATE core.member SET erase_requested_at = transaction_timestamp()
    WHERE tenant_id = :tenant AND id = ANY(CAST(:ids AS bigint[]))
""")
# In the order in which everybody locks: deadlines before the outbox.
FORGET = tuple(
    text(f"DELETE FROM core.{table} WHERE tenant_id = :tenant AND member_id = ANY(CAST(:ids AS bigint[]))")  # noqa: S608
    for table in ("timer", "outbox", "dead_letter", "attempt", "consent", "idempotency", "identity")
)
# Answers to the shop's own commands may name the member. The key stays: it keeps them from running twice.
BLANK_ANSWERS = text("""
    UPDATE core.idempotency SET body = '{}'
    WHERE tenant_id = :tenant AND EXISTS (
        SELECT FROM unnest(CAST(:names AS bytea[])) AS name WHERE position(name IN body) > 0)
""")
OPEN = text("""
    INSERT INTO core.erasure (tenant_id, id, member_id, merged, requested_at, requested_by)
    VALUES (:tenant, :id, :member, CAST(:merged AS bigint[]),
            coalesce(CAST(:at AS timestamptz), transaction_timestamp()), :by)
""")
ALARM = text("""
    INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at)
    VALUES (:tenant, 'core', 'timer', 'erase', :id, core.now()) ON CONFLICT DO NOTHING
""")
PATIENCE = text("SELECT set_config('statement_timeout', '60s', true)")
WAKE = text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)")


def request(platform: Platform, scope: Scope, member_id: int, *, by: str) -> str:
    """Ask for a member's erasure. Asking again changes nothing.

    The caller announces it after the commit, before anybody is told.

    Args:
        member_id: The member, or one that was merged into it.
        by: Who asks, never by name: `member`, `operator`, `key:{id}` or `staff:{id}`.

    Returns:
        The id of the erasure.

    Raises:
        NotFound: There is no such member.
    """
    members.alone(scope)
    scope.run(LOCK_CURSORS)
    row = scope.one(LOCK_MEMBER, id=member_id)
    while row is not None and row.merged_into is not None:
        member_id = row.merged_into
        row = scope.one(LOCK_MEMBER, id=member_id)
    if row is None:
        raise NotFound("there is no such member")
    if row.erase_requested_at is not None:
        return str(scope.run(STANDING_FOR, member=member_id)[0].id)
    erasure_id = secrets.token_hex(16)
    _suppress(platform, scope, erasure_id, [member_id], hashes=(), at=None, by=by)
    audit.record(scope, by, "member.erased", f"member:{member_id}", erasure=erasure_id)
    return erasure_id


def reopen(platform: Platform, scope: Scope, entry: Entry) -> bool:
    """Note an erasure of the list that a restored database does not know.

    Returns:
        Whether it has to be carried out.
    """
    members.alone(scope)
    scope.run(LOCK_CURSORS)
    row = scope.one(STANDING, id=entry.id)
    if row is None:
        hashes = {bytes.fromhex(stone) for stone in entry.tombstones}
        _suppress(platform, scope, entry.id, entry.members, hashes=hashes, at=entry.at, by=entry.by)
    return row is None or row.completed_at is None


def _suppress(
    platform: Platform,
    scope: Scope,
    erasure_id: str,
    wanted: Sequence[int],
    *,
    hashes: Collection[bytes],
    at: str | None,
    by: str,
) -> None:
    """Suppress members, the first of them and those who are or were merged into it."""
    scope.run(PATIENCE)
    merged = [row.id for row in scope.run(LOCK_MEMBERS, ids=list(wanted))]
    ids = list(dict.fromkeys([*wanted, *merged]))
    led = [(row.kind, row.value) for row in scope.run(IDENTITIES, ids=ids)]
    stones = [tombstones.hashes(platform.keyring, scope.tenant_id, kind, value)[0] for kind, value in led]
    scope.run(MARK, ids=ids)
    scope.run(OPEN, id=erasure_id, member=ids[0], merged=ids[1:], at=at, by=by)
    for table in FORGET:
        scope.run(table, ids=ids)
    scope.run(BLANK_ANSWERS, names=[json.dumps(value, ensure_ascii=False).encode() for _, value in led])
    tombstones.bury(scope, erasure_id, {*hashes, *stones})
    scope.run(ALARM, id=erasure_id)
    scope.run(WAKE)
    # Last, for it takes the stream's row: events whose members were looked up before are looked up again.
    members.fence(scope)
