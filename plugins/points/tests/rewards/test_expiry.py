"""Points expire at the end of a day, are written off once, and members hear of it in time."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat.sdk import Refused, Spend
from threepeat_points import maturing
from threepeat_points.settings import PointsSettings
from threepeat_points.validity import Validity, last_day

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.save(expires_after_days=40)
    made.at(START)
    yield made
    assert made.violations() == []


@pytest.mark.parametrize(
    ("day", "roll_up", "last"),
    [
        (date(2026, 1, 31), "day", date(2026, 1, 31)),
        (date(2026, 2, 1), "month", date(2026, 2, 28)),
        (date(2028, 2, 29), "month", date(2028, 2, 29)),
        (date(2026, 3, 31), "month", date(2026, 3, 31)),
        (date(2026, 1, 31), "quarter", date(2026, 3, 31)),
        (date(2026, 11, 1), "quarter", date(2026, 12, 31)),
        (date(2026, 6, 30), "half_year", date(2026, 6, 30)),
        (date(2026, 7, 1), "half_year", date(2026, 12, 31)),
        (date(2028, 2, 29), "year", date(2028, 12, 31)),
    ],
)
def test_points_expire_together_at_the_end_of_a_month_quarter_or_year(day, roll_up, last):
    assert last_day(day, roll_up) == last


@given(
    at=st.integers(0, 4 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    days=st.integers(1, 3650),
    zone=st.sampled_from(["Asia/Shanghai", "America/Sao_Paulo", "Africa/Cairo", "Asia/Tehran"]).map(ZoneInfo),
)
def test_points_live_through_the_whole_of_their_last_local_day(at, days, zone):
    """Also where midnight does not exist on the day on which the clock is put forward."""
    ends = Validity(PointsSettings(expires_after_days=days), zone).expires(at)
    last = at.astimezone(zone).date() + days * DAY
    assert (ends - timedelta(microseconds=1)).astimezone(zone).date() == last
    assert ends.astimezone(zone).date() == last + DAY


def test_an_expiry_that_is_not_longer_than_the_wait_is_refused_by_name():
    with pytest.raises(ValueError, match="must be more days than points wait") as refused:
        PointsSettings(waiting_days=30, expires_after_days=30)
    assert refused.value.errors()[0]["loc"] == ("expires_after_days",)


def test_points_are_written_off_once_and_what_was_spent_is_not_taken_twice(shop, ann):
    """Elsewhere balances collapsed: credits dropped out as they expired, what had been paid of them did not."""
    shop.grant(ann, 100, "old")
    shop.spend(Spend(ann, 70, "a"))
    shop.nights(30)
    shop.grant(ann, 50, "new")
    shop.nights(11)
    assert shop.held(ann) == {ann: 50}
    assert shop.accounts() == (50, 0, 0, 70, -150, 30)
    for _ in range(3):
        shop.nights(1)
    assert shop.accounts() == (50, 0, 0, 70, -150, 30)
    assert shop.rows(
        "SELECT points, breakage, occurred_at FROM points.entry WHERE tenant_id = :tenant AND kind = 'expired'"
    ) == [(-30, 30, datetime(2026, 2, 19, 16, tzinfo=UTC))]


def test_nobody_spends_what_has_expired_even_if_no_night_has_passed(shop, ann):
    shop.grant(ann, 100, "old")
    shop.at(datetime(2026, 2, 19, 15, 59, tzinfo=UTC))
    assert shop.held(ann) == {ann: 100}
    shop.at(datetime(2026, 2, 19, 16, 0, 1, tzinfo=UTC))
    assert shop.held(ann) == {}
    with pytest.raises(Refused, match=r"^1 point is missing$"):
        shop.spend(Spend(ann, 1, "a"))


def test_a_refund_of_points_that_have_expired_owes_nothing(shop):
    """Elsewhere a claw-back was clamped to what was there and the journal was not: here both say the same."""
    shop.paid("ann", "1", 1_000, time=START)
    shop.nights(41)
    assert shop.accounts() == (0, 0, 0, 0, -10, 10)
    shop.refunded("ann", "r1", 600, "1", time=START + 41 * DAY)
    assert shop.balance() == (0, 0, 0)
    assert shop.accounts() == (0, 0, 0, 0, -4, 4)


@pytest.mark.parametrize("swept", [False, True])
def test_a_late_refund_comes_to_the_same_whether_or_not_the_night_was_first(shop, ann, swept):
    """It takes from what had not expired when the money went back, even if that was written off since."""
    shop.paid("ann", "1", 1_000, time=START)
    shop.pass_days(10)
    shop.paid("ann", "2", 700, time=START + 10 * DAY)
    shop.spend(Spend(ann, 10, "a"))
    shop.pass_days(41)
    if swept:
        shop.nights(1)
    shop.refunded("ann", "r1", 1_000, "1", time=START + 20 * DAY)
    assert shop.balance() == (0, 0, 3)
    assert shop.accounts()[2:] == (-3, 10, -7, 0)


def test_members_are_reminded_30_7_and_1_days_before_once_each(shop, monkeypatch):
    monkeypatch.setattr(maturing, "STRETCH", 2)
    for number in range(5):
        shop.paid(f"m{number}", f"a{number}", 1_000, time=START)
        shop.paid(f"m{number}", f"b{number}", 500, time=START)
    reminded = []
    for _ in range(42):
        shop.nights(1)
        reminded.append([(one["days"], one["points"]) for one in shop.told("points.expiring")])
    assert [len(one) for one in reminded] == [0] * 9 + [5] * 23 + [10] * 6 + [15] * 4
    assert {one["expires_at"] for one in shop.told("points.expiring")} == {"2026-02-19T16:00:00Z"}
    assert set(reminded[-1]) == {(30, 15), (7, 15), (1, 15)}


def test_days_that_were_missed_are_made_up_for(shop):
    shop.paid("ann", "1", 1_000, time=START)
    shop.nights(8)
    shop.nights(7)
    assert [one["days"] for one in shop.told("points.expiring")] == [30]


def test_members_read_it_in_time(shop, postbox):
    ann = shop.member()
    shop.paid("ann", "1", 1_000_000, time=START)
    shop.nights(8)
    shop.nights(7)
    assert postbox.said("expiring", ann) == [{"points": "10,000", "day": "Feb 19, 2026"}]
    [message] = [one for one in postbox.taken if one.member == ann]
    assert message.values["zh"] == {"points": "10,000", "day": "2026年2月19日"}
    assert (message.purpose, message.until) == ("service", datetime(2026, 2, 19, 16, tzinfo=UTC))


def test_after_many_missed_nights_one_reminder_is_sent_and_none_of_what_has_expired(shop):
    shop.paid("ann", "1", 1_000, time=START)
    shop.pass_days(5)
    shop.paid("ann", "2", 500, time=START + 5 * DAY)
    shop.nights(2)
    shop.nights(35)  # the first lot's last day was two days ago, the second's is in three
    assert [(one["days"], one["points"]) for one in shop.told("points.expiring")] == [(7, 5)]


def test_points_that_unlock_in_the_night_of_a_reminder_are_in_it(shop):
    shop.save(expires_after_days=18, waiting_days=10)
    shop.paid("ann", "1", 1_000, time=START)
    shop.nights(11)
    assert [(one["days"], one["points"]) for one in shop.told("points.expiring")] == [(7, 10)]


def test_what_expires_of_an_erased_member_is_written_off_and_nobody_is_told(shop):
    shop.paid("ann", "1", 1_000, time=START)
    with shop.platform.database.ops.begin() as ops:
        for table in ("lot", "account", "entry"):
            ops.exec_driver_sql(f"UPDATE points.{table} SET member_id = -7 WHERE tenant_id = {shop.tenant.id}")
    shop.nights(41)
    assert shop.accounts() == (0, 0, 0, 0, -10, 10)
    assert shop.told("points.expiring") == []
