"""Many stores at little cost, and a count of the queries that are run."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from threepeat_tenants.accounts import operator_keys

MANY = text("""
    WITH made AS (
        INSERT INTO core.tenant (slug, name, currency, timezone, created_by)
        SELECT 'many-' || lpad(n::text, 5, '0'), 'Store ' || n, 'CNY', 'Asia/Shanghai', 'test'
        FROM generate_series(1, :n) AS n RETURNING id
    ), streams AS (
        INSERT INTO core.stream (tenant_id, head) SELECT id, 0 FROM made
    )
    INSERT INTO core.turn (tenant_id) SELECT id FROM made
""")


@pytest.fixture(scope="module")
def still(cluster, tmp_path_factory):
    """One platform for a file's tests that leave nothing behind."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture
def many(platform):
    """Makes stores with nothing in them: `many(200)`."""

    def make(n):
        with platform.database.ops.begin() as ops:
            ops.execute(MANY, {"n": n})

    return make


@pytest.fixture
def ops(platform):
    """A transaction of the ops role, undone at the end."""
    with platform.database.ops.connect() as connection:
        yield connection


@pytest.fixture
def counted(platform):
    """Counts the statements of the ops role: `with counted() as statements: …`."""

    @contextmanager
    def count():
        statements = []

        def note(_connection, _cursor, statement, *_rest):
            statements.append(statement)

        event.listen(platform.database.ops, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(platform.database.ops, "before_cursor_execute", note)

    return count


@pytest.fixture
def operator(platform, client):
    """A client of the operator API with a good key."""
    with platform.database.ops.begin() as connection:
        key = operator_keys.create(connection, platform.keyring, "programs", by="test")
    client.headers["Authorization"] = f"Bearer {key}"
    return client
