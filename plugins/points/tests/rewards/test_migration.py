"""A store that has points already gets rewards, and can do without them again."""

from datetime import UTC, datetime

import pytest

from threepeat.database import migrate
from threepeat.database.migrate import Source
from threepeat.events.platform import sources
from threepeat.sdk import Spend

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
