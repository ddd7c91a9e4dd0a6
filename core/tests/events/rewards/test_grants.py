"""Each grant once, to whoever may have it, and nothing at all when something fails."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from threepeat.events.context import Cause
from threepeat.sdk import Due, Grant, GrantState, PluginError, Refused, Revocation, Spend
from threepeat.sdk.events import Envelope, ShareSent, VisitMade

GRANTED, DUPLICATE, HELD_OUT = GrantState.GRANTED, GrantState.DUPLICATE, GrantState.HELD_OUT
VISIT = VisitMade().placed(Envelope(7, "shop", "e1", 1, datetime(2026, 1, 10, tzinfo=UTC)))
BIG = 10**15


# --- Once -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cause",
    ["welcome", VISIT, Due("bonus", "k", datetime(2026, 1, 10, tzinfo=UTC), 1, {})],
    ids=["text", "event", "deadline"],
)
def test_the_same_cause_rule_and_member_is_the_same_grant_for_ever(house, ann, cause):
    first = house.grant(Grant(ann, 5, "gift", cause))[0]
    again = house.grant(Grant(ann, 9, "gift", cause))[0]
    assert (first.state, first.cost, first.plugin) == (GRANTED, 15, "giver")
    assert (again.state, again.cost, again.key) == (DUPLICATE, 0, first.key)
    assert house.held(ann) == {ann: 5}
    assert house.spent() == {house.month: 15}


def test_an_events_place_in_the_log_does_not_make_it_another(house, ann):
    moved = VisitMade().placed(Envelope(99, "shop", "e1", 1, datetime(2027, 1, 1, tzinfo=UTC)))
    other = VisitMade().placed(Envelope(7, "shop", "e2", 1, datetime(2026, 1, 10, tzinfo=UTC)))
    causes = (VISIT, moved, other)
    assert house.states(*(Grant(ann, 1, "gift", one) for one in causes)) == [GRANTED, DUPLICATE, GRANTED]


def test_another_rule_cause_member_or_plugin_is_another_grant(house, ann):
    bob = house.member("bob")
    one = Grant(ann, 1, "gift", "x")
    others = [replace(one, rule="gift2"), replace(one, cause="y"), replace(one, member=bob)]
    assert house.states(one, *others) == [GRANTED] * 4
    assert house.states(one, plugin="rival") == [GRANTED]
    assert house.held(ann, bob) == {ann: 4, bob: 1}


def test_texts_events_and_deadlines_that_look_alike_are_different_causes(house, ann):
    due = Due("event", "shop", datetime(2026, 1, 10, tzinfo=UTC), 1, {})
    causes = (VISIT, due, "event", "shop", "shop\ne1", "e1")
    assert house.states(*(Grant(ann, 1, "gift", one) for one in causes)) == [GRANTED] * 6
    local = replace(due, due_at=due.due_at.astimezone(house.tenant.store.timezone))
    assert house.states(Grant(ann, 1, "gift", local)) == [DUPLICATE]


def test_a_grant_that_stands_twice_in_a_batch_is_given_once(house, ann):
    one = Grant(ann, 3, "gift", "x")
    assert house.states(one, one, replace(one, amount=1)) == [GRANTED, DUPLICATE, DUPLICATE]
    assert house.held(ann) == {ann: 3}


def test_a_rule_gives_one_kind_of_reward_only(house, ann):
    assert house.states(Grant(ann, 1, "gift", "x")) == [GRANTED]
    assert house.states(Grant(ann, 1, "gift", "x"), kind="tokens.praise") == [DUPLICATE]


def test_events_that_are_handled_grant_once_and_a_letter_that_is_retried_too(house, send, worker, keeper, ann):
    keeper.fails_at = 2
    send(house.tenant, "visit.made", "ann")
    worker.drain()
    assert len(house.rows("SELECT 1 FROM core.dead_letter WHERE tenant_id = :tenant")) == 3  # one for each giver
    assert house.held(ann) == {}
    keeper.fails_at = None
    house.rows("UPDATE core.dead_letter SET state = 'retry' WHERE tenant_id = :tenant")
    house.rows("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)")
    send(house.tenant, "visit.made", "ann")
    worker.drain()
    assert house.rows("SELECT 1 FROM core.dead_letter WHERE tenant_id = :tenant") == []
    assert house.held(ann) == {ann: 12}


def test_a_merge_does_not_make_a_grant_new_that_either_of_the_two_had(house, ann):
    bob, cid, dan = house.member("bob"), house.member("cid"), house.member("dan")
    first = house.grant(Grant(ann, 1, "welcome", "x"))[0]
    house.rows(
        """
        INSERT INTO core.merge (tenant_id, source_id, target_id, identities, merged_by)
        VALUES (:tenant, :ann, :bob, '[]', 't'), (:tenant, :bob, :cid, '[]', 't')
        """,
        ann=ann,
        bob=bob,
        cid=cid,
    )
    again = house.grant(Grant(cid, 1, "welcome", "x"), Grant(dan, 1, "welcome", "x"))
    assert [one.state for one in again] == [DUPLICATE, GRANTED]
    assert again[0].key == first.key


# --- Who and what -----------------------------------------------------------------------------------------------


def test_the_comparison_group_of_the_giver_gets_nothing_and_leaves_no_trace(house):
    house.save(holdout_percent=50)
    who = [house.member(f"m{number}") for number in range(40)]
    states = house.states(*(Grant(one, 1, "gift", "x") for one in who))
    assert {GRANTED, HELD_OUT} == set(states)
    held = [one for one, state in zip(who, states, strict=True) if state is HELD_OUT]
    assert 5 < len(held) < 35
    assert house.held(*held) == {}
    found = house.rows("SELECT count(*) FROM core.reward WHERE tenant_id = :tenant")
    assert found == [(40 - len(held),)]
    # The group is the giver's own: others give to the same members.
    assert set(house.states(*(Grant(one, 1, "gift", "x") for one in who), plugin="rival")) == {GRANTED}


def test_a_suspended_member_gets_nothing(house, ann):
    until = datetime.now(UTC) + timedelta(days=1)
    house.rows("UPDATE core.member SET suspended_until = :until WHERE tenant_id = :tenant", until=until)
    assert house.states(Grant(ann, 1, "gift", "x")) == [HELD_OUT]
    house.at(until + timedelta(seconds=1))
    assert house.states(Grant(ann, 1, "gift", "x")) == [GRANTED]


def test_nobody_is_paid_for_sharing(house, ann):
    shared = ShareSent(what="us").placed(Envelope(1, "shop", "s", ann, datetime(2026, 1, 10, tzinfo=UTC)))
    for batch in ([Grant(ann, 1, "gift", shared)], [Grant(ann, 1, "gift", "x"), Grant(ann, 1, "gift", shared)]):
        with pytest.raises(PluginError, match=r"cause: the platform forbids paying for shares"):
            house.grant(*batch)
    assert house.held(ann) == {}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"amount": 0}, r"grants\[0\].amount: 0 is not a whole number from 1"),
        ({"amount": -1}, "amount"),
        ({"amount": BIG + 1}, "amount"),
        ({"amount": 2**63}, "amount"),
        ({"amount": 1.0}, "amount"),
        ({"amount": float("nan")}, "amount"),
        ({"amount": True}, "amount"),
        ({"member": 0}, "member"),
        ({"member": 2**63}, "member"),
        ({"rule": ""}, r"grants\[0\].rule: '' must match"),
        ({"rule": "Gift"}, "rule"),
        ({"rule": "g" * 65}, "rule"),
        ({"rule": "gift\0"}, "rule"),
        ({"cause": ""}, r"grants\[0\].cause: give an event, a deadline, or 1 to 200 characters"),
        ({"cause": "x" * 201}, "cause"),
        ({"cause": "\0"}, "cause"),
        ({"cause": "\ud800"}, "cause"),
        ({"cause": None}, "cause"),
        ({"cause": 7}, "cause"),
    ],
)
def test_a_wrong_grant_is_refused_by_name_and_nothing_of_its_batch_is_given(house, ann, wrong, says):
    right = Grant(ann, 1, "gift", "x")
    with pytest.raises(PluginError, match=says):
        house.grant(replace(right, **wrong), right)
    assert house.held(ann) == {}


@pytest.mark.parametrize("kind", ["gold", "tokens.gold", "giver", "", "core", "\0"])
def test_a_kind_that_nobody_keeps_is_refused_everywhere(house, ann, kind):
    for ask in (
        lambda: house.grant(Grant(ann, 1, "gift", "x"), kind=kind),
        lambda: house.revoke(Revocation("0" * 32), kind=kind),
        lambda: house.spend(Spend(ann, 1, "x"), kind=kind),
        lambda: house.act(house.tenant, "giver", lambda ctx: ctx.balance(kind, [ann])),
    ):
        with pytest.raises(PluginError, match="nobody keeps the reward"):
            ask()


def test_a_quarantined_keeper_is_named_with_its_reason(house, ann):
    away = replace(house.platform, registry=house.platform.registry.quarantine({"tokens": "it lacks a table"}))
    with house.platform.database.tenant(house.tenant.id) as scope:
        context = away.inside(scope, house.tenant).context(away.registry["giver"], cause=Cause("x"))
        with pytest.raises(PluginError, match="tokens is quarantined: it lacks a table"):
            context.grant("tokens", [Grant(ann, 1, "gift", "x")])


def test_a_service_gives_as_a_tactic_does(house, ann):
    assert house.states(Grant(ann, 4, "gift", "x"), plugin="helper") == [GRANTED]
    assert house.spent("helper") == {house.month: 12}


def test_the_month_is_the_stores_own(house, ann):
    house.at(datetime(2026, 3, 31, 17, tzinfo=UTC))  # the first of April in Shanghai
    house.grant(Grant(ann, 1, "gift", "x"))
    house.at(datetime(2026, 3, 31, 15, tzinfo=UTC))
    house.grant(Grant(ann, 2, "gift", "y"))
    assert house.spent() == {date(2026, 4, 1): 3, date(2026, 3, 1): 6}


def test_two_stores_with_the_same_members_and_causes_never_meet(house, make_tenant, ann):
    other = house.other(make_tenant, "giver", "tokens")
    theirs = other.member("ann")
    house.save(monthly_budget=6)
    mine = house.grant(Grant(ann, 2, "gift", "x"))[0]
    assert other.states(Grant(theirs, 5, "gift", "x"), Grant(ann, 1, "gift", "x")) == [GRANTED, HELD_OUT]
    other.revoke(Revocation(mine.key))
    with pytest.raises(Refused):
        other.spend(Spend(ann, 1, "x"))
    assert (house.held(ann, theirs), other.held(ann, theirs)) == ({ann: 2}, {theirs: 5})
    assert (house.spent(), other.spent()) == ({house.month: 6}, {house.month: 15})
    assert other.violations() == []
