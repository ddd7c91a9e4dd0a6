"""A store with a checkout, and a stall whose rules keep what they take."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from threepeat.events import merging
from threepeat.events.context import Cause
from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.sdk import Basket, BasketLine
from threepeat.tenancy import keys, members, switches, tenants
from threepeat_checkout.plugin import plugin as checkout
from threepeat_checkout.quotes import Quotes

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LINES = (
    BasketLine(id="tea", sku="t", quantity=3, unit_price=1_000, category="tea"),
    BasketLine(id="cup", sku="c", quantity=1, unit_price=4_500, category="cups"),
    BasketLine(id="tin", sku="n", quantity=7, unit_price=143, category="tea"),
)


@pytest.fixture(scope="module")
def registry():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent / "toys")
        from stall_toy import Stall
    return Registry.load((plugin.manifest.id, plugin) for plugin in (checkout, Stall()))


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory, registry):
    """One platform for a file; every test makes a tenant of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry, pool_size=34) as opened:
        yield opened


class Shop:
    """A store that sells, as its server and its worker see it."""

    def __init__(self, platform, tenant, send, worker):
        self.platform, self.tenant, self._send, self.worker = platform, tenant, send, worker
        self.currency = tenant.store.currency

    # --- what is there --------------------------------------------------------------------------------------

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def put(self, item, number):
        self.call(lambda ctx: ctx.sql("put", item=item, number=number), plugin="stall")

    def fill(self, name, number):
        self.put(f"purse {self.member(name)}", number)

    def left(self, item):
        return self.rows("SELECT remaining FROM stall.stock WHERE item = :item", item=item)[0][0]

    def purse(self, name="ann"):
        return self.left(f"purse {self.member(name)}")

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def letters(self):
        return self.rows("SELECT plugin, error FROM core.dead_letter WHERE tenant_id = :tenant")

    def violations(self):
        return self.letters() + [
            f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows
        ]

    def asked_back(self):
        return [
            tuple(row)
            for row in self.rows("""
                SELECT data ->> 'order_id', (data ->> 'amount')::bigint, data ->> 'reason' FROM core.event
                WHERE tenant_id = :tenant AND type = 'refund.requested' ORDER BY position
            """)
        ]

    def save(self, **values):
        with self.platform.database.tenant(self.tenant.id) as scope:
            registry, keyring = self.platform.registry, self.platform.keyring
            switches.save_settings(
                scope, self.tenant, registry, keyring, "checkout", values, revision=None, by="t"
            )

    # --- time -----------------------------------------------------------------------------------------------

    def at(self, moment, *, drain=True):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)
        self.now = moment
        if drain:
            self.worker.drain()

    def wait(self, minutes, *, drain=True):
        self.at(self.now + timedelta(minutes=minutes), drain=drain)

    # --- what is asked of the checkout ----------------------------------------------------------------------

    def call(self, work, *, plugin="checkout", member=None):
        """Ask as a command does: the member is locked first."""
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            if member is not None:
                switches.stand_still(scope)
                assert members.current(scope, member, hold=True) is not None
            opened = self.platform.inside(scope, current)
            context = opened.context(self.platform.registry[plugin], cause=Cause(secrets.token_hex(8)))
            answer = work(context)
            context.finish()
            return answer

    def quote(self, name="ann", lines=LINES, shipping=800, **choices):
        member = self.member(name) if name else None
        basket = Basket(lines=lines, shipping=shipping, choices={"stall": choices})
        return self.call(lambda ctx: Quotes(ctx).quote(member, basket), member=member)

    def ask(self, what, quote, *given):
        return self.call(lambda ctx: getattr(Quotes(ctx), what)(quote.id, *given), member=quote.member)

    def reserved(self, name="ann", **more):
        return self.ask("reserve", self.quote(name, **more))

    def read(self, quote):
        return self.call(lambda ctx: Quotes(ctx).read(quote.id))

    def state(self, quote):
        return self.read(quote).state

    # --- what the shop reports ------------------------------------------------------------------------------

    def event(self, kind, name, **data):
        return self._send.event(kind, name, **{"time": self.now, **data})

    def batch(self, *events, drain=True):
        verdicts = [item.verdict for item in self._send.batch(self.tenant, events)]
        if drain:
            self.worker.drain()
        return verdicts

    def created(self, quote, order="o1", name="ann"):
        money = {"total": quote.quote.total, "currency": self.currency}
        return self.event("order.created", name, order_id=order, reservation_id=quote.id, **money)

    def paid(self, quote, order="o1", name="ann", total=None, **more):
        money = {"total": quote.quote.total if total is None else total, "currency": self.currency}
        return self.event("order.paid", name, order_id=order, reservation_id=quote.id, **money, **more)

    def cancelled(self, order="o1", name="ann"):
        return self.event("order.cancelled", name, order_id=order)

    def refunded(self, amount, units=None, order="o1", refund=None, name="ann", quote=None, **more):
        lines = [{"sku": sku, "quantity": number, "amount": 0} for sku, number in (units or {}).items()]
        data = {"refund_id": refund or secrets.token_hex(8), "amount": amount, "currency": self.currency}
        data |= {"order_id": order, "lines": lines, "reservation_id": quote.id if quote else None}
        return self.event("order.refunded", name, **{k: v for k, v in data.items() if v is not None}, **more)

    def merge(self, source, target):
        with self.platform.database.tenant(self.tenant.id) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            merging.merge(self.platform, scope, self.tenant, *ids, by="test")
        self.worker.drain()

    def token(self, name):
        made = keys.sign_token(self.platform.keyring, self.tenant.id, self.member(name), name, HOUR)[0]
        return {"Authorization": f"Bearer {made}"}


@pytest.fixture
def open_shop(platform, registry, make_tenant, send, worker):
    registry["stall"].plugin.__init__()

    def make():
        shop = Shop(platform, make_tenant(f"shop-{secrets.token_hex(4)}"), send, worker)
        shop.at(START)
        return shop

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    made.put("a", 3)
    made.put("budget", 1_000)
    made.put("vans", 2)
    made.fill("ann", 5_000)
    yield made
    assert made.violations() == []


@pytest.fixture
def stall(registry):
    plugin = registry["stall"].plugin
    plugin.__init__()
    yield plugin
    plugin.__init__()
