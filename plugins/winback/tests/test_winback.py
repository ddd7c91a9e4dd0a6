"""Sleeping members through the whole house: who is woken, when, and what coming back brings.

Days are counted from the one on which the store opened; the defaults are 30 days until asleep, 180 until lost, an
offer of 7 days, and 90 days until the next.
"""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from threepeat.tenancy import members
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.members import Suspension
from threepeat_winback import offers

# --- Who is woken -------------------------------------------------------------------------------------------


def test_a_buyer_who_has_stayed_away_is_woken_once_and_who_never_bought_is_not(shop):
    shop.batch(
        shop.order("ann", "1", 0),
        shop.order("bob", "2", 5),
        shop.event("visit.made", "eve", time=shop.day(0)),
        shop.event("member.registered", "dan", time=shop.day(0)),
    )
    shop.at(29)
    assert shop.woken() == []
    shop.at(31)
    shop.at(32)
    assert shop.woken() == ["ann"]
    shop.at(36)
    assert shop.woken() == ["ann", "bob"]
    told = shop.rows("SELECT data ->> 'kind', data ->> 'amount' FROM core.event WHERE type = 'winback.offered'")
    assert told == [("points", "50")] * 2


def test_visits_appointments_and_services_keep_awake_and_looking_around_does_not(shop):
    later = [
        shop.event("visit.made", "visit", time=shop.day(20)),
        shop.event("appointment.attended", "meet", appointment_id="a", time=shop.day(20)),
        shop.event("service.progressed", "course", service_id="s", stage="2", time=shop.day(20)),
        shop.event("page.viewed", "looks", page="home", time=shop.day(20)),
        shop.event("order.refunded", "sour", refund_id="r", amount=1, order_id="sour", time=shop.day(20)),
    ]
    names = ("visit", "meet", "course", "looks", "sour")
    shop.batch(*(shop.order(name, name, 0) for name in names), *later)
    shop.at(31)
    assert sorted(shop.woken()) == ["looks", "sour"]
    shop.at(51)
    assert sorted(shop.woken()) == sorted(names)


def test_the_latest_that_is_known_counts_in_whatever_order_it_is_told(shop):
    shop.paid("ann", "2", 20)
    shop.paid("ann", "1", 0)
    shop.at(31)
    assert shop.woken() == []


def test_an_import_of_old_orders_wakes_neither_the_lost_nor_more_than_a_days_number(shop):
    shop.save(most_a_day=3)
    shop.at(190)
    shop.batch(
        *(shop.order(f"lost{number}", f"l{number}", 1) for number in range(5)),
        *(shop.order(f"m{number}", f"o{number}", 100 + number) for number in range(7)),
    )
    shop.at(191)
    assert sorted(shop.woken()) == ["m4", "m5", "m6"], "who fell asleep last comes first"
    shop.at(192)
    assert len(shop.woken()) == 6
    shop.at(196)
    assert sorted(shop.woken()) == [f"m{number}" for number in range(7)]


def test_after_a_pause_one_morning_stands_for_all(shop):
    shop.save(most_a_day=2)
    shop.batch(*(shop.order(f"m{number}", f"o{number}", 0) for number in range(5)))
    shop.at(45)
    assert len(shop.woken()) == 2


def test_the_cooldown_and_the_number_for_ever_are_kept(shop):
    shop.save(most_offers=2, lost_after_days=730)
    shop.paid("ann", "1", 0)
    for day in (31, 100, 120):
        shop.at(day)
        assert shop.woken() == ["ann"]
    for day in (122, 150, 213, 280):
        shop.at(day)
        assert shop.woken() == ["ann", "ann"]


def test_who_came_back_sleeps_again_only_after_the_days(shop):
    shop.save(cooldown_days=10)
    shop.paid("ann", "1", 0)
    shop.at(31)
    shop.paid("ann", "2", 33)
    shop.at(60)
    assert shop.woken() == ["ann"]
    shop.at(64)
    assert shop.woken() == ["ann", "ann"]


def test_only_the_audience_is_woken_and_who_does_not_fit_keeps_no_other_back(shop):
    shop.save(most_a_day=1, audience={"fact": "orders.count", "op": "at_least", "value": 2})
    shop.batch(
        *(shop.order(f"once{number}", f"o{number}", 5) for number in range(4)),
        shop.order("twice", "t1", 0),
        shop.order("twice", "t2", 1),
    )
    shop.at(36)
    assert shop.woken() == ["twice"]


