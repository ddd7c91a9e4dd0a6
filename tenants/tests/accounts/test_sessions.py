"""Sessions: opened, read, aged, listed, taken away; never another store's."""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import text

from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts import operator_keys, sessions, staff
from threepeat_tenants.accounts.signin import change_operator_password, change_staff_password
from threepeat_tenants.accounts.throttle import TooManyAttempts

NEW = "nine slow barges"


def read(house, cookie: str, keyring: Keyring | None = None) -> sessions.Session:
    with house.scope() as scope:
        return sessions.read_staff(scope, keyring or house.platform.keyring, cookie)


def count(house, table: str = "staff_session") -> int:
    with house.platform.database.ops.begin() as ops:
        return ops.execute(text(f"SELECT count(*) FROM core.{table}")).scalar_one()


def test_a_session_is_opened_and_read(house):
    cookie, opened = house.sign_in()
    assert cookie.startswith(f"{house.tenant.id}.{opened.id}.")
    found = read(house, cookie)
    assert found == opened
    assert (found.person.by, found.person.name, found.person.role, found.agent) == (
        "staff:1",
        "Ann",
        "owner",
        "test",
    )
    assert found.expires_at - found.created_at == timedelta(hours=12)
    assert sessions.parse(cookie).tenant_id == house.tenant.id


def test_nothing_that_is_stored_opens_a_session(house):
    cookie, opened = house.sign_in()
    secret = sessions.parse(cookie).secret
    with house.scope() as scope:
        rows = str(scope.run(text("SELECT t::text FROM core.staff_session t WHERE tenant_id = :tenant")))
        stored = scope.run(text("SELECT secret_hash FROM core.staff_session WHERE tenant_id = :tenant"))[0][0]
    assert opened.id in rows
    assert secret not in rows
    assert opened.csrf not in rows
    assert opened.csrf != secret
    for guess in (
        bytes(stored).hex()[:43],
        opened.csrf[:43],
        "A" * 43,
        secret[:-1] + ("A" if secret[-1] != "A" else "B"),
    ):
        with pytest.raises(Denied):
            read(house, f"{house.tenant.id}.{opened.id}.{guess}")


def test_each_session_has_a_token_of_its_own(house):
    (_, one), (_, other) = house.sign_in(), house.sign_in()
    assert one.csrf != other.csrf
    assert one.id != other.id


def test_a_session_ends_after_half_an_hour_without_a_request(house):
    cookie, _ = house.sign_in()
    for _ in range(3):
        house.age("staff_session", timedelta(minutes=29))
        read(house, cookie)
    house.age("staff_session", timedelta(minutes=31))
    with pytest.raises(Denied):
        read(house, cookie)


def test_a_page_that_asks_by_itself_keeps_no_session_open(house):
    cookie, _ = house.sign_in()
    house.age("staff_session", timedelta(minutes=29))
    for _ in range(3):
        with house.scope() as scope:
            sessions.read_staff(scope, house.platform.keyring, cookie, seen=False)
    house.age("staff_session", timedelta(minutes=2))
    with pytest.raises(Denied):
        read(house, cookie)


def test_a_session_ends_after_twelve_hours_in_any_case(house):
    cookie, _ = house.sign_in()
    for _ in range(25):
        house.age("staff_session", timedelta(minutes=28, seconds=45))
        read(house, cookie)
    house.age("staff_session", timedelta(minutes=2))
    with pytest.raises(Denied):
        read(house, cookie)


def test_when_it_was_seen_is_written_once_a_minute(house):
    cookie, opened = house.sign_in()
    house.age("staff_session", timedelta(seconds=50))
    before = read(house, cookie).seen_at
    assert read(house, cookie).seen_at == before < opened.seen_at
    house.age("staff_session", timedelta(seconds=15))
    read(house, cookie)
    assert read(house, cookie).seen_at > opened.seen_at


def test_two_requests_of_a_session_do_not_wait_for_each_other(house):
    cookie, _ = house.sign_in()
    house.age("staff_session", timedelta(minutes=5))
    with house.scope() as scope:
        sessions.read_staff(scope, house.platform.keyring, cookie)
        for write in scope.before_commit:
            write()
        scope.before_commit.clear()
        other = threading.Thread(target=read, args=(house, cookie))
        other.start()
        other.join(5)
        assert not other.is_alive()


