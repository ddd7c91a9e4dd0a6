"""Members: nothing of one who is erased goes out any more, and nothing is left; an export has their deliveries."""

import io
import json

import psycopg
import pytest
from hooks_kit import Made

from threepeat.events import erasure, merging
from threepeat.events.export import MemberExport
from threepeat.tenancy import members

WORD = "cnry-webhooks"


def ask(shop, name="ann"):
    """Ask for an erasure; the worker has not begun with it."""
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        return erasure.request(shop.platform, scope, members.find(scope, name), by="operator")


def erase(shop, erasure_id):
    erasure.announce(shop.platform, shop.tenant, erasure_id)
    erasure.complete(shop.platform, shop.tenant, erasure_id)


def left(shop):
    """Tables of the service that hold the canary, or anything of the member."""
    url = shop.platform.database.urls.ops.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as ops:
        return [
            name
            for name in ("core.timer", "core.event", "webhooks.delivery", "webhooks.endpoint", "webhooks.resend")
            for (row,) in ops.execute(f"SELECT t::text FROM {name} t WHERE tenant_id = {shop.tenant.id}")
            if WORD in row
        ]


def test_nothing_of_who_is_erased_goes_out_any_more(shop, receiver):
    endpoint, _ = shop.endpoint(receiver.url, "feedback.submitted", "visit.made")
    receiver.answer = 500
    shop.send("feedback.submitted", "ann", text=WORD)
    shop.send("visit.made", "bob", place="bob's")
    asked = ask(shop)
    assert shop.violations() == [], "what waits to be removed is not expected to be sent"
    receiver.answer = 204
    shop.wait(minutes=1)  # asked for and not carried out: already nothing goes out
    assert [body["member"] for _, body, _ in receiver.got] == ["bob"]
    erase(shop, asked)
    assert left(shop) == []
    member = "SELECT 1 FROM webhooks.delivery WHERE member_id IS NOT NULL AND type = 'feedback.submitted'"
    assert shop.rows(member) == []
    shop.make("resends", endpoint=endpoint, since=shop.now.isoformat(), which="all")
    shop.wait(days=3)
    assert {body["member"] for _, body, _ in receiver.got} == {"bob"}


def test_an_erasure_while_a_call_is_made_leaves_nothing(shop, receiver):
    shop.endpoint(receiver.url, "feedback.submitted")

    def erase_meanwhile(_):
        erase(shop, ask(shop))
        return 500

    receiver.answer = erase_meanwhile
    shop.send("feedback.submitted", "ann", text=WORD)
    shop.wait(days=2)
    assert len(receiver.tried) == 1
    assert left(shop) == []
    assert shop.states() == []


def test_the_search_for_what_is_left_finds_it(shop, receiver):
    """The alarm: before an erasure the word is where it should be, and nowhere of the service's own."""
    shop.endpoint(receiver.url)
    receiver.answer = 500
    shop.send("feedback.submitted", "ann", text=WORD)
    assert left(shop) == ["core.event"], "what is sent is read from the log, not copied"


def test_an_export_has_the_members_deliveries_and_nobody_elses(shop, receiver):
    shop.endpoint(receiver.url)
    shop.send("visit.made", "ann")
    shop.send("visit.made", "bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        file = io.BytesIO()
        MemberExport(shop.platform, scope, shop.tenant, members.find(scope, "ann")).write(file, "json")
    (found,) = json.loads(file.getvalue())["tables"]["webhooks.delivery"]
    assert (found["type"], found["state"]) == ("visit.made", "delivered")


def test_whom_else_an_event_names_is_called_as_the_shop_calls_them(shop, receiver):
    """Elsewhere an event carried the platform's own numbers of other people out."""
    shop.endpoint(receiver.url, "maker.made")
    ann, bob, cat, dan = map(shop.member, ("ann", "bob", "cat", "dan"))
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, bob, ann, by="test")
    erase(shop, ask(shop, "cat"))
    shop.emit(Made(what="cup", friends=(bob, cat, dan, 77), best=dan))
    shop.emit(Made(what="cup", friends=(), best=cat))
    shop.work()
    found = sorted((body["data"]["friends"], body["data"]["best"]) for _, body, _ in receiver.got)
    assert found == [([], None), (["ann", "dan"], "dan")]


def test_an_event_of_nobody_is_about_nobody(shop, receiver):
    shop.endpoint(receiver.url)
    shop.emit(Made(what="cup"))
    shop.work()
    assert [body["member"] for _, body, _ in receiver.got] == [None]
    assert shop.rows("SELECT member_id FROM webhooks.delivery") == [(None,)]


@pytest.mark.parametrize("name", ["ann 茶", "a.b:c/d", "x" * 128])
def test_a_member_is_called_as_the_shop_calls_them(shop, receiver, name):
    shop.endpoint(receiver.url)
    shop.send("visit.made", name)
    ((_, body, _),) = receiver.got
    assert body["member"] == name
    number = shop.member(name)
    assert str(number) not in str({key: one for key, one in body.items() if key not in {"id", "timestamp"}})
