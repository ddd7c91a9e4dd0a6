"""Who serves which tenant: claimed with a lease, so that a dead worker's tenant is served again.

Whoever adds work for a tenant inserts a row into `core.backlog` in the same transaction. Before each
claim the rows that can be seen are deleted and their tenants' turns become due, and only later is the
work read, so that no wake-up is lost: work that was not visible yet brings a row of its own. Turns are
taken in the order in which they became due, by an index: it costs the same however many wait.

A claim counts as an attempt until the turn is given back, so a turn that takes its worker down is known
for it when the next worker comes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

WAITING = text("SELECT DISTINCT tenant_id FROM core.backlog")
# Those that somebody is serving are heard when their turn has been given back: until then it may be given back as
# due at no time, by whoever served it before the row was there.
FREE = text("""
    SELECT tenant_id FROM core.turn WHERE tenant_id = ANY(CAST(:tenants AS bigint[])) AND leased_by IS NULL
    FOR UPDATE SKIP LOCKED
""")
# Lists and no joins: the table is empty whenever it is counted for the planner, and a join as for an empty table
# would look at all of it for each of its rows.
HEAR = text("""
    WITH heard AS (DELETE FROM core.backlog WHERE tenant_id = ANY(CAST(:tenants AS bigint[])))
    UPDATE core.turn SET due_at = least(due_at, statement_timestamp())
    WHERE tenant_id = ANY(CAST(:tenants AS bigint[]))
""")
CLAIM = text("""
    WITH picked AS (
        SELECT tenant_id FROM core.turn
        WHERE due_at <= statement_timestamp() AND leased_until <= statement_timestamp()
        ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    UPDATE core.turn t
    SET leased_until = clock_timestamp() + :lease, due_at = clock_timestamp() + :lease,
        last_at = clock_timestamp(), leased_by = :worker, attempts = attempts + 1
    FROM picked WHERE t.tenant_id = picked.tenant_id
    RETURNING t.tenant_id, t.last_at, t.attempts, t.careful_until, (
        SELECT true FROM core.turn o WHERE o.due_at <= statement_timestamp()
        AND o.leased_until <= statement_timestamp() AND o.tenant_id <> picked.tenant_id
        ORDER BY o.due_at LIMIT 1
    ) IS NOT NULL AS contended
""")
# Only the worker that claimed it last may give it back: another may have taken over in its sleep.
RELEASE = text("""
    UPDATE core.turn SET leased_until = '-infinity', leased_by = NULL,
        attempts = CASE WHEN :clean THEN 0 ELSE attempts END, careful_until = :careful_until,
        due_at = CASE WHEN :more THEN clock_timestamp() ELSE coalesce(CAST(:due AS timestamptz), 'infinity') END
    WHERE tenant_id = :tenant AND last_at = :claimed_at
""")
RECOVER = text("""
    UPDATE core.turn SET leased_until = '-infinity', due_at = clock_timestamp(), leased_by = NULL
    WHERE leased_by = :worker
""")


# Only ops sees every tenant. What is paused waits for people.
ANNOUNCE = text("""
    INSERT INTO core.backlog (tenant_id)
    SELECT c.tenant_id FROM core.cursor c
    JOIN core.stream s USING (tenant_id) JOIN core.activation a USING (tenant_id, plugin)
    WHERE c.position < s.head AND c.paused_at IS NULL AND a.state <> 'off'
    UNION
    SELECT t.tenant_id FROM core.timer t JOIN core.tenant n ON n.id = t.tenant_id
    WHERE t.due_at <= transaction_timestamp() + n.clock_offset
""")


@dataclass(frozen=True, slots=True)
class Claim:
    """A tenant's turn in this worker's hands.

    Attributes:
        claimed_at: Tells this claim from every other.
        attempts: How many claims in a row, with this one, were not given back in order.
        careful_until: Up to this position of the log events are handed over one by one.
        contended: Other tenants wait too.
    """

    tenant_id: int
    claimed_at: datetime
    attempts: int
    careful_until: int | None
    contended: bool


def claim(connection: Connection, lease: timedelta, worker: str = "") -> Claim | None:
    """Take the tenant whose turn has been due the longest.

    Returns:
        The claim, or None if nobody waits.
    """
    _hear(connection)
    row = connection.execute(CLAIM, {"lease": lease, "worker": worker}).one_or_none()
    if row is None:
        return None
    return Claim(row.tenant_id, row.last_at, row.attempts, row.careful_until, row.contended)


def _hear(connection: Connection) -> None:
    """Let the turns of those that were announced be due, but not of those that are being served."""
    waiting = connection.execute(WAITING).scalars().all()
    free = connection.execute(FREE, {"tenants": waiting}).scalars().all() if waiting else ()
    if free:
        connection.execute(HEAR, {"tenants": free})


def release(
    connection: Connection,
    claimed: Claim,
    *,
    more: bool,
    due: datetime | None = None,
    clean: bool = True,
    careful_until: int | None = None,
) -> None:
    """Give a tenant back.

    Args:
        more: It has work left.
        due: When it has to be served even if nothing new arrives, by the wall clock.
        clean: Its turn ended in order, or for a reason that is not its own.
        careful_until: Up to where the next turns hand events over one by one.
    """
    connection.execute(
        RELEASE,
        {
            "tenant": claimed.tenant_id,
            "claimed_at": claimed.claimed_at,
            "more": more,
            "due": due,
            "clean": clean,
            "careful_until": careful_until,
        },
    )


def recover(connection: Connection, worker: str) -> None:
    """Give back what a worker of this name held when it died."""
    connection.execute(RECOVER, {"worker": worker})


def announce_waiting(ops: Connection) -> None:
    """Announce every tenant that has something to be served, whatever was announced before.

    After a quarantine or a restore work waits that nobody will announce again.

    Args:
        ops: A connection of the ops role.
    """
    ops.execute(ANNOUNCE)
