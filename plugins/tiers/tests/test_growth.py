"""Growth and rising: what orders, refunds and taking part bring, and that it counts once."""

from datetime import date, timedelta

import pytest
import sqlalchemy

DAY = timedelta(days=1)
FIRST = date(2025, 1, 10)


def growth(shop, name):
    return shop.mine(name)["growth"]


def test_a_member_rises_with_the_order_that_reaches_a_tier(shop):
    shop.batch(shop.event("member.registered", "new"), shop.order("ann", "1", 999), shop.order("bob", "2", 5_000))
    assert shop.levels() == {"new": 1, "ann": 1, "bob": 3}
    shop.paid("ann", "3", 1)
    assert shop.level("ann") == 2
    assert growth(shop, "ann") == 1_000
    changes = shop.rows("SELECT from_level, to_level, reason FROM tiers.change ORDER BY id")
    assert changes == [(0, 1, "growth")] * 2 + [(0, 3, "growth"), (1, 2, "growth")]
    last = shop.told()[-1][0]
    assert (last["from_level"], last["to_level"], last["to_name"], last["reason"]) == (1, 2, "银卡会员", "growth")


def test_how_events_are_cut_into_batches_makes_no_difference(make_shop):
    whole, single = make_shop(), make_shop()
    orders = [("ann", str(number), 400, FIRST + number * DAY) for number in range(14)]
    for each in (whole, single):
        each.at(FIRST + 14 * DAY)
    whole.batch(*(whole.order(*one) for one in orders))
    for one in orders:
        single.paid(*one)
    query = """
        SELECT e.data ->> 'order_id', c.from_level, c.to_level FROM tiers.change c
        JOIN core.event e ON e.tenant_id = c.tenant_id AND e.position = c.position
        WHERE c.tenant_id = :tenant ORDER BY c.id
    """
    assert whole.rows(query) == single.rows(query) == [("0", 0, 1), ("2", 1, 2), ("12", 2, 3)]


def test_a_member_joins_with_the_first_event_of_the_log_however_it_is_cut(make_shop):
    whole, single = make_shop(), make_shop()
    for each in (whole, single):
        each.save(window="membership_year")
    orders = [("ann", "1", 500, FIRST), ("ann", "2", 500, FIRST - 20 * DAY)]
    whole.batch(*(whole.order(*one) for one in orders))
    for one in orders:
        single.paid(*one)
    joined = "SELECT joined_on::text, level FROM tiers.standing WHERE tenant_id = :tenant"
    assert whole.rows(joined) == single.rows(joined) == [("2025-01-10", 1)], "two years of membership"


def test_an_order_counts_once_under_whatever_event(shop):
    event = shop.order("ann", "1", 600)
    shop.batch(event, event, shop.order("ann", "1", 600), shop.order("ann", "1", 600))
    shop.batch(event, shop.order("ann", "1", 600))
    assert growth(shop, "ann") == 600
    assert shop.level("ann") == 1


def test_refunds_take_growth_off_the_day_of_the_order_and_whatever_comes_first(shop):
    shop.batch(
        shop.refund("ann", "r1", 300, "1"), shop.order("ann", "1", 1_000), shop.refund("ann", "r1", 300, "1"),
        shop.refund("ann", "r2", 900, "1"), shop.order("bob", "2", 100), shop.refund("bob", "r3", 40, "2"),
    )  # fmt: skip
    assert growth(shop, "ann") == 0, "never more than the order brought"
    assert growth(shop, "bob") == 60
    assert shop.level("ann") == 1
    shop.refunded("bob", "r4", 30, None)
    assert growth(shop, "bob") == 30
    shop.refunded("bob", "r5", 500, None)
    assert growth(shop, "bob") == 0, "what is shown is never below nothing"
    assert shop.faults() == []


def test_a_refund_does_not_take_a_tier_at_once(shop):
    """Elsewhere a refund takes the tier away in the same moment, in the middle of the period."""
    shop.paid("ann", "1", 1_000)
    shop.refunded("ann", "r", 1_000, "1")
    assert shop.level("ann") == 2
    assert growth(shop, "ann") == 0


def test_spending_points_never_lowers_growth(shop, act):
    """Elsewhere the tier follows the balance of points, so that whoever redeems is downgraded."""
    shop.paid("ann", "1", 2_000)
    member = shop.member("ann")
    from threepeat.sdk import Spend

    act(shop.store, "tiers", lambda ctx: ctx.spend("points", [Spend(member, 1_000, "a cup")]))
    shop.at(date(2025, 2, 2))
    assert growth(shop, "ann") == 2_000
    assert shop.level("ann") == 2


