"""From the quote to the payment: held once, paid once, released once, whatever comes and when."""

from datetime import timedelta

import pytest

from threepeat.events import letters
from threepeat.events.pricing import Prices
from threepeat.sdk import Refused
from threepeat.tenancy import switches
from threepeat.tenancy.switches import SwitchState
from threepeat_checkout import tidying


def refused(code, work, *given):
    with pytest.raises(Refused) as caught:
        work(*given)
    assert caught.value.code == code


def test_a_quote_holds_nothing_and_says_how_its_price_came_about(shop, stall):
    stall.percent = 10
    quote = shop.quote(coupon="a", pay=500, campaign=True)
    assert (quote.state, quote.order_id) == ("quoted", None)
    assert timedelta(minutes=30) <= quote.expires_at - shop.now < timedelta(minutes=31)
    assert [(one.rule, one.amount) for one in quote.quote.applied] == [
        ("member", 850),
        ("campaign", 300),
        ("coupon", 700),
        ("purse", 500),
    ]
    assert quote.quote.total == 8_501 + 800 - 850 - 300 - 700 - 500
    assert shop.read(quote) == quote
    assert quote.quote.basket.choices == {}, "what was chosen is not kept"
    assert (shop.left("a"), shop.left("budget"), shop.purse()) == (3, 1_000, 5_000)


def test_all_reductions_together_take_no_more_than_the_store_allows(shop, stall):
    shop.save(most_percent=10)
    stall.percent = 50
    assert shop.quote(coupon="a").quote.goods == 8_501 - 850


def test_an_order_is_held_paid_and_stays_paid(shop, stall):
    quote = shop.reserved(coupon="a", pay=500)
    assert quote.state == "reserved"
    assert (shop.left("a"), shop.purse()) == (2, 4_500)
    shop.batch(shop.created(quote), shop.paid(quote))
    found = shop.read(quote)
    assert (found.state, found.order_id) == ("confirmed", "o1")
    shop.wait(60)
    shop.batch(shop.cancelled())
    assert shop.state(quote) == "confirmed", "a cancellation of what is paid changes nothing"
    assert (shop.left("a"), shop.purse()) == (2, 4_500)
    assert [what for what, *_ in stall.told] == ["reserve", "reserve", "confirm", "confirm"]


def test_reserving_twice_is_one_reservation(shop, stall):
    quote = shop.reserved(coupon="a")
    shop.wait(10)
    again = shop.ask("reserve", quote)
    assert again == quote, "the time goes on, it does not begin anew"
    assert shop.left("a") == 2
    assert len(stall.told) == 1


def test_all_or_nothing_is_held(shop):
    first = [shop.reserved(coupon="a") for _ in range(3)]
    quote = shop.quote(coupon="a", pay=500, campaign=True)
    refused("gone", shop.ask, "reserve", quote)
    assert (shop.state(quote), shop.purse(), shop.left("budget")) == ("quoted", 5_000, 1_000)
    shop.ask("release", first[0])
    assert shop.ask("reserve", quote).state == "reserved"


def test_two_unpaid_orders_never_hold_the_same_thing(shop):
    """Elsewhere a coupon counted on two orders as long as neither was paid."""
    shop.put("one", 1)
    quotes = [shop.quote(coupon="one") for _ in range(2)]
    shop.ask("reserve", quotes[0])
    refused("gone", shop.ask, "reserve", quotes[1])


def test_a_quote_that_is_too_old_is_not_held(shop):
    quote = shop.quote(coupon="a")
    shop.wait(31)
    refused("quote-expired", shop.ask, "reserve", quote)
    assert shop.left("a") == 3


def test_what_was_quoted_stands_while_it_is_young(shop, stall):
    quote = shop.quote(coupon="a")
    stall.percent = 90
    shop.wait(29)
    assert shop.ask("reserve", quote).quote == quote.quote


def test_what_is_not_paid_in_time_is_released(shop):
    quote = shop.reserved(coupon="a", pay=500)
    shop.wait(29)
    assert (shop.state(quote), shop.left("a")) == ("reserved", 2)
    shop.wait(2)
    assert (shop.state(quote), shop.left("a"), shop.purse()) == ("released", 3, 5_000)
    refused("quote-released", shop.ask, "reserve", quote)


