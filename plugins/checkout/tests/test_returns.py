"""What comes back over the real road: parts, the whole, early, late, twice, by units and by amount."""

import pytest

from threepeat.sdk import BasketLine, Refused


def due(shop, quote, **units):
    return shop.ask("refund", quote, units)


def bought(shop, order="o1", **choices):
    quote = shop.reserved(**choices)
    shop.batch(shop.paid(quote, order))
    return quote


def test_one_line_of_three_gives_back_its_part_of_everything(shop):
    """Elsewhere members bought, earned, sent back and kept what they had saved."""
    quote = bought(shop, coupon="a", pay=1_001)
    told = due(shop, quote, tea=1)
    tea = quote.quote.basket.lines[0]
    assert told.amount == quote.quote.paid_for(tea, 1)
    assert told.lines == {"tea": told.amount}
    assert set(told.given_back) == {"stall.coupon", "stall.purse"}
    before = shop.purse()
    shop.batch(shop.refunded(told.amount, {"t": 1}))
    assert shop.purse() - before == told.given_back["stall.purse"]
    assert shop.left("a") == 2, "a coupon comes back with the whole order only"
    rest = due(shop, quote, tea=2, cup=1, tin=7)
    assert told.amount + rest.amount == quote.quote.total
    shop.batch(shop.refunded(rest.amount, {"t": 2, "c": 1, "n": 7}))
    assert (shop.purse(), shop.left("a")) == (5_000, 3)


def test_what_came_back_does_not_come_back_again(shop):
    quote = bought(shop, coupon="a", pay=500)
    shop.batch(shop.refunded(due(shop, quote, cup=1).amount, {"c": 1}, refund="r1"))
    purse = shop.purse()
    for _ in range(2):
        shop.batch(shop.refunded(1, {"c": 1}, refund="r1"))
    assert shop.purse() == purse
    with pytest.raises(Refused, match="only 0 units"):
        due(shop, quote, cup=1)


@pytest.mark.parametrize(
    ("units", "code"),
    [({"x": 1}, "no-such-line"), ({"tea": 4}, "too-many-units"), ({"tea": 0}, "too-many-units")],
)
def test_units_that_are_not_there_are_refused(shop, units, code):
    quote = bought(shop)
    with pytest.raises(Refused) as caught:
        shop.ask("refund", quote, units)
    assert caught.value.code == code


def test_what_is_not_paid_has_no_refund(shop):
    quote = shop.reserved()
    with pytest.raises(Refused, match="not paid"):
        due(shop, quote, tea=1)


def test_a_refund_waits_for_its_payment(shop):
    quote = shop.reserved(coupon="a", pay=500)
    whole = quote.quote.total
    shop.batch(shop.refunded(whole, order="o1"), shop.refunded(5, order=None, quote=quote, refund="r2"))
    assert (shop.state(quote), shop.left("a"), shop.purse()) == ("reserved", 2, 4_500)
    shop.batch(shop.paid(quote))
    assert (shop.state(quote), shop.left("a"), shop.purse()) == ("confirmed", 3, 5_000)


def test_a_refund_waits_for_a_payment_by_hand_too(shop):
    quote = shop.reserved(coupon="a")
    shop.batch(shop.refunded(quote.quote.total, order="o1"))
    shop.ask("confirm", quote, "o1")
    assert shop.left("a") == 3


def test_refunds_in_the_same_batch_as_their_payment(shop):
    quote = shop.reserved(coupon="a", pay=500)
    half, rest = quote.quote.total // 2, quote.quote.total - quote.quote.total // 2
    shop.batch(shop.refunded(half), shop.paid(quote), shop.refunded(rest), shop.refunded(rest, refund="late"))
    assert (shop.left("a"), shop.purse()) == (3, 5_000)


