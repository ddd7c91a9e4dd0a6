"""Money that goes back: asked until it is answered, counted once, and shown."""

import pytest

from threepeat.sdk import Refused


@pytest.fixture
def failed(shop):
    """A group of one that failed; its quote."""
    quote = shop.buy("ann", shop.campaign())
    shop.wait(hours=25)
    assert len(shop.asked_back()) == 1
    return quote


def states(shop):
    return [(one.state, one.figures["Asked so often"]) for one in shop.items("refunds")]


def test_it_is_asked_for_again_until_somebody_answers(shop, failed):
    """Elsewhere a refund that failed was forgotten, and one that raised took the others of its group along."""
    for day in range(1, 4):
        shop.wait(hours=25)
        assert states(shop) == [("asked", 1 + day)]
    assert shop.asked_back() == [(f"o-{failed.id}", 6_000, "group-failed")] * 4
    shop.batch(shop.refunded(failed, "ann"))
    shop.wait(days=10)
    assert states(shop) == [("refunded", 4)]
    assert len(shop.asked_back()) == 4


@pytest.mark.usefixtures("failed")
def test_after_a_week_without_an_answer_people_have_to_look(shop):
    for _ in range(9):
        shop.wait(hours=25)
    assert states(shop) == [("failed", 7)]
    assert len(shop.asked_back()) == 7
    assert shop.items("refunds")[0].figures["What the shop says"] == "No answer"
    assert "refunds" in shop.metrics()["owed"].warning
    shop.step(shop.items("refunds")[0].id, "again", "refunds")
    assert len(shop.asked_back()) == 8


def test_what_the_shop_could_not_pay_back_is_seen_and_can_be_asked_for_again(shop, failed):
    problem = {"order_id": f"o-{failed.id}", "reason": "The card was closed", "refund_id": "x"}
    shop.batch(shop.event("refund.failed", "ann", **problem))
    (item,) = shop.items("refunds")
    assert (item.state, item.figures["What the shop says"]) == ("failed", "The card was closed")
    assert shop.metrics()["owed"].value == 6_000
    shop.wait(days=3)
    assert len(shop.asked_back()) == 1, "it waits for people"
    shop.step(item.id, "again", "refunds")
    assert len(shop.asked_back()) == 2
    shop.batch(shop.refunded(failed, "ann"))
    assert states(shop) == [("refunded", 2)]
    assert shop.metrics()["owed"].value == 0


def test_what_was_settled_otherwise_is_not_asked_for_again(shop, failed):
    (item,) = shop.items("refunds")
    shop.step(item.id, "settle", "refunds")
    shop.wait(days=3)
    assert states(shop) == [("settled", 1)]
    shop.batch(shop.event("refund.failed", "ann", order_id=f"o-{failed.id}"))
    assert states(shop) == [("settled", 1)]


def test_parts_add_up_and_each_refund_counts_once(shop, failed):
    part = shop.refunded(failed, "ann", 2_000, refund="r1")
    shop.batch(part, {**part, "id": "again"}, shop.refunded(failed, "ann", 3_999, refund="r2"))
    assert shop.refunds()[0][3] == "asked"
    shop.batch(shop.refunded(failed, "ann", 1, refund="r3"), {**part, "id": "once more"})
    assert shop.rows("SELECT state, back FROM groupbuy.refund") == [("refunded", 6_000)]


def test_somebody_elses_order_of_the_same_name_answers_nothing(shop, failed):
    shop.batch(
        shop.refunded(failed, "bob", refund="r1"),
        shop.event("refund.failed", "bob", order_id=f"o-{failed.id}"),
    )
    assert states(shop) == [("asked", 1)]


def test_money_for_other_things_of_the_order_is_no_answer(shop):
    """It was one, and what the group owed was never asked for again."""
    quote = shop.buy("ann", shop.campaign(), others=[("cup", 7_000)])
    shop.wait(hours=25)
    shop.batch(shop.refunded(quote, "ann", 7_000, units={"cup": 1}))
    assert shop.rows("SELECT state, back FROM groupbuy.refund") == [("asked", 0)]
    shop.wait(hours=25)
    assert states(shop) == [("asked", 2)]
    shop.batch(shop.refunded(quote, "ann", 6_000, units={"tea": 1}))
    assert shop.rows("SELECT state, back FROM groupbuy.refund") == [("refunded", 6_000)]


def test_an_answer_before_the_question_is_asked_is_the_shops_own_refund(shop):
    quote = shop.buy("ann", shop.campaign())
    shop.batch(shop.refunded(quote, "ann"))
    shop.wait(hours=25)
    assert (shop.seat("ann")[0], shop.refunds()) == ("left", [])


def test_of_an_erased_member_nobody_is_asked_and_the_merchant_settles_it(shop):
    campaign = shop.campaign(size=3)
    group = shop.open("ann", campaign)
    shop.buy("bob", campaign, group)
    shop.erase("ann")
    shop.wait(hours=25)
    assert shop.team(group) == ("failed", 2, 2)
    assert sorted(row[3] for row in shop.refunds()) == ["asked", "failed"]
    (item,) = (one for one in shop.items("refunds") if one.state == "failed")
    assert item.title == "An order of an erased member"
    with pytest.raises(Refused, match="in your shop"):
        shop.step(item.id, "again", "refunds")
    shop.step(item.id, "settle", "refunds")


def test_what_was_asked_for_before_its_member_was_erased_is_for_people_to_see(shop, failed):
    """It stayed asked for, for ever: the erasure had taken the deadline along."""
    shop.batch(shop.event("refund.failed", "ann", order_id=f"o-{failed.id}", reason="Ann's card"))
    shop.step(shop.items("refunds")[0].id, "again", "refunds")
    shop.erase("ann")
    shop.wait(hours=25)
    (item,) = shop.items("refunds")
    assert (item.state, item.title) == ("failed", "An order of an erased member")
    assert "refunds" in shop.metrics()["owed"].warning