def test_the_time_is_over_also_while_no_worker_runs(shop):
    quote = shop.reserved(coupon="a")
    shop.wait(31, drain=False)
    assert shop.state(quote) == "released"
    refused("quote-released", shop.ask, "reserve", quote)
    assert shop.ask("release", quote).state == "released"
    assert shop.left("a") == 3


def test_a_cancelled_order_gives_back_what_was_held_at_once(shop):
    quote = shop.reserved(coupon="a", pay=500)
    shop.batch(shop.created(quote))
    shop.batch(shop.cancelled("another"), shop.cancelled(name="bob"))
    assert shop.state(quote) == "reserved"
    shop.batch(shop.cancelled(), shop.cancelled(), shop.cancelled(name="bob"))
    assert (shop.state(quote), shop.left("a"), shop.purse()) == ("released", 3, 5_000)
    nobodys = shop.reserved(None, coupon="a")
    shop.batch(shop.created(nobodys, "o2"), shop.cancelled("o2"))
    assert shop.state(nobodys) == "released"


def test_releasing_by_hand(shop):
    quote = shop.reserved(coupon="a")
    assert shop.ask("release", quote).state == "released"
    assert shop.ask("release", quote).state == "released"
    assert shop.left("a") == 3
    untouched = shop.quote()
    assert shop.ask("release", untouched).state == "released"
    refused("quote-released", shop.ask, "reserve", untouched)
    shop.batch(shop.paid(again := shop.reserved()))
    refused("quote-paid", shop.ask, "release", again)


# --- Payments that come late, twice, or with the wrong quote -----------------------------------------------------


def test_a_late_payment_holds_again_under_a_new_name(shop, stall):
    """Elsewhere an order that was paid after its stock was released was sold without stock."""
    quote = shop.reserved(coupon="a", pay=500)
    shop.wait(45)
    shop.batch(shop.paid(quote))
    assert (shop.state(quote), shop.left("a"), shop.purse()) == ("confirmed", 2, 4_500)
    names = {reservation for what, reservation, *_ in stall.told if what == "confirm"}
    assert names == {f"{quote.id}.2"}
    assert shop.asked_back() == []


def test_a_hold_knows_what_is_paid_and_whether_the_payment_came_late(shop, monkeypatch):
    seen, real = [], Prices.reserve
    monkeypatch.setattr(Prices, "reserve", lambda self, holds: (seen.extend(holds), real(self, holds)))
    quote = shop.reserved(coupon="a", pay=500)
    shop.wait(31)
    shop.batch(shop.paid(quote))
    assert {(one.late, one.total) for one in seen} == {(False, quote.quote.total), (True, quote.quote.total)}
    assert all(one.prices == quote.quote.lines for one in seen)


def test_a_payment_in_time_is_honoured_though_nobody_reads_it_in_time(shop, stall):
    """Elsewhere the timeout ran before the queue after an outage, and what was paid for went to somebody else."""
    quote, open_ = shop.reserved(coupon="a", pay=500), shop.reserved(coupon="a")
    shop.batch(shop.paid(quote), drain=False)
    shop.wait(45)
    assert (shop.state(quote), shop.state(open_), shop.left("a")) == ("confirmed", "released", 2)
    told = [(what, reservation) for what, reservation, *_ in stall.told]
    assert ("release", quote.id) not in told
    assert ("confirm", quote.id) in told


def test_what_nobody_released_yet_is_still_held_for_a_late_payment(shop, stall):
    quote = shop.reserved(coupon="a")
    shop.wait(45, drain=False)
    assert shop.ask("confirm", quote, "o1").state == "confirmed"
    assert [what for what, *_ in stall.told] == ["reserve", "confirm"]


def test_a_payment_that_could_not_be_read_is_held_for_again_when_it_can(shop, stall):
    quote = shop.reserved(coupon="a")
    stall.fails = {"coupon"}
    shop.batch(shop.paid(quote))
    assert len(shop.letters()) == 1
    stall.fails = set()
    shop.wait(45)
    assert (shop.state(quote), shop.left("a")) == ("released", 3)
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        letters.retry(scope, plugin="checkout", by="test")
    shop.worker.drain()
    assert (shop.state(quote), shop.left("a"), shop.letters()) == ("confirmed", 2, [])


