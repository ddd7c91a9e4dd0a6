"""What an order earns on a bonus day, and what of it goes back with its money."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from threepeat.events import merging
from threepeat.sdk import Grant
from threepeat.tenancy import switches
from threepeat.worker.loop import Worker, WorkerConfig

NOON = datetime(2026, 1, 10, 4, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 1, 10, 16, tzinfo=UTC)
"""The end of the store's day."""


def test_orders_of_the_day_earn_the_factor_rounded_down_and_others_do_not(shop):
    shop.publish("1.5", "2026-01-11")
    for order, at in (
        ("before", MIDNIGHT - timedelta(microseconds=1)),
        ("first", MIDNIGHT),
        ("last", MIDNIGHT + DAY - timedelta(microseconds=1)),
        ("after", MIDNIGHT + DAY),
    ):
        shop.paid(order, 799, at=at)
    assert shop.earned() == {"before": 7, "first": 10, "last": 10, "after": 7}


def test_the_balance_the_journal_and_the_log_tell_the_same(shop):
    shop.publish("2.5")
    shop.paid("1", 1_000)
    assert shop.balance() == (25, 0)
    assert shop.rows("SELECT points FROM points.entry WHERE tenant_id = :tenant") == [(25,)]
    told = shop.rows(
        "SELECT CAST(data ->> 'points' AS bigint) FROM core.event"
        " WHERE tenant_id = :tenant AND type = 'points.earned'"
    )
    assert told == [(25,)]


def test_refunds_take_back_exactly_what_was_earned_with_one_rounding(shop):
    shop.publish("1.5")
    shop.paid("1", 700)
    assert shop.earned() == {"1": 10}
    expected = {600: 9, 500: 7, 400: 6, 300: 4, 200: 3, 100: 1, 0: 0}
    for number, (left, points) in enumerate(expected.items()):
        shop.refunded(f"r{number}", 100, "1")
        assert shop.earned() == {"1": points}, left
    assert shop.balance() == (0, 0)


def test_a_refund_after_the_day_takes_back_by_the_factor_of_the_order(shop):
    day = shop.publish("3")
    shop.paid("1", 1_000)
    shop.serve()
    shop.at(NOON + 3 * DAY)
    shop.close(day)
    shop.refunded("r", 400, "1", at=NOON + 3 * DAY)
    assert shop.earned() == {"1": 18}
    shop.refunded("rest", 600, "1", at=NOON + 3 * DAY)
    assert shop.balance() == (0, 0)


def test_a_refund_on_a_bonus_day_of_an_order_from_before_takes_no_more_than_it_earned(shop):
    shop.paid("1", 1_000, at=NOON - DAY)
    shop.serve()
    shop.publish("10")
    shop.refunded("r", 1_000, "1")
    assert shop.earned() == {"1": 0}
    assert shop.balance() == (0, 0)


def test_a_refund_that_comes_before_its_order_is_taken_off_before_the_factor(shop):
    shop.publish("1.5")
    shop.refunded("r", 300, "1")
    shop.serve()
    shop.paid("1", 1_000)
    assert shop.earned() == {"1": 10}


def test_points_that_were_spent_and_are_refunded_are_owed_with_their_factor(shop):
    shop.publish("2")
    shop.paid("1", 1_000)
    shop.paid("2", 1_000, at=NOON + DAY)
    shop.serve()
    shop.refunded("loose", 2_500, at=NOON + DAY)  # without an order: one point for each unit, 25 of 30
    shop.serve()
    shop.refunded("r", 1_000, "1", at=NOON + DAY)
    assert shop.balance() == (0, 15)


def test_an_order_that_is_reported_again_under_another_factor_earns_nothing_more(shop):
    shop.paid("1", 1_000)
    shop.serve()
    shop.publish("5")
    shop.paid("1", 1_000, at=NOON + HOUR)
    assert shop.earned() == {"1": 10}


def test_when_an_order_is_counted_does_not_matter(shop):
    """Neither waiting before a day, nor after it, nor its closing changes what a payment of that moment earns."""
    day = shop.publish("2", last="2026-01-11")
    shop.paid("early", 1_000, at=NOON - HOUR)  # before it was published
    shop.paid("in", 1_000, at=NOON + HOUR)
    shop.at(NOON + 2 * HOUR)
    shop.close(day)
    shop.paid("late", 1_000, at=NOON + 3 * HOUR)
    assert shop.earned() == {"early": 10, "in": 20, "late": 10}


def test_closing_before_it_begins_lets_it_never_count_and_closing_after_it_changes_nothing(shop):
    unborn, over = shop.publish("2", "2026-01-20"), shop.publish("3", "2026-01-10")
    shop.close(unborn)
    shop.at(NOON + 5 * DAY)
    shop.close(over)
    shop.paid("1", 1_000, at=NOON + HOUR)
    shop.paid("2", 1_000, at=NOON + 10 * DAY)
    assert shop.earned() == {"1": 30, "2": 10}


def test_a_draft_never_counts(shop):
    shop.draft("10")
    shop.paid("1", 1_000)
    assert shop.earned() == {"1": 10}


