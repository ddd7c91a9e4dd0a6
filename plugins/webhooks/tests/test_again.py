"""What is sent again, and what becomes of it when an endpoint or the service is off."""

import threading
import time
from datetime import UTC, datetime

import pytest
from hooks_kit import DAY, HOUR, START
from sqlalchemy import text

from threepeat.events import merging
from threepeat.sdk.errors import Refused
from threepeat.tenancy import members, switches
from threepeat.tenancy.errors import Invalid


def test_one_is_sent_again_under_the_same_id(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)
    shop.send("visit.made")
    (one,) = shop.items()
    shop.step(one.id, "again", "deliveries")
    shop.work()
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    assert shop.items()[0].figures["Attempts"] == 2
    shop.step(endpoint, "off")
    with pytest.raises(Refused, match="Switch the endpoint on first"):
        shop.step(one.id, "again", "deliveries")


def test_an_endpoint_that_is_off_gets_nothing_and_can_have_all_of_it_later(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url, "visit.made")
    receiver.answer = 500
    shop.send("visit.made", place="before")
    shop.step(endpoint, "off")
    assert shop.states() == ["stopped"]
    receiver.answer = 204
    shop.wait(hours=3)
    shop.send("visit.made", place="meanwhile")
    shop.send("page.viewed", page="not asked for")
    shop.step(endpoint, "on")
    shop.send("visit.made", place="after")
    assert [body["data"]["place"] for _, body, _ in receiver.got] == ["after"]
    made = shop.make("resends", endpoint=endpoint, since=(START - HOUR).isoformat())
    shop.work()
    assert sorted(body["data"]["place"] for _, body, _ in receiver.got) == ["after", "before", "meanwhile"]
    assert len(set(receiver.ids)) == 3
    found = shop.item(made.id, "resends")
    assert (found.state, found.figures["Queued"]) == ("done", 2)
    shop.make("resends", endpoint=endpoint, since=(START - HOUR).isoformat(), which="all")
    shop.work()
    assert (len(receiver.got), len(set(receiver.ids))) == (6, 3)


def test_only_what_was_received_since_is_sent_again(shop, receiver, monkeypatch):
    monkeypatch.setattr("threepeat_webhooks.resends.PART", 3)
    shop.at(datetime.now(UTC))
    for place in range(10):
        shop.send("visit.made", work=False, place=str(place))
    shop.work()
    with shop.platform.database.ops.begin() as ops:  # the first five came two days ago
        ops.exec_driver_sql(
            "UPDATE core.event SET received_at = received_at - interval '2 days',"
            " occurred_at = occurred_at - interval '2 days'"
            f" WHERE tenant_id = {shop.tenant.id} AND position <= 5"
        )
    endpoint, _ = shop.endpoint(receiver.url)
    shop.make("resends", endpoint=endpoint, since=(shop.now - DAY).isoformat())
    shop.work()
    assert sorted(body["data"]["place"] for _, body, _ in receiver.got) == ["5", "6", "7", "8", "9"]
    ((left_at,),) = shop.rows("SELECT left_at FROM webhooks.resend")
    assert left_at == 1, "it ends with the first part that holds nothing of it"


def test_a_resend_names_the_field_that_is_wrong(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)
    with pytest.raises(Invalid, match="name the time zone, too"):
        shop.make("resends", endpoint=endpoint, since="2026-01-10T11:00:00")
    for since in (START - 31 * DAY, START + HOUR):
        with pytest.raises(Invalid, match="Choose an instant between") as error:
            shop.make("resends", endpoint=endpoint, since=since.isoformat())
        assert error.value.field == "values.since"
    shop.step(endpoint, "off")
    for wrong in (endpoint, "77", "x", "9" * 30):
        with pytest.raises(Invalid, match="Choose an endpoint that is on") as error:
            shop.make("resends", endpoint=wrong, since=START.isoformat())
        assert error.value.field == "values.endpoint"


def test_one_thing_at_a_time_is_sent_again(shop, receiver):
    """Elsewhere any number of them shared one turn, until it took too long and its worker was ended."""
    endpoint, _ = shop.endpoint(receiver.url)
    other, _ = shop.endpoint(receiver.url)
    since = START.isoformat()
    shop.make("resends", endpoint=endpoint, since=since)
    with pytest.raises(Invalid, match="wait until that is queued") as error:
        shop.make("resends", endpoint=endpoint, since=since, which="all")
    assert error.value.field == "values.endpoint"
    shop.make("resends", endpoint=other, since=since)
    shop.work()
    shop.make("resends", endpoint=endpoint, since=since)
    shop.work()
    assert [one.state for one in shop.items("resends")] == ["done"] * 3


