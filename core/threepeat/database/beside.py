"""Databases beside the one in use, on a server where we may make them: restored ones, and kept earlier ones."""

from datetime import UTC, datetime

import psycopg
from psycopg import sql

from threepeat.database.programs import BackupError

KEPT = "before"
NAMES = "SELECT datname FROM pg_database WHERE datname LIKE %s ORDER BY 1"


def stamped(database: str, what: str) -> str:
    """A name for a database beside `database`, with the time in UTC."""
    return f"{database}_{what}_{datetime.now(UTC):%Y%m%d_%H%M%S}"


def put_in_place(admin_url: str, fresh: str, database: str) -> str:
    """Let a restored database take the name of another, which is kept, and open it; all of that or nothing.

    Returns:
        The name under which the other one is kept.

    Raises:
        BackupError: One of them has connections.
    """
    kept = stamped(database, KEPT)
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    try:
        with psycopg.connect(admin_url) as admin:
            admin.execute(rename.format(sql.Identifier(database), sql.Identifier(kept)))
            admin.execute(rename.format(sql.Identifier(fresh), sql.Identifier(database)))
            admin.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(sql.Identifier(database)))
    except psycopg.errors.ObjectInUse as error:
        raise BackupError(f"the database is in use, stop whoever uses it: {error.diag.message_detail}") from error
    return kept


def kept(admin_url: str, database: str) -> list[str]:
    """The names of the databases that `put_in_place` has kept, the oldest first."""
    with psycopg.connect(admin_url) as admin:
        pattern = f"{database}_{KEPT}_".replace("_", r"\_") + "%"
        return [name for (name,) in admin.execute(NAMES, (pattern,))]


def drop(admin_url: str, name: str) -> None:
    """Drop a database."""
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
