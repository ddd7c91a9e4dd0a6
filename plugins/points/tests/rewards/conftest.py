"""A store with points, a tactic that gives them and a till that takes them."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from fastapi import Query
from sqlalchemy import text

from threepeat.events import collections
from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.sdk import (
    Grant,
    Manifest,
    Plugin,
    PluginSettings,
    Refused,
    Revocation,
    Spend,
    hookimpl,
    post,
    reward,
)
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.tenancy.settings import UNCHANGED
from threepeat.testing.postbox import Postbox
from threepeat_orders.plugin import plugin as orders
from threepeat_points import redemptions
from threepeat_points.plugin import plugin as points

HOUR = timedelta(hours=1)


class Giver(Plugin[PluginSettings]):
    """Gives what tests ask it for."""

    settings_model = PluginSettings

    def __init__(self, name):
        self.manifest = Manifest(id=name, kind="tactic", title=name, summary="Gives.", holdout="none")


class Till(Plugin[PluginSettings]):
    """Takes points for orders."""

    manifest = Manifest(id="till", kind="service", title="Till", summary="Takes points.")
    settings_model = PluginSettings

    @hookimpl
    def routes(self):
        yield post("/pay", self.pay, summary="Pay with points", always=True)

    def pay(self, ctx, points: int, order: Annotated[str, Query(max_length=1000)]) -> dict[str, int]:
        ctx.spend("points", [Spend(ctx.member, points, order)])
        return ctx.balance("points", [ctx.member]) or {"nobody": 0}


class Treats(Plugin[PluginSettings]):
    """Keeps a reward of which the store has two, each worth 500 minor units; the second has run out.

    Attributes:
        given: What was given and taken back, as (key, item, amount); a transaction that is undone leaves it.
    """

    manifest = Manifest(id="treats", kind="service", title="Treats", summary="Keeps treats.")
    settings_model = PluginSettings

    def __init__(self):
        self.given = []

    @hookimpl
    def rewards(self):
        yield reward(
            "treats",
            title={"en": "treat", "zh": "小礼物"},
            grant=self.grant,
            revoke=lambda _, revoked: self.given.extend((one.key, "back", one.amount) for one in revoked),
            balance=lambda *_: {},
            cost=lambda _, amount, item: 500 * amount,  # noqa: ARG005 - all cost the same
            items=lambda _: {"tea": "Tea", "gone": "Gone"},
        )

    def grant(self, ctx, granted):
        del ctx
        self.given += [(one.key, one.grant.item, one.grant.amount) for one in granted]
        return [one.key for one in granted if one.grant.item == "gone"]


@pytest.fixture(scope="module")
def treats():
    return Treats()


@pytest.fixture(scope="module")
def postbox():
    return Postbox()


@pytest.fixture(scope="module")
def registry(treats, postbox):
    plugins = [orders, points, Giver("giver"), Giver("rival"), Till(), treats, postbox]
    return Registry.load((plugin.manifest.id, plugin) for plugin in plugins)


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory, registry):
    """One platform for a file; every test makes a tenant of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry, pool_size=16) as opened:
        yield opened


