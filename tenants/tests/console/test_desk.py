"""Who is let in, and who is not."""

import httpx2
import pytest
from sqlalchemy import text

from threepeat_tenants.console import origin

from .conftest import CALLS

AGE = text("""
    UPDATE core.staff_session SET seen_at = transaction_timestamp() - interval '20 minutes'
    WHERE tenant_id = :tenant AND id = :session
""")
IS_SEEN = text("""
    SELECT seen_at > transaction_timestamp() - interval '5 minutes' FROM core.staff_session
    WHERE tenant_id = :tenant AND id = :session
""")


def test_everybody_reads_and_each_role_does_what_it_may(consoles):
    for role, may in (("analyst", ()), ("operator", ("write",)), ("owner", ("write", "own"))):
        browser = consoles.staff(role=role)
        assert browser.get("/store/tea/toy/read").status_code == 200
        for what in ("write", "own"):
            CALLS.clear()
            for answer in (browser.get(f"/store/tea/toy/{what}"), browser.post(f"/store/tea/toy/{what}")):
                assert answer.status_code == (200 if what in may else 403)
            assert ([what, what] if what in may else []) == CALLS


@pytest.mark.parametrize(
    ("sent", "headers"),
    [
        ("none", {}),
        ("another session's", {}),
        ("nonsense", {}),
        ("own", {"Origin": "https://evil.example"}),
        ("own", {"Origin": "null"}),
        ("own", {"Origin": "", "Sec-Fetch-Site": None}),
        ("own", {"Sec-Fetch-Site": "cross-site"}),
        ("own", {"Sec-Fetch-Site": "same-site"}),
        ("own", {"Sec-Fetch-Site": "none"}),
        ("own", {"Sec-Fetch-Site": None}),
    ],
)
def test_what_another_site_sends_does_nothing(consoles, sent, headers):
    browser = consoles.staff()
    tokens = {
        "none": {},
        "another session's": {"csrf": origin.mask(consoles.staff().session.csrf)},
        "nonsense": {"csrf": "é" * 64},
        "own": {"csrf": origin.mask(browser.session.csrf)},
    }
    answer = browser.post("/store/tea/toy/write", tokens[sent], csrf=False, **headers)
    assert answer.status_code == 403
    assert "does not come from our own page" in answer.text
    assert CALLS == []


def test_what_a_page_asks_by_itself_is_nobodys_doing(consoles):
    def seen(browser, **headers):
        with consoles.platform.database.tenant(consoles.tea.id) as scope:
            scope.run(AGE, session=browser.session.id)
        assert browser.get("/store/tea/toy/read", **headers).status_code == 200
        with consoles.platform.database.tenant(consoles.tea.id) as scope:
            return scope.run(IS_SEEN, session=browser.session.id)[0][0]

    browser = consoles.staff()
    assert not seen(browser, **{"Threepeat-Unattended": "1"})
    assert seen(browser)


def test_what_our_own_page_sends_is_done(consoles):
    browser = consoles.staff()
    host = str(consoles.http.base_url).rstrip("/")
    for headers in ({}, {"Origin": host}, {"Origin": host, "Sec-Fetch-Site": None}):
        assert browser.post("/store/tea/toy/write", {"a": "1"}, **headers).status_code == 200
    token = {"X-CSRF-Token": origin.mask(browser.session.csrf)}
    assert browser.post("/store/tea/toy/write", csrf=False, **token).status_code == 200
    assert CALLS == ["write"] * 4


def test_a_token_looks_different_each_time_and_is_the_same():
    masked = {origin.mask("a" * 64) for _ in range(20)}
    assert len(masked) == 20
    assert {origin.unmask(one) for one in masked} == {b"a" * 64}
    assert origin.unmask("") == origin.unmask("?") == b""