def test_suspended_and_erased_members_are_left_alone(shop, client, make_key):
    shop.batch(*(shop.order(name, name, 0) for name in ("ann", "sue", "gone")))
    with shop.platform.database.tenant(shop.store.id) as scope:
        end = datetime.now(UTC) + timedelta(days=1)
        members.put(scope, shop.platform.keyring, "sue", suspension=Suspension(end))
    key = {"authorization": f"Bearer {make_key(shop.store, 'manage')}"}
    assert client.delete("/v1/members/gone", headers=key).status_code == 202
    shop.at(31)
    assert shop.woken() == ["ann"]


def test_the_comparison_group_sleeps_on_and_does_not_use_up_the_day(shop):
    shop.save(holdout=50, most_a_day=15)
    names = [f"m{number}" for number in range(40)]
    shop.batch(*(shop.order(name, name, 0) for name in names))
    held = {
        value
        for (value,) in shop.rows("""
            SELECT i.value FROM core.identity i
            JOIN core.member m ON m.tenant_id = i.tenant_id AND m.id = i.member_id
            JOIN core.activation a ON a.tenant_id = i.tenant_id AND a.plugin = 'winback'
            WHERE core.held_out(a.holdout_key, a.holdout_percent, m.holdout_unit)
        """)
    }
    assert 5 < len(held) < 35
    for day in (31, 32, 33):
        shop.at(day)
    assert sorted(shop.woken()) == sorted(set(names) - held)


# --- Coming back --------------------------------------------------------------------------------------------


@pytest.fixture
def woken(shop):
    """Ann and bob were woken on day 31."""
    shop.batch(shop.order("ann", "1", 0), shop.order("bob", "2", 0))
    shop.at(31)
    assert sorted(shop.woken()) == ["ann", "bob"]
    return shop


def test_an_order_while_the_offer_lives_brings_the_reward_once(woken):
    woken.save(reward={"kind": "points", "amount": 9})  # what was promised stays
    (waits,) = woken.offer("ann")
    assert (waits["kind"], waits["amount"], waits["state"]) == ("points", 50, "open")
    assert datetime.fromisoformat(waits["until"]) == woken.day(38) + timedelta(hours=12)  # the end of that day
    again = woken.order("ann", "3", 33, id="same")
    woken.batch(again, woken.order("ann", "3", 33), woken.order("ann", "4", 34))
    assert woken.batch(again) == ["duplicate"]
    assert (woken.points("ann"), woken.points("bob")) == (50, 0)
    assert woken.offer("ann") == []
    (returned,) = woken.rows("SELECT data FROM core.event WHERE type = 'winback.returned'")
    assert (returned[0]["order_id"], returned[0]["total"]) == ("3", 10_000)


def test_an_order_before_after_or_too_small_brings_nothing(woken):
    woken.save(least_total=500)
    woken.paid("ann", "3", 30)
    woken.paid("ann", "4", 35, 499)
    woken.at(39)
    assert woken.offer("ann") == []
    woken.paid("bob", "5", 39)
    assert (woken.points("ann"), woken.points("bob")) == (0, 0)
    woken.paid("ann", "6", 36)
    assert woken.points("ann") == 50, "paid in time and told late"


def test_a_refund_takes_the_reward_back_in_proportion_and_in_time(woken):
    woken.paid("ann", "3", 33)
    woken.paid("bob", "4", 33)
    woken.refunded("ann", "r1", 3_330, "3", 40)
    woken.refunded("ann", "r1", 3_330, "3", 40)
    assert woken.points("ann") == 34, "16 of 50 go back, rounded in the member's favour"
    woken.refunded("ann", "r2", 9_000, "3", 41)
    woken.refunded("bob", "r3", 9_000, "4", 64)
    woken.refunded("bob", "r4", 9_000, None, 34)
    assert (woken.points("ann"), woken.points("bob")) == (0, 50)


def test_a_refund_that_is_told_before_its_order_counts(woken):
    woken.refunded("ann", "r1", 5_000, "3", 34)
    woken.paid("ann", "3", 33)
    assert woken.points("ann") == 25


def test_what_the_budget_does_not_cover_is_owed_until_the_next_month(woken):
    woken.save(budget=0)
    woken.paid("ann", "3", 33)
    assert woken.points("ann") == 0
    assert [one["state"] for one in woken.offer("ann")] == ["owed"]
    assert woken.metric("not_given").value == 1
    woken.at(34)
    assert woken.points("ann") == 0
    woken.save(budget=None)
    woken.at(35)
    assert woken.points("ann") == 50
    assert woken.offer("ann") == []


