"""The arithmetic of steps against a member who simply checks in day after day."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from threepeat_checkin.ladder import ahead, reached
from threepeat_checkin.settings import CheckinSettings


def settings(days, **more):
    ladder = [{"days": day, "reward": {"kind": "points", "amount": day}} for day in days]
    return CheckinSettings(ladder=ladder, **more)


LADDERS = st.builds(
    settings,
    st.lists(st.integers(2, 12), unique=True, max_size=4),
    after_the_last_step=st.sampled_from(["repeat", "stop"]),
)


def walk(rules, days):
    """What a member has got of each step who checked in on so many days in a row."""
    given_ = {}
    for day in range(1, days + 1):
        for step in reached(rules, before=day - 1, run=day, given=given_):
            given_[step.days] = given_.get(step.days, 0) + 1
    return given_


@given(rules=LADDERS, days=st.integers(0, 40))
def test_day_after_day_each_step_comes_as_often_as_it_is_due(rules, days):
    got = walk(rules, days)
    assert got == {step.days: times for step in rules.ladder if (times := rules.due(step, days))}


@given(rules=LADDERS, left=st.integers(0, 20), right=st.integers(0, 20))
def test_two_runs_that_are_mended_into_one_give_no_more_than_one_run_of_that_length(rules, left, right):
    one, other = walk(rules, left), walk(rules, right)
    had = {days: one.get(days, 0) + other.get(days, 0) for days in {*one, *other}}
    steps = reached(rules, before=left, run=left + 1 + right, given=had)
    for step in steps:
        assert had.get(step.days, 0) + 1 <= rules.due(step, left + 1 + right)
    assert len({step.days for step in steps}) == len(steps)


@given(rules=LADDERS, streak=st.integers(0, 40))
def test_the_next_step_is_the_one_that_comes(rules, streak):
    coming = ahead(rules, streak)
    later = {
        step.days: next(day for day in range(streak + 1, 100) if rules.due(step, day) > rules.due(step, streak))
        for step in rules.ladder
        if rules.due(step, 99) > rules.due(step, streak)
    }
    assert (coming is None) == (not later)
    if coming is not None:
        step, left = coming
        assert later[step.days] == streak + left == min(later.values())


@pytest.mark.parametrize(
    ("values", "place", "reason"),
    [
        ({"ladder": [{"days": 3, "reward": {"kind": "points", "amount": 1}}] * 2}, ("ladder",), "3 days in a row"),
        ({"ladder": [{"days": 1, "reward": {"kind": "points", "amount": 1}}]}, ("ladder", 0, "days"), "2"),
        ({"ladder": [{"days": 367, "reward": {"kind": "points", "amount": 1}}]}, ("ladder", 0, "days"), "366"),
        (
            {"ladder": [{"days": 3, "reward": {"kind": "points", "amount": 0}}]},
            ("ladder", 0, "reward", "amount"),
            "1",
        ),
        (
            {"ladder": [{"days": day, "reward": {"kind": "points", "amount": 1}} for day in range(2, 13)]},
            ("ladder",),
            "10",
        ),
        ({"make_ups_per_month": 32}, ("make_ups_per_month",), "31"),
        ({"make_ups_per_month": -1}, ("make_ups_per_month",), "0"),
        ({"make_up_days": 0}, ("make_up_days",), "1"),
        ({"on_a_step": "both"}, ("on_a_step",), "add"),
        ({"daily": {"kind": "points"}}, ("daily", "amount"), "required"),
        ({"dayly": None}, ("dayly",), "not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused_by_name(values, place, reason):
    with pytest.raises(ValidationError) as refused:
        CheckinSettings.model_validate(values)
    (error,) = refused.value.errors()
    assert error["loc"] == place
    assert reason in error["msg"]


def test_the_form_works_out_what_streaks_bring(store):
    assert [str(one) for one in CheckinSettings().worked(store)] == [
        "One check-in brings 5 points.",
        "7 days in a row bring 95 points.",
        "30 days in a row bring 410 points.",
    ]
    mixed = settings([2], daily={"kind": "vouchers", "amount": 1}, on_a_step="replace", after_the_last_step="stop")
    assert [str(one) for one in mixed.worked(store)] == [
        "One check-in brings 1 vouchers.",
        "7 days in a row bring 2 points.",
        "7 days in a row bring 6 vouchers.",
        "30 days in a row bring 2 points.",
        "30 days in a row bring 29 vouchers.",
    ]


def test_the_ladder_climbs_in_whatever_order_it_was_given():
    assert [step.days for step in settings([7, 3, 30]).ladder] == [3, 7, 30]
