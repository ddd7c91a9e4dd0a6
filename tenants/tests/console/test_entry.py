"""Signing in and out, one-time links, the language."""

import html
import re

import pytest

from threepeat_tenants.accounts import links, operators, staff

PASSWORD = "plum gate river 9 moss"


@pytest.fixture(scope="module")
def person(served):
    """A browser that is signed in, and its login and password."""
    with served.platform.database.tenant(served.tea.id) as scope:
        made = staff.add(scope, name="Bob", role="owner", email="bob@example.com", phone=None, by="test")
        token = links.make_staff_link(scope, served.platform.keyring, made.id, "test")
        links.redeem(scope, served.platform.keyring, token, PASSWORD)
    return made


def sign_in(browser, **form):
    return browser.post("/store/tea/sign-in", {"login": "bob@example.com", "password": PASSWORD, **form})


def test_the_first_page_leads_to_a_store(consoles):
    guest = consoles.guest()
    assert guest.get("/").status_code == 200
    assert guest.get("/?store=%20Tea%20").headers["location"] == "/store/tea/sign-in"
    for store in ("nowhere", "%00", "<script>", "x" * 5000):
        answer = guest.get(f"/?store={store}")
        assert answer.status_code == 422
        assert "There is no store with this name" in answer.text
        assert "<script>" not in answer.text
    assert guest.get("/store/nowhere/sign-in").status_code == 404


@pytest.mark.usefixtures("person")
def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_never_see(consoles):
    browser = consoles.guest()
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/store/tea/")
    (line,) = answer.headers.get_list("set-cookie")
    assert line.startswith("__Host-threepeat-staff=")
    assert {part.strip().lower() for part in line.split(";")[1:]} == {
        "httponly",
        "path=/",
        "samesite=lax",
        "secure",
    }
    assert browser.get("/store/tea").headers["location"] == "/store/tea/"


@pytest.mark.usefixtures("person")
def test_whoever_signs_in_anew_leaves_no_session_behind(consoles):
    browser, elsewhere = consoles.guest(), consoles.guest()
    sign_in(browser)
    sign_in(elsewhere)
    former = dict(browser.cookies)
    sign_in(browser)
    assert browser.cookies != former
    assert browser.get("/store/tea/account").status_code == 200
    assert elsewhere.get("/store/tea/account").status_code == 200
    again = consoles.guest()
    again.cookies = former
    assert "sign-in" in again.get("/store/tea/account").headers["location"]

    # A cookie that is no session of this browser's ends nobody's.
    name = "__Host-threepeat-staff"
    forged = consoles.guest()
    forged.cookies[name] = elsewhere.cookies[name][:-3] + "AAA"
    sign_in(forged)
    assert elsewhere.get("/store/tea/account").status_code == 200


def test_another_operator_who_signs_in_ends_the_first_ones_session(consoles):
    browser = consoles.operator()
    former = dict(browser.cookies)
    with consoles.platform.database.ops.begin() as ops:
        made = operators.add(ops, login="anew", name="Anew", by="test")
        token = links.make_operator_link(ops, consoles.platform.keyring, made.id, "test")
    browser.session = None
    assert browser.post(f"/welcome/{token}", {"password": PASSWORD}).status_code == 303
    assert browser.get("/operator/account").status_code == 200
    again = consoles.guest()
    again.cookies = former
    assert "sign-in" in again.get("/operator/account").headers["location"]


def test_a_password_is_hidden_can_be_pasted_and_is_kept_by_a_browser(consoles):
    with consoles.platform.database.tenant(consoles.tea.id) as scope:
        token = links.make_staff_link(scope, consoles.platform.keyring, consoles.staff().session.person.id, "test")
    pages = {"/store/tea/sign-in": 1, "/operator/sign-in": 1, f"/welcome/{token}": 1, "/store/tea/account": 2}
    for path, count in pages.items():
        page = (consoles.staff() if path.endswith("account") else consoles.guest()).get(path).text
        fields = [
            one for one in re.findall(r"<input[^>]*>", page) if 'name="password"' in one or 'name="current"' in one
        ]
        assert len(fields) == count, path
        for one in fields:
            assert 'type="password"' in one
            assert re.search(r'autocomplete="(current|new)-password"', one)
            assert int(re.search(r'maxlength="(\d+)"', one)[1]) >= 64
        assert "onpaste" not in page


@pytest.mark.usefixtures("person")
def test_a_wrong_password_says_nothing_about_the_account(consoles):
    browser = consoles.guest()
    answers = [sign_in(browser, password="x"), sign_in(browser, login="nobody@example.com")]
    assert [answer.status_code for answer in answers] == [422, 422]
    told = {re.sub(r'value="[^"]*"', "", answer.text) for answer in answers}
    assert len(told) == 1
    assert "do not fit" in told.pop()
    assert browser.cookies == {}


