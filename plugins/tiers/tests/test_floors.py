"""Tiers that were bought or granted, each until its own end."""

from datetime import date, timedelta

import pytest

from threepeat.events import collections
from threepeat.sdk import Refused

DAY = timedelta(days=1)
FIRST = date(2025, 1, 10)


@pytest.fixture
def shop(make_shop):
    made = make_shop()
    made.tier(3, name="SVIP", qualify=5_000, retain=4_000, sold_as=["card"], sold_days=30)
    return made


def card(shop, member, order, pieces=1, yuan=100, day=None):
    lines = [{"sku": "card", "quantity": pieces, "amount": yuan * 100}]
    return shop.order(member, order, yuan, day, lines=lines)


def test_whoever_buys_a_tier_has_it_for_its_days_and_then_what_was_earned(shop):
    shop.batch(card(shop, "ann", "1"))
    assert shop.level("ann") == 3
    assert shop.rows("SELECT earned, paid, granted FROM tiers.standing WHERE level = 3") == [(1, 3, 0)]
    shop.at(FIRST + 29 * DAY)
    assert shop.level("ann") == 3
    shop.at(FIRST + 31 * DAY)
    assert shop.level("ann") == 1
    assert [row[0]["reason"] for row in shop.told()] == ["growth", "bought", "floor_over"]


def test_the_end_counts_before_a_worker_has_seen_it(shop):
    shop.batch(card(shop, "ann", "1"))
    shop.clock(FIRST + 31 * DAY)
    assert shop.mine("ann")["tier"]["level"] == 1


def test_days_add_up_and_a_refund_takes_its_own(shop):
    """Elsewhere two cards bought, and one given back, leave the days of both."""
    shop.batch(card(shop, "ann", "1"), card(shop, "ann", "2", pieces=2), card(shop, "ann", "2", pieces=2))
    assert len(shop.mine("ann")["floors"]) == 2
    shop.refunded("ann", "r", 100, "1")
    shop.at(FIRST + 59 * DAY)
    assert shop.level("ann") == 3
    shop.at(FIRST + 61 * DAY)
    assert shop.level("ann") == 1


def test_every_line_of_a_product_counts_and_no_other_does(shop):
    held = (("card", 1), ("tea", 5), ("card", 2))
    lines = [{"sku": sku, "quantity": pieces, "amount": 100} for sku, pieces in held]
    shop.batch(shop.order("ann", "1", 8, lines=lines), shop.order("bob", "2", 8, lines=lines[1:2]))
    assert shop.levels() == {"ann": 3, "bob": 1}
    shop.at(FIRST + 89 * DAY)
    assert shop.level("ann") == 3
    shop.at(FIRST + 91 * DAY)
    assert shop.level("ann") == 1


def test_lines_of_another_store_at_the_same_place_in_its_log_buy_nothing(shop, make_shop):
    other = make_shop()
    for each, lines in ((shop, []), (other, [{"sku": "card", "quantity": 1, "amount": 100}])):
        each.batch(each.order("ann", "1", 1, lines=lines))
    places = "SELECT position FROM core.event WHERE tenant_id = :tenant AND type = 'order.paid'"
    assert shop.rows(places) == other.rows(places)
    assert (shop.level("ann"), other.level("ann")) == (1, 1)


def test_a_refund_in_full_ends_it_whatever_comes_first(shop):
    shop.batch(shop.refund("ann", "r", 100, "1"), card(shop, "ann", "1"))
    assert shop.level("ann") == 1
    line = {"sku": "card", "quantity": 1, "amount": 10_000}
    shop.batch(card(shop, "bob", "2", yuan=300))
    shop.refunded("bob", "r2", 100, "2", lines=[line])
    assert shop.level("bob") == 1, "the refund names the product"
    shop.batch(card(shop, "eve", "3", yuan=300))
    shop.refunded("eve", "r3", 100, "3")
    assert shop.level("eve") == 3, "a part of the order went back"


def test_what_was_paid_for_is_owed_when_the_tactic_is_switched_off(shop):
    shop.batch(card(shop, "ann", "1"))
    owed = shop.ask(lambda ctx: list(shop.platform.registry["tiers"].plugin.open_obligations(ctx)))
    assert owed == ["1 bought tier still runs"]
    shop.switch("tiers", on=False)
    shop.batch(card(shop, "bob", "2"))
    assert shop.level("bob") == 3
    shop.at(FIRST + 31 * DAY)
    assert shop.levels() == {"ann": 1, "bob": 0}
    assert shop.rows("SELECT state FROM core.activation WHERE tenant_id = :tenant AND plugin = 'tiers'") == [
        ("off",)
    ]


def test_the_store_grants_a_tier_with_a_reason_and_an_end_and_it_stands_in_the_trail(shop):
    shop.paid("ann", "1", 10)
    grant = shop.grant("ann", 2, FIRST + 5 * DAY)
    assert shop.level("ann") == 2
    trail = shop.rows("SELECT actor, action, subject FROM core.audit WHERE action LIKE 'collection.%' ORDER BY id")
    assert trail[-1] == ("test", "collection.created", f"tiers/grants/{grant.id}")
    shop.at(FIRST + 5 * DAY)
    assert shop.level("ann") == 2
    shop.at(FIRST + 6 * DAY)
    assert shop.level("ann") == 1
    again = shop.grant("ann", 3, FIRST + 100 * DAY)
    assert shop.level("ann") == 3
    shop.withdraw(again)
    assert shop.level("ann") == 1


