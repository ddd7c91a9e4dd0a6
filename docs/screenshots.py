"""Makes the pictures of the documentation: a demo in a temporary folder, and a browser that walks through it.

`make screenshots` runs it. Every store in the pictures is simulated, or opened by this script.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from re import compile as pattern
from re import findall
from types import MappingProxyType
from typing import Any
from urllib.error import HTTPError

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
MOST_BYTES = 150_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MISSING = "there is no Chromium: apt-get install chromium fonts-noto-cjk"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HOST = "retention.example.com"
"""What stands in the pictures where an installation has its own name."""
PHONE, DESKTOP = 375, 1280
HEIGHT = {PHONE: 812, DESKTOP: 900}
PASSWORD = "a quiet morning by the sea"  # noqa: S105 - of an installation that is gone with this script
READY_SECONDS = 120
SIGN_IN = r"(?:operator|merchant)   \S+   sign in as (\S+) with (\S+)"
FIRST_STORE = r"KEY=(tp_live_\S+)[\s\S]*?/v1/members/([^/\s]+)/token"
CHECK_INS = 60
TEA, BOOKS = "/store/tea-house", "/store/bookshop"


@dataclass(frozen=True)
class Demo:
    """A demo that is up.

    Attributes:
        port: Where it answers on this machine.
        passwords: By login.
        key: May manage the first store.
        member: Of that store; takes part in every tactic.
    """

    port: int
    passwords: dict[str, str]
    key: str
    member: str


@dataclass(frozen=True)
class Studio:
    """A browser that reaches the demo under the name of an installation.

    Attributes:
        wanted: Names of the pictures to make; all if empty.
    """

    browser: Browser
    demo: Demo
    wanted: frozenset[str]

    def page(self, width: int) -> Page:
        """A page of a visitor of their own, behind a proxy that speaks HTTPS."""
        context = self.browser.new_context(
            viewport={"width": width, "height": HEIGHT[width]},
            locale="en",
            timezone_id="Asia/Shanghai",
            reduced_motion="reduce",
            extra_http_headers={"X-Forwarded-Proto": "https"},
        )
        context.set_default_timeout(15_000)
        return context.new_page()

    def signed_in(self, width: int, where: str, login: str) -> Page:
        """A page of somebody who has signed in."""
        page = self.page(width)
        go(page, f"{where}/sign-in")
        page.locator("input[name=login]").fill(login)
        page.locator("input[name=password]").fill(self.demo.passwords[login])
        page.locator("main form button").click()
        page.wait_for_url(lambda url: "/sign-in" not in url)
        return page

    def take(self, page: Page, name: str, *, most: int, top: str = "") -> None:
        """Save what a window of a fitting height shows.

        Args:
            most: The window's greatest height in CSS pixels.
            top: What stands at its top; the page's beginning if empty.
        """
        if self.wanted and name not in self.wanted:
            return
        width = page.viewport_size["width"] if page.viewport_size else PHONE
        if top:
            page.set_viewport_size({"width": width, "height": most})
            found = page.locator(top).first
            page.evaluate("at => window.scrollBy(0, at - 80)", (found.bounding_box() or {"y": 0})["y"])
        else:
            page.evaluate("window.scrollTo(0, 0)")
            page.set_viewport_size({"width": width, "height": HEIGHT[width]})
            high = page.evaluate("Math.ceil(document.querySelector('main').getBoundingClientRect().bottom)")
            page.set_viewport_size({"width": width, "height": min(most, max(high, 400))})
        page.wait_for_timeout(300)  # charts draw themselves anew
        save(name, page.screenshot(animations="disabled", caret="hide"))

    def cut(self, page: Page, name: str, what: str) -> None:
        """Save a part of a page."""
        if not self.wanted or name in self.wanted:
            found = page.locator(what).first
            save(name, found.screenshot(animations="disabled", caret="hide", style=".dock { display: none }"))


def main() -> int:
    """Make the pictures that the command line names, or all."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        print(MISSING, file=sys.stderr)
        return 1
    IMAGES.mkdir(exist_ok=True)
    with demo() as running, sync_playwright() as playwright:
        rules = f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{running.port}"
        browser = playwright.chromium.launch(executable_path=found, args=[*FLAGS, rules])
        studio = Studio(browser, running, frozenset(sys.argv[1:]))
        check_in(running)
        onboard(studio)
        choose(studio)
        look_after(studio)
        browser.close()
    return 0


