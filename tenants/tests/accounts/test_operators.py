"""Operators, and the keys of their programs."""

import threading

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts import operator_keys, operators, sessions


def enabled(office) -> int:
    with office.ops() as ops:
        return sum(one.disabled_at is None for one in operators.everyone(ops))


def test_nobody_is_there_to_begin_with(office):
    with office.ops() as ops:
        assert operators.everyone(ops) == []
        assert operator_keys.everything(ops) == []


def test_an_operator_is_added_found_and_listed(office):
    made = office.add(" Root ")
    assert (made.login, made.has_password, made.created_by) == ("root", False, "operator")
    office.add("maria@example.com")
    with office.ops() as ops:
        assert operators.find(ops, made.id) == operators.by_login(ops, "ROOT") == made
        assert [one.login for one in operators.everyone(ops)] == ["maria@example.com", "root"]
        operators.set_locale(ops, made.id, "zh-CN")
        assert operators.find(ops, made.id).locale == "zh-CN"
        with pytest.raises(Invalid):
            operators.set_locale(ops, made.id, "xx")
        for number in (0, 99, 1 << 63):
            for act in (operators.find, operators.enable, operators.disable):
                with pytest.raises(NotFound):
                    act(ops, number, **({} if act is operators.find else {"by": "operator"}))
    assert ("operator", "operator.added", f"operator:{made.id}") in office.trail()


def test_a_login_that_cannot_be_is_refused(office):
    with office.ops() as ops:
        for login in ("", "x", "-x", "a b", "x" * 101, "a\0b", "\ud800a", "İabc", "ａｂｃ", "a\nb"):
            with pytest.raises(Invalid) as refused:
                operators.add(ops, login=login, name="Root", by="operator")
            assert refused.value.field == "login"


def test_a_login_belongs_to_one_operator(office):
    office.add("root")
    with office.ops() as ops:
        with pytest.raises(Invalid, match="another operator"):
            operators.add(ops, login="ROOT", name="Root", by="operator")
        assert len(operators.everyone(ops)) == 1


def test_the_app_role_never_sees_an_operator(office, platform):
    office.add("root", password="seven grey herons")
    for table in (
        "operator", "operator_session", "operator_link", "operator_key", "operator_audit", "sign_in_failure",
    ):  # fmt: skip
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            platform.database.directory() as connection,
        ):
            connection.execute(text(f"SELECT * FROM core.{table}"))


def test_who_is_disabled_is_signed_out_at_once(office):
    office.add("root", password="seven grey herons")
    office.add("maria", password="seven grey herons")
    cookie, session = office.sign_in("maria")
    with office.ops() as ops:
        operators.disable(ops, session.person.id, by="operator:1")
        with pytest.raises(Denied):
            sessions.read_operator(ops, office.platform.keyring, cookie)
        operators.enable(ops, session.person.id, by="operator:1")
        with pytest.raises(Denied):
            sessions.read_operator(ops, office.platform.keyring, cookie)
    office.sign_in("maria")


def two_operators_turn_on_each_other(office) -> int:
    first, second = office.add("root"), office.add("maria")
    refused = []

    def other():
        try:
            with office.ops() as ops:
                operators.disable(ops, first.id, by="operator:2")
        except Conflict as error:
            refused.append(error.code)

    thread = threading.Thread(target=other)
    with office.ops() as ops:
        operators.disable(ops, second.id, by="operator:1")
        thread.start()
        thread.join(0.3)
    thread.join(10)
    return len(refused)


def test_of_two_operators_who_disable_each_other_one_stays(office):
    assert two_operators_turn_on_each_other(office) == 1
    assert enabled(office) == 1
    with office.ops() as ops:
        last = next(one for one in operators.everyone(ops) if one.disabled_at is None)
        with pytest.raises(Conflict, match="last operator"):
            operators.disable(ops, last.id, by="operator")


def test_without_the_lock_both_would_go(office, monkeypatch):
    unlocked = text(operators.HOLD_ENABLED.text.replace("FOR NO KEY UPDATE", ""))
    monkeypatch.setattr(operators, "HOLD_ENABLED", unlocked)
    assert two_operators_turn_on_each_other(office) == 0
    assert enabled(office) == 0


def test_a_key_works_until_it_is_revoked_and_is_stored_as_a_hash_only(office):
    with office.ops() as ops:
        key = operator_keys.create(ops, office.platform.keyring, "billing", by="operator:1")
        secret = key.split("_", 3)[3]
        assert (key[:6], len(secret)) == ("tp_op_", 43)
        found = operator_keys.check(ops, office.platform.keyring, key)
        assert (found.name, found.by, found.revoked_at) == ("billing", f"operator-key:{found.id}", None)
        assert secret not in str(ops.execute(text("SELECT t::text FROM core.operator_key t")).all())
        with pytest.raises(Denied):
            operator_keys.check(ops, office.platform.keyring, key[:-5] + "AAAAA")
        operator_keys.revoke(ops, found.id, by="operator:1")
        with pytest.raises(Denied):
            operator_keys.check(ops, office.platform.keyring, key)
        with pytest.raises(NotFound):
            operator_keys.revoke(ops, found.id, by="operator:1")
        assert [one.revoked_at is None for one in operator_keys.everything(ops)] == [False]
    assert [entry[1] for entry in office.trail()] == ["key.made", "key.revoked"]


def test_a_key_needs_a_name_and_an_unknown_one_is_not_revoked(office):
    with office.ops() as ops:
        for name in ("", " ", "x" * 101, "a\0"):
            with pytest.raises(Invalid):
                operator_keys.create(ops, office.platform.keyring, name, by="operator:1")
        for key_id in ("", "\0", "x" * 12, "0" * 12, "a" * 100_000, "\ud800"):
            with pytest.raises(NotFound):
                operator_keys.revoke(ops, key_id, by="operator:1")
