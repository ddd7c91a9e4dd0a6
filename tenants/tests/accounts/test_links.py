"""One-time links: used once, by their person, in their store, in time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from threepeat.tenancy.errors import Conflict, Invalid
from threepeat.tenancy.keyring import Keyring, new_line
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts import links, operators, sessions, staff
from threepeat_tenants.accounts.desk import Both
from threepeat_tenants.accounts.opaque import parse

NEW = "nine slow barges"


def make(house, person_id: int) -> str:
    with house.scope() as scope:
        return links.make_staff_link(scope, house.platform.keyring, person_id, "operator:1")


def read(house, token: str) -> links.Link:
    with house.scope() as scope:
        return links.read(scope, house.platform.keyring, token)


def redeem(house, token: str, password: str = NEW):
    with house.scope() as scope:
        return links.redeem(scope, house.platform.keyring, token, password)


def test_a_link_shows_whose_it_is_and_sets_the_password_once(house):
    bob = house.add("Bob", "analyst", email="bob@example.com", phone="13800138000")
    token = make(house, bob.id)
    for _ in range(2):
        link = read(house, token)
        assert (link.person.id, link.person.name, link.person.role, link.first) == (bob.id, "Bob", "analyst", True)
        assert link.logins == ("bob@example.com", "+8613800138000")
    assert redeem(house, token) == link.person
    for again in (read, redeem):
        with pytest.raises(Denied):
            again(house, token)
    house.sign_in("13800138000", NEW)
    actions = [action for _, action, subject in house.trail() if subject == f"staff:{bob.id}"]
    assert actions == ["staff.added", "staff.link_made", "staff.password_set", "staff.signed_in"]


def test_only_a_hash_of_a_link_is_stored(house):
    bob = house.add("Bob", "analyst", email="bob@example.com")
    token = make(house, bob.id)
    with house.scope() as scope:
        rows = str(scope.run(text("SELECT t::text FROM core.staff_link t WHERE tenant_id = :tenant")))
    assert parse(token).id in rows
    assert parse(token).secret not in rows


def test_a_first_link_works_for_two_days_and_a_later_one_for_an_hour(house):
    bob = house.add("Bob", "analyst", email="bob@example.com")
    token = make(house, bob.id)
    house.age("staff_link", timedelta(hours=47, minutes=59))
    redeem(house, token)
    token = make(house, bob.id)
    assert not read(house, token).first
    house.age("staff_link", timedelta(minutes=59))
    read(house, token)
    house.age("staff_link", timedelta(minutes=2))
    for late in (read, redeem):
        with pytest.raises(Denied):
            late(house, token)


def test_a_new_link_voids_the_older_ones_of_its_person_only(house):
    bob, eve = (house.add(name, "analyst", email=f"{name}@example.com") for name in ("bob", "eve"))
    first, eves, second = make(house, bob.id), make(house, eve.id), make(house, bob.id)
    with pytest.raises(Denied):
        redeem(house, first)
    assert read(house, eves).person.id == eve.id
    redeem(house, second)


def test_two_links_made_at_once_leave_one(house):
    bob = house.add("Bob", "analyst", email="bob@example.com")
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: make(house, bob.id), range(8)))
    alive = 0
    for token in made:
        try:
            read(house, token)
            alive += 1
        except Denied:
            pass
    assert alive == 1


def test_a_reset_ends_every_session_of_the_person(house):
    cookie, session = house.sign_in()
    redeem(house, make(house, session.person.id))
    with house.scope() as scope, pytest.raises(Denied):
        sessions.read_staff(scope, house.platform.keyring, cookie)
    house.sign_in(password=NEW)


def test_a_weak_password_is_refused_and_the_link_still_works(house):
    bob = house.add("Robert Heron", "analyst", email="bob@example.com")
    token = make(house, bob.id)
    with house.scope() as scope, pytest.raises(Invalid, match="store's name"):
        links.redeem(scope, house.platform.keyring, token, "TeaHouse2026", "Tea House")
    for weak in ("short", "Password2026", "RobertHeron1", "", "\0" * 20, "\ud800" * 20, "x" * 1_000_000):
        with pytest.raises(Invalid) as refused:
            redeem(house, token, weak)
        assert refused.value.field == "password"
    redeem(house, token)


def rush(house, token: str) -> int:
    """Two redeem a link at once; returns how many did."""
    ready, won = threading.Barrier(2), []

    def one(number: int) -> None:
        ready.wait()
        try:
            redeem(house, token, f"{NEW} {number}")
            won.append(number)
        except Denied:
            pass

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(2)))
    if len(won) == 1:
        house.sign_in("bob@example.com", f"{NEW} {won[0]}")
    return len(won)


def test_of_two_who_redeem_a_link_at_once_one_wins(house):
    bob = house.add("Bob", "analyst", email="bob@example.com")
    assert [rush(house, make(house, bob.id)) for _ in range(3)] == [1, 1, 1]


def test_without_the_condition_both_would_win(house, monkeypatch):
    careless = links.USE.staff.text.replace("AND r.used_at IS NULL AND r.expires_at > transaction_timestamp()", "")
    assert careless != links.USE.staff.text
    monkeypatch.setattr(links, "USE", Both(text(careless), links.USE.operator))
    bob = house.add("Bob", "analyst", email="bob@example.com")
    assert 2 in [rush(house, make(house, bob.id)) for _ in range(5)]


def test_a_link_works_in_its_own_store_only(house, other_house):
    bob = house.add("Bob", "analyst", email="bob@example.com")
    token = make(house, bob.id)
    _, rest = token.split(".", 1)
    for foreign in (token, f"{other_house.tenant.id}.{rest}", f"o.{rest}"):
        for act in (read, redeem):
            with pytest.raises(Denied):
                act(other_house, foreign)
        with house.platform.database.ops.begin() as ops, pytest.raises(Denied):
            links.read(ops, house.platform.keyring, foreign)
    redeem(house, token)


def test_a_link_is_proved_under_an_older_key_and_not_under_a_foreign_one(house):
    bob = house.add("Bob", "analyst", email="bob@example.com")
    token = make(house, bob.id)
    fresh = dict([new_line().strip().split(":")])
    rotated = Keyring({**dict.fromkeys(fresh, b"n" * 32), **house.platform.keyring.keys})
    with house.scope() as scope:
        assert links.read(scope, rotated, token).person.id == bob.id
        with pytest.raises(Denied):
            links.read(scope, Keyring({"other": b"o" * 32}), token)


def test_a_disabled_person_gets_no_link(house, office):
    bob = house.add("Bob", "analyst", email="bob@example.com")
    with house.scope() as scope:
        staff.disable(scope, bob.id, by="staff:1")
        with pytest.raises(Conflict, match="disabled"):
            links.make_staff_link(scope, house.platform.keyring, bob.id, "staff:1")
    office.add("root")
    maria = office.add("maria")
    with office.ops() as ops:
        operators.disable(ops, maria.id, by="operator:1")
        with pytest.raises(Conflict, match="disabled"):
            links.make_operator_link(ops, office.platform.keyring, maria.id, "operator:1")


def test_an_operators_link_is_used_once(office):
    root = office.add("root")
    with office.ops() as ops:
        token = links.make_operator_link(ops, office.platform.keyring, root.id, "operator")
        link = links.read(ops, office.platform.keyring, token)
    assert (token[:2], link.person.by, link.person.role, link.logins) == ("o.", "operator:1", None, ("root",))
    with office.ops() as ops:
        links.redeem(ops, office.platform.keyring, token, NEW)
        with pytest.raises(Denied):
            links.redeem(ops, office.platform.keyring, token, NEW)
    office.sign_in("root", NEW)
    actions = [action for _, action, _ in office.trail()]
    assert actions == ["operator.added", "operator.link_made", "operator.password_set", "operator.signed_in"]
