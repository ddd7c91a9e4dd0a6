"""A merchant voids what is not used of a template; what stands in an order, or was used, stays."""

import pytest

from threepeat.sdk import Refused
from threepeat.tenancy.errors import Conflict
from threepeat.testing.together import together
from threepeat_vouchers import templates

TEA = ("green", 6_000, "tea")


def test_whatever_is_not_used_of_an_ended_template_is_void_and_the_page_says_how_many(shop, monkeypatch):
    monkeypatch.setattr(templates, "PART", 4)
    template, other = shop.template(), shop.template()
    used, held = shop.grant(template, "ann", "bob")
    shop.tell("confirm", *shop.reserve(TEA, name="ann"))
    order = shop.reserve(TEA, name="bob")
    shop.grant(template, "eve", amount=9)
    kept = shop.give(other, "eve")
    with pytest.raises(Conflict):
        shop.step(template, "void")
    shop.step(template, "end")
    assert shop.step(template, "void").figures["Taken back"] in {3, 4}, "the first part at once"
    shop.worker.drain()
    assert shop.item(template).figures["Taken back"] == 9
    assert (shop.usable("eve"), shop.state(kept)) == (1, "issued")
    states = "SELECT state FROM vouchers.voucher WHERE grant_key = :key"
    assert [shop.rows(states, key=one.key) for one in (used, held)] == [[("used",)], [("locked",)]]
    shop.tell("release", *order)
    assert shop.item(template).figures["Taken back"] == 10
    with pytest.raises(Refused):
        shop.tell("reserve", *order)


def test_an_order_that_holds_a_voided_one_can_still_be_paid(shop):
    template = shop.template()
    shop.give(template)
    order = shop.reserve(TEA)
    shop.step(template, "end")
    shop.step(template, "void")
    shop.tell("confirm", *order)
    assert list(shop.wallet("used").values()) == ["used"]
    shop.back(order, 500, whole=True)
    assert list(shop.wallet("used").values()) == ["returned"], "it is not given back"


def test_codes_of_a_voided_template_are_worth_nothing(shop):
    template = shop.template(total=9)
    first, second = shop.codes(template, 2)
    shop.enter(first)
    shop.step(template, "end")
    shop.step(template, "void")
    assert shop.wallet("expired") != {}
    assert shop.enter(second, "bob").json()["voucher"] is None
    assert shop.quote(TEA, name="bob", chosen=[second]).applied == ()
    assert shop.rows("SELECT state FROM vouchers.batch") == [("void",)]


def test_no_code_slips_through_while_its_template_is_voided(shop):
    template = shop.template(per_member=None)
    codes = shop.codes(template, 12)
    shop.step(template, "end")
    for number in range(12):
        shop.member(f"m{number}")

    def work(number):
        if number == 6:
            shop.step(template, "void")
        else:
            assert shop.enter(codes[number], f"m{number}").status_code in {200, 409}

    together(12, work)
    assert shop.rows("SELECT count(*) FROM vouchers.voucher WHERE state = 'issued'") == [(0,)]
    assert shop.wallet(name="m6") == {}
