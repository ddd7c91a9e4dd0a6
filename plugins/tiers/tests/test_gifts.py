"""Rewards for entering a tier and for birthdays: once for each member, tier and period."""

from datetime import date, timedelta

DAY = timedelta(days=1)
FIVE, NINE = {"kind": "points", "amount": 5}, {"kind": "points", "amount": 9}
SILVER = {"name": "Silver", "qualify": 1_000, "retain": 800, "share_percent": 30}
GOLD = {"name": "Gold", "qualify": 5_000, "retain": 4_000, "share_percent": 5}


def test_entering_brings_its_rewards_also_for_tiers_passed_on_the_way(shop):
    shop.tier(2, **SILVER, entry_rewards=[FIVE, FIVE])
    shop.tier(3, **GOLD, entry_rewards=[NINE])
    shop.paid("ann", "1", 5_000)
    assert shop.gifts("ann") == [
        ("entry", 2, "2025", "given", 5), ("entry", 2, "2025", "given", 5), ("entry", 3, "2025", "given", 9),
    ]  # fmt: skip
    assert shop.points("ann") == 19
    assert shop.faults() == []


def test_who_leaves_a_tier_and_comes_back_gets_nothing_again_in_the_same_period(shop):
    """Elsewhere each way up pays anew: refund and buy again, and the reward comes a second time."""
    shop.save(grace_days=0)
    shop.tier(2, **SILVER, entry_rewards=[FIVE])
    shop.paid("ann", "1", 1_000)
    shop.refunded("ann", "r", 1_000, "1")
    shop.at(date(2025, 2, 2))
    assert (shop.level("ann"), shop.points("ann")) == (1, 5), "what was given stays"
    shop.paid("ann", "2", 1_000)
    assert (shop.level("ann"), shop.points("ann")) == (2, 5)
    shop.refunded("ann", "r2", 1_000, "2")
    shop.at(date(2026, 1, 3))
    shop.paid("ann", "3", 1_000)
    assert (shop.level("ann"), shop.points("ann")) == (2, 10), "another year is another period"


def test_with_growth_of_all_time_a_tier_is_entered_once_for_ever(shop):
    shop.save(window="lifetime", grace_days=0)
    shop.tier(2, **SILVER, entry_rewards=[FIVE])
    shop.paid("ann", "1", 1_000)
    shop.refunded("ann", "r", 1_000, "1")
    shop.at(date(2026, 2, 2))
    shop.paid("ann", "2", 1_000)
    assert (shop.level("ann"), shop.points("ann")) == (2, 5)
    assert shop.gifts("ann")[0][2] == "ever"


def test_what_the_budget_does_not_cover_is_owed_and_tried_again(shop):
    shop.tier(2, **SILVER, entry_rewards=[{"kind": "points", "amount": 1_000}])
    shop.save(budget=0)
    shop.paid("ann", "1", 1_000)
    assert shop.gifts("ann") == [("entry", 2, "2025", "owed", 1_000)]
    owed = shop.ask(lambda ctx: list(shop.platform.registry["tiers"].plugin.open_obligations(ctx)))
    assert owed == ["1 promised reward could not be given yet"]
    assert shop.metric("gifts_waiting").value == 1
    shop.save(budget=None)
    shop.at(shop.day + DAY)
    assert shop.gifts("ann")[0][3] == "given"
    assert shop.points("ann") == 1_000


def test_a_birthday_brings_the_tiers_rewards_once_a_year(shop):
    shop.tier(2, **SILVER, birthday_rewards=[FIVE])
    shop.batch(shop.order("ann", "1", 1_000), shop.order("low", "2", 10), shop.order("mum", "3", 1_000))
    for name in ("ann", "low"):
        answer = shop.call("POST", "/birthday", name, json={"month": 2, "day": 14})
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"birthday": "02-14", "changeable_on": "2026-01-10"}
    shop.at(date(2025, 2, 14))
    assert (shop.points("ann"), shop.points("low"), shop.points("mum")) == (5, 0, 0)
    shop.at(date(2025, 2, 15))
    shop.at(date(2025, 12, 1))
    assert shop.points("ann") == 5
    assert shop.mine("ann")["birthday"] == "02-14"


