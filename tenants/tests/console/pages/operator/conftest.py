"""What the tests of the operators' pages share."""

import itertools
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

NUMBERS = itertools.count(1)


@pytest.fixture
def op(consoles):
    """An operator's browser."""
    return consoles.operator()


@pytest.fixture
def filled():
    """Fills the form that opens a store: `filled(name="Tea")`; every call is another store."""

    def make(**given):
        n = next(NUMBERS)
        return {
            "name": f"Shop {n}",
            "slug": f"onb-{n}",
            "blueprint": "tea-coffee",
            "plan": "standard",
            "currency": "CNY",
            "timezone": "Asia/Shanghai",
            "owner_name": "Ann",
            "owner_email": f"onb{n}@example.com",
            "owner_phone": "",
            **given,
        }

    return make


@pytest.fixture
def opened(op, filled):
    """Opens a store and returns its short name: `opened(name="Tea")`."""

    def make(**given):
        form = filled(**given)
        assert op.post("/operator/stores/new", form).status_code == 303
        return form["slug"]

    return make


@pytest.fixture
def rows(consoles):
    """Reads from the database as ops: `rows("SELECT …", slug="tea")`."""

    def read(statement, **binds):
        with consoles.platform.database.ops.begin() as ops:
            return ops.execute(text(statement), binds).all()

    return read


@pytest.fixture
def trail(rows):
    """Who did what in a store: pairs of actor and action."""

    def read(slug):
        found = rows(
            "SELECT a.actor, a.action FROM core.audit a JOIN core.tenant t ON t.id = a.tenant_id"
            " WHERE t.slug = :slug ORDER BY a.id",
            slug=slug,
        )
        return [tuple(row) for row in found]

    return read


@pytest.fixture
def counted(consoles):
    """Counts the statements of both roles: `with counted() as statements: …`."""

    @contextmanager
    def count():
        statements = []
        engines = (consoles.platform.database.ops, consoles.platform.database.app)

        def note(_connection, _cursor, statement, *_rest):
            statements.append(statement)

        for engine in engines:
            event.listen(engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            for engine in engines:
                event.remove(engine, "before_cursor_execute", note)

    return count


MANY = """
    WITH made AS (
        INSERT INTO core.tenant (slug, name, currency, timezone, created_by)
        SELECT 'many-' || lpad(n::text, 5, '0'), 'Store ' || n, 'CNY', 'Asia/Shanghai', 'test'
        FROM generate_series(1, :n) AS n RETURNING id
    ), streams AS (
        INSERT INTO core.stream (tenant_id, head) SELECT id, 0 FROM made
    )
    INSERT INTO core.turn (tenant_id) SELECT id FROM made RETURNING tenant_id
"""


@pytest.fixture
def many(consoles):
    """Sixty stores with nothing in them, taken away at the end."""
    with consoles.platform.database.ops.begin() as ops:
        made = [row.tenant_id for row in ops.execute(text(MANY), {"n": 60})]
    yield made
    with consoles.platform.database.ops.begin() as ops:
        for table in ("turn", "stream"):
            ops.execute(text(f"DELETE FROM core.{table} WHERE tenant_id = ANY(:ids)"), {"ids": made})
        ops.execute(text("DELETE FROM core.tenant WHERE id = ANY(:ids)"), {"ids": made})
