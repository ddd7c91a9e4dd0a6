"""Local times in UTC: each local day once, also where the clock is put forward and back."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threepeat.sdk import PluginError, schedule
from threepeat.worker import calendar

ZONES = [
    "Asia/Shanghai",
    "America/New_York",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Africa/Cairo",
]


def at(hour, minute=0, **given):
    return schedule("x", lambda _ctx, _occurrence: None, at=time(hour, minute), **given)


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "hour", "minute", "expected"),
    [
        ("Asia/Shanghai", date(2026, 3, 1), 3, 0, utc(2026, 2, 28, 19)),
        # New York puts the clock forward from 2:00 to 3:00 on this day: 2:30 does not exist, 3:00 is 7:00 UTC.
        ("America/New_York", date(2026, 3, 8), 2, 30, utc(2026, 3, 8, 7)),
        ("America/New_York", date(2026, 3, 8), 3, 0, utc(2026, 3, 8, 7)),
        # And back from 2:00 to 1:00: 1:30 comes twice, the first time with summer time.
        ("America/New_York", date(2026, 11, 1), 1, 30, utc(2026, 11, 1, 5, 30)),
        # Lord Howe moves by half an hour: 2:15 does not exist.
        ("Australia/Lord_Howe", date(2026, 10, 4), 2, 15, utc(2026, 10, 3, 15, 30)),
        # Cairo skips midnight itself.
        ("Africa/Cairo", date(2026, 4, 24), 0, 0, utc(2026, 4, 23, 22)),
        # Shanghai had summer time in these years.
        ("Asia/Shanghai", date(1986, 5, 4), 2, 30, utc(1986, 5, 3, 18)),
    ],
)
def test_a_local_time_is_due_at_an_instant(zone, day, hour, minute, expected):
    assert calendar.instant(day, at(hour, minute), ZoneInfo(zone)) == expected


@settings(max_examples=300)
@given(
    st.sampled_from(ZONES),
    st.dates(date(1985, 1, 1), date(2040, 1, 1)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
)
def test_each_local_day_comes_once_and_in_order(zone, first, local):
    plan, where = schedule("x", lambda _ctx, _occurrence: None, at=local), ZoneInfo(zone)
    moment = calendar.instant(first, plan, where)
    for number in range(1, 6):
        assert calendar.latest(plan, where, moment) == first + timedelta(days=number - 1)
        assert calendar.latest(plan, where, moment - timedelta(seconds=1)) < first + timedelta(days=number - 1)
        day, due = calendar.after(plan, where, moment)
        assert day == first + timedelta(days=number)
        assert due > moment
        moment = due


def test_weekly_and_monthly_days():
    shanghai = ZoneInfo("Asia/Shanghai")
    monday = at(9, weekday=0)
    assert calendar.after(monday, shanghai, utc(2026, 11, 21))[0] == date(2026, 11, 23)
    last = at(9, day=31)
    days, moment = [], utc(2026, 1, 1)
    for _ in range(4):
        day, moment = calendar.after(last, shanghai, moment)
        days.append(day)
    assert days == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]


def test_a_schedule_says_what_is_wrong_with_it():
    with pytest.raises(PluginError, match="not both"):
        at(3, weekday=1, day=1)
    with pytest.raises(PluginError, match="weekday is 0 to 6"):
        at(3, weekday=7)
    with pytest.raises(PluginError, match="without a zone"):
        schedule("x", lambda _ctx, _occurrence: None, at=time(3, tzinfo=UTC))
    with pytest.raises(PluginError, match="64 letters"):
        schedule("x y", lambda _ctx, _occurrence: None)