def test_a_birthday_is_changed_once_a_year_so_that_nobody_has_two(shop):
    shop.tier(2, **SILVER, birthday_rewards=[FIVE])
    shop.paid("ann", "1", 1_000)
    assert shop.call("POST", "/birthday", "ann", json={"month": 1, "day": 12}).status_code == 200
    shop.at(date(2025, 1, 12))
    assert shop.points("ann") == 5
    assert shop.call("POST", "/birthday", "ann", json={"month": 1, "day": 12}).status_code == 200
    answer = shop.call("POST", "/birthday", "ann", json={"month": 1, "day": 14})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("too-soon")
    shop.at(date(2025, 1, 15))
    assert shop.points("ann") == 5


def test_a_pause_is_made_up_for_and_leap_days_are_kept(shop):
    shop.tier(2, **SILVER, birthday_rewards=[FIVE])
    shop.batch(*(shop.order(name, name, 1_000) for name in ("leap", "last")))
    shop.call("POST", "/birthday", "leap", json={"month": 2, "day": 29})
    shop.call("POST", "/birthday", "last", json={"month": 2, "day": 26})
    shop.at(date(2025, 2, 20))
    shop.at(date(2025, 3, 2))
    assert (shop.points("leap"), shop.points("last")) == (5, 5)


def test_birthdays_come_a_stretch_at_a_time(shop, monkeypatch):
    from threepeat_tiers import gifts

    monkeypatch.setattr(gifts, "MOST", 2)
    shop.tier(2, **SILVER, birthday_rewards=[FIVE])
    names = [f"m{number}" for number in range(5)]
    shop.batch(*(shop.order(name, name, 1_000) for name in names))
    for name in names:
        member = shop.member(name)
        shop.write("INSERT INTO tiers.birthday VALUES (:tenant, :member, '02-14', '2025-01-01')", member=member)
    shop.at(date(2025, 2, 14))
    assert {shop.points(name) for name in names} == {5}


def test_neither_a_moved_birthday_nor_another_tier_brings_a_second_one(shop):
    shop.tier(2, **SILVER, birthday_rewards=[FIVE])
    shop.tier(3, **GOLD, birthday_rewards=[NINE])
    shop.paid("ann", "1", 1_000)
    shop.call("POST", "/birthday", "ann", json={"month": 1, "day": 12})
    shop.at(date(2025, 1, 12))
    shop.at(date(2026, 1, 12))
    assert shop.points("ann") == 10
    assert shop.call("POST", "/birthday", "ann", json={"month": 1, "day": 14}).status_code == 200
    shop.paid("ann", "2", 5_000)
    assert shop.level("ann") == 3
    shop.at(date(2026, 1, 14))
    assert shop.points("ann") == 10
    shop.at(date(2027, 1, 14))
    assert shop.points("ann") == 19


def test_what_is_owed_is_given_a_stretch_at_a_time_and_nobody_waits_behind_what_is_too_dear(shop, monkeypatch):
    from threepeat_tiers import gifts

    monkeypatch.setattr(gifts, "MOST", 2)
    shop.tier(2, **SILVER, entry_rewards=[{"kind": "points", "amount": 1_000}, FIVE])
    shop.save(budget=0)
    names = [f"m{number}" for number in range(5)]
    shop.batch(*(shop.order(name, name, 1_000) for name in names))
    assert shop.metric("gifts_waiting").value == 10
    shop.save(budget=25)
    shop.at(shop.day + DAY)
    assert {shop.points(name) for name in names} == {5}
    assert shop.metric("gifts_waiting").value == 5
