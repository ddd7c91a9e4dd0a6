"""The newcomer pack through the whole house: who gets it, once, and what the second order brings."""

from datetime import UTC, datetime, timedelta

from threepeat.tenancy import members
from threepeat.tenancy.members import Suspension

DAY = timedelta(days=1)
FIFTY = {"kind": "points", "amount": 50}
TEN = {"kind": "points", "amount": 10}


def now():
    return datetime.now(UTC)


# --- Once per person ----------------------------------------------------------------------------------------


def test_who_registers_gets_the_pack_once_however_often_it_is_told(shop):
    again = shop.event("member.registered", "ann", id="a")
    assert shop.batch(again, shop.event("member.registered", "ann", id="b")) == ["accepted", "accepted"]
    assert shop.batch(again) == ["duplicate"]
    shop.registered("ann", "bob", id=None)
    assert (shop.points("ann"), shop.points("bob"), shop.points("eve")) == (50, 50, 0)
    received = shop.rows("SELECT data ->> 'second_until' FROM core.event WHERE type = 'welcome.received'")
    assert len(received) == 2
    assert all(until is not None for (until,) in received)


def test_a_pack_of_several_rewards_is_given_whole_and_each_reward_once(shop):
    shop.save(rewards=[FIFTY, TEN, FIFTY], second_reward=None)
    shop.registered("ann")
    shop.registered("ann")
    assert shop.points("ann") == 110
    assert shop.gifts() == [("pack", number, "given") for number in (1, 2, 3)]
    assert shop.pack("ann")["coming"] == []


def test_a_merged_person_who_registers_again_gets_nothing_more(shop):
    shop.registered("wx")
    shop.batch(shop.event("page.viewed", "app", page="home"))
    shop.merge("wx", "app")
    shop.registered("app")
    shop.registered("wx")
    assert shop.points("app") == 50


def test_two_who_turn_out_to_be_one_keep_what_they_had_and_get_no_third_pack(shop):
    shop.registered("wx", "app")
    shop.paid("wx", "1")
    shop.merge("wx", "app")
    shop.registered("app")
    assert shop.points("app") == 100
    shop.paid("app", "2")
    shop.paid("app", "3")
    assert shop.points("app") == 150, "one promise for the second order, not two"


def test_who_bought_before_is_no_newcomer_unless_it_was_just_before(shop):
    shop.paid("ann", "1", time=now() - 2 * DAY)
    shop.paid("amy", "0", time=now() - timedelta(hours=1))
    shop.registered("ann", "amy")
    assert (shop.points("ann"), shop.points("amy")) == (0, 50)
    shop.batch(
        shop.event("member.registered", "bob", time=now() - timedelta(minutes=1)),
        shop.event("order.paid", "bob", order_id="2", total=500),
    )
    assert shop.points("bob") == 0, "registered before the tactic was switched on"
    shop.batch(shop.event("member.registered", "eve"), shop.event("order.paid", "eve", order_id="3", total=500))
    assert shop.points("eve") == 50, "an order of the same batch that came after the registration"


def test_members_from_before_are_left_out_unless_the_merchant_wants_them(shop):
    shop.registered("old", time=now() - 400 * DAY)
    assert shop.points("old") == 0
    shop.save(newcomers_only=False)
    shop.registered("older", time=now() - 500 * DAY)
    assert shop.points("older") == 50


def test_only_the_audience_is_welcomed(shop):
    shop.save(audience={"fact": "orders.count", "op": "at_least", "value": 1})
    shop.registered("ann")
    assert shop.points("ann") == 0
    shop.batch(shop.event("member.registered", "bob"), shop.event("order.paid", "bob", order_id="1", total=500))
    assert shop.points("bob") == 50


# --- With the first order -----------------------------------------------------------------------------------


def test_with_the_first_order_the_pack_comes_once_and_not_for_old_customers(shop):
    shop.save(trigger="first_order", second_reward=None)
    shop.paid("old", "0", time=now() - 300 * DAY)
    shop.registered("ann")
    assert [one["after"] for one in shop.pack("ann")["coming"]] == ["first_order"]
    assert shop.points("ann") == 0
    shop.batch(
        shop.event("order.paid", "ann", order_id="1", total=5_000, id="x"),
        shop.event("order.paid", "ann", order_id="1", total=5_000, id="y"),
        shop.event("order.paid", "ann", order_id="2", total=5_000),
        shop.event("order.paid", "bob", order_id="3", total=5_000),
        shop.event("order.paid", "old", order_id="4", total=5_000),
    )
    assert [shop.points(name) for name in ("ann", "bob", "old")] == [50, 50, 0]
    assert shop.pack("ann")["coming"] == []
    assert shop.pack("old") == {"received_at": None, "received": [], "coming": [], "least_total": 1}


