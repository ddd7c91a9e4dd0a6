"""A store that sells blind boxes over its checkout, as its server and its members' phones see it."""

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
from threepeat.sdk import Grant, Manifest, Plugin, PluginSettings, Revocation
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.testing.fixtures import NO_LIMITS, Sender, serving
from threepeat.worker.loop import Worker
from threepeat_blindbox.plugin import plugin as blindbox
from threepeat_checkout.plugin import plugin as checkout

DAY = timedelta(days=1)
FIRST = date(2026, 3, 2)
PRICE = 5_900
ITEMS = (
    {"sku": "cup", "name": "Cup", "weight": 60, "value": 4_900},
    {"sku": "pan", "name": "Pan", "weight": 30, "value": 6_900, "guide": "Goes well with rice."},
    {"sku": "owl", "name": "Owl", "weight": 10, "value": 19_900, "hidden": True},
)
FORM = {"name": "Kitchen", "sku": "box", "price": PRICE, "items": ITEMS, "daily_boxes": None}


class Giver(Plugin[PluginSettings]):
    """Gives what tests ask it for."""

    settings_model = PluginSettings
    manifest = Manifest(id="giver", kind="tactic", title="Giver", summary="Gives.", holdout="none")


@pytest.fixture(scope="module")
def registry():
    return Registry.load((one.manifest.id, one) for one in (checkout, blindbox, Giver()))


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


