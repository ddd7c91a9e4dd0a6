"""Merges, erasure and export, what was before the tactic, and the metrics."""

from datetime import date, timedelta

import orjson

DAY = timedelta(days=1)
FIRST = date(2025, 1, 10)
FIVE = {"kind": "points", "amount": 5}
SILVER = {"name": "Silver", "qualify": 1_000, "retain": 800, "share_percent": 30}
TABLES = ("standing", "change", "day_growth", "paid_order", "refund", "interaction", "floor", "gift", "birthday")
CANARY = "canary-7f3a"


def test_one_persons_growth_adds_up_and_the_better_standing_wins(shop):
    shop.batch(shop.order("ann", "1", 600), shop.order("bob", "2", 600), shop.order("eve", "3", 5_000))
    shop.merge("bob", "ann")
    assert shop.levels()["ann"] == 2, "together they have reached it"
    shop.merge("eve", "ann")
    assert shop.levels()["ann"] == 3
    assert shop.mine("ann")["growth"] == 6_200
    shop.refunded("eve", "r", 5_000, "3")
    assert shop.mine("ann")["growth"] == 1_200
    assert shop.faults() == []


def test_a_merge_gives_no_reward_twice_and_keeps_what_is_owed_once(shop):
    shop.tier(2, **SILVER, entry_rewards=[FIVE])
    shop.batch(shop.order("ann", "1", 1_000), shop.order("bob", "2", 1_000))
    shop.merge("bob", "ann")
    assert len(shop.gifts("ann")) == 1
    shop.paid("eve", "3", 600)
    shop.paid("dan", "4", 1_000)
    shop.merge("dan", "eve")
    assert shop.gifts("eve") == [("entry", 2, "2025", "given", 5)]
    assert shop.points("eve") == 5
    assert shop.faults() == []


def test_floors_birthdays_and_days_go_along(shop):
    shop.save(interactions=[{"kind": "visit.made", "growth": 10, "most_a_day": 1}])
    shop.batch(*(shop.event("visit.made", name) for name in ("ann", "bob")))
    shop.grant("bob", 3, FIRST + 5 * DAY)
    shop.call("POST", "/birthday", "bob", json={"month": 5, "day": 6})
    shop.merge("bob", "ann")
    mine = shop.mine("ann")
    assert (mine["tier"]["level"], mine["growth"], mine["birthday"]) == (3, 20, "05-06")
    shop.at(FIRST + 7 * DAY)
    assert shop.level("ann") == 1


def test_whoever_was_never_met_is_merged_too(shop):
    shop.batch(shop.event("page.viewed", "ann", page="home"), shop.order("bob", "1", 1_000))
    shop.merge("bob", "ann")
    assert shop.levels() == {"ann": 2, "bob": 2}, "both names lead to one person"


def everything(shop, name):
    shop.save(interactions=[{"kind": "visit.made", "growth": 10, "most_a_day": 1}])
    shop.tier(2, **SILVER, entry_rewards=[FIVE])
    shop.batch(
        shop.order(name, f"{name}-1", 1_000), shop.event("visit.made", name),
        shop.refund(name, f"{name}-r", 10, f"{name}-1"),
    )  # fmt: skip
    shop.grant(name, 3, FIRST + 5 * DAY, reason=f"for {name}")
    assert shop.call("POST", "/birthday", name, json={"month": 5, "day": 6}).status_code == 200


def test_an_export_holds_every_row_and_after_an_erasure_no_text_is_left(shop):
    for name in (CANARY, "bob"):
        everything(shop, name)
    headers = {"authorization": f"Bearer {shop.kit.make_key(shop.store, 'manage')}"}
    export = shop.kit.client.get(f"/v1/members/{CANARY}/export", headers=headers)
    found = orjson.dumps(export.json()).decode()
    assert all(f"tiers.{table}" in found for table in TABLES)
    assert f"{CANARY}-1" in found
    assert "bob-1" not in found
    assert shop.kit.client.delete(f"/v1/members/{CANARY}", headers=headers).status_code == 202
    shop.at(FIRST + 7 * DAY)
    for table in TABLES:
        texts = [row[0] for row in shop.rows(f"SELECT to_jsonb(t)::text FROM tiers.{table} t")]
        assert [one for one in texts if CANARY in one] == []
        assert len(texts) == (1 if table == "birthday" else len(texts)) > 0
    assert shop.level("bob") == 2
    assert sum(row[1] for row in shop.metric("members").rows) == 1
    shop.at(FIRST + 100 * DAY)
    assert shop.faults() == []