def test_where_days_overlap_the_highest_factor_counts(shop):
    shop.publish("2", last="2026-01-12")
    best = shop.publish("3", "2026-01-11", "2026-01-11")
    shop.publish("2.5", "2026-01-11", "2026-01-13")
    for number in range(4):
        shop.paid(str(number), 1_000, at=NOON + HOUR + number * DAY)
    assert shop.earned() == {"0": 20, "1": 30, "2": 25, "3": 25}
    assert shop.read(best).figures == {"At the moment": "not begun", "Orders": 1, "Points earned": 30}


def test_other_tactics_multiply_the_bonus_day(open_shop, booster):
    shop = open_shop(enable=("booster", "points"))
    shop.publish("1.5", "2026-01-11")
    booster.factor = Fraction(5, 3)
    shop.paid("plain", 1_000)
    shop.paid("day", 1_000, at=NOON + DAY)
    assert shop.earned() == {"plain": 16, "day": 25}
    booster.factor = Fraction(0)
    shop.paid("nothing", 1_000, at=NOON + DAY)
    assert shop.earned()["nothing"] == 0
    shop.refunded("r", 500, "plain")
    assert shop.earned()["plain"] == 8


def test_a_factor_beyond_all_reason_is_a_letter_and_not_a_fortune(open_shop, booster):
    shop = open_shop(enable=("booster", "points"))
    booster.factor = Fraction(1001)
    shop.paid("1", 1_000)
    Worker(shop.platform).drain()
    ((error,),) = shop.rows("SELECT error FROM core.dead_letter WHERE tenant_id = :tenant")
    assert "points are multiplied by 1001: the most is 1000" in error
    assert shop.rows("SELECT 1 FROM points.lot WHERE tenant_id = :tenant") == []


def test_the_largest_order_fits(open_shop, booster):
    shop = open_shop(enable=("booster", "points"), currency="JPY")
    booster.factor = Fraction(999_983, 1_009)
    shop.paid("1", 10**15)
    points = 10**15 * 999_983 // 1_009
    assert shop.earned() == {"1": points}
    shop.refunded("r", 10**15 - 1_009, "1")
    assert shop.earned() == {"1": 999_983}


def test_a_day_for_some_leaves_the_others_as_usual(shop):
    first = {"fact": "orders.count", "op": "at_most", "value": 1}
    shop.publish("2", audience=first)
    shop.publish("1.5")
    for member in ("ann", "bob"):
        shop.paid(f"{member}1", 1_000, member=member)
        shop.serve()
    shop.paid("ann2", 1_000)
    assert shop.earned() == {"ann1": 20, "bob1": 20, "ann2": 15}


def test_what_an_order_earned_stays_when_the_member_leaves_the_audience(shop):
    shop.publish("2", audience={"fact": "orders.count", "op": "at_most", "value": 1})
    shop.paid("1", 1_000)
    shop.serve()
    shop.paid("2", 1_000)
    shop.refunded("r", 500, "1")
    assert shop.earned() == {"1": 10, "2": 10}


def test_a_store_where_the_tactic_closes_counts_no_bonus_and_refunds_go_on(shop):
    shop.publish("2")
    shop.paid("1", 1_000)
    shop.serve()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        switches.disable(scope, shop.tenant, shop.platform.registry, "points", by="t", act=shop.platform.act)
    shop.paid("2", 1_000)
    shop.refunded("r", 500, "1")
    assert shop.earned() == {"1": 10}


def test_bonus_days_of_one_store_are_none_of_another(shop, open_shop):
    other = open_shop()
    shop.publish("3")
    other.publish("2", "2026-01-11")
    for one in (shop, other):
        one.paid("1", 1_000)
    assert (shop.earned(), other.earned()) == ({"1": 30}, {"1": 10})


