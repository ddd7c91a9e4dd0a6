"""What a month may cost, and what comes back."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threepeat.events.budgets import OvertakenError
from threepeat.events.context import Cause
from threepeat.sdk import Grant, GrantState, PluginError, Revocation
from threepeat.tenancy.errors import Invalid

GRANTED, DUPLICATE, OVER = GrantState.GRANTED, GrantState.DUPLICATE, GrantState.OVER_BUDGET
CLOSED = GrantState.CLOSED
BIG = 10**15


def gifts(member, *amounts):
    return [Grant(member, amount, f"gift{number}", "x") for number, amount in enumerate(amounts)]


# --- Going out --------------------------------------------------------------------------------------------------


def test_without_a_budget_everything_is_given_and_counted(house, ann):
    assert house.states(*gifts(ann, 1, 10**9)) == [GRANTED, GRANTED]
    assert house.spent() == {house.month: 3 * (10**9 + 1)}


def test_what_is_not_covered_is_passed_over_and_what_fits_later_is_given(house, ann):
    house.save(monthly_budget=30)
    assert house.states(*gifts(ann, 5, 6, 4, 2, 1)) == [GRANTED, OVER, GRANTED, OVER, GRANTED]
    assert house.held(ann) == {ann: 10}
    assert house.spent() == {house.month: 30}
    assert house.rows("SELECT count(*) FROM core.reward WHERE tenant_id = :tenant") == [(3,)]


def test_what_was_over_budget_is_not_owed_and_whoever_asks_again_asks_anew(house, ann):
    house.save(monthly_budget=8)
    big, small = gifts(ann, 3, 1)
    assert house.states(big, small) == [OVER, GRANTED]
    assert house.states(big) == [OVER]
    house.save(monthly_budget=12)
    assert house.states(big, small) == [GRANTED, DUPLICATE]
    house.save(monthly_budget=None)
    assert house.states(*gifts(ann, 3, 1, 1000)) == [DUPLICATE, DUPLICATE, GRANTED]


def test_what_was_given_before_takes_nothing_of_the_rest(house, ann):
    house.save(monthly_budget=12)
    house.grant(*gifts(ann, 2))
    assert house.states(*gifts(ann, 2, 2)) == [DUPLICATE, GRANTED]
    assert house.states(*gifts(ann, 2, 2, 1)) == [DUPLICATE, DUPLICATE, OVER]


def test_grants_of_one_call_see_what_it_has_given_already(house, ann):
    house.save(monthly_budget=9)
    one, two, three = gifts(ann, 2, 2, 1)

    def work(ctx):
        return [ctx.grant("tokens", [grant])[0].state for grant in (one, two, three)]

    assert house.act(house.tenant, "giver", work) == [GRANTED, OVER, GRANTED]
    assert house.spent() == {house.month: 9}


def test_a_budget_of_nothing_and_one_that_was_lowered_still_give_what_costs_nothing(house, ann):
    house.grant(*gifts(ann, 5))
    house.save(monthly_budget=3)
    free = Grant(ann, 9, "thanks", "x")
    assert house.states(Grant(ann, 1, "more", "x")) == [OVER]
    assert house.states(free, kind="tokens.praise") == [GRANTED]
    house.save("rival", monthly_budget=0)
    assert house.states(Grant(ann, 1, "more", "x"), plugin="rival") == [OVER]
    assert house.states(free, kind="tokens.praise", plugin="rival") == [GRANTED]


def test_each_tactic_has_its_own_budget_and_each_month_too(house, ann):
    house.save(monthly_budget=3)
    assert house.states(*gifts(ann, 1, 1)) == [GRANTED, OVER]
    assert house.states(*gifts(ann, 1, 1), plugin="rival") == [GRANTED, GRANTED]
    house.at(datetime(2031, 5, 20, tzinfo=UTC))
    assert house.states(*gifts(ann, 1, 1)) == [DUPLICATE, GRANTED]
    assert house.spent() == {house.month: 3, date(2031, 5, 1): 3}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    budget=st.integers(0, 120),
    cuts=st.sets(st.integers(1, 11)),
)
def test_it_does_not_matter_how_grants_are_cut_into_batches(house, make_tenant, amounts, budget, cuts):
    outcomes = []
    for places in (set(), cuts, set(range(1, 12))):
        store = house.other(make_tenant, "giver", "tokens")
        store.save(monthly_budget=budget)
        grants = gifts(store.member(), *amounts)
        edges = [0, *sorted(place for place in places if place < len(grants)), len(grants)]
        batches = [grants[start:end] for start, end in pairwise(edges)]
        outcomes.append([state for batch in batches for state in store.states(*batch)])
        spent = 3 * sum(a for a, state in zip(amounts, outcomes[-1], strict=True) if state is GRANTED)
        assert sum(store.spent().values()) == spent <= budget
        assert store.violations() == []
    assert outcomes[0] == outcomes[1] == outcomes[2]


def test_sums_never_wrap_around(house, ann, keeper):
    keeper.cost_of_one = 1
    bulk = [Grant(ann, BIG, "gift", f"x{number}") for number in range(501)]
    states = house.states(*bulk, plugin="rival")
    assert states == [GRANTED] * 500 + [OVER]
    assert house.spent("rival") == {house.month: 5 * 10**17}
    assert house.states(Grant(ann, 1, "gift", "last"), plugin="rival") == [OVER]
    house.save("rival", monthly_budget=BIG)
    assert house.states(Grant(ann, 1, "gift", "last"), plugin="rival") == [OVER]


@pytest.mark.parametrize("cost", [-1, BIG + 1, 1.5, True])
def test_a_keeper_that_names_no_price_gives_nothing(house, ann, keeper, cost):
    keeper.__dict__["cost_of_one"] = Priced(cost)
    with pytest.raises(PluginError, match=r"the cost of 7 tokens: .* is not a whole number from 0"):
        house.grant(*gifts(ann, 7))


def charms(member, *items):
    return [Grant(member, 1, f"charm{number}", "x", item=item) for number, item in enumerate(items)]


def test_of_a_kind_with_several_what_cannot_be_had_is_passed_over_and_costs_nothing(house, ann, keeper):
    keeper.__dict__["rare"] = 1
    house.save(monthly_budget=16)
    wanted = charms(ann, "rare", "gone", "rare", "ruby", "rare", "ruby", "ruby")
    assert house.states(*wanted, kind="tokens.charm") == [GRANTED, CLOSED, CLOSED, GRANTED, CLOSED, GRANTED, OVER]
    assert house.spent() == {house.month: 15}
    assert house.held(ann) == {ann: 3}
    assert house.rows("SELECT count(*) FROM core.reward WHERE tenant_id = :tenant") == [(3,)]
    house.save(monthly_budget=None)
    assert house.states(*wanted, kind="tokens.charm") == [
        DUPLICATE, CLOSED, GRANTED, DUPLICATE, CLOSED, DUPLICATE, GRANTED,
    ]  # fmt: skip


def test_what_was_given_is_a_duplicate_also_when_no_more_can_be_had(house, ann, keeper):
    keeper.__dict__["rare"] = 1
    wanted = charms(ann, "rare")
    assert house.states(*wanted, kind="tokens.charm") == [GRANTED]
    keeper.__dict__["rare"] = 0
    assert house.states(*wanted, kind="tokens.charm") == [DUPLICATE]
    gone = [replace(wanted[0], item="gone")]
    assert house.states(*gone, kind="tokens.charm") == [DUPLICATE]


@pytest.mark.parametrize(("kind", "item"), [("tokens.charm", ""), ("tokens", "ruby")])
def test_which_one_is_said_of_a_kind_with_several_and_of_no_other(house, ann, kind, item):
    with pytest.raises(PluginError, match=r"grants\[0\]\.item"):
        house.grant(Grant(ann, 1, "x", "x", item=item), kind=kind)


class Priced:
    def __init__(self, cost):
        self.cost = cost

    def __rmul__(self, _amount):
        return self.cost


@pytest.mark.parametrize("budget", [-1, BIG + 1, 2**63])
def test_a_budget_out_of_range_is_refused_by_name(house, budget):
    with pytest.raises(Invalid, match="monthly_budget: choose 0 to 1000000000000000, in minor units"):
        house.save(monthly_budget=budget)


# --- All or nothing ---------------------------------------------------------------------------------------------


def test_a_keeper_that_fails_undoes_its_batch_and_no_more(house, ann, keeper, worker):
    keeper.fails_at = 13
    bad = [Grant(ann, 1, "gift", "bad"), Grant(ann, 13, "gift", "worse")]

    def work(ctx):
        assert ctx.grant("tokens", gifts(ann, 4))[0].state is GRANTED
        with pytest.raises(ValueError, match="the keeper failed"):
            ctx.grant("tokens", bad)
        assert ctx.grant("tokens", gifts(ann, 4, 5))[1].state is GRANTED

    house.act(house.tenant, "giver", work)
    worker.drain()
    assert house.held(ann) == {ann: 9}
    assert house.spent() == {house.month: 27}
    told = (
        "SELECT data ->> 'tokens' FROM core.event WHERE tenant_id = :tenant AND type = 'tokens.given' ORDER BY 1"
    )
    assert house.rows(told) == [("4",), ("5",)]
    keeper.fails_at = None
    assert house.states(*bad) == [GRANTED, GRANTED]


def test_who_was_overtaken_by_another_has_done_nothing_and_may_try_again(house, ann):
    house.save(monthly_budget=9)
    platform, tenant = house.platform, house.tenant
    with pytest.raises(OvertakenError), platform.database.tenant(tenant.id) as scope:  # noqa: PT012 - a race by hand
        context = platform.inside(scope, tenant).context(platform.registry["giver"], cause=Cause("slow"))
        assert [one.state for one in context.grant("tokens", gifts(ann, 2))] == [GRANTED]
        # Another member's, as the same member's would have to wait.
        assert house.states(Grant(house.member("bob"), 2, "gift", "fast")) == [GRANTED]
        context.finish()
    assert OvertakenError().orig.sqlstate == "40001"
    assert house.held(ann) == {}
    assert house.spent() == {house.month: 6}
    assert house.states(*gifts(ann, 2, 1)) == [OVER, GRANTED]


def test_a_turn_that_was_overtaken_by_a_command_is_undone_and_done_again(house, ann, keeper, send, worker):
    worker.drain()
    house.save(monthly_budget=6)
    bob, keep = house.member("bob"), keeper.grant

    def keep_slowly(ctx, granted):
        keep(ctx, granted)
        if granted[0].plugin == "giver":
            del keeper.grant
            assert house.states(Grant(bob, 2, "gift", "fast")) == [GRANTED]

    keeper.grant = keep_slowly
    send(house.tenant, "visit.made", "ann")
    with pytest.raises(OvertakenError):
        worker.drain()
    assert (house.held(ann, bob), house.spent("rival")) == ({bob: 2}, {})
    worker.drain()
    assert house.held(ann, bob) == {ann: 4, bob: 2}  # of rival and helper
    assert (house.spent(), house.spent("rival")) == ({house.month: 6}, {house.month: 6})
    assert house.rows("SELECT 1 FROM core.dead_letter WHERE tenant_id = :tenant") == []


# --- Coming back ------------------------------------------------------------------------------------------------


def test_what_goes_back_returns_its_cost_to_the_month_that_it_came_from(house, ann):
    one = house.grant(*gifts(ann, 7))[0]
    march = house.month
    house.at(datetime(2031, 5, 20, tzinfo=UTC))
    house.grant(Grant(ann, 1, "other", "x"))
    house.revoke(Revocation(one.key, 2))
    assert house.spent() == {march: 15, date(2031, 5, 1): 3}
    assert house.held(ann) == {ann: 6}
    house.revoke(Revocation(one.key))
    assert house.spent() == {march: 0, date(2031, 5, 1): 3}
    assert house.held(ann) == {ann: 1}


def test_never_more_goes_back_than_was_given_however_it_is_asked(house, ann):
    one = house.grant(*gifts(ann, 5))[0]
    house.revoke(Revocation(one.key, 2), Revocation(one.key, 2), Revocation(one.key, 2))
    house.revoke(Revocation(one.key), Revocation(one.key, 1))
    house.revoke(Revocation(one.key, BIG))
    assert house.held(ann) == {}
    assert house.spent() == {house.month: 0}
    assert house.states(*gifts(ann, 5)) == [DUPLICATE]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amount=st.integers(1, 30), price=st.integers(0, 20), parts=st.lists(st.integers(1, 12), max_size=8))
def test_costs_come_back_in_proportion_and_the_last_part_brings_the_rest(
    house, make_tenant, keeper, amount, price, parts
):
    keeper.__dict__["cost_of_one"] = Priced(price)
    store = house.other(make_tenant, "giver", "tokens")
    one = store.grant(*gifts(store.member(), amount))[0]
    back = 0
    for part in parts:
        store.revoke(Revocation(one.key, part))
        back = min(back + part, amount)
        assert sum(store.spent().values()) == price - price * back // amount
    store.revoke(Revocation(one.key))
    assert sum(store.spent().values()) == 0
    assert store.violations() == []


def test_only_ones_own_grants_of_that_kind_go_back(house, ann):
    mine = house.grant(*gifts(ann, 5))[0]
    house.revoke(Revocation(mine.key), plugin="rival")
    house.revoke(Revocation(mine.key), kind="tokens.praise")
    house.revoke(
        Revocation("f" * 32), Revocation(""), Revocation("\0"), Revocation("\ud800"), Revocation("A" * 32)
    )
    house.revoke()
    assert house.held(ann) == {ann: 5}


@pytest.mark.parametrize("amount", [0, -1, BIG + 1, 1.0, float("nan"), True])
def test_a_wrong_amount_to_take_back_is_refused_by_name(house, ann, amount):
    one = house.grant(*gifts(ann, 5))[0]
    with pytest.raises(PluginError, match=r"revocations\[1\].amount: .* is not a whole number from 1"):
        house.revoke(Revocation(one.key), Revocation(one.key, amount))
    assert house.held(ann) == {ann: 5}


@pytest.mark.parametrize(
    "planted",
    [
        "UPDATE core.budget SET spent = spent + 1 WHERE tenant_id = :tenant",
        "DELETE FROM core.budget WHERE tenant_id = :tenant",
        "UPDATE core.reward SET cost = cost + 1 WHERE tenant_id = :tenant",
        "UPDATE core.reward SET revoked = 1, refunded_cost = 1 WHERE tenant_id = :tenant",
        "UPDATE core.reward SET month = month + 31 WHERE tenant_id = :tenant",
    ],
)
def test_verify_sees_a_budget_that_its_rewards_do_not_add_up_to(house, make_tenant, planted):
    store = house.other(make_tenant, "giver", "tokens")
    store.grant(*gifts(store.member(), 5))
    assert store.violations() == []
    store.rows(planted)
    assert store.violations() == ["core.budgets"]
