"""Paying with a reward, and what a keeper that closes still does."""

import pytest

from threepeat.sdk import Grant, GrantState, PluginError, Refused, Revocation, Spend
from threepeat.tenancy.switches import SwitchState

GRANTED, CLOSED = GrantState.GRANTED, GrantState.CLOSED


@pytest.fixture
def rich(house, ann):
    house.grant(Grant(ann, 10, "gift", "x"))
    return ann


def refused(code):
    return pytest.raises(Refused, check=lambda error: error.code == code)


def test_the_same_reference_is_the_same_payment(house, rich):
    house.spend(Spend(rich, 4, "order 1"))
    house.spend(Spend(rich, 4, "order 1"), Spend(rich, 1, "order 2"))
    house.spend(Spend(rich, 1, "order 3"), Spend(rich, 1, "order 3"))
    assert house.held(rich) == {rich: 4}


def test_plugins_do_not_meet_each_others_references(house, rich):
    house.spend(Spend(rich, 4, "order 1"))
    house.spend(Spend(rich, 3, "order 1"), plugin="rival")
    assert house.held(rich) == {rich: 3}
    references = house.rows("SELECT reference FROM tokens.payment WHERE tenant_id = :tenant ORDER BY 1")
    assert references == [("giver:order 1",), ("rival:order 1",)]


def test_a_batch_is_paid_as_a_whole_or_not_at_all(house, rich):
    bob = house.member("bob")
    house.grant(Grant(bob, 1, "gift", "x"))
    with refused("not-enough"):
        house.spend(Spend(rich, 4, "a"), Spend(bob, 2, "b"))
    assert house.held(rich, bob) == {rich: 10, bob: 1}
    with refused("not-enough"):
        house.spend(Spend(rich, 6, "a"), Spend(rich, 5, "b"))
    house.spend(Spend(rich, 6, "a"), Spend(rich, 4, "b"), Spend(bob, 1, "c"))
    assert house.held(rich, bob) == {}


def test_a_payment_that_was_refused_leaves_nothing_even_if_the_plugin_goes_on(house, rich):
    def work(ctx):
        with refused("not-enough"):
            ctx.spend("tokens", [Spend(rich, 11, "much")])
        ctx.spend("tokens", [Spend(rich, 3, "less")])

    house.act(house.tenant, "giver", work)
    assert house.held(rich) == {rich: 7}
    assert house.rows("SELECT reference FROM tokens.payment WHERE tenant_id = :tenant") == [("giver:less",)]


def test_one_reference_cannot_stand_for_two_payments(house, rich):
    with refused("reference-taken"):
        house.spend(Spend(rich, 4, "a"), Spend(rich, 5, "a"))
    assert house.held(rich) == {rich: 10}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": 2**63}, "amount"),
        ({"amount": 1.5}, "amount"),
        ({"amount": float("nan")}, "amount"),
        ({"amount": True}, "amount"),
        ({"member": -1}, "member"),
        ({"member": 2**63}, "member"),
        ({"reference": ""}, "reference"),
        ({"reference": "x" * 201}, "reference"),
        ({"reference": "\0"}, "reference"),
        ({"reference": "\udfff"}, "reference"),
        ({"reference": None}, "reference"),
    ],
)
def test_a_wrong_payment_is_refused_by_name(house, rich, wrong, field):
    payment = {"member": rich, "amount": 1, "reference": "x", **wrong}
    with refused("invalid-payment") as error:
        house.spend(Spend(rich, 1, "right"), Spend(**payment))
    assert error.value.reason.startswith(f"spends[1].{field}: ")
    assert house.held(rich) == {rich: 10}


def test_what_cannot_be_spent_says_so(house, rich):
    with pytest.raises(PluginError, match=r"nobody can pay with 'tokens.praise'"):
        house.spend(Spend(rich, 1, "x"), kind="tokens.praise")


def test_nothing_asked_is_nothing_done(house):
    house.spend()
    assert house.grant() == []
    assert house.held() == {}


def test_a_closing_keeper_takes_nothing_new_and_still_pays_and_takes_back(house, rich):
    house.save(monthly_budget=60)
    gift = house.grant(Grant(rich, 5, "late", "x"))[0]
    assert house.disable("tokens") is SwitchState.CLOSING
    refused_one = house.grant(Grant(rich, 5, "later", "x"))[0]
    assert (refused_one.state, refused_one.cost) == (CLOSED, 0)
    house.spend(Spend(rich, 4, "a"))
    house.revoke(Revocation(gift.key, 2))
    assert house.held(rich) == {rich: 9}
    assert house.spent() == {house.month: 39}


def test_a_keeper_that_is_off_has_nothing_but_reversals_stay_complete(house, rich):
    gift = house.grant(Grant(rich, 5, "late", "x"))[0]
    house.spend(Spend(rich, 15, "all"))
    assert house.disable("tokens") is SwitchState.OFF
    assert house.states(Grant(rich, 5, "later", "x")) == [CLOSED]
    assert house.held(rich) == {}
    with refused("not-offered"):
        house.spend(Spend(rich, 1, "more"))
    house.revoke(Revocation(gift.key, 2))
    assert house.spent() == {house.month: 39}
    # This keeper writes what it could not take as less than nothing.
    assert house.rows("SELECT held FROM tokens.purse WHERE tenant_id = :tenant") == [(-2,)]


def test_a_tactic_that_is_closing_itself_may_still_keep_its_promises(house, rich):
    house.disable("giver")
    assert house.states(Grant(rich, 1, "promised", "x")) == [GRANTED]
