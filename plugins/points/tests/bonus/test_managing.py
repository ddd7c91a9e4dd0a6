"""Bonus days as merchants manage them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from threepeat.database import migrate
from threepeat.events import collections
from threepeat.events.platform import sources
from threepeat.sdk import Audience, Query, Refused, midnight
from threepeat.tenancy.errors import Conflict, Invalid, Stale

NOON = datetime(2026, 1, 10, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def values(**changes):
    return {"name": "Day", "factor": "2", "first_day": "2026-01-10", "last_day": "2026-01-10", **changes}


def test_a_day_is_drafted_saved_published_and_closed(shop):
    draft = shop.draft("1.5", "2026-01-10", "2026-01-12", name="  Opening  ")
    assert (draft.state, draft.title, draft.revision) == ("draft", "Opening", 1)
    assert draft.values.factor == Decimal("1.5")
    assert (draft.values.first_day, draft.values.last_day) == (date(2026, 1, 10), date(2026, 1, 12))
    given = values(factor=2, audience={"fact": "orders.count", "op": "at_least", "value": 2})
    saved = shop.ask(collections.update, draft.id, given, revision=1, by="t")
    assert (saved.values.factor, saved.values.audience) == (2, Audience.model_validate(given["audience"]))
    published = shop.act(saved, "publish")
    assert (published.state, published.revision) == ("published", 3)
    assert published.figures["At the moment"] == "running"
    with pytest.raises(Conflict):
        shop.ask(collections.update, draft.id, given, revision=3, by="t")
    assert shop.close(published).state == "closed"
    with pytest.raises(Conflict):
        shop.act(shop.read(draft), "publish")


def test_of_two_who_publish_one_is_told(shop):
    draft = shop.draft()
    shop.act(draft, "publish")
    with pytest.raises(Stale):
        shop.act(draft, "publish")


def test_a_day_that_is_over_is_not_published(shop):
    with pytest.raises(Refused) as caught:
        shop.publish("2", "2026-01-08", "2026-01-09")
    assert caught.value.code == "over"
    assert shop.publish("2", "2026-01-01", "2026-01-10").state == "published"


def test_a_published_day_tells_how_it_stands(shop):
    later, now = shop.publish("2", "2026-01-11"), shop.publish("2", "2026-01-10")
    assert [shop.read(one).figures["At the moment"] for one in (later, now)] == ["not begun", "running"]
    shop.at(NOON + 5 * DAY)
    assert [shop.read(one).figures["At the moment"] for one in (later, now)] == ["over", "over"]


def test_the_list_is_newest_first_and_can_be_searched(shop):
    made = [shop.draft(name=f"Day {number}") for number in range(3)]
    shop.act(made[0], "publish")
    page = shop.ask(collections.find, Query(limit=2))
    assert [one.id for one in page.items] == [made[2].id, made[1].id]
    rest = shop.ask(collections.find, Query(after=page.next))
    assert [(one.id, one.state) for one in rest.items] == [(made[0].id, "published")]
    assert rest.next is None
    assert [one.title for one in shop.ask(collections.find, Query(search="dAY 1")).items] == ["Day 1"]
    assert [one.title for one in shop.ask(collections.find, Query(state="draft")).items] == ["Day 2", "Day 1"]
    assert shop.ask(collections.find, Query(search="%")).items == []
    for strange in ("x", "0", "-1", "9" * 80):
        assert shop.ask(collections.find, Query(after=strange)).items == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " \t"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"factor": 1}, "factor"),
        ({"factor": 0}, "factor"),
        ({"factor": -2}, "factor"),
        ({"factor": "10.1"}, "factor"),
        ({"factor": "1.55"}, "factor"),
        ({"factor": "NaN"}, "factor"),
        ({"factor": float("inf")}, "factor"),
        ({"factor": "1e400"}, "factor"),
        ({"factor": "x"}, "factor"),
        ({"factor": True}, "factor"),
        ({"first_day": "2026-02-30"}, "first_day"),
        ({"first_day": "1999-12-31"}, "first_day"),
        ({"last_day": "2101-01-01"}, "last_day"),
        ({"last_day": "300000-01-01"}, "last_day"),
        ({"last_day": "2026-01-09"}, "last_day"),
        ({"last_day": "2027-01-11"}, "last_day"),
        ({"audience": {"fact": "gone.score", "op": "equals", "value": 1}}, "audience.fact"),
        ({"audience": None}, "audience"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_value_is_refused_by_name(shop, changes, field):
    with pytest.raises(Invalid) as caught:
        shop.ask(collections.create, values(**changes), by="t")
    assert caught.value.field == f"values.{field}"


@pytest.mark.parametrize(
    ("given", "kept"), [(1.5, "1.5"), ("1.50", "1.5"), (10, "10"), ("2.0", "2"), ("1.1", "1.1"), (3.3, "3.3")]
)
def test_a_factor_is_read_as_it_is_written(shop, given, kept):
    assert str(shop.draft(given).values.factor) == kept


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("Asia/Shanghai", date(2026, 1, 10), "2026-01-09T16:00", 24),
        ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00", 23),
        ("America/New_York", date(2026, 11, 1), "2026-11-01T04:00", 25),
        ("America/Havana", date(2026, 3, 8), "2026-03-08T05:00", 23),  # its midnight does not exist
        ("America/Havana", date(2026, 11, 1), "2026-11-01T04:00", 25),  # its midnight comes twice
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00", 24),  # the day before does not exist
    ],
)
def test_a_day_begins_and_ends_at_the_stores_midnight(zone, day, begins, hours):
    first = midnight(day, ZoneInfo(zone))
    assert first == datetime.fromisoformat(begins).replace(tzinfo=UTC)
    assert midnight(day + DAY, ZoneInfo(zone)) - first == timedelta(hours=hours)


def test_the_period_is_kept_by_the_clock_of_the_store(shop):
    day = shop.publish("2", "2026-01-11", "2026-01-12")
    ((begins, ends),) = shop.rows("SELECT begins_at, ends_at FROM points.bonus_day WHERE tenant_id = :tenant")
    assert (begins, ends) == (datetime(2026, 1, 10, 16, tzinfo=UTC), datetime(2026, 1, 12, 16, tzinfo=UTC))
    shop.at(NOON + DAY + timedelta(hours=1))
    shop.close(day)
    ((_, ends),) = shop.rows("SELECT begins_at, ends_at FROM points.bonus_day WHERE tenant_id = :tenant")
    assert timedelta() <= ends - (NOON + DAY + timedelta(hours=1)) < timedelta(minutes=1)


def test_lots_with_a_factor_outlive_a_way_back_and_forth(open_shop, platform):
    shop = open_shop()
    shop.publish("1.5")
    shop.paid("1", 700)
    shop.serve()
    database = platform.database
    source = next(one for one in sources(platform.registry) if one.schema == "points")
    migrate.downgrade(database.owner, database.urls.roles, source, revision="0002")
    lot = "SELECT granted, remaining, rate FROM points.lot WHERE tenant_id = :tenant"
    assert shop.rows(lot) == [(10, 10, 2)]  # the rate stands for the factor, rounded up
    migrate.upgrade(database.owner, database.urls.roles, [source])
    assert shop.violations() == []
    assert shop.read(shop.draft()).state == "draft"