def test_too_many_attempts_have_to_wait(consoles):
    browser = consoles.guest()
    answers = [sign_in(browser, login="flood@example.com", password="x") for _ in range(8)]
    assert [answer.status_code for answer in answers[:5]] == [422] * 5
    last = answers[-1]
    assert last.status_code == 429
    assert int(last.headers["retry-after"]) >= 1
    assert "Too many attempts" in last.text


@pytest.mark.usefixtures("person")
def test_another_site_signs_nobody_in(consoles):
    browser = consoles.guest()
    for headers in (
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": None},
    ):
        answer = browser.post("/store/tea/sign-in", {"login": "bob@example.com", "password": PASSWORD}, **headers)
        assert answer.status_code == 403
    assert browser.cookies == {}


@pytest.mark.usefixtures("person")
@pytest.mark.parametrize(
    "given",
    [
        "https://evil.example/", "//evil.example/", "/\\evil.example", "\\\\evil.example", "/%09//evil.example\n",
        "javascript:alert(1)", "/store/coffee/account", "/operator/account", "/store/tea/\r\nSet-Cookie: a=b",
        "/\t/evil.example", "", "/store/tea/../../v1/tactics", "x" * 5000, "/v1/tactics",
        "/store/tea/sign-in?next=x", "/store/tea/%2E./x",
    ],
)  # fmt: skip
def test_signing_in_leads_nowhere_else(consoles, given):
    answer = sign_in(consoles.guest(), next=given)
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where == "/store/tea/"


@pytest.mark.usefixtures("person")
def test_signing_in_leads_back_to_the_page_that_was_asked_for(consoles):
    browser = consoles.guest()
    asked = browser.get("/store/tea/account?a=1&b=%E8%8C%B6").headers["location"]
    assert asked == "/store/tea/sign-in?next=%2Fstore%2Ftea%2Faccount%3Fa%3D1%26b%3D%25E8%258C%25B6"
    *_switch, back = re.findall(r'name="next" value="([^"]*)"', browser.get(asked).text)
    back = html.unescape(back)
    assert sign_in(browser, next=back).headers["location"] == "/store/tea/account?a=1&b=%E8%8C%B6"


def test_a_script_that_is_signed_out_is_told_to_load_the_page(consoles):
    answer = consoles.guest().get("/store/tea/toy/read", HX_Request="true")
    assert (answer.status_code, answer.headers["hx-redirect"].partition("?")[0]) == (401, "/store/tea/sign-in")


@pytest.mark.usefixtures("person")
def test_signing_out_ends_the_session(consoles):
    browser = consoles.staff()
    cookie = dict(browser.cookies)
    answer = browser.post("/store/tea/sign-out")
    assert answer.headers["location"] == "/store/tea/sign-in"
    assert answer.headers["clear-site-data"] == '"cache"'
    assert "__Host-threepeat-staff" not in browser.cookies
    assert "You are signed out." in browser.get("/store/tea/sign-in").text
    assert "You are signed out." not in browser.get("/store/tea/sign-in").text
    browser.cookies = cookie
    assert browser.get("/store/tea/account").status_code == 303
    operator = consoles.operator()
    assert operator.post("/operator/sign-out").headers["location"] == "/operator/sign-in"
    assert operator.get("/operator/account").status_code == 303


def test_a_link_is_looked_at_as_often_as_one_likes_and_used_once(consoles):
    with consoles.platform.database.tenant(consoles.coffee.id) as scope:
        made = staff.add(scope, name="<b>Cy</b>", role="owner", email="cy@example.com", phone=None, by="test")
        token = links.make_staff_link(scope, consoles.platform.keyring, made.id, "test")
    browser, path = consoles.guest(), f"/welcome/{token}"
    for _ in range(3):
        answer = browser.get(path)
        assert answer.status_code == 200
        assert "&lt;b&gt;Cy&lt;/b&gt;" in answer.text
        assert "Coffee" in answer.text
    assert browser.post(path, {"password": PASSWORD}, **{"Sec-Fetch-Site": "cross-site"}).status_code == 403
    short = browser.post(path, {"password": "short"})
    assert short.status_code == 422
    assert "at least 10" in short.text
    assert browser.cookies == {}
    answer = browser.post(path, {"password": PASSWORD})
    assert (answer.status_code, answer.headers["location"]) == (303, "/store/coffee")
    assert browser.get("/store/coffee/account").status_code == 200
    assert browser.get("/store/tea/account").status_code == 303
    for again in (browser.get(path), browser.post(path, {"password": PASSWORD})):
        assert again.status_code == 404
        assert "has been used" in again.text


