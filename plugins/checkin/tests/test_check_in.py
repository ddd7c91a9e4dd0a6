"""A check-in a day, what it brings, and what streaks come to."""

import secrets
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event

from threepeat.sdk import Audience
from threepeat_checkin.models import CheckIn

DAY = timedelta(days=1)
DAILY = {"step": 0, "kind": "points", "item": "", "amount": 5, "state": "granted"}


def step(days, amount, state="granted"):
    return {"step": days, "kind": "points", "item": "", "amount": amount, "state": state}


def test_a_check_in_brings_the_days_reward_once(shop):
    answer = shop.tap()
    assert answer == {
        "day": "2026-03-02",
        "streak": 1,
        "rewards": [DAILY],
        "next_step": {"days": 3, "in_days": 2, "kind": "points", "item": "", "amount": 10},
    }
    assert shop.tap() == answer
    assert shop.points() == 5
    assert shop.rows("SELECT count(*) FROM checkin.check_in WHERE tenant_id = :tenant") == [(1,)]


def test_the_same_command_sent_twice_is_answered_from_its_key(shop):
    key = {"Idempotency-Key": secrets.token_hex(8)}
    one, two = (shop.ask("POST", "check-in", headers=key) for _ in range(2))
    assert two.headers["Idempotency-Replayed"] == "true"
    assert one.content == two.content
    assert shop.points() == 5


def test_a_second_check_in_answers_what_the_first_gave_though_the_settings_have_changed(shop):
    before = shop.tap()
    shop.save(daily={"kind": "points", "amount": 900})
    assert shop.tap() == before
    assert shop.points() == 5


def test_days_in_a_row_climb_the_ladder(shop):
    assert shop.taps(0, 1)["rewards"] == [DAILY]
    assert shop.taps(2) == {
        "day": "2026-03-04",
        "streak": 3,
        "rewards": [DAILY, step(3, 10)],
        "next_step": {"days": 7, "in_days": 4, "kind": "points", "item": "", "amount": 50},
    }
    assert shop.taps(3, 4, 5, 6)["rewards"] == [DAILY, step(7, 50)]
    assert shop.points() == 7 * 5 + 10 + 50


def test_a_missed_day_ends_a_streak_though_nobody_has_looked_at_the_calendar(shop):
    shop.taps(0, 1)
    after = shop.taps(3)
    assert (after["streak"], after["rewards"]) == (1, [DAILY])
    assert shop.taps(4)["streak"] == 2
    assert shop.points() == 4 * 5


def test_looking_at_the_calendar_changes_nothing(shop):
    shop.taps(0, 1)
    shop.day(2)
    assert shop.calendar()["streak"] == 2
    shop.day(3)
    assert shop.calendar()["streak"] == 0
    shop.day(2)
    assert shop.tap()["streak"] == 3


@pytest.mark.parametrize(("mode", "rewards"), [("add", [DAILY, step(2, 7)]), ("replace", [step(2, 7)])])
def test_a_step_comes_on_top_of_the_days_reward_or_instead_of_it(open_shop, mode, rewards):
    shop = open_shop(ladder=[{"days": 2, "reward": {"kind": "points", "amount": 7}}], on_a_step=mode)
    assert shop.taps(0)["rewards"] == [DAILY]
    assert shop.taps(1)["rewards"] == rewards


@pytest.mark.parametrize(("after", "times"), [("repeat", 3), ("stop", 1)])
def test_after_the_last_step_the_ladder_begins_again_or_not(open_shop, after, times):
    shop = open_shop(
        ladder=[{"days": 2, "reward": {"kind": "points", "amount": 7}}], after_the_last_step=after, daily=None
    )
    last = shop.taps(*range(6))
    assert shop.points() == times * 7
    assert (last["next_step"] is None) is (after == "stop")
    assert shop.violations() == []


def test_a_store_without_any_reward_counts_days(open_shop):
    shop = open_shop(daily=None, ladder=[])
    assert shop.taps(0, 1) == {"day": "2026-03-03", "streak": 2, "rewards": [], "next_step": None}
    assert shop.calendar()["next_step"] is None


def test_a_day_is_the_stores_own_and_the_servers(open_shop):
    shop = open_shop(timezone="America/New_York")
    shop.at(datetime(2026, 3, 2, 4, 59, 58, tzinfo=UTC))
    answer = shop.ask(
        "POST", "check-in", headers={"Date": "Mon, 09 Mar 2026 12:00:00 GMT"}, json={"day": "2026-03-09"}
    )
    assert answer.json()["day"] == "2026-03-01"
    shop.at(datetime(2026, 3, 2, 5, 0, tzinfo=UTC))
    assert shop.tap()["streak"] == 2


@pytest.mark.parametrize("change", [date(2026, 3, 8), date(2026, 11, 1)], ids=["23 hours", "25 hours"])
def test_a_change_of_the_clock_breaks_no_streak_and_gives_no_day_twice(open_shop, change):
    shop = open_shop(timezone="America/New_York")
    moments = [(change - DAY, 23, 59), (change, 0, 0), (change, 23, 59), (change + DAY, 0, 0)]
    streaks = []
    for moment in moments:
        shop.at(shop.local(*moment))
        streaks.append(shop.tap()["streak"])
    assert streaks == [1, 2, 2, 3]
    assert shop.points() == 3 * 5 + 10


def test_what_the_budget_does_not_cover_is_not_given_and_the_day_counts(open_shop):
    shop = open_shop()
    shop.save(monthly_budget=12)  # five points cost five fen
    states = [[one["state"] for one in shop.taps(number)["rewards"]] for number in range(3)]
    assert states == [["granted"], ["granted"], ["over_budget", "over_budget"]]
    assert shop.points() == 10
    shop.save(monthly_budget=None)
    assert [one["state"] for one in shop.tap()["rewards"]] == ["over_budget", "over_budget"]
    assert shop.taps(3)["streak"] == 4
    assert shop.points() == 15
    assert shop.violations() == []