def test_staff_of_one_store_is_a_stranger_at_another(consoles):
    browser = consoles.staff(consoles.tea)
    assert browser.get("/store/tea/account").status_code == 200
    for path in ("/store/coffee/account", "/store/coffee", "/store/nowhere/account"):
        answer = browser.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"/store/{path.split('/')[2]}/sign-in")
    assert browser.post("/store/coffee/toy/write").status_code == 303
    operator = consoles.operator()
    for wrong in (browser, consoles.guest()):
        assert wrong.get("/operator/account").headers["location"].startswith("/operator/sign-in")
    # A cookie of the other kind, under either name.
    operator.cookies["__Host-threepeat-staff"] = operator.cookies["__Host-threepeat-operator"]
    assert operator.get("/store/tea/account").status_code == 303
    browser.cookies["__Host-threepeat-operator"] = browser.cookies["__Host-threepeat-staff"]
    assert browser.get("/operator/account").status_code == 303
    assert CALLS == []


@pytest.mark.parametrize("cookie", ["", "x", "1.2.3", f"{1 << 63}.{'0' * 16}.{'A' * 43}", "%00", "1" * 5000, '"'])
def test_a_cookie_that_is_none_leads_to_sign_in(consoles, cookie):
    browser = consoles.guest()
    browser.cookies = {"__Host-threepeat-staff": cookie, "__Host-threepeat-operator": cookie}
    assert browser.get("/store/tea/account").status_code == 303
    assert browser.get("/operator/account").status_code == 303


def test_a_suspended_store_says_why_and_lets_people_out(consoles):
    browser = consoles.staff(consoles.coffee)
    suspend = text("UPDATE core.tenant SET suspended_at = now(), suspended_reason = '<i>late</i>' WHERE id = :id")
    lift = text("UPDATE core.tenant SET suspended_at = NULL, suspended_reason = NULL WHERE id = :id")
    database = consoles.platform.database
    with database.ops.begin() as ops:
        ops.execute(suspend, {"id": consoles.coffee.id})
    try:
        answer = browser.get("/store/coffee/toy/write")
        assert answer.status_code == 403
        assert "&lt;i&gt;late&lt;/i&gt;" in answer.text
        assert browser.post("/store/coffee/toy/write").status_code == 403
        assert browser.get("/store/coffee/toy/after").status_code == 403
        assert CALLS == []
        assert browser.post("/store/coffee/sign-out").status_code == 303
    finally:
        with database.ops.begin() as ops:
            ops.execute(lift, {"id": consoles.coffee.id})


def test_a_deadlock_is_tried_once_more(consoles):
    assert consoles.staff().post("/store/tea/toy/deadlock").status_code == 200
    assert CALLS == ["deadlock", "deadlock"]


def test_work_after_the_transaction_finds_it_closed(consoles):
    assert consoles.staff().get("/store/tea/toy/after").text == "True"


def test_an_operator_opens_transactions_with_an_end(consoles):
    assert consoles.operator().get("/operator/toy").text == "5s True"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"csrf=x&a=%00", "a"),
        (b"a=1&name=%ed%a0%80", "name"),
        (b"b=%ff", "b"),
        (b"%00=1", "name is not text"),
        (b"&".join([b"a=1"] * 10_001), "too many fields"),
    ],
)
def test_a_form_that_is_no_text_is_refused_and_the_field_named(consoles, body, says):
    browser = consoles.staff()
    answer = _raw(browser, body, "application/x-www-form-urlencoded")
    assert answer.status_code == 422
    assert says in answer.text
    assert CALLS == []


def test_other_forms_are_refused(consoles):
    browser = consoles.staff()
    for kind in ("multipart/form-data; boundary=x", "application/json", "text/plain"):
        assert _raw(browser, b"a=1", kind).status_code == 422
    assert _raw(browser, b"a=" + b"x" * 1_100_000, "application/x-www-form-urlencoded").status_code == 413
    assert CALLS == []


def test_a_form_keeps_its_order_and_its_repeated_names(consoles):
    browser = consoles.staff()
    body = f"csrf={origin.mask(browser.session.csrf)}&a=1&b=2&a=%E8%8C%B6+%2B".encode()
    assert _raw(browser, body, "application/x-www-form-urlencoded").text.endswith("['1', '茶 +']")


def _raw(browser, body: bytes, kind: str) -> httpx2.Response:
    cookie = f"__Host-threepeat-staff={browser.cookies['__Host-threepeat-staff']}"
    headers = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin", "Content-Type": kind}
    return browser.http.post("/store/tea/toy/write", content=body, headers=headers)
