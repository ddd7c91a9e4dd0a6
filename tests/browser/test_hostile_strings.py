"""Whatever a plugin declares and whoever types something: on every page and in every file it stays text."""

import csv
import io
import json
import sys
import zipfile

import httpx2
import pytest
from conftest import SITES, wait_served
from crawling import Crawl
from installation import another_server, installation
from watching import DESKTOP

from threepeat.events import plugin_checks
from threepeat.events.plugin_checks import Asked
from threepeat.events.stores import open_store
from threepeat_tenants.operating import plans, suspension

SITE = SITES / "hostile"

# Only for the import: whoever looks for plugins while it stands in the path finds this one installed.
sys.path.insert(0, str(SITE))
try:
    from threepeat_hostile.corpus import Strings
    from threepeat_hostile.plugin import strings as declared
finally:
    sys.path.remove(str(SITE))

HARM = """
() => {
    const found = [];
    for (const one of document.querySelectorAll("[data-hostile], iframe, style, [srcdoc], meta[http-equiv]"))
        found.push(one.outerHTML.slice(0, 120));
    for (const one of document.querySelectorAll("script"))
        if (!one.src && one.type !== "application/json") found.push(one.outerHTML.slice(0, 120));
    for (const one of document.querySelectorAll("*"))
        for (const {name, value} of one.attributes)
            if (name.startsWith("on") || !/^(value|placeholder)$/.test(name) && /^\\s*javascript:/i.test(value))
                found.push(`${name}=${value}`);
    return found;
}
"""
SAYS = """
() => [document.documentElement.textContent, document.title,
    ...[...document.querySelectorAll("input, textarea, option")].map(one => one.value + " " + one.textContent),
    ...[...document.querySelectorAll("*")].flatMap(one =>
        ["aria-label", "placeholder", "title", "value"].map(name => one.getAttribute(name) || "")),
].join("\\n")
"""
FORMULA = tuple("=+-@\t\r")
PLACES_SEEN = 80
"""At least so many of the plugin's strings are shown somewhere."""


class Shop:
    """The stores of the hostile installation, and what was typed into them."""

    def __init__(self, one) -> None:
        self.one = one
        self.typed = typed = Strings("t")
        self.tenant = open_store(
            one.platform,
            "hostile",
            name=typed("store"),
            enable=("points", "checkin", "hostile"),
            holdout=0,
            by="t",
        )
        self.closed = open_store(one.platform, "closed", name=typed("closed store"), by="t")
        with one.platform.database.ops.begin() as ops:
            suspension.suspend(ops, self.closed, typed("suspended for"), by="operator")
            found = tuple(typed.every("finding"))
            rules = [
                Asked("in-order", True, typed("rule"), "broken", found, "", typed("fix")),
                Asked("translated", False, typed("advice"), "exempt", (), typed("reason"), ""),
            ]
            plugin_checks.record(ops, "points", one.platform.registry["points"].version, rules, by="operator")
            plans.set_plan(ops, one.platform.registry, "hostile", title=typed("plan"), cap=3, by="operator")
        _person, self.owner = one.person(self.tenant, "owner", typed("owner"))
        one.person(self.tenant, "analyst", typed("analyst"))
        self.operator = one.operator(typed("operator"))
        for name in typed.every("key")[:8]:
            one.key(self.tenant, "ingest", name=name)
        self.send()
        wait_served(one, self.tenant)

    def send(self) -> None:
        """Events whose every text is hostile; those that ingest refuses are refusals, which are shown as well."""
        typed, events = self.typed, []
        for number, member in enumerate(typed.every("member")):
            data = {
                "order_id": typed(f"order {number}"),
                "total": 1200,
                "currency": "CNY",
                "lines": [
                    {
                        "sku": typed(f"sku {number}"),
                        "name": typed(f"product {number}"),
                        "category": typed(f"category {number}"),
                        "quantity": 1,
                        "amount": 1200,
                    }
                ],
            }
            source, name = typed(f"source {number}"), typed(f"event {number}")
            head = {"specversion": "1.0", "id": name, "source": source, "subject": member}
            events += [
                {**head, "type": "order.paid", "data": data},
                {**head, "id": typed(f"refused {number}"), "type": "order.paid", "data": {"total": name}},
                {**head, "id": typed(f"unknown {number}"), "type": typed(f"type {number}"), "data": {}},
                {
                    **head,
                    "id": typed(f"search {number}"),
                    "type": "search.performed",
                    "data": {"query": typed(f"query {number}")},
                },
            ]
        bearer = {"Authorization": f"Bearer {self.one.key(self.tenant, 'ingest')}"}
        kind = {"Content-Type": "application/cloudevents-batch+json"}
        answer = httpx2.post(f"{self.one.url}/v1/events", json=events, headers={**bearer, **kind}, timeout=30)
        assert answer.json()["accepted"] >= len(events) // 4, answer.text[:500]


