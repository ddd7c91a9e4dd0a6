"""A store with a keeper of tokens and tactics that give them."""

import secrets
from datetime import datetime
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.sdk import Grant, Manifest, Plugin, PluginSettings, hookimpl, post, when
from threepeat.sdk.events import VisitMade
from threepeat.tenancy import members, switches, tenants
from threepeat.testing.fixtures import serving


class Giver(Plugin[PluginSettings]):
    """Gives two tokens for a visit; tests ask it for the rest."""

    settings_model = PluginSettings

    def __init__(self, name, kind="tactic", holdout="member"):
        self.manifest = Manifest(id=name, kind=kind, title=name, summary="Gives.", holdout=holdout)

    @hookimpl
    def reactions(self):
        yield when(VisitMade, self.visited)

    @hookimpl
    def routes(self):
        yield post("/gifts", self.gift, summary="Give me one")

    def gift(self, ctx) -> str:
        return ctx.grant("tokens", [Grant(ctx.member, 1, "gift", "once")])[0].state

    def visited(self, ctx, events):
        ctx.grant("tokens", [Grant(event.member, 2, "visit", event) for event in events])


@pytest.fixture(scope="module")
def registry():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent / "toys")
        from tokens_toy import Tokens
    plugins = [Giver("giver"), Giver("rival"), Giver("helper", "service"), Tokens()]
    return Registry.load((plugin.manifest.id, plugin) for plugin in plugins)


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made


@pytest.fixture
def keeper(registry):
    plugin = registry["tokens"].plugin
    yield plugin
    plugin.__dict__.clear()


class House:
    """A store in which plugins give and take."""

    def __init__(self, platform, tenant, act):
        self.platform, self.tenant, self.act = platform, tenant, act

    @property
    def month(self):
        return datetime.now(self.tenant.store.timezone).date().replace(day=1)

    def other(self, make_tenant, *enable):
        return House(self.platform, make_tenant(f"shop-{secrets.token_hex(4)}", enable=enable), self.act)

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def grant(self, *grants, kind="tokens", plugin="giver"):
        return self.act(self.tenant, plugin, lambda ctx: ctx.grant(kind, grants))

    def states(self, *grants, **more):
        return [one.state for one in self.grant(*grants, **more)]

    def revoke(self, *revocations, kind="tokens", plugin="giver"):
        self.act(self.tenant, plugin, lambda ctx: ctx.revoke(kind, revocations))

    def spend(self, *spends, kind="tokens", plugin="giver"):
        self.act(self.tenant, plugin, lambda ctx: ctx.spend(kind, spends))

    def held(self, *who):
        return self.act(self.tenant, "giver", lambda ctx: ctx.balance("tokens", who))

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def spent(self, plugin="giver"):
        return dict(
            self.rows(
                """
                SELECT month, sum(spent) FROM core.budget
                WHERE tenant_id = :tenant AND plugin = :plugin GROUP BY month
                """,
                plugin=plugin,
            )
        )

    def save(self, plugin="giver", **what):
        with self.platform.database.tenant(self.tenant.id) as scope:
            registry, keyring = self.platform.registry, self.platform.keyring
            switches.save_settings(
                scope, self.tenant, registry, keyring, plugin, {}, revision=None, by="t", **what
            )

    def disable(self, plugin):
        with self.platform.database.tenant(self.tenant.id) as scope:
            act = self.platform.act
            return switches.disable(scope, self.tenant, self.platform.registry, plugin, by="t", act=act).state

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]


@pytest.fixture
def house(platform, make_tenant, act):
    tenant = make_tenant(f"shop-{secrets.token_hex(4)}", enable=("giver", "rival", "tokens"))
    made = House(platform, tenant, act)
    yield made
    assert made.violations() == []


@pytest.fixture
def ann(house):
    return house.member("ann")
