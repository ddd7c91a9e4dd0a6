"""Members who are merged, exported and erased, and two stores that never meet."""

from datetime import timedelta

import orjson
import pytest

TABLES = ("message", "allowance", "permission", "permission_grant", "refusal")
CANARY = "canary-7f3a"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def lived(shop, name):
    """A member of whom every table holds something."""
    shop.agree(name)
    shop.allow(name, template=f"{name}-template")
    shop.say("told", name, title=f"{name}-title")
    shop.say("offer", name, title=f"{name}-offer")
    shop.agree(name, purpose="marketing.log", yes=False)


def test_an_export_holds_every_row_and_an_erasure_leaves_none(shop, make_key):
    for name in (CANARY, "bob"):
        lived(shop, name)
    shop.wait(10 * HOUR)
    shop.say("offer", CANARY, title=f"{CANARY}-waits")
    before = {table: shop.rows(f"SELECT count(*) FROM messages.{table}")[0][0] for table in TABLES}
    headers = {"Authorization": f"Bearer {make_key(shop.tenant, 'manage')}"}
    export = shop.client.get(f"/v1/members/{CANARY}/export", headers=headers)
    found = orjson.dumps(export.json()).decode()
    assert all(f"messages.{table}" in found for table in TABLES)
    assert all(f"{CANARY}-{what}" in found for what in ("title", "offer", "waits", "template"))
    assert "bob-" not in found
    assert shop.client.delete(f"/v1/members/{CANARY}", headers=headers).status_code == 202
    shop.worker.drain()
    after = {table: shop.rows(f"SELECT count(*) FROM messages.{table}")[0][0] for table in TABLES}
    assert after == {**dict.fromkeys(TABLES, 1), "message": 2}
    assert before["message"] == 5
    for table in TABLES:
        texts = [row[0] for row in shop.rows(f"SELECT to_jsonb(t)::text FROM messages.{table} t")]
        assert [one for one in texts if CANARY in one] == []
    assert shop.rows("SELECT key FROM core.timer WHERE plugin = 'messages' AND kind = 'timer'") == []
    assert len(shop.inbox("bob")["messages"]) == 2
    shop.wait(DAY)


def test_nothing_is_said_to_somebody_who_is_being_erased(shop, make_key):
    ann = shop.member()
    headers = {"Authorization": f"Bearer {make_key(shop.tenant, 'manage')}"}
    assert shop.client.delete("/v1/members/ann", headers=headers).status_code == 202

    def say(ctx):
        from threepeat.sdk import Notice

        ctx.message("plain", [Notice(ann, "late")])

    shop.inside(say)
    shop.worker.drain()
    assert shop.rows("SELECT count(*) FROM messages.message") == [(0,)]


def test_two_who_are_one_have_one_inbox_one_allowance_and_one_ledger(shop):
    for name in ("ann", "bob"):
        shop.agree(name)
        shop.allow(name, count=2)
        shop.say("told", name, title=name)
        shop.say("offer", name, title=name)
    shop.merge("bob", "ann")
    assert sorted(shop.texts()) == sorted(
        ["ann costs CN¥128.00.", "Come for ann!", "bob costs CN¥128.00.", "Come for bob!"]
    )
    assert shop.rows("SELECT granted, used FROM messages.permission") == [(4, 0)]
    assert shop.rows("SELECT day_sent, week_sent FROM messages.allowance") == [(2, 2)]
    shop.say("offer", title="more")
    assert shop.states()[-1] == "held: cap", "what either of them got today counts"
    shop.wait(DAY)
    shop.say("offer", title="more")
    shop.wait(DAY)
    shop.say("offer", title="more")
    assert shop.states()[-2:] == ["sent", "held: cap"], "and this week"


@pytest.mark.parametrize("first", ["ann", "bob"])
def test_what_one_of_the_two_was_told_is_not_told_again(shop, first):
    shop.member("ann"), shop.member("bob")
    shop.say("told", first, cause="same")
    shop.merge("bob", "ann")
    shop.say("told", "ann", cause="same")
    assert shop.states() == ["sent"]


def test_what_both_were_told_stays_twice_and_what_waits_for_both_goes_once(shop):
    shop.agree("ann", "bob")
    shop.say("told", "ann", "bob", cause="both")
    shop.wait(10 * HOUR)
    shop.say("offer", "ann", "bob", cause="tonight")
    shop.merge("bob", "ann")
    assert shop.states() == ["sent", "sent", "queued"]
    shop.say("told", "ann", cause="both")
    shop.say("offer", "ann", cause="tonight")
    shop.wait(12 * HOUR)
    assert sorted(shop.states()) == ["sent"] * 3


def test_what_waits_for_one_goes_to_the_other_unless_that_one_read_it(shop):
    shop.agree("ann", "bob")
    shop.save(per_day=5)
    shop.say("offer", "ann", cause="day")
    shop.wait(10 * HOUR)
    shop.say("offer", "bob", cause="day")
    shop.say("offer", "bob", cause="night", title="night")
    shop.merge("bob", "ann")
    shop.wait(12 * HOUR)
    assert shop.texts() == ["Come for tea!", "Come for night!"]


def test_a_refusal_of_either_holds_for_both(shop):
    shop.agree("ann", "bob")
    shop.wait(10 * HOUR)
    shop.say("offer", "ann")
    shop.wait(HOUR)
    shop.agree("bob", yes=False)
    shop.merge("bob", "ann")
    shop.wait(12 * HOUR)
    assert shop.states() == ["held: no_consent"]


def test_messages_to_a_former_id_reach_the_member(shop):
    from threepeat.sdk import Notice

    bob = shop.member("bob")
    shop.member("ann")
    shop.merge("bob", "ann")
    shop.inside(lambda ctx: ctx.message("plain", [Notice(bob, "late")]))
    assert shop.states("ann") == ["sent"]


def test_two_stores_never_meet(shop, open_shop):
    other = open_shop()
    for one in (shop, other):
        lived(one, "ann")
    for table in TABLES:
        mine = shop.rows(f"SELECT count(*), bool_and(tenant_id = :tenant) FROM messages.{table}")
        assert mine == [(2 if table == "message" else 1, True)], table
    shop.agree(yes=False)
    other.wait(DAY)
    other.say("offer")
    shop.wait(DAY)
    shop.say("offer")
    assert shop.states()[-1] == "held: no_consent"
    assert other.states()[-1] == "sent"