def test_what_is_sent_again_is_locked_in_the_order_of_those_who_stop_it(shop, receiver, monkeypatch):
    """Elsewhere one went by the events and the other by the deliveries, and they waited for each other."""
    for place in ("first", "second"):
        shop.send("visit.made", place=place)
    endpoint, _ = shop.endpoint(receiver.url)
    monkeypatch.setattr("threepeat_webhooks.resends.PART", 1)
    shop.make("resends", endpoint=endpoint, since=START.isoformat())
    shop.work()
    older, newer = shop.rows("SELECT id, position FROM webhooks.delivery ORDER BY id")
    assert older[1] > newer[1]
    monkeypatch.setattr("threepeat_webhooks.resends.PART", 1000)
    shop.make("resends", endpoint=endpoint, since=START.isoformat(), which="all")
    take = text("SELECT FROM webhooks.delivery WHERE tenant_id = :tenant AND id = :id FOR UPDATE NOWAIT")
    thread = threading.Thread(target=shop.work)
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        scope.run(take, id=older[0])
        thread.start()
        await_waiting(shop)
        scope.run(take, id=newer[0])
    thread.join(10)
    assert len(receiver.got) == 4


def await_waiting(shop):
    """Return once somebody waits for a lock."""
    waiting = text("SELECT 1 FROM pg_locks WHERE NOT granted")
    until = time.monotonic() + 10
    with shop.platform.database.ops.connect() as ops:
        while ops.execute(waiting).first() is None:
            assert time.monotonic() < until, "nobody waits"
            time.sleep(0.01)


def test_an_endpoint_switched_off_while_it_is_called_stays_off(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)

    def off(_):
        shop.step(endpoint, "off")
        return 500

    receiver.answer = off
    shop.send("visit.made")
    assert (shop.states(), shop.item(endpoint).state) == (["stopped"], "off")
    shop.wait(days=3)
    assert len(receiver.tried) == 1


def test_what_arrives_while_it_is_switched_off_has_arrived(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)

    def off(_):
        shop.step(endpoint, "off")
        return 204

    receiver.answer = off
    shop.send("visit.made")
    assert shop.states() == ["delivered"]
    shop.step(endpoint, "on")
    shop.make("resends", endpoint=endpoint, since=START.isoformat())
    shop.work()
    assert len(receiver.got) == 1


def test_the_service_off_sends_nothing_and_what_happened_can_be_sent_afterwards(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url)
    receiver.answer = 500
    shop.send("visit.made", place="before")
    switch(shop, "off")
    assert shop.states() == ["stopped"]
    receiver.answer = 204
    shop.wait(days=1)
    shop.send("visit.made", place="meanwhile")
    assert receiver.got == []
    assert shop.violations() == []
    switch(shop, "on")
    shop.work()
    assert receiver.got == []
    shop.make("resends", endpoint=endpoint, since=START.isoformat())
    shop.work()
    assert sorted(body["data"]["place"] for _, body, _ in receiver.got) == ["before", "meanwhile"]


def switch(shop, into):
    def work(opened):
        platform = shop.platform
        do = switches.enable if into == "on" else switches.disable
        do(opened.scope, opened.tenant, platform.registry, "webhooks", by="test", act=platform.act)

    shop.managed(work)


def test_old_deliveries_go_at_night(shop, receiver):
    shop.endpoint(receiver.url)
    shop.send("visit.made")
    shop.wait(days=29)
    assert len(shop.states()) == 1
    shop.wait(days=3)
    assert shop.states() == []


def test_a_merged_members_events_go_on_under_the_name_that_is_left(shop, receiver):
    shop.endpoint(receiver.url)
    receiver.answer = 500
    shop.send("visit.made", "bob")
    shop.send("visit.made", "ann")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        ids = members.find(scope, "bob"), members.find(scope, "ann")
        merging.merge(shop.platform, scope, shop.tenant, *ids, by="test")
    receiver.answer = 204
    shop.wait(minutes=1)
    assert [body["member"] for _, body, _ in receiver.got] == ["ann", "ann"]
    assert shop.rows("SELECT DISTINCT member_id FROM webhooks.delivery") == [(ids[1],)]


def test_two_stores_never_meet(open_shop, receiver):
    mine, other = open_shop(), open_shop()
    endpoint, secret = mine.endpoint(receiver.url)
    _, other_secret = other.endpoint(receiver.url)
    assert secret != other_secret
    mine.send("visit.made", place="mine")
    assert len(receiver.got) == 1
    other.send("visit.made", place="other")
    assert len(set(receiver.ids)) == 2, "the same event id in two stores is two events"
    assert len(other.items()) == 1
    with pytest.raises(Exception, match="no item"):
        other.step(endpoint, "off")
    mine.step(endpoint, "off")
    other.send("visit.made", place="other again")
    assert len(receiver.got) == 3
    assert mine.violations() == other.violations() == []
