"""Who takes a connection from the pool gets one that lives, and the server is not asked for it each time."""

from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from threepeat.database import idle
from threepeat.database.engine import Database

PID = text("SELECT pg_backend_pid()")
LAST = text("SELECT query FROM pg_stat_activity WHERE pid = :pid")
END = text("SELECT pg_terminate_backend(:pid, 5000)")


@pytest.fixture(autouse=True)
def direct(cluster) -> None:
    """Behind a pooler a connection outlives its server process."""
    if cluster.pooler is not None:
        pytest.skip("it asks PostgreSQL about its own connections")


@pytest.fixture
def pooled(platform) -> Iterator[Engine]:
    """A pool of one connection, which has been used."""
    database = Database(platform.database.urls, pool_size=1)
    yield database.app
    database.dispose()


@pytest.fixture
def beside(platform):
    with platform.database.app.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


def pid(engine: Engine) -> int:
    with engine.begin() as connection:
        return connection.execute(PID).scalar_one()


def test_a_connection_that_the_server_ended_is_replaced_unseen(pooled, beside):
    before = pid(pooled)
    assert beside.execute(END, {"pid": before}).scalar_one()
    assert pid(pooled) != before


def test_nobody_else_would_replace_it(platform, beside):
    urls = platform.database.urls
    engine = create_engine(urls.app, pool_size=1, max_overflow=0, connect_args=urls.options("app", "app"))
    try:
        assert beside.execute(END, {"pid": pid(engine)}).scalar_one()
        with pytest.raises(OperationalError):
            pid(engine)
    finally:
        engine.dispose()


@pytest.mark.parametrize(("long", "last"), [(idle.LONG, "COMMIT"), (0.0, "")])
def test_the_server_is_asked_only_after_a_while(pooled, beside, monkeypatch, long, last):
    monkeypatch.setattr(idle, "LONG", long)
    known = pid(pooled)
    with pooled.connect():
        assert beside.execute(LAST, {"pid": known}).scalar_one() == last


def test_what_else_a_server_says_is_not_taken_for_an_end(pooled, beside):
    heard: list[str] = []
    with pooled.begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        driver.add_notify_handler(lambda told: heard.append(told.payload))
        connection.exec_driver_sql("LISTEN threepeat_idle")
    before = pid(pooled)
    beside.exec_driver_sql("NOTIFY threepeat_idle, 'hello'")
    assert pid(pooled) == before
    assert heard == ["hello"]
