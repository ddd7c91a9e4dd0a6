"""Staff of a store: added with a link that is shown once, changed, disabled; by owners only."""

import html
import re

import pytest

from threepeat_tenants.accounts import staff

LINK = re.compile(r"https?://[^<]+/welcome/[^<\s]+")


def people(shop):
    with shop.scope() as scope:
        return {one.name: one for one in staff.everyone(scope)}


def add(browser, shop, **given):
    form = {"name": "Bob", "role": "operator", "email": "bob@example.com", "phone": ""}
    return browser.post(f"{shop.root}/people", {**form, **given})


def test_a_person_is_added_with_a_link_that_is_shown_once(shop):
    owner = shop.browser()
    answer = add(owner, shop)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{shop.root}/people")
    first = owner.get(f"{shop.root}/people").text
    link = LINK.search(html.unescape(first))[0]
    assert LINK.search(owner.get(f"{shop.root}/people").text) is None
    path = "/" + link.split("/", 3)[3]
    guest = shop.consoles.guest()
    assert "Bob" in guest.get(path).text
    assert guest.post(path, {"password": "plum gate river 9 moss"}).status_code == 303
    assert guest.get(f"{shop.root}/members").status_code == 200
    by = f"staff:{owner.session.person.id}"
    subject = f"staff:{people(shop)['Bob'].id}"
    assert [one[:2] for one in shop.trail(subject)][-2:] == [(by, "staff.link_made"), (by, "staff.added")]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 5000}, "name"),
        ({"role": "king"}, "role"),
        ({"email": ""}, "email"),
        ({"email": "<script>alert(1)</script>"}, "email"),
        ({"email": "x" * 5000}, "email"),
        ({"email": "", "phone": "1" + "0" * 30}, "phone"),
    ],
)
def test_a_bad_value_is_named_and_kept(shop, given, field):
    owner = shop.browser()
    answer = add(owner, shop, **given)
    assert answer.status_code == 422
    assert "field-error" in answer.text
    assert "<script>alert" not in answer.text
    if field != "email":
        assert given.get("email", "bob@example.com") in answer.text
    assert "Bob" not in people(shop)


def test_the_same_person_is_not_added_twice(shop):
    owner = shop.browser()
    add(owner, shop)
    again = add(owner, shop)
    assert again.status_code == 422
    assert "another person of this store has this address" in again.text
    assert len([name for name in people(shop) if name == "Bob"]) == 1


def test_a_role_is_changed_and_a_person_disabled_and_enabled(shop):
    owner = shop.browser()
    with shop.scope() as scope:
        bob = staff.add(scope, name="Bob <b>", role="analyst", email="b@example.com", by="test")
        browser = shop.consoles.enter(scope, bob.id)
    path = f"{shop.root}/people/{bob.id}"
    assert browser.get(f"{shop.root}/members").status_code == 200
    assert owner.post(f"{path}/role", {"role": "operator"}).status_code == 303
    assert people(shop)["Bob <b>"].role == "operator"
    assert browser.get(f"{shop.root}/members").status_code == 303
    assert owner.post(f"{path}/role", {"role": "x"}).status_code == 422
    for _ in range(2):
        assert owner.post(f"{path}/disable").status_code == 303
    page = owner.get(f"{shop.root}/people").text
    assert "Bob &lt;b&gt; may not sign in any more." in page
    assert owner.post(f"{path}/link").status_code == 303
    assert "this person is disabled" in owner.get(f"{shop.root}/people").text
    assert owner.post(f"{path}/enable").status_code == 303
    assert owner.post(f"{path}/link").status_code == 303
    assert LINK.search(html.unescape(owner.get(f"{shop.root}/people").text))


def test_the_last_owner_stays(shop):
    owner = shop.browser()
    path = f"{shop.root}/people/{owner.session.person.id}"
    for action, form in (("disable", {}), ("role", {"role": "analyst"})):
        assert owner.post(f"{path}/{action}", form).status_code == 303
        assert "last owner" in owner.get(f"{shop.root}/people").text
    assert people(shop)["Ann"].role == "owner"


def test_only_owners_look_after_staff(shop, other):
    stranger = other.browser().session.person.id
    owner = shop.browser()
    for role in ("operator", "analyst"):
        browser = shop.browser(role)
        assert f'href="{shop.root}/people"' not in browser.get(f"{shop.root}/members").text
        assert browser.get(f"{shop.root}/people").status_code == 403
        assert add(browser, shop).status_code == 403
        for action in ("link", "role", "disable", "enable"):
            path = f"{shop.root}/people/{owner.session.person.id}/{action}"
            assert browser.post(path, {"role": "analyst"}).status_code == 403
    for number in (stranger, 0, "x", "1" + "0" * 30, "%00"):
        for action in ("link", "role", "disable", "enable"):
            answer = owner.post(f"{shop.root}/people/{number}/{action}", {"role": "analyst"})
            assert answer.status_code in {404, 422}
    assert owner.get(f"{other.root}/people").status_code == 303
    assert list(people(other)) == ["Ann"]