def test_an_operators_link_leads_to_their_console(consoles):
    with consoles.platform.database.ops.begin() as ops:
        made = operators.add(ops, login="newop", name="New", by="test")
        token = links.make_operator_link(ops, consoles.platform.keyring, made.id, "test")
    browser = consoles.guest()
    assert browser.post(f"/welcome/{token}", {"password": PASSWORD}).headers["location"] == "/operator"
    assert browser.get("/operator/account").status_code == 200
    again = consoles.guest().post("/operator/sign-in", {"login": "newop", "password": PASSWORD})
    assert again.headers["location"] == "/operator/"


@pytest.mark.parametrize(
    "token", ["x", "1.2.3", f"o.{'0' * 16}.{'A' * 43}", f"7.{'0' * 16}.{'A' * 43}", "%00", "x" * 5000]
)
def test_something_else_is_no_link(consoles, token):
    assert consoles.guest().get(f"/welcome/{token}").status_code == 404
    assert consoles.guest().post(f"/welcome/{token}", {"password": PASSWORD}).status_code == 404


def test_the_language_is_the_persons_then_the_cookies_then_the_browsers(consoles):
    guest = consoles.guest()
    assert '<html lang="en">' in guest.get("/").text
    for asked in ("zh-CN,zh;q=0.9", "fr, zh;q=0.8, en;q=0.3", "ZH-hans"):
        assert '<html lang="zh-CN">' in guest.get("/", Accept_Language=asked).text
    for asked in ("fr", "zh;q=0, en", ";;;q=x,,", "x" * 5000):
        assert '<html lang="en">' in guest.get("/", Accept_Language=asked).text
    answer = guest.post("/language", {"locale": "zh-CN", "next": "/?store=tea"})
    assert answer.headers["location"] == "/?store=tea"
    assert "哪个店铺" in guest.get("/").text
    assert guest.post("/language", {"locale": "xx"}).status_code == 422
    assert guest.post("/language", {"locale": "en", "next": "//evil.example"}).headers["location"] == "/"
    assert guest.post("/language", {"locale": "en"}, Origin="https://evil.example").status_code == 403

    browser = consoles.staff()
    cookie = dict(browser.cookies)
    browser.post("/store/tea/language", {"locale": "zh-CN", "next": "/store/tea/account"})
    browser.cookies = cookie
    assert "密码" in browser.get("/store/tea/account").text
    operator = consoles.operator()
    operator.post("/operator/language", {"locale": "zh-CN"})
    assert "密码" in operator.get("/operator/account").text


def test_an_account_ends_its_sessions_and_nobody_elses(consoles):
    mine, other = consoles.staff(), consoles.staff()
    with consoles.platform.database.tenant(consoles.tea.id) as scope:
        second, third = (consoles.enter(scope, mine.session.person.id) for _ in range(2))
    end = "/store/tea/account/sessions/{}/end"
    assert mine.post(end.format(other.session.id)).status_code == 404
    assert other.get("/store/tea/account").status_code == 200
    assert mine.post(end.format(second.session.id)).headers["location"] == "/store/tea/account"
    assert "That session is over." in mine.get("/store/tea/account").text
    assert second.get("/store/tea/account").status_code == 303
    mine.post("/store/tea/account/sessions/end-others")
    assert "1 other session is over." in mine.get("/store/tea/account").text
    assert third.get("/store/tea/account").status_code == 303
    assert other.get("/store/tea/account").status_code == 200


def test_a_password_is_changed_by_whoever_knows_it(consoles, person):
    with consoles.platform.database.tenant(consoles.tea.id) as scope:
        browser, second = (consoles.enter(scope, person.id) for _ in range(2))
    change = "/store/tea/account/password"
    wrong = browser.post(change, {"current": "x", "password": "moss river plum 4 gates"})
    assert wrong.status_code == 422
    assert 'id="current-error"' in wrong.text
    weak = browser.post(change, {"current": PASSWORD, "password": "short"})
    assert weak.status_code == 422
    assert 'id="password-error"' in weak.text
    assert second.get("/store/tea/account").status_code == 200
    done = browser.post(change, {"current": PASSWORD, "password": "moss river plum 4 gates"})
    assert done.headers["location"] == "/store/tea/account"
    assert "Your password is changed" in browser.get("/store/tea/account").text
    assert second.get("/store/tea/account").status_code == 303
    assert sign_in(consoles.guest()).status_code == 422
    assert sign_in(consoles.guest(), password="moss river plum 4 gates").status_code == 303


@pytest.mark.parametrize(
    "value", ["\0", "\ud800".encode("utf-8", "surrogatepass"), "x" * 100_000, "<script>", "1e400"]
)
def test_a_hostile_login_is_refused(consoles, value):
    guest = consoles.guest()
    for field in ("login", "password"):
        assert guest.post("/operator/sign-in", {"login": "a", "password": "b", field: value}).status_code in {
            422,
            429,
        }
