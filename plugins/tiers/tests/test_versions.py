"""A change of rules never worsens a running period; what is better counts at once."""

from datetime import date, timedelta

import pytest

from threepeat.sdk import Refused
from threepeat.tenancy.errors import Invalid, Stale

SILVER = {"name": "银卡会员", "qualify": 1_000, "retain": 800, "share_percent": 30, "earn_factor": "1.2"}


def versions(shop):
    return [number for (number,) in shop.rows("SELECT number FROM tiers.version WHERE tenant_id = :tenant")]


def test_harder_rules_count_for_the_new_at_once_and_for_the_others_from_their_review_on(shop):
    """Elsewhere a saved form re-judges everybody in the same night."""
    shop.batch(shop.order("ann", "1", 1_000), shop.order("bob", "2", 900))
    shop.tier(2, **{**SILVER, "qualify": 2_000, "retain": 2_000})
    shop.save(grace_days=0)
    shop.batch(shop.order("new", "3", 1_500), shop.order("bob", "4", 100))
    assert shop.levels() == {"ann": 2, "bob": 2, "new": 1}
    assert shop.mine("ann")["keep"]["growth"] == 800
    shop.at(date(2025, 2, 1))
    assert shop.levels() == {"ann": 2, "bob": 2, "new": 1}, "the period that ended is judged by its own rules"
    assert shop.mine("ann")["keep"]["growth"] == 2_000
    shop.at(date(2025, 3, 1))
    assert shop.levels() == {"ann": 1, "bob": 1, "new": 1}


def test_easier_rules_count_at_once_for_everybody(shop):
    shop.batch(*(shop.order(f"m{number}", f"o{number}", 600) for number in range(5)))
    shop.tier(2, **{**SILVER, "qualify": 500, "retain": 500, "entry_rewards": [{"kind": "points", "amount": 7}]})
    assert set(shop.levels().values()) == {1}
    shop.kit.worker.drain()
    assert set(shop.levels().values()) == {2}
    assert {shop.points(f"m{number}") for number in range(5)} == {7}
    assert shop.rows("SELECT DISTINCT reason FROM tiers.change WHERE to_level = 2") == [("rules",)]


def test_settings_are_put_into_force_with_the_next_event(shop):
    shop.paid("ann", "1", 400)
    shop.save(growth_per_unit=3)
    shop.paid("ann", "2", 10)
    assert versions(shop) == [1, 2]
    shop.paid("ann", "3", 200)
    assert shop.level("ann") == 2, "what is better counts from the version on: 400 + 10 + 3 * 200"
    shop.save(growth_per_unit=1)
    shop.batch(shop.order("ann", "4", 100), shop.order("bob", "5", 100))
    growth = dict(shop.rows("SELECT order_id, growth FROM tiers.paid_order"))
    assert (growth["4"], growth["5"]) == (300, 100), "what is worse counts for the new"


def test_a_retired_tier_stays_until_the_review(shop):
    shop.paid("ann", "1", 5_000)
    shop.retire(3)
    shop.paid("ann", "2", 1)
    assert shop.level("ann") == 3
    shop.at(date(2025, 2, 1))
    assert shop.level("ann") == 2
    shop.tier(3, name="Gold again", qualify=5_000)
    shop.at(date(2025, 2, 2))
    assert shop.level("ann") == 3


def test_from_growth_to_a_ranking_and_back(shop):
    shop.batch(*(shop.order(f"m{number}", f"o{number}", 100 * number) for number in range(1, 21)))
    shop.save(mode="share")
    before = shop.levels()
    shop.at(date(2025, 2, 1))
    assert shop.levels() == before, "the running period ends under its own rules"
    shop.batch(*(shop.order(f"m{number}", f"p{number}", 1_000 - number) for number in range(1, 21)))
    shop.at(date(2025, 3, 1))
    assert sorted(shop.levels().values()).count(3) == 1
    assert shop.level("m1") == 3
    shop.save(mode="threshold", grace_days=0)
    shop.at(date(2025, 4, 1))
    assert shop.level("m20") == 2, "by what the last 365 days have brought"