def test_the_window_after_registration_and_the_smallest_order_count(shop):
    shop.save(trigger="first_order", newcomers_only=False, first_order_within_days=7, least_total=1_000)
    shop.registered("late", time=now() - 8 * DAY)
    shop.registered("ann", "bob", "zoe", time=now() - 6 * DAY)
    assert shop.pack("late")["coming"] == []
    assert len(shop.pack("ann")["coming"]) == 1
    for number, (name, total) in enumerate((("late", 5_000), ("ann", 999), ("bob", 1_000), ("zoe", 0))):
        shop.paid(name, str(number), total)
    assert [shop.points(name) for name in ("late", "ann", "bob", "zoe")] == [0, 0, 50, 0]


# --- The second order ---------------------------------------------------------------------------------------


def test_a_second_order_in_time_brings_what_was_promised_with_the_pack(shop):
    shop.registered("ann")
    shop.save(second_reward=TEN, second_within_days=1)  # later changes do not touch ann's promise
    shop.paid("ann", "1")
    assert [one["after"] for one in shop.pack("ann")["coming"]] == ["second_order"]
    shop.paid("ann", "1", id="told again")
    assert shop.points("ann") == 50
    shop.paid("ann", "2")
    shop.paid("ann", "3")
    assert shop.points("ann") == 100
    assert [one["part"] for one in shop.pack("ann")["received"]] == ["pack", "second"]
    assert shop.pack("ann")["coming"] == []


def test_both_orders_may_come_in_one_batch_with_the_registration(shop):
    registered = shop.event("member.registered", "ann")
    orders = [shop.event("order.paid", "ann", order_id=str(number), total=100) for number in (1, 2, 3)]
    shop.batch(registered, *orders)
    assert shop.points("ann") == 100
    assert shop.gifts() == [("pack", 1, "given"), ("second", 1, "given")]


def test_the_promise_expires_without_a_word_and_an_order_told_late_still_counts(shop):
    shop.save(newcomers_only=False)
    shop.registered("ann", "bob", time=now() - 31 * DAY)
    for name in ("ann", "bob"):
        shop.paid(name, f"{name}-1", time=now() - 20 * DAY)
    assert shop.pack("ann")["coming"] == []
    shop.paid("ann", "ann-2", time=now() - 2 * DAY)
    shop.paid("bob", "bob-2", time=now())
    assert (shop.points("ann"), shop.points("bob")) == (100, 50)


# --- Refunds ------------------------------------------------------------------------------------------------


def test_a_refund_of_the_first_order_takes_the_pack_back_in_proportion(shop):
    shop.save(trigger="first_order", rewards=[FIFTY, {"kind": "points", "amount": 1}])
    shop.paid("ann", "1", 10_000)
    shop.refunded("ann", "r1", 3_000, "1")
    assert shop.points("ann") == 36, "15 of 50; of one point nothing, in the member's favour"
    shop.refunded("ann", "r1", 3_000, "1", id="told again")
    assert shop.points("ann") == 36
    shop.refunded("ann", "r2", 9_000, "1")
    assert shop.points("ann") == 0
    shop.refunded("ann", "r3", 9_000, "1")
    assert shop.points("ann") == 0
    shop.paid("ann", "2")
    shop.registered("ann")
    assert shop.points("ann") == 50, "the second order's; the pack does not come again"


def test_a_refund_that_comes_before_its_order_or_without_one(shop):
    shop.save(trigger="first_order")
    shop.refunded("ann", "r1", 5_000, "1")
    shop.refunded("ann", "r2", 5_000, None)
    shop.paid("ann", "1", 10_000)
    assert shop.points("ann") == 25


def test_a_refund_after_the_days_or_of_another_members_order_takes_nothing(shop):
    shop.save(trigger="first_order", take_back_days=7)
    shop.paid("ann", "1")
    shop.refunded("ann", "r1", 10_000, "1", time=now() + timedelta(minutes=5))
    shop.paid("bob", "2")
    shop.refunded("eve", "r2", 10_000, "2")
    shop.later(days=9)
    assert (shop.points("ann"), shop.points("bob")) == (0, 50)
    shop.paid("cat", "3", time=now() - 8 * DAY)
    shop.save(trigger="first_order", take_back_days=0)
    shop.paid("dan", "4")
    shop.refunded("dan", "r4", 10_000, "4")
    assert shop.points("dan") == 50


def test_a_pack_for_the_registration_stays_and_the_second_orders_reward_goes_back(shop):
    shop.registered("ann")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    shop.refunded("ann", "r1", 10_000, "1")
    assert shop.points("ann") == 100
    shop.refunded("ann", "r2", 10_000, "2")
    assert shop.points("ann") == 50
    assert shop.pack("ann")["received"][1]["taken_back"] == 50


# --- What cannot be given -----------------------------------------------------------------------------------


