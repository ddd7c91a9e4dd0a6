"""How often somebody may try: counted before the password, in the database, forgotten in time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from threepeat_tenants.accounts import throttle
from threepeat_tenants.accounts.throttle import TooManyAttempts


@pytest.fixture
def attempt(platform):
    """Tries once: `attempt("ann", "192.0.2.1")`; returns the seconds to wait, 0 if it was let through."""

    def one(login="ann", address="192.0.2.1", *, tenant=1, right=False) -> int:
        try:
            with platform.database.ops.begin() as ops:
                made = throttle.begin(ops, platform.keyring, tenant, login, address)
        except TooManyAttempts as error:
            return error.seconds
        if right:
            with platform.database.ops.begin() as ops:
                throttle.clear(ops, made)
        return 0

    return one


@pytest.fixture
def later(platform):
    """Lets time pass."""

    def move(seconds: float) -> None:
        with platform.database.ops.begin() as ops:
            ops.execute(
                text("UPDATE core.sign_in_failure SET last_at = last_at - :by"), {"by": timedelta(seconds=seconds)}
            )

    return move


def test_five_are_free_then_the_wait_doubles_up_to_a_quarter_of_an_hour(attempt, later):
    assert [attempt() for _ in range(5)] == [0] * 5
    for seconds in (15, 30, 60, 120, 240, 480, 900, 900):
        assert attempt() == seconds
        later(seconds - 0.9)
        assert attempt() >= 1
        later(0.95)
        assert attempt() == 0


def test_nobody_guesses_more_than_ten_times_in_the_first_quarter_of_an_hour(attempt, later):
    tried, passed = 0, 0.0
    while passed < 900:
        wait = attempt()
        tried += wait == 0
        later(wait)
        passed += wait
    assert tried == 10


def test_what_is_refused_is_not_counted(attempt, later):
    assert sum(attempt() == 0 for _ in range(50)) <= 6
    later(15.1)
    assert attempt() == 0


def test_a_right_password_clears_the_account_and_gives_the_address_back_its_attempt(attempt):
    for _ in range(4):
        attempt()
    assert attempt(right=True) == 0
    assert [attempt() for _ in range(5)] == [0] * 5
    for number in range(30):
        assert attempt(f"colleague-{number}", "198.51.100.1", right=True) == 0


def test_it_is_forgotten_by_and_by(attempt, later):
    for _ in range(10):
        assert attempt() == 0
        later(520)
    assert attempt() == 0
    assert attempt() > 60
    later(3600)
    assert attempt() == 0
    later(6 * 3600)
    assert [attempt() for _ in range(5)] == [0] * 5


def test_a_flood_from_one_address_keeps_the_owner_out_for_seconds_at_a_time(attempt, later):
    for _ in range(60):
        if wait := attempt(address="198.51.100.66"):
            later(wait)
    assert attempt(address="198.51.100.66") > 800
    later(15)
    assert attempt(address="192.0.2.1", right=True) == 0
    assert attempt(address="198.51.100.66") > 800


def test_many_addresses_at_one_account_are_slowed_together(attempt):
    let_through = sum(attempt(address=f"198.51.100.{number}") == 0 for number in range(100))
    assert 5 <= let_through <= 8, "five, and one for each time the wait was over"
    assert attempt("bob", "192.0.2.77") == 0


def test_one_address_at_many_accounts_is_slowed_and_not_for_longer_than_a_minute(attempt, later):
    assert sum(attempt(f"account-{number}") == 0 for number in range(40)) == 20
    for _ in range(10):
        later(60)
        assert attempt("one-more") in {0, *(15 * 2**n for n in range(6))}
    assert 0 < attempt("yet-another") <= 60
    assert attempt("account-1", "192.0.2.99") == 0


def test_accounts_of_different_stores_and_operators_are_counted_apart(attempt):
    for tenant in (1, 2, None):
        assert [attempt(tenant=tenant) for _ in range(5)] == [0] * 5
        assert attempt(tenant=tenant) > 0


def test_a_thousand_at_a_time_get_no_further_than_one_after_the_other(attempt):
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: attempt(address=f"192.0.2.{number}"), range(64)))
    assert answers.count(0) == 5


def test_without_the_condition_all_would_pass(attempt, monkeypatch):
    open_door = throttle.COUNT.text.split("    WHERE f.last_at")[0] + " RETURNING failures"
    monkeypatch.setattr(throttle, "COUNT", text(open_door))
    assert [attempt() for _ in range(20)] == [0] * 20


def test_the_table_tells_nobody_who_tried_from_where_and_stays_small(attempt, platform, later):
    attempt("ann@example.com", "203.0.113.5")
    with platform.database.ops.begin() as ops:
        said = str(ops.execute(text("SELECT f::text FROM core.sign_in_failure f")).all())
    assert "ann" not in said
    assert "203.0.113.5" not in said
    for number in range(6):
        attempt(f"gone-{number}", f"198.51.100.{number}")
    later(7 * 3600)
    attempt("new", "192.0.2.200")
    with platform.database.ops.begin() as ops:
        assert ops.execute(text("SELECT count(*) FROM core.sign_in_failure")).scalar_one() <= 4


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
    ],
)
def test_what_counts_as_one_address(one, other, same):
    assert (throttle.network(one) == throttle.network(other)) is same


def test_odd_addresses_and_logins_are_counted_like_others(attempt):
    for odd in ("", "\0", "\ud800", "x" * 1_000_000, "unix:", "999.1.1.1", "1.2.3.4, 5.6.7.8"):
        assert attempt(odd, odd) == 0
