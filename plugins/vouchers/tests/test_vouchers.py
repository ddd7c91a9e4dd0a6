"""What vouchers take off, who holds them, and what becomes of them."""

import pytest

from threepeat.sdk import Refused
from threepeat.tenancy.errors import Invalid

TEA = ("green", 6_000, "tea")
CUP = ("cup", 3_000, "cups")
TIN = ("tin", 999, "tea")


def amounts(quote):
    return {one.key: (one.amount, one.shipping) for one in quote.applied}


def reasons(quote):
    return {one.key: one.reason["en"] for one in quote.left_out}


# --- what they take off


@pytest.mark.parametrize(
    ("terms", "off"),
    [
        ({"amount": 500}, 500),
        ({"amount": 50_000}, 9_999),
        ({"amount": 500, "threshold": 9_999}, 500),
        ({"kind": "percent", "percent": 10}, 999),
        ({"kind": "percent", "percent": 100, "cap": 3_000}, 3_000),
        ({"amount": 20_000, "scope": "categories", "categories": ["tea"]}, 6_999),
        ({"amount": 20_000, "scope": "skus", "skus": ["tin"]}, 999),
        ({"amount": 20_000, "except_categories": ["tea"]}, 3_000),
        ({"amount": 20_000, "scope": "categories", "categories": ["tea"], "except_skus": ["green"]}, 999),
    ],
)
def test_what_each_kind_takes_off_the_things_that_it_is_for(shop, terms, off):
    one = shop.give(shop.template(**terms))
    quote = shop.quote(TEA, CUP, TIN)
    assert amounts(quote) == {str(one): (off, 0)}
    assert sum(quote.lines.values()) == 9_999 - off
    shop.tell("reserve", *shop.holds(quote))
    assert shop.state(one) == "locked"


def test_the_threshold_counts_what_the_things_it_is_for_come_to_after_the_reductions_before(shop, member_price):
    one = shop.give(shop.template(threshold=6_500, scope="categories", categories=["tea"]))
    assert amounts(shop.quote(TEA, CUP, TIN)) == {str(one): (500, 0)}
    quote = shop.quote(TEA, CUP, chosen=[str(one)])
    assert reasons(quote) == {str(one): "Spend CN¥5.00 more on tea"}
    assert quote.left_out[0].reason["zh"] == "再购买¥5.00的tea可用"
    assert reasons(shop.quote(CUP, chosen=[str(one)])) == {str(one): "Not for these things"}
    member_price(3_000)
    assert "more on tea" in reasons(shop.quote(TEA, CUP, TIN, chosen=[str(one)]))[str(one)]


def test_things_that_are_not_in_the_basket_are_no_threshold(shop):
    one = shop.give(shop.template(scope="skus", skus=["rice"]))
    assert reasons(shop.quote(TEA, chosen=[str(one)])) == {str(one): "Not for these things"}


def test_free_delivery_stands_beside_an_amount_and_has_a_limit(shop):
    money = shop.give(shop.template(amount=500))
    free = shop.give(shop.template(kind="delivery", cap=300, threshold=5_000))
    quote = shop.quote(TEA, chosen=[str(free), str(money)])
    assert amounts(quote) == {str(money): (500, 0), str(free): (0, 300)}
    assert quote.total == 6_000 - 500 + 500
    assert amounts(shop.quote(TEA, shipping=0)) == {str(money): (500, 0)}, "none is used up for nothing"


def test_a_gift_goes_along_and_is_held(shop):
    one = shop.give(shop.template(kind="gift", gift_sku="mug", gift_name="Mug", cost=700, budget=1_000))
    quote = shop.quote(TEA)
    assert [gift.sku for applied in quote.applied for gift in applied.gifts] == ["mug"]
    assert (amounts(quote), quote.goods) == ({str(one): (0, 0)}, 6_000)
    holds = shop.holds(quote)
    shop.tell("reserve", *holds)
    shop.tell("confirm", *holds)
    assert shop.rows("SELECT taken FROM vouchers.template") == [(700,)], "a gift takes what it costs"


def test_of_a_wallet_the_one_that_takes_most_counts_and_one_of_them_only(shop):
    small, large = (shop.give(shop.template(amount=amount)) for amount in (300, 800))
    quote = shop.quote(TEA)
    assert amounts(quote) == {str(large): (800, 0)}
    assert [(one.key, one.why) for one in quote.left_out] == [(str(small), "group")]
    assert amounts(shop.quote(TEA, chosen=[])) == {}, "none was chosen"
    assert amounts(shop.quote(TEA, chosen=[str(small)])) == {str(small): (300, 0)}
    shop.save(choose_best=False)
    assert amounts(shop.quote(TEA)) == {}


