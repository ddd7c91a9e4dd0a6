"""Points of an order wait until it cannot be returned any more."""

from datetime import UTC, datetime, timedelta

import pytest

from threepeat.events import merging
from threepeat.sdk import Refused, Spend
from threepeat.tenancy import switches
from threepeat_points import maturing

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.save(waiting_days=30, expires_after_days=180)
    made.at(START)
    yield made
    assert made.violations() == []


def test_an_order_earns_points_that_wait_and_are_spent_by_nobody(shop, ann):
    shop.paid("ann", "1", 10_000, time=START)
    assert shop.balance() == (0, 100, 0)
    assert shop.held(ann) == {}
    with pytest.raises(Refused, match=r"^1 point is missing$"):
        shop.spend(Spend(ann, 1, "a"))
    assert shop.told("points.earned")[0]["waiting"] is True


def test_they_can_be_spent_the_moment_that_the_last_day_is_over_whether_or_not_anybody_wrote_it_down(shop, ann):
    shop.paid("ann", "1", 10_000, time=START)
    shop.at(datetime(2026, 2, 9, 15, 59, tzinfo=UTC))  # 23:59 in Shanghai, on the 30th day after the payment
    assert shop.held(ann) == {}
    shop.at(datetime(2026, 2, 9, 16, 1, tzinfo=UTC))
    assert shop.balance() == (100, 0, 0)
    assert shop.accounts() == (0, 100, 0, 0, -100, 0)
    shop.spend(Spend(ann, 40, "a"))
    assert shop.accounts() == (60, 0, 0, 40, -100, 0)
    assert shop.rows("SELECT occurred_at FROM points.entry WHERE tenant_id = :tenant AND kind = 'unlocked'") == [
        (datetime(2026, 2, 9, 16, tzinfo=UTC),)
    ]


def test_the_night_unlocks_whole_days_at_once_and_tells_each_member_once(shop, monkeypatch):
    monkeypatch.setattr(maturing, "STRETCH", 2)
    for number in range(5):
        shop.paid(f"m{number}", f"a{number}", 1_000, time=START)
        shop.paid(f"m{number}", f"b{number}", 2_000, time=START)
    shop.nights(31)
    assert shop.accounts() == (150, 0, 0, 0, -150, 0)
    assert [one["points"] for one in shop.told("points.unlocked")] == [30] * 5
    shop.nights(1)
    assert len(shop.told("points.unlocked")) == 5


def test_a_refund_takes_what_waits_of_its_order_first(shop, ann):
    shop.grant(ann, 50, "gift")
    shop.paid("ann", "1", 10_000, time=START)
    shop.refunded("ann", "r1", 4_000, "1", time=START + DAY)
    assert shop.balance() == (50, 60, 0)
    assert shop.accounts() == (50, 60, 0, 0, -110, 0)


def test_a_refund_takes_the_order_s_own_lot_then_others_then_what_waits_then_owes(shop, ann):
    """Elsewhere a claw-back was skipped without a word where the balance was too small."""
    shop.paid("ann", "1", 3_000, time=START)
    shop.pass_days(40)
    shop.spend(Spend(ann, 25, "a"))
    shop.grant(ann, 10, "gift")
    shop.paid("ann", "2", 500, time=START + 40 * DAY)
    assert shop.balance() == (15, 5, 0)
    shop.refunded("ann", "r1", 3_000, "1", time=START + 41 * DAY)
    assert shop.balance() == (0, 0, 10)
    assert shop.accounts() == (0, 0, -10, 25, -15, 0)
    shop.paid("ann", "3", 1_500, time=START + 41 * DAY)  # what waits pays the debt
    assert shop.balance() == (0, 5, 0)


def test_points_wait_for_the_order_s_completion_and_the_days_after_it(shop):
    shop.save(waits_for="completion", waiting_days=7)
    shop.paid("ann", "1", 1_000, time=START)
    shop.nights(60)
    assert shop.balance() == (0, 10, 0)
    done = START + 60 * DAY
    for name in ("a", "b"):  # reported twice
        shop.send(shop.tenant, "order.completed", "ann", order_id="1", time=done, id=name)
    shop.worker.drain()
    shop.send(shop.tenant, "order.completed", "ann", order_id="1", time=done + 3 * DAY)
    shop.worker.drain()
    shop.pass_days(7)
    assert shop.balance() == (0, 10, 0)
    shop.pass_days(1)
    assert shop.balance() == (10, 0, 0)


