"""Points of a payment come back to the lots that gave them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from threepeat.sdk import Spend
from threepeat_points.payments import Return, give_back

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.save(expires_after_days=40)
    made.at(START)
    yield made
    assert made.violations() == []


@pytest.fixture
def back(shop, ann):
    """Gives points of a payment back."""

    def give(points, reference="back", payment="till:a"):
        one = Return(ann, f"spend:{payment}", points, reference)
        shop.act(shop.tenant, "points", lambda ctx: give_back(ctx, [one]))

    return give


def lots(shop, ann):
    return shop.rows(
        """
        SELECT granted, remaining, expired FROM points.lot
        WHERE tenant_id = :tenant AND member_id = :ann ORDER BY id
        """,
        ann=ann,
    )


def test_they_come_back_to_the_same_lots_the_one_that_expires_last_first(shop, ann, back):
    shop.grant(ann, 10, "first")
    shop.pass_days(5)
    shop.grant(ann, 10, "second")
    shop.spend(Spend(ann, 15, "a"))
    back(8, "one")
    assert lots(shop, ann) == [(10, 3, 0), (10, 10, 0)]
    back(100, "two")  # more than is left of the payment is not given
    assert lots(shop, ann) == [(10, 10, 0), (10, 10, 0)]
    assert shop.accounts() == (20, 0, 0, 0, -20, 0)


def test_the_same_return_twice_is_one(shop, ann, back):
    shop.grant(ann, 10, "first")
    shop.spend(Spend(ann, 8, "a"))
    back(3)
    back(3)
    assert lots(shop, ann) == [(10, 5, 0)]


def test_what_has_expired_meanwhile_lives_for_the_days_of_grace(shop, ann, back):
    shop.grant(ann, 30, "first")
    shop.spend(Spend(ann, 20, "a"))
    shop.nights(41)
    back(20)
    assert lots(shop, ann) == [(30, 20, 10)]
    assert shop.accounts() == (20, 0, 0, 0, -30, 10)
    shop.pass_days(7)
    assert shop.held(ann) == {ann: 20}
    shop.nights(1)
    assert shop.held(ann) == {}
    assert shop.accounts() == (0, 0, 0, 0, -30, 30)


def test_without_grace_it_is_forfeited(shop, ann, back):
    shop.save(expires_after_days=40, grace_days=0)
    shop.grant(ann, 30, "first")
    shop.spend(Spend(ann, 20, "a"))
    shop.pass_days(41)
    back(20)
    assert lots(shop, ann) == [(30, 0, 30)]
    assert shop.accounts() == (0, 0, 0, 0, -30, 30)


def test_a_debt_is_paid_first(shop, ann, back):
    shop.paid("ann", "1", 2_000, time=START)
    shop.spend(Spend(ann, 20, "a"))
    shop.refunded("ann", "r1", 1_200, "1", time=START)
    assert shop.balance() == (0, 0, 12)
    back(15)
    assert shop.balance() == (3, 0, 0)
    assert shop.accounts() == (3, 0, 0, 5, -8, 0)


def test_points_come_back_to_whom_a_member_became(shop, ann):
    from threepeat.events import merging

    shop.grant(ann, 30, "first")
    shop.spend(Spend(ann, 20, "a"))
    bob = shop.member("bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
    shop.act(shop.tenant, "points", lambda ctx: give_back(ctx, [Return(bob, "spend:till:a", 20, "back")]))
    assert shop.held(bob) == {bob: 30}


def test_a_refund_writes_the_lots_that_it_changes_and_no_other(shop, ann):
    for number in range(3):
        shop.grant(ann, 10, f"gift {number}")
    shop.paid("ann", "1", 1_000, time=START)
    versions = "SELECT id, xmin::text FROM points.lot WHERE tenant_id = :tenant ORDER BY id"
    before = shop.rows(versions)
    shop.refunded("ann", "r1", 400, "1", time=START)
    after = shop.rows(versions)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, True, False]


def test_a_refund_that_is_told_again_under_another_event_looks_at_no_lot(shop, ann, statements):
    del ann
    shop.paid("ann", "1", 1_000, time=START)
    shop.refunded("ann", "r1", 400, "1", time=START)
    currency = shop.tenant.store.currency
    again = {"refund_id": "r1", "order_id": "1", "amount": 400, "currency": currency, "id": "again"}
    shop.send(shop.tenant, "order.refunded", "ann", time=START, **again)
    run = statements(shop.worker.drain)
    assert not [one for one in run if "points.lot" in one]
    assert shop.balance() == (6, 0, 0)


def test_a_payment_of_another_store_gives_nothing_back(shop, ann, open_shop):
    other = open_shop()
    other.grant(other.member(), 30, "first")
    other.spend(Spend(other.member(), 20, "a"))
    shop.grant(ann, 10, "first")
    shop.act(shop.tenant, "points", lambda ctx: give_back(ctx, [Return(ann, "spend:till:a", 20, "back")]))
    assert (shop.held(ann), other.held(other.member())) == ({ann: 10}, {other.member(): 10})


PLANTED = {
    "more back than was given": (
        """
        INSERT INTO points.allocation (tenant_id, entry_id, lot_id, points)
        SELECT e.tenant_id, e.id, l.id, -5 FROM points.entry e, points.lot l
        WHERE e.tenant_id = :tenant AND l.tenant_id = :tenant AND e.kind = 'granted'
        """,
        {"points.returns", "points.payments"},
    ),
    "a part of a payment that is lost": (
        "DELETE FROM points.allocation WHERE tenant_id = :tenant",
        {"points.payments"},
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_verify_sees_what_was_planted(open_shop, planted):
    statement, alarms = PLANTED[planted]
    shop = open_shop()
    ann = shop.member()
    shop.grant(ann, 10, "first")
    shop.spend(Spend(ann, 8, "a"))
    with shop.platform.database.ops.begin() as ops:
        ops.execute(text(statement), {"tenant": shop.tenant.id})
    assert set(shop.violations()) == alarms


def test_the_database_refuses_a_line_that_does_not_add_up(open_shop):
    shop = open_shop()
    shop.grant(shop.member(), 10, "first")
    with pytest.raises(IntegrityError, match="entry_balance_check"):
        shop.rows("""
            INSERT INTO points.entry (tenant_id, member_id, reference, kind, points, occurred_at, available)
            VALUES (:tenant, 1, 'x', 'granted', 5, core.now(), 5) RETURNING id
        """)
    with pytest.raises(ProgrammingError, match="permission denied"):
        shop.rows("UPDATE points.allocation SET points = 1 WHERE tenant_id = :tenant RETURNING lot_id")


def test_verify_sees_a_line_that_does_not_add_up_even_without_the_check(open_shop, platform):
    shop = open_shop()
    shop.grant(shop.member(), 10, "first")
    with platform.database.owner.begin() as owner:
        owner.exec_driver_sql("ALTER TABLE points.entry DROP CONSTRAINT entry_balance_check")
    try:
        with platform.database.ops.begin() as ops:
            ops.exec_driver_sql(f"UPDATE points.entry SET expense = 0 WHERE tenant_id = {shop.tenant.id}")
        assert shop.violations() == ["points.postings"]
    finally:
        with platform.database.ops.begin() as ops:
            ops.exec_driver_sql(f"UPDATE points.entry SET expense = -10 WHERE tenant_id = {shop.tenant.id}")
        with platform.database.owner.begin() as owner:
            owner.exec_driver_sql(
                "ALTER TABLE points.entry ADD CONSTRAINT entry_balance_check"
                " CHECK (available + pending + debt + liability + expense + breakage = 0)"
            )