def test_a_grant_needs_a_member_a_tier_and_days(shop):
    shop.paid("ann", "1", 10)
    with pytest.raises(Refused, match="no member"):
        shop.grant("nobody", 2, FIRST + DAY)
    with pytest.raises(Refused, match="no tier"):
        shop.grant("ann", 9, FIRST + DAY)
    with pytest.raises(Refused, match="over"):
        shop.grant("ann", 2, FIRST - DAY)


def test_the_highest_of_three_counts(shop):
    shop.tier(4, qualify=9_000)
    shop.batch(shop.order("ann", "1", 1_000), card(shop, "ann", "2"))
    shop.grant("ann", 4, FIRST + 3 * DAY)
    assert shop.rows("SELECT earned, paid, granted, level FROM tiers.standing") == [(2, 3, 4, 4)]
    shop.at(FIRST + 4 * DAY)
    assert shop.level("ann") == 3
    shop.at(FIRST + 31 * DAY)
    assert shop.level("ann") == 2


def test_a_refund_that_names_the_product_counts_whatever_comes_first(shop):
    line = {"sku": "card", "quantity": 1, "amount": 10_000}
    shop.batch(shop.refund("ann", "r", 100, "1", lines=[line]), card(shop, "ann", "1", yuan=300))
    assert shop.level("ann") == 1


def test_a_refund_counts_though_the_product_is_not_sold_as_a_tier_any_more(shop):
    line = {"sku": "card", "quantity": 1, "amount": 10_000}
    shop.batch(card(shop, "ann", "1", yuan=300), card(shop, "bob", "2", yuan=300))
    shop.tier(3, name="SVIP", qualify=5_000, retain=4_000, sold_as=["other"], sold_days=30)
    shop.batch(shop.refund("ann", "r", 100, "1", lines=[line]))
    shop.batch(shop.refund("bob", "s", 100, "2", lines=[{**line, "sku": "other"}]))
    assert shop.levels() == {"ann": 1, "bob": 3}


def test_what_was_bought_on_top_of_what_came_back_first_begins_earlier(shop):
    shop.batch(shop.refund("ann", "r", 100, "1"), card(shop, "ann", "1"), card(shop, "ann", "2"))
    shop.at(FIRST + 29 * DAY)
    assert shop.level("ann") == 3
    shop.at(FIRST + 31 * DAY)
    assert shop.level("ann") == 1


def test_a_bought_tier_counts_from_its_order_on_however_events_are_cut(make_shop):
    """Elsewhere the next order of the same batch earns as if nothing had been bought."""
    whole, single = make_shop(), make_shop()
    for each in (whole, single):
        each.tier(3, name="SVIP", qualify=5_000, earn_factor="2", sold_as=["card"], sold_days=30)
        events = [card(each, "ann", "1"), each.order("ann", "2", 100)]
        for batch in [events] if each is whole else [[one] for one in events]:
            each.batch(*batch)
    earned = "SELECT order_id, granted FROM points.lot WHERE tenant_id = :tenant ORDER BY 1"
    assert whole.rows(earned) == single.rows(earned) == [("1", 100), ("2", 200)]
    bought = """
        SELECT e.data ->> 'order_id', c.reason FROM tiers.change c
        JOIN core.event e ON e.tenant_id = c.tenant_id AND e.position = c.position
        WHERE c.tenant_id = :tenant ORDER BY c.id
    """
    assert whole.rows(bought) == [("1", "growth"), ("1", "bought")]


def test_what_was_paid_for_brings_its_rewards_to_everybody(make_shop):
    shop = make_shop()
    shop.save(holdout=50)
    shop.tier(
        3, name="SVIP", qualify=5_000, sold_as=["card"], sold_days=30,
        entry_rewards=[{"kind": "points", "amount": 5}],
    )  # fmt: skip
    names = [f"m{number}" for number in range(12)]
    shop.batch(*(card(shop, name, name) for name in names))
    assert set(shop.levels().values()) == {3}
    assert {shop.points(name) for name in names} == {5}


def test_a_grant_is_changed_to_a_tier_that_there_is(shop):
    shop.paid("ann", "1", 10)
    grant = shop.grant("ann", 2, FIRST + 5 * DAY)

    def change(level):
        def work(opened):
            there = collections.read(opened, "tiers", "grants", grant.id)
            form = {"customer": "ann", "level": level, "last_day": str(FIRST + DAY), "reason": "a kindness"}
            return collections.update(
                opened, "tiers", "grants", grant.id, form, revision=there.revision, by="test"
            )

        shop.inside(work)
        shop.kit.worker.drain()

    with pytest.raises(Refused, match="no tier"):
        change(9)
    change(3)
    assert shop.level("ann") == 3
    shop.at(FIRST + 2 * DAY)
    assert shop.level("ann") == 1
