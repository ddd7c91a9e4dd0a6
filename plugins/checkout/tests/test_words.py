"""What merchants set and read: the form, its example, and the questions."""

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from threepeat.sdk import Period
from threepeat_checkout.settings import CheckoutSettings


@pytest.mark.parametrize(
    "wrong", [{"quote_minutes": 0}, {"hold_minutes": 1441}, {"most_percent": 0}, {"most_percent": 101}, {"x": 1}]
)
def test_settings_out_of_bounds_are_refused_at_their_field(wrong):
    with pytest.raises(ValidationError) as caught:
        CheckoutSettings(**wrong)
    assert [error["loc"] for error in caught.value.errors()] == [tuple(wrong)]


def test_the_example_follows_the_limit(shop):
    store = shop.tenant.store
    assert [str(one) for one in CheckoutSettings().worked(store)] == ["Goods for CN¥200.00 cost at least CN¥0.00"]
    assert str(next(iter(CheckoutSettings(most_percent=35).worked(store)))).endswith("CN¥130.00")


def metric(shop, name, days=3):
    def answer(ctx):
        today = ctx.now.astimezone(ctx.tenant.timezone).date()
        span = [today - timedelta(days=days - 1 - number) for number in range(days)]
        begin = datetime.combine(span[0], datetime.min.time(), ctx.tenant.timezone)
        period = Period(span, begin, begin + timedelta(days=days))
        return shop.platform.registry["checkout"].metrics[name].answer(ctx, period)

    return shop.call(answer)


def test_the_page_says_what_became_of_orders(shop, stall):
    stall.percent = 10
    shop.quote()
    paid, unpaid, odd = (shop.reserved(coupon="a") for _ in range(3))
    shop.ask("release", unpaid)
    shop.batch(shop.paid(paid, "o1"), shop.paid(odd, "o2", total=1), shop.paid(paid, "o3"))
    shop.batch(shop.paid(odd, "o4", name="bob"), shop.refunded(paid.quote.total, order="o1"))
    assert metric(shop, "held").steps == [("Held", 3), ("Paid", 2)]
    assert metric(shop, "taken").rows == [
        ("stall.member", 2, 1_700, 850),
        ("stall.coupon", 2, 1_400, 700),
    ]
    assert metric(shop, "differ").rows == [("o2", odd.quote.total, 1, 1 - odd.quote.total)]
    assert metric(shop, "refused").rows == [
        ("o3", "Its price was used by another order", paid.quote.total),
        ("o4", "Its price was another member's", odd.quote.total),
    ]
    shop.wait(60 * 24 * 10)
    assert metric(shop, "held").steps == [("Held", 0), ("Paid", 0)]
    assert metric(shop, "taken").rows == metric(shop, "differ").rows == metric(shop, "refused").rows == []
