"""What members read, and what they can do with it."""

from datetime import timedelta

import pytest

from threepeat.testing.hostile import ADDRESSES, IMPOSSIBLE, ODD
from threepeat_messages.plugin import plugin


def order(shop, name="ann", order_id="o-1", **more):
    money = {"total": 12_800, "currency": "CNY"}
    return shop.event("order.paid", name, order_id=order_id, **money, **more)


def test_a_service_notice_is_in_the_inbox_at_once_without_any_consent(shop):
    shop.batch(order(shop))
    page = shop.inbox()
    assert page["unread"] == 1
    assert page["next"] is None
    [message] = page["messages"]
    assert message["title"] == {"en": "Told", "zh": "Told"}
    assert message["text"] == {"en": "o-1 costs CN¥128.00.", "zh": "o-1 costs ¥128.00."}
    assert (message["sender"], message["kind"], message["purpose"]) == ("herald", "told", "service")
    assert message["read"] is False
    assert shop.inbox("bob") == {"unread": 0, "messages": [], "next": None}


def test_it_goes_at_night_too(shop):
    shop.wait(timedelta(hours=11))
    shop.batch(order(shop))
    assert shop.states() == ["sent"]


def test_what_is_said_in_a_call_that_fails_is_not_said(shop):
    shop.save("herald", breaks=True)
    shop.batch(order(shop))
    assert shop.states() == []
    assert [row[0] for row in shop.rows("SELECT plugin FROM core.dead_letter WHERE tenant_id = :tenant")] == [
        "herald"
    ]
    shop.save("herald", breaks=False)
    shop.rows("UPDATE core.dead_letter SET state = 'retry' WHERE tenant_id = :tenant RETURNING 1")
    shop.rows("INSERT INTO core.backlog (tenant_id) VALUES (:tenant) RETURNING 1")
    shop.worker.drain()
    assert shop.states() == ["sent"]


def test_the_same_thing_is_said_once_however_often_it_comes(shop):
    """Reminders elsewhere were sent again whenever the event was delivered again."""
    first = order(shop, id="e-1")
    shop.batch(first, first)
    shop.batch(first)
    shop.say("told", cause="once")
    shop.say("told", "ann", "ann", "bob", cause="once")
    assert shop.states() == ["sent", "sent"]
    assert shop.states("bob") == ["sent"]


def test_pages_lead_through_the_whole_inbox(shop):
    for number in range(5):
        shop.say("told", title=f"t{number}", drain=False)
    found, before = [], None
    for _ in range(4):
        page = shop.inbox(limit=2, **({"before": before} if before else {}))
        found += [one["text"]["en"][:2] for one in page["messages"]]
        assert page["unread"] == 5
        before = page["next"]
        if before is None:
            break
    assert found == ["t4", "t3", "t2", "t1", "t0"]


def test_what_waited_for_the_morning_stands_above_what_came_in_the_night(shop):
    shop.agree()
    shop.wait(timedelta(hours=10))
    shop.say("offer")
    shop.say("told", title="night")
    shop.wait(timedelta(hours=12))
    shop.say("told", title="noon")
    found, before = [], {}
    for _ in range(3):
        page = shop.inbox(limit=1, **before)
        found += [one["text"]["en"] for one in page["messages"]]
        before = {"before": page["next"]}
    assert found == ["noon costs CN¥128.00.", "Come for tea!", "night costs CN¥128.00."]
    assert shop.inbox(**before)["messages"] == []


def test_messages_are_read_one_by_one_or_all(shop):
    for number in range(3):
        shop.say("told", title=f"t{number}")
    ids = [one["id"] for one in shop.inbox()["messages"]]
    assert shop.post("read", {"messages": ids[:1]}).json() == {"unread": 2}
    assert [one["read"] for one in shop.inbox()["messages"]] == [True, False, False]
    assert shop.post("read", {"messages": [*ids[:1], 1]}).json() == {"unread": 2}
    assert shop.post("read", {}).json() == {"unread": 0}
    at = shop.rows("SELECT DISTINCT read_at FROM messages.message WHERE tenant_id = :tenant")
    shop.wait(timedelta(minutes=5))
    assert shop.post("read", {"messages": None}).json() == {"unread": 0}
    assert shop.rows("SELECT DISTINCT read_at FROM messages.message WHERE tenant_id = :tenant") == at


