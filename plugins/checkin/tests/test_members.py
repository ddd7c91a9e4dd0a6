"""Members who are one person, members of two stores, members who go."""

import json
import secrets

import pytest
from sqlalchemy import text

from threepeat.tenancy import keys, members

CANARY = "cnry51ce"
FREE = {"make_ups_per_month": 5, "make_up_price": None}
STEP_3 = {"days": 3, "reward": {"kind": "points", "amount": 10}}
TWICE = """
    INSERT INTO checkin.reward
    SELECT tenant_id, member_id, '2026-03-02', step, kind, amount, state, merged FROM checkin.reward
    WHERE tenant_id = :tenant AND step = 3
"""
TABLES = ("check_in", "reward", "make_up", "purchase")


def held(shop, member):
    return {
        table: shop.rows(
            f"SELECT count(*) FROM checkin.{table} WHERE tenant_id = :tenant AND member_id = :member",
            member=member,
        )[0][0]
        for table in TABLES
    }


def manager(shop):
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        key = keys.create_key(scope, shop.platform.keyring, "test", ["manage"], by="test")
    return {"Authorization": f"Bearer {key}", "Idempotency-Key": secrets.token_hex(8)}


def test_merged_days_are_united_and_the_streak_is_counted_anew(open_shop):
    shop = open_shop(daily=None, ladder=[STEP_3])
    shop.taps(0, 2, name="wx")
    shop.taps(1, 2, name="app")
    source = shop.member("wx")
    shop.merge("wx", "app")
    assert held(shop, source) == dict.fromkeys(TABLES, 0)
    assert shop.calendar("app")["streak"] == 3
    assert shop.tap("wx")["streak"] == 3, "that day is there"
    assert shop.points("app") == 0, "a step is reached by a check-in, not by a merge"
    shop.day(3)
    assert shop.tap("app")["streak"] == 4
    assert shop.violations() == []


def test_one_person_with_two_identities_checks_in_once_a_day(open_shop):
    shop = open_shop()
    shop.tap("wx")
    shop.member("app")
    shop.merge("wx", "app")
    assert shop.tap("app")["rewards"] == [
        {"step": 0, "kind": "points", "item": "", "amount": 5, "state": "granted"}
    ]
    assert shop.tap("wx") == shop.tap("app")
    assert shop.points("app") == 5
    assert shop.violations() == []


def test_what_both_got_before_they_were_one_stays_and_is_not_given_again(open_shop):
    shop = open_shop(daily=None, ladder=[STEP_3], after_the_last_step="stop", **FREE)
    shop.taps(0, 1, 2, name="wx")
    shop.taps(4, 5, 6, name="app")
    shop.merge("wx", "app")
    assert shop.points("app") == 20
    assert shop.make_up(3, "app").json() | {"next_step": None} == {
        "day": "2026-03-05",
        "streak": 7,
        "rewards": [],
        "next_step": None,
    }
    assert shop.points("app") == 20
    assert shop.violations() == []


def test_made_up_days_of_both_count_against_the_month(open_shop):
    shop = open_shop(**{**FREE, "make_ups_per_month": 3})
    for name in ("wx", "app"):
        shop.taps(0, 4, name=name)
    assert [shop.make_up(number, "wx").status_code for number in (1, 2)] == [200, 200]
    assert [shop.make_up(number, "app").status_code for number in (2, 3)] == [200, 200]
    shop.merge("wx", "app")
    assert shop.calendar("app")["make_ups"]["left"] == 0
    assert [day["made_up"] for day in shop.calendar("app")["days"]] == [False, True, True, True, False]
    assert shop.violations() == []


def test_a_merge_takes_purchases_along(open_shop):
    shop = open_shop()
    shop.tap("app")
    shop.pay("wx", number=1)
    shop.worker.drain()
    shop.merge("wx", "app")
    assert held(shop, shop.member("app"))["purchase"] == 1


def test_a_suspended_member_is_not_offered_it(open_shop):
    shop = open_shop()
    shop.tap()
    with shop.platform.database.tenant(shop.tenant.id) as scope:
        scope.run(
            text("UPDATE core.member SET suspended_until = 'infinity' WHERE tenant_id = :tenant AND id = :id"),
            id=members.find(scope, "ann"),
        )
    shop.day(1)
    assert shop.ask("POST", "check-in").status_code == 409
    assert shop.calendar()["checked_in_today"] is False


