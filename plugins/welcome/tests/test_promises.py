"""What the tactic tells others, what it reports and promises, and that two stores never meet."""

import pytest
from sqlalchemy import text

from threepeat.tenancy.errors import Invalid

FIFTY = {"kind": "points", "amount": 50}
TEN = {"kind": "points", "amount": 10}


def test_two_stores_with_the_same_ids_never_meet(make_shop):
    first, second = make_shop(), make_shop()
    second.save(rewards=[TEN])
    for shop in (first, second):
        shop.registered("ann", id="same")
        shop.paid("ann", "1", id="one")
    first.paid("ann", "2", id="two")
    second.refunded("ann", "r", 10_000, "1", id="back")
    assert (first.points("ann"), second.points("ann")) == (100, 10)
    assert len(second.pack("ann")["received"]) == 1
    assert [one["after"] for one in second.pack("ann")["coming"]] == ["second_order"]
    assert first.metric("journey").steps[-1][1] == 1
    assert second.metric("journey").steps[-1][1] == 0
    ids = [row for (row,) in first.rows("SELECT id FROM core.member WHERE tenant_id = :tenant")]
    assert second.ask(lambda ctx: ctx.facts(["welcome.received"], ids)) == {"welcome.received": {}}
    for table in ("opening", "newcomer", "gift", "refund"):
        (count,) = first.rows(f"SELECT count(*) FROM welcome.{table} WHERE tenant_id <> :tenant")[0]
        assert count == 0, "row-level security shows no row of the other store"


def test_facts_tell_who_was_welcomed_and_whose_second_order_is_awaited(shop):
    shop.registered("ann", "bob")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    shop.batch(shop.event("page.viewed", "eve", page="home"))
    ids = dict(shop.rows("SELECT value, member_id FROM core.identity WHERE tenant_id = :tenant"))
    names = ["welcome.received", "welcome.second_order_due"]
    found = shop.ask(lambda ctx: ctx.facts(names, ids.values()))
    said = {name: [fact[ids[who]] for who in ("ann", "bob", "eve")] for name, fact in found.items()}
    assert said == {
        "welcome.received": [True, True, False],
        "welcome.second_order_due": [False, True, False],
    }


def test_metrics_tell_how_far_newcomers_come(shop):
    shop.registered("ann", "bob", "eve")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    shop.paid("bob", "3")
    steps = dict(shop.metric("journey").steps)
    assert steps == {"Registered": 3, "Got the pack": 3, "First order": 2, "Second order": 1}
    assert list(shop.metric("packs").lines.values()) == [[0, 0, 3]]
    assert (shop.metric("again").value, shop.metric("not_given").value) == (None, 0)
    shop.later(days=31)
    assert shop.metric("again", days=3).value == 3333


@pytest.mark.parametrize(
    ("statement", "alarm"),
    [
        ("UPDATE welcome.newcomer SET welcomed_at = NULL WHERE tenant_id = :tenant", "welcome.welcomed"),
        ("UPDATE welcome.newcomer SET second_order_id = NULL WHERE tenant_id = :tenant", "welcome.welcomed"),
        ("UPDATE welcome.gift SET taken = amount WHERE tenant_id = :tenant", "welcome.taken"),
        ("DELETE FROM welcome.refund WHERE tenant_id = :tenant", "welcome.taken"),
        (
            """
            INSERT INTO welcome.gift (tenant_id, member_id, part, number, kind, amount, state, reward_key,
                                      order_total, taken, decided_at)
            SELECT tenant_id, member_id, part, number, kind, amount, state, reward_key, 0, 0, decided_at
            FROM welcome.gift WHERE tenant_id = :tenant
            """,
            "welcome.once",
        ),
    ],
)
def test_verify_sees_every_kind_of_planted_violation(shop, statement, alarm):
    shop.registered("ann")
    shop.paid("ann", "1")
    shop.paid("ann", "2")
    shop.refunded("ann", "r", 5_000, "2")
    assert shop.faults() == []
    with shop.platform.database.tenant(shop.store.id) as scope:
        scope.run(text(statement))
    assert shop.faults() == [alarm]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"rewards": []}, "settings.rewards"),
        ({"rewards": [FIFTY] * 6}, "settings.rewards"),
        ({"rewards": [{"kind": "points", "amount": 0}]}, "settings.rewards.0.amount"),
        ({"rewards": [{"kind": "points", "amount": 2**63}]}, "settings.rewards.0.amount"),
        ({"trigger": "birth"}, "settings.trigger"),
        ({"second_within_days": 0}, "settings.second_within_days"),
        ({"least_total": float("nan")}, "settings.least_total"),
        ({"take_back_days": -1}, "settings.take_back_days"),
        ({"audience": {"fact": "welcome.nothing", "op": "is_true"}}, "settings.audience.fact"),
        ({"surprise": 1}, "settings.surprise"),
    ],
)
def test_bad_settings_are_refused_by_name(shop, values, field):
    with pytest.raises(Invalid) as refused:
        shop.save(**values)
    assert refused.value.field == field