def test_without_a_keeper_nothing_breaks_and_in_the_end_it_is_given_up(make_shop):
    shop = make_shop(enable=("winback",))
    shop.paid("ann", "1", 0)
    shop.at(31)
    shop.paid("ann", "2", 33)
    shop.at(60)
    assert shop.offers() == [("ann", "owed")]
    shop.at(70)
    assert shop.offers() == [("ann", "missed")]
    assert shop.metric("not_given", days=60).value == 1
    assert shop.points("ann") == 0


# --- Merging and closing ------------------------------------------------------------------------------------


def test_two_who_turn_out_to_be_one_are_one_sleeper_with_the_offers_of_both(shop):
    shop.batch(shop.order("wx", "1", 0), shop.order("app", "2", 0), shop.order("other", "3", 20))
    shop.at(31)
    assert sorted(shop.woken()) == ["app", "wx"]
    shop.merge("wx", "app")
    shop.batch(shop.order("app", "4", 33), shop.order("app", "4", 33))
    assert shop.points("app") == 50, "an order brings one reward"
    shop.paid("wx", "5", 34)
    assert shop.points("wx") == 100, "what was promised twice is kept twice"
    shop.merge("other", "app")
    shop.at(55)
    assert shop.woken() == ["app", "app"], "who was active on day 34 is awake, whatever the other did"
    shop.at(150)
    assert shop.woken() == ["app"] * 3
    shop.at(290)
    assert shop.woken() == ["app"] * 3, "three for ever count both"


def test_closing_makes_no_offer_and_honours_those_that_live(woken):
    woken.paid("eve", "9", 2)
    assert woken.switch("winback", on=False).state == "closing"
    owed = woken.ask(lambda ctx: list(woken.platform.registry["winback"].plugin.open_obligations(ctx)))
    assert owed == ["2 members were promised a reward for coming back"]
    woken.at(33)
    woken.paid("ann", "3", 33)
    assert woken.points("ann") == 50
    assert len(woken.woken()) == 2
    assert len(woken.offer("bob")) == 1
    woken.at(39)
    assert woken.rows("SELECT state FROM core.activation WHERE plugin = 'winback'") == [("off",)]


# --- What happened before it was switched on ----------------------------------------------------------------


def test_switched_on_it_knows_who_sleeps_already(make_shop, monkeypatch):
    monkeypatch.setattr(offers, "CHUNK", 3)
    shop = make_shop(enable=("points",))
    shop.batch(
        *(shop.order(f"m{number}", f"o{number}", 0) for number in range(6)),
        shop.event("visit.made", "m5", time=shop.day(20)),
        shop.order("merged", "x", 0),
        shop.event("page.viewed", "kept", page="home", time=shop.day(1)),
    )
    shop.merge("merged", "kept")
    shop.at(30)
    shop.switch("winback", on=True)
    shop.save(holdout=0)
    shop.at(31)
    assert shop.rows("SELECT position FROM winback.progress WHERE tenant_id = :tenant") == [(0,)]
    shop.at(32)
    assert sorted(shop.woken()) == [f"m{number}" for number in range(5)]


# --- Two stores, facts, metrics, promises -------------------------------------------------------------------


def test_two_stores_with_the_same_ids_never_meet(make_shop):
    first, second = make_shop(), make_shop()
    for shop in (first, second):
        shop.paid("ann", "1", 0, id="same")
    second.paid("ann", "2", 20, id="more")
    for shop in (first, second):
        shop.at(31)
    assert (first.woken(), second.woken()) == (["ann"], [])
    second.paid("ann", "3", 33, id="back")
    assert (len(first.offer("ann")), second.offer("ann"), second.points("ann")) == (1, [], 0)
    assert (first.metric("journey").steps[0][1], second.metric("journey").steps[0][1]) == (1, 0)
    ids = [row for (row,) in first.rows("SELECT id FROM core.member WHERE tenant_id = :tenant")]
    assert second.ask(lambda ctx: ctx.facts(["winback.days_away"], ids)) == {"winback.days_away": {}}
    for table in ("activity", "offer", "refund", "progress"):
        (count,) = first.rows(f"SELECT count(*) FROM winback.{table} WHERE tenant_id <> :tenant")[0]
        assert count == 0, "row-level security shows no row of the other store"


def test_facts_tell_who_sleeps_and_how_long(shop):
    shop.batch(
        shop.order("ann", "1", 0),
        shop.order("bob", "2", 20),
        shop.event("visit.made", "eve", time=shop.day(0)),
        shop.event("page.viewed", "dan", page="home", time=shop.day(0)),
    )
    shop.at(31)
    ids = dict(shop.rows("SELECT value, member_id FROM core.identity WHERE tenant_id = :tenant"))
    found = shop.ask(lambda ctx: ctx.facts(["winback.sleeping", "winback.days_away"], ids.values()))
    said = {name: [fact.get(ids[who]) for who in ("ann", "bob", "eve", "dan")] for name, fact in found.items()}
    assert said == {"winback.sleeping": [True, False, False, False], "winback.days_away": [31, 11, 31, None]}


