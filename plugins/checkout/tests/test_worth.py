"""What returns are worth, without a database: to the last cent, in any order, never more than was paid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat.sdk import Applied, Basket, BasketLine, Quote
from threepeat.sdk.pricing import spread
from threepeat_checkout.worth import DELIVERY, Back, Bill

PRICE = st.integers(0, 2_000)


@st.composite
def quotes(draw):
    """Baskets with up to four lines of three things, and up to three reductions."""
    lines = tuple(
        BasketLine(
            id=f"l{number}",
            sku=draw(st.sampled_from("abc")),
            quantity=draw(st.integers(1, 5)),
            unit_price=draw(PRICE),
        )
        for number in range(draw(st.integers(1, 4)))
    )
    basket = Basket(lines=lines, shipping=draw(st.integers(0, 900)))
    left, shipping, applied = {line.id: line.amount for line in lines}, basket.shipping, []
    for number in range(draw(st.integers(0, 3))):
        amount = draw(st.integers(0, sum(left.values())))
        free = draw(st.integers(0, shipping))
        shares = {line: share for line, share in spread(amount, left).items() if share}
        left = {line: left[line] - shares.get(line, 0) for line in left}
        shipping -= free
        applied.append(
            Applied(
                plugin="p",
                rule=f"r{number}",
                key="",
                title={},
                amount=amount,
                shares=shares,
                shipping=free,
                held=True,
            )
        )
    return Quote(basket=basket, applied=tuple(applied))


REFUND = st.tuples(st.integers(0, 3_000), st.dictionaries(st.sampled_from("abcd"), st.integers(1, 6), max_size=2))


def bill(quote, paid=None, *, delivery=True):
    return Bill(quote, quote.total if paid is None else paid, delivery)


def step_by_step(draw, one):
    """Send units back in random parts until all are back; what each part was worth."""
    back, parts = Back({}, 0, 0, 0), []
    left = {sku: sum(li.quantity for li in one.quote.basket.lines if li.sku == sku) for sku in "abc"}
    while any(left.values()):
        sku = draw(st.sampled_from([sku for sku in left if left[sku]]))
        number = draw(st.integers(1, left[sku]))
        due = one.refund(back, {sku: number})
        parts.append(sum(due.values()))
        left[sku] -= number
        back = Back(back.more({sku: number}).skus, 0, 0, back.paid_back + parts[-1])
    return back, parts


@given(quotes(), st.data())
def test_all_refunds_together_are_what_was_paid(quote, data):
    for delivery in (True, False):
        one = bill(quote, delivery=delivery)
        back, parts = step_by_step(data.draw, one)
        assert min(parts) >= 0
        assert sum(parts) == (quote.total if delivery else quote.goods)
        assert one.whole(back)
        expected = [each.amount + (each.shipping if delivery else 0) for each in quote.applied]
        assert one.fallen(back) == expected


@given(quotes(), st.integers(0, 20_000), st.data())
def test_also_when_something_else_was_paid_than_was_quoted(quote, paid, data):
    one = bill(quote, paid)
    assert sum(one.parts.values()) == paid
    _, parts = step_by_step(data.draw, one)
    assert min(parts) >= 0
    assert sum(parts) == paid


@given(quotes(), st.lists(REFUND, max_size=6), st.booleans(), st.data())
def test_any_order_of_refunds_comes_to_the_same_and_it_only_grows(quote, refunds, delivery, data):
    one = bill(quote, delivery=delivery)
    shuffled = data.draw(st.permutations(refunds))
    assert Back.of(quote, refunds) == Back.of(quote, shuffled)
    before, whole = [0] * len(quote.applied), False
    for number in range(len(shuffled) + 1):
        back = Back.of(quote, shuffled[:number])
        now = one.fallen(back)
        assert all(was <= becomes for was, becomes in zip(before, now, strict=True))
        assert all(0 <= got <= each.amount + each.shipping for got, each in zip(now, quote.applied, strict=True))
        assert whole <= one.whole(back)
        before, whole = now, one.whole(back)


@given(quotes(), st.lists(REFUND, max_size=4), st.dictionaries(st.sampled_from("abc"), st.integers(1, 5)))
def test_never_more_is_paid_back_than_is_left(quote, refunds, skus):
    one, back = bill(quote), Back.of(quote, refunds)
    due = one.refund(back, skus)
    assert all(part >= 0 for part in due.values())
    assert sum(due.values()) <= max(one.paid - back.paid_back, 0)


QUOTE = Quote(
    basket=Basket(
        lines=(
            BasketLine(id="x", sku="a", quantity=3, unit_price=100),
            BasketLine(id="y", sku="a", quantity=1, unit_price=200),
        ),
        shipping=50,
    ),
    applied=(
        Applied(
            plugin="p", rule="r", key="", title={}, amount=100, shares={"x": 70, "y": 30}, shipping=0, held=True
        ),
    ),
)


def test_a_refund_by_amount_counts_in_proportion():
    one = bill(QUOTE)
    assert one.paid == 450
    assert one.fallen(Back({}, 45, 1, 45)) == [10]
    assert one.fallen(Back({}, 450, 1, 450)) == [100]
    assert one.fallen(Back({}, 10_000, 1, 10_000)) == [100]
    assert not one.whole(Back({}, 449, 3, 449))
    assert one.whole(Back({}, 450, 3, 450))


def test_units_and_money_together():
    """Two units are back (worth 154), half of the rest by amount: half of what was left of the reduction."""
    one, back = bill(QUOTE), Back({"a": 2}, 148, 1, 302)
    assert one.values(back) == {"x": 154, "y": 0}
    assert one.fallen(back) == [46 + 54 * 148 // 296]


def test_units_that_came_back_are_not_paid_twice():
    one = bill(QUOTE)
    assert one.refund(Back({}, 0, 0, 0), {"a": 3}) == {"x": 230, "y": 0, DELIVERY: 0}
    assert one.refund(Back({"a": 3}, 0, 0, 230), {"a": 1}) == {"x": 0, "y": 170, DELIVERY: 50}
    assert sum(one.refund(Back({"a": 4}, 0, 0, 450), {"a": 1}).values()) == 0


def test_after_a_goodwill_payment_the_last_refund_is_smaller():
    due = bill(QUOTE).refund(Back({}, 40, 1, 40), {"a": 4})
    assert sum(due.values()) == 410


def test_an_order_that_cost_nothing_comes_back_whole_by_any_refund():
    free = Quote(
        basket=Basket(lines=QUOTE.basket.lines),
        applied=(
            Applied(
                plugin="p",
                rule="r",
                key="",
                title={},
                amount=500,
                shares={"x": 300, "y": 200},
                shipping=0,
                held=True,
            ),
        ),
    )
    one = bill(free)
    assert one.fallen(Back({}, 0, 0, 0)) == [0]
    assert one.fallen(Back({"a": 1}, 0, 0, 0)) == [100]
    assert one.fallen(Back({}, 0, 1, 0)) == [500]
    assert bill(free, paid=60).parts == {"x": 36, "y": 24, DELIVERY: 0}
    assert bill(Quote(basket=Basket(lines=(BasketLine(id="x", sku="a", quantity=1, unit_price=0),))), 5).parts == {
        "x": 0,
        DELIVERY: 5,
    }


def test_a_rounding_that_is_wrong_is_seen(monkeypatch):
    monkeypatch.setattr(Quote, "part", lambda _self, one, line, units: one.shares.get(line.id, 0) * units // 5)
    with pytest.raises(AssertionError):
        test_all_refunds_together_are_what_was_paid()
    monkeypatch.undo()
    rounded = Bill.values
    monkeypatch.setattr(Bill, "values", lambda self, back: {k: v - v % 2 for k, v in rounded(self, back).items()})
    with pytest.raises(AssertionError):
        test_all_refunds_together_are_what_was_paid()