def onboard(studio: Studio) -> None:
    """An operator opens a store, its server sends an order, its owner comes in."""
    page = studio.signed_in(DESKTOP, "/operator", "demo")
    studio.take(page, "operator-overview", most=900)
    go(page, "/operator/stores/new")
    page.locator("input[name=name]").fill("Green Leaf")
    page.locator("input[name=blueprint][value=tea-coffee]").check()
    page.locator("input[name=owner_name]").fill("Owner")
    page.locator("input[name=owner_email]").fill("owner@green-leaf.example")
    page.wait_for_load_state("networkidle")
    studio.take(page, "operator-open-store", most=1150)
    page.get_by_role("button", name="Open the store").click()
    page.wait_for_url("**/connect")
    studio.take(page, "operator-connect", most=1000)
    key = findall(r"tp_live_[A-Za-z0-9_-]+", page.content())[0]
    link = findall(r"/welcome/[A-Za-z0-9._-]+", page.content())[0]
    order(studio.demo, key)
    go(page, "/operator/stores/green-leaf/connect")
    studio.cut(page, "operator-first-event", "section:has(> h2:text('first event')), #first")
    owner = studio.page(PHONE)
    go(owner, link)
    studio.take(owner, "welcome", most=700)
    owner.locator("input[name=password]").fill(PASSWORD)
    owner.locator("main form button").click()
    owner.wait_for_url("**/store/green-leaf**")
    go(page, "/operator/stores/green-leaf")
    studio.take(page, "operator-store", most=1000)
    go(page, "/operator/usage")
    studio.take(page, "operator-usage", most=700)


def choose(studio: Studio) -> None:
    """A merchant looks at the figures, swaps, sets, and plans a bonus day."""
    page = studio.signed_in(DESKTOP, TEA, "owner@tea-house.example")
    studio.take(page, "home", most=900)
    page = studio.signed_in(PHONE, TEA, "owner@tea-house.example")
    go(page, f"{TEA}/tactics")
    studio.take(page, "tactics", most=1200)
    go(page, f"{TEA}/tactics/points/settings")
    studio.take(page, "settings", most=1000)
    studio.take(page, "settings-worked", most=900, top="h2:text('What it comes to')")
    page.locator("input[name='settings.points_per_unit']").fill("0")
    page.get_by_role("button", name="Save").click()
    studio.take(page, "settings-error", most=600)
    go(page, f"{TEA}/tactics/winback/settings")
    page.locator("select[name='settings.audience~new']").select_option("orders.count")
    page.get_by_role("button", name="Add a condition").click()
    page.locator("select[name='settings.audience.0.op']").select_option("at_least")
    page.locator("input[name='settings.audience.0.value']").fill("2")
    page.get_by_role("button", name="Recalculate").click()
    page.wait_for_load_state()
    studio.take(page, "settings-audience", most=812, top="text=For whom")
    plan_a_bonus_day(studio, page)
    page = studio.signed_in(PHONE, BOOKS, "owner@bookshop.example")
    go(page, f"{BOOKS}/tactics/welcome/on")
    page.locator("input[name=replace][value=points]").check()
    studio.take(page, "swap", most=1100, top="input[name=replace]")
    page.get_by_role("button", name="Swap now").click()
    page.wait_for_url("**/tactics")
    studio.take(page, "closing", most=600, top="h2:text('Closing')")


