"""Groups open, fill, fail and are refunded; and the mistakes that others made do not come back."""

import pytest

from threepeat.sdk import Refused


def test_two_who_pay_have_the_price_and_a_complete_group(shop):
    campaign = shop.campaign()
    first = shop.reserve("ann", campaign)
    assert (first.quote.total, shop.rows("SELECT count(*) FROM groupbuy.team")) == (6_000, [(0,)])
    shop.pay(first, "ann")
    group = shop.seat("ann")[1]
    assert (shop.team(group), shop.head(group)) == (("open", 1, 1), ["ann"])
    second = shop.reserve("bob", campaign, group)
    assert shop.team(group) == ("open", 2, 1)
    shop.pay(second, "bob")
    assert shop.team(group) == ("succeeded", 2, 2)
    assert shop.seats() == {"ann": "succeeded", "bob": "succeeded"}
    assert [one["group_id"] for one in shop.sent("group.opened")] == [str(group)]
    assert [(one["joined"], one["moved"]) for one in shop.sent("group.joined")] == [(2, False)]
    done = shop.sent("group.succeeded")
    everybody = sorted([shop.member("ann"), shop.member("bob")])
    assert [(one["members"], one["order_id"], one["leads"], one["price"]) for one in done] == [
        (everybody, f"o-{first.id}", True, 6_000),
        (everybody, f"o-{second.id}", False, 6_000),
    ]
    shop.wait(hours=30)
    assert shop.refunds() == []


def test_a_group_that_does_not_fill_in_time_is_refunded_seat_by_seat(shop):
    campaign = shop.campaign(size=3)
    group = shop.open("ann", campaign)
    quote = shop.buy("bob", campaign, group)
    shop.wait(hours=23, minutes=59)
    assert shop.team(group)[0] == "open"
    shop.wait(minutes=2)
    assert shop.team(group) == ("failed", 2, 2)
    assert [(amount, reason, state) for _, amount, reason, state in shop.refunds()] == [
        (6_000, "failed", "asked")
    ] * 2
    assert {one[0] for one in shop.asked_back()} >= {f"o-{quote.id}"}
    assert len(shop.sent("group.failed")) == 2


def test_the_clock_begins_with_the_heads_payment_and_joiners_inherit_it(shop):
    """Elsewhere each joiner had a time of its own, and a group ended while others could still join it."""
    campaign = shop.campaign(size=3, hours=2)
    first = shop.reserve("ann", campaign)
    shop.wait(minutes=20)
    shop.pay(first, "ann")
    group = shop.seat("ann")[1]
    shop.wait(minutes=90)
    shop.buy("bob", campaign, group)
    shop.wait(minutes=29)
    assert shop.team(group)[0] == "open"
    shop.wait(minutes=2)
    assert shop.team(group)[0] == "failed"


def test_a_full_group_takes_nobody_more_and_is_complete_with_the_last_payment(shop):
    """Elsewhere fullness was read and then written, and a group was complete only if the count was exactly right:
    with one too many it never succeeded and all were refunded."""
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    quotes = {name: shop.quote(name, campaign, group) for name in ("bob", "eve")}
    held = shop.ask("reserve", "bob", quotes["bob"].id)
    with pytest.raises(Refused, match="full or over"):
        shop.ask("reserve", "eve", quotes["eve"].id)
    assert shop.reason("eve", campaign, group) == "This group is full or over"
    shop.pay(held, "bob")
    assert shop.team(group) == ("succeeded", 2, 2)


