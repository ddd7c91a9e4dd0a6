import re
from collections.abc import Callable
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment, PackageLoader, StrictUndefined

from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.sdk import fact, reward
from threepeat.sdk.context import Store
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.forms import Form, Surroundings

Pairs = list[tuple[str, str]]

LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,3})?)?")
CLOCK = re.compile(r"\d\d:\d\d(:\d\d(\.\d{1,3})?)?")
DATE = re.compile(r"\d{4}-\d\d-\d\d")
SANITIZED = {"datetime-local": LOCAL, "time": CLOCK, "date": DATE}


class Browser(HTMLParser):
    """Collects what a browser would send for a page's inputs if nobody touched them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pairs: Pairs = []
        self.buttons: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._area: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None

    @classmethod
    def read(cls, page: str) -> "Browser":
        made = cls()
        made.feed(page.replace("\r\n", "\n").replace("\r", "\n"))  # as a parser of HTML does first
        made.close()
        return made

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given: dict[str, str | None] = dict(attrs)
        assert len(given) == len(attrs), f"an attribute stands twice: {attrs}"
        self.tags.append((tag, given))
        if given.get("id"):
            self.ids.append(str(given["id"]))
        name = given.get("name") or ""
        if tag == "button" and name:
            self.buttons.append(name)
        elif tag == "input" and name:
            self._input(name, given)
        elif tag == "textarea":
            self._area = (name, [])
        elif tag == "select":
            self._select = (name, [])
        elif tag == "option":
            assert self._select is not None
            self._select[1].append((given.get("value") or "", "selected" in given))

    def _input(self, name: str, given: dict[str, str | None]) -> None:
        kind, value = given.get("type") or "text", given.get("value") or ""
        if kind in {"checkbox", "radio"} and "checked" not in given:
            return
        if kind in {"text", "password"}:
            value = value.replace("\n", "")
        if kind in SANITIZED and not SANITIZED[kind].fullmatch(value):
            value = ""
        self._send(name, value)

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area[1].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            name, parts = self._area
            self._send(name, "".join(parts).removeprefix("\n"))
            self._area = None
        if tag == "select" and self._select is not None:
            name, options = self._select
            chosen = [value for value, selected in options if selected] or [value for value, _ in options[:1]]
            if chosen:
                self._send(name, chosen[-1])
            self._select = None

    def _send(self, name: str, value: str) -> None:
        self.pairs.append((name, value.replace("\n", "\r\n")))


@lru_cache
def templates() -> Environment:
    return Environment(
        loader=PackageLoader("threepeat_tenants.console"), autoescape=True, undefined=StrictUndefined
    )


PAGE = (
    '{% from "forms/fields.html" import form_fields, form_summary %}'
    '{{ form_summary(form, "Look at these") }}{{ form_fields(form) }}'
)


def draw(form: Form) -> Browser:
    page = Browser.read(templates().from_string(PAGE).render(form=form))
    assert len(set(page.ids)) == len(page.ids), "an id stands twice"
    return page


@pytest.fixture(scope="session")
def browse() -> Callable[[Form], Browser]:
    """Draws a form and reads the page as a browser does."""
    return draw


@pytest.fixture(scope="session")
def html() -> Callable[[Form], str]:
    """The page itself."""
    return lambda form: templates().from_string(PAGE).render(form=form)


def nothing(*_: Any) -> Any:
    return {}


FACTS = {
    one.name: one
    for one in (
        fact("orders.count", nothing, kind="number", title={"en": "number of orders", "zh": "累计订单数"}),
        fact("orders.spent", nothing, kind="number", unit="money", title={"en": "spent", "zh": "累计消费"}),
        fact("tiers.tier", nothing, kind="choice", choices=("gold", "silver"), title={"en": "tier", "zh": "等级"}),
        fact("tags.tags", nothing, kind="tags", title={"en": "interests", "zh": "兴趣"}),
        fact("account.follows", nothing, kind="flag", title={"en": "follow the account", "zh": "已关注"}),
        fact("orders.last", nothing, kind="instant", title={"en": "last order", "zh": "最近下单"}),
    )
}
KINDS = {
    kind: reward(kind, title=title, grant=nothing, revoke=nothing, balance=nothing, cost=lambda _ctx, n: n)
    for kind, title in (
        ("points", {"en": "points", "zh": "积分"}),
        ("vouchers.cash", {"en": "cash", "zh": "现金券"}),
    )
}


@pytest.fixture(scope="session")
def around() -> Surroundings:
    """A Chinese store, read in English."""
    store = Store(1, "shop", "Shop", "CNY", 100, ZoneInfo("Asia/Shanghai"))
    return Surroundings(store, facts=FACTS, kinds=KINDS)


@pytest.fixture(scope="session")
def make_tenant_on() -> Callable[[Platform, str], Tenant]:
    """Makes a store with the tactic `giver` on."""
    return lambda platform, slug: open_store(platform, slug, enable=("giver",), by="test")
