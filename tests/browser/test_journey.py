"""From a new store to an erased member, as people go: on a phone and a desktop, in both languages."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from conftest import PASSWORD, wait_served
from playwright.sync_api import expect
from travelling import Traveller
from watching import DESKTOP, PHONE

from threepeat.tenancy import switches, tenants
from threepeat_tenants.console import translations

OWNERS = "three friends walk home"
SECRET = "parcels-4711-secret"
MEMBER = "customer-1"


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_from_a_new_store_to_an_erased_member(visitor, installed, screenshots, width, locale):
    def walk(who):
        made = visitor(installed, width=width, locale=locale)
        return Traveller(made, locale, screenshots, f"journey-{width}-{locale}-{who}")

    slug = f"cups-{width}-{locale.lower()}"
    operator, owner = walk("operator"), walk("owner")
    link = onboard(operator, installed.operator(), slug)
    settle_in(owner, link)
    tenant = find(installed, slug)
    set_points(owner)
    first_event(operator, owner, width)
    wait_served(installed, tenant)
    swap_and_back(owner, installed, tenant)
    bonus_day(owner)
    member(owner)
    for one in (operator, owner):
        assert not one.wrong, "\n".join(one.wrong)


def onboard(one, login, slug):
    """Sign in and open a store on one page; returns the owner's link."""
    one.visitor.open("/operator/")
    one.look("sign-in")
    one.field("Login").fill(login)
    one.field("Password").fill(PASSWORD)
    one.press("Sign in")
    one.look("overview")
    one.go("Stores")
    one.look("stores")
    one.follow("Open a store")
    one.field("Name").fill("Two Cups")
    one.field("Name").blur()
    expect(one.page.locator("#slug")).to_have_value(re.compile("two-cups"))
    one.page.locator("#slug").fill(slug)
    one.page.get_by_role("radio").first.check()
    assert one.page.locator("input[value=tea-coffee]").is_visible()
    one.page.locator("input[value=tea-coffee]").check()
    one.field("Owner's name").fill("Ann")
    one.field("E-mail").fill("ann@example.com")
    one.look("onboarding")
    one.press("Open the store")
    one.look("connect")
    expect(one.page.get_by_text(one.say("Waiting for the first event …"))).to_be_visible()
    link = one.page.locator("#owner-link").inner_text()
    assert "/welcome/" in link
    return link


def settle_in(one, link):
    """Choose a password with the one-time link; the link works once."""
    one.page.goto(link)
    one.look("welcome")
    one.field("New password").fill("short")
    with one.visitor.watch.expecting(422):
        one.press("Save and sign in")
        one.look("welcome-refused")
    one.field("New password").fill(OWNERS)
    one.press("Save and sign in")
    one.look("home-new")


def set_points(one):
    """A form with an error, corrected and saved, and what the rule comes to."""
    one.go("Tactics")
    one.look("tactics")
    slot = one.page.locator(".slot").filter(has=one.page.get_by_role("heading", name=one.say("Points", "points")))
    with one.page.expect_navigation(wait_until="load"):
        slot.get_by_role("link", name=one.say("Settings"), exact=True).click()
    one.look("settings")
    rate = one.field("Points per unit of money", "points")
    rate.fill("0")
    one.field("Comparison group").fill("0")
    with one.visitor.watch.expecting(422):
        one.press("Save")
    expect(rate).to_have_value("0")
    expect(rate).to_have_attribute("aria-invalid", "true")
    expect(one.field("Comparison group")).to_have_value("0")
    one.look("settings-refused")
    rate.fill("2")
    one.press("Save")
    expect(one.page.get_by_role("status").first).to_be_visible()
    expect(rate).to_have_value("2")
    expect(one.page.locator("main")).to_contain_text("256")
    one.look("settings-saved")


def first_event(operator, owner, width):
    """Run the snippet as it is shown; both see what comes of it, without asking again."""
    owner.go("Live")
    owner.look("live-empty")
    name = "curl" if width == PHONE else "python"
    operator.page.locator(f"label[for=tab-{name}]").click()
    operator.look("snippet")
    snippet = operator.page.locator(f"#snippet-{name}").inner_text()
    command = ["bash", "-c", snippet] if name == "curl" else [sys.executable, "-c", snippet]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert '"accepted"' in ran.stdout
    expect(operator.page.get_by_text(operator.say("The first event has come."))).to_be_visible()
    operator.look("received")
    expect(owner.page.locator(".feed .line").filter(has_text=MEMBER).first).to_be_visible()
    points = owner.page.locator(".feed .outcomes").filter(has_text=owner.say("Points", "points")).first
    expect(points.locator(".caused").first).to_be_visible()
    owner.look("live")