def test_a_seat_that_is_not_paid_in_time_is_free_again(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    held = shop.reserve("bob", campaign, group)
    shop.wait(minutes=31)
    assert (shop.team(group), shop.seat("bob")[0]) == (("open", 1, 1), "released")
    shop.ask("release", "bob", held.id)
    shop.buy("eve", campaign, group)
    assert shop.team(group) == ("succeeded", 2, 2)


def test_an_order_that_is_cancelled_frees_its_seat(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    held = shop.reserve("bob", campaign, group)
    order = {"order_id": f"o-{held.id}"}
    money = {"total": 6_000, "currency": "CNY", "reservation_id": held.id}
    shop.batch(shop.event("order.created", "bob", **order, **money), shop.event("order.cancelled", "bob", **order))
    assert shop.team(group) == ("open", 1, 1)


def test_a_seat_that_was_held_in_time_may_be_paid_although_the_time_is_over(shop):
    campaign = shop.campaign(hours=1)
    group = shop.open("ann", campaign)
    shop.wait(minutes=50)
    held = shop.reserve("bob", campaign, group)
    shop.wait(minutes=15)
    assert shop.team(group) == ("open", 2, 1), "it waits for what is held"
    assert shop.reason("eve", campaign, group) == "This group is full or over"
    shop.pay(held, "bob")
    assert shop.team(group) == ("succeeded", 2, 2)


def test_a_group_that_waits_for_a_held_seat_ends_with_it(shop):
    campaign = shop.campaign(hours=1)
    group = shop.open("ann", campaign)
    shop.wait(minutes=50)
    shop.reserve("bob", campaign, group)
    shop.wait(minutes=31)
    assert shop.team(group) == ("failed", 1, 1)
    assert [row[3] for row in shop.refunds()] == ["asked"]


def test_a_payment_in_time_counts_although_nobody_looked_at_it_for_hours(shop):
    """A group failed whose last seat had been held and paid in time, because no worker ran at its end."""
    campaign = shop.campaign(hours=1)
    group = shop.open("ann", campaign)
    shop.wait(minutes=50)
    held = shop.reserve("bob", campaign, group)
    shop.wait(minutes=15, drain=False)
    shop.batch(shop.paid(held, "bob"), drain=False)
    shop.wait(hours=3)
    assert (shop.team(group), shop.refunds()) == (("succeeded", 2, 2), [])


def test_a_seat_that_was_held_and_never_paid_keeps_no_group_open_after_an_outage(shop):
    campaign = shop.campaign(hours=1)
    group = shop.open("ann", campaign)
    shop.wait(minutes=50)
    shop.reserve("bob", campaign, group)
    shop.wait(hours=3)
    assert shop.team(group) == ("failed", 1, 1)


def test_who_pays_too_late_is_in_the_group_that_ends_first_and_may_leave_it(shop):
    """Elsewhere a payment into a full group was an error after the money had been taken, or went to any group."""
    campaign = shop.campaign()
    full = shop.open("ann", campaign)
    late = shop.reserve("bob", campaign, full)
    shop.wait(minutes=31)
    shop.buy("eve", campaign, full)
    later = shop.open("joe", campaign)
    sooner = later
    shop.wait(minutes=5)
    later = shop.open("kim", campaign)
    shop.pay(late, "bob")
    assert shop.team(full) == ("succeeded", 2, 2)
    assert shop.seat("bob") == ("succeeded", sooner)
    assert shop.team(later) == ("open", 1, 1)
    assert [one["moved"] for one in shop.sent("group.joined")] == [False, True]


def test_without_another_group_late_money_opens_one_and_one_tap_gives_it_back(shop):
    campaign = shop.campaign()
    full = shop.open("ann", campaign)
    late = shop.reserve("bob", campaign, full)
    shop.wait(minutes=31)
    shop.buy("eve", campaign, full)
    shop.pay(late, "bob")
    state, group = shop.seat("bob")
    assert (state, shop.head(group)) == ("joined", ["bob"])
    (seat,) = shop.call("GET", "mine", "bob").json()["seats"]
    assert (seat["moved"], seat["can_leave"]) == (True, True)
    answer = shop.leave(group, "bob")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["seat"]["state"], answer.json()["seat"]["refund"]) == ("left", 6_000)
    assert shop.team(group) == ("failed", 0, 0)
    assert shop.refunds() == [(f"o-{late.id}", 6_000, "left", "asked")]
    assert shop.leave(group, "bob").status_code == 409
    shop.batch(shop.refunded(late, "bob"))
    assert shop.refunds()[0][3] == "refunded"


def test_whoever_sits_where_they_wanted_leaves_only_if_the_store_lets_them(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    assert shop.leave(group, "ann").json()["type"] == "urn:threepeat:problem:not-in-group"
    shop.save(members_may_leave=True)
    assert shop.leave(group, "ann").status_code == 200
    assert shop.team(group) == ("failed", 0, 0)


def test_when_the_head_leaves_the_earliest_joiner_leads_and_the_time_stays(shop):
    """Elsewhere a group without its head went on without one, or all its members were refunded."""
    campaign = shop.campaign(size=4)
    first = shop.reserve("ann", campaign)
    shop.pay(first, "ann")
    group = shop.seat("ann")[1]
    ends = shop.rows("SELECT expires_at FROM groupbuy.team")
    for name in ("bob", "eve"):
        shop.buy(name, campaign, group)
    shop.batch(shop.refunded(first, "ann"))
    assert (shop.head(group), shop.team(group)) == (["bob"], ("open", 2, 2))
    assert shop.rows("SELECT expires_at FROM groupbuy.team") == ends
    assert shop.refunds() == [], "the shop has paid it back already"


def test_a_head_who_is_alone_dissolves_the_group(shop):
    campaign = shop.campaign()
    quote = shop.buy("ann", campaign)
    group = shop.seat("ann")[1]
    held = shop.reserve("bob", campaign, group)
    shop.batch(shop.refunded(quote, "ann"))
    assert shop.team(group)[0] == "failed"
    shop.pay(held, "bob")
    state, other = shop.seat("bob")
    assert (state, other != group, shop.team(group)) == ("joined", True, ("failed", 0, 0))


def test_after_success_a_refund_neither_reopens_a_group_nor_undoes_it(shop):
    """Elsewhere one member's return made a group that was complete incomplete again."""
    campaign = shop.campaign()
    quote = shop.buy("ann", campaign)
    group = shop.seat("ann")[1]
    shop.buy("bob", campaign, group)
    shop.batch(shop.refunded(quote, "ann"))
    assert (shop.team(group), shop.seats()) == (("succeeded", 2, 2), {"ann": "succeeded", "bob": "succeeded"})
    assert shop.reason("eve", campaign, group) == "This group is full or over"
    shop.wait(hours=48)
    assert shop.refunds() == []


def test_a_part_that_comes_back_before_the_end_is_not_asked_back_again(shop):
    campaign = shop.campaign(per_order=2)
    quote = shop.buy("ann", campaign, quantity=2)
    shop.batch(shop.refunded(quote, "ann", 6_000, units={"tea": 1}))
    assert shop.seat("ann")[0] == "joined"
    shop.wait(hours=25)
    assert [row[1] for row in shop.refunds()] == [6_000]


def test_a_basket_with_other_things_pays_the_group_price_for_its_line_only(shop):
    campaign = shop.campaign(per_order=2)
    quote = shop.buy("ann", campaign, quantity=3, others=[("cup", 2_000)], shipping=800)
    assert quote.quote.total == 2 * 6_000 + 10_000 + 2_000 + 800
    shop.wait(hours=25)
    assert shop.asked_back() == [(f"o-{quote.id}", 12_000, "group-failed")]


def test_an_order_of_nothing_else_is_refunded_with_its_delivery_and_as_it_was_paid(shop):
    campaign = shop.campaign()
    quote = shop.reserve("ann", campaign, shipping=800)
    shop.pay(quote, "ann", total=6_500)
    shop.wait(hours=25)
    assert shop.asked_back() == [(f"o-{quote.id}", 6_500, "group-failed")]


def test_the_first_payment_of_an_order_says_what_was_paid(shop):
    campaign = shop.campaign()
    quote = shop.reserve("ann", campaign)
    first = shop.paid(quote, "ann", total=6_500)
    shop.batch(first, {**first, "id": "again", "data": {**first["data"], "total": 1}})
    shop.wait(hours=25)
    assert shop.asked_back() == [(f"o-{quote.id}", 6_500, "group-failed")]


def test_everything_twice_and_in_another_order_is_the_same_as_once(shop):
    campaign = shop.campaign()
    first = shop.reserve("ann", campaign)
    paid = shop.paid(first, "ann")
    shop.batch(paid, paid, {**paid, "id": "again"})
    group = shop.seat("ann")[1]
    second = shop.reserve("bob", campaign, group)
    back = shop.refunded(second, "bob", refund="r1")
    shop.batch(back, {**back, "id": "again-r"}, shop.paid(second, "bob"))
    assert shop.team(group) == ("succeeded", 2, 2), "a refund that overtakes its payment does not undo the group"
    assert [len(shop.sent(f"group.{what}")) for what in ("opened", "joined", "succeeded")] == [1, 1, 2]
    shop.batch({**paid, "id": "again-2"}, {**back, "id": "again-r2"})
    shop.wait(hours=25)
    assert (shop.team(group), shop.refunds()) == (("succeeded", 2, 2), [])


@pytest.mark.parametrize(("percent", "ends"), [(None, "failed"), (50, "succeeded"), (100, "failed")])
def test_virtual_seats_fill_a_group_only_where_the_merchant_says_so(shop, percent, ends):
    """Elsewhere groups were completed by default, even with a single real member."""
    campaign = shop.campaign(size=5, fill_percent=percent)
    group = shop.open("ann", campaign)
    for name in ("bob", "eve"):
        shop.buy(name, campaign, group)
    shop.wait(hours=25)
    assert shop.team(group) == (ends, 3, 3), "virtual seats are no people"
    assert [one["virtual"] for one in shop.sent("group.succeeded")] == ([2] * 3 if ends == "succeeded" else [])
    if ends == "succeeded":
        view = shop.call("GET", f"groups/{group}").json()
        assert (view["joined"], view["size"]) == (3, 5)


def test_one_real_member_is_never_completed(shop):
    campaign = shop.campaign(size=2, fill_percent=1)
    group = shop.open("ann", campaign)
    shop.wait(hours=25)
    assert shop.team(group)[0] == "failed"


STEPS = [{"size": 3, "price": 5_000}, {"size": 4, "price": 4_500}]


@pytest.mark.parametrize(("people", "back"), [(2, None), (3, 1_000), (4, 1_500)])
def test_with_steps_all_pay_the_first_and_get_back_what_the_group_reached(shop, people, back):
    campaign = shop.campaign(steps=STEPS)
    names = ["ann", "bob", "eve", "joe"][:people]
    group = shop.open("ann", campaign)
    for name in names[1:]:
        assert shop.buy(name, campaign, group).quote.total == 6_000
    assert shop.team(group)[0] == ("succeeded" if people == 4 else "open")
    shop.wait(hours=25)
    assert shop.team(group)[0] == "succeeded"
    assert [(amount, reason) for _, amount, reason, _ in shop.refunds()] == (
        [(back, "difference")] * people if back else []
    )


def test_a_step_saves_nothing_for_what_came_back_before(shop):
    campaign = shop.campaign(steps=STEPS, per_order=2)
    quote = shop.buy("ann", campaign, quantity=2)
    group = shop.seat("ann")[1]
    shop.batch(shop.refunded(quote, "ann", 6_000, units={"tea": 1}))
    for name in ("bob", "eve", "joe"):
        shop.buy(name, campaign, group)
    assert sorted(row[1] for row in shop.refunds()) == [1_500] * 4


def test_a_stepped_group_below_its_first_step_fails(shop):
    campaign = shop.campaign(size=3, steps=[{"size": 5, "price": 5_000}])
    group = shop.open("ann", campaign)
    shop.buy("bob", campaign, group)
    shop.wait(hours=25)
    assert shop.team(group)[0] == "failed"
    assert [amount for _, amount, _ in shop.asked_back()] == [6_000, 6_000]


def test_seats_that_nobody_paid_for_go_after_a_while(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    shop.reserve("bob", campaign, group)
    shop.wait(days=89)
    assert sorted(shop.seats().values()) == ["failed", "released"]
    shop.wait(days=3)
    assert list(shop.seats().values()) == ["failed"]