def test_without_a_keeper_the_day_counts_and_the_reward_is_closed(open_shop):
    shop = open_shop(enable=("checkin",))
    assert shop.tap()["rewards"] == [{**DAILY, "state": "closed"}]
    assert shop.taps(1)["streak"] == 2
    assert shop.violations() == []


def test_a_reward_that_nobody_keeps_keeps_no_member_from_checking_in(open_shop):
    shop = open_shop()
    shop.leave_behind(daily={"kind": "gone", "amount": 3})
    assert shop.tap()["rewards"] == [{"step": 0, "kind": "gone", "item": "", "amount": 3, "state": "closed"}]
    assert shop.taps(1)["streak"] == 2


def test_the_comparison_group_is_not_offered_a_check_in(shop):
    with shop.platform.database.ops.begin() as ops:
        ops.exec_driver_sql(
            "UPDATE core.activation SET holdout_percent = 50 WHERE plugin = 'checkin' AND tenant_id = %s",
            (shop.tenant.id,),
        )
    names = [f"m{number}" for number in range(24)]
    codes = {name: shop.ask("POST", "check-in", name).status_code for name in names}
    assert set(codes.values()) == {200, 409}
    assert {shop.points(name) for name, code in codes.items() if code == 409} == {0}
    held = next(name for name, code in codes.items() if code == 409)
    assert shop.calendar(held)["days"] == []


def test_switched_off_it_owes_nothing_and_a_streak_goes_on_if_it_is_back_in_time(shop):
    shop.taps(0)
    assert shop.off("checkin") == "off"
    assert shop.ask("POST", "check-in").status_code == 404
    shop.on("checkin")
    assert shop.taps(1)["streak"] == 2


def test_the_calendar_shows_a_month(shop):
    shop.taps(0, 1)
    found = shop.calendar()
    assert found == {
        "month": "2026-03",
        "days": [
            {"day": "2026-03-02", "made_up": False, "rewards": [DAILY]},
            {"day": "2026-03-03", "made_up": False, "rewards": [DAILY]},
        ],
        "today": "2026-03-03",
        "checked_in_today": True,
        "streak": 2,
        "next_step": {"days": 3, "in_days": 1, "kind": "points", "item": "", "amount": 10},
        "make_ups": None,
    }
    assert shop.calendar(month="2026-02")["days"] == []
    assert shop.calendar("bob") == {
        **found,
        "days": [],
        "checked_in_today": False,
        "streak": 0,
        "next_step": {"days": 3, "in_days": 3, "kind": "points", "item": "", "amount": 10},
    }


def test_others_learn_of_it_by_event_and_fact(shop):
    shop.taps(0, 1)
    shop.tap()
    ann, bob = shop.member("ann"), shop.member("bob")
    shop.worker.drain()
    sent = shop.rows(
        "SELECT data FROM core.event WHERE tenant_id = :tenant AND type = 'checkin.done' ORDER BY position"
    )
    assert sent == [
        ({"day": "2026-03-02", "streak": 1, "made_up": False},),
        ({"day": "2026-03-03", "streak": 2, "made_up": False},),
    ]
    names = ["checkin.streak", "checkin.last"]
    found = shop.act("points", lambda ctx: ctx.facts(names, [ann, bob]))
    assert found["checkin.streak"] == {ann: 2, bob: 0}
    assert {member: moment.date() for member, moment in found["checkin.last"].items()} == {ann: date(2026, 3, 3)}
    shop.day(2)
    assert shop.act("points", lambda ctx: ctx.facts(names, [ann]))["checkin.streak"] == {ann: 2}
    shop.day(3)
    assert shop.act("points", lambda ctx: ctx.facts(names, [ann]))["checkin.streak"] == {ann: 0}
    regulars = Audience.model_validate({"fact": "checkin.streak", "op": "at_least", "value": 2})
    said = [
        regulars.sentence(shop.platform.registry["checkin"].facts, one, currency="CNY") for one in ("en", "zh")
    ]
    assert said == [
        "members whose number of days in a row with a check-in is at least 2 days",
        "连续签到天数不少于2天的会员",
    ]


def test_a_check_in_takes_two_statements_of_its_own_and_the_second_one_takes_one(shop):
    """The rest is core's: the member, the gate, the grant and its budget, the outbox."""
    shop.tap("bob")
    ran = []
    engine = shop.platform.database.app
    listen = (engine, "before_cursor_execute", lambda *args: ran.append(args[2]))
    event.listen(*listen)
    try:
        first, again = [], []
        for counted in (first, again):
            ran.clear()
            shop.tap()
            counted.extend(ran)
    finally:
        event.remove(*listen)
    assert len([one for one in first if "checkin." in one]) == 2
    assert len([one for one in again if "checkin." in one]) == 1
    assert len(again) < len(first) <= 40, "and nothing is asked in a loop"


def test_a_long_history_is_counted_from_its_rows(shop):
    ann, today = shop.member(), date(2026, 3, 2)
    days = [today - number * DAY for number in range(1, 400) if number != 366]
    moment = datetime(2025, 1, 1, tzinfo=UTC)

    def fill(ctx):
        ctx.db.add_all(CheckIn(member_id=ann, day=day, checked_at=moment) for day in days)

    shop.act("checkin", fill)
    assert shop.calendar()["streak"] == 365
    assert shop.tap()["streak"] == 366
