"""Who serves which tenant: claimed with a lease, so that a dead worker's tenant is served again.

Whoever adds work for a tenant inserts a row into `core.backlog` in the same transaction. A claim
deletes the rows that it sees and only then reads the work, so that no wake-up is lost: work that was
not visible yet brings a row of its own.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

CLAIM = text("""
    WITH waiting AS (
        SELECT DISTINCT tenant_id FROM core.backlog
        UNION SELECT tenant_id FROM core.turn WHERE due_at <= clock_timestamp()
    ), picked AS (
        SELECT t.tenant_id FROM core.turn t JOIN waiting USING (tenant_id)
        WHERE t.leased_until <= clock_timestamp()
        ORDER BY t.last_at LIMIT 1 FOR UPDATE OF t SKIP LOCKED
    ), heard AS (
        DELETE FROM core.backlog b USING picked WHERE b.tenant_id = picked.tenant_id
    )
    UPDATE core.turn t
    SET leased_until = clock_timestamp() + :lease, due_at = clock_timestamp() + :lease, last_at = clock_timestamp()
    FROM picked WHERE t.tenant_id = picked.tenant_id
    RETURNING t.tenant_id
""")
RELEASE = text("""
    UPDATE core.turn SET leased_until = '-infinity',
        due_at = CASE WHEN :more THEN clock_timestamp() ELSE coalesce(CAST(:due AS timestamptz), 'infinity') END
    WHERE tenant_id = :tenant
""")


def claim(connection: Connection, lease: timedelta) -> int | None:
    """Take the tenant that has waited longest since its last turn.

    Returns:
        Its id, or None if nobody waits.
    """
    return connection.execute(CLAIM, {"lease": lease}).scalar()


def release(connection: Connection, tenant_id: int, *, more: bool, due: datetime | None = None) -> None:
    """Give a tenant back.

    Args:
        more: It has work left.
        due: When it has to be served even if nothing new arrives.
    """
    connection.execute(RELEASE, {"tenant": tenant_id, "more": more, "due": due})
