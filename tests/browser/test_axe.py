"""axe finds nothing on any page, light and dark, on a phone and a desktop; nothing sticks out or is too small."""

from pathlib import Path

import pytest
from crawling import Crawl
from watching import DESKTOP, HEIGHT, PHONE, layout, picture, untranslated

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RUN = """
async () => {
    const found = await axe.run(document, {resultTypes: ["violations"], runOnly: {type: "tag", values:
        ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}});
    return found.violations.map(one =>
        `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map(node => node.target.join(" ")).join(", ")}`);
}
"""
OPEN = "() => document.querySelectorAll('main details').forEach(one => { one.open = true; })"
LEAST = {"operator": 12, "owner": 12, "analyst": 8, "newcomer": 8}
"""So many pages there are at least: a walk that ends at once proves nothing."""


def violations(page):
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    return page.evaluate(RUN)


def looked_at(page, *, schemes=("light", "dark")):
    """Everything that is wrong with the page that is open."""
    found = []
    for width in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": HEIGHT[width]})
        found += [f"{width}: {one}" for one in layout(page)]
    page.evaluate(OPEN)
    for width in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": HEIGHT[width]})
        found += [f"{width}, all open: {one}" for one in layout(page)]
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            found += [f"{width} {scheme}: {one}" for one in violations(page)]
    page.emulate_media(color_scheme="light")
    return found


@pytest.fixture
def enter(visitor, installed, tea, empty):
    def make(who):
        locale = "zh-CN" if who in {"owner", "newcomer"} else "en"
        one = visitor(installed, locale=locale)
        if who == "operator":
            one.sign_in("/operator", installed.operator())
            return one, "/operator/"
        tenant = empty if who == "newcomer" else tea
        role = "analyst" if who == "analyst" else "owner"
        one.sign_in(f"/store/{tenant.store.slug}", installed.person(tenant, role)[1])
        return one, f"/store/{tenant.store.slug}/"

    return make


@pytest.mark.parametrize("who", ["operator", "owner", "analyst", "newcomer"])
def test_every_page_is_accessible_and_fits(enter, who, screenshots):
    one, start = enter(who)
    crawl, wrong = Crawl(one.page), []
    for address in crawl.walk(one.url + start):
        number = len(crawl.pages)
        path = address.removeprefix(one.url)
        for width in (PHONE, DESKTOP):
            one.page.set_viewport_size({"width": width, "height": HEIGHT[width]})
            name = f"walk-{who}-{number:02d}-{width}-{path.strip('/').replace('/', '_')[:60]}.png"
            picture(one.page, screenshots / name.replace("?", "-"))
        found = looked_at(one.page)
        if one.page.locator("html").get_attribute("lang") == "zh-CN":
            found += [f"not translated: {text}" for text in untranslated(one.page)]
        wrong += [f"{path}: {text}" for text in found]
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert len(crawl.pages) >= LEAST[who]


def test_pages_before_sign_in_are_accessible_and_fit(visitor, installed, tea):
    one, wrong = visitor(installed, locale="zh-CN"), []
    for path in ("/", "/operator/sign-in", f"/store/{tea.store.slug}/sign-in"):
        one.open(path)
        wrong += [f"{path}: {text}" for text in (*looked_at(one.page), *untranslated(one.page))]
    with one.watch.expecting(404):
        one.open("/nothing-here")
        wrong += looked_at(one.page)
    assert not wrong, "\n".join(wrong)


PLANTED = """<!doctype html><html lang="zh-CN"><head><title>x</title>
<meta name="viewport" content="width=device-width"></head><body><main><h1>x</h1>
<div style="width: 900px">wide</div><p style="width: 30px; overflow: hidden; white-space: nowrap">cut off here</p>
<nav aria-label="n"><a href="/x" style="display: block; height: 12px; overflow: visible">small</a></nav>
<img src="data:,"><p style="color: #aaa; background: #fff">faint</p><h2>Skip to the content</h2>
<h2>Welcome, Ann</h2></main></body></html>"""


def test_the_looks_find_what_is_planted(browser):
    with browser.new_context(viewport={"width": PHONE, "height": HEIGHT[PHONE]}) as context:
        page = context.new_page()
        page.set_content(PLANTED)
        found = "\n".join([*layout(page), *violations(page)])
        for one in ("wider than the window", "cut off at the side", "too small", "image-alt", "color-contrast"):
            assert one in found
        assert untranslated(page) == ["Skip to the content", "Welcome, Ann", "cut off here"]
