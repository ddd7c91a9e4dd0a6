"""A real installation, a real browser, and what both say of every page that is opened."""

import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parent))

from installation import PASSWORD, Installation, installation
from sqlalchemy import text
from watching import HEIGHT, PHONE, Watch

from threepeat.cli.simulation import TRADES, SimulatedStore
from threepeat.events import plugin_checks
from threepeat.events.plugin_checks import Asked, State
from threepeat.events.stores import open_store
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.conformance.rules import RULES

SITES = Path(__file__).parent / "sites"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ORDERS = 240
DAYS = 30
WAITING = text("""
    SELECT s.head - coalesce(min(c.position), s.head) AS waiting FROM core.stream s
    LEFT JOIN core.cursor c USING (tenant_id) WHERE s.tenant_id = :tenant GROUP BY s.head
""")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", help="folder for pictures of every step (default: a temporary one)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


@dataclass
class Visitor:
    """Somebody with a browser of their own.

    Attributes:
        watch: What was wrong so far.
    """

    page: Page
    context: BrowserContext
    watch: Watch
    url: str

    def open(self, path: str) -> None:
        """Go to a page."""
        self.page.goto(self.url + path, wait_until="load")

    def sign_in(self, where: str, login: str) -> None:
        """Sign in on a page in English or Chinese."""
        self.open(f"{where}/sign-in")
        self.page.locator("input[name=login]").fill(login)
        self.page.locator("input[name=password]").fill(PASSWORD)
        self.page.locator("main form button").click()
        self.page.wait_for_url(lambda url: "/sign-in" not in url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.exit("there is no Chromium: apt-get install chromium fonts-noto-cjk", 3)
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield made
        made.close()


@pytest.fixture(scope="session")
def screenshots(request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of the pictures."""
    given = request.config.getoption("--screenshots", default=None)
    folder = Path(given or tempfile.mkdtemp(prefix="threepeat-pages-"))
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nscreenshots: {folder}")


@pytest.fixture(scope="session")
def installed() -> Iterator[Installation]:
    """An installation with no store yet; a check of one plugin found something of every kind."""
    with installation(SITES / "courier") as made:
        states: list[State] = ["broken", "crashed", "exempt", "not applicable"]
        rules = [
            Asked(rule.id, rule.must, rule.title, state, ("a finding",), "a reason", rule.fix)
            for rule, state in zip(RULES, itertools.cycle(states), strict=False)
        ]
        with made.platform.database.ops.begin() as ops:
            plugin_checks.record(ops, "points", made.platform.registry["points"].version, rules, by="test")
        yield made


@pytest.fixture(scope="session")
def tea(installed: Installation) -> Tenant:
    """A store with three tactics on and a month of simulated orders, all served."""
    tenant = open_store(
        installed.platform,
        "tea-house",
        name=TRADES[0].name,
        simulated=True,
        enable=("points", "checkin", "welcome"),
        by="test",
    )
    store = SimulatedStore(TRADES[0], seed=3, members=40)
    installed.send(tenant, list(store.history(datetime.now(UTC) - timedelta(minutes=5), DAYS, ORDERS)))
    wait_served(installed, tenant)
    return tenant


@pytest.fixture(scope="session")
def empty(installed: Installation) -> Tenant:
    """A store in which nothing has happened."""
    return open_store(installed.platform, "empty", name="Empty", by="test")


def wait_served(one: Installation, tenant: Tenant) -> None:
    """Wait until the tactics have seen every event."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with one.platform.database.tenant(tenant.id) as scope:
            row = scope.one(WAITING)
        if row is not None and not row.waiting:
            return
        time.sleep(0.1)
    raise AssertionError("the worker does not come to an end")


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors: `visitor(installed, width=375, locale="zh-CN")`; in the end nothing may have been wrong."""
    made: list[tuple[Visitor, Installation, float]] = []

    def make(
        one: Installation, *, width: int = PHONE, locale: str = "en", url: str = "", bypass_csp: bool = False
    ) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": HEIGHT[width]},
            locale=locale,
            bypass_csp=bypass_csp,
            timezone_id="Asia/Shanghai",
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        watch = Watch(context)
        new = Visitor(context.new_page(), context, watch, url or one.url)
        made.append((new, one, one.csp_reports()))
        return new

    yield make
    for one, _installation, _before in made:
        one.context.close()
    wrong = [found for one, _installation, _before in made for found in one.watch.found]
    assert not wrong, "\n".join(wrong)
    assert all(installation.csp_reports() == before for _one, installation, before in made)