def test_what_did_not_change_is_not_written(shop, monkeypatch):
    quote = shop.reserved(coupon="a")
    shop.batch(shop.created(quote))
    statements = shop.platform.statements["checkout"]
    for name in ("stand", "take", "claim", "settle"):
        monkeypatch.delitem(statements, name)
    shop.batch(
        shop.created(quote),
        shop.created(quote, "o1"),
        shop.event("order.paid", "ann", order_id="o8", total=5, currency="CNY"),
    )
    monkeypatch.undo()
    assert shop.letters() == []


def test_a_late_payment_that_cannot_be_honoured_asks_for_its_money_once(shop):
    quote = shop.reserved(coupon="a", pay=500)
    shop.wait(45)
    others = [shop.reserved(coupon="a") for _ in range(3)]
    for _ in range(2):
        shop.batch(shop.paid(quote), shop.paid(quote))
    assert shop.asked_back() == [("o1", quote.quote.total, "quote-gone")]
    assert (shop.state(quote), shop.purse()) == ("released", 5_000)
    assert {shop.state(one) for one in others} == {"reserved"}
    refused("order-paid", shop.ask, "confirm", quote, "o1")


def test_a_payment_that_was_never_reserved_is_held_if_it_can_be(shop):
    quote = shop.quote(coupon="a")
    shop.batch(shop.paid(quote))
    assert (shop.state(quote), shop.left("a")) == ("confirmed", 2)


def test_money_that_went_back_before_its_late_payment_is_not_asked_back_again(shop):
    quote = shop.reserved(coupon="a")
    shop.wait(45)
    for _ in range(3):
        shop.reserved(coupon="a")
    shop.batch(shop.refunded(quote.quote.total - 100))
    shop.batch(shop.paid(quote))
    assert shop.asked_back() == [("o1", 100, "quote-gone")]


def test_a_second_order_with_a_paid_quote_asks_for_its_own_money_only(shop):
    """Elsewhere the failure of a second checkout paid back the first one's order."""
    quote = shop.reserved(coupon="a")
    shop.batch(shop.paid(quote, "o1"), shop.paid(quote, "o2"))
    shop.batch(shop.paid(quote, "o2"))
    assert shop.read(quote).order_id == "o1"
    assert shop.asked_back() == [("o2", quote.quote.total, "quote-taken")]
    assert shop.left("a") == 2
    shop.batch(shop.refunded(quote.quote.total, order="o2", quote=quote))
    assert shop.left("a") == 2, "what goes back of the other order is not the first one's"


def test_an_order_is_paid_with_one_quote(shop):
    one, other = shop.reserved(coupon="a"), shop.reserved(coupon="a")
    shop.batch(shop.paid(one), shop.paid(other))
    assert (shop.state(one), shop.state(other)) == ("confirmed", "reserved")
    refused("order-paid", shop.ask, "confirm", other, "o1")
    assert shop.asked_back() == []


def test_somebody_elses_quote_is_refused_and_written_down(shop):
    quote = shop.reserved(coupon="a")
    shop.batch(shop.paid(quote, name="bob"), shop.created(quote, "o9", name="bob"))
    assert shop.state(quote) == "reserved"
    assert shop.rows("SELECT order_id, outcome FROM checkout.payment") == [("o1", "stranger")]
    assert shop.asked_back() == []
    shop.batch(shop.cancelled("o9", name="bob"))
    assert shop.state(quote) == "reserved"


def test_an_unknown_reservation_is_ignored(shop):
    quote = shop.quote()
    shop.batch(shop.event("order.paid", "ann", order_id="o1", total=5, currency="CNY", reservation_id="nothing"))
    shop.batch(shop.event("order.paid", "ann", order_id="o2", total=5, currency="CNY"))
    assert shop.state(quote) == "quoted"
    assert shop.rows("SELECT 1 FROM checkout.payment") == []


def test_what_differs_from_the_quote_is_kept(shop):
    quote = shop.reserved(coupon="a")
    shop.batch(shop.paid(quote, total=quote.quote.total - 7))
    shop.batch(shop.paid(quote, total=1))
    assert shop.rows("SELECT total FROM checkout.payment") == [(quote.quote.total - 7,)]


