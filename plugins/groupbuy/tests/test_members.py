"""Members who are merged, exported and erased, and two stores that never meet."""

import orjson
import pytest

from threepeat.sdk import Refused
from threepeat.tenancy import keys

CANARY = "canary-7f3a"
TABLES = ("seat", "refund", "payback")


def test_two_who_are_one_keep_what_both_paid_for_in_two_groups(shop):
    campaign = shop.campaign(size=3)
    groups = [shop.open(name, campaign) for name in ("ann", "bob")]
    shop.merge("bob", "ann")
    for group in groups:
        assert (shop.team(group), shop.head(group)) == (("open", 1, 1), ["ann"])
    assert shop.reason("ann", campaign) == "You are in a group of this group buy already"
    for group in groups:
        shop.buy("eve", campaign, group)
        shop.buy("joe", campaign, group)
    assert [shop.team(group)[0] for group in groups] == ["succeeded", "succeeded"]
    assert [one.figures["Paid seats"] for one in shop.items("groups")] == [3, 3]


def test_two_who_are_one_have_one_seat_in_a_group(shop):
    """Elsewhere somebody with two accounts made a group alone."""
    campaign = shop.campaign(size=3)
    group = shop.open("ann", campaign)
    second = shop.buy("bob", campaign, group)
    shop.merge("ann", "bob")
    assert (shop.team(group), shop.head(group)) == (("open", 1, 1), ["bob"])
    assert shop.refunds() == [(f"o-{second.id}", 6_000, "left", "asked")]


def test_what_is_held_where_one_has_paid_already_goes_elsewhere(shop):
    campaign = shop.campaign(size=3)
    group = shop.open("ann", campaign)
    held = shop.reserve("bob", campaign, group)
    shop.merge("bob", "ann")
    assert shop.team(group) == ("open", 2, 1)
    shop.pay(held, "ann")
    assert shop.team(group) == ("open", 1, 1)
    found = shop.rows("SELECT team_id, moved FROM groupbuy.seat WHERE moved")
    assert len(found) == 1
    assert found[0][0] != group


def test_whoever_has_only_a_seat_that_a_merge_brought_may_have_another_group(shop):
    campaign = shop.campaign(size=3)
    first = shop.buy("ann", campaign)
    brought = shop.open("bob", campaign)
    free = shop.open("eve", campaign)
    shop.merge("bob", "ann")
    shop.batch(shop.refunded(first, "ann"))
    assert shop.rows("SELECT team_id FROM groupbuy.seat WHERE state = 'joined' AND merged") == [(brought,)]
    assert [one["group"] for one in shop.call("GET", "groups").json()["groups"]] == [str(free)]
    seen = [shop.call("GET", f"groups/{group}").json() for group in (brought, free)]
    assert [(one["mine"], one["can_join"]) for one in seen] == [(True, False), (False, True)]
    shop.buy("ann", campaign, free)


def test_whoever_is_erased_leads_only_if_there_is_nobody_else(shop):
    campaign = shop.campaign(size=4)
    quote = shop.buy("ann", campaign)
    group = shop.seat("ann")[1]
    for name in ("bob", "eve"):
        shop.buy(name, campaign, group)
    shop.erase("bob")
    shop.batch(shop.refunded(quote, "ann"))
    assert shop.head(group) == ["eve"]


def test_when_the_head_is_erased_the_earliest_joiner_leads(shop):
    campaign = shop.campaign(size=3)
    group = shop.open("ann", campaign)
    shop.buy("bob", campaign, group)
    shop.erase("ann")
    assert (shop.head(group), shop.team(group)) == (["bob"], ("open", 2, 2))
    shop.buy("eve", campaign, group)
    assert [one["leads"] for one in shop.sent("group.succeeded")] == [True, False]


def lived(shop, name):
    """A member of whom every table holds something."""
    campaign = shop.campaign()
    quote = shop.reserve(name, campaign)
    shop.batch(shop.paid(quote, name, order=f"{name}-order"))
    shop.wait(hours=25)
    back = {"refund_id": f"{name}-back", "order_id": f"{name}-order", "amount": 100, "currency": "CNY"}
    failed = {"order_id": f"{name}-order", "reason": f"{name}-reason"}
    shop.batch(shop.event("order.refunded", name, **back), shop.event("refund.failed", name, **failed))
    return campaign