def test_what_was_before_the_tactic_was_on_puts_members_where_they_belong_silently(make_shop, monkeypatch):
    from threepeat_tiers import learning

    monkeypatch.setattr(learning, "CHUNK", 3)
    monkeypatch.setattr(learning, "MOST", 2)
    shop = make_shop(enable=("points",))
    shop.batch(
        shop.order("ann", "ann", 700), shop.order("bob", "bob", 5_000), shop.order("eve", "eve", 90),
        shop.order("out", "out", 900),
        shop.refund("bob", "r1", 1_000, "bob"), shop.order("ann", "ann2", 300),
        shop.refund("dan", "r2", 10, "dan"), shop.order("dan", "dan", 1_009), shop.order("ann", "ann2", 300),
    )  # fmt: skip
    shop.merge("out", "eve")
    shop.save(holdout=0)
    shop.switch("tiers", on=True)
    shop.kit.worker.drain()
    assert shop.levels() == {"ann": 2, "bob": 2, "eve": 1, "out": 1, "dan": 1}
    assert shop.told() == []
    assert shop.rows("SELECT learn_after, place_after FROM tiers.store WHERE tenant_id = :tenant") == [
        (None, None)
    ]
    shop.switch("tiers", on=False)
    shop.paid("ann", "ann3", 4_000)
    shop.switch("tiers", on=True)
    shop.kit.worker.drain()
    assert shop.levels()["ann"] == 3, "what came while it was off is learnt, and nothing counts twice"
    assert shop.mine("ann")["growth"] == 5_000


def test_what_was_before_brings_nothing_later_either(make_shop):
    """Elsewhere the first review after switching on rewards what members bought years ago."""
    shop = make_shop(enable=("points",), day=date(2023, 1, 10))
    shop.paid("ann", "1", 1_000)
    shop.at(date(2024, 6, 15))
    shop.paid("ann", "2", 900)
    shop.save(holdout=0)
    shop.switch("tiers", on=True)
    shop.tier(2, **SILVER, entry_rewards=[FIVE])
    shop.retire(1)
    shop.at(date(2024, 6, 17))
    assert shop.levels() == {"ann": 0}
    assert shop.told() == []
    assert shop.points("ann") == 0
    assert shop.rows("SELECT review_on::text FROM tiers.standing WHERE tenant_id = :tenant") == [("2024-07-01",)]


def test_growth_of_somebody_without_a_tier_lifts_whom_it_is_merged_into(make_shop):
    shop = make_shop()
    shop.save(holdout=50)
    names = [f"m{number}" for number in range(40)]
    shop.batch(*(shop.order(name, name, 600) for name in names))
    standing = shop.levels()
    held = min(set(names) - standing.keys())
    shop.merge(held, min(standing))
    assert shop.levels()[min(standing)] == 2


def test_the_metrics_say_who_stands_where_and_who_is_about_to_fall(shop):
    shop.tier(2, **SILVER, entry_rewards=[FIVE])
    shop.batch(
        shop.order("ann", "1", 5_000), shop.order("bob", "2", 1_000), shop.order("bob", "3", 1),
        shop.order("eve", "4", 10),
    )  # fmt: skip
    shop.refunded("bob", "r", 900, "2")
    assert [tuple(row) for row in shop.metric("members").rows] == [
        ("金卡会员", 1, 0),
        ("Silver", 1, 0),
        ("普通会员", 1, 0),
    ]
    assert shop.metric("moves").lines["Moved up"] == [0, 0, 3]
    assert [tuple(row) for row in shop.metric("buying").rows] == [
        ("金卡会员", 1, 10_000, 100), ("Silver", 1, 10_000, 200), ("普通会员", 1, 10_000, 100),
    ]  # fmt: skip
    assert [tuple(row) for row in shop.metric("at_risk").rows] == [("金卡会员", 1, 0), ("Silver", 1, 1)]
    assert shop.metric("gifts").value == 2
    shop.at(date(2025, 3, 10))
    assert sum(shop.metric("moves", days=10).lines["Moved down"]) == 1


ALARMS = {
    "level": "UPDATE tiers.standing SET granted = level WHERE tenant_id = :tenant",
    "trail": "UPDATE tiers.change SET to_level = 2 WHERE tenant_id = :tenant",
    "growth": "UPDATE tiers.day_growth SET value = value + 1 WHERE tenant_id = :tenant",
    "orders": "UPDATE tiers.paid_order SET growth = growth + 1 WHERE tenant_id = :tenant",
    "gifts": """
        INSERT INTO tiers.gift (tenant_id, member_id, occasion, level, period, number, kind, amount, item, paid,
                                state, reward_key, decided_at)
        SELECT tenant_id, member_id, occasion, level, period, number + 7, kind, amount, item, paid, state,
               reward_key, decided_at FROM tiers.gift WHERE tenant_id = :tenant
    """,
}


def test_each_planted_mistake_is_found(shop):
    shop.tier(1, name="Member", entry_rewards=[FIVE])
    shop.paid("ann", "1", 10)
    assert shop.faults() == []
    for name, mistake in ALARMS.items():
        assert f"tiers.{name}" not in shop.faults()
        shop.write(mistake)
        assert f"tiers.{name}" in shop.faults()


def test_a_bought_tier_that_no_floor_bears_is_found(shop):
    shop.paid("ann", "1", 10)
    shop.grant("ann", 3, FIRST + DAY)
    shop.write("UPDATE tiers.floor SET counted = 0 WHERE tenant_id = :tenant")
    assert shop.faults() == ["tiers.level"]
