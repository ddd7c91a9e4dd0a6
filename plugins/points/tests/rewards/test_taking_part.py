"""Points for taking part: what the merchant says, so often a day, once for what is done once, never for shares."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from pydantic import ValidationError

from threepeat.events import merging
from threepeat_points.participation import ACTIVITIES
from threepeat_points.settings import ONCE, Activity, PointsSettings

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.save(
        taking_part=[
            {"event": "review.submitted", "points": 20, "times_a_day": 2},
            {"event": "session.started", "points": 1},
            {"event": "member.registered", "points": 100},
        ]
    )
    made.at(START)
    yield made
    assert made.violations() == []


@pytest.fixture
def review(shop):
    def send(number, who="ann", time=START):
        shop.send(shop.tenant, "review.submitted", who, sku="tea", rating=5, id=f"review-{number}", time=time)
        shop.worker.drain()

    return send


def test_an_event_brings_points_so_often_a_day_and_no_more(shop, review):
    for number in range(4):
        review(number)
    assert shop.balance() == (40, 0, 0)
    review(4, time=START + 5 * HOUR)  # after midnight in Shanghai
    assert shop.balance() == (60, 0, 0)


def test_one_batch_is_capped_like_many(shop):
    shop.send.batch(
        shop.tenant,
        [
            shop.send.event("review.submitted", who, sku="tea", rating=5, time=START)
            for who in ["ann"] * 5 + ["bob"]
        ],
    )
    shop.worker.drain()
    assert (shop.balance("ann"), shop.balance("bob")) == ((40, 0, 0), (20, 0, 0))


def test_an_event_that_is_reported_twice_counts_once(shop, review):
    review(1)
    review(1)
    assert shop.balance() == (20, 0, 0)


def test_a_late_event_counts_for_the_day_on_which_it_happened(shop, review):
    review(1)
    review(2)
    review(3, time=START - 24 * HOUR)
    review(4, time=START - HOUR)
    assert shop.balance() == (60, 0, 0)


def test_what_is_done_once_brings_points_once_also_for_whom_a_member_was_before(shop):
    for name in ("a", "b"):
        shop.send(shop.tenant, "member.registered", "ann", id=name, time=START)
    shop.worker.drain()
    assert shop.balance() == (100, 0, 0)
    ann, bob = shop.member("ann"), shop.member("bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
    shop.send(shop.tenant, "member.registered", "bob", id="c", time=START)
    shop.worker.drain()
    assert shop.balance("bob") == (100, 0, 0)


def test_two_members_who_are_one_have_one_cap_between_them(shop, review):
    review(1)
    review(2)
    ann, bob = shop.member("ann"), shop.member("bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, ann, bob, by="t")
    review(3, who="bob")
    assert shop.balance("bob") == (40, 0, 0)


def test_it_comes_out_of_the_budget_and_what_that_does_not_cover_is_not_counted(shop, review):
    shop.save(monthly_budget=30, taking_part=[{"event": "review.submitted", "points": 20, "times_a_day": 2}])
    review(1)
    review(2)
    assert shop.balance() == (20, 0, 0)
    assert shop.rows("SELECT times FROM points.tally WHERE tenant_id = :tenant") == [(1,)]
    shop.save(monthly_budget=60, taking_part=[{"event": "review.submitted", "points": 20, "times_a_day": 2}])
    review(3)
    review(4)
    assert shop.balance() == (40, 0, 0)


def test_shares_bring_nothing_and_a_rule_for_them_is_refused_by_name(shop):
    with pytest.raises(ValidationError, match="The platform forbids paying for shares") as refused:
        PointsSettings(taking_part=[{"event": "share.sent", "points": 1}])
    assert refused.value.errors()[0]["loc"] == ("taking_part", 0, "event")
    shop.send(shop.tenant, "share.sent", "ann", what="tea", time=START)
    shop.worker.drain()
    assert shop.balance() == (0, 0, 0)


@pytest.mark.parametrize(
    ("rules", "place"),
    [
        ([{"event": "order.paid", "points": 1}], ("taking_part", 0, "event")),
        ([{"event": "code.scanned", "points": 0}], ("taking_part", 0, "points")),
        ([{"event": "code.scanned", "points": 2**63}], ("taking_part", 0, "points")),
        ([{"event": "code.scanned", "points": float("nan")}], ("taking_part", 0, "points")),
        ([{"event": "code.scanned", "points": 1}, {"event": "code.scanned", "points": 2}], ("taking_part",)),
        ([{"event": "code.scanned", "points": 1}] * 11, ("taking_part",)),
    ],
)
def test_a_rule_that_cannot_be_is_refused_at_its_field(rules, place):
    with pytest.raises(ValidationError) as refused:
        PointsSettings(taking_part=rules)
    assert refused.value.errors()[0]["loc"] == place


def test_the_comparison_group_gets_nothing(shop, review):
    shop.save(holdout_percent=50, taking_part=[{"event": "review.submitted", "points": 20}])
    names = [f"m{number}" for number in range(20)]
    for number, name in enumerate(names):
        review(number, who=name)
    got = {name: shop.balance(name)[0] > 0 for name in names}
    assert got == {name: shop.takes_part(shop.member(name)) for name in names}


def test_events_that_bring_nothing_cost_the_tactic_a_look_at_its_settings(shop, statements):
    shop.send.batch(
        shop.tenant,
        [shop.send.event("content.viewed", f"m{number}", content_id="tea", time=START) for number in range(5)],
    )
    run = statements(shop.worker.drain)
    assert not [one for one in run if "points." in one]


def test_a_batch_costs_the_same_statements_however_many_take_part(shop, statements):
    def batch(name, count):
        sent = [
            shop.send.event("review.submitted", f"{name}{n}", sku="tea", rating=5, time=START)
            for n in range(count)
        ]
        shop.send.batch(shop.tenant, sent)
        return [one for one in statements(shop.worker.drain) if "points." in one]

    few, many = batch("a", 2), batch("b", 40)
    assert few == many
    assert len(many) == 5  # what was counted, the accounts opened and locked, the lots given, and the count


def test_every_activity_of_the_form_is_one_that_is_listened_to():
    assert {one.type for one in ACTIVITIES} == set(get_args(Activity))
    assert all(one in set(get_args(Activity)) for one in ONCE)


# --- Caps on what orders earn --------------------------------------------------------------------------------


def test_an_order_earns_no_more_than_the_cap_and_a_refund_takes_back_only_what_it_earned(shop):
    shop.save(most_per_order=50)
    shop.paid("ann", "1", 20_000, time=START)
    assert shop.balance() == (50, 0, 0)
    shop.refunded("ann", "r1", 15_000, "1", time=START)  # 50 are left of 200: still 50 points
    assert shop.balance() == (50, 0, 0)
    shop.refunded("ann", "r2", 1_000, "1", time=START)
    assert shop.balance() == (40, 0, 0)


def test_a_member_s_orders_of_a_day_earn_no_more_than_the_cap_together(shop):
    shop.save(most_per_day=50)
    money = {"currency": "CNY"}
    shop.send.batch(
        shop.tenant,
        [
            shop.send.event("order.paid", who, order_id=order, total=total, time=START + at * HOUR, **money)
            for who, order, total, at in [
                ("ann", "1", 3_000, 0),
                ("ann", "2", 3_000, 1),
                ("ann", "2", 3_000, 1),
                ("ann", "3", 3_000, 2),
                ("ann", "4", 3_000, 5),
                ("bob", "5", 3_000, 1),
            ]
        ],
    )
    shop.worker.drain()
    orders = "SELECT order_id, granted FROM points.lot WHERE tenant_id = :tenant ORDER BY order_id"
    assert shop.rows(orders) == [("1", 30), ("2", 20), ("3", 0), ("4", 30), ("5", 30)]
    shop.paid("ann", "1", 3_000, time=START)  # known: it uses up no room
    shop.refunded("ann", "r1", 1_000, "1", time=START)
    shop.paid("ann", "6", 3_000, time=START + 3 * HOUR)
    assert shop.rows(orders)[-1] == ("6", 10)