class Shop:
    """A store in which others give and take points."""

    def __init__(self, platform, tenant, act, send, worker):
        self.platform, self.tenant, self.act, self.send, self.worker = platform, tenant, act, send, worker

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def grant(self, member, points, cause, *, plugin="giver"):
        return self.act(
            self.tenant, plugin, lambda ctx: ctx.grant("points", [Grant(member, points, "gift", cause)])
        )[0]

    def revoke(self, one, points=None, *, plugin="giver"):
        self.act(self.tenant, plugin, lambda ctx: ctx.revoke("points", [Revocation(one.key, points)]))

    def spend(self, *spends, plugin="till"):
        self.act(self.tenant, plugin, lambda ctx: ctx.spend("points", spends))

    def held(self, *who):
        return self.act(self.tenant, "till", lambda ctx: ctx.balance("points", who))

    def paid(self, name, order, total, **more):
        currency = self.tenant.store.currency
        self.send(self.tenant, "order.paid", name, order_id=order, total=total, currency=currency, **more)
        self.worker.drain()

    def refunded(self, name, refund, amount, order=None, **more):
        currency = self.tenant.store.currency
        data = {"refund_id": refund, "order_id": order, "amount": amount, "currency": currency}
        self.send(self.tenant, "order.refunded", name, **data, **more)
        self.worker.drain()

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def lots(self, member):
        """(granted, remaining) by expiry."""
        return self.rows(
            """
            SELECT granted, remaining FROM points.lot WHERE tenant_id = :tenant AND member_id = :member
            ORDER BY expires_at NULLS LAST, earned_at, id
            """,
            member=member,
        )

    def debt(self, member):
        found = self.rows(
            "SELECT debt FROM points.account WHERE tenant_id = :tenant AND member_id = :member", member=member
        )
        return found[0][0] if found else 0

    def takes_part(self, member, *, plugin="points"):
        return self.act(self.tenant, plugin, lambda ctx: ctx.takes_part(member))

    def save(self, plugin="points", /, monthly_budget=UNCHANGED, holdout_percent=None, **values):
        with self.platform.database.tenant(self.tenant.id) as scope:
            registry, keyring = self.platform.registry, self.platform.keyring
            more = {"monthly_budget": monthly_budget, "holdout_percent": holdout_percent}
            switches.save_settings(
                scope, self.tenant, registry, keyring, plugin, values, revision=None, by="t", **more
            )

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)

    def pass_days(self, days):
        with self.platform.database.ops.begin() as ops:
            ops.execute(
                text("UPDATE core.tenant SET clock_offset = clock_offset + :by WHERE id = :id"),
                {"by": timedelta(days=days), "id": self.tenant.id},
            )

    def nights(self, days):
        """Let days pass, and a worker do what is due by then."""
        self.pass_days(days)
        with self.platform.database.tenant(self.tenant.id) as scope:
            scope.run(text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)"))
        self.worker.drain()

    def balance(self, name="ann"):
        """(available, waiting, debt), as the member reads it."""
        member = self.member(name)
        row = self.act(self.tenant, "points", lambda ctx: ctx.sql("balance", member=member))[0]
        return row.available, row.pending, row.debt

    def accounts(self):
        """What the store's accounts come to: available, pending, debt, liability, expense, breakage."""
        found = self.rows("""
            SELECT coalesce(sum(available), 0), coalesce(sum(pending), 0), coalesce(sum(debt), 0),
                   coalesce(sum(liability), 0), coalesce(sum(expense), 0), coalesce(sum(breakage), 0)
            FROM points.entry WHERE tenant_id = :tenant
        """)
        return tuple(map(int, found[0]))

    def told(self, kind):
        """The data of the events of a type, in the order of the log."""
        rows = self.rows(
            "SELECT data FROM core.event WHERE tenant_id = :tenant AND type = :kind ORDER BY position", kind=kind
        )
        return [data for (data,) in rows]

    def token(self, name):
        made = keys.sign_token(self.platform.keyring, self.tenant.id, self.member(name), name, HOUR)[0]
        return {"Authorization": f"Bearer {made}"}

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]


class Counter:
    """A store's catalogue, as its merchant and its members use it."""

    def __init__(self, shop):
        self.shop = shop

    def inside(self, work):
        shop = self.shop
        with shop.platform.database.directory() as connection:
            tenant = tenants.by_id(connection, shop.tenant.id)
        with shop.platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            return work(shop.platform.inside(scope, tenant))

    def make(self, *, publish=True, **values):
        given = {"name": "Mug", "kind": "goods", "price": 30, **values}
        item = self.inside(lambda opened: collections.create(opened, "points", "catalogue", given, by="t"))
        if publish:
            item = self.act("catalogue", item.id, "publish")
        return int(item.id)

    def act(self, name, item, step):
        def work(opened):
            seen = collections.read(opened, "points", name, str(item))
            return collections.act(opened, "points", name, str(item), step, revision=seen.revision, by="t")

        return self.inside(work)

    def read(self, name, item):
        return self.inside(lambda opened: collections.read(opened, "points", name, str(item)))

    def redeem(self, item, who="ann", price=30, *, drain=True):
        def work(ctx):
            return redemptions.redeem(ctx, item, price, secrets.token_hex(8)).id

        made = self.shop.act(self.shop.tenant, "points", work, member=self.shop.member(who))
        if drain:
            self.shop.worker.drain()
        return made

    def refused(self, item, who="ann", price=30):
        with pytest.raises(Refused) as refused:
            self.redeem(item, who, price)
        return refused.value.code


@pytest.fixture
def counter():
    """Where a shop's points are redeemed: `counter(shop)`."""
    return Counter


@pytest.fixture
def open_shop(platform, make_tenant, act, send, worker):
    def make(**more):
        enable = ("giver", "rival", "points")
        tenant = make_tenant(f"shop-{secrets.token_hex(4)}", enable=enable, **more)
        return Shop(platform, tenant, act, send, worker)

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.at(datetime(2026, 1, 10, 12, tzinfo=UTC))
    yield made
    assert made.violations() == []


@pytest.fixture
def ann(shop):
    return shop.member("ann")
