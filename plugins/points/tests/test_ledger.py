"""The arithmetic of reversals, without a database."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from threepeat_points.ledger import OpenLot, due_for_order, take

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def lot(number=1, *, total=1000, granted=None, remaining=None, expires=30, rate=1, minor_units=100, factor=1):
    granted = total // minor_units * rate * factor // 1 if granted is None else granted
    return OpenLot(
        id=number,
        order_id=f"o{number}",
        order_total=total,
        order_refunded=0,
        minor_units=minor_units,
        rate=rate,
        granted=granted,
        reversed=0,
        remaining=granted if remaining is None else remaining,
        expires_at=NOW + timedelta(days=expires),
        factor_numerator=Fraction(factor).numerator,
        factor_denominator=Fraction(factor).denominator,
    )


@given(
    total=st.integers(0, 10**7),
    refunds=st.lists(st.integers(0, 10**7), max_size=8),
    rate=st.integers(1, 1000),
    minor_units=st.sampled_from([1, 100, 1000]),
    factor=st.just(Fraction(1)) | st.fractions(0, 1000, max_denominator=10**6),
)
def test_after_any_refunds_an_order_has_earned_what_its_remaining_money_earns(
    total, refunds, rate, minor_units, factor
):
    one = lot(total=total, rate=rate, minor_units=minor_units, factor=factor)
    due = [due_for_order(one, amount) for amount in refunds]
    assert one.granted - sum(due) == max(total - sum(refunds), 0) // minor_units * rate * factor // 1
    assert all(points >= 0 for points in due)
    assert one.reversed == sum(due) <= one.granted


@given(
    points=st.integers(0, 500),
    lots=st.lists(st.tuples(st.integers(0, 100), st.integers(-5, 30)), max_size=6),
    own=st.integers(0, 5),
)
def test_taking_conserves_points_and_never_takes_from_expired_lots_of_other_orders(points, lots, own):
    mine = [lot(n, granted=100, remaining=left, expires=days) for n, (left, days) in enumerate(lots)]
    mine.sort(key=lambda one: one.expires_at)
    chosen = mine[own] if own < len(mine) else None
    before = {one.id: one.remaining for one in mine}
    missing = take(points, chosen, mine, NOW)
    taken = {one.id: before[one.id] - one.remaining for one in mine}
    assert sum(taken.values()) + missing == points
    assert all(0 <= one.remaining <= before[one.id] for one in mine)
    for one in mine:
        if one is not chosen and one.expires_at <= NOW:
            assert taken[one.id] == 0
    if missing:
        assert all(one.remaining == 0 for one in mine if one is chosen or one.expires_at > NOW)


def test_the_orders_own_lot_gives_first_then_the_earliest_to_expire():
    first, second, own = lot(1, expires=5), lot(2, expires=9), lot(3, expires=20)
    assert take(15, own, [first, second, own], NOW) == 0
    assert (own.remaining, first.remaining, second.remaining) == (0, 5, 10)
