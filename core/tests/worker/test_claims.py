"""Whose turn it is: in order, once, and found as quickly among thousands as among ten."""

import json
import secrets
from datetime import timedelta

import pytest
from sqlalchemy import text

from threepeat.tenancy import tenants
from threepeat.worker import claims

LEASE = timedelta(seconds=30)
STORES = text("""
    WITH made AS (
        INSERT INTO core.tenant (slug, name, plan, timezone, currency, created_by)
        SELECT :mark || n, 'Store', t.plan, t.timezone, t.currency, 'test'
        FROM core.tenant t, generate_series(1, :many) n WHERE t.slug = 'first' RETURNING id
    )
    INSERT INTO core.turn (tenant_id) SELECT id FROM made RETURNING tenant_id
""")
RUN_OUT = text("""
    UPDATE core.turn SET leased_until = '-infinity', due_at = clock_timestamp() WHERE tenant_id = :tenant
""")
DUE = text("UPDATE core.turn SET due_at = '-infinity' WHERE tenant_id = :tenant")
WAKE = text("INSERT INTO core.backlog (tenant_id) SELECT unnest(CAST(:tenants AS bigint[]))")


@pytest.fixture
def stores(platform):
    """Makes stores of which nothing waits."""

    def make(many):
        with platform.database.ops.begin() as ops:
            if ops.execute(text("SELECT count(*) FROM core.tenant")).scalar_one() == 0:
                tenants.create(ops, "first", by="test")
            made = [
                row.tenant_id
                for row in ops.execute(STORES, {"many": many, "mark": f"store-{secrets.token_hex(4)}-"})
            ]
            ops.execute(text("DELETE FROM core.backlog"))
            ops.execute(text("UPDATE core.turn SET due_at = 'infinity'"))
        return made

    return make


def wake(platform, *waiting):
    with platform.database.directory() as connection:
        connection.execute(WAKE, {"tenants": list(waiting)})


def claim(platform):
    with platform.database.directory() as connection:
        return claims.claim(connection, LEASE, "test")


def release(platform, claimed, **how):
    with platform.database.directory() as connection:
        claims.release(connection, claimed, **{"more": False, **how})


def test_turns_are_taken_in_the_order_in_which_they_became_due_and_then_from_behind(platform, stores):
    first, second = stores(2)
    wake(platform, second)
    taken = [claim(platform)]
    release(platform, taken[-1], more=True)
    wake(platform, first)
    for more in (True, False, False):
        taken.append(claim(platform))
        release(platform, taken[-1], more=more)
    assert [one.tenant_id for one in taken] == [second, second, first, second]
    assert claim(platform) is None


def test_whoever_waits_alone_is_not_contended(platform, stores):
    first, second = stores(2)
    wake(platform, first, first)
    assert not claim(platform).contended
    wake(platform, first)
    assert claim(platform) is None  # somebody serves it
    wake(platform, second)
    assert not claim(platform).contended


def test_what_waits_besides_is_seen(platform, stores):
    wake(platform, *stores(2))
    assert claim(platform).contended


def test_work_that_comes_while_a_turn_is_served_is_heard_when_it_is_given_back(platform, stores):
    (store,) = stores(1)
    wake(platform, store)
    held = claim(platform)
    wake(platform, store)
    assert claim(platform) is None
    release(platform, held)
    assert claim(platform).tenant_id == store
    assert claim(platform) is None


def test_a_sleeper_that_gives_back_late_takes_nothing_with_it(platform, stores):
    store, other = stores(2)
    wake(platform, store)
    sleeper = claim(platform)
    with platform.database.directory() as connection:
        connection.execute(RUN_OUT, {"tenant": store})
        connection.execute(DUE, {"tenant": other})
    wake(platform, store)
    assert claim(platform).tenant_id == other
    release(platform, sleeper)  # nobody has taken over yet, and work has come in its sleep
    assert claim(platform).tenant_id == store


def test_rows_of_a_store_that_another_worker_claims_at_the_moment_are_left_for_later(platform, stores):
    first, second = stores(2)
    wake(platform, first)
    with platform.database.directory() as other:
        claims.claim(other, LEASE, "other")
        wake(platform, first, second)
        assert claim(platform).tenant_id == second
    with platform.database.directory() as connection:
        assert connection.execute(text("SELECT array_agg(tenant_id) FROM core.backlog")).scalar_one() == [first]


def blocks(platform):
    """Pages that a claim reads, without what it hears before."""
    with platform.database.directory() as connection:
        claims._hear(connection)
        explain = text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {claims.CLAIM.text}")
        (plan,) = connection.execute(explain, {"lease": LEASE, "worker": "test"}).scalar_one()
        connection.rollback()
    assert json.dumps(plan).count('"turn_due"') == 2, "the first that is due, and whether others are"
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


def test_a_claim_reads_as_much_among_thousands_as_among_ten(platform, stores):
    waiting = stores(10)
    wake(platform, *waiting)
    among_ten = blocks(platform)
    wake(platform, *stores(3000), *waiting)
    with platform.database.owner.begin() as owner:
        owner.execute(text("ANALYZE core.turn, core.backlog"))
    assert blocks(platform) <= 2 * among_ten + 10


def test_thousands_are_heard_at_once_however_few_the_planner_expects(platform, stores):
    waiting = stores(5000)
    wake(platform, *waiting * 3)
    with platform.database.owner.connect().execution_options(isolation_level="AUTOCOMMIT") as owner:
        owner.execute(text("DELETE FROM core.backlog WHERE id < (SELECT max(id) FROM core.backlog)"))
        owner.execute(text("ALTER TABLE core.backlog SET (autovacuum_enabled = false)"))
        owner.execute(text("VACUUM ANALYZE core.backlog"))  # many pages, and one row in them
    wake(platform, *waiting * 2)
    with platform.database.directory() as connection:
        connection.execute(text("SET LOCAL statement_timeout = '1s'"))
        claims._hear(connection)
        assert connection.execute(text("SELECT count(*) FROM core.backlog")).scalar_one() == 0
        due = text("SELECT count(*) FROM core.turn WHERE due_at <= statement_timestamp()")
        assert connection.execute(due).scalar_one() == 5000
