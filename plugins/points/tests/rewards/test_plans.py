"""A payment reads the lots of who pays, also by a plan from when the store had none."""

import importlib.resources

import pytest
from sqlalchemy import text

from threepeat.database.sqlfiles import load
from threepeat.tenancy import members
from threepeat.tenancy.entering import enter

PEOPLE = 2_000
FILL = """
    INSERT INTO points.lot (tenant_id, member_id, reward_key, order_total, order_refunded, minor_units, rate,
                            granted, reversed, remaining, earned_at, expires_at)
    SELECT :tenant, id, 'k' || id, 0, 0, 100, 1, 10, 0, 10, core.now(), core.now() + interval '1 year'
    FROM unnest(CAST(:members AS bigint[])) AS id
"""
READ = """
    SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0)::int FROM pg_stat_xact_user_tables
    WHERE schemaname = 'points' AND relname = 'lot'
"""
AT_ONCE = (
    "FROM (SELECT DISTINCT member_id FROM fresh) AS payers CROSS JOIN LATERAL (",
    "FROM (SELECT DISTINCT member_id FROM fresh) AS payers JOIN (",
)
WHOSE = ("SELECT id, remaining, expires_at", "SELECT id, member_id, remaining, expires_at")
ALL = ("AND member_id = payers.member_id\n", "\n")
JOINED = ("        OFFSET 0\n    ) AS l", "    ) AS l USING (member_id)")


def reads(shop, statement):
    """How many lots a payment reads, on a connection that has planned it while there were none."""
    if shop.platform.database.urls.app_pooled:
        pytest.skip("behind a pooler no plan is kept from one transaction to the next")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        ids = list(members.resolve(scope, shop.platform.keyring, [f"m{n}" for n in range(PEOPLE)]).values())
    database = shop.platform.database

    def pay(scope, reference):
        scope.run(statement, members=[ids[0]], references=[reference], amounts=[1])

    with database.app.connect() as connection:
        driver = connection.connection.driver_connection
        for number in range(8):
            with database.outside(shop.tenant.id) as scope:
                scope.connection = connection
                enter(scope, by_keys=True)
                pay(scope, f"before {number}")
                connection.commit()
        assert any(b"points.entry" in key[0] for key in driver._prepared._names)
        with database.tenant(shop.tenant.id) as scope:
            scope.run(text(FILL), members=ids)
        with database.outside(shop.tenant.id) as scope:
            scope.connection = connection
            enter(scope, by_keys=True)
            pay(scope, "after")
            found = connection.execute(text(READ)).scalar_one()
            connection.commit()
    return found


@pytest.fixture
def spend():
    return load(importlib.resources.files("threepeat_points") / "sql")["spend"]


def test_a_payment_reads_the_lots_of_who_pays(open_shop, spend):
    assert 0 < reads(open_shop(), spend) < 10


def test_one_that_joins_all_lots_is_seen(open_shop, spend):
    written = spend.text
    for old, new in (AT_ONCE, WHOSE, ALL, JOINED):
        assert old in written
        written = written.replace(old, new)
    assert reads(open_shop(), text(written)) >= PEOPLE
