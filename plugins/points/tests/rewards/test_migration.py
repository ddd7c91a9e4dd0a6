"""A store that has points already gets rewards, and can do without them again."""

from datetime import UTC, datetime, timedelta

import pytest

from threepeat.database import migrate
from threepeat.database.migrate import Source
from threepeat.events.platform import sources
from threepeat.sdk import Spend
from threepeat_points.payments import Return, give_back

START = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def source(platform) -> Source:
    return next(source for source in sources(platform.registry) if source.schema == "points")


def test_lots_of_orders_outlive_a_way_back_and_forth(open_shop, source, platform):
    shop = open_shop()
    ann = shop.member()
    shop.paid("ann", "1", 1_000, time=START)
    shop.grant(ann, 30, "x")
    database = platform.database
    migrate.downgrade(database.owner, database.urls.roles, source, revision="0001")
    # What only rewards can hold is gone; the order's lot is as it was.
    assert shop.rows("SELECT order_id, granted, remaining FROM points.lot WHERE tenant_id = :tenant") == [
        ("1", 10, 10)
    ]
    migrate.upgrade(database.owner, database.urls.roles, [source])
    shop.spend(Spend(ann, 4, "a"))
    assert shop.held(ann) == {ann: 6}
    assert shop.rows("SELECT granted, remaining FROM points.lot WHERE tenant_id = :tenant") == [(10, 6)]


def test_a_journal_in_double_entry_outlives_a_way_back_to_single_entry_and_forth(open_shop, source, platform):
    shop = open_shop()
    shop.save(expires_after_days=40)
    shop.at(START)
    ann, bob = shop.member("ann"), shop.member("bob")
    shop.paid("ann", "1", 1_000, time=START)
    shop.paid("bob", "2", 1_000, time=START)
    shop.grant(ann, 30, "x")
    for number, (points, back) in enumerate(((4, 0), (5, 2), (6, 6))):
        shop.spend(Spend(ann, points, f"a{number}"))
        one = Return(ann, f"spend:till:a{number}", back, f"back {number}")
        shop.act(shop.tenant, "points", lambda ctx, one=one: give_back(ctx, [one]))
    shop.spend(Spend(bob, 10, "b"))
    shop.refunded("bob", "r", 700, "2", time=START)
    shop.nights(41)
    shop.refunded("ann", "r1", 400, "1", time=START + timedelta(days=41))
    assert shop.violations() == []
    before = shop.rows(
        "SELECT id, granted, remaining + expired FROM points.lot WHERE tenant_id = :tenant ORDER BY id"
    )
    database = platform.database
    migrate.downgrade(database.owner, database.urls.roles, source, revision="0003")
    assert (
        shop.rows("SELECT id, granted, remaining FROM points.lot WHERE tenant_id = :tenant ORDER BY id") == before
    )
    wrong = """
        SELECT a.member_id FROM points.account a
        WHERE a.tenant_id = :tenant AND (
            SELECT coalesce(sum(points), 0) FROM points.entry e
            WHERE e.tenant_id = a.tenant_id AND e.member_id = a.member_id
        ) <> (
            SELECT coalesce(sum(remaining), 0) - a.debt FROM points.lot l
            WHERE l.tenant_id = a.tenant_id AND l.member_id = a.member_id
        )
    """
    assert shop.rows(wrong) == []
    assert shop.rows("SELECT points FROM points.allocation WHERE tenant_id = :tenant ORDER BY 1") == [
        (3,),
        (4,),
        (10,),
    ]
    migrate.upgrade(database.owner, database.urls.roles, [source])
    assert shop.violations() == []
    assert shop.balance("bob") == (0, 0, 7)
    shop.nights(1)
    assert shop.violations() == []
