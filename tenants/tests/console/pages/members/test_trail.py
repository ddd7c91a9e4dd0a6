"""The audit trail of a store, in words, with names while they are there."""

import html

import pytest

from threepeat.tenancy import audit, keys
from threepeat_tenants.accounts import staff


def test_changes_are_told_in_words_with_who_and_what(shop, adjust):
    browser = shop.browser("operator")
    adjust(browser, shop.path("ann-of-shop"), amount="5")
    with shop.scope() as scope:
        keys.create_key(scope, shop.platform.keyring, "till <b>", ["ingest"], by="operator:7")
    for role in ("owner", "operator", "analyst"):
        page = shop.browser(role).get(f"{shop.root}/trail").text
        assert "Adjusted a member&#39;s reward" in page
        assert f'<a href="{shop.path("ann-of-shop")}">ann-of-shop</a>' in page
        assert "+5" in page
        assert "Operator of the platform" in page
        assert "Switched a plugin on" in page
        assert "Points" in page
        assert "<b>" not in page.split("<main")[1]


def test_it_is_filtered_by_what_it_is_about(shop, adjust):
    browser = shop.browser()
    adjust(browser, shop.path())
    assert "Adjusted" not in browser.get(f"{shop.root}/trail?subject=points").text
    assert "Switched a plugin on" in browser.get(f"{shop.root}/trail?subject=points").text
    page = browser.get(f"{shop.root}/trail?subject=member:{shop.member()}").text
    assert "Adjusted" in page
    assert "Switched a plugin on" not in page
    assert "Nothing was changed about this" in browser.get(f"{shop.root}/trail?subject=winback").text


@pytest.mark.parametrize(
    "subject", ["%00", "x" * 5000, "<script>alert(1)</script>", "member:", "member:" + "9" * 30, "member:x", "%ff"]
)
def test_a_strange_filter_is_no_error(shop, subject):
    for before in ("", "0", "x", "9" * 30):
        answer = shop.browser("analyst").get(f"{shop.root}/trail?subject={subject}&before={before}")
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text


def test_it_has_pages_and_its_filter_stays(shop):
    with shop.scope() as scope:
        for number in range(55):
            audit.record(scope, "test", "settings.saved", "points", revision=number)
    browser = shop.browser()
    first = browser.get(f"{shop.root}/trail?subject=points").text
    assert "version: 54" in first
    assert "version: 4<" not in first
    after = html.unescape(first.split('rel="next" href="')[1].split('"')[0])
    second = browser.get(after).text
    assert "version: 4<" in second
    assert "version: 5<" not in second
    assert "subject=points" in after


def test_another_stores_trail_is_not_shown(shop, other):
    other.member("their-secret-id")
    with other.scope() as scope:
        audit.record(scope, "test", "settings.saved", "points", reason="their secret")
    assert shop.browser().get(f"{other.root}/trail").status_code == 303
    number = other.member("their-secret-id")
    with shop.scope() as scope:
        audit.record(scope, "test", "member.included", f"member:{number}")
    page = shop.browser().get(f"{shop.root}/trail").text
    assert "their" not in page
    assert f"member:{number}" in page


def test_the_number_of_statements_does_not_grow(shop, counted):
    browser = shop.browser()

    def write(times):
        with shop.scope() as scope:
            for number in range(times):
                made = staff.add(scope, name=f"P{number}", role="analyst", email=f"p{number}-{times}@a.cn", by="t")
                audit.record(scope, f"staff:{made.id}", "member.included", f"member:{shop.member(f'm{number}')}")

    write(1)
    few = counted(lambda: browser.get(f"{shop.root}/trail"))
    write(20)
    assert counted(lambda: browser.get(f"{shop.root}/trail")) == few <= 12
