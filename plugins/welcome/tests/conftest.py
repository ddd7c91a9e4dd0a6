"""A store that welcomes newcomers, and what its members have after it."""

from datetime import UTC, datetime, timedelta
from secrets import token_hex

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import merging
from threepeat.events.context import Cause
from threepeat.events.verify import verify
from threepeat.sdk import Period
from threepeat.tenancy import members, switches, tenants
from threepeat.tenancy.switches import UNCHANGED
from threepeat.testing.fixtures import serving

NOW = datetime.now(UTC)


class Shop:
    """Registrations, orders, refunds and merges of one store."""

    def __init__(self, platform, store, send, worker, client, make_key):
        self.platform, self.store, self._send, self._worker = platform, store, send, worker
        self._client, self._make_key = client, make_key

    def event(self, kind, member, **data):
        money = {"currency": "CNY"} if kind in {"order.paid", "order.refunded"} else {}
        return self._send.event(kind, member, **money, **data)

    def batch(self, *events):
        items = self._send.batch(self.store, events)
        self._worker.drain()
        return [item.verdict for item in items]

    def registered(self, *names, **more):
        self.batch(*(self.event("member.registered", name, **more) for name in names))

    def paid(self, name, order, total=10_000, **more):
        self.batch(self.event("order.paid", name, order_id=order, total=total, **more))

    def refunded(self, name, refund, amount, order, **more):
        self.batch(self.event("order.refunded", name, refund_id=refund, amount=amount, order_id=order, **more))

    def save(self, plugin="welcome", budget=UNCHANGED, holdout=None, **values):
        with self.platform.database.tenant(self.store.id) as scope:
            switches.save_settings(
                scope, self.store, self.platform.registry, self.platform.keyring, plugin, values,
                revision=None, holdout_percent=holdout, monthly_budget=budget, by="test",
            )  # fmt: skip

    def switch(self, plugin, *, on):
        with self.platform.database.directory() as connection:
            store = tenants.by_id(connection, self.store.id)
        with self.platform.database.tenant(store.id, clock_offset=store.clock_offset) as scope:
            act = switches.enable if on else switches.disable
            return act(scope, store, self.platform.registry, plugin, by="test", act=self.platform.act)

    def later(self, **span):
        """Put the store's clock forward, and let the worker look."""
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.store.id, datetime.now(UTC) + timedelta(**span))
        self._worker.drain()

    def merge(self, source, target):
        with self.platform.database.tenant(self.store.id) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            merging.merge(self.platform, scope, self.store, *ids, by="test")
        self._worker.drain()

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.store.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def points(self, name):
        """What a member got of this tactic, less what was taken back."""
        query = """
            SELECT coalesce(sum(r.amount - r.revoked), 0)::int FROM core.reward r
            JOIN core.identity i ON i.tenant_id = r.tenant_id AND i.member_id = r.member_id
            WHERE r.tenant_id = :tenant AND i.value = :name AND r.plugin = 'welcome'
        """
        assert self.faults() == []
        return self.rows(query, name=name)[0][0]

    def gifts(self):
        return self.rows("SELECT part, number, state FROM welcome.gift WHERE tenant_id = :tenant ORDER BY id")

    def faults(self):
        """Broken promises, and events that could not be handled."""
        letters = self.rows("SELECT plugin, error FROM core.dead_letter WHERE tenant_id = :tenant")
        return letters + [f"{one.owner}.{one.name}" for one in verify(self.platform, self.store) if one.rows]

    def pack(self, name):
        key = {"authorization": f"Bearer {self._make_key(self.store, 'manage')}"}
        token = self._client.post(f"/v1/members/{name}/token", headers=key).json()["token"]
        answer = self._client.get("/v1/me/welcome/pack", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, work):
        """What a piece of work says that is given a context."""
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.store.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            opened = self.platform.inside(scope, current)
            return work(opened.context(self.platform.registry["welcome"], cause=Cause("test")))

    def metric(self, name, days=3):
        def answer(ctx):
            today = ctx.now.astimezone(ctx.tenant.timezone).date()
            span = [today - timedelta(days=days - 1 - number) for number in range(days)]
            begin = datetime.combine(span[0], datetime.min.time(), ctx.tenant.timezone)
            period = Period(span, begin, begin + timedelta(days=days))
            return self.platform.registry["welcome"].metrics[name].answer(ctx, period)

        return self.ask(answer)


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory):
    """One platform for a file; every test makes a tenant of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made


@pytest.fixture
def make_shop(platform, make_tenant, send, worker, client, make_key):
    def make(enable=("points", "welcome"), slug=None):
        store = make_tenant(slug or f"tea-{token_hex(4)}", enable=enable)
        return Shop(platform, store, send, worker, client, make_key)

    return make


@pytest.fixture
def shop(make_shop):
    return make_shop()