def test_the_next_best_counts_where_the_best_does_not_stand_beside_a_price(shop, member_price):
    alone = shop.give(shop.template(amount=800, stacks="listed"))
    beside = shop.give(shop.template(amount=300, stacks="listed", beside=["member"]))
    assert set(amounts(shop.quote(TEA))) == {str(alone)}
    member_price(100)
    quote = shop.quote(TEA)
    assert str(beside) in amounts(quote)
    assert str(alone) not in amounts(quote)
    member_price(100, group="activity")
    assert set(amounts(shop.quote(TEA))) == {""}


def test_many_of_one_kind_crowd_out_no_other(shop, member_price):
    """Elsewhere the first twenty of a wallet were looked at, and none of those might count."""
    alone, beside = shop.template(amount=800, stacks="listed"), shop.template(amount=300)
    shop.grant(alone, "ann", amount=30)
    shop.grant(beside, "ann")
    member_price(100)
    quote = shop.quote(TEA)
    assert [one.amount for one in quote.applied] == [100, 300]
    assert len(quote.left_out) == 1, "thirty that say the same are said once"


def test_of_equal_ones_the_one_that_ends_first_is_used_first(shop):
    template = shop.template(days=3)
    first = shop.give(template)
    shop.day(1)
    second = shop.give(template)
    assert [set(amounts(shop.quote(TEA)))] == [{str(first)}]
    shop.tell("confirm", *shop.reserve(TEA))
    assert set(amounts(shop.quote(TEA))) == {str(second)}


# --- which can be chosen


def test_whatever_was_chosen_and_does_not_count_has_a_reason(shop):
    template = shop.template(days=2, start_after_days=1)
    early = shop.give(template)
    bobs = shop.give(template, "bob")
    quote = shop.quote(TEA, chosen=[str(early), str(bobs), "0" * 30, "ABCD-EFGH-JKMN-PQRS-TVWX", str(2**70), "-1"])
    assert reasons(quote) == {
        str(early): "Counts from Mar 3, 2026 on",
        **{f"choice-{place}": "There is no such voucher" for place in (2, 3, 4, 5, 6)},
    }
    shop.day(1)
    (hold,) = shop.reserve(TEA, chosen=[str(early)])
    assert reasons(shop.quote(TEA, chosen=[str(early)])) == {str(early): "Held for another order"}
    shop.tell("confirm", hold)
    assert reasons(shop.quote(TEA, chosen=[str(early)])) == {str(early): "Used already"}
    late = shop.give(template)
    shop.day(30)
    quote = shop.quote(TEA, chosen=[str(late)])
    assert reasons(quote) == {str(late): "Ended on Mar 5, 2026"}
    assert quote.left_out[0].reason["zh"] == "已于2026年3月5日到期"


@pytest.mark.parametrize("choice", [7, "x", {"a": 1}, [1], [None], [""], ["x" * 81], ["1"] * 21, [["1"]]])
def test_a_choice_that_is_none_is_said_so_and_costs_nothing_else(shop, choice):
    shop.give(shop.template())
    quote = shop.quote(TEA, chosen=choice)
    assert amounts(quote) == {}
    assert reasons(quote) == {"": "Send a list of vouchers' ids and codes, at most 20"}


@pytest.mark.parametrize("text", ["\0", "\ud800", "١٢٣", "1 OR 1", "' --", "9" * 79, "💐" * 20])
def test_hostile_choices_are_no_vouchers(shop, text):
    assert reasons(shop.quote(TEA, chosen=[text])) == {"choice-1": "There is no such voucher"}


def test_somebody_whom_nobody_knows_has_no_vouchers(shop):
    assert shop.quote(TEA, name=None).left_out == ()
    assert reasons(shop.quote(TEA, name=None, chosen=["1"])) == {"": "Only members can use vouchers"}


# --- one order at a time


