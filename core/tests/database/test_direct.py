"""Statements that go to the driver directly do what they do by SQLAlchemy's way."""

import psycopg
import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, PendingRollbackError

from threepeat.database import direct
from threepeat.database.lost import is_lost

MAKE = text("CREATE TEMPORARY TABLE direct (id int PRIMARY KEY, name text)")
PUT = text("INSERT INTO direct VALUES (:id, :name) ON CONFLICT (id) DO UPDATE SET name = excluded.name")


@pytest.fixture
def connection(platform):
    with platform.database.app.connect() as opened:
        opened.execute(MAKE)
        yield opened


@pytest.mark.parametrize(
    ("statement", "binds"),
    [
        ("SELECT 1 AS id, 'ann' AS name, now() AS at", {}),
        ('SELECT g AS id, ARRAY[g] AS "a list" FROM generate_series(1, :most) g', {"most": 3}),
        ("SELECT 1 WHERE false", {}),
        ("SELECT 'a % b' LIKE '%' AS \"100 %\", :tag AS tag", {"tag": "100 %", "unused": 1}),
        ("SELECT CAST('{\"a\": [1]}' AS jsonb) AS body, CAST('1.50' AS numeric), 'x'\\:\\:bytea, NULL", {}),
        ("SELECT FROM direct", {}),
        ("UPDATE direct SET name = 'x'", {}),
    ],
)
def test_rows_are_those_of_sqlalchemy(connection, statement, binds):
    result = connection.execute(text(statement), binds)
    by_sqlalchemy = result.all() if result.returns_rows else ()
    found = direct.run(connection, text(statement), binds)
    assert list(found) == list(by_sqlalchemy)
    assert [row._fields for row in found] == [row._fields for row in by_sqlalchemy]
    assert [dict(row._mapping) for row in found] == [dict(row._mapping) for row in by_sqlalchemy]


def test_a_column_is_had_by_its_name(connection):
    (row,) = direct.run(connection, text("SELECT 7 AS count, 'ann' AS name"), {})
    assert (row.name, row._mapping["count"], row[0]) == ("ann", 7, 7)
    with pytest.raises(AttributeError):
        _ = row.other


def test_writes_are_counted(connection):
    assert [direct.count(connection, PUT, {"id": number, "name": "a"}) for number in (1, 1)] == [1, 1]
    assert direct.count(connection, text("UPDATE direct SET name = 'b' WHERE id > 1"), {}) == 0


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO direct VALUES (1, 'secret')", IntegrityError),
        ("SELECT CAST('secret' AS int)", DataError),
        ("SELECT CAST(:value AS text)", DataError),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1), 'secret'", OperationalError),
    ],
)
def test_errors_are_sqlalchemys_and_say_no_value(connection, statement, kind):
    direct.count(connection, PUT, {"id": 1, "name": "a"})
    binds = {"value": "secret\0"} if ":value" in statement else {}
    with pytest.raises(kind) as raised:
        direct.run(connection, text(statement), binds)
    assert isinstance(raised.value.orig, psycopg.Error)
    assert not is_lost(raised.value)
    assert raised.value.hide_parameters
    connection.rollback()
    assert direct.run(connection, text("SELECT 1"), {}) == [(1,)]


def test_a_lone_surrogate_is_the_same_error(connection):
    for way in (direct.run, lambda one, statement, binds: one.execute(statement, binds)):
        with pytest.raises(UnicodeEncodeError):
            way(connection, text("SELECT :name"), {"name": "\ud800"})


@pytest.mark.parametrize(
    "way",
    [
        lambda lost: direct.run(lost, text("SELECT 1"), {}),
        lambda lost: direct.count(lost, PUT, {"id": 1, "name": "a"}),
        lambda lost: direct.control(lost, "SAVEPOINT s"),
        lambda lost: direct.control(lost, "ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s"),
    ],
)
def test_a_connection_that_is_lost_is_given_up(platform, way):
    with platform.database.app.connect() as lost, lost.begin() as transaction:
        (row,) = direct.run(lost, text("SELECT pg_backend_pid() AS pid"), {})
        with platform.database.app.connect() as other:
            direct.run(other, text("SELECT pg_terminate_backend(:pid)"), {"pid": row.pid})
        with pytest.raises(OperationalError) as raised:
            way(lost)
        assert is_lost(raised.value)
        assert raised.value.connection_invalidated
        assert lost.invalidated
        with pytest.raises(PendingRollbackError):  # as SQLAlchemy says it until the block is left
            way(lost)
        transaction.rollback()
    with platform.database.app.connect() as another:
        assert direct.run(another, text("SELECT 1"), {}) == [(1,)]


def test_who_listens_hears_every_statement(platform):
    heard = []
    listener = (platform.database.app, "before_cursor_execute", lambda *given: heard.append(given[2]))
    event.listen(*listener)
    try:
        with platform.database.app.connect() as connection:
            assert direct.run(connection, text("SELECT 1 AS one"), {})[0].one == 1
            direct.count(connection, MAKE, {})
            assert direct.count(connection, PUT, {"id": 1, "name": "a"}) == 1
    finally:
        event.remove(*listener)
    assert [statement.split()[0] for statement in heard] == ["SELECT", "CREATE", "INSERT"]
