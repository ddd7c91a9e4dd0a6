"""In the preview two members complete a group, and one opens a box and verifies it."""

import json
import re
from importlib.resources import files

import pytest
from conftest import wait_served
from playwright.sync_api import expect
from travelling import Traveller
from watching import DESKTOP, PHONE

from threepeat.events import collections
from threepeat.events.stores import open_store
from threepeat.tenancy import tenants
from threepeat.tenancy.tenants import Tenant

CAMPAIGN = {"name": "Tea for two", "sku": "tea", "size": 2, "price": 6_400, "hours": 24}
SERIES = {
    "name": "Kitchen",
    "sku": "box",
    "price": 5_900,
    "items": [{"sku": "cup", "name": "Cup", "weight": 60}, {"sku": "pan", "name": "Pan", "weight": 40}],
}
WALKS = [(PHONE, "zh-CN"), (DESKTOP, "en")]


class Stall:
    """A store with both tactics, and what its merchant does by API."""

    def __init__(self, installed, slug):
        self.installed, self.platform = installed, installed.platform
        self.store: Tenant = open_store(
            self.platform, slug, name="Two Cups", enable=("groupbuy", "blindbox"), holdout=0, by="test"
        )
        wait_served(installed, self.store)

    def _managed(self, work):
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.store.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            return work(self.platform.inside(scope, current))

    def make(self, plugin, name, values, action):
        made = self._managed(lambda opened: collections.create(opened, plugin, name, values, by="test"))
        self.act(plugin, name, made.id, action)
        return made.id

    def act(self, plugin, name, item, action):
        revision = self._managed(lambda opened: collections.read(opened, plugin, name, item)).revision
        self._managed(
            lambda opened: collections.act(opened, plugin, name, item, action, revision=revision, by="test")
        )

    def file(self, plugin, name, item):
        return self._managed(lambda opened: collections.download(opened, plugin, name, item, by="test"))


@pytest.fixture(params=WALKS, ids=["zh-CN at 375", "en at 1280"])
def walk(request, visitor, installed, screenshots):
    """Two people of a store, each with a test member, and the store."""
    width, locale = request.param
    stall = Stall(installed, f"boxes-{request.node.originalname[5:12].replace('_', '-')}-{width}")
    people = []
    for role in ("owner", "operator"):
        _number, login = installed.person(stall.store, role)
        one = Traveller(
            visitor(installed, width=width, locale=locale), locale, screenshots, f"{stall.store.store.slug}-{role}"
        )
        one.visitor.sign_in(f"/store/{stall.store.store.slug}", login)
        one.go("Try it")
        one.press("Make my test member")
        people.append(one)
    yield stall, *people
    for one in people:
        assert not one.wrong, "\n".join(one.wrong)


def buy(one, stall, *, sku, price, plugin, **choice):
    """Fill in the basket, buy and pay, and wait until everybody has heard of it."""
    form = one.page.locator("form[action$='/preview/buy']")
    form.locator("input[name='basket.sku']").fill(sku)
    form.locator("input[name='basket.price']").fill(price)
    for name, value in choice.items():
        form.locator(f"input[name='choice-{plugin}.{name}']").fill(value)
    one.press("Buy and pay")
    expect(one.page.locator(".screen .notice.good")).to_be_visible()
    one.look("bought")
    wait_served(stall.installed, stall.store)
    one.page.reload()


def told(one, path):
    """What the member API answered, as the page shows it to developers."""
    return json.loads(one.page.locator(f"pre[aria-label='{path}']").text_content())


def test_group_of_two_members_is_completed(walk):
    stall, ann, bob = walk
    campaign = stall.make("groupbuy", "campaigns", CAMPAIGN, "activate")
    ann.page.reload()
    buy(ann, stall, sku="tea", price="80", plugin="groupbuy", campaign=campaign)
    [seat] = told(ann, "/v1/me/groupbuy/mine")["seats"]
    assert (seat["state"], seat["leads"], seat["joined"], seat["size"]) == ("joined", True, 1, 2)
    bob.page.reload()
    [group] = told(bob, "/v1/me/groupbuy/groups")["groups"]
    assert (group["group"], group["missing"], group["can_join"]) == (seat["group"], 1, True)
    bob.look("open-group")
    buy(bob, stall, sku="tea", price="80", plugin="groupbuy", campaign=campaign, group=group["group"])
    ann.page.reload()
    for one in (ann, bob):
        assert [each["state"] for each in told(one, "/v1/me/groupbuy/mine")["seats"]] == ["succeeded"]
        expect(one.page.locator(".screen")).to_contain_text(one.say("Succeeded", "groupbuy"))
        one.look("succeeded")


def test_boxes_are_opened_and_verified(walk, tmp_path):
    stall, ann, _bob = walk
    series = stall.make("blindbox", "series", SERIES, "publish")
    ann.page.reload()
    shelf = told(ann, "/v1/me/blindbox/series")
    ann.look("odds")
    confirm = ann.page.locator("form.command").filter(
        has=ann.page.get_by_role("button", name=ann.say("Confirm my age", "blindbox"), exact=True)
    )
    confirm.locator("input[type=radio][value=adult]").check()
    confirm.locator("input[name$='text_version']").fill(shelf["age"]["text_version"])
    with ann.page.expect_navigation(wait_until="load"):
        confirm.get_by_role("button").click()
    expect(ann.page.locator(".screen .notice.good")).to_be_visible()
    [sold] = shelf["series"]
    buy(ann, stall, sku="box", price="59", plugin="blindbox", version=sold["version"], nonce="a1" * 16)
    [box] = told(ann, "/v1/me/blindbox/boxes")["boxes"]
    assert box["state"] == "opened"
    expect(ann.page.locator(".screen")).to_contain_text(re.compile("Cup|Pan"))
    ann.look("opened")

    stall.act("blindbox", "series", series, "close")
    kept = tmp_path / "verify.html"
    kept.write_bytes((files("threepeat_blindbox") / "verifier" / "verify.html").read_bytes())
    page = ann.page.context.browser.new_context(offline=True).new_page()
    page.goto(kept.as_uri())
    evidence = stall.file("blindbox", "series", series)
    forged = box["receipt"] | {"body": box["receipt"]["body"].replace(box["item"], "owl")}
    for receipt, verdict in ((box["receipt"], "good"), (forged, "bad")):
        page.reload()
        page.locator("#evidence").set_input_files(given("evidence.json", evidence))
        page.locator("#receipts").set_input_files(given("mine.json", json.dumps([receipt]).encode()))
        page.locator("#go").click()
        expect(page.locator("#answer")).to_have_class(verdict)
    page.context.close()


def given(name, content):
    return {"name": name, "mimeType": "application/json", "buffer": content}