def test_two_unpaid_orders_never_hold_the_same_voucher(shop):
    """Elsewhere a voucher on an unpaid order could be used for a second one."""
    one = shop.give(shop.template())
    first, second = (shop.holds(shop.quote(TEA)) for _ in range(2))
    shop.tell("reserve", *first)
    shop.tell("reserve", *first)
    with pytest.raises(Refused) as refused:
        shop.tell("reserve", *second)
    assert refused.value.code == "not-usable"
    shop.tell("release", *first)
    shop.tell("release", *first)
    shop.tell("reserve", *second)
    shop.tell("release", *first)
    assert shop.state(one) == "locked", "an order that let go has no say any more"
    shop.tell("confirm", *second)
    shop.tell("confirm", *second)
    with pytest.raises(Refused) as refused:
        shop.tell("confirm", *first)
    assert refused.value.code == "not-held"
    shop.tell("release", *second)
    assert shop.state(one) == "used", "what was paid is not released"
    assert len(shop.events("voucher.used")) == 1


def test_an_order_that_is_paid_late_has_its_voucher_again_or_is_refused(shop):
    shop.give(shop.template())
    holds = shop.reserve(TEA)
    shop.tell("release", *holds)
    shop.tell("reserve", *holds)
    shop.tell("confirm", *holds)
    shop.give(shop.template())
    late = shop.reserve(TEA)
    shop.tell("release", *late)
    shop.reserve(TEA)
    with pytest.raises(Refused):
        shop.tell("reserve", *late)


def test_a_cancelled_order_gives_back_what_has_not_ended_and_expiry_needs_no_job(shop):
    one = shop.give(shop.template(days=2))
    holds = shop.reserve(TEA)
    shop.tell("release", *holds)
    assert shop.wallet() == {str(one): "usable"}
    holds = shop.reserve(TEA)
    shop.day(2)
    assert shop.wallet() == {str(one): "locked"}
    shop.tell("release", *holds)
    assert (shop.wallet(), shop.wallet("expired")) == ({}, {str(one): "expired"})
    assert shop.usable() == 0
    with pytest.raises(Refused):
        shop.tell("reserve", *holds)


def test_what_ran_out_between_quote_and_order_is_not_held(shop):
    shop.give(shop.template(days=1))
    holds = shop.holds(shop.quote(TEA))
    shop.day(1, 0)
    with pytest.raises(Refused):
        shop.tell("reserve", *holds)


# --- what comes back


def test_a_whole_return_gives_it_back_once_and_a_partial_one_does_not(shop):
    one = shop.give(shop.template(amount=500, budget=800))
    holds = shop.reserve(TEA)
    shop.tell("confirm", *holds)
    shop.back(holds, 200)
    shop.back(holds, 200)
    assert shop.state(one) == "used"
    shop.back(holds, 500, whole=True)
    assert shop.wallet() == {str(one): "usable"}
    again = shop.reserve(TEA)
    shop.tell("confirm", *again)
    shop.back(holds, 500, whole=True)
    assert shop.state(one) == "used", "a late repeat of the first order's return has no say"
    assert [data["usable"] for (data,) in shop.events("voucher.returned")] == [True]


def test_a_template_may_keep_what_comes_back_and_an_ended_one_stays_ended(shop):
    kept = shop.give(shop.template(give_back=False))
    holds = shop.reserve(TEA)
    shop.tell("confirm", *holds)
    shop.back(holds, 500, whole=True)
    assert (shop.state(kept), shop.wallet("used")) == ("returned", {str(kept): "returned"})
    over = shop.give(shop.template(days=1))
    holds = shop.reserve(TEA)
    shop.tell("confirm", *holds)
    shop.day(1)
    shop.back(holds, 500, whole=True)
    assert shop.wallet("expired") == {str(over): "expired"}
    assert [data["usable"] for (data,) in shop.events("voucher.returned")] == [False, False]


def test_a_budget_counts_what_is_held_and_used_and_neither_cancelled_nor_returned_orders(shop):
    """Elsewhere orders that were cancelled went on counting toward a limit."""
    template = shop.template(amount=500, budget=1_000)
    for name in ("ann", "bob", "eve"):
        shop.give(template, name)
    ann, bob = (shop.reserve(TEA, name=name) for name in ("ann", "bob"))
    quote = shop.quote(TEA, name="eve")
    assert (amounts(quote), set(reasons(quote).values())) == ({}, set())
    (mine,) = shop.wallet(name="eve")
    assert reasons(shop.quote(TEA, name="eve", chosen=[mine])) == {mine: "All of this offer has been used"}
    shop.tell("release", *ann)
    held = shop.reserve(TEA, name="eve")
    with pytest.raises(Refused) as refused:
        shop.tell("reserve", *ann)
    assert refused.value.code == "none-left"
    shop.tell("confirm", *bob)
    shop.back(bob, 100)
    with pytest.raises(Refused):
        shop.tell("reserve", *ann)
    shop.back(bob, 500, whole=True)
    shop.tell("reserve", *ann)
    shop.tell("confirm", *held, *ann)


