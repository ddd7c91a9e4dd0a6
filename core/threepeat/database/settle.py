"""Waits until everything that had begun before this moment has ended.

A transaction may have read a row before it was changed and write by it afterwards. Instead of a lock that every
request would have to take, whoever must not miss such a write waits for the transactions that are open now.
"""

import time

from sqlalchemy import text

from threepeat.database.engine import Database

# Every transaction holds a lock on its own virtual id for as long as it lasts.
OPEN = text("""
    SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted
      AND a.datname = current_database() AND a.usename = :role AND a.pid <> pg_backend_pid()
""")
LEFT = text(f"{OPEN.text} AND l.virtualtransaction = ANY(:seen) LIMIT 1")
PAUSE = 0.02


def settled(database: Database, seconds: float) -> bool:
    """Wait for the app role's open transactions; those that begin meanwhile do not count.

    Call it with no transaction of the app role open in this thread.

    Args:
        seconds: How long to wait at most.

    Returns:
        Whether all have ended.
    """
    until = time.monotonic() + seconds
    with database.ops.connect() as connection:
        binds = {"role": database.urls.roles.app}
        seen = list(connection.execute(OPEN, binds).scalars())
        while seen:
            connection.rollback()
            if connection.execute(LEFT, {**binds, "seen": seen}).scalar() is None:
                return True
            if time.monotonic() > until:
                return False
            time.sleep(PAUSE)
    return True
