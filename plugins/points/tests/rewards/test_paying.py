"""Points pay a part of an order: quoted, held, used, free again, and given back in proportion."""

import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from threepeat.sdk import Basket, BasketLine, Hold, Refused, Returned, Spend, Store
from threepeat.tenancy import switches, tenants
from threepeat_points.settings import PointsSettings

START = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.save(pay_percent=50, points_per_unit_value=100, expires_after_days=40)
    made.at(START)
    yield made
    assert made.violations() == []


def basket(price, choice=None):
    choices = {} if choice is None else {"points": choice}
    return Basket(lines=(BasketLine(id="1", sku="tea", quantity=1, unit_price=price),), choices=choices)


def quote(shop, member, price, choice):
    return shop.act(shop.tenant, "till", lambda ctx: ctx.pricing.quote(member, basket(price, choice)))


def hold_of(shop, member, price, choice, reservation="r1", amount=None):
    (applied,) = quote(shop, member, price, choice).applied
    return Hold(
        reservation=reservation,
        plugin="points",
        rule="pay",
        key="",
        member=member,
        amount=applied.amount if amount is None else amount,
        shares=applied.shares,
        shipping=0,
        data=applied.data,
    )


def tell(shop, what, *given):
    shop.act(shop.tenant, "till", lambda ctx: getattr(ctx.pricing, what)(given))


def test_members_pay_with_the_points_that_they_choose_up_to_the_merchant_s_limits(shop, ann):
    shop.grant(ann, 5_000, "gift")
    assert quote(shop, ann, 10_000, 1_200).total == 8_800
    assert quote(shop, ann, 10_000, 9_999).total == 5_000  # half of it at most
    shop.save(pay_percent=50, points_per_unit_value=100, pay_most=2_000, pay_step=500)
    found = quote(shop, ann, 10_000, 1_999)
    assert (found.total, found.applied[0].title["en"]) == (8_500, "Paid with 1,500 points")
    assert quote(shop, ann, 10_000, 4_000).total == 8_000
    assert quote(shop, ann, 10_000, 499).left_out[0].why == "declined"


@pytest.mark.parametrize("choice", [True, 1.5, "12", [], {}, 0, -1, 2**63, None])
def test_a_choice_that_is_no_number_of_points_pays_nothing(shop, ann, choice):
    shop.grant(ann, 100, "gift")
    found = quote(shop, ann, 10_000, choice)
    assert (found.total, found.applied) == (10_000, ())
    assert [one.why for one in found.left_out] == ([] if choice is None else ["declined"])


def test_no_more_is_quoted_than_the_member_has_and_it_is_off_until_the_merchant_sets_it(shop, ann):
    shop.grant(ann, 70, "gift")
    assert quote(shop, ann, 10_000, 500).total == 9_930
    assert quote(shop, shop.member("bob"), 10_000, 500).left_out[0].why == "declined"
    shop.save(pay_percent=0)
    assert quote(shop, ann, 10_000, 50).left_out[0].reason["zh"] == "本店暂不支持积分抵扣。"


def test_members_pay_with_what_they_hold_while_points_are_closing(shop, ann):
    shop.grant(ann, 500, "gift")
    with shop.platform.database.directory() as connection:
        tenant = tenants.by_id(connection, shop.tenant.id)
    with shop.platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
        left = switches.disable(scope, tenant, shop.platform.registry, "points", by="test", act=shop.platform.act)
    assert left.state == "closing"
    tell(shop, "reserve", hold_of(shop, ann, 10_000, 300))
    assert quote(shop, ann, 10_000, 500).total == 9_800


@given(
    wanted=st.integers(1, 10**9),
    most=st.integers(0, 10**9),
    value=st.integers(1, 10**6),
    limit=st.none() | st.integers(1, 10**9),
    step=st.integers(1, 10**6),
    minor=st.sampled_from([1, 100, 1000]),
)
def test_no_point_is_taken_that_pays_nothing(wanted, most, value, limit, step, minor):
    settings = PointsSettings(points_per_unit_value=value, pay_percent=100, pay_most=limit, pay_step=step)
    store = Store(1, "tea", "Tea", "CNY", minor, None)
    points = settings.usable(wanted, most, store)
    assert 0 <= points <= min(wanted, limit or wanted)
    assert points % step == 0
    assert settings.pays(points, store) <= most
    if points:
        assert settings.pays(points - step, store) < settings.pays(points, store)


def test_what_is_held_is_gone_and_what_is_released_is_back_in_its_lots(shop, ann):
    shop.grant(ann, 100, "gift")
    hold = hold_of(shop, ann, 1_000, 80)
    for _ in range(2):
        tell(shop, "reserve", hold)
        assert shop.held(ann) == {ann: 20}
    with pytest.raises(Refused, match=r"^1 point is missing$"):
        shop.spend(Spend(ann, 21, "a"))
    for _ in range(2):
        tell(shop, "release", hold)
        assert shop.lots(ann) == [(100, 100)]
    tell(shop, "reserve", hold)  # one time of holding is one: what was released stays so
    assert shop.held(ann) == {ann: 100}
    assert shop.accounts() == (100, 0, 0, 0, -100, 0)