def test_confirming_by_hand_is_the_same_as_the_event(shop):
    quote = shop.reserved(coupon="a", pay=500)
    for _ in range(2):
        found = shop.ask("confirm", quote, "o1")
        assert (found.state, found.order_id) == ("confirmed", "o1")
    refused("quote-paid", shop.ask, "confirm", quote, "o2")
    shop.batch(shop.paid(quote, total=quote.quote.total), shop.paid(quote, total=1))
    assert shop.rows("SELECT total, outcome FROM checkout.payment") == [(quote.quote.total, "confirmed")]
    assert shop.left("a") == 2
    late = shop.reserved(coupon="a")
    shop.wait(45)
    assert shop.ask("confirm", late, "o3").state == "confirmed"
    gone = shop.reserved(coupon="a")
    shop.wait(45)
    shop.reserved(coupon="a")
    refused("gone", shop.ask, "confirm", gone, "o4")
    assert shop.rows("SELECT 1 FROM checkout.payment WHERE order_id = 'o4'") == []


def test_events_in_any_order_come_to_the_same(shop):
    quote = shop.reserved(coupon="a")
    shop.batch(shop.cancelled(), shop.paid(quote), shop.created(quote))
    shop.batch(shop.cancelled())
    assert (shop.state(quote), shop.left("a")) == ("confirmed", 2)


def test_somebody_whom_nobody_knew_may_pay(shop):
    quote = shop.reserved(None, coupon="a")
    assert (quote.member, shop.left("a")) == (None, 2)
    shop.batch(shop.paid(quote))
    assert (shop.state(quote), shop.read(quote).member) == ("confirmed", shop.member())
    other = shop.reserved(None, coupon="a")
    assert shop.ask("confirm", other, "o2").member is None
    shop.batch(shop.paid(other, "o2", name="bob"), shop.paid(other, "o2"))
    assert shop.read(other).member == shop.member("bob")
    shop.batch(shop.refunded(quote.quote.total), shop.refunded(1, order="o2"))
    assert shop.left("a") == 2, "the whole first order came back, of the second not even its buyer's"


# --- The rules behind it --------------------------------------------------------------------------------------


def test_a_rule_that_fails_keeps_its_order_and_no_other(shop, stall):
    good, bad = shop.reserved(coupon="a"), shop.reserved(pay=500)
    stall.fails = {"purse"}
    shop.batch(shop.paid(good, "o1"), shop.paid(bad, "o2"))
    assert (shop.state(good), shop.state(bad)) == ("confirmed", "reserved")
    assert len(shop.letters()) == 1
    stall.fails = set()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        assert letters.retry(scope, plugin="checkout", by="test") == 1
    shop.worker.drain()
    assert (shop.state(bad), shop.letters()) == ("confirmed", [])


def test_what_is_held_is_owed_until_it_is_paid_or_released(shop):
    quote = shop.reserved(coupon="a")
    owed = shop.call(lambda ctx: list(shop.platform.registry["checkout"].plugin.open_obligations(ctx)))
    assert owed == ["1 order that is not paid yet is held for a member"]
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        off = switches.disable(
            scope, shop.tenant, shop.platform.registry, "checkout", by="t", act=shop.platform.act
        )
    assert off.state is SwitchState.CLOSING
    shop.batch(shop.paid(quote))
    assert shop.state(quote) == "confirmed"
    assert shop.call(lambda ctx: list(shop.platform.registry["checkout"].plugin.open_obligations(ctx))) == []


def test_what_nobody_wanted_goes_after_a_day_and_what_was_not_paid_after_ninety(shop):
    idle, open_, unpaid = shop.quote(), shop.reserved(coupon="a"), shop.reserved(coupon="a")
    shop.batch(shop.paid(open_, "o1"), shop.refunded(5, order="o7"))
    shop.ask("release", shop.quote())
    shop.wait(60 * 48)
    assert shop.rows("SELECT count(*) FROM checkout.quote") == [(2,)]
    assert shop.read(idle) is None
    shop.wait(60 * 24 * 91)
    shop.worker.drain()
    assert shop.read(unpaid) is None
    assert shop.rows("SELECT quote_id FROM checkout.taken") == [(open_.id,)]
    assert shop.rows("SELECT 1 FROM checkout.refund") == []
    assert shop.state(open_) == "confirmed"


def test_sweeping_goes_on_where_one_run_ends(shop, monkeypatch):
    monkeypatch.setattr(tidying, "MOST", 2)
    for _ in range(5):
        shop.quote()
    shop.wait(60 * 48)
    shop.worker.drain()
    assert shop.rows("SELECT 1 FROM checkout.quote") == []
