"""What a merchant sees: what was not sent, and the figures."""

from datetime import datetime, timedelta

import pytest

from threepeat.events import collections
from threepeat.sdk import Period, Query
from threepeat.tenancy.errors import Conflict, NotFound
from threepeat_messages.unsent import REASONS

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def listed(shop, **query):
    return shop.collection(lambda opened: collections.find(opened, "messages", "unsent", Query(**query))).items


def metric(shop, name, days=2):
    def answer(ctx):
        today = ctx.now.astimezone(ctx.tenant.timezone).date()
        span = [today - timedelta(days=days - 1 - number) for number in range(days)]
        begin = datetime.combine(span[0], datetime.min.time(), ctx.tenant.timezone)
        return (
            shop.platform.registry["messages"].metrics[name].answer(ctx, Period(span, begin, begin + days * DAY))
        )

    return shop.inside(answer, plugin="messages")


@pytest.fixture
def busy(shop):
    """Two notices and one offer went, one is read, and four things did not go."""
    shop.agree("ann", "bob")
    shop.say("told", "ann", "bob")
    shop.say("offer")
    shop.post("read", {"messages": [shop.inbox()["messages"][1]["id"]]})
    shop.say("offer", title="too many")
    shop.say("offer", "carl")
    shop.say("told", until=shop.now)
    shop.wait(10 * HOUR)
    shop.say("offer", "bob")
    shop.agree("bob", yes=False)
    return shop


def test_what_was_not_sent_stands_in_a_list_with_the_reason(busy):
    found = listed(busy)
    assert [(one.state, str(one.figures["Why"]), one.figures["Member number"]) for one in found] == [
        ("withdrawn", str(REASONS["refused"]), str(busy.member("bob"))),
        ("held", str(REASONS["too_old"]), str(busy.member("ann"))),
        ("held", str(REASONS["no_consent"]), str(busy.member("carl"))),
        ("held", str(REASONS["cap"]), str(busy.member("ann"))),
    ]
    assert {str(one.title) for one in found} == {"Herald · Offer", "Herald · Told"}
    assert [one.id for one in listed(busy, state="withdrawn")] == [found[0].id]
    assert [one.id for one in listed(busy, search="told")] == [found[1].id]
    assert [one.id for one in listed(busy, limit=2, after=found[1].id)] == [one.id for one in found[2:]]
    assert listed(busy, search="nothing of the kind") == []
    assert all("tea" not in repr(one) for one in found), "it says nothing of what was to be said"


def test_nobody_makes_or_changes_them(busy):
    one = listed(busy)[0]
    with pytest.raises(Conflict):
        busy.collection(lambda opened: collections.create(opened, "messages", "unsent", {}, by="test"))
    with pytest.raises(Conflict):
        busy.collection(
            lambda opened: collections.update(opened, "messages", "unsent", one.id, {}, revision=1, by="test")
        )
    sent = busy.rows("SELECT id FROM messages.message WHERE state = 'sent' AND tenant_id = :tenant")[0][0]
    for item in (str(sent), "0", "x", "9" * 40):
        with pytest.raises(NotFound):
            busy.collection(lambda opened, item=item: collections.read(opened, "messages", "unsent", item))


@pytest.mark.usefixtures("busy")
def test_another_store_sees_its_own(open_shop):
    other = open_shop()
    assert listed(other) == []
    assert metric(other, "unsent").rows == []
    assert metric(other, "daily").lines == {"Service notices": [0, 0], "Marketing": [0, 0]}


def test_the_figures(busy):
    assert metric(busy, "daily").lines == {"Service notices": [0, 2], "Marketing": [0, 1]}
    assert metric(busy, "read").value == 3333
    assert [tuple(row) for row in metric(busy, "kinds").rows] == [("Told", 2, 1, 5000), ("Offer", 1, 0, 0)]
    assert {str(reason): number for reason, number in metric(busy, "unsent").rows} == {
        str(REASONS[name]): 1 for name in ("refused", "too_old", "no_consent", "cap")
    }
    assert metric(busy, "waiting").value == 0
    busy.wait(2 * DAY)
    assert metric(busy, "read").value is None
    assert metric(busy, "read").before == 3333


def test_the_rest_api_lists_them(busy, make_key):
    headers = {"Authorization": f"Bearer {make_key(busy.tenant, 'read')}"}
    answer = busy.client.get("/v1/plugins/messages/unsent", headers=headers)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["items"]) == 4
    answer = busy.client.get("/v1/plugins/messages/templates", headers=headers)
    assert [one["changed_at"] for one in answer.json()["items"]] == [None] * 3