def test_what_is_taken_out_stays_out(shop):
    shop.say("told", title="t0")
    shop.say("told", title="t1")
    old = shop.inbox()["messages"][1]["id"]
    assert shop.post("hide", {"messages": [old]}).json() == {"unread": 1}
    assert [one["text"]["en"][:2] for one in shop.inbox()["messages"]] == ["t1"]
    assert shop.post("read", {}).json() == {"unread": 0}


def test_nobody_touches_the_messages_of_others(shop, open_shop):
    shop.say("told")
    other = open_shop()
    other.say("told")
    mine, theirs = shop.inbox()["messages"][0]["id"], other.inbox()["messages"][0]["id"]
    for who, reader in (("bob", shop), ("ann", other)):
        assert reader.post("read", {"messages": [mine]}, who).status_code == 200
        assert reader.post("hide", {"messages": [mine]}, who).status_code == 200
    assert shop.inbox()["unread"] == 1
    assert [one["id"] for one in other.inbox()["messages"]] == [theirs]
    assert shop.rows("SELECT id FROM messages.message") == [(mine,)], "not even by a query without a condition"


def test_what_a_variable_stands_for_is_text_whatever_it_looks_like(shop):
    """Texts elsewhere were formatted twice, so that a product could be called `{0.__class__}`."""
    evil = "{price} {0.__class__} {title.__init__.__globals__} %(price)s <b>&amp;</b> {{7*7}} \u202e"
    shop.say("told", title=evil)
    assert shop.texts() == [f"{evil} costs CN¥128.00."]
    shop.template("herald-told", text_en="{price}: {title} {{x}}")
    shop.say("told", title=evil)
    assert shop.texts()[1] == f"CN¥128.00: {evil} {{x}}"


def test_a_text_without_variables(shop):
    shop.say("plain")
    assert shop.texts() == ["Nothing {to} fill in."]


def test_unread_messages_are_a_fact(shop):
    shop.say("told", "ann", "bob")
    shop.say("told")
    ann, bob, carl = map(shop.member, ("ann", "bob", "carl"))
    known = shop.inside(lambda ctx: ctx.facts(["messages.unread"], [ann, bob, carl]))
    assert known["messages.unread"] == {ann: 2, bob: 1, carl: 0}


@pytest.mark.parametrize("path", ["read", "hide"])
def test_hostile_bodies(shop, path):
    headers = {**shop.token(), "Content-Type": "application/json"}
    shop.say("told")
    for number, (name, raw) in enumerate({**IMPOSSIBLE, **ODD}.items()):
        for body in (raw, b'{"messages": ' + raw + b"}", b'{"messages": [' + raw + b"]}"):
            answer = shop.client.post(
                f"/v1/me/messages/{path}",
                content=body,
                headers={**headers, "Idempotency-Key": f"k-{number}-{len(body)}-{body[:1].hex()}"},
            )
            fine = answer.status_code == 200 and raw in {b"null", b"9223372036854775807"} | {
                ODD["object"],
                ODD["array"],
            }
            assert 400 <= answer.status_code < 500 or fine, (name, answer.text)
    for query in ("before", "limit"):
        for name, value in ADDRESSES.items():
            answer = shop.client.get(f"/v1/me/messages/inbox?{query}={value}", headers=headers)
            assert 400 <= answer.status_code < 500, (query, name, answer.text)


def test_the_routes_are_members_own():
    assert {(one.method, one.path) for one in plugin.routes()} == {
        ("GET", "/inbox"),
        ("GET", "/unread"),
        ("POST", "/read"),
        ("POST", "/hide"),
    }
