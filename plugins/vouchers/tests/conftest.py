"""A store with vouchers, a tactic that gives them, and a till that prices baskets and holds what counts."""

import itertools
import secrets
from datetime import UTC, date, datetime, time, timedelta

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import collections, merging
from threepeat.events.context import Cause
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.sdk import (
    Basket,
    BasketLine,
    Grant,
    Hold,
    Manifest,
    Plugin,
    PluginSettings,
    Reduction,
    Returned,
    Revocation,
    Stage,
    hookimpl,
    price_rule,
)
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.tenancy.settings import UNCHANGED
from threepeat.testing.fixtures import NO_LIMITS, serving
from threepeat.testing.postbox import Postbox
from threepeat_vouchers.plugin import plugin as vouchers

DAY = timedelta(days=1)
FIRST = date(2026, 3, 2)
FIXED = {"name": "Five off", "kind": "fixed", "amount": 500}


class Giver(Plugin[PluginSettings]):
    """Gives what tests ask it for, and has a price of its own where a test says so."""

    settings_model = PluginSettings
    manifest = Manifest(id="giver", kind="tactic", title="Giver", summary="Gives.", holdout="none")

    def __init__(self):
        self.prices = ()

    @hookimpl
    def price_rules(self):
        yield price_rule("price", stage=Stage.MEMBER, quote=lambda *_: list(self.prices))


class Till(Plugin[PluginSettings]):
    """Prices baskets."""

    manifest = Manifest(id="till", kind="service", title="Till", summary="Prices baskets.")
    settings_model = PluginSettings


GIVER = Giver()


@pytest.fixture(scope="module")
def postbox():
    return Postbox()


