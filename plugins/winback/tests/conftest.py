"""A store that wakes sleeping members, and what becomes of them."""

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

AGO = timedelta(days=300)


class Shop:
    """Orders, visits, mornings and merges of one store. Its clock stands on the noon of a day long ago."""

    def __init__(self, platform, store, send, worker, client, make_key):
        self.platform, self.store, self._send, self._worker = platform, store, send, worker
        self._client, self._make_key = client, make_key
        self.first = (datetime.now(UTC) - AGO).replace(hour=4, minute=0, second=0, microsecond=0)
        self.at(0)

    def day(self, number):
        """A local noon."""
        return self.first + timedelta(days=number)

    def event(self, kind, member, **data):
        money = {"currency": "CNY"} if kind in {"order.paid", "order.refunded"} else {}
        return self._send.event(kind, member, **money, **data)

    def batch(self, *events):
        verdicts = [item.verdict for item in self._send.batch(self.store, events)]
        self._worker.drain()
        return verdicts

    def order(self, name, order, day, total=10_000, **more):
        return self.event("order.paid", name, order_id=order, total=total, time=self.day(day), **more)

    def paid(self, *order, **more):
        self.batch(self.order(*order, **more))

    def refunded(self, name, refund, amount, order, day, **more):
        data = {"refund_id": refund, "amount": amount, "order_id": order, "time": self.day(day)}
        self.batch(self.event("order.refunded", name, **data, **more))

    def save(self, budget=UNCHANGED, holdout=None, **values):
        with self.platform.database.tenant(self.store.id) as scope:
            switches.save_settings(
                scope, self.store, self.platform.registry, self.platform.keyring, "winback", values,
                revision=None, holdout_percent=holdout, monthly_budget=budget, by="test",
            )  # fmt: skip

    def switch(self, plugin, *, on):
        with self.platform.database.directory() as connection:
            store = tenants.by_id(connection, self.store.id)
        with self.platform.database.tenant(store.id, clock_offset=store.clock_offset) as scope:
            act = switches.enable if on else switches.disable
            return act(scope, store, self.platform.registry, plugin, by="test", act=self.platform.act)

    def at(self, day):
        """Let it be noon of a day, and let the worker do what the morning brought."""
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.store.id, self.day(day))
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
            WHERE r.tenant_id = :tenant AND i.value = :name AND r.plugin = 'winback'
        """
        assert self.faults() == []
        return self.rows(query, name=name)[0][0]

    def offers(self):
        """Whom offers were made to, in their order, and how they stand."""
        return self.rows("""
            SELECT (SELECT min(i.value) FROM core.identity i
                    WHERE i.tenant_id = o.tenant_id AND i.member_id = o.member_id AND i.kind = 'shop'), o.state
            FROM winback.offer o WHERE o.tenant_id = :tenant ORDER BY o.id
        """)

    def woken(self):
        assert self.faults() == []
        return [name for name, _ in self.offers()]

    def faults(self):
        """Broken promises, and events that could not be handled."""
        letters = self.rows("SELECT plugin, error FROM core.dead_letter WHERE tenant_id = :tenant")
        return letters + [f"{one.owner}.{one.name}" for one in verify(self.platform, self.store) if one.rows]

    def offer(self, name):
        key = {"authorization": f"Bearer {self._make_key(self.store, 'manage')}"}
        token = self._client.post(f"/v1/members/{name}/token", headers=key).json()["token"]
        answer = self._client.get("/v1/me/winback/offer", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200, answer.text
        return answer.json()["offers"]

    def ask(self, work):
        """What a piece of work says that is given a context."""
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.store.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            opened = self.platform.inside(scope, current)
            return work(opened.context(self.platform.registry["winback"], cause=Cause("test")))

    def metric(self, name, days=3):
        def answer(ctx):
            today = ctx.now.astimezone(ctx.tenant.timezone).date()
            span = [today - timedelta(days=days - 1 - number) for number in range(days)]
            begin = datetime.combine(span[0], datetime.min.time(), ctx.tenant.timezone)
            period = Period(span, begin, begin + timedelta(days=days))
            return self.platform.registry["winback"].metrics[name].answer(ctx, period)

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
    def make(enable=("points", "winback")):
        store = make_tenant(f"tea-{token_hex(4)}", enable=enable)
        return Shop(platform, store, send, worker, client, make_key)

    return make


@pytest.fixture
def shop(make_shop):
    return make_shop()
