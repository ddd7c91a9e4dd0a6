"""A store with points on, one member with a history, and browsers of each role."""

import itertools
import re

import pytest

from threepeat.events.stores import open_store
from threepeat.tenancy import audit, members
from threepeat.testing.fixtures import Sender
from threepeat.worker.loop import Worker

HOSTILE = ("<script>alert(1)</script>", "x" * 5000, "1" + "0" * 30, "-1", "0", "１２", "1e3", "NaN", "9" * 18)
_count = itertools.count(1)


class Shop:
    """A store of its own in the served platform."""

    def __init__(self, consoles):
        self.consoles, self.platform = consoles, consoles.platform
        self.slug = f"shop-{next(_count)}"
        self.tenant = open_store(self.platform, self.slug, enable=["points"], holdout=0, by="test")
        self.root = f"/store/{self.slug}"
        self._send = Sender(self.platform)

    def browser(self, role="owner"):
        return self.consoles.staff(self.tenant, role=role)

    def member(self, name="ann"):
        with self.scope() as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def path(self, name="ann", more=""):
        return f"{self.root}/members/{self.member(name)}{more}"

    def scope(self):
        return self.platform.database.tenant(self.tenant.id)

    def pay(self, name="ann", order="1", total=12_800, **more):
        self._send(self.tenant, "order.paid", name, order_id=order, total=total, currency="CNY", **more)

    def drain(self):
        Worker(self.platform).drain()

    def trail(self, subject=None):
        with self.scope() as scope:
            return [(one.actor, one.action, one.subject) for one in audit.read(scope, subject=subject)]


def key_of(page):
    """The key of the form that adjusts."""
    return re.search(r'name="key" value="([0-9a-f]{32})"', page.text)[1]


@pytest.fixture
def shop(consoles):
    return Shop(consoles)


@pytest.fixture
def other(consoles):
    return Shop(consoles)


@pytest.fixture
def counted(consoles):
    """Counts the statements of a work."""
    from sqlalchemy import event

    def count(work):
        seen = []
        engine = consoles.platform.database.app

        def note(*_):
            seen.append(1)

        event.listen(engine, "before_cursor_execute", note)
        try:
            work()
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    return count


@pytest.fixture
def adjust():
    """Sends the form that adjusts: `adjust(browser, path, amount="5")`."""

    def send(browser, path, **given):
        form = {"kind": "points", "direction": "give", "amount": "10", "reason": "late parcel"}
        key = given["key"] if "key" in given else key_of(browser.get(path))
        return browser.post(f"{path}/adjust", {**form, **given, "key": key})

    return send
