"""Lists, search and a member's page, for each role; nobody sees another store's members."""

import html

import pytest

from threepeat.sdk.facts import fact
from threepeat.tenancy import identities

from .conftest import HOSTILE


def test_an_empty_store_says_what_comes_next(shop):
    page = shop.browser().get(f"{shop.root}/members")
    assert page.status_code == 200
    assert "No members yet" in page.text


def test_the_newest_and_the_most_active_are_listed(shop):
    for name in ("ann", "bob", "ann"):
        shop.pay(name, order=name)
    for role in ("owner", "operator", "analyst"):
        browser = shop.browser(role)
        newest = browser.get(f"{shop.root}/members").text
        assert newest.index("bob") < newest.index("ann")
        assert "Order paid" in newest
        active = browser.get(f"{shop.root}/members?sort=active").text
        assert active.index("ann") < active.index("bob")


@pytest.mark.parametrize("before", ["0", "-1", "x", "9" * 18, "1" + "0" * 30, "<b>", "%00"])
def test_a_strange_place_in_the_list_is_no_error(shop, before):
    browser = shop.browser("analyst")
    assert browser.get(f"{shop.root}/members?before={before}").status_code == 200
    assert browser.get(f"{shop.path()}?before={before}").status_code == 200


def test_the_list_has_pages(shop):
    for number in range(53):
        shop.member(f"m{number:02}")
    browser = shop.browser()
    first = browser.get(f"{shop.root}/members").text
    assert "m52" in first
    assert "m02" not in first
    after = html.unescape(first.split('rel="next" href="')[1].split('"')[0])
    second = browser.get(after).text
    assert "m02" in second
    assert "m03" not in second


def test_search_leads_to_the_member_without_writing_whom_into_an_address(shop):
    shop.member("shop-ann")
    shop.member("shop-bob")
    with shop.scope() as scope:
        identities.link(scope, shop.platform.keyring, "shop-ann", "phone", "13800138000")
        identities.link(scope, shop.platform.keyring, "shop-ann", "openid:wx1", "oAnn")
    browser = shop.browser("analyst")
    for wanted in ("shop-ann", " 138-0013-8000 ", "oAnn"):
        answer = browser.post(f"{shop.root}/members/find", {"q": wanted})
        assert (answer.status_code, answer.headers["location"]) == (303, shop.path("shop-ann"))
    several = browser.post(f"{shop.root}/members/find", {"q": "shop-"})
    assert several.status_code == 200
    assert "shop-ann" in several.text
    assert "shop-bob" in several.text
    assert "Nobody was found" in browser.post(f"{shop.root}/members/find", {"q": "13800138001"}).text
    assert browser.get(shop.path("shop-ann")).text.count("13800138000") == 0


@pytest.mark.parametrize("wanted", ["", "x" * 129, *HOSTILE])
def test_a_strange_search_is_answered(shop, wanted):
    answer = shop.browser().post(f"{shop.root}/members/find", {"q": wanted})
    assert answer.status_code in {200, 422}
    assert "<script>alert" not in answer.text


def test_a_member_of_another_store_is_not_there(shop, other):
    browser, there = shop.browser(), other.path("their-secret-id")
    number = there.rpartition("/")[2]
    assert browser.get(there).status_code == 303
    mine = browser.get(f"{shop.root}/members/{number}")
    assert mine.status_code == 404
    assert "their-secret-id" not in mine.text
    for more in ("adjust", "exempt", "suspend", "reinstate", "merge", "export", "erase"):
        assert browser.post(f"{shop.root}/members/{number}/{more}", {"format": "json"}).status_code == 404
    assert browser.get(f"{shop.path()}/merge/{number}").status_code == 404
    answer = browser.post(f"{shop.root}/members/find", {"q": "their-secret-id"})
    assert "Nobody was found" in answer.text
    assert shop.trail(f"member:{number}") == []


@pytest.mark.parametrize("number", ["0", "abc", "1" + "0" * 30, "-1", "1.5", "%00", "１", "%3Cb%3E", "x" * 2000])
def test_a_strange_number_is_not_found(shop, number):
    answer = shop.browser().get(f"{shop.root}/members/{number}")
    assert answer.status_code in {404, 422}
    assert "<b>" not in answer.text.replace("<body", "")


def test_the_page_tells_what_happened_and_what_came_of_it(shop):
    shop.pay(total=12_800)
    assert "Still to see it:" in shop.browser().get(shop.path()).text
    shop.drain()
    for role in ("owner", "operator", "analyst"):
        page = shop.browser(role).get(shop.path())
        assert "¥128.00" in page.text
        assert "128 points" in page.text
        assert "Takes part" in page.text
        assert "Still to see it:" not in page.text
        # The answer stands below its event, not beside it.
        assert page.text.count('<li class="event">') == 1


def test_what_a_role_may_not_do_is_no_button(shop):
    shop.pay()
    shop.drain()
    texts = {role: shop.browser(role).get(shop.path()).text for role in ("owner", "operator", "analyst")}
    for action, roles in {
        "/adjust": {"owner", "operator"},
        "/exempt": {"owner", "operator"},
        "/suspend": {"owner", "operator"},
        "/merge": {"owner", "operator"},
        "/export": {"owner"},
        "/erase": {"owner"},
    }.items():
        assert {role for role, text in texts.items() if f"{shop.path()}{action}" in text} == roles
    for role, refused in {
        "analyst": ("adjust", "exempt", "suspend", "reinstate", "merge", "export", "erase"),
        "operator": ("export", "erase"),
    }.items():
        browser = shop.browser(role)
        for action in refused:
            assert browser.post(f"{shop.path()}/{action}").status_code == 403
    assert shop.trail(f"member:{shop.member()}") == []


def test_what_others_typed_and_declared_is_shown_as_text(shop):
    evil = "<img src=x onerror=alert(1)>"
    shop.pay(evil, order=evil)
    shop.drain()
    declared = shop.platform.registry["points"]
    fake = fact("points.fake", lambda *_: {}, kind="number", title={"en": evil, "zh": evil})
    object.__setattr__(declared, "facts", {**declared.facts, "points.fake": fake})
    try:
        browser = shop.browser()
        texts = [browser.get(path).text for path in (shop.path(evil), f"{shop.root}/members")]
        texts.append(browser.post(f"{shop.root}/members/find", {"q": evil[:10]}).text)
        texts.append(browser.get(f"{shop.path(evil)}/erase").text)
        texts.append(browser.get(f"{shop.path(evil)}/merge/{shop.member('bob')}").text)
    finally:
        object.__setattr__(declared, "facts", {k: v for k, v in declared.facts.items() if v is not fake})
    for text in texts:
        assert evil not in text
        assert html.escape(evil) in text


def test_the_number_of_statements_does_not_grow(shop, counted):
    browser = shop.browser("analyst")
    shop.pay()
    shop.drain()
    pages = (shop.path(), f"{shop.root}/members", f"{shop.root}/members?sort=active")
    few = [counted(lambda path=path: browser.get(path)) for path in pages]
    for number in range(15):
        shop.pay(order=f"o{number}")
        shop.member(f"m{number}")
    shop.drain()
    many = [counted(lambda path=path: browser.get(path)) for path in pages]
    assert many == few
    assert few[0] <= 60
    assert max(few[1:]) <= 12


def test_both_languages_are_whole(shop):
    shop.pay()
    shop.drain()
    browser = shop.browser()
    browser.cookies["__Host-threepeat-locale"] = "zh-CN"
    page = browser.get(shop.path()).text
    assert "动态" in page
    assert "What happened" not in page
