"""Reviews: nobody falls between them, everybody is warned, and each window and each way down."""

from datetime import date, timedelta

import pytest

DAY = timedelta(days=1)


def keep(shop, name):
    return shop.mine(name)["keep"]


def test_who_falls_short_at_a_review_is_warned_keeps_the_tier_in_grace_and_goes_one_down(shop):
    shop.paid("ann", "1", 6_000)
    shop.at(date(2025, 12, 30))
    assert keep(shop, "ann") == {
        "growth": 4_000, "missing": 0, "spend": 0, "by": "2025-12-31", "in_grace": False,
    }  # fmt: skip
    shop.at(date(2026, 2, 1))
    assert shop.level("ann") == 3, "in grace"
    assert keep(shop, "ann") == {
        "growth": 4_000, "missing": 4_000, "spend": 400_000, "by": "2026-03-02", "in_grace": True,
    }  # fmt: skip
    assert shop.told("tier.at_risk")[0][0] == {
        "level": 3, "until": "2026-03-03", "missing": 4_000, "name": "金卡会员",
    }  # fmt: skip
    shop.at(date(2026, 3, 2))
    assert shop.level("ann") == 3
    shop.at(date(2026, 3, 4))
    assert shop.level("ann") == 2
    assert [row[2] for row in shop.rows("SELECT from_level, to_level, reason FROM tiers.change ORDER BY id")] == [
        "growth", "review",
    ]  # fmt: skip
    shop.at(date(2026, 6, 2))
    assert shop.level("ann") == 1


def test_what_comes_in_during_the_days_of_grace_keeps_the_tier(shop):
    shop.paid("ann", "1", 6_000)
    shop.at(date(2026, 2, 1))
    shop.paid("ann", "2", 3_999)
    assert keep(shop, "ann")["missing"] == 1
    shop.paid("ann", "3", 1)
    assert keep(shop, "ann")["missing"] == 0
    shop.at(date(2026, 3, 4))
    assert shop.level("ann") == 3


def test_a_tier_that_only_refunded_orders_reached_goes_at_the_next_review(shop):
    """Elsewhere it either goes in the middle of the period, or is never taken back at all."""
    shop.save(grace_days=0)
    shop.paid("ann", "1", 6_000)
    shop.refunded("ann", "r", 6_000, "1", date(2025, 1, 12))
    shop.at(date(2025, 1, 31))
    assert shop.level("ann") == 3
    shop.at(date(2025, 2, 1))
    assert shop.level("ann") == 2
    shop.at(date(2025, 3, 1))
    assert shop.level("ann") == 1


def test_recompute_falls_to_what_the_growth_reaches(shop):
    shop.save(grace_days=0, downgrade="recompute")
    shop.paid("ann", "1", 6_000)
    shop.refunded("ann", "r", 6_000, "1")
    shop.at(date(2025, 2, 1))
    assert shop.level("ann") == 1


def test_less_than_reached_the_tier_is_enough_to_keep_it(shop):
    shop.paid("ann", "1", 1_000)
    shop.refunded("ann", "r", 200, "1")
    shop.save(grace_days=0)
    shop.at(date(2025, 2, 2))
    assert shop.level("ann") == 2
    shop.refunded("ann", "r2", 1, "1", date(2025, 2, 2))
    shop.at(date(2025, 3, 2))
    assert shop.level("ann") == 1


@pytest.mark.parametrize(
    ("window", "kept_until", "lost_on"),
    [
        ("calendar_year", date(2026, 12, 31), date(2027, 1, 2)),
        ("membership_year", date(2027, 1, 9), date(2027, 1, 11)),
        ("rolling", date(2026, 1, 31), date(2026, 2, 2)),
    ],
)
def test_each_window_is_reviewed_when_it_is_over(make_shop, window, kept_until, lost_on):
    shop = make_shop()
    shop.save(window=window, grace_days=0)
    shop.paid("ann", "1", 1_000)
    shop.at(kept_until)
    assert shop.level("ann") == 2
    shop.at(lost_on)
    assert shop.level("ann") == 1


