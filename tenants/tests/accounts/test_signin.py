"""Signing in: who gets in, and that whoever does not learns nothing."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from sqlalchemy import event, text
from structlog.testing import capture_logs

from threepeat_tenants.accounts import links, operators, passwords, signin, staff
from threepeat_tenants.accounts.signin import SignInRefused, TooManyAttempts

EMAIL = "ann@example.com"
PASSWORD = "seven grey herons"
NEW = "nine slow barges"


def test_a_person_signs_in_by_address_or_phone_as_they_type_it(house):
    house.add("Bob", "analyst", email="bob@example.com", phone="+8613800138000", password=NEW)
    for login in ("bob@example.com", " BOB@Example.com ", "13800138000", "138 0013 8000", "+86-13800138000"):
        _, session = house.sign_in(login, NEW)
        assert (session.person.name, session.person.role) == ("Bob", "analyst")
    assert ("staff:2", "staff.signed_in", "staff:2") in house.trail()


def test_signing_in_and_failing_to_are_both_told(house):
    house.sign_in()
    assert house.trail()[-1][1] == "staff.signed_in"
    with capture_logs() as lines, pytest.raises(SignInRefused):
        house.sign_in(EMAIL, "not it at all")
    assert lines == [{"event": "sign-in refused", "log_level": "info", "tenant": house.tenant.store.slug}]


def test_the_same_address_in_two_stores_is_two_people(house, other_house):
    _, one = house.sign_in(EMAIL, PASSWORD)
    _, other = other_house.sign_in(EMAIL, NEW)
    assert one.person.id != other.person.id
    for where, wrong in ((house, NEW), (other_house, PASSWORD)):
        with pytest.raises(SignInRefused):
            where.sign_in(EMAIL, wrong)


def test_an_operator_is_no_staff_and_staff_no_operator(house, office):
    office.add("root@example.com", password=PASSWORD)
    _, session = office.sign_in("ROOT@example.com")
    assert session.person.by == "operator:1"
    with pytest.raises(SignInRefused):
        house.sign_in("root@example.com")
    with pytest.raises(SignInRefused):
        office.sign_in(EMAIL)


@pytest.fixture
def refusals(house, office):
    """Every way to be refused: a name, and what tries it from an address."""
    house.add("Bob", "owner", email="bob@example.com")
    eve = house.add("Eve", "owner", email="eve@example.com", password=PASSWORD)
    office.add("root", password=PASSWORD)
    office.add("new")
    gone = office.add("gone", password=PASSWORD)
    with house.scope() as scope:
        staff.disable(scope, eve.id, by="staff:1")
    with office.ops() as ops:
        operators.disable(ops, gone.id, by="operator:1")
    return {
        "staff": {
            "unknown": ("nobody@example.com", PASSWORD),
            "wrong password": (EMAIL, "not it at all"),
            "no password yet": ("bob@example.com", PASSWORD),
            "disabled": ("eve@example.com", PASSWORD),
            "disabled and wrong": ("eve@example.com", "not it at all"),
            "neither address nor phone": ("nobody", PASSWORD),
            "not a password": (EMAIL, "\0" * 300),
        },
        "operator": {
            "unknown": ("nobody", PASSWORD),
            "wrong password": ("root", "not it at all"),
            "no password yet": ("new", PASSWORD),
            "disabled": ("gone", PASSWORD),
        },
    }


def test_every_refusal_is_the_same_answer_after_the_same_work(house, office, refusals, monkeypatch):
    done: list[str] = []
    database = house.platform.database
    for engine in (database.app, database.ops):
        event.listen(engine, "before_cursor_execute", lambda _c, _cursor, sql, *_: done.append(sql))
    verify = passwords._verify
    monkeypatch.setattr(passwords, "_verify", lambda *given: done.append("argon2") or verify(*given))
    for kind, where in (("staff", house), ("operator", office)):
        answers = {}
        for number, (name, (login, password)) in enumerate(refusals[kind].items()):
            done.clear()
            with pytest.raises(SignInRefused) as refused:
                where.sign_in(login, password, address=f"198.51.100.{number}")
            answers[name] = (str(refused.value), tuple(done))
        assert len(set(answers.values())) == 1, answers
        assert next(iter(answers.values()))[1].count("argon2") == 1


@pytest.mark.alone
def test_every_refusal_takes_about_the_same_time(house, refusals, monkeypatch):
    heavy = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", heavy)
    passwords._nobodys.cache_clear()
    passwords.check(PASSWORD, None)
    with house.scope() as scope:
        hashed = heavy.hash(PASSWORD)
        scope.run(
            text("""
                UPDATE core.staff SET password_hash = :hash WHERE tenant_id = :tenant AND password_hash IS NOT NULL
            """),
            hash=hashed,
        )
    best: dict[str, float] = {}
    for _ in range(4):
        with house.platform.database.ops.begin() as ops:
            ops.execute(text("DELETE FROM core.sign_in_failure"))
        for name, (login, password) in refusals["staff"].items():
            started = time.perf_counter()
            with pytest.raises(SignInRefused):
                house.sign_in(login, password, address=name)
            best[name] = min(best.get(name, 60), time.perf_counter() - started)
    assert max(best.values()) < 2.5 * min(best.values()), best


def test_after_a_few_wrong_passwords_even_the_right_one_waits(house):
    for _ in range(5):
        with pytest.raises(SignInRefused):
            house.sign_in(password="not it at all")
    with pytest.raises(TooManyAttempts) as waiting:
        house.sign_in()
    assert waiting.value.seconds == 15
    with house.platform.database.ops.begin() as ops:
        ops.execute(text("UPDATE core.sign_in_failure SET last_at = last_at - interval '16 seconds'"))
    house.sign_in()
    for _ in range(5):
        house.sign_in()


def test_many_guesses_at_once_check_five_passwords(house, monkeypatch):
    checked: list[int] = []
    monkeypatch.setattr(passwords, "_verify", lambda *_: bool(checked.append(1)))

    def guess(number: int) -> type[Exception]:
        with pytest.raises((SignInRefused, TooManyAttempts)) as refused:
            house.sign_in(password=f"guess number {number}", address=f"198.51.100.{number}")
        return refused.type

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(guess, range(40)))
    assert answers.count(SignInRefused) == len(checked)
    assert 5 <= len(checked) <= 6


def test_an_unknown_account_is_slowed_like_any_other(house):
    answers = []
    for login in (EMAIL, "nobody@example.com"):
        for _ in range(6):
            with pytest.raises((SignInRefused, TooManyAttempts)) as refused:
                house.sign_in(login, "not it at all", address="198.51.100.7")
            answers.append((refused.type, str(refused.value)))
    assert answers[:6] == answers[6:]
    assert answers[5][0] is TooManyAttempts


def test_an_old_hash_is_made_anew_when_its_password_comes_by(house):
    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    stored = text("SELECT password_hash FROM core.staff WHERE tenant_id = :tenant")
    with house.scope() as scope:
        scope.run(text("UPDATE core.staff SET password_hash = :hash WHERE tenant_id = :tenant"), hash=weak)
    with pytest.raises(SignInRefused):
        house.sign_in(password="not it at all")
    with house.scope() as scope:
        assert scope.run(stored)[0][0] == weak
    house.sign_in()
    with house.scope() as scope:
        assert not passwords.is_outdated(scope.run(stored)[0][0])
    house.sign_in()


@pytest.mark.parametrize("change", ["disabled", "new password"])
def test_what_changes_while_a_password_is_checked_decides(house, monkeypatch, change):
    house.add("Bob", "owner", email="bob@example.com")
    check = passwords.check

    def slowly(password, stored):
        good = check(password, stored)
        with house.scope() as scope:
            if change == "disabled":
                staff.disable(scope, 1, by="staff:2")
            else:
                token = links.make_staff_link(scope, house.platform.keyring, 1, "staff:2")
                links.redeem(scope, house.platform.keyring, token, NEW)
        return good

    monkeypatch.setattr(signin.passwords, "check", slowly)
    with pytest.raises(SignInRefused):
        house.sign_in()
    with house.scope() as scope:
        assert scope.run(text("SELECT FROM core.staff_session WHERE tenant_id = :tenant")) == []


def test_no_login_and_no_password_is_more_than_refused(house, office):
    logins = ["", " ", "\0", "\ud800", "a\0@example.com", "\ud800@example.com", "@", "x" * 1_000_000,
              "@" * 100_000, "1" * 100_000, "+" * 5000, "NaN", str(1 << 63), "'; DROP TABLE core.staff; --",
              "ann@example.com\n", "ａｎｎ@example.com", "%", "_", "{value}", ":tenant"]  # fmt: skip
    odd = ["", "\0" * 20, "\ud800" * 20, "x" * 5_000_000, "宽" * 300, PASSWORD + "\0", PASSWORD.upper()]
    for number, (login, password) in enumerate(
        [*((one, PASSWORD) for one in logins), *((EMAIL, one) for one in odd)]
    ):
        for where in (house, office):
            if login.strip() == EMAIL and password == PASSWORD:
                continue
            with pytest.raises((SignInRefused, TooManyAttempts)):
                where.sign_in(login, password, address=f"2001:db8:0:{number}::1")
    with house.scope() as scope:
        assert scope.run(text("SELECT FROM core.staff_session WHERE tenant_id = :tenant")) == []
