"""A store's staff: who is in it, as what, and that somebody can always own it."""

import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import text

from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts import links, sessions, staff
from threepeat_tenants.accounts.people import Role


def owners(house) -> int:
    with house.scope() as scope:
        return sum(one.role is Role.OWNER and one.disabled_at is None for one in staff.everyone(scope))


def test_a_person_is_added_found_and_listed(house):
    made = house.add("  Bob  ", "analyst", email=" Bob@Example.COM ", phone="138 0013 8000")
    assert (made.name, made.role, made.email, made.phone) == (
        "Bob",
        "analyst",
        "bob@example.com",
        "+8613800138000",
    )
    assert (made.has_password, made.created_by, made.locale) == (False, "operator:1", None)
    with house.scope() as scope:
        assert staff.find(scope, made.id) == made
        assert staff.by_login(scope, "BOB@example.com") == staff.by_login(scope, "+86 138-0013-8000") == made
        assert [one.name for one in staff.everyone(scope)] == ["Ann", "Bob"]
    assert ("operator:1", "staff.added", f"staff:{made.id}") in house.trail()


def test_the_trail_holds_nobodys_name_address_or_phone(house):
    bob = house.add("Bob", "analyst", phone="13800138000", password="six brown otters")
    with house.scope() as scope:
        staff.change_contact(scope, bob.id, name="Robert", email="bob@example.com", phone=None, by="staff:1")
        staff.change_role(scope, bob.id, "operator", by="staff:1")
        said = str(scope.run(text("SELECT * FROM core.audit WHERE tenant_id = :tenant")))
    assert "staff.contact_changed" in said
    assert not [word for word in ("Bob", "Robert", "example.com", "13800138000", "Ann", "otters") if word in said]


IMPOSSIBLE = [
    ({"name": ""}, "name"),
    ({"name": "   "}, "name"),
    ({"name": "x" * 101}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"name": "a\ud800"}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"role": "root"}, "role"),
    ({"role": ""}, "role"),
    ({"role": "\0"}, "role"),
    ({"email": "nobody"}, "email"),
    ({"email": "a@b"}, "email"),
    ({"email": "a b@example.com"}, "email"),
    ({"email": "a@example.com\nb@example.com"}, "email"),
    ({"email": "a\0@example.com"}, "email"),
    ({"email": "\ud800@example.com"}, "email"),
    ({"email": "İ@example.com"}, "email"),
    ({"email": "a@" + "x" * 300 + ".com"}, "email"),
    ({"email": "a@" + "x." * 100_000 + "com"}, "email"),
    ({"email": None}, "email"),
    ({"email": ""}, "email"),
    ({"phone": "12"}, "phone"),
    ({"phone": "\0"}, "phone"),
    ({"phone": "\ud800"}, "phone"),
    ({"phone": "1" * 1_000_000}, "phone"),
]


def test_a_field_that_cannot_be_is_named(house):
    with house.scope() as scope:
        for given, field in IMPOSSIBLE:
            values = {"name": "Bob", "role": "analyst", "email": "b@example.com", **given}
            with pytest.raises(Invalid) as refused:
                staff.add(scope, by="staff:1", **values)
            assert refused.value.field == field, repr(given)[:60]
        assert len(staff.everyone(scope)) == 1


def test_an_address_and_a_number_belong_to_one_person_of_a_store(house, other_house):
    house.add("Bob", "analyst", phone="13800138000")
    for field, contact in (("email", {"email": "ANN@example.com"}), ("phone", {"phone": "+86 13800138000"})):
        with house.scope() as scope:
            with pytest.raises(Invalid, match="another person") as refused:
                staff.add(scope, name="Eve", role="owner", by="staff:1", **contact)
            assert refused.value.field == field
            third = staff.add(scope, name="Eve", role="analyst", email=f"{field}@example.com", by="staff:1")
            values = {"email": "eve@example.com", "phone": None, **contact}
            with pytest.raises(Invalid, match="another person"):
                staff.change_contact(scope, third.id, name="Eve", by="staff:1", **values)
            assert staff.find(scope, third.id) == third
    other_house.add("Bob", "analyst", phone="13800138000")


def test_a_person_of_another_store_is_not_there(house, other_house):
    stranger = other_house.add("Bob", "analyst", email="bob@example.com")
    with house.scope() as scope:
        for act in (
            lambda: staff.find(scope, stranger.id),
            lambda: staff.by_login(scope, "bob@example.com"),
            lambda: staff.change_role(scope, stranger.id, "owner", by="staff:1"),
            lambda: staff.disable(scope, stranger.id, by="staff:1"),
            lambda: staff.enable(scope, stranger.id, by="staff:1"),
            lambda: staff.set_locale(scope, stranger.id, "en"),
            lambda: staff.change_contact(
                scope, stranger.id, name="Eve", email="e@example.com", phone=None, by="staff:1"
            ),
            lambda: links.make_staff_link(scope, house.platform.keyring, stranger.id, "staff:1"),
        ):
            with pytest.raises(NotFound):
                act()
        with pytest.raises(Denied):
            sessions.open_staff(scope, house.platform.keyring, stranger.id, None)
    with other_house.scope() as scope:
        assert staff.find(scope, stranger.id) == stranger


