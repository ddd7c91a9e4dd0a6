"""A store with group buys, its checkout and its orders, as its server, its worker and its members see it."""

import itertools
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import collections, erasure, merging
from threepeat.events.context import Cause
from threepeat.events.metrics import period, report
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP
from threepeat.sdk import Basket, BasketLine, Checkout
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.testing.fixtures import NO_LIMITS, Sender, serving
from threepeat.worker.loop import Worker

START = datetime(2026, 3, 2, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEEDED = ("checkout", "orders", "groupbuy")
TEA = {"name": "Tea for two", "sku": "tea", "size": 2, "price": 6_000}
USUAL = 10_000


@pytest.fixture(scope="session")
def opening(cluster, tmp_path_factory):
    """Opens a platform with what is needed, and more if a test brings some, on a database of its own."""

    @contextmanager
    def opened(*more):
        found = [(one.name, one) for one in entry_points(group=GROUP) if one.name in NEEDED]
        registry = Registry.load([*found, *more])
        with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry, pool_size=36) as made:
            yield made

    return opened


@pytest.fixture(scope="session")
def shared(opening):
    with opening() as made:
        yield made


@pytest.fixture(scope="session")
def address(shared):
    with serving(shared, HttpConfig(**NO_LIMITS)) as url:
        yield url


@pytest.fixture(scope="module")
def platform(shared):
    """One platform for all files, which gives its connections back after each; tests have stores of their own."""
    yield shared
    shared.database.dispose()


@pytest.fixture(scope="module")
def client(address):
    with httpx2.Client(base_url=address, timeout=60) as made:
        yield made