def test_by_amount_it_counts_in_proportion(shop):
    quote = bought(shop, pay=1_000)
    shop.batch(shop.refunded(quote.quote.total // 4))
    assert shop.purse() == 4_000 + 1_000 * (quote.quote.total // 4) // quote.quote.total
    shop.batch(shop.refunded(quote.quote.total))
    assert shop.purse() == 5_000


def test_lines_of_other_things_count_by_their_amount(shop):
    quote = bought(shop, pay=1_000)
    shop.batch(shop.refunded(quote.quote.total, {"something": 1}))
    assert shop.purse() == 5_000


def test_lines_of_one_sku_come_back_in_the_order_of_the_basket(shop):
    lines = (
        BasketLine(id="first", sku="t", quantity=1, unit_price=1_000),
        BasketLine(id="second", sku="t", quantity=1, unit_price=400),
    )
    quote = shop.ask("reserve", shop.quote(lines=lines, shipping=0, pay=140))
    shop.batch(shop.paid(quote))
    first = due(shop, quote, second=1)
    assert first.lines == {"first": 900}
    shop.batch(shop.refunded(first.amount, {"t": 1}))
    last = due(shop, quote, first=1)
    assert last.lines == {"second": 360}
    with pytest.raises(Refused, match="only 1 units"):
        due(shop, quote, first=1, second=1)


@pytest.mark.parametrize("back", [True, False])
def test_delivery_is_paid_back_if_it_was_said_when_it_was_quoted(shop, back):
    shop.save(delivery_back=back)
    quote = bought(shop, free=True, pay=100)
    plain = bought(shop, "o2")
    shop.save(delivery_back=not back)
    everything = {"tea": 3, "cup": 1, "tin": 7}
    assert due(shop, plain, **everything).amount == plain.quote.total - (0 if back else 800)
    told = due(shop, quote, **everything)
    assert told.amount == quote.quote.total
    assert told.given_back == {"stall.purse": 100} | ({"stall.delivery": 800} if back else {})
    shop.batch(shop.refunded(told.amount))
    assert shop.left("vans") == 2, "the whole order came back"


def test_another_members_refund_and_one_that_names_nothing_count_for_nobody(shop):
    quote = bought(shop, coupon="a")
    shop.batch(
        shop.refunded(quote.quote.total, name="bob"),
        shop.refunded(quote.quote.total, name="bob", order=None, quote=quote),
        shop.refunded(quote.quote.total, order=None),
        shop.refunded(quote.quote.total, order="o9", quote=quote),
    )
    assert shop.left("a") == 2


def test_what_was_paid_instead_of_the_quote_is_what_goes_back(shop):
    quote = shop.reserved(pay=500)
    shop.batch(shop.paid(quote, total=6_000))
    one, rest = due(shop, quote, cup=1), due(shop, quote, tea=3, cup=1, tin=7)
    assert 0 < one.amount < rest.amount == 6_000
    shop.batch(shop.refunded(6_000))
    assert shop.purse() == 5_000


def test_what_is_known_late_of_a_payment_counts_for_refunds_before_it(shop):
    quote = shop.reserved(pay=1_000)
    shop.ask("confirm", quote, "o1")
    shop.batch(shop.refunded(1_000))
    shop.batch(shop.paid(quote, total=1_000))
    assert shop.purse() == 5_000, "all that was paid came back"


def test_a_rule_hears_of_each_refund_once_and_of_the_whole_in_the_end(shop, stall):
    quote = bought(shop, coupon="a", pay=500)
    stall.told.clear()
    shop.batch(shop.refunded(10, refund="r1"), shop.refunded(10, refund="r2"))
    heard = [what for what, *_ in stall.told]
    assert heard == ["returned", "returned"], "the coupon and the purse, once for the batch"
    shop.batch(shop.refunded(0, refund="r3"))
    assert len(stall.told) == 2, "nothing grew"
    shop.batch(shop.refunded(quote.quote.total, refund="r4"))
    assert len(stall.told) == 4
    shop.batch(shop.refunded(quote.quote.total, refund="r5"))
    assert len(stall.told) == 4
