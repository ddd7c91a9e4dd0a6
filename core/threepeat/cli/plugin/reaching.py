"""The platform's database as it stands: for commands that look at it or write to it, and start nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from threepeat.database.config import DatabaseConfig, connect
from threepeat.database.embedded import EmbeddedServer
from threepeat.database.engine import Database


@contextmanager
def reachable() -> Iterator[Database | None]:
    """The database, if it answers and was made by Threepeat; it is neither started nor changed."""
    config = DatabaseConfig()
    if config.embedded and not EmbeddedServer(config.data).status().running:
        yield None
        return
    database = Database(connect(config))
    try:
        try:
            with database.ops.connect() as ops:
                ops.execute(text("SELECT FROM core.activation LIMIT 1"))
        except SQLAlchemyError:
            yield None
        else:
            yield database
    finally:
        database.dispose()
