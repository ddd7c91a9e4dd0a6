"""A server with the installed plugins and toys, and a store of its own for each test."""

import secrets
import tempfile
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import event
from tenants.tests.console.conftest import Consoles
from tenants.tests.forms.conftest import Browser as Reader

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP, entry_points
from threepeat.tenancy import audit, switches
from threepeat.tenancy.keyring import new_line
from threepeat.testing.fixtures import serving
from threepeat_tenants.console import rendering

from .toys import EVIL, GRUMP, PLAIN


@pytest.fixture(scope="session")
def crowded(cluster):
    """A platform on which more is installed than may be on."""
    points = [(point.name, point) for point in entry_points(group=GROUP)]
    toys = [("evil", EVIL), ("grump", GRUMP), ("plain", PLAIN), ("broken", object())]
    with cluster.database() as name, tempfile.TemporaryDirectory() as folder:
        config = cluster.config(name, Path(folder))
        registry = Registry.load([*points, *toys])
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
    """A store, its owner's browser, and what one can see of it from behind."""

    def __init__(self, consoles, enable):
        self.consoles, self.platform = consoles, consoles.platform
        self.slug = f"shop-{secrets.token_hex(4)}"
        self.tenant = open_store(self.platform, self.slug, enable=enable, by="test")
        self.owner = consoles.staff(self.tenant)
        self.root = f"/store/{self.slug}"

    @property
    def by(self):
        return f"staff:{self.owner.session.person.id}"

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

    def fields(self, path, *prefixes, **changes):
        """What a browser would send of a form, with some of it changed."""
        found = {}
        for name, value in Reader.read(self.get(path)).pairs:
            if name.partition("~")[0].partition(".")[0] in prefixes:
                found.setdefault(name, []).append(value)
        return {**found, **{name.replace("__", "."): value for name, value in changes.items()}}

    def states(self):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return {one.plugin: str(one.state) for one in switches.activations(scope).values()}

    def activation(self, plugin):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return switches.activations(scope)[plugin]

    def trail(self):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [(one.actor, one.action, one.subject) for one in audit.read(scope)]


@pytest.fixture
def make_shop(crowded):
    return lambda *enable: Shop(crowded, enable)


@pytest.fixture
def shop(make_shop):
    return make_shop("points", "welcome", "evil")


@pytest.fixture
def queries(crowded):
    """Counts the statements of the app role from now on."""
    seen = []
    engine = crowded.platform.database.app

    def note(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)