class Shop:
    """A store with blind boxes; `day` counts from the first, at noon."""

    def __init__(self, platform, client, holdout=0):
        self.platform, self.client = platform, client
        self.worker, self.sender = Worker(platform), Sender(platform)
        slug = f"shop-{secrets.token_hex(4)}"
        self.tenant = open_store(platform, slug, holdout=holdout, enable=["blindbox", "giver"], by="test")
        self._numbers = itertools.count(1)
        self._members, self._text = {}, None
        with platform.database.tenant(self.tenant.id) as scope:
            self.key = keys.create_key(scope, platform.keyring, "test", ["manage", "ingest"], by="test")
        self.day(0)

    # --- time and people

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)
        self.now = moment

    def day(self, number, hour=12):
        local = datetime.combine(FIRST + number * DAY, time(hour), tzinfo=self.tenant.store.timezone)
        self.at(local.astimezone(UTC))

    def member(self, name="ann"):
        if name not in self._members:
            with self.platform.database.tenant(self.tenant.id) as scope:
                self._members[name] = members.resolve(scope, self.platform.keyring, [name])[name]
        return self._members[name]

    def merge(self, source, target):
        ids = self.member(source), self.member(target)
        with self.platform.database.tenant(self.tenant.id) as scope:
            merging.merge(self.platform, scope, self.tenant, *ids, by="test")
        self._members.clear()

    # --- what the merchant does

    def managed(self, work):
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            return work(self.platform.inside(scope, current))

    def draft(self, **values):
        made = {**FORM, **values}
        return self.managed(lambda opened: collections.create(opened, "blindbox", "series", made, by="test")).id

    def item(self, series):
        return self.managed(lambda opened: collections.read(opened, "blindbox", "series", series))

    def step(self, series, action):
        revision = self.item(series).revision
        return self.managed(
            lambda opened: collections.act(
                opened, "blindbox", "series", series, action, revision=revision, by="test"
            )
        )

    def change(self, series, **values):
        seen = self.item(series)
        given = {**seen.values.model_dump(mode="json"), **values}
        return self.managed(
            lambda opened: collections.update(
                opened, "blindbox", "series", series, given, revision=seen.revision, by="test"
            )
        )

    def series(self, **values):
        made = self.draft(**values)
        self.step(made, "publish")
        return made

    def save(self, **values):
        with self.platform.database.tenant(self.tenant.id) as scope:
            registry, keyring = self.platform.registry, self.platform.keyring
            switches.save_settings(
                scope, self.tenant, registry, keyring, "blindbox", values, revision=None, by="test"
            )

    def switch(self, verb):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return getattr(switches, verb)(
                scope, self.tenant, self.platform.registry, "blindbox", by="test", act=self.platform.act
            )

    def act(self, plugin, work):
        def inside(opened):
            context = opened.context(self.platform.registry[plugin], cause=Cause(secrets.token_hex(8)))
            answer = work(context)
            context.finish()
            return answer

        return self.managed(inside)

    def grant(self, series, name="ann", amount=1, cause=None):
        given = Grant(self.member(name), amount, "gift", cause or f"c{next(self._numbers)}", item=series)
        return self.act("giver", lambda ctx: ctx.grant("blindbox.draw", [given]))[0]

    def revoke(self, granted, amount=None):
        self.act("giver", lambda ctx: ctx.revoke("blindbox.draw", [Revocation(granted.key, amount)]))

    # --- what the shop's server does

    def call(self, method, path, **body):
        headers = {"Authorization": f"Bearer {self.key}"}
        return self.client.request(method, f"/v1/{path}", headers=headers, json=body or None)

    def quote(self, name="ann", boxes=1, *, sku="box", version=None, nonce=None, price=PRICE):
        """A quote; without a version the one on sale now."""
        seen = version if version is not None else self.version(sku)
        chosen = {"version": seen} | ({"nonce": nonce} if nonce else {})
        lines = [{"id": "1", "sku": sku, "quantity": boxes, "unit_price": price}]
        self.member(name)
        answer = self.call("POST", "quotes", lines=lines, member=name, choices={"blindbox": chosen})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def reserve(self, quote):
        return self.call("POST", f"quotes/{quote['id']}/reserve")

    def held(self, name="ann", boxes=1, **more):
        """A quote that is reserved."""
        found = self.quote(name, boxes, **more)
        answer = self.reserve(found)
        assert answer.status_code == 200, answer.text
        return found

    def release(self, quote):
        answer = self.call("POST", f"quotes/{quote['id']}/release")
        assert answer.status_code == 200, answer.text

    def event(self, kind, name="ann", **data):
        return self.sender(self.tenant, kind, name, time=self.now, **data)

    def paid(self, order, name="ann", boxes=1, *, quote=None, sku="box", amount=None, wait=True, **more):
        amount = PRICE * boxes if amount is None else amount
        lines = [{"sku": sku, "quantity": boxes, "amount": amount}]
        if quote is not None:
            more["reservation_id"] = quote["id"]
        self.event("order.paid", name, order_id=order, total=amount, currency="CNY", lines=lines, **more)
        if wait:
            self.worker.drain()

    def refunded(self, order, name="ann", boxes=0, *, amount, sku="box", refund=None):
        lines = [{"sku": sku, "quantity": boxes, "amount": amount}] if boxes else []
        self.event(
            "order.refunded",
            name,
            refund_id=refund or f"r{next(self._numbers)}",
            order_id=order,
            amount=amount,
            currency="CNY",
            lines=lines,
        )
        self.worker.drain()

    def buy(self, name="ann", boxes=1, *, order=None, declared=True, **more):
        """Quote, reserve and pay; the order's id."""
        order = order or f"order-{next(self._numbers)}"
        if declared:
            self.declare(name)
        self.paid(order, name, boxes, quote=self.held(name, boxes, **more), sku=more.get("sku", "box"))
        return order

    # --- what members do

    def ask(self, method, path, name="ann", **body):
        signed = keys.sign_token(
            self.platform.keyring, self.tenant.id, self.member(name), name, timedelta(hours=1)
        )
        headers = {"Authorization": f"Bearer {signed[0]}"}
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(8)
        return self.client.request(method, f"/v1/me/blindbox/{path}", headers=headers, json=body or None)

    def declare(self, name="ann", kind="adult"):
        self._text = self._text or self.ask("GET", "series", name).json()["age"]["text_version"]
        answer = self.ask("POST", "age", name, kind=kind, text_version=self._text)
        assert answer.status_code == 200, answer.text

    def shelf(self, name="ann"):
        answer = self.ask("GET", "series", name)
        assert answer.status_code == 200, answer.text
        return {one["sku"]: one for one in answer.json()["series"]}

    def version(self, sku="box"):
        rows = self.rows("SELECT pool FROM blindbox.series WHERE sku = :sku AND state = 'on_sale'", sku=sku)
        return rows[0][0] if rows else "0" * 64

    def boxes(self, name="ann"):
        """The member's boxes, the oldest first."""
        answer = self.ask("GET", "boxes", name)
        assert answer.status_code == 200, answer.text
        return answer.json()["boxes"][::-1]

    def items(self, name="ann"):
        return [one["item"] for one in self.boxes(name)]

    def open(self, box, name="ann", **more):
        return self.ask("POST", "boxes/open", name, box=box, **({"version": self.version()} | more))

    def use(self, series, name="ann", **more):
        return self.ask("POST", "chances/use", name, series=series, **({"version": self.version()} | more))

    def evidence(self, series, name="ann"):
        answer = self.ask("GET", f"evidence/{series}", name)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # --- what is so

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def events(self, kind):
        self.worker.drain()
        return [
            row[0]
            for row in self.rows("SELECT data FROM core.event WHERE type = :kind ORDER BY position", kind=kind)
        ]

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]


@pytest.fixture(scope="module")
def kept(platform, client):
    """One store for the tests of a file that leave it as it is."""
    return Shop(platform, client)


@pytest.fixture
def open_shop(platform, client):
    def make(**more):
        return Shop(platform, client, **more)

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    yield made
    assert made.violations() == []