def test_a_reward_that_fails_blocks_neither_the_registration_nor_the_other_rewards(shop):
    shop.save(rewards=[FIFTY, TEN], budget=20)
    shop.registered("ann", "bob", "eve")
    assert sorted(shop.points(name) for name in ("ann", "bob", "eve")) == [0, 10, 10]
    assert {name for (name,) in shop.rows("SELECT value FROM core.identity WHERE kind = 'shop'")} >= {"ann", "eve"}
    assert shop.rows("SELECT count(*) FROM core.event WHERE type = 'welcome.received'") == [(2,)]


def test_without_a_keeper_nothing_breaks_and_the_promise_is_kept_later(make_shop):
    shop = make_shop(enable=("welcome",))
    shop.registered("ann")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    assert shop.gifts() == [("pack", 1, "missed"), ("second", 1, "owed")]
    assert shop.points("ann") == 0
    assert shop.metric("not_given").value == 2
    shop.later(days=1)
    assert shop.points("ann") == 0
    shop.switch("points", on=True)
    shop.later(days=2)
    assert shop.points("ann") == 50
    assert shop.gifts() == [("pack", 1, "missed"), ("second", 1, "given")]


def test_what_is_owed_is_given_up_in_the_end(make_shop):
    shop = make_shop(enable=("welcome",))
    shop.registered("ann")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    shop.later(days=34)
    assert shop.gifts()[-1] == ("second", 1, "owed")
    shop.later(days=37)
    assert shop.gifts()[-1] == ("second", 1, "missed")
    assert shop.switch("welcome", on=False).state == "off"


def test_an_order_refunded_while_its_reward_was_owed_leaves_nothing(make_shop):
    shop = make_shop(enable=("welcome",))
    shop.registered("ann")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    shop.refunded("ann", "r", 10_000, "2")
    shop.switch("points", on=True)
    shop.later(days=2)
    assert shop.gifts()[-1] == ("second", 1, "given")
    assert shop.points("ann") == 0


# --- Who does not take part ---------------------------------------------------------------------------------


def test_the_comparison_group_and_the_suspended_get_nothing(shop):
    shop.save(holdout=50)
    with shop.platform.database.tenant(shop.store.id) as scope:
        members.put(scope, shop.platform.keyring, "sue", suspension=Suspension(now() + DAY))
    names = [f"m{number}" for number in range(40)]
    shop.registered(*names, "sue")
    held = {
        value
        for (value,) in shop.rows("""
            SELECT i.value FROM core.identity i
            JOIN core.member m ON m.tenant_id = i.tenant_id AND m.id = i.member_id
            JOIN core.activation a ON a.tenant_id = i.tenant_id AND a.plugin = 'welcome'
            WHERE core.held_out(a.holdout_key, a.holdout_percent, m.holdout_unit)
        """)
    }
    assert 5 < len(held) < 35
    assert [shop.points(name) for name in names] == [0 if name in held else 50 for name in names]
    assert shop.points("sue") == 0
    shop.save(trigger="first_order", holdout=50)
    new = min(held & set(names))
    assert shop.pack(new) == {"received_at": None, "received": [], "coming": [], "least_total": 1}


# --- Closing ------------------------------------------------------------------------------------------------


def test_closing_gives_no_new_pack_and_keeps_what_was_promised(shop):
    shop.save(trigger="registration")
    shop.registered("ann")
    left = shop.switch("welcome", on=False)
    assert left.state == "closing"
    shop.registered("bob")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    assert (shop.points("ann"), shop.points("bob")) == (100, 0)
    shop.later(minutes=12)
    assert shop.rows("SELECT state FROM core.activation WHERE plugin = 'welcome'") == [("off",)]


def test_a_promise_that_runs_out_lets_the_tactic_close(shop):
    shop.registered("ann")
    assert shop.switch("welcome", on=False).state == "closing"
    with shop.platform.database.tenant(shop.store.id) as scope:
        owed = list(shop.platform.act(scope, shop.store, shop.platform.registry["welcome"], "open_obligations"))
    assert owed == ["1 newcomer may still earn the reward for a second order"]
    shop.later(days=31)
    assert shop.rows("SELECT state FROM core.activation WHERE plugin = 'welcome'") == [("off",)]


def test_a_first_order_pack_is_not_shown_while_closing_and_back_on_it_counts_from_then(shop):
    shop.save(trigger="first_order")
    shop.registered("bob", "zoe")
    shop.paid("zoe", "z")  # a promise that keeps it closing
    assert len(shop.pack("bob")["coming"]) == 1
    assert shop.switch("welcome", on=False).state == "closing"
    assert shop.pack("bob")["coming"] == []
    shop.switch("welcome", on=True)
    shop.paid("bob", "1")
    assert shop.points("bob") == 0, "bob registered before it was switched on again"
