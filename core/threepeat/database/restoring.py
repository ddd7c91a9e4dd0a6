"""A database into which a backup is being restored says so, and only the restore itself may open it.

From the first statement of a restore until its checks are green, erased people may be back in the data. The
database's comment holds the mark: a dump does not carry it, and every role can read it.
"""

from psycopg import sql
from sqlalchemy import URL, Connection, text

from threepeat.database.config import Urls

MARK = "threepeat restores "
SESSION = "threepeat.restores"

READ = text("""
    SELECT shobj_description(oid, 'pg_database') AS comment, current_setting('threepeat.restores', true) AS session
    FROM pg_database WHERE datname = current_database()
""")


def begin(owner: Connection, backup: str) -> None:
    """Close the database for everybody but the restore of this backup."""
    _comment(owner, MARK + backup)


def end(owner: Connection) -> None:
    """Open it."""
    _comment(owner, None)


def marked(connection: Connection) -> str | None:
    """Which backup is being restored, or was and is not known to be sound."""
    comment = connection.execute(READ).one().comment or ""
    return comment.removeprefix(MARK) if comment.startswith(MARK) else None


def is_closed(connection: Connection) -> bool:
    """Whether a backup is being restored, by somebody else than this connection."""
    backup = marked(connection)
    return backup is not None and connection.execute(READ).one().session != backup


def admitted(urls: Urls, backup: str) -> Urls:
    """URLs of connections that belong to the restore of this backup.

    They say so when they connect, which a pooler would not pass on: the app role, too, goes where ops goes.
    """
    app = urls.ops.set(username=urls.app.username, password=urls.app.password) if urls.app_pooled else urls.app

    def admit(url: URL) -> URL:
        return url.update_query_dict({"options": f"-c {SESSION}={backup}"})

    return Urls(admit(app), admit(urls.owner), admit(urls.ops), urls.roles)


def _comment(owner: Connection, comment: str | None) -> None:
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}").format(
        sql.Identifier(str(owner.engine.url.database)), sql.Literal(comment)
    )
    owner.exec_driver_sql(statement.as_string())