def test_a_number_that_no_person_has_is_not_found(house):
    with house.scope() as scope:
        for number in (0, -1, 1 << 63, 10**40):
            for act in (
                lambda number: staff.find(scope, number),
                lambda number: staff.disable(scope, number, by="staff:1"),
                lambda number: staff.enable(scope, number, by="staff:1"),
                lambda number: staff.change_role(scope, number, "owner", by="staff:1"),
            ):
                with pytest.raises(NotFound):
                    act(number)


def test_a_language_is_chosen_and_given_back(house):
    with house.scope() as scope:
        (ann,) = staff.everyone(scope)
        staff.set_locale(scope, ann.id, "zh-CN")
        assert staff.find(scope, ann.id).locale == "zh-CN"
        staff.set_locale(scope, ann.id, None)
        assert staff.find(scope, ann.id).locale is None
        staff.set_locale(scope, ann.id, None)
        with pytest.raises(Invalid):
            staff.set_locale(scope, ann.id, "fr")
    assert house.trail().count(("staff:1", "staff.locale_chosen", "staff:1")) == 2


@pytest.mark.parametrize("change", ["lower", "disable"])
def test_who_is_lowered_or_disabled_is_signed_out_at_once(house, change):
    house.add("Bob", "owner", email="bob@example.com", password="six brown otters")
    cookie, session = house.sign_in("bob@example.com", "six brown otters")
    with house.scope() as scope:
        token = links.make_staff_link(scope, house.platform.keyring, session.person.id, "staff:1")
        if change == "lower":
            staff.change_role(scope, session.person.id, "analyst", by="staff:1")
        else:
            staff.disable(scope, session.person.id, by="staff:1")
    with house.scope() as scope:
        with pytest.raises(Denied):
            sessions.read_staff(scope, house.platform.keyring, cookie)
        assert sessions.list_staff(scope, session.person.id) == []
        if change == "disable":
            with pytest.raises(Denied):
                links.read(scope, house.platform.keyring, token)
            staff.enable(scope, session.person.id, by="staff:1")
            with pytest.raises(Denied):
                sessions.read_staff(scope, house.platform.keyring, cookie)
    house.sign_in("bob@example.com", "six brown otters")


def test_the_same_role_again_signs_nobody_out(house):
    cookie, session = house.sign_in()
    with house.scope() as scope:
        staff.change_role(scope, session.person.id, "owner", by="staff:1")
        sessions.read_staff(scope, house.platform.keyring, cookie)
    assert "staff.role_changed" not in [action for _, action, _ in house.trail()]


def test_the_last_owner_stays(house):
    disabled = house.add("Bob", "owner", email="bob@example.com")
    house.add("Eve", "analyst", email="eve@example.com")
    with house.scope() as scope:
        staff.disable(scope, disabled.id, by="staff:1")
        ann = staff.by_login(scope, "ann@example.com")
        for act in (
            lambda: staff.disable(scope, ann.id, by="staff:1"),
            lambda: staff.change_role(scope, ann.id, "analyst", by="staff:1"),
        ):
            with pytest.raises(Conflict, match="last owner") as refused:
                act()
            assert refused.value.code == "last-owner"
        staff.enable(scope, disabled.id, by="staff:1")
        staff.disable(scope, ann.id, by="staff:1")
    assert owners(house) == 1


def two_owners_turn_on_each_other(house) -> list[BaseException]:
    """Each disables the other before either commits; returns what was refused."""
    house.add("Bob", "owner", email="bob@example.com")
    with house.scope() as scope:
        ann, bob = (one.id for one in staff.everyone(scope))
    refused: list[BaseException] = []

    def second():
        try:
            with house.scope() as scope:
                staff.disable(scope, ann, by=f"staff:{bob}")
        except Conflict as error:
            refused.append(error)

    other = threading.Thread(target=second)
    with ExitStack() as stack:
        first = stack.enter_context(house.scope())
        staff.disable(first, bob, by=f"staff:{ann}")
        other.start()
        other.join(0.3)
    other.join(10)
    return refused


def test_of_two_owners_who_disable_each_other_one_stays(house):
    assert len(two_owners_turn_on_each_other(house)) == 1
    assert owners(house) == 1


def test_without_the_lock_both_would_go(house, monkeypatch):
    unlocked = text(staff.HOLD_WITH_OWNERS.text.replace("FOR NO KEY UPDATE", ""))
    monkeypatch.setattr(staff, "HOLD_WITH_OWNERS", unlocked)
    assert two_owners_turn_on_each_other(house) == []
    assert owners(house) == 0