def swap_and_back(one, installed, tenant):
    """A fourth tactic takes a slot; the one that leaves shows what it owes; its secret is kept."""
    courier = one.say("Parcel news", "courier")
    one.go("Tactics")
    card = one.page.locator("article.card").filter(has=one.page.get_by_role("heading", name=courier))
    with one.page.expect_navigation(wait_until="load"):
        card.get_by_role("link", name=one.say("Swap in"), exact=True).click()
    full = translations.catalogue(one.locale).ngettext(
        "The slot is taken. Which tactic gives it up?",
        "All %(num)s slots are taken. Which tactic gives up its slot?",
        3,
    )
    expect(one.page.get_by_text(full.replace("%(num)s", "3"))).to_be_visible()
    one.look("swap")
    assert len(on(installed, tenant)) == 3
    one.page.get_by_role("radio", name=one.say("Points", "points"), exact=True).check()
    one.press("Swap now")
    assert on(installed, tenant) == {"checkin", "winback", "courier"}
    owed = one.page.locator("#closing .owes li")
    expect(owed).to_contain_text("56")
    one.look("closing")
    slot = one.page.locator(".slot").filter(has=one.page.get_by_role("heading", name=courier))
    with one.page.expect_navigation(wait_until="load"):
        slot.get_by_role("link", name=one.say("Settings"), exact=True).click()
    one.field("Access token", "courier").fill(SECRET)
    one.press("Save")
    assert SECRET not in one.page.content()
    one.look("secret-stored")
    one.field("Parcels at a time", "courier").fill("99")
    with one.visitor.watch.expecting(422):
        one.press("Save")
    one.look("secret-refused")
    one.field("Parcels at a time", "courier").fill("9")
    one.press("Save")
    assert SECRET not in one.page.content()
    with installed.platform.database.tenant(tenant.id) as scope:
        found = switches.activations(scope)["courier"]
        values, secrets = installed.platform.visible_settings(tenant, "courier", found)
    assert values["parcels"] == 9
    assert secrets["token"]
    one.go("Tactics")
    with one.page.expect_navigation(wait_until="load"):
        one.page.locator("#closing").get_by_role("link", name=one.say("Switch on again"), exact=True).click()
    one.page.get_by_role("radio", name=courier, exact=True).check()
    one.press("Swap now")
    assert on(installed, tenant) == {"checkin", "winback", "points"}


def bonus_day(one):
    """An item is made, published and closed."""
    one.go("Tactics")
    one.follow("Bonus days", "points")
    one.look("collection-empty")
    one.follow("New: %(what)s", what=one.say("bonus day", "points"))
    one.look("item-new")
    today = datetime.now(UTC).date()
    one.field("Factor", "points").fill("2")
    one.field("First day", "points").fill(today.isoformat())
    one.field("Last day", "points").fill((today - timedelta(days=1)).isoformat())
    with one.visitor.watch.expecting(422):
        one.press("Save")
    one.look("item-refused")
    one.field("Name", "points").fill("Rain")
    one.field("Last day", "points").fill((today + timedelta(days=1)).isoformat())
    one.press("Save")
    one.look("item-draft")
    for action, state in (("Publish", "Published"), ("Close", "Closed")):
        one.unfold(action, "points")
        one.look(f"item-{action.lower()}")
        one.press("Yes: %(step)s", step=one.say(action, "points"))
        expect(one.page.locator("main .badge").filter(has_text=one.say(state, "points")).first).to_be_visible()
    one.look("item-closed")


def member(one):
    """A member is found, gets points for a reason, and is erased."""
    one.go("Members")
    one.look("members")
    one.page.get_by_role("searchbox").fill(MEMBER)
    one.press("Search")
    if one.page.get_by_role("link", name=re.compile(MEMBER)).count():
        with one.page.expect_navigation(wait_until="load"):
            one.page.locator("main").get_by_role("link", name=re.compile(MEMBER)).first.click()
    expect(one.page.get_by_role("heading", name=MEMBER, level=1)).to_be_visible()
    one.look("member")
    one.unfold("Adjust")
    one.page.locator("#balances input[name=amount]").fill("44")
    one.page.locator("#balances").get_by_role("textbox", name=one.say("Reason")).fill("tea")
    one.look("member-adjust")
    with one.page.expect_navigation(wait_until="load"):
        one.page.locator("#balances form button").click()
    expect(one.page.locator("#balances")).to_contain_text("100")
    one.look("member-adjusted")
    one.go("Home")
    one.look("home")
    one.page.go_back()
    one.follow("Erase")
    one.look("erase")
    one.page.get_by_role("textbox").last.fill("somebody-else")
    with one.visitor.watch.expecting(422):
        one.press("Erase for good")
    one.page.get_by_role("textbox").last.fill(MEMBER)
    one.press("Erase for good")
    for _attempt in range(50):
        if one.page.get_by_role("heading", name=one.say("Receipt"), exact=True).count():
            break
        one.page.wait_for_timeout(200)
        one.page.reload()
    expect(one.page.get_by_role("heading", name=one.say("Receipt"), exact=True)).to_be_visible()
    one.look("erased")
    one.go("Members")
    one.look("members-after")
    assert MEMBER not in one.page.locator("main").inner_text()


def find(installed, slug):
    with installed.platform.database.directory() as connection:
        return tenants.by_slug(connection, slug)


def on(installed, tenant):
    with installed.platform.database.tenant(tenant.id) as scope:
        return {one.plugin for one in switches.activations(scope).values() if one.slot is not None}