def test_an_export_holds_every_row_and_after_an_erasure_the_sums_stay(shop):
    for name in (CANARY, "bob"):
        lived(shop, name)
    group = shop.open(CANARY, shop.campaign(size=3))
    before = {table: shop.rows(f"SELECT count(*) FROM groupbuy.{table}")[0][0] for table in TABLES}
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        key = keys.create_key(scope, shop.platform.keyring, "test", ["manage"], by="test")
    headers = {"Authorization": f"Bearer {key}"}
    export = shop.client.get(f"/v1/members/{CANARY}/export", headers=headers)
    found = orjson.dumps(export.json()).decode()
    assert all(f"groupbuy.{table}" in found for table in TABLES)
    assert {f"{CANARY}-{what}" in found for what in ("order", "back", "reason")} == {True}
    assert "bob-order" not in found
    shop.erase(CANARY)
    after = {table: shop.rows(f"SELECT count(*) FROM groupbuy.{table}")[0][0] for table in TABLES}
    assert after == {**before, "payback": before["payback"] - 1}
    for table in ("campaign", "team", *TABLES):
        texts = [row[0] for row in shop.rows(f"SELECT to_jsonb(t)::text FROM groupbuy.{table} t")]
        assert [one for one in texts if CANARY in one] == []
    assert shop.team(group) == ("open", 1, 1), "what was paid for counts"
    assert shop.violations() == []
    for name in ("eve", "joe"):
        shop.buy(name, shop.rows("SELECT campaign_id FROM groupbuy.team WHERE id = :id", id=group)[0][0], group)
    assert shop.team(group) == ("succeeded", 3, 3)
    told = shop.sent("group.succeeded")
    assert {tuple(one["members"]) for one in told} == {tuple(sorted((shop.member("eve"), shop.member("joe"))))}


def test_whoever_is_erased_before_paying_frees_the_seat(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    shop.reserve("bob", campaign, group)
    shop.erase("bob")
    assert shop.team(group) == ("open", 1, 1)


def test_two_stores_never_meet(shop, open_shop):
    there = open_shop(http=True)
    campaign = there.campaign()
    theirs = there.reserve("ann", campaign)
    group = there.open("bob", campaign)
    assert shop.reason("ann", campaign) == "There is no such group buy"
    mine = shop.campaign()
    assert shop.reason("ann", mine, group) == "There is no such group"
    assert shop.call("GET", f"groups/{group}").status_code == 409
    assert shop.call("GET", f"groups?campaign={campaign}").json() == {"groups": []}
    assert shop.leave(group, "bob").status_code == 409
    with pytest.raises(Refused, match="no such price"):
        shop.ask("reserve", "ann", theirs.id)
    shop.batch(shop.paid(theirs, "ann"), shop.refunded(theirs, "ann"))
    assert there.team(group) == ("open", 1, 1)
    there.wait(hours=25)
    shop.batch(shop.refunded(theirs, "bob", refund="r"))
    assert [row[3] for row in there.refunds()] == ["asked"]
    assert (shop.rows("SELECT count(*) FROM groupbuy.seat"), there.violations()) == ([(0,)], [])


def test_what_members_see_of_groups(shop):
    campaign = shop.campaign(size=3, steps=[{"size": 4, "price": 5_000}])
    group = shop.open("ann", campaign)
    shop.reserve("bob", campaign, group)
    (offered,) = shop.call("GET", "campaigns?sku=tea").json()["campaigns"]
    assert (offered["price"], offered["steps"], offered["can_open"]) == (
        6_000,
        [{"size": 4, "price": 5_000}],
        True,
    )
    assert shop.call("GET", "campaigns?sku=cup").json()["campaigns"] == []
    (seen,) = shop.call("GET", f"groups?campaign={campaign}", "eve").json()["groups"]
    assert (seen["joined"], seen["missing"], seen["seats_left"], seen["can_join"]) == (1, 2, 2, True)
    assert shop.call("GET", "groups", "bob").json()["groups"] == [], "bob has a seat already"
    one = shop.call("GET", f"groups/{group}", "bob").json()
    assert (one["mine"], one["can_join"]) == (True, False)
    shop.save(members_may_leave=True)
    shop.buy("joe", campaign, group)
    assert shop.leave(group, "joe").status_code == 200
    assert shop.call("GET", f"groups/{group}", "joe").json()["mine"] is False, "whoever left has no seat"
    shop.save(members_may_leave=False)
    (seat,) = shop.call("GET", "mine", "ann").json()["seats"]
    assert (seat["state"], seat["leads"], seat["can_leave"]) == ("joined", True, False)
    assert "ann" not in str(seen)


def test_what_others_may_know_and_what_the_merchant_sees(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    shop.buy("bob", campaign, group)
    shop.open("ann", campaign)
    ids = [shop.member(name) for name in ("ann", "bob", "eve")]
    found = shop.act("groupbuy", lambda ctx: ctx.facts(["groupbuy.groups", "groupbuy.led"], ids))
    assert {name: dict(values) for name, values in found.items()} == {
        "groupbuy.groups": {ids[0]: 1, ids[1]: 1, ids[2]: 0},
        "groupbuy.led": {ids[0]: 1, ids[1]: 0, ids[2]: 0},
    }
    shop.wait(hours=25)
    metrics = shop.metrics()
    assert list(metrics["funnel"].steps) == [("Opened", 2), ("Somebody joined", 1), ("Complete", 1)]
    assert {name: sum(days) for name, days in metrics["daily"].lines.items()} == {
        "Opened": 2,
        "Succeeded": 1,
        "Failed": 1,
    }
    assert metrics["new"].value == 6_666
    assert [tuple(row) for row in metrics["campaigns"].rows] == [("Tea for two", 3, 2, 2, 12_000, 8_000)]
    assert metrics["owed"].value == 6_000