def test_metrics_tell_who_sleeps_who_comes_back_and_what_it_costs(woken):
    woken.batch(woken.order("ann", "3", 31), woken.order("eve", "4", 31), woken.order("old", "5", -200))
    rows = [tuple(map(str, row)) for row in woken.metric("bands").rows]
    assert rows == [("Awake", "2"), ("Asleep", "1"), ("Lost", "1")]
    steps = {str(name): count for name, count in woken.metric("journey").steps}
    assert steps == {"Woken": 2, "Came back in time": 0, "Kept the reward": 0}, "the order was before the offer"
    woken.at(32)
    woken.paid("ann", "6", 32)
    woken.paid("bob", "7", 32)
    woken.refunded("bob", "r", 5_000, "7", 32)
    steps = {str(name): count for name, count in woken.metric("journey").steps}
    assert steps == {"Woken": 2, "Came back in time": 2, "Kept the reward": 2}
    assert woken.metric("each_day").lines == {"Woken": [0, 2, 0], "Came back": [0, 0, 2]}
    assert (woken.metric("cost").value, woken.metric("cost_each").value) == (75, 37)
    assert (woken.metric("cost", days=1).value, woken.metric("cost", days=1).before) == (0, 75)


@pytest.mark.parametrize(
    ("statement", "alarm"),
    [
        ("UPDATE winback.activity SET offers = offers + 1 WHERE tenant_id = :tenant", "winback.offers"),
        ("DELETE FROM winback.activity WHERE tenant_id = :tenant", "winback.offers"),
        ("UPDATE winback.offer SET until = offered_at WHERE tenant_id = :tenant", "winback.in_time"),
        ("UPDATE winback.offer SET slept_since = offered_at WHERE tenant_id = :tenant", "winback.in_time"),
        ("UPDATE winback.offer SET taken = amount WHERE tenant_id = :tenant", "winback.taken"),
        ("DELETE FROM winback.refund WHERE tenant_id = :tenant", "winback.taken"),
    ],
)
def test_verify_sees_every_kind_of_planted_violation(woken, statement, alarm):
    woken.paid("ann", "3", 33)
    woken.refunded("ann", "r", 5_000, "3", 34)
    assert woken.faults() == []
    with woken.platform.database.tenant(woken.store.id) as scope:
        scope.run(text(statement))
    assert woken.faults() == [alarm]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"asleep_after_days": 6}, "settings.asleep_after_days"),
        ({"asleep_after_days": 200}, "settings.lost_after_days"),
        ({"lost_after_days": 30}, "settings.lost_after_days"),
        ({"cooldown_days": 5}, "settings.offer_days"),
        ({"offer_days": 2**63}, "settings.offer_days"),
        ({"most_a_day": 5_001}, "settings.most_a_day"),
        ({"reward": None}, "settings.reward"),
        ({"reward": {"kind": "points", "amount": float("nan")}}, "settings.reward.amount"),
        ({"audience": {"fact": "winback.sleeping", "op": "at_least", "value": 1}}, "settings.audience.op"),
        ({"surprise": 1}, "settings.surprise"),
    ],
)
def test_bad_settings_are_refused_by_name(shop, values, field):
    with pytest.raises(Invalid) as refused:
        shop.save(**values)
    assert refused.value.field == field


def test_who_agreed_to_marketing_is_told_of_the_offer_and_everybody_else_is_not(shop):
    shop.batch(shop.order("ann", "1", 0), shop.order("bob", "2", 0))
    shop.batch(shop.event("consent.changed", "ann", purpose="marketing", granted=True, time=shop.day(1)))
    shop.at(31)
    assert sorted(shop.woken()) == ["ann", "bob"]
    rows = shop.rows("""
        SELECT i.value, m.state, m.reason, m.text ->> 'en', m.text ->> 'zh' FROM messages.message m
        JOIN core.identity i ON i.tenant_id = m.tenant_id AND i.member_id = m.member_id AND i.kind = 'shop'
        WHERE m.tenant_id = :tenant AND m.plugin = 'winback' ORDER BY i.value
    """)
    assert [row[:3] for row in rows] == [("ann", "sent", None), ("bob", "held", "no_consent")]
    assert rows[0][3].startswith("It has been a while. Order by ")
    assert rows[0][4].startswith("好久不见！20")