def test_taking_part_counts_as_often_a_day_as_it_may(shop):
    shop.save(interactions=[{"kind": "visit.made", "growth": 100, "most_a_day": 2}], growth_per_order=50)
    late = shop.event("visit.made", "ann", FIRST - DAY)
    shop.batch(*(shop.event("visit.made", "ann") for _ in range(3)), late)
    shop.batch(shop.event("visit.made", "ann"), shop.event("share.sent", "ann", what="x"))
    shop.batch(shop.event("page.viewed", "ann", page="home"), shop.order("ann", "1", 10))
    assert growth(shop, "ann") == 300 + 60
    assert shop.faults() == []


def test_what_counts_for_nobody_costs_one_look(shop):
    """Most events of a store are behaviour: where it brings no growth, no member is read or locked for it."""
    shop.save(interactions=[{"kind": "visit.made", "growth": 100}])
    shop.paid("ann", "1", 10)
    run = []
    engine = shop.platform.database.app

    def note(_connection, _cursor, statement, *_rest):
        if "tiers." in statement:
            run.append(statement)

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    try:
        shop.batch(*(shop.event("session.started", name, session_id=name) for name in ("ann", "bob")))
        looks = list(run)
        shop.batch(shop.event("visit.made", "ann"))
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", note)
    assert [statement for statement in looks if "tiers.version" not in statement] == []
    assert len(looks) == 1
    assert len(run) > 3
    assert growth(shop, "ann") == 110
    shop.save(interactions=[])
    shop.batch(shop.event("visit.made", "ann", FIRST - DAY))
    assert growth(shop, "ann") == 210, "it counts on for those whose period began under it"


def test_sharing_can_not_be_made_to_count(shop):
    from threepeat.tenancy.errors import Invalid

    with pytest.raises(Invalid, match="interactions"):
        shop.save(interactions=[{"kind": "share.sent", "growth": 1}])
    with pytest.raises(Invalid, match="once"):
        shop.save(interactions=[{"kind": "visit.made", "growth": 1}, {"kind": "visit.made", "growth": 2}])


def test_late_and_shuffled_events_come_to_the_same(make_shop):
    shop = make_shop(day=FIRST + 15 * DAY)
    days = [3, 0, 9, 4, 1]
    shop.batch(*(shop.order("ann", str(number), 200, FIRST + day * DAY) for number, day in enumerate(days)))
    assert shop.level("ann") == 2
    other = make_shop(day=FIRST + 400 * DAY)
    other.batch(other.order("bob", "1", 700, FIRST + 390 * DAY), other.order("bob", "2", 700, FIRST))
    assert other.level("bob") == 1, "no window of 365 days holds both"


def test_the_comparison_group_grows_and_does_not_rise(make_shop):
    shop = make_shop()
    shop.save(holdout=50)
    names = [f"m{number}" for number in range(30)]
    shop.batch(*(shop.order(name, name, 1_000) for name in names))
    standing = shop.levels()
    assert 0 < len(standing) < 30
    assert set(standing.values()) == {2}
    assert shop.rows("SELECT count(*) FROM tiers.paid_order")[0][0] == 30


def test_closing_nobody_rises_and_growth_goes_on(shop):
    shop.tier(2, qualify=1_000, entry_rewards=[{"kind": "points", "amount": 5}])
    shop.tier(3, qualify=5_000, sold_as=["card"], sold_days=30)
    shop.paid("ann", "1", 500)
    shop.paid("eve", "9", 10, lines=[{"sku": "card", "quantity": 1, "amount": 1000}])
    shop.switch("tiers", on=False)
    shop.batch(shop.order("ann", "2", 500), shop.order("new", "3", 1_000))
    assert shop.levels() == {"ann": 1, "eve": 3}
    shop.switch("tiers", on=True)
    shop.paid("ann", "4", 1)
    assert shop.levels()["ann"] == 2
    assert growth(shop, "ann") == 1_001


def test_two_stores_never_meet(make_shop):
    one, other = make_shop(), make_shop()
    one.batch(one.order("ann", "1", 5_000), one.event("visit.made", "ann"))
    other.batch(other.order("ann", "1", 10), other.refund("ann", "r", 5, "1"))
    assert (one.levels(), other.levels()) == ({"ann": 3}, {"ann": 1})
    assert (growth(one, "ann"), growth(other, "ann")) == (5_000, 5)
    one.tier(2, qualify=1, percent_off=10)
    assert other.ask(lambda ctx: ctx.sql("tier", level=2))[0].form["percent_off"] == 0