def test_a_session_is_ended_by_its_person_and_by_nobody_elses(house):
    bob = house.add("Bob", "owner", email="bob@example.com", password=NEW)
    cookie, session = house.sign_in()
    with house.scope() as scope:
        with pytest.raises(NotFound):
            sessions.end_staff(scope, session.id, by=f"staff:{bob.id}", staff_id=bob.id)
        sessions.read_staff(scope, house.platform.keyring, cookie)
        sessions.end_staff(scope, session.id, by="staff:1", staff_id=1)
        with pytest.raises(Denied):
            sessions.read_staff(scope, house.platform.keyring, cookie)
        for odd in (session.id, "", "\0", "x" * 100_000, "\ud800"):
            with pytest.raises(NotFound):
                sessions.end_staff(scope, odd)
    assert ("staff:1", "staff.session_ended", "staff:1") in house.trail()


def test_the_other_sessions_of_a_person_are_listed_and_ended(house):
    house.add("Bob", "owner", email="bob@example.com", password=NEW)
    bobs, _ = house.sign_in("bob@example.com", NEW)
    (first, _), (second, session) = house.sign_in(), house.sign_in()
    with house.scope() as scope:
        listed = sessions.list_staff(scope, session.person.id)
        assert [one.id for one in listed] == [session.id, sessions.parse(first).id]
        assert {one.csrf for one in listed} == {""}
        assert sessions.end_other_staff(scope, session) == 1
        assert sessions.end_other_staff(scope, session) == 0
    read(house, second)
    read(house, bobs)
    with pytest.raises(Denied):
        read(house, first)


def test_a_stores_cookie_opens_no_other_store(house, other_house):
    cookie, session = house.sign_in()
    other_cookie, _ = other_house.sign_in(password="nine slow barges")
    _, rest = cookie.split(".", 1)
    for foreign in (cookie, f"{other_house.tenant.id}.{rest}", f"o.{rest}"):
        with pytest.raises(Denied):
            read(other_house, foreign)
        with house.platform.database.ops.begin() as ops, pytest.raises(Denied):
            sessions.read_operator(ops, house.platform.keyring, foreign)
    with other_house.scope() as scope:
        with pytest.raises(NotFound):
            sessions.end_staff(scope, session.id)
        assert sessions.list_staff(scope, session.person.id) == []
    assert read(other_house, other_cookie).person.id != read(house, cookie).person.id


def test_a_row_that_is_moved_to_another_store_proves_nothing_there(house, other_house):
    cookie, session = house.sign_in()
    move = text("""
        INSERT INTO core.staff_session (tenant_id, id, staff_id, secret_hash, created_at, seen_at, expires_at)
        SELECT :to, r.id, p.id, r.secret_hash, r.created_at, r.seen_at, r.expires_at
        FROM core.staff_session r, core.staff p WHERE r.tenant_id = :from AND p.tenant_id = :to
    """)
    with house.platform.database.ops.begin() as ops:
        assert ops.execute(move, {"from": house.tenant.id, "to": other_house.tenant.id}).rowcount == 1
    with other_house.scope() as scope:
        assert [one.id for one in sessions.list_staff(scope, 2)] == [session.id]
    with pytest.raises(Denied):
        read(other_house, f"{other_house.tenant.id}.{cookie.split('.', 1)[1]}")


def test_a_session_is_proved_under_an_older_key_and_not_under_a_foreign_one(house):
    cookie, opened = house.sign_in()
    rotated = Keyring({"new": b"n" * 32, **house.platform.keyring.keys})
    assert read(house, cookie, rotated).csrf == opened.csrf
    with pytest.raises(Denied):
        read(house, cookie, Keyring({"new": b"n" * 32}))