def test_what_was_spent_since_the_quote_cannot_be_held(shop, ann):
    shop.grant(ann, 100, "gift")
    hold = hold_of(shop, ann, 1_000, 80)
    shop.spend(Spend(ann, 60, "a"))
    with pytest.raises(Refused, match=r"^40 points are missing$"):
        tell(shop, "reserve", hold)
    assert shop.rows("SELECT 1 FROM points.hold WHERE tenant_id = :tenant") == []


def test_what_expires_while_it_is_held_is_not_lost(shop, ann):
    shop.grant(ann, 100, "gift")
    hold = hold_of(shop, ann, 1_000, 80)
    tell(shop, "reserve", hold)
    shop.nights(41)
    tell(shop, "release", hold)
    assert shop.held(ann) == {ann: 80}
    assert shop.accounts() == (80, 0, 0, 0, -100, 20)


def test_refunds_give_points_back_in_proportion_and_the_whole_order_all(shop, ann):
    shop.grant(ann, 100, "gift")
    hold = hold_of(shop, ann, 1_000, 100)
    tell(shop, "reserve", hold)
    for _ in range(2):
        tell(shop, "confirm", hold)
    back = [Returned(hold=hold, reference=str(n), amount=amount, whole=False) for n, amount in enumerate((33, 66))]
    for one in (back[0], back[0], back[1], back[0]):  # twice, and late
        tell(shop, "returned", one)
    assert shop.held(ann) == {ann: 66}
    for _ in range(2):
        tell(shop, "returned", Returned(hold=hold, reference="z", amount=99, whole=True))
    assert shop.lots(ann) == [(100, 100)]
    tell(shop, "release", hold)
    assert shop.accounts() == (100, 0, 0, 0, -100, 0)


def test_a_part_of_a_point_goes_to_the_member(shop, ann):
    shop.save(pay_percent=100, points_per_unit_value=7)
    shop.grant(ann, 7, "gift")
    hold = hold_of(shop, ann, 100, 7)
    assert hold.amount == 100
    tell(shop, "reserve", hold)
    tell(shop, "confirm", hold)
    tell(shop, "returned", Returned(hold=hold, reference="1", amount=1, whole=False))
    assert shop.held(ann) == {ann: 1}


def test_a_reduction_that_was_cut_takes_fewer_points(shop, ann):
    shop.grant(ann, 100, "gift")
    tell(shop, "reserve", hold_of(shop, ann, 1_000, 80, amount=41))
    assert shop.held(ann) == {ann: 59}


def test_points_are_earned_on_the_money_and_not_on_what_points_paid(shop, ann):
    shop.grant(ann, 5_000, "gift")
    total = quote(shop, ann, 10_000, 4_000).total
    shop.paid("ann", "1", total, time=START)
    assert shop.told("points.earned")[0]["points"] == 60


def test_points_that_were_not_held_cannot_be_used(shop, ann):
    shop.grant(ann, 100, "gift")
    hold = hold_of(shop, ann, 1_000, 80)
    with pytest.raises(RuntimeError, match="not held"):
        tell(shop, "confirm", hold)


def test_32_orders_at_once_hold_what_there_is_and_no_more(open_shop):
    shop = open_shop()
    shop.save(pay_percent=50)
    ann = shop.member()
    for number in range(4):
        shop.grant(ann, 25, f"gift {number}")
    holds = [hold_of(shop, ann, 1_000, 9, reservation=f"r{number}") for number in range(32)]
    held, codes, start = [], set(), threading.Barrier(32)

    def reserve(hold):
        start.wait()
        try:
            tell(shop, "reserve", hold)
            held.append(hold)
        except Refused as error:
            codes.add(error.code)

    threads = [threading.Thread(target=reserve, args=(hold,)) for hold in holds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(held), shop.held(ann), codes) == (11, {ann: 1}, {"not-enough"})
    for hold in held:
        tell(shop, "release", hold)
    assert shop.held(ann) == {ann: 100}
    assert shop.violations() == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE points.hold SET state = 'released' WHERE tenant_id = :tenant",
        "UPDATE points.hold SET returned = 1 WHERE tenant_id = :tenant",
    ],
)
def test_verify_sees_a_hold_that_the_journal_does_not_know(open_shop, statement):
    shop = open_shop()
    shop.save(pay_percent=50)
    ann = shop.member()
    shop.grant(ann, 100, "gift")
    tell(shop, "reserve", hold_of(shop, ann, 1_000, 80))
    assert shop.violations() == []
    with shop.platform.database.ops.begin() as ops:
        ops.execute(text(statement), {"tenant": shop.tenant.id})
    assert shop.violations() == ["points.holds"]


def test_two_stores_hold_under_the_same_name_and_never_meet(shop, ann, open_shop):
    other = open_shop()
    other.save(pay_percent=50)
    bob = other.member()
    shop.grant(ann, 100, "gift")
    other.grant(bob, 50, "gift")
    mine, theirs = hold_of(shop, ann, 1_000, 80), hold_of(other, bob, 1_000, 30)
    tell(shop, "reserve", mine)
    tell(other, "release", theirs)
    assert (shop.held(ann), other.held(bob)) == ({ann: 20}, {bob: 50})
    tell(other, "reserve", theirs)
    tell(shop, "release", mine)
    assert (shop.held(ann), other.held(bob)) == ({ann: 100}, {bob: 20})
