"""Tiers that were bought or granted, each until its own end."""

from datetime import date, timedelta

import pytest

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