class Shop:
    """A store; its clock stands still until a test lets time pass."""

    def __init__(self, platform, client=None):
        self.platform, self.client = platform, client
        self.tenant = open_store(platform, f"shop-{secrets.token_hex(4)}", holdout=0, enable=["groupbuy"], by="t")
        self.sender, self.worker = Sender(platform), Worker(platform)
        self.numbers = itertools.count(1)
        self.ids = {}
        self.at(START, drain=False)

    # --- time and people

    def at(self, moment, *, drain=True):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)
        self.now = moment
        if drain:
            self.worker.drain()

    def wait(self, *, drain=True, **span):
        """Let time pass; the clock also runs by itself, so nothing is looked at on the very edge."""
        self.at(self.now + timedelta(**span), drain=drain)

    def member(self, name="ann"):
        if name not in self.ids:
            with self.platform.database.tenant(self.tenant.id) as scope:
                self.ids[name] = members.resolve(scope, self.platform.keyring, [name])[name]
        return self.ids[name]

    def merge(self, source, target):
        with self.platform.database.tenant(self.tenant.id) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            merging.merge(self.platform, scope, self.tenant, *ids, by="test")
        self.ids.pop(source, None)
        self.worker.drain()

    def erase(self, name):
        with self.platform.database.tenant(self.tenant.id) as scope:
            asked = erasure.request(self.platform, scope, self.member(name), by="member")
        erasure.announce(self.platform, self.tenant, asked)
        erasure.complete(self.platform, self.tenant, asked)

    # --- what the merchant does

    def inside(self, work, *, member=None):
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            if member is not None:
                switches.stand_still(scope)
                assert members.current(scope, member, hold=True) is not None
            return work(self.platform.inside(scope, current))

    def act(self, plugin, work, *, member=None):
        """Act as a plugin does in a command: the member is locked first."""

        def inside(opened):
            context = opened.context(
                self.platform.registry[plugin], cause=Cause(secrets.token_hex(8)), member=member
            )
            answer = work(context)
            context.finish()
            return answer

        return self.inside(inside, member=member)

    def draft(self, **values):
        made = {**TEA, **values}
        return self.inside(lambda opened: collections.create(opened, "groupbuy", "campaigns", made, by="test")).id

    def item(self, item, name="campaigns"):
        return self.inside(lambda opened: collections.read(opened, "groupbuy", name, str(item)))

    def items(self, name):
        query = collections.Query()
        return self.inside(lambda opened: collections.find(opened, "groupbuy", name, query)).items

    def step(self, item, action, name="campaigns"):
        revision = self.item(item, name).revision
        return self.inside(
            lambda opened: collections.act(
                opened, "groupbuy", name, str(item), action, revision=revision, by="test"
            )
        )

    def change(self, item, **values):
        seen = self.item(item)
        given = {**seen.values.model_dump(mode="json"), **values}
        return self.inside(
            lambda opened: collections.update(
                opened, "groupbuy", "campaigns", item, given, revision=seen.revision, by="test"
            )
        )

    def campaign(self, **values):
        made = self.draft(**values)
        self.step(made, "activate")
        return made

    def save(self, plugin="groupbuy", /, **values):
        with self.platform.database.tenant(self.tenant.id) as scope:
            registry, keyring = self.platform.registry, self.platform.keyring
            switches.save_settings(scope, self.tenant, registry, keyring, plugin, values, revision=None, by="t")

    def switch(self, what="disable"):
        with self.platform.database.tenant(self.tenant.id, clock_offset=self.offset()) as scope:
            getattr(switches, what)(
                scope, self.tenant, self.platform.registry, "groupbuy", by="test", act=self.platform.act
            )
        self.worker.drain()

    def offset(self):
        with self.platform.database.directory() as connection:
            return tenants.by_id(connection, self.tenant.id).clock_offset

    def state(self):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return switches.activations(scope)["groupbuy"].state.value

    # --- what the shop asks its checkout, and what it reports

    def ask(self, what, name, *given):
        plugin, provided = self.platform.registry.provider(Checkout)
        member = self.member(name)
        return self.act(plugin.id, lambda ctx: getattr(provided.factory(ctx), what)(*given), member=member)

    def quote(self, name, campaign, group=None, *, quantity=1, others=(), shipping=0, choices=None, **more):
        lines = [BasketLine(id="l1", sku="tea", quantity=quantity, unit_price=USUAL)]
        lines += [
            BasketLine(id=f"o{place}", sku=sku, quantity=1, unit_price=price)
            for place, (sku, price) in enumerate(others)
        ]
        chosen = {"campaign": str(campaign), "group": None if group is None else str(group), **more}
        chosen = {"groupbuy": chosen if choices is None else choices}
        return self.ask(
            "quote",
            name,
            name and self.member(name),
            Basket(lines=tuple(lines), shipping=shipping, choices=chosen),
        )

    def reason(self, *given, **more):
        """Why a group price cannot be had."""
        (left,) = self.quote(*given, **more).quote.left_out
        return left.reason["en"]

    def reserve(self, name, campaign, group=None, **more):
        quote = self.quote(name, campaign, group, **more)
        assert [one.plugin for one in quote.quote.applied] == ["groupbuy"], quote.quote.left_out
        return self.ask("reserve", name, quote.id)

    def event(self, kind, name, **data):
        return self.sender.event(kind, name, time=self.now, **data)

    def batch(self, *events, drain=True):
        verdicts = {item.verdict for item in self.sender.batch(self.tenant, events)}
        assert verdicts <= {"accepted", "duplicate"}
        if drain:
            self.worker.drain()

    def paid(self, quote, name, order=None, total=None, **more):
        return self.event(
            "order.paid",
            name,
            order_id=order or f"o-{quote.id}",
            total=quote.quote.total if total is None else total,
            currency="CNY",
            reservation_id=quote.id,
            **more,
        )

    def refunded(self, quote, name, amount=None, refund=None, units=None, **more):
        return self.event(
            "order.refunded",
            name,
            refund_id=refund or secrets.token_hex(6),
            order_id=f"o-{quote.id}",
            amount=quote.quote.total if amount is None else amount,
            currency="CNY",
            lines=[{"sku": sku, "quantity": number, "amount": 0} for sku, number in (units or {}).items()],
            **more,
        )

    def pay(self, quote, name, **more):
        self.batch(self.paid(quote, name, **more))
        return quote

    def buy(self, name, campaign, group=None, **more):
        """Quote, hold and pay; returns the quote, whose order is called after it."""
        return self.pay(self.reserve(name, campaign, group, **more), name)

    def open(self, name, campaign, **more):
        """Open a group; returns its id."""
        self.buy(name, campaign, **more)
        return self.seat(name)[1]

    # --- what members do

    def call(self, method, path, name="ann", **more):
        signed = keys.sign_token(self.platform.keyring, self.tenant.id, self.member(name), name, HOUR)
        headers = {"Authorization": f"Bearer {signed[0]}", "Idempotency-Key": secrets.token_hex(8)}
        headers |= more.pop("headers", {})
        return self.client.request(method, f"/v1/me/groupbuy/{path}", headers=headers, **more)

    def leave(self, group, name):
        return self.call("POST", f"groups/{group}/leave", name)

    # --- what is so

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def seat(self, name):
        """State and group of a member's newest seat."""
        (found, *_rest) = self.rows(
            "SELECT state, team_id FROM groupbuy.seat WHERE member_id = :member ORDER BY held_at DESC, place DESC",
            member=self.member(name),
        )
        return found

    def seats(self):
        """States of all seats, by member."""
        found = self.rows("SELECT member_id, state FROM groupbuy.seat ORDER BY held_at")
        names = {number: name for name, number in self.ids.items()}
        return {names[member]: state for member, state in found}

    def team(self, group):
        """State, seats taken and joined of a group."""
        return self.rows("SELECT state, taken, joined FROM groupbuy.team WHERE id = :id", id=group)[0]

    def head(self, group):
        names = {number: name for name, number in self.ids.items()}
        found = self.rows(
            "SELECT member_id FROM groupbuy.seat WHERE team_id = :id AND leads AND state = 'joined'", id=group
        )
        return [names[member] for (member,) in found]

    def refunds(self):
        """Order, amount, reason and state of each refund."""
        return self.rows("SELECT order_id, amount, reason, state FROM groupbuy.refund ORDER BY id")

    def sent(self, kind):
        self.worker.drain()
        return [
            row[0]
            for row in self.rows("SELECT data FROM core.event WHERE type = :kind ORDER BY position", kind=kind)
        ]

    def asked_back(self):
        return [(one["order_id"], one["amount"], one["reason"]) for one in self.sent("refund.requested")]

    def metrics(self, days=7):
        def work(opened):
            plugin = self.platform.registry["groupbuy"]
            return report(opened, plugin, period(opened.tenant.store, opened.scope.now, days))

        reported = self.inside(work)
        assert [one.error for one in reported] == [None] * 5
        return {one.metric.name: one.answer for one in reported}

    def violations(self):
        letters = self.rows("SELECT plugin, error FROM core.dead_letter WHERE tenant_id = :tenant")
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        return letters + [f"{one.owner}.{one.name}" for one in verify(self.platform, current) if one.rows]


@pytest.fixture
def open_shop(platform, request):
    def make(*, http=False):
        return Shop(platform, request.getfixturevalue("client") if http else None)

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop(http=True)
    yield made
    assert made.violations() == []


@pytest.fixture(scope="module")
def bare(platform):
    """A store for tests that leave nothing in it."""
    made = Shop(platform)
    yield made
    assert made.violations() == []