@pytest.fixture(scope="module")
def registry(postbox):
    return Registry.load((one.manifest.id, one) for one in (vouchers, GIVER, Till(), postbox))


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory, registry):
    """One platform for a file; every test makes a store of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry, pool_size=34) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with (
        serving(platform, HttpConfig(**NO_LIMITS)) as url,
        httpx2.Client(base_url=url, timeout=60) as made,
    ):
        yield made


def basket(*lines, shipping=800, chosen=None):
    """Lines as (sku, price) or (sku, price, category)."""
    made = [
        BasketLine(id=f"l{place}", sku=one[0], quantity=1, unit_price=one[1], category=(*one, "")[2])
        for place, one in enumerate(lines)
    ]
    choices = {} if chosen is None else {"vouchers": chosen}
    return Basket(lines=tuple(made), shipping=shipping, choices=choices)


class Shop:
    """A store whose members hold vouchers; `day` counts from the first, at noon."""

    def __init__(self, platform, client, send, worker):
        self.platform, self.client, self.send, self.worker = platform, client, send, worker
        self.tenant = open_store(platform, f"shop-{secrets.token_hex(4)}", holdout=0, enable=["giver"], by="test")
        self._numbers = itertools.count(1)
        self.day(0)

    # --- time and people

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)

    def day(self, number, *clock):
        local = datetime.combine(FIRST + number * DAY, time(*(clock or (12,))), tzinfo=self.tenant.store.timezone)
        self.at(local.astimezone(UTC))

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def merge(self, source, target):
        with self.platform.database.tenant(self.tenant.id) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            merging.merge(self.platform, scope, self.tenant, *ids, by="test")

    # --- what the merchant does

    def _managed(self, work):
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            return work(self.platform.inside(scope, current))

    def draft(self, what="templates", /, **values):
        made = {**FIXED, **values} if what == "templates" else values
        return self._managed(lambda opened: collections.create(opened, "vouchers", what, made, by="test"))

    def item(self, item, name="templates"):
        return self._managed(lambda opened: collections.read(opened, "vouchers", name, item))

    def step(self, item, action, name="templates"):
        revision = self.item(item, name).revision
        return self._managed(
            lambda opened: collections.act(opened, "vouchers", name, item, action, revision=revision, by="test")
        )

    def change(self, item, what="templates", /, **values):
        seen = self.item(item, what)
        given = {**seen.values.model_dump(mode="json"), **values}
        return self._managed(
            lambda opened: collections.update(
                opened, "vouchers", what, item, given, revision=seen.revision, by="test"
            )
        )

    def file(self, item, name="batches"):
        return self._managed(lambda opened: collections.download(opened, "vouchers", name, item, by="test"))

    def template(self, **values):
        made = self.draft(**values)
        self.step(made.id, "activate")
        return made.id

    def codes(self, template, size):
        """The codes of a new batch, as the file has them."""
        made = self.draft("batches", name="Flyer", template=template, size=size)
        self.worker.drain()
        lines = self.file(made.id).decode("utf-8-sig").splitlines()
        assert lines[0] == "Number,Code"
        return [line.split(",")[1] for line in lines[1:]]

    def save(self, plugin="vouchers", /, monthly_budget=UNCHANGED, **values):
        with self.platform.database.tenant(self.tenant.id) as scope:
            registry, keyring = self.platform.registry, self.platform.keyring
            more = {"monthly_budget": monthly_budget}
            switches.save_settings(
                scope, self.tenant, registry, keyring, plugin, values, revision=None, by="test", **more
            )

    # --- what others do with vouchers

    def act(self, plugin, work, *, member=None):
        def inside(opened):
            cause = Cause(secrets.token_hex(8))
            context = opened.context(self.platform.registry[plugin], cause=cause, member=member)
            answer = work(context)
            context.finish()
            return answer

        return self._managed(inside)

    def grant(self, template, *who, amount=1, cause=None):
        cause = cause or f"c{next(self._numbers)}"
        grants = [Grant(self.member(name), amount, "gift", cause, item=template) for name in who]
        return self.act("giver", lambda ctx: ctx.grant("vouchers", grants))

    def give(self, template, name="ann"):
        """One voucher for a member; returns its id."""
        (given,) = self.grant(template, name)
        assert given.state == "granted", given
        return self.rows("SELECT id FROM vouchers.voucher WHERE grant_key = :key", key=given.key)[0][0]

    def revoke(self, granted, amount=None):
        self.act("giver", lambda ctx: ctx.revoke("vouchers", [Revocation(granted.key, amount)]))

    def usable(self, name="ann"):
        member = self.member(name)
        return self.act("giver", lambda ctx: ctx.balance("vouchers", [member])).get(member, 0)

    def quote(self, *lines, name="ann", chosen=None, **more):
        member = self.member(name) if name else None
        wanted = basket(*(lines or (("tea", 10_000),)), chosen=chosen, **more)
        return self.act("till", lambda ctx: ctx.pricing.quote(member, wanted))

    def tell(self, what, *given):
        self.act("till", lambda ctx: getattr(ctx.pricing, what)(given))

    def holds(self, quote, reservation=None, name="ann"):
        reservation = reservation or f"q{next(self._numbers)}"
        return [
            Hold(
                reservation=reservation,
                plugin=one.plugin,
                rule=one.rule,
                key=one.key,
                member=self.member(name),
                amount=one.amount,
                shares=one.shares,
                shipping=one.shipping,
                data=one.data,
                order_id=f"order-{reservation}",
            )
            for one in quote.applied
            if one.held
        ]

    def reserve(self, *lines, name="ann", chosen=None, **more):
        """Quote and reserve; returns the holds."""
        found = self.holds(self.quote(*lines, name=name, chosen=chosen, **more), name=name)
        self.tell("reserve", *found)
        return found

    def back(self, holds, amount=0, *, whole=False):
        self.tell("returned", *(Returned(hold=one, reference="r", amount=amount, whole=whole) for one in holds))

    # --- what members do

    def ask(self, method, path, name="ann", **more):
        signed = keys.sign_token(
            self.platform.keyring, self.tenant.id, self.member(name), name, timedelta(hours=1)
        )
        headers = {"Authorization": f"Bearer {signed[0]}", "Idempotency-Key": secrets.token_hex(8)}
        headers |= more.pop("headers", {})
        return self.client.request(method, f"/v1/me/vouchers/{path}", headers=headers, **more)

    def claim(self, template, name="ann"):
        return self.ask("POST", "claim", name, json={"template": template})

    def enter(self, code, name="ann"):
        return self.ask("POST", "codes", name, json={"code": code})

    def wallet(self, shelf="usable", name="ann"):
        answer = self.ask("GET", f"wallet?shelf={shelf}", name)
        assert answer.status_code == 200, answer.text
        return {one["id"]: one["state"] for one in answer.json()["vouchers"]}

    # --- what is so

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def state(self, voucher):
        return self.rows("SELECT state FROM vouchers.voucher WHERE id = :id", id=voucher)[0][0]

    def events(self, kind):
        self.worker.drain()
        return self.rows("SELECT data FROM core.event WHERE type = :kind ORDER BY position", kind=kind)

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]


@pytest.fixture
def open_shop(platform, client, send, worker):
    def make():
        GIVER.prices = ()
        return Shop(platform, client, send, worker)

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    yield made
    assert made.violations() == []


@pytest.fixture
def member_price():
    """Lets the giver's price rule take something off before vouchers are asked."""

    def say(amount, group="member"):
        GIVER.prices = (Reduction("Member price", amount, group=group),)

    yield say
    GIVER.prices = ()