def test_a_month_of_ranking_ends_with_its_ranking(make_shop):
    """Elsewhere whoever led the month stands at the bottom, for the new rules know of no ranking."""
    shop = make_shop()
    shop.save(mode="share")
    shop.batch(*(shop.order(f"m{number}", f"o{number}", 100 + number) for number in range(20)))
    shop.save(mode="threshold")
    shop.at(date(2025, 2, 1))
    levels = shop.levels()
    assert {name for name, level in levels.items() if level == 3} == {"m19"}
    assert sorted(levels.values()) == [1] * 13 + [2] * 6 + [3]


def test_two_edits_at_once_do_not_come_to_more_than_there_is(shop):
    """Elsewhere each is checked against what was there before the other."""
    from threading import Barrier, Thread

    barrier, answers = Barrier(2), []

    def edit(level):
        barrier.wait()
        try:
            shop.tier(level, qualify=level * 10_000, share_percent=60, sold_as=[f"card-{level}"])
        except Refused as refused:
            answers.append(refused.code)
        else:
            answers.append("made")

    threads = [Thread(target=edit, args=(level,)) for level in (4, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["made", "shares-too-large"]


def test_a_product_buys_one_tier(shop):
    shop.tier(2, **SILVER, sold_as=["card"])
    with pytest.raises(Refused, match="one tier"):
        shop.tier(3, name="Gold", qualify=5_000, sold_as=["more", "card"])
    shop.tier(2, **SILVER)
    shop.tier(3, name="Gold", qualify=5_000, sold_as=["more", "card"])


def test_levels_and_growth_are_kept_in_order(shop):
    with pytest.raises(Refused, match="higher tier"):
        shop.tier(2, **{**SILVER, "qualify": 5_000})
    with pytest.raises(Refused, match="higher tier"):
        shop.tier(4, qualify=4_000)
    with pytest.raises(Refused, match="100 percent"):
        shop.tier(4, qualify=9_000, share_percent=66)
    with pytest.raises(Invalid, match="retain"):
        shop.tier(4, qualify=9_000, retain=9_001)
    shop.tier(4, qualify=9_000)


def test_the_level_of_a_tier_stays_and_is_taken_once(shop):
    from threepeat.events import collections

    form = {"level": 2, "name": "x", "qualify": 700}
    with pytest.raises(Refused, match="already"):
        shop.inside(lambda opened: collections.create(opened, "tiers", "tiers", form, by="test"))
    with pytest.raises(Refused, match="stays"):
        shop.inside(
            lambda opened: collections.update(
                opened, "tiers", "tiers", "3", {"level": 4, "name": "x"}, revision=1, by="test"
            )
        )
    shop.tier(2, **SILVER)
    with pytest.raises(Stale):
        shop.inside(lambda opened: collections.update(opened, "tiers", "tiers", "2", form, revision=1, by="test"))


def test_two_versions_made_at_once_are_two(shop):
    """A worker and a merchant put different rules into force in the same moment: each counts by its own number."""
    from threading import Barrier, Thread

    barrier, done = Barrier(2), []

    def edit(level, growth):
        barrier.wait()
        shop.tier(level, qualify=growth)
        done.append(level)

    threads = [Thread(target=edit, args=(level, growth)) for level, growth in ((4, 9_000), (5, 20_000))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [4, 5]
    shop.batch(shop.order("ann", "1", 20_000))
    assert shop.level("ann") == 5


@pytest.mark.parametrize("day", [date(2024, 2, 29), date(2025, 12, 31)])
def test_reviews_of_odd_days(make_shop, day):
    shop = make_shop(day=day)
    shop.save(window="membership_year", grace_days=0)
    shop.paid("ann", "1", 1_000)
    shop.at(day + timedelta(days=800))
    assert shop.level("ann") == 1