def test_all_time_never_runs_out(shop):
    shop.save(window="lifetime", grace_days=0)
    shop.paid("ann", "1", 1_000)
    shop.at(date(2035, 1, 2))
    assert shop.level("ann") == 2
    assert shop.mine("ann")["since"] is None


def test_a_worker_that_comes_late_reviews_each_period_for_its_own_days(make_shop):
    punctual, late = make_shop(), make_shop()
    for each in (punctual, late):
        each.save(grace_days=10)
        each.batch(each.order("ann", "1", 6_000), each.order("bob", "2", 1_000))
    for month in range(2, 13):
        punctual.at(date(2025, month, 2))
    for month in range(1, 7):
        punctual.at(date(2026, month, 2))
    for each in (punctual, late):
        each.at(date(2026, 6, 15))
    trail = """
        SELECT (changed_at AT TIME ZONE 'Asia/Shanghai')::date, from_level, to_level
        FROM tiers.change WHERE tenant_id = :tenant AND reason = 'review' ORDER BY 1, 2, 3
    """
    assert punctual.levels() == late.levels() == {"ann": 1, "bob": 1}
    assert len(late.rows(trail)) == 3
    assert [row[0] for row in punctual.rows(trail)] == [row[0] for row in late.rows(trail)]


def test_nobody_is_warned_of_days_of_grace_that_are_over(shop):
    shop.paid("ann", "1", 1_000)
    shop.at(date(2026, 6, 15))
    assert shop.level("ann") == 1
    assert shop.told("tier.at_risk") == []


@pytest.mark.parametrize(("late", "level"), [(100, 2), (99, 1)])
def test_what_comes_in_late_gives_back_what_a_review_took(make_shop, late, level):
    """Elsewhere an order of the last evening that the shop reports in the morning costs the tier for a year."""
    shop = make_shop(day=date(2023, 1, 10))
    shop.save(window="calendar_year", grace_days=0)
    shop.tier(2, name="b", qualify=1_000, retain=800, entry_rewards=[{"kind": "points", "amount": 5}])
    shop.paid("ann", "1", 1_000)
    shop.at(date(2024, 12, 30))
    shop.paid("ann", "2", 700)
    shop.at(date(2025, 1, 2))
    assert shop.level("ann") == 1
    shop.batch(shop.order("ann", "3", late, date(2024, 12, 31)), shop.order("ann", "4", 700))
    assert shop.level("ann") == level
    assert shop.points("ann") == 5, "nothing is entered by it"
    shop.at(date(2025, 12, 31))
    assert shop.level("ann") == level, "and it stays as if it had never gone"


def test_a_late_event_lifts_by_itself_however_events_are_cut(make_shop):
    whole, single = make_shop(), make_shop()
    orders = [("ann", "2", 300, date(2025, 2, 26)), ("ann", "3", 500, date(2025, 2, 27)), ("ann", "4", 9, None)]
    for each in (whole, single):
        each.save(grace_days=0, window_days=30)
        each.paid("ann", "1", 1_000)
        each.at(date(2025, 3, 2))
        assert each.level("ann") == 1
    whole.batch(*(whole.order(*one) for one in orders))
    for one in orders:
        single.paid(*one)
    trail = """
        SELECT e.data ->> 'order_id', c.from_level, c.to_level, c.reason FROM tiers.change c
        JOIN core.event e ON e.tenant_id = c.tenant_id AND e.position = c.position
        WHERE c.tenant_id = :tenant AND c.reason = 'growth' ORDER BY c.id
    """
    assert whole.rows(trail) == single.rows(trail) == [("1", 0, 2, "growth"), ("3", 1, 2, "growth")]


def test_the_comparison_group_does_not_rise_at_a_review_either(make_shop):
    """Whoever is in it stands somewhere only by a floor; a review reads growth and must not act on it."""
    shop = make_shop()
    shop.save(holdout=50)
    names = [f"m{number}" for number in range(40)]
    shop.batch(*(shop.order(name, name, 1_000) for name in names))
    held = sorted(set(names) - shop.levels().keys())
    assert held
    shop.grant(held[0], 3, date(2025, 2, 10))
    shop.at(date(2025, 2, 2))
    assert shop.rows("SELECT earned, level FROM tiers.standing WHERE granted = 3") == [(0, 3)]
    shop.at(date(2025, 2, 12))
    assert shop.level(held[0]) == 0


