"""A merchant makes a voucher and lets members redeem points for it; a member does, in the preview."""

import re

import pytest
from conftest import wait_served
from playwright.sync_api import expect
from travelling import Traveller
from watching import DESKTOP, PHONE

from threepeat.events.stores import open_store
from threepeat.tenancy import switches


@pytest.mark.parametrize(("width", "locale"), [(PHONE, "zh-CN"), (DESKTOP, "en")])
def test_points_are_redeemed_for_a_voucher(visitor, installed, screenshots, width, locale):
    platform = installed.platform
    slug = f"loyal-{width}-{locale.lower()}"
    store = open_store(platform, slug, name="Two Cups", enable=("points",), holdout=0, by="test")
    with platform.database.tenant(store.id) as scope:
        switches.enable(scope, store, platform.registry, "vouchers", by="test", act=platform.act)
    _number, login = installed.person(store, "owner")
    one = Traveller(
        visitor(installed, width=width, locale=locale), locale, screenshots, f"loyalty-{width}-{locale}"
    )
    one.visitor.sign_in(f"/store/{slug}", login)
    make_voucher(one)
    offer_it(one)
    redeem_it(one, installed, store)
    assert not one.wrong, "\n".join(one.wrong)


def make_voucher(one):
    """A template, filled in and activated."""
    one.go("Tactics")
    one.follow("Voucher templates", "vouchers")
    one.look("templates")
    one.follow("New: %(what)s", what=one.say("voucher template", "vouchers"))
    one.field("Name", "vouchers").first.fill("Tea voucher")
    choose(one, "kind", "fixed")
    one.field("Amount off", "vouchers").fill("15")
    one.look("template-new")
    one.press("Save")
    one.look("template-draft")
    one.unfold("Activate", "vouchers")
    one.press("Yes: %(step)s", step=one.say("Activate", "vouchers"))
    expect(one.page.locator("main .badge").filter(has_text=one.say("Active", "vouchers")).first).to_be_visible()
    one.look("template-active")


def offer_it(one):
    """An item of the catalogue: the voucher for a hundred points."""
    one.go("Tactics")
    one.follow("Redemption catalogue", "points")
    one.look("catalogue")
    one.follow("New: %(what)s", what=one.say("item", "points"))
    one.field("Name", "points").first.fill("Tea voucher")
    choose(one, "kind", "reward")
    one.field("Price", "points").fill("100")
    one.page.get_by_role("radio", name=re.compile("Tea voucher")).check()
    one.page.locator("input[name$='reward.amount']").fill("1")
    one.look("item-new")
    one.press("Save")
    one.press("Publish", "points")
    expect(one.page.locator("main .badge").filter(has_text=one.say("Published", "points")).first).to_be_visible()
    one.look("item-published")


def redeem_it(one, installed, store):
    """The test member buys something, and redeems what that earned."""
    one.go("Try it")
    one.press("Make my test member")
    one.press("Send a test order")
    wait_served(installed, store)
    one.page.reload()
    redeem = one.page.locator("form.command").filter(
        has=one.page.get_by_role("button", name=one.say("Redeem points", "points"), exact=True)
    )
    number = re.escape(one.say("Number", "points"))
    shown = re.search(rf"{number}\s+(\d+)", one.page.locator(".screen").inner_text())
    redeem.locator("input[name$='item']").fill(shown[1])
    redeem.locator("input[name$='price']").fill("100")
    one.look("preview")
    with one.page.expect_navigation(wait_until="load"):
        redeem.get_by_role("button").click()
    expect(one.page.locator(".screen .notice.good")).to_be_visible()
    wait_served(installed, store)
    one.page.reload()
    wallet = one.page.locator(".panel").filter(has_text=one.say("My vouchers", "vouchers"))
    expect(wallet).to_contain_text("Tea voucher")
    expect(one.page.locator(".screen")).to_contain_text(re.compile(r"\b28\b"))
    one.look("redeemed")


def choose(one, name, value):
    """Choose from a list to open, or from buttons."""
    listed = one.page.locator(f"select[name$='{name}']").first
    if listed.count():
        listed.select_option(value)
    else:
        one.page.locator(f"input[type=radio][name$='{name}'][value='{value}']").first.check()
