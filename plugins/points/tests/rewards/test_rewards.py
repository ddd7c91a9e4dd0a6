"""Points as a reward: kept in lots, paid from the earliest to expire, taken back to the last one."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from threepeat.events import erasure, merging
from threepeat.sdk import GrantState, Refused, Spend
from threepeat.tenancy import switches
from threepeat.tenancy.switches import SwitchState

GRANTED, HELD_OUT = GrantState.GRANTED, GrantState.HELD_OUT
START = datetime(2026, 1, 10, 12, tzinfo=UTC)


def refused(code, reason=None):
    return pytest.raises(
        Refused, check=lambda error: error.code == code and (reason is None or error.reason == reason)
    )


# --- Coming in --------------------------------------------------------------------------------------------------


def test_a_grant_is_a_lot_of_its_own_that_expires_like_any_other(shop, ann):
    one = shop.grant(ann, 30, "x")
    assert shop.held(ann) == {ann: 30}
    (lot,) = shop.rows(
        "SELECT reward_key, order_id, granted, expires_at FROM points.lot WHERE tenant_id = :tenant"
    )
    # Granted on the 10th of January 2026 in Shanghai, and good for the whole of the last of 730 days.
    assert lot == (one.key, None, 30, datetime(2028, 1, 10, 16, tzinfo=UTC))
    shop.pass_days(731)
    assert shop.held(ann) == {}
    assert shop.lots(ann) == [(30, 30)]


def test_the_journal_says_who_gave_and_what_for_it_was_paid(shop, client, ann):
    one = shop.grant(ann, 30, "x")
    shop.spend(Spend(ann, 10, "order 1"))
    shop.revoke(one, 5)
    entries = client.get("/v1/me/points/history", headers=shop.token("ann")).json()["entries"]
    assert [(entry["kind"], entry["points"], entry["reference"]) for entry in entries] == [
        ("revoked", -5, f"revoked:giver:{one.key}:5"),
        ("spent", -10, "spend:till:order 1"),
        ("granted", 30, f"reward:giver:{one.key}"),
    ]
    assert client.get("/v1/me/points/balance", headers=shop.token("ann")).json()["available"] == 15


def test_a_grant_pays_a_debt_first(shop, ann):
    shop.paid("ann", "1", 1_000, time=START)
    shop.spend(Spend(ann, 10, "x"))
    shop.refunded("ann", "r", 1_000, "1", time=START)
    assert (shop.debt(ann), shop.held(ann)) == (10, {})
    shop.grant(ann, 4, "a")
    assert (shop.debt(ann), shop.held(ann)) == (6, {})
    shop.grant(ann, 8, "b")
    assert (shop.debt(ann), shop.held(ann)) == (0, {ann: 2})


@pytest.mark.parametrize(("worth", "cost"), [(100, 7), (1, 700), (3, 234), (1000, 1), (1_000_000, 1)])
def test_what_points_cost_follows_from_what_they_are_worth_rounded_up(shop, ann, worth, cost):
    shop.save(points_per_unit_value=worth)
    assert shop.grant(ann, 7, "x").cost == cost


def test_a_currency_without_minor_units_costs_whole_units(open_shop):
    shop = open_shop(currency="JPY")
    assert shop.grant(shop.member(), 250, "x").cost == 3


def test_the_tactic_that_gives_pays_and_stops_at_its_budget(shop, ann):
    shop.save("giver", monthly_budget=250)
    assert shop.grant(ann, 200, "a").state is GRANTED
    assert shop.grant(ann, 51, "b").state is GrantState.OVER_BUDGET
    assert shop.grant(ann, 50, "c").state is GRANTED
    assert shop.held(ann) == {ann: 250}


# --- Going out --------------------------------------------------------------------------------------------------


def fill(shop, ann):
    """Three lots that expire one after the other: 10 on the first day, 20 on the second, 30 never."""
    for days, points in ((None, 30), (2, 20), (1, 10)):
        shop.save(expires_after_days=days)
        shop.grant(ann, points, f"{points}")


def test_what_expires_first_pays_first(shop, ann):
    fill(shop, ann)
    shop.spend(Spend(ann, 15, "a"))
    assert shop.lots(ann) == [(10, 0), (20, 15), (30, 30)]
    shop.spend(Spend(ann, 20, "b"))
    assert shop.lots(ann) == [(10, 0), (20, 0), (30, 25)]


def test_payments_of_one_batch_are_served_one_after_the_other(shop, ann):
    bob = shop.member("bob")
    fill(shop, ann)
    shop.grant(bob, 5, "x")
    shop.spend(Spend(ann, 5, "a"), Spend(bob, 5, "b"), Spend(ann, 7, "c"), Spend(ann, 20, "d"))
    assert shop.lots(ann) == [(10, 0), (20, 0), (30, 28)]
    assert shop.held(ann, bob) == {ann: 28}
    parts = shop.rows(
        """
        SELECT e.reference, l.granted, a.points FROM points.allocation a
        JOIN points.entry e ON e.tenant_id = a.tenant_id AND e.id = a.entry_id
        JOIN points.lot l ON l.tenant_id = a.tenant_id AND l.id = a.lot_id
        WHERE a.tenant_id = :tenant ORDER BY e.reference, l.granted
        """
    )
    assert parts == [
        ("spend:till:a", 10, 5),
        ("spend:till:b", 5, 5),
        ("spend:till:c", 10, 5),
        ("spend:till:c", 20, 2),
        ("spend:till:d", 20, 18),
        ("spend:till:d", 30, 2),
    ]


def test_lots_that_have_expired_pay_nothing(shop, ann):
    fill(shop, ann)
    shop.pass_days(2)
    with refused("not-enough", "1 point is missing"):
        shop.spend(Spend(ann, 51, "a"))
    shop.spend(Spend(ann, 50, "a"))
    assert shop.lots(ann) == [(10, 0), (20, 0), (30, 0)]
    assert shop.accounts() == (0, 0, 0, 50, -60, 10)


def test_who_has_too_little_is_told_how_much_is_missing_and_nobody_of_the_batch_has_paid(shop, ann):
    bob = shop.member("bob")
    shop.grant(ann, 30, "x")
    with refused("not-enough", "7 points are missing"):
        shop.spend(Spend(ann, 30, "a"), Spend(bob, 7, "b"))
    with refused("not-enough", "5 points are missing"):
        shop.spend(Spend(ann, 30, "a"), Spend(ann, 5, "b"))
    assert shop.held(ann, bob) == {ann: 30}
    assert shop.rows("SELECT 1 FROM points.allocation WHERE tenant_id = :tenant") == []


def test_what_is_owed_cannot_be_spent_even_if_there_are_open_lots(shop, ann):
    shop.grant(ann, 30, "x")
    shop.rows("UPDATE points.account SET debt = 12 WHERE tenant_id = :tenant")
    assert shop.held(ann) == {ann: 18}
    with refused("not-enough", "2 points are missing"):
        shop.spend(Spend(ann, 20, "a"))
    shop.spend(Spend(ann, 18, "a"))
    assert shop.violations() == ["points.journal"]
    shop.rows("UPDATE points.account SET debt = 0 WHERE tenant_id = :tenant")


def test_the_same_reference_is_paid_once_and_never_by_another_or_for_another_sum(shop, ann):
    bob = shop.member("bob")
    shop.grant(ann, 30, "x")
    shop.grant(bob, 30, "x")
    shop.spend(Spend(ann, 10, "a"))
    shop.spend(Spend(ann, 10, "a"), Spend(ann, 1, "b"))
    for wrong in (Spend(bob, 10, "a"), Spend(ann, 9, "a"), Spend(bob, 9, "a")):
        with refused("reference-taken"):
            shop.spend(Spend(bob, 3, "c"), wrong)
    shop.spend(Spend(bob, 10, "a"), plugin="giver")
    assert shop.held(ann, bob) == {ann: 19, bob: 20}


# --- Going back -------------------------------------------------------------------------------------------------


def test_what_is_revoked_comes_from_its_own_lot_then_from_the_others_and_the_rest_is_owed(shop, ann):
    shop.save(expires_after_days=None)
    one = shop.grant(ann, 20, "x")
    shop.save(expires_after_days=5)
    shop.grant(ann, 15, "y")
    shop.spend(Spend(ann, 10, "a"))  # of the 15, which expire
    shop.revoke(one, 12)
    assert (shop.lots(ann), shop.debt(ann)) == ([(15, 5), (20, 8)], 0)
    shop.spend(Spend(ann, 6, "b"))  # 5 and 1
    shop.revoke(one)
    assert (shop.lots(ann), shop.debt(ann)) == ([(15, 0), (20, 0)], 1)
    assert shop.rows("SELECT granted, reversed FROM points.lot WHERE tenant_id = :tenant ORDER BY 1") == [
        (15, 0),
        (20, 20),
    ]


def test_what_is_revoked_in_parts_is_journalled_in_parts(shop, ann):
    one = shop.grant(ann, 9, "x")
    for points in (2, 2, None):
        shop.revoke(one, points)
    lines = shop.rows("SELECT points FROM points.entry WHERE tenant_id = :tenant AND kind = 'revoked' ORDER BY id")
    assert lines == [(-2,), (-2,), (-5,)]
    assert (shop.held(ann), shop.debt(ann)) == ({}, 0)


def test_a_lot_that_has_expired_gives_back_what_it_gave(shop, ann):
    shop.save(expires_after_days=1)
    one = shop.grant(ann, 20, "x")
    shop.save(expires_after_days=None)
    shop.grant(ann, 5, "y")
    shop.pass_days(3)
    shop.revoke(one)
    assert (shop.lots(ann), shop.debt(ann)) == ([(20, 0), (5, 5)], 0)


def test_a_refund_takes_from_what_others_gave_where_its_own_order_has_no_more(shop, ann):
    shop.paid("ann", "1", 1_000, time=START)
    shop.grant(ann, 6, "x")
    shop.spend(Spend(ann, 10, "a"))
    shop.refunded("ann", "r", 1_000, "1", time=START)
    assert (shop.held(ann), shop.debt(ann)) == ({}, 4)


# --- Merged and erased ------------------------------------------------------------------------------------------


def test_a_merge_takes_rewards_and_payments_along(shop, ann):
    bob = shop.member("bob")
    one = shop.grant(ann, 20, "x")
    shop.grant(bob, 5, "x")
    shop.spend(Spend(ann, 8, "a"))
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
    assert shop.held(ann, bob) == {bob: 17}
    shop.spend(Spend(bob, 8, "a"))  # it is paid already
    assert shop.held(bob) == {bob: 17}
    assert shop.grant(bob, 20, "x").state is GrantState.DUPLICATE
    shop.revoke(one)
    assert (shop.held(bob), shop.debt(bob)) == ({}, 3)
    assert sum(amount for (amount,) in shop.rows("SELECT spent FROM core.budget WHERE tenant_id = :tenant")) == 5


def test_a_member_who_was_merged_or_is_being_erased_gets_nothing_new(shop, ann):
    bob, cid = shop.member("bob"), shop.member("cid")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
    shop.rows("UPDATE core.member SET erase_requested_at = now() WHERE tenant_id = :tenant AND id = :id", id=cid)
    assert [shop.grant(one, 1, "y").state for one in (ann, cid, bob)] == [HELD_OUT, HELD_OUT, GRANTED]


def test_after_an_erasure_everything_still_adds_up_and_nothing_leads_back(shop, ann):
    bob = shop.member("bob")
    one = shop.grant(ann, 20, "x")
    kept = shop.grant(bob, 20, "x")
    for who in (ann, bob):
        shop.spend(Spend(who, 8, f"order of {who}"))
    platform, tenant = shop.platform, shop.tenant
    with platform.database.tenant(tenant.id) as scope:
        asked = erasure.request(platform, scope, ann, by="member")
    erasure.announce(platform, tenant, asked)
    erasure.complete(platform, tenant, asked)
    shop.revoke(one)
    shop.revoke(kept, 5)
    assert shop.held(ann, bob) == {bob: 7}
    assert shop.violations() == []
    texts = shop.rows(
        """
        SELECT reference FROM points.entry WHERE tenant_id = :tenant
        UNION ALL SELECT reward_key FROM points.lot WHERE tenant_id = :tenant
        UNION ALL SELECT key FROM core.reward WHERE tenant_id = :tenant
        """
    )
    assert not [found for (found,) in texts if one.key in found or f"order of {ann}" in found]
    assert [found for (found,) in texts if kept.key in found or f"order of {bob}" in found]


# --- Over HTTP, and while closing -------------------------------------------------------------------------------


def pay(client, headers, points, order, key):
    asked = {"points": points, "order": order}
    return client.post("/v1/me/till/pay", params=asked, headers={**headers, "Idempotency-Key": key})


def test_a_member_pays_at_the_till_once_however_often_it_is_sent(shop, client, ann):
    shop.grant(ann, 30, "x")
    headers = shop.token("ann")
    first = pay(client, headers, 12, "order 1", "k1")
    assert (first.status_code, first.json()) == (200, {str(ann): 18})
    assert pay(client, headers, 12, "order 1", "k1").headers["Idempotency-Replayed"] == "true"
    assert pay(client, headers, 12, "order 1", "k2").json() == {str(ann): 18}
    assert pay(client, headers, 18, "order 2", "k3").json() == {"nobody": 0}
    answer = pay(client, headers, 5, "order 3", "k4")
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:threepeat:problem:not-enough"
    assert answer.json()["detail"] == "5 points are missing"


@pytest.mark.parametrize(
    ("points", "order"),
    [
        ("0", "x"),
        ("-5", "x"),
        (str(2**63), "x"),
        ("9" * 400, "x"),
        ("NaN", "x"),
        ("1", ""),
        ("1", "\0"),
        ("1", "x" * 201),
        ("1", "x" * 5000),
    ],
)
def test_hostile_payments_are_refused(shop, client, ann, points, order):
    shop.grant(ann, 30, "x")
    answer = pay(client, shop.token("ann"), points, order, "k")
    assert 400 <= answer.status_code < 500, answer.text
    assert shop.held(ann) == {ann: 30}


def test_while_points_close_others_give_none_and_members_still_pay(shop, client, ann):
    one = shop.grant(ann, 30, "x")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        act, registry = shop.platform.act, shop.platform.registry
        state = switches.disable(scope, shop.tenant, registry, "points", by="t", act=act).state
    assert state is SwitchState.CLOSING
    assert shop.grant(ann, 5, "y").state is GrantState.CLOSED
    assert pay(client, shop.token("ann"), 12, "order 1", "k1").status_code == 200
    shop.revoke(one, 4)
    assert shop.held(ann) == {ann: 14}


# --- What is checked --------------------------------------------------------------------------------------------


def test_two_stores_with_the_same_members_and_references_never_meet(shop, open_shop, ann):
    other = open_shop()
    theirs = other.member("ann")
    one = shop.grant(ann, 30, "x")
    other.grant(theirs, 8, "x")
    shop.spend(Spend(ann, 10, "a"))
    other.spend(Spend(theirs, 5, "a"))
    other.revoke(one)
    with refused("not-enough"):
        other.spend(Spend(ann, 1, "b"))
    assert (shop.held(ann, theirs), other.held(ann, theirs)) == ({ann: 20}, {theirs: 3})
    assert other.violations() == []


@pytest.mark.parametrize(
    ("planted", "alarm"),
    [
        ("UPDATE points.allocation SET points = points + 1", ["points.payments", "points.lots"]),
        ("UPDATE points.allocation SET points = points - 1", ["points.payments"]),
        ("DELETE FROM points.allocation", ["points.payments"]),
        ("UPDATE points.allocation SET lot_id = -1", ["points.lots"]),
        (
            """
            UPDATE points.entry SET points = points - 1, available = available - 1, liability = liability + 1
            WHERE kind = 'spent'
            """,
            ["points.journal", "points.payments"],
        ),
        ("UPDATE points.lot SET remaining = granted", ["points.journal", "points.lots"]),
    ],
)
def test_verify_sees_payments_that_do_not_add_up(open_shop, planted, alarm):
    shop = open_shop()
    ann = shop.member()
    shop.grant(ann, 30, "x")
    shop.spend(Spend(ann, 30, "a"))
    assert shop.violations() == []
    word = "AND" if "WHERE" in planted else "WHERE"
    with shop.platform.database.ops.begin() as ops:
        ops.execute(text(f"{planted} {word} tenant_id = :tenant"), {"tenant": shop.tenant.id})
    assert shop.violations() == alarm


def test_the_app_can_neither_change_nor_delete_what_lots_gave(shop, ann):
    from sqlalchemy.exc import ProgrammingError

    shop.grant(ann, 30, "x")
    shop.spend(Spend(ann, 30, "a"))
    for statement in ("UPDATE points.allocation SET points = 1", "DELETE FROM points.allocation"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            shop.rows(statement)


def test_the_database_itself_refuses_a_lot_of_an_order_and_a_reward_and_one_of_neither(shop, ann):
    from sqlalchemy.exc import IntegrityError

    shop.grant(ann, 30, "x")
    for change in ("order_id = 'o'", "reward_key = NULL"):
        with pytest.raises(IntegrityError):
            shop.rows(f"UPDATE points.lot SET {change} WHERE tenant_id = :tenant")