def test_an_order_that_was_completed_before_its_payment_was_reported_unlocks_by_its_completion(shop):
    shop.save(waits_for="completion", waiting_days=0)
    shop.send(shop.tenant, "order.completed", "ann", order_id="1", time=START)
    shop.worker.drain()
    shop.paid("ann", "1", 1_000, time=START - DAY)
    assert shop.balance() == (10, 0, 0)
    shop.paid("ann", "2", 2_000, time=START - DAY)
    assert shop.balance() == (10, 20, 0)
    shop.send(shop.tenant, "order.completed", "ann", order_id="2", time=START)
    shop.worker.drain()
    assert shop.balance() == (30, 0, 0)
    assert [one["points"] for one in shop.told("points.unlocked")] == [30]  # told when it is written down


def test_a_member_cannot_complete_somebody_else_s_order(shop):
    shop.save(waits_for="completion")
    shop.paid("ann", "1", 1_000, time=START)
    shop.send(shop.tenant, "order.completed", "bob", order_id="1", time=START)
    shop.worker.drain()
    shop.pass_days(60)
    assert shop.balance() == (0, 10, 0)


def completed(shop, who, order, time=START, **more):
    return shop.send.event("order.completed", who, order_id=order, time=time, **more)


def test_whoever_completes_somebody_else_s_order_before_it_is_paid_unlocks_nothing_and_is_in_nobody_s_way(shop):
    """The completion of one order by two members is a mistake of the shop's; the payer's counts."""
    shop.save(waits_for="completion", waiting_days=0)
    told = [("bob", "1"), ("bob", "2"), ("ann", "1")]
    shop.send.batch(shop.tenant, [completed(shop, who, order) for who, order in told])
    shop.worker.drain()
    for order in ("1", "2"):
        shop.paid("ann", order, 1_000, time=START)
    assert shop.balance() == (10, 10, 0)
    ann, bob = shop.member("ann"), shop.member("bob")
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        merging.merge(shop.platform, scope, shop.tenant, bob, ann, by="t")
    kept = "SELECT order_id, member_id FROM points.completion WHERE tenant_id = :tenant ORDER BY order_id"
    assert shop.rows(kept) == [("1", ann), ("2", ann)]


@pytest.mark.parametrize("paid_first", [True, False])
def test_an_order_is_completed_by_the_first_report_however_many_stand_in_a_batch(shop, paid_first):
    shop.save(waits_for="completion", waiting_days=1)
    times = [START + number * DAY for number in (0, 5, 3)]
    shop.at(max(times))
    told = [completed(shop, "ann", "1", time) for time in times]
    paid = shop.send.event("order.paid", "ann", order_id="1", total=1_000, currency="CNY", time=START)
    shop.send.batch(shop.tenant, [paid, *told] if paid_first else [*told, paid])
    shop.worker.drain()
    ends = shop.rows("SELECT unlocks_at FROM points.lot WHERE tenant_id = :tenant")
    assert ends == [(datetime(2026, 1, 11, 16, tzinfo=UTC),)]


def test_completions_that_concern_no_points_cost_a_look_at_the_accounts(shop, statements):
    shop.send.batch(shop.tenant, [completed(shop, f"m{number}", f"o{number}") for number in range(5)])
    (only,) = (one for one in statements(shop.worker.drain) if "points." in one)
    assert "FROM points.account" in only


def test_points_unlock_while_the_tactic_is_closing(shop):
    shop.save(waiting_days=30, expires_after_days=None)
    shop.paid("ann", "1", 1_000, time=START)
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        switches.disable(scope, shop.tenant, shop.platform.registry, "points", by="t", act=shop.platform.act)
    shop.nights(31)
    assert shop.accounts() == (10, 0, 0, 0, -10, 0)


def test_two_stores_unlock_by_their_own_settings_and_calendars(shop, open_shop):
    other = open_shop()
    other.at(START)
    for one in (shop, other):
        one.paid("ann", "1", 1_000, time=START)
    assert (shop.balance(), other.balance()) == ((0, 10, 0), (10, 0, 0))
    assert other.violations() == []
