"""Which passwords are good enough, and that checking one costs the same whatever the answer."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from argon2 import PasswordHasher, extract_parameters

from threepeat.tenancy.errors import Invalid
from threepeat_tenants.accounts import passwords
from threepeat_tenants.accounts.throttle import TooManyAttempts

GOOD = "seven grey herons"
ODD_PASSWORDS = ["", "\0" * 20, "a\0bcdefghijk", "\ud800" * 20, "x" * 257, "x" * 5_000_000, "宽" * 300, "ﷺ" * 256]


def test_a_hash_is_argon2id_with_at_least_owasps_parameters():
    found = extract_parameters(passwords.make_hash(GOOD))
    assert found.type.name == "ID"
    assert (found.memory_cost >= 19 * 1024, found.time_cost >= 2, found.parallelism) == (True, True, 1)


def test_a_password_opens_its_own_hash_only():
    stored = passwords.make_hash(GOOD)
    assert passwords.check(GOOD, stored)
    assert not passwords.check(GOOD + " ", stored)
    assert not passwords.check(GOOD, None)
    assert not passwords.check(GOOD, "no hash")
    assert stored != passwords.make_hash(GOOD)


def test_full_width_characters_of_another_keyboard_are_the_same_password():
    assert passwords.check("ｓｅｖｅｎ ｇｒｅｙ ｈｅｒｏｎｓ", passwords.make_hash(GOOD))


def test_nobodys_hash_opens_to_nothing():
    for guess in ("", "nobody's", passwords._nobodys()):
        assert not passwords.check(guess, None)


def test_a_hash_of_weaker_parameters_is_outdated_and_still_checks():
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(GOOD)
    assert passwords.check(GOOD, weak)
    assert passwords.is_outdated(weak)
    assert not passwords.is_outdated(passwords.make_hash(GOOD))


@pytest.mark.parametrize("odd", ODD_PASSWORDS, ids=range(len(ODD_PASSWORDS)))
def test_odd_passwords_are_refused_and_check_as_wrong(odd):
    with pytest.raises(Invalid) as refused:
        passwords.require_good(odd)
    assert refused.value.field == "password"
    assert not passwords.check(odd, passwords.make_hash(GOOD))


@pytest.mark.parametrize(
    "weak",
    [
        "password12", "P@ssw0rd2024", "passw0rd!!", "qwertyuiop", "QWERTYUIOP1", "1qaz2wsx3edc", "abcdefghij",
        "jihgfedcba9", "aaaaaaaaaa", "abcabcabcabc", "abcde12345abcde12345", "13800138000", "20260102030405",
        "woaini1314", "Woaini520!!", "admin12345", "welcome2026", "iloveyou1234", "letmein2026!", "wechat8888",
        "zxcvbnm,./123", "asdfghjkl123", "threepeat1", "我爱你我爱你我爱你我爱你", "   \u3000       ",
        "Changeme1!", "!@#$%^&*()_+", "qazwsxedc123", "Summer2026!",
    ],
)  # fmt: skip
def test_what_is_tried_first_is_refused(weak):
    with pytest.raises(Invalid) as refused:
        passwords.require_good(weak, "bob@example.com", "Bob")
    assert refused.value.field == "password"


@pytest.mark.parametrize(
    "good",
    [
        GOOD, "correct horse battery staple", "Teal-Umbrella-Ninth", "mx7$Kp2!vQ9z", "我的窗台有三盆绿萝和薄荷",
        "f" + "oxglove" * 9,        "bring the admin some tea", "k3tt1e-c0pper-wind",
    ],
)  # fmt: skip
def test_other_passwords_are_taken(good):
    passwords.require_good(good, "ann@example.com", "Ann", "Tea House")


def test_what_is_short_is_refused_and_what_is_long_is_not_cut():
    with pytest.raises(Invalid, match="at least 10"):
        passwords.require_good("mx7$Kp2!v")
    passwords.require_good("mx7$Kp2!vQ")
    long = "seven grey herons and" + " many more reeds" * 14
    passwords.require_good(long)
    stored = passwords.make_hash(long)
    assert passwords.check(long, stored)
    assert not passwords.check(long[:-1], stored)
    assert not passwords.check(long.upper(), stored)


@pytest.mark.parametrize("about", ["heronsgate@example.com", "Herons Gate", "heronsgate"])
def test_a_password_made_of_what_is_known_of_the_person_is_refused(about):
    with pytest.raises(Invalid, match="your name"):
        passwords.require_good("HeronsGate26", about)
    passwords.require_good("HeronsGate26", "ann@example.com")


def test_a_hostile_name_beside_a_password_hurts_nobody():
    started = time.perf_counter()
    passwords.require_good(GOOD, "", "\0", "\ud800", "[(*" * 1000, "a" * 1_000_000)
    assert time.perf_counter() - started < 1


def many(password: str, stored: str | None, count: int = 50) -> float:
    """Check so many at once; returns by how many MiB the process grew at most."""
    process, peaks, over = psutil.Process(), [], threading.Event()
    before = process.memory_info().rss

    def watch():
        while not over.is_set():
            peaks.append(process.memory_info().rss)
            over.wait(0.002)

    watching = threading.Thread(target=watch)
    with ThreadPoolExecutor(count) as pool:
        watching.start()
        assert not any(pool.map(lambda _: passwords.check(password, stored), range(count)))
        over.set()
    watching.join()
    return (max(peaks) - before) / 2**20


@pytest.fixture
def threads(monkeypatch):
    """Replaces the threads that hash: `threads(50)`."""
    made = []

    def replace(count: int) -> ThreadPoolExecutor:
        made.append(ThreadPoolExecutor(count))
        monkeypatch.setattr(passwords, "_threads", lambda: made[-1])
        return made[-1]

    yield replace
    for one in made:
        one.shutdown()


def test_fifty_sign_ins_at_once_take_the_memory_of_two(threads):
    stored = passwords.make_hash(GOOD)
    assert many("a wrong password", stored) < 100
    threads(30)
    assert many("a wrong password", stored, 30) > 150


def test_who_waits_too_long_is_told_to_come_back_and_costs_nothing_more(threads, monkeypatch):
    monkeypatch.setattr(passwords, "WAIT_SECONDS", 0.01)
    blocked, done = threading.Event(), []
    pool = threads(1)
    pool.submit(blocked.wait)
    monkeypatch.setattr(passwords, "_verify", lambda *_: done.append(1))
    with pytest.raises(TooManyAttempts):
        passwords.check(GOOD, None)
    blocked.set()
    pool.submit(int).result()
    assert not done