def test_a_new_password_ends_every_session_and_opens_one(house):
    (stolen, _), (cookie, session) = house.sign_in(), house.sign_in()
    platform, tenant = house.platform, house.tenant
    change = lambda old, new: change_staff_password(platform, tenant, session, old, new, address="192.0.2.1")  # noqa: E731
    with pytest.raises(Invalid) as refused:
        change("not it at all", NEW)
    assert refused.value.field == "current"
    with pytest.raises(Invalid) as refused:
        change("seven grey herons", "password12")
    assert refused.value.field == "password"
    fresh, opened = change("seven grey herons", NEW)
    for old in (stolen, cookie):
        with pytest.raises(Denied):
            read(house, old)
    assert read(house, fresh) == opened
    house.sign_in(password=NEW)
    for _ in range(5):
        with pytest.raises(Invalid):
            change_staff_password(platform, tenant, opened, "not it", "eight red kites", address="192.0.2.1")
    with pytest.raises(TooManyAttempts):
        change_staff_password(platform, tenant, opened, NEW, "eight red kites", address="192.0.2.1")


def test_an_operators_session_does_the_same(office):
    office.add("root", password="seven grey herons")
    office.add("maria", password="seven grey herons")
    cookie, opened = office.sign_in("root")
    other, second = office.sign_in("root")
    keyring = office.platform.keyring
    with office.ops() as ops:
        assert sessions.read_operator(ops, keyring, cookie) == opened
        assert (opened.person.by, opened.person.role, cookie[:2]) == ("operator:1", None, "o.")
        assert [one.id for one in sessions.list_operator(ops, 1)] == [second.id, opened.id]
        with pytest.raises(NotFound):
            sessions.end_operator(ops, opened.id, operator_id=2)
        assert sessions.end_other_operator(ops, opened) == 1
        with pytest.raises(Denied):
            sessions.read_operator(ops, keyring, other)
        sessions.end_operator(ops, opened.id, by="operator:1", operator_id=1)
        with pytest.raises(Denied):
            sessions.read_operator(ops, keyring, cookie)
    cookie, session = office.sign_in("root")
    fresh, _ = change_operator_password(office.platform, session, "seven grey herons", NEW, address="192.0.2.1")
    with office.ops() as ops:
        with pytest.raises(Denied):
            sessions.read_operator(ops, keyring, cookie)
        sessions.read_operator(ops, keyring, fresh)
        ops.execute(text("UPDATE core.operator_session SET seen_at = seen_at - interval '31 minutes'"))
        with pytest.raises(Denied):
            sessions.read_operator(ops, keyring, fresh)


def test_what_is_over_goes_when_the_next_session_opens(house):
    assert count(house, "staff_link") == 1
    house.sign_in()
    assert count(house, "staff_link") == 0
    house.age("staff_session", timedelta(minutes=31))
    house.sign_in()
    assert count(house) == 1


def test_no_value_of_a_cookie_or_a_key_is_more_than_denied(house, office):
    cookie, _ = house.sign_in()
    tenant, key, secret = cookie.split(".")
    odd = [
        "", ".", "..", "\0", "\ud800", "o", "o..", "x" * 1_000_000, cookie + "\n", cookie + ".", " " + cookie,
        f"0.{key}.{secret}", f"-1.{key}.{secret}", f"{1 << 63}.{key}.{secret}", f"{10**18 * 9}.{key}.{secret}",
        f"{'9' * 5000}.{key}.{secret}", f"１.{key}.{secret}", f"{tenant}.{key.upper()}.{secret}",
        f"{tenant}.{'0' * 16}.{secret}", f"{tenant}.{key}.{'宽' * 43}", f"{tenant}.{key}.",
        f"{tenant}.';--.{secret}",
        f"NaN.{key}.{secret}", f"o.{key}.{secret}", f"tp_op_{'0' * 12}_{secret}", f"tp_op_{'0' * 12}_{secret}\n",
    ]  # fmt: skip
    keyring = house.platform.keyring
    with house.scope() as scope, office.ops() as ops:
        for value in odd:
            for act in (
                lambda value: sessions.read_staff(scope, keyring, value),
                lambda value: sessions.read_operator(ops, keyring, value),
                lambda value: operator_keys.check(ops, keyring, value),
            ):
                with pytest.raises(Denied):
                    act(value)
        sessions.read_staff(scope, keyring, cookie)


def test_what_a_browser_calls_itself_is_stored_as_plain_text(house):
    with house.scope() as scope:
        (ann,) = staff.everyone(scope)
        for agent, stored in (("a\0\ud800\r\nb" + "x" * 1_000_000, 300), ("", 0), (None, 0), ("浏览器", 3)):
            _, session = sessions.open_staff(scope, house.platform.keyring, ann.id, agent)
            assert len(session.agent or "") == stored
