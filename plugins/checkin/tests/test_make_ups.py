"""Missed days that are made up for: at a price, so many a month, and nothing twice."""

import pytest

from threepeat.testing.together import together

PRICE = {"kind": "points", "amount": 20, "item": ""}
DEAR = {"daily": {"kind": "points", "amount": 100}}
STEP_3 = {"days": 3, "reward": {"kind": "points", "amount": 10}}


@pytest.fixture
def shop(open_shop):
    made = open_shop(**DEAR, ladder=[STEP_3], make_ups_per_month=2, make_up_days=5)
    yield made
    assert made.violations() == []


def code(answer):
    assert answer.status_code == 409, answer.text
    return answer.json()["type"].rpartition("/")[2].rpartition(":")[2]


def test_it_is_off_until_the_merchant_sets_it(open_shop):
    shop = open_shop()
    shop.taps(0, 2)
    assert code(shop.make_up(1)) == "not-offered"
    assert shop.calendar()["make_ups"] is None


def test_a_made_up_day_mends_the_streak_reaches_the_step_and_is_paid_once(shop):
    shop.taps(0, 2)
    assert shop.points() == 200
    answer = shop.make_up(1).json()
    assert answer == {
        "day": "2026-03-03",
        "streak": 3,
        "rewards": [{"step": 3, "kind": "points", "item": "", "amount": 10, "state": "granted"}],
        "next_step": {"days": 3, "in_days": 3, "kind": "points", "item": "", "amount": 10},
    }
    assert shop.make_up(1).json() == answer
    assert shop.points() == 200 - 20 + 10
    found = shop.calendar()
    assert [day["made_up"] for day in found["days"]] == [False, True, False]
    assert found["make_ups"] == {"left": 1, "first_day": "2026-03-03", "price": PRICE}
    assert shop.tap()["streak"] == 3


def test_mending_does_not_give_again_what_a_part_of_the_run_gave(open_shop):
    """Taps 0 1 _ 3 4 5 6 have given the step of three days once; mended they are seven days, and owe it twice."""
    shop = open_shop(**DEAR, ladder=[STEP_3], after_the_last_step="stop", make_ups_per_month=2, make_up_price=None)
    shop.taps(0, 1, 3, 4, 5, 6)
    assert shop.points() == 610
    assert shop.make_up(2).json()["rewards"] == []
    assert shop.points() == 610
    assert shop.violations() == []


def test_gaps_left_on_purpose_bring_no_more_than_days_in_a_row(open_shop):
    free = {"daily": None, "ladder": [STEP_3], "make_ups_per_month": 31, "make_up_price": None}
    gapped, straight = open_shop(**free), open_shop(**free)
    gapped.taps(0, 1, 2, 4, 5, 6, 8, 9, 10)
    assert gapped.points() == 30
    assert [gapped.make_up(number).json()["streak"] for number in (7, 3)] == [7, 11]
    straight.taps(*range(11))
    assert gapped.points() == straight.points() == 30
    gapped.day(11)
    straight.day(11)
    assert gapped.tap()["rewards"] == straight.tap()["rewards"] != []
    assert gapped.violations() == []


def test_a_new_month_begins_anew(shop):
    shop.taps(24, 26, 28)  # 26, 28 and 30 March
    assert [shop.make_up(number).status_code for number in (25, 27)] == [200, 200]
    shop.taps(30)  # 1 April
    assert shop.calendar()["make_ups"]["left"] == 2
    assert shop.make_up(29).status_code == 200
    assert shop.calendar()["make_ups"]["left"] == 1


def test_the_limit_is_told_and_nothing_is_paid(shop):
    shop.taps(0, 2, 4)
    assert [shop.make_up(number).status_code for number in (1, 3)] == [200, 200]
    shop.taps(6)
    before = shop.points()
    assert code(shop.make_up(5)) == "make-up-limit"
    assert shop.points() == before
    assert shop.calendar()["make_ups"] == {"left": 0, "first_day": None, "price": PRICE}
    assert shop.make_up(3).status_code == 200, "a day that is there needs no make-up"


def test_who_cannot_pay_has_made_up_for_nothing(open_shop):
    shop = open_shop(make_ups_per_month=3)
    shop.taps(0, 2)
    assert shop.points() == 10
    refused = shop.make_up(1)
    assert code(refused) == "not-enough"
    assert shop.calendar()["make_ups"]["left"] == 3
    assert [day["day"] for day in shop.calendar()["days"]] == ["2026-03-02", "2026-03-04"]


@pytest.mark.parametrize("number", [4, 5, -2, 3_000, -700_000], ids=["today", "future", "old", "far", "ancient"])
def test_only_the_last_days_are_open(shop, number):
    shop.taps(-10, 4)
    assert code(shop.make_up(number)) == "day-not-open"


def test_nobody_makes_up_for_days_before_the_first_check_in(shop):
    shop.taps(3)
    assert code(shop.make_up(2)) == "day-not-open"
    assert shop.calendar()["make_ups"]["first_day"] is None
    shop.day(5)
    assert shop.calendar()["make_ups"]["first_day"] == "2026-03-06"
    assert shop.make_up(4).status_code == 200


def test_a_price_in_what_nobody_can_pay_with_is_refused_in_words(open_shop):
    shop = open_shop()
    shop.leave_behind(make_up_price={"kind": "gone", "amount": 3}, make_ups_per_month=3)
    shop.taps(0, 2)
    assert code(shop.make_up(1)) == "not-offered"


def test_sixteen_at_once_pay_and_count_one_day_once(shop):
    shop.taps(0, 2)
    answers = together(16, lambda _: shop.make_up(1))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert shop.points() == 200 - 20 + 10


def test_sixteen_at_once_make_up_for_no_more_days_than_a_month_has(shop):
    shop.taps(0, 5)
    answers = together(16, lambda number: shop.make_up(1 + number % 4))
    made = {answer.json()["day"]: answer.json() for answer in answers if answer.status_code == 200}
    assert len(made) == 2
    assert {code(answer) for answer in answers if answer.status_code != 200} == {"make-up-limit"}
    assert shop.points() == 200 - 40 + sum(one["amount"] for day in made.values() for one in day["rewards"])


def test_a_check_in_and_a_made_up_day_at_once_reach_a_step_together_once(open_shop):
    shop = open_shop(daily=None, ladder=[STEP_3], make_ups_per_month=2, make_up_price=None)
    shop.taps(0)
    shop.day(2)
    together(16, lambda number: shop.make_up(1) if number % 2 else shop.tap())
    assert shop.points() == 10
    assert shop.calendar()["streak"] == 3
    assert shop.violations() == []
