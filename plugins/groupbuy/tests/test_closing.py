"""Switching group buy off: no new group, every open one succeeds or is refunded, and then it is off."""

import pytest

from threepeat.sdk import Refused


def test_swapping_out_with_paid_open_groups_ends_with_none_open(shop):
    campaign = shop.campaign()
    fills, fails = shop.open("ann", campaign), shop.open("bob", campaign)
    opener, joiner = shop.quote("eve", campaign), shop.quote("joe", campaign, fails)
    shop.switch()
    assert shop.state() == "closing"
    assert shop.reason("kim", campaign) == "This group buy is over"
    with pytest.raises(Refused, match="is over"):
        shop.ask("reserve", "eve", opener.id)
    held = shop.ask("reserve", "joe", joiner.id)
    shop.ask("release", "joe", held.id)
    shop.buy("lee", campaign, fills)
    assert shop.team(fills) == ("succeeded", 2, 2)
    shop.wait(hours=25)
    assert shop.team(fails) == ("failed", 1, 1)
    assert shop.state() == "closing", "its money is on the way"
    (order,) = [row[0] for row in shop.refunds()]
    data = {"refund_id": "r1", "order_id": order, "amount": 6_000, "currency": "CNY"}
    shop.batch(shop.event("order.refunded", "bob", **data))
    shop.wait(minutes=20)
    assert shop.state() == "off"
    assert shop.rows("SELECT count(*) FROM groupbuy.team WHERE state = 'open'") == [(0,)]


def test_whoever_held_a_new_group_before_and_pays_after_joins_another_or_is_refunded_at_once(shop):
    campaign = shop.campaign()
    first, second = shop.reserve("ann", campaign), shop.reserve("bob", campaign)
    group = shop.open("eve", campaign)
    shop.switch()
    shop.pay(first, "ann")
    assert shop.seat("ann") == ("succeeded", group)
    shop.pay(second, "bob")
    assert shop.seat("bob") == ("failed", None)
    assert shop.refunds() == [(f"o-{second.id}", 6_000, "late", "asked")]
    assert shop.rows("SELECT count(*) FROM groupbuy.team") == [(1,)], "no new group"


def test_what_went_back_before_a_payment_without_a_group_is_not_asked_back_again(shop):
    campaign = shop.campaign(per_order=2)
    whole, part = shop.reserve("ann", campaign), shop.reserve("bob", campaign, quantity=2)
    back = shop.refunded(part, "bob", 6_000, refund="r1", units={"tea": 1})
    shop.batch(shop.refunded(whole, "ann"), back)
    shop.switch()
    shop.batch(shop.paid(whole, "ann"), shop.paid(part, "bob"))
    assert shop.asked_back() == [(f"o-{part.id}", 6_000, "group-late")]
    assert sorted(row[3] for row in shop.refunds()) == ["asked", "refunded"]


def test_what_goes_back_right_after_a_payment_without_a_group_counts_once(shop):
    """The same money was taken off what was owed and counted as its answer, and the rest was never paid."""
    campaign = shop.campaign(per_order=2)
    quote = shop.reserve("ann", campaign, quantity=2)
    shop.switch()
    shop.batch(shop.paid(quote, "ann"), shop.refunded(quote, "ann", 6_000, units={"tea": 1}))
    assert shop.asked_back() == [(f"o-{quote.id}", 6_000, "group-late")]
    assert [row[3] for row in shop.refunds()] == ["asked"]
    shop.batch(shop.refunded(quote, "ann", 6_000, units={"tea": 1}))
    assert [row[3] for row in shop.refunds()] == ["refunded"]


def test_of_a_payment_without_a_group_goes_back_what_was_paid_and_not_what_was_quoted(shop):
    campaign = shop.campaign(per_order=2)
    whole, part = shop.reserve("ann", campaign), shop.reserve("bob", campaign, quantity=2)
    shop.batch(shop.refunded(part, "bob", 5_500, refund="r1", units={"tea": 1}))
    shop.switch()
    shop.batch(shop.paid(whole, "ann", total=5_000), shop.paid(part, "bob", total=11_000))
    assert sorted(shop.asked_back()) == sorted(
        [(f"o-{whole.id}", 5_000, "group-late"), (f"o-{part.id}", 5_500, "group-late")]
    )


def test_a_refund_before_the_question_is_no_answer_when_it_is_told_again(shop):
    campaign = shop.campaign(per_order=2)
    quote = shop.buy("ann", campaign, quantity=2)
    back = shop.refunded(quote, "ann", 6_000, units={"tea": 1})
    shop.batch(back)
    shop.wait(hours=25)
    shop.batch({**back, "id": "again"})
    assert [row[1:] for row in shop.refunds()] == [(6_000, "failed", "asked")]


def test_what_is_paid_too_late_while_closing_goes_back(shop):
    campaign = shop.campaign()
    late = shop.reserve("ann", campaign)
    shop.open("bob", campaign, quantity=1)
    shop.wait(minutes=31)
    shop.buy("eve", campaign, shop.seat("bob")[1])
    held = shop.reserve("joe", campaign)
    shop.switch()
    shop.pay(late, "ann")
    assert [row[2] for row in shop.refunds()] == ["late"]
    shop.ask("release", "joe", held.id)


def test_what_is_owed_is_said_in_plain_words(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    shop.reserve("bob", campaign, group)
    plugin = shop.platform.registry["groupbuy"].plugin
    assert shop.act("groupbuy", lambda ctx: list(map(str, plugin.open_obligations(ctx)))) == [
        "1 group is open: it fills, or is refunded when its time is over",
        "1 seat is held for an order that is not paid yet",
    ]


def test_switched_on_again_it_goes_on_where_it_stands(shop):
    campaign = shop.campaign()
    group = shop.open("ann", campaign)
    shop.switch()
    shop.switch("enable")
    shop.open("eve", campaign)
    shop.buy("bob", campaign, group)
    assert shop.team(group)[0] == "succeeded"