@pytest.fixture(scope="module")
def shop():
    with installation(SITE) as one:
        yield Shop(one)


def counted(visitor):
    """Where each execution in a visitor's pages is noted."""
    hits = []

    def hit(number):
        hits.append(number)

    visitor.context.expose_function("__hit", hit)
    return hits


def stir(visitor):
    """Bring about what a walk along links does not: a test member, a refused step, a file of a member."""
    page = visitor.page
    visitor.open("/store/hostile/preview")
    with page.expect_navigation():
        page.locator("main form button").first.click()
    visitor.open("/store/hostile/tactics/hostile/collections/things/items/2")
    with page.expect_navigation():
        page.locator("main .steps form button").first.click()
    refused = page.evaluate(SAYS)
    visitor.open("/store/hostile/members")
    page.locator("main .rows a").first.click()
    page.locator("form[action$='/export']").wait_for(state="attached")
    with page.expect_download() as download:
        page.evaluate("document.querySelector('form[action$=\"/export\"] button[value=csv]').click()")
    with zipfile.ZipFile(download.value.path()) as packed:
        return refused, {name: packed.read(name).decode("utf-8-sig") for name in packed.namelist()}


def walk(visitor, login, where, start):
    """Every page and file that somebody can reach: what did harm, what was said, and the files' texts."""
    harm, said, files = [], [], {}
    hits = counted(visitor)
    visitor.sign_in(where, login)
    if where != "/operator":
        refused, exported = stir(visitor)
        files.update(exported)
        said.append(refused)
    crawl = Crawl(visitor.page, each=3)
    for address in crawl.walk(visitor.url + start):
        harm += [f"{address}: {one}" for one in visitor.page.evaluate(HARM)]
        said.append(visitor.page.evaluate(SAYS))
    for address in crawl.files:
        answer = visitor.context.request.get(address)
        files[address] = answer.text()
    return hits, harm, "\n".join(said), files


def broken(said, given):
    """Strings that are there by their mark but not as they were written."""
    marks = {text.rpartition(" ")[2]: (place, text) for place, text in given.items()}
    return sorted(
        f"{place}: {text}"
        for mark, (place, text) in marks.items()
        if f" {mark}" in said and text not in said and json.dumps(text)[1:-1] not in said
    )


@pytest.mark.parametrize("who", ["owner", "operator"])
def test_a_string_is_text_wherever_it_is_shown(shop, visitor, who):
    one = visitor(shop.one, width=DESKTOP)
    login = getattr(shop, who)
    where, start = ("/operator", "/operator/") if who == "operator" else ("/store/hostile", "/store/hostile/")
    hits, harm, said, files = walk(one, login, where, start)
    assert not hits
    assert not harm, "\n".join(harm)
    assert not broken(said, {**declared.given, **shop.typed.given})
    seen = {place for place, text in declared.given.items() if text in said}
    missing = sorted(set(declared.given) - seen)
    print(f"\n{who}: {len(seen)} of {len(declared.given)} declared strings seen, not {missing}")
    seen_typed = {place for place, text in shop.typed.given.items() if text in said}
    print(f"{who}: typed strings seen: {len(seen_typed)} of {len(shop.typed.given)}")
    assert len(seen) >= (PLACES_SEEN if who == "owner" else 2)
    assert {"store"} <= seen_typed
    assert any(".csv" in address for address in files)
    for address, text in files.items():
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row] if ".csv" in address else []
        assert [cell for cell in cells if cell.startswith(FORMULA) and not _number(cell)] == [], address


def _number(cell):
    return cell.lstrip("-").replace(".", "", 1).isdigit()


@pytest.mark.parametrize("bypass", [False, True], ids=["policy", "no policy"])
def test_the_alarm_rings_where_nothing_is_escaped(shop, visitor, bypass):
    with another_server(shop.one, SITE, HOSTILE_PLANT="no-autoescape") as url:
        one = visitor(shop.one, width=DESKTOP, url=url, bypass_csp=bypass)
        hits = counted(one)
        one.sign_in("/store/hostile", shop.owner)
        one.open("/store/hostile/tactics/hostile/settings")
        assert one.page.evaluate(HARM)
        assert any(found.startswith("policy:") for found in one.watch.found) != bypass
        assert bool(hits) == bypass
        one.watch.found.clear()