def test_members_are_reviewed_a_stretch_at_a_time(shop, monkeypatch):
    from threepeat_tiers import reviews

    monkeypatch.setattr(reviews, "MOST", 3)
    shop.save(grace_days=0)
    shop.batch(*(shop.order(f"m{number}", f"o{number}", 1_000) for number in range(10)))
    shop.batch(*(shop.refund(f"m{number}", f"r{number}", 1_000, f"o{number}") for number in range(10)))
    shop.at(date(2025, 2, 2))
    assert set(shop.levels().values()) == {1}
    assert shop.rows("SELECT DISTINCT review_on::text FROM tiers.standing WHERE tenant_id = :tenant") == [
        ("2025-03-01",)
    ]


def test_the_month_s_best_are_placed_by_share_and_ties_stand_in_the_better_tier(make_shop):
    """Ten with growth: 5 % of ten is half a member, 30 % three; the remainders go to the largest."""
    shop = make_shop(day=date(2025, 3, 5))
    shop.save(mode="share")
    shop.batch(
        *(shop.order(f"m{number}", f"o{number}", 1_000 - number) for number in range(10)),
        shop.order("tie", "t", 997),
        shop.event("member.registered", "none"),
    )
    assert set(shop.levels().values()) == {1}, "nobody is placed before the first of the month"
    shop.at(date(2025, 4, 1))
    levels = shop.levels()
    # 11 ranked: shares 0.55, 3.3, 7.15 -> 1, 3, 7; the last place of the second tier is shared by m3 and tie.
    assert {name for name, level in levels.items() if level == 3} == {"m0"}
    assert {name for name, level in levels.items() if level == 2} == {"m1", "m2", "m3", "tie"}
    assert levels["none"] == 1
    shop.at(date(2025, 5, 2))
    assert set(shop.levels().values()) == {1}, "a month without growth"


def test_the_ranking_can_count_the_last_days(make_shop):
    shop = make_shop(day=date(2025, 3, 5))
    shop.save(mode="share", ranked_by="rolling", window_days=60)
    shop.batch(*(shop.order(f"m{number}", f"o{number}", 100 + number) for number in range(20)))
    for day in (date(2025, 4, 1), date(2025, 5, 1)):
        shop.at(day)
        assert sorted(shop.levels().values())[-7:] == [2] * 6 + [3]
    shop.at(date(2025, 6, 1))
    assert set(shop.levels().values()) == {1}


def messages(shop, name):
    query = """
        SELECT kind, text ->> 'en' FROM messages.message
        WHERE tenant_id = :tenant AND plugin = 'tiers' AND member_id = :member ORDER BY id
    """
    return shop.rows(query, member=shop.member(name))


def test_members_are_told_where_they_stand_and_what_keeps_them_there(shop):
    shop.paid("ann", "1", 6_000)
    assert messages(shop, "ann") == [("changed", "Your tier is now 金卡会员.")]
    shop.at(date(2026, 2, 1))
    at_risk = ("at_risk", "Spend CN¥4,000.00 before Mar 3, 2026, and you stay 金卡会员.")
    assert messages(shop, "ann")[1:] == [at_risk]
    shop.at(date(2026, 3, 4))
    assert messages(shop, "ann")[1:] == [at_risk, ("changed", "Your tier is now 银卡会员.")]


def test_where_spending_brings_no_growth_they_are_told_of_growth(shop):
    shop.save(growth_per_unit=0, growth_per_order=6_000)
    shop.paid("ann", "1", 1)
    shop.at(date(2026, 2, 1))
    short = "Collect 4,000 more growth before Mar 3, 2026, and you stay 金卡会员."
    assert messages(shop, "ann")[-1] == ("short", short)
