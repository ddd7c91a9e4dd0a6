"""A store with bonus days, and another tactic that multiplies points."""

import secrets
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from sqlalchemy import text

from threepeat.events import collections
from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl, multiplier
from threepeat.tenancy import members, tenants
from threepeat.worker.loop import Worker
from threepeat_orders.plugin import plugin as orders
from threepeat_points.plugin import plugin as points

NOON = datetime(2026, 1, 10, 4, tzinfo=UTC)
"""Noon of the store's day, in Asia/Shanghai; its clock goes on from there while a test runs."""
SOON = NOON + timedelta(hours=1)


class Booster(Plugin[PluginSettings]):
    """Multiplies points by what a test sets."""

    manifest = Manifest(id="booster", kind="tactic", title="Booster", summary="Multiplies.", holdout="none")
    settings_model = PluginSettings
    factor = Fraction(1)

    @hookimpl
    def multipliers(self):
        yield multiplier("points", lambda _ctx, moments: [self.factor] * len(moments))


@pytest.fixture(scope="module")
def registry():
    return Registry.load((plugin.manifest.id, plugin) for plugin in (orders, Booster(), points))


@pytest.fixture
def booster(registry):
    plugin = registry["booster"].plugin
    yield plugin
    vars(plugin).clear()


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory, registry):
    """One platform for a file; every test makes a tenant of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry) as opened:
        assert not opened.registry.quarantined
        yield opened


class Shop:
    """A store that earns points; its clock stands where a test sets it."""

    def __init__(self, platform, tenant, send):
        self.platform, self.tenant, self.send = platform, tenant, send
        self.at(NOON)

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)

    def ask(self, function, *given, **named):
        """Call one of core's functions on the bonus days."""
        with self.platform.database.directory() as connection:
            tenant = tenants.by_id(connection, self.tenant.id)
        with self.platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            return function(self.platform.inside(scope, tenant), "points", "bonus_days", *given, **named)

    def draft(self, factor="2", first="2026-01-10", last=None, **more):
        given = {"name": "Day", "factor": factor, "first_day": first, "last_day": last or first, **more}
        return self.ask(collections.create, given, by="t")

    def act(self, item, action):
        return self.ask(collections.act, item.id, action, revision=item.revision, by="t")

    def publish(self, *given, **named):
        return self.act(self.draft(*given, **named), "publish")

    def close(self, item):
        return self.act(item, "close")

    def read(self, item):
        return self.ask(collections.read, item.id)

    def paid(self, order, total, *, at=SOON, member="ann"):
        data = {"order_id": order, "total": total, "currency": self.tenant.store.currency}
        self.send(self.tenant, "order.paid", member, time=at, **data)

    def refunded(self, refund, amount, order=None, *, at=SOON, member="ann"):
        currency = self.tenant.store.currency
        data = {"refund_id": refund, "order_id": order, "amount": amount, "currency": currency}
        self.send(self.tenant, "order.refunded", member, time=at, **data)

    def serve(self, config=None):
        Worker(self.platform, config).drain()
        assert self.rows("SELECT error FROM core.dead_letter WHERE tenant_id = :tenant") == []

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def earned(self):
        """What each order holds after refunds, by order, once the worker has run; promises are kept meanwhile."""
        self.serve()
        assert self.violations() == []
        return dict(self.rows("SELECT order_id, granted - reversed FROM points.lot WHERE tenant_id = :tenant"))

    def balance(self):
        self.serve()
        lots = "SELECT coalesce(sum(remaining), 0)::bigint FROM points.lot WHERE tenant_id = :tenant"
        debts = "SELECT coalesce(sum(debt), 0)::bigint FROM points.account WHERE tenant_id = :tenant"
        return self.rows(lots)[0][0], self.rows(debts)[0][0]

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]


@pytest.fixture
def open_shop(platform, make_tenant, send):
    def make(*, enable=("points",), **more):
        return Shop(platform, make_tenant(f"shop-{secrets.token_hex(4)}", enable=enable, **more), send)

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    yield made
    assert made.violations() == []