def plan_a_bonus_day(studio: Studio, page: Page) -> None:
    """Make one, publish it, and look at it."""
    root = f"{TEA}/tactics/points/collections/bonus_days"
    go(page, f"{root}/new")
    day = f"{datetime.now(UTC).year + 1}-11-11"
    for field, value in (("name", "Double Eleven"), ("factor", "2"), ("first_day", day), ("last_day", day)):
        page.locator(f"input[name='values.{field}']").fill(value)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/items/*")
    studio.take(page, "bonus-day", most=1000)
    page.locator("summary", has_text="Publish").click()
    page.get_by_role("button", name="Publish").last.click()
    page.wait_for_load_state()
    go(page, root)
    studio.take(page, "bonus-days", most=700)


def look_after(studio: Studio) -> None:
    """A merchant finds a member, tries the tactics, sees what comes in, and adds a person."""
    page = studio.signed_in(DESKTOP, TEA, "owner@tea-house.example")
    go(page, f"{TEA}/live")
    studio.take(page, "live", most=800)
    go(page, f"{TEA}/members")
    page.locator("input[name=q]").fill(studio.demo.member)
    page.locator("input[name=q]").press("Enter")
    page.wait_for_url(pattern(r"/members/\d+$"))
    page.locator("summary", has_text="Adjust").click()
    studio.take(page, "member", most=1000)
    found = page.url.rpartition("/")[2]
    page = studio.signed_in(PHONE, TEA, "owner@tea-house.example")
    go(page, f"{TEA}/members/{found}/erase")
    studio.take(page, "erase", most=812)
    try_it(studio, page)
    go(page, f"{TEA}/people")
    page.locator("#add input[name=name], form input[name=name]").last.fill("Shift lead")
    page.locator("input[name=email]").last.fill("shift@tea-house.example")
    page.locator("form:has(input[name=email]) input[name=role][value=operator]").last.check()
    page.get_by_role("button", name="Add and make a sign-in link").click()
    studio.take(page, "staff", most=900)
    page = studio.signed_in(DESKTOP, TEA, "owner@tea-house.example")
    go(page, f"{TEA}/trail")
    studio.take(page, "trail", most=800)


def try_it(studio: Studio, page: Page) -> None:
    """Make a test member, send an order, and wait until the tactics have seen it."""
    go(page, f"{TEA}/preview")
    page.get_by_role("button", name="Make my test member").click()
    page.get_by_text("Send a test order").first.wait_for()
    page.get_by_role("button", name="Send a test order").click()
    page.wait_for_load_state()
    time.sleep(2)  # the worker's next turn
    go(page, f"{TEA}/preview")
    studio.take(page, "try-it", most=1200)


def check_in(running: Demo) -> None:
    """Let some members check in: an order book alone has none who do."""
    for number in range(1, CHECK_INS + 1):
        with suppress(HTTPError):  # not every number has ordered, and the comparison group may not check in
            token = post(running, f"/v1/members/member-{number:04d}/token", running.key, {})["token"]
            post(running, "/v1/me/checkin/check-in", token, {}, {"Idempotency-Key": "today"})


def order(running: Demo, key: str) -> None:
    """Send a first order, as a shop's server does."""
    event = {
        "specversion": "1.0",
        "type": "order.paid",
        "source": "shop",
        "id": "order-1",
        "subject": "customer-1",
        "data": {"order_id": "1", "total": 2800, "currency": "CNY"},
    }
    post(running, "/v1/events", key, event)


def post(
    running: Demo, path: str, bearer: str, body: object, headers: Mapping[str, str] = MappingProxyType({})
) -> Any:
    """Call the API; what it answers."""
    sent = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", **headers}
    request = urllib.request.Request(f"http://127.0.0.1:{running.port}{path}", json.dumps(body).encode(), sent)
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own loopback address
        return json.load(answer)


def go(page: Page, path: str) -> None:
    """Open a page, which has to be there."""
    answer = page.goto(f"http://{HOST}{path}", wait_until="load")
    if answer is None or answer.status != 200:
        raise SystemExit(f"{path} answers {answer.status if answer else 'nothing'}")


def save(name: str, png: bytes) -> None:
    """Write a picture with a palette of its own, which takes a third of the room."""
    file = IMAGES / f"{name}.png"
    image = Image.open(BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(file, optimize=True)
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{file.name} has {size:,} bytes; {MOST_BYTES:,} are allowed: make the window smaller")
    print(f"{file.name}: {size:,} bytes")


@contextmanager
def demo() -> Iterator[Demo]:
    """Run the demo until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="threepeat-screenshots-"))
    folder.chmod(0o755)  # PostgreSQL runs as an account of its own
    command = [sys.executable, "-m", "threepeat.cli", "demo", "--data", str(folder / "demo"), "--port", str(port)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THREEPEAT_")}
    # The pictures' host is reached over plain HTTP on this machine.
    given = {**kept, "THREEPEAT_CONSOLE_SECURE_COOKIES": "false", "THREEPEAT_HTTP_PAGE_REQUESTS": "0"}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=given, stdout=out, stderr=out, start_new_session=True)
    try:
        said = wait_ready(process, log)
        yield Demo(port, dict(findall(SIGN_IN, said)), *findall(FIRST_STORE, said)[0])
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def wait_ready(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """What the demo printed once it is up."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        said = log.read_text("utf-8", "replace")
        if "Ctrl-C" in said:
            return said
        time.sleep(0.2)
    raise SystemExit(f"the demo did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
