"""The arithmetic of reversals, without a database."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from threepeat_points.ledger import Movement, OpenLot, due_for_order, mature, take

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
    line = Movement(1, "reversed", "r", NOW)
    missing = take(points, chosen, mine, line)
    assert balance(line) == 0
    assert (line.expense, line.debt, line.available) == (points, -missing, missing - points)
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
    assert take(15, own, [first, second, own], Movement(1, "reversed", "r", NOW)) == 0
    assert (own.remaining, first.remaining, second.remaining) == (0, 5, 10)


def balance(line):
    return line.available + line.pending + line.debt + line.liability + line.expense + line.breakage


@given(
    points=st.integers(0, 300),
    remaining=st.integers(0, 100),
    waiting=st.booleans(),
    unlocks=st.none() | st.integers(-5, 5),
    expires=st.integers(-5, 5),
    steps=st.lists(st.integers(-6, 6), min_size=1, max_size=4).map(sorted),
)
def test_time_moves_points_once_and_what_expired_is_what_a_reversal_of_its_own_lot_finds(
    points, remaining, waiting, unlocks, expires, steps
):
    """However often it is looked at, and whenever: the lines come to the same accounts."""
    one = lot(total=10_000, remaining=remaining, expires=expires)
    one.waiting, one.unlocks_at = waiting, None if unlocks is None else NOW + timedelta(days=unlocks)
    lines = [line for step in steps for line in mature(one, 1, NOW + timedelta(days=step))]
    assert [balance(line) for line in lines] == [0] * len(lines)
    assert len({line.reference for line in lines}) == len(lines) <= 2
    gone = expires <= steps[-1]
    assert (one.remaining, one.expired) == ((0, remaining) if gone else (remaining, 0))
    assert sum(line.breakage for line in lines) == one.expired
    unlocked = waiting and unlocks is not None and unlocks <= steps[-1] and unlocks < expires
    assert one.waiting is (waiting and not unlocked)
    assert sum(line.pending for line in lines) == (-remaining if waiting and (unlocked or gone) else 0)
    back = Movement(1, "reversed", "r", NOW + timedelta(days=steps[-1]))
    assert take(points, one, [one], back) == max(points - remaining, 0)
    assert balance(back) == 0
    assert back.breakage == (-min(points, remaining) if gone else 0)