# --- templates


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": None}, "amount"),
        ({"kind": "percent"}, "percent"),
        ({"kind": "percent", "percent": 101}, "percent"),
        ({"kind": "gift"}, "gift_sku"),
        ({"scope": "skus"}, "skus"),
        ({"scope": "categories"}, "categories"),
        ({"days": None}, "days"),
        ({"validity": "dates"}, "first_day"),
        ({"validity": "dates", "first_day": "2026-03-05"}, "last_day"),
        ({"validity": "dates", "first_day": "2026-03-05", "last_day": "2026-03-04"}, "last_day"),
        ({"total": 0}, "total"),
        ({"budget": 2**63}, "budget"),
        ({"name": " "}, "name"),
        ({"name": "a\0"}, "name"),
        ({"skus": ["x"] * 201}, "skus"),
        ({"beside": ["nobody"]}, "beside.0"),
        ({"more": 1}, "more"),
    ],
)
def test_a_template_that_makes_no_sense_is_refused_at_its_field(shop, wrong, field):
    with pytest.raises(Invalid) as refused:
        shop.draft(**wrong)
    assert f"values.{field}" in [one.field for one in refused.value.errors]


def test_the_terms_of_vouchers_that_are_out_stand_and_limits_only_widen(shop):
    template = shop.template(amount=500, total=3, budget=900)
    shop.give(template)
    terms = {"amount": 400, "threshold": 1, "days": 5, "total": 2, "budget": 899, "give_back": False}
    for worse in ({name: value} for name, value in terms.items()):
        with pytest.raises(Refused) as refused:
            shop.change(template, **worse)
        assert refused.value.code == "terms-stand", worse
    shop.change(template, name="Better", total=4, budget=None, per_member=2, claimable=True)
    shop.change(template, total=None)
    with pytest.raises(Refused):
        shop.change(template, total=1_000_000)
    draft = shop.draft(amount=500)
    assert shop.change(draft.id, amount=400, total=1).values.amount == 400


def test_a_template_goes_its_way_and_whatever_is_out_counts_on(shop):
    draft = shop.draft()
    assert shop.grant(draft.id, "ann")[0].state == "closed"
    shop.step(draft.id, "activate")
    one = shop.give(draft.id)
    shop.step(draft.id, "pause")
    assert shop.grant(draft.id, "ann")[0].state == "closed"
    assert shop.claim(draft.id).status_code == 409
    shop.step(draft.id, "resume")
    shop.step(draft.id, "end")
    assert shop.grant(draft.id, "ann")[0].state == "closed"
    assert amounts(shop.quote(TEA)) == {str(one): (500, 0)}
    over = shop.draft(validity="dates", first_day="2026-01-01", last_day="2026-03-01")
    with pytest.raises(Refused) as refused:
        shop.step(over.id, "activate")
    assert refused.value.code == "over"


def test_fixed_dates_are_local_days_to_the_end_of_the_last(shop):
    one = shop.give(shop.template(validity="dates", first_day="2026-03-03", last_day="2026-03-04"))
    states = []
    for day, *clock in ((0, 23, 59), (1, 0), (2, 23, 59), (3, 0)):
        shop.day(day, *clock)
        states += [*shop.wallet().values(), *shop.wallet("expired").values()]
    assert states == ["coming", "usable", "usable", "expired"]
    assert shop.state(one) == "issued", "no job has marked it"


def test_a_template_says_what_it_comes_to(shop):
    made = shop.draft(amount=2_000, threshold=9_900, scope="categories", categories=["tea"], stacks="listed")
    assert [str(one) for one in made.values.worked(shop.tenant.store)] == [
        "CN¥20.00 off from CN¥99.00.",
        "For tea.",
        "Valid on 30 days, beginning with the one on which it is given.",
        "Not beside every other reduction.",
        "An order of CN¥99.00 costs CN¥20.00 less.",
        "An order of CN¥198.00 costs CN¥20.00 less.",
    ]


@pytest.mark.parametrize(
    ("beside", "group", "stands"), [("other", "", True), ("member", "", False), ("other", "member", False)]
)
def test_a_box_of_the_form_means_its_groups(shop, member_price, beside, group, stands):
    one = shop.give(shop.template(stacks="listed", beside=[beside]))
    member_price(100, group=group)
    assert (str(one) in amounts(shop.quote(TEA))) is stands
