"""When marketing may go: any night, in any zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from threepeat_messages.hours import awake_at, is_quiet, minute, monday

ZONES = st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "UTC"])
TIMES = st.times().map(lambda one: one.replace(second=0, microsecond=0))
NOWS = st.integers(1_577_836_800, 1_893_456_000).map(lambda one: datetime.fromtimestamp(one, UTC))


@given(NOWS, ZONES.map(ZoneInfo), TIMES, TIMES)
def test_it_is_the_first_instant_that_is_not_quiet(now, zone, begin, end):
    found = awake_at(now, zone, begin, end)
    assert now <= found <= now + timedelta(hours=25)
    if begin == end:
        assert found == now
    if found > now:
        assert is_quiet(now.astimezone(zone).time(), begin, end)
        before = (found - timedelta(minutes=1)).astimezone(zone).time()
        assert found - now < timedelta(minutes=1) or is_quiet(before, begin, end)
        changed = zone.utcoffset((found - timedelta(hours=3)).astimezone(zone)) != zone.utcoffset(
            (found + timedelta(hours=3)).astimezone(zone)
        )
        assert changed or not is_quiet(found.astimezone(zone).time(), begin, end)


def test_nights_and_siestas():
    night, morning = time(21), time(9)
    assert [is_quiet(time(hour), night, morning) for hour in (20, 21, 0, 8, 9, 12)] == [
        False, True, True, True, False, False,
    ]  # fmt: skip
    assert [is_quiet(time(hour), time(13), time(15)) for hour in (12, 13, 14, 15)] == [False, True, True, False]
    assert not is_quiet(time(3), time(0), time(0))
    shanghai = ZoneInfo("Asia/Shanghai")
    evening = datetime(2026, 1, 14, 13, 30, tzinfo=UTC)
    assert awake_at(evening, shanghai, night, morning) == datetime(2026, 1, 15, 1, tzinfo=UTC)
    assert awake_at(evening + timedelta(hours=9), shanghai, night, morning) == datetime(2026, 1, 15, 1, tzinfo=UTC)


def test_an_end_that_the_clock_skips_is_the_first_instant_after():
    berlin = ZoneInfo("Europe/Berlin")
    night = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert awake_at(night, berlin, time(22), time(2, 30)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_minutes_and_weeks():
    assert minute(time(21, 5)) == 21 * 60 + 5
    assert monday(date(2026, 1, 14)) == date(2026, 1, 12)
    assert monday(date(2026, 1, 12)) == date(2026, 1, 12)