def test_a_merge_takes_the_factor_along(shop):
    shop.publish("3")
    shop.paid("1", 1_000, member="ann")
    shop.paid("2", 1_000, member="bob")
    shop.serve()
    ann, bob = shop.member("ann"), shop.member("bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
    shop.refunded("r", 500, "1", member="ann")
    assert shop.earned() == {"1": 15, "2": 30}


def test_verify_sees_a_lot_that_holds_more_than_its_factor_allows(open_shop):
    shop = open_shop()
    shop.publish("2")
    shop.paid("1", 1_000)
    assert shop.earned() == {"1": 20}
    shop.rows("UPDATE points.lot SET factor_numerator = 1, factor_denominator = 1 WHERE tenant_id = :tenant")
    assert shop.violations() == ["points.orders"]


@pytest.mark.parametrize(
    ("right", "wrong", "seen"),
    [
        ("LEFT JOIN factors f USING (order_id)", "LEFT JOIN factors f ON false", {"points": 10, "alarms": []}),
        ("expires_at, numerator, denominator", "expires_at, 1, 1", {"points": 20, "alarms": ["points.orders"]}),
    ],
    ids=["not-multiplied", "not-kept"],
)
def test_a_statement_that_is_wrong_is_seen(open_shop, platform, monkeypatch, right, wrong, seen):
    found = str(platform.statements["points"]["grant"])
    assert right in found
    monkeypatch.setitem(platform.statements["points"], "grant", text(found.replace(right, wrong)))
    shop = open_shop()
    shop.publish("2")
    shop.paid("1", 1_000)
    assert {"points": shop.balance()[0], "alarms": shop.violations()} == seen


def test_a_batch_costs_one_query_however_many_orders_and_days(shop, statements):
    def batch(name, count):
        currency = shop.tenant.store.currency
        shop.send.batch(
            shop.tenant,
            [
                shop.send.event(
                    "order.paid", f"m{n}", time=NOON + HOUR, order_id=f"{name}{n}", total=100, currency=currency
                )
                for n in range(count)
            ],
        )
        # How often a worker looks whether there is something to do is its own affair.
        looks = ("core.turn", "FROM core.tenant")
        return [one for one in statements(shop.serve) if not any(look in one for look in looks)]

    few, many = batch("a", 2), batch("b", 40)
    for factor in ("2", "3", "4"):
        shop.publish(factor)
    with_days = batch("c", 40)
    assert len(few) == len(many) == len(with_days)
    assert sum("points.bonus_day" in one for one in many) == 1


@pytest.mark.parametrize("batch", [1, 3, 1000])
def test_factors_do_not_depend_on_how_the_log_was_cut(open_shop, batch):
    shop = open_shop()
    shop.publish("1.5", last="2026-01-11")
    shop.publish("3", "2026-01-11")
    for number in range(12):
        shop.paid(str(number), 500 + 37 * number, at=NOON + HOUR + number * 6 * HOUR, member="ab"[number % 2])
        if number % 3 == 2:
            shop.refunded(f"r{number}", 130, str(number - 1), member="ab"[(number - 1) % 2])
    shop.serve(WorkerConfig(batch=batch))
    expected = {}
    for number in range(12):
        at = NOON + HOUR + number * 6 * HOUR
        factor = Fraction(1)
        if at < MIDNIGHT + DAY:
            factor = Fraction(3) if at >= MIDNIGHT else Fraction(3, 2)
        left = 500 + 37 * number - (130 if number % 3 == 1 else 0)
        expected[str(number)] = left // 100 * factor // 1
    assert shop.earned() == expected


STEP = st.one_of(
    st.tuples(st.just("paid"), st.integers(0, 5), st.integers(0, 3_000)),
    st.tuples(st.just("refunded"), st.integers(0, 5), st.integers(0, 1_500)),
    st.tuples(st.just("publish"), st.integers(0, 3), st.sampled_from(["1.1", "1.5", "2", "3.3"])),
    st.tuples(st.just("close"), st.integers(0, 5), st.none()),
    st.tuples(st.just("serve"), st.none(), st.none()),
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(STEP, max_size=25))
def test_any_history_comes_to_what_a_simple_model_says(open_shop, steps):
    """The model knows when orders were paid and when days counted, and not when anything was served."""
    shop = open_shop()
    days, windows, orders = [], [], {}
    refunds = defaultdict(int)
    for number, (what, place, amount) in enumerate(steps):
        now = NOON + number * 5 * HOUR
        shop.at(now)
        if what == "paid":
            shop.paid(str(place), amount, at=now + HOUR)
            orders.setdefault(str(place), (amount, now + HOUR))
        elif what == "refunded":
            shop.refunded(f"r{number}", amount, str(place), at=now + HOUR)
            refunds[str(place)] += amount
        elif what == "publish":
            local = (now + 8 * HOUR).date()
            first = local + place * DAY
            days.append(shop.publish(amount, str(first), str(first + DAY)))
            begins = datetime(first.year, first.month, first.day, tzinfo=UTC) - 8 * HOUR
            windows.append([max(begins, now), begins + 2 * DAY, Fraction(amount)])
        elif what == "close" and place < len(days):
            state = shop.read(days[place])
            if state.state == "published":
                shop.close(state)
                windows[place][1] = max(windows[place][0], min(windows[place][1], now))
        elif what == "serve":
            shop.serve()
    expected = {}
    for order, (total, at) in orders.items():
        factor = max((factor for begins, ends, factor in windows if begins <= at < ends), default=Fraction(1))
        expected[order] = max(total - refunds[order], 0) // 100 * factor // 1
    assert shop.earned() == expected


def test_a_lot_says_which_day_counted(shop):
    day = shop.publish("2")
    shop.paid("1", 1_000)
    shop.paid("2", 1_000, at=NOON + DAY)
    shop.serve()
    found = shop.rows(
        "SELECT order_id, factor_numerator, factor_denominator, bonus_day_id FROM points.lot"
        " WHERE tenant_id = :tenant ORDER BY order_id"
    )
    assert found == [("1", 2, 1, int(day.id)), ("2", 1, 1, None)]


def test_what_other_tactics_give_is_not_multiplied(open_shop, act):
    shop = open_shop(enable=("booster", "points"))
    shop.publish("2")
    ann = shop.member("ann")
    act(shop.tenant, "booster", lambda ctx: ctx.grant("points", [Grant(ann, 10, "gift", "once")]))
    assert shop.balance() == (10, 0)
