"""A server with the installed plugins and a toy, and stores of their own for each test."""

import secrets
import tempfile
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import event
from tenants.tests.console.conftest import Consoles

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP, entry_points
from threepeat.tenancy import audit
from threepeat.tenancy.keyring import new_line
from threepeat.testing.fixtures import Sender, serving
from threepeat.worker.loop import Worker
from threepeat_tenants.console import rendering

from .toys import PARROT


@pytest.fixture(scope="session")
def watched(cluster):
    points = [(point.name, point) for point in entry_points(group=GROUP)]
    with cluster.database() as name, tempfile.TemporaryDirectory() as folder:
        config = cluster.config(name, Path(folder))
        registry = Registry.load([*points, ("parrot", PARROT)])
        platform = Platform.open(config, registry=registry, keys=KeyConfig(keys=new_line()), upgrade=True)
        try:
            with (
                serving(platform, HttpConfig(page_requests=0)) as url,
                httpx2.Client(base_url=url, timeout=30) as http,
            ):
                rendering.environment()
                yield Consoles(platform, http, None, None)
        finally:
            platform.database.dispose()


class Shop:
    """A store with its owner's browser."""

    def __init__(self, consoles, enable, holdout):
        self.consoles, self.platform = consoles, consoles.platform
        self.slug = f"shop-{secrets.token_hex(4)}"
        self.tenant = open_store(self.platform, self.slug, enable=enable, holdout=holdout, by="test")
        self.owner = consoles.staff(self.tenant)
        self.root = f"/store/{self.slug}"
        self.send = Sender(self.platform)

    @property
    def by(self):
        return f"staff:{self.owner.session.person.id}"

    def staff(self, role):
        return self.consoles.staff(self.tenant, role=role)

    def get(self, path, status=200, who=None):
        answer = (who or self.owner).get(self.root + path)
        assert answer.status_code == status, answer.text
        return answer.text

    def post(self, path, data=None, status=303, who=None):
        answer = (who or self.owner).post(self.root + path, data)
        assert answer.status_code == status, answer.text
        return answer.text

    def follow(self, path, data=None):
        """Post, go where it leads, and return that page."""
        answer = self.owner.post(self.root + path, data)
        assert answer.status_code == 303, answer.text
        return self.owner.get(answer.headers["location"]).text

    def order(self, member="ann", **more):
        data = {"order_id": secrets.token_hex(8), "total": 12_800, "currency": "CNY", **more}
        return self.send(self.tenant, "order.paid", member, **data)

    def drain(self):
        Worker(self.platform).drain()

    def trail(self):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [(one.actor, one.action) for one in audit.read(scope)]


@pytest.fixture
def make_shop(watched):
    return lambda *enable, holdout=0: Shop(watched, enable, holdout)


@pytest.fixture
def shop(make_shop):
    return make_shop("points", "parrot")


@pytest.fixture
def queries(watched):
    """Collects the statements of the app role from now on."""
    seen = []
    engine = watched.platform.database.app

    def note(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)