def test_two_stores_with_the_same_members_never_meet(open_shop):
    one, two = open_shop(**FREE), open_shop(daily={"kind": "points", "amount": 9}, **FREE)
    one.taps(0, 2)
    one.make_up(1)
    two.taps(2)
    for shop in (one, two):
        shop.pay("ann", order="the-same")
        shop.worker.drain()
    assert (one.points(), two.points()) == (20 + 1, 9 + 1), "the order earns a point"
    assert [len(shop.calendar()["days"]) for shop in (one, two)] == [3, 1]
    assert [held(shop, shop.member())["purchase"] for shop in (one, two)] == [1, 1]
    ann = one.member()
    with one.platform.database.tenant(two.tenant.id) as scope:
        for table in TABLES:
            rows = scope.connection.execute(
                text(f"SELECT count(*) FROM checkin.{table} WHERE member_id = :member"), {"member": ann}
            ).scalar()
            assert rows == 0, f"{table} of another store"
            seen = scope.connection.execute(text(f"SELECT DISTINCT tenant_id FROM checkin.{table}")).scalars()
            assert set(seen) <= {two.tenant.id}
    found = two.act("points", lambda ctx: ctx.facts(["checkin.streak"], [ann, two.member()]))
    assert found == {"checkin.streak": {two.member(): 1}}
    assert one.violations() == two.violations() == []


@pytest.fixture
def full(open_shop):
    """A store in which ann has rows in every table, and bob beside her."""
    shop = open_shop(**FREE, ladder=[STEP_3])
    for name in ("ann", "bob"):
        shop.taps(0, 2, name=name)
        shop.make_up(1, name)
        shop.pay(name, order=f"{CANARY}-{name}", number=1)
    shop.worker.drain()
    assert held(shop, shop.member()) == {"check_in": 3, "reward": 3, "make_up": 1, "purchase": 1}
    return shop


def test_an_export_holds_every_row_of_the_member_and_of_nobody_else(full):
    answer = full.client.get("/v1/members/ann/export", headers=manager(full))
    assert answer.status_code == 200, answer.text
    found = json.dumps(answer.json(), ensure_ascii=False)
    for table in TABLES:
        assert f"checkin.{table}" in found
    assert f"{CANARY}-ann" in found
    assert f"{CANARY}-bob" not in found


def test_an_erased_member_leaves_nothing_and_no_sum_breaks(full):
    ann, bob = full.member("ann"), full.member("bob")
    assert full.client.delete("/v1/members/ann", headers=manager(full)).status_code == 202
    full.worker.drain()
    assert held(full, ann) == dict.fromkeys(TABLES, 0)
    assert held(full, bob) == {"check_in": 3, "reward": 3, "make_up": 1, "purchase": 1}
    for table in TABLES:
        rows = full.rows(f"SELECT member_id, t::text FROM checkin.{table} t WHERE tenant_id = :tenant")
        assert {member for member, _ in rows} == {bob}
        assert not any(f"{CANARY}-ann" in row for _, row in rows)
    assert full.violations() == []


@pytest.mark.parametrize(
    ("statement", "alarm"),
    [
        ("DELETE FROM checkin.check_in WHERE tenant_id = :tenant AND day = '2026-03-02'", "checkin.rewards"),
        ("DELETE FROM checkin.check_in WHERE tenant_id = :tenant AND day = '2026-03-04'", "checkin.rewards"),
        ("UPDATE checkin.reward SET step = 4 WHERE tenant_id = :tenant AND step = 3", "checkin.rewards"),
        (TWICE, "checkin.steps"),
        ("UPDATE checkin.make_up SET used = 2 WHERE tenant_id = :tenant", "checkin.make_ups"),
        ("DELETE FROM checkin.make_up WHERE tenant_id = :tenant", "checkin.make_ups"),
        (
            "UPDATE checkin.check_in SET make_up_month = NULL WHERE tenant_id = :tenant AND day = '2026-03-03'",
            "checkin.make_ups",
        ),
    ],
)
def test_verify_sees_what_does_not_add_up(full, statement, alarm):
    assert full.violations() == []
    with full.platform.database.tenant(full.tenant.id) as scope:
        assert scope.count(text(statement)) > 0
    assert alarm in full.violations()
