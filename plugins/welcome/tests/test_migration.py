"""A store that has welcomed newcomers already learns which one of its kind a reward is."""

from threepeat.database import migrate
from threepeat.events.platform import sources


def test_what_was_promised_outlives_a_way_back_and_forth(make_shop, platform):
    shop = make_shop()
    shop.registered("ann", "bob")
    shop.paid("ann", "1")
    before = shop.pack("ann")
    database = platform.database
    source = next(one for one in sources(platform.registry) if one.schema == "welcome")
    migrate.downgrade(database.owner, database.urls.roles, source, revision="0001")
    migrate.upgrade(database.owner, database.urls.roles, [source])
    assert shop.pack("ann") == before
    assert before["coming"][0]["item"] == ""
    shop.paid("ann", "2")
    assert shop.points("ann") == 100
