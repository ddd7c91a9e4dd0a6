"""A store with tiers: its events, mornings, merges, and what its members see."""

from datetime import UTC, date, datetime, time, timedelta
from secrets import token_hex
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import collections, merging
from threepeat.events.context import Cause
from threepeat.events.verify import verify
from threepeat.sdk import Period
from threepeat.tenancy import members, switches, tenants
from threepeat.tenancy.switches import UNCHANGED
from threepeat.testing.fixtures import serving

ZONE = ZoneInfo("Asia/Shanghai")
NOON = time(12)
FIRST = date(2025, 1, 10)
"""The day on which the store opens, unless a test says otherwise."""


def noon(day):
    return datetime.combine(day, NOON, ZONE).astimezone(UTC)


class Shop:
    """One store, whose clock stands on the noon of a day."""

    def __init__(self, kit, store, day=FIRST):
        self.kit, self.store, self.platform = kit, store, kit.platform
        self.at(day)

    # --- What happens ---

    def event(self, kind, member, day=None, **data):
        money = {"currency": "CNY"} if kind in {"order.paid", "order.refunded"} else {}
        when = data.pop("time", None) or noon(day or self.day)
        return self.kit.send.event(kind, member, time=when, **money, **data)

    def order(self, member, order, yuan, day=None, **more):
        return self.event("order.paid", member, day, order_id=order, total=yuan * 100, **more)

    def refund(self, member, refund, yuan, order, day=None, **more):
        return self.event(
            "order.refunded", member, day, refund_id=refund, amount=yuan * 100, order_id=order, **more
        )

    def batch(self, *events):
        verdicts = [item.verdict for item in self.kit.send.batch(self.store, events)]
        self.kit.worker.drain()
        return verdicts

    def paid(self, *order, **more):
        self.batch(self.order(*order, **more))

    def refunded(self, *refund, **more):
        self.batch(self.refund(*refund, **more))

    def at(self, day):
        """Let it be noon of a day, and let the worker do what the days before have brought."""
        self.clock(day)
        self.kit.worker.drain()

    def clock(self, day):
        """Let it be noon of a day that no worker has seen yet."""
        self.day = day
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.store.id, noon(day))

    def merge(self, source, target):
        current = self._current()
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            merging.merge(self.platform, scope, current, *ids, by="test")
        self.kit.worker.drain()

    # --- What the merchant does ---

    def save(self, budget=UNCHANGED, holdout=None, **values):
        with self.platform.database.tenant(self.store.id) as scope:
            switches.save_settings(
                scope, self.store, self.platform.registry, self.platform.keyring, "tiers", values,
                revision=None, holdout_percent=holdout, monthly_budget=budget, by="test",
            )  # fmt: skip

    def switch(self, plugin, *, on):
        current = self._current()
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            act = switches.enable if on else switches.disable
            return act(scope, current, self.platform.registry, plugin, by="test", act=self.platform.act)

    def inside(self, work):
        """Do something with the open store."""
        current = self._current()
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            return work(self.platform.inside(scope, current))

    def tier(self, level, **values):
        """Make a tier, or change the one of this level."""

        def work(opened):
            form = {"level": level, "name": f"T{level}", **values}
            known = {item.id: item for item in collections.find(opened, "tiers", "tiers", _query()).items}
            there = known.get(str(level))
            if there is None or there.state != "active":
                return collections.create(opened, "tiers", "tiers", form, by="test")
            return collections.update(opened, "tiers", "tiers", there.id, form, revision=there.revision, by="test")

        return self.inside(work)

    def retire(self, level):
        def work(opened):
            there = collections.read(opened, "tiers", "tiers", str(level))
            return collections.act(
                opened, "tiers", "tiers", there.id, "retire", revision=there.revision, by="test"
            )

        return self.inside(work)

    def grant(self, customer, level, last_day, reason="a kindness"):
        form = {"customer": customer, "level": level, "last_day": str(last_day), "reason": reason}
        made = self.inside(lambda opened: collections.create(opened, "tiers", "grants", form, by="test"))
        self.kit.worker.drain()
        return made

    def withdraw(self, grant):
        def work(opened):
            there = collections.read(opened, "tiers", "grants", grant.id)
            return collections.act(
                opened, "tiers", "grants", there.id, "withdraw", revision=there.revision, by="test"
            )

        done = self.inside(work)
        self.kit.worker.drain()
        return done

    # --- What is so ---

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.store.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def write(self, query, **binds):
        with self.platform.database.ops.begin() as ops:
            ops.execute(text(query), {"tenant": self.store.id, **binds})

    def member(self, name):
        with self.platform.database.tenant(self.store.id) as scope:
            return members.find(scope, name)

    def levels(self):
        """The tier of every member, by name; the alarms have to be silent."""
        assert self.faults() == []
        return dict(
            self.rows("""
                SELECT i.value, s.level FROM tiers.standing s
                JOIN core.identity i ON i.tenant_id = s.tenant_id AND i.member_id = s.member_id AND i.kind = 'shop'
                WHERE s.tenant_id = :tenant
            """)
        )

    def level(self, name):
        return self.levels().get(name, 0)

    def faults(self):
        """Broken promises, and events and deadlines that could not be handled."""
        letters = self.rows("SELECT plugin, error FROM core.dead_letter WHERE tenant_id = :tenant")
        letters += self.rows(
            "SELECT plugin, error FROM core.timer WHERE tenant_id = :tenant AND error IS NOT NULL"
        )
        return letters + [f"{one.owner}.{one.name}" for one in verify(self.platform, self.store) if one.rows]

    def told(self, kind="tier.changed"):
        return self.rows(
            "SELECT data FROM core.event WHERE tenant_id = :tenant AND type = :kind ORDER BY position", kind=kind
        )

    def gifts(self, name):
        """What a member was given: occasion, level, period, kind, amount."""
        return self.rows(
            """
            SELECT occasion, level, period, state, amount FROM tiers.gift
            WHERE tenant_id = :tenant AND member_id = :member ORDER BY decided_at, occasion, level, period, number
            """,
            member=self.member(name),
        )

    def points(self, name):
        """What core knows that the tactic gave."""
        query = """
            SELECT coalesce(sum(amount - revoked), 0)::int FROM core.reward
            WHERE tenant_id = :tenant AND plugin = 'tiers' AND member_id = :member
        """
        return self.rows(query, member=self.member(name))[0][0]

    def call(self, method, path, member, **given):
        key = {"authorization": f"Bearer {self.kit.make_key(self.store, 'manage')}"}
        token = self.kit.client.post(f"/v1/members/{member}/token", headers=key).json()["token"]
        headers = {"authorization": f"Bearer {token}", "idempotency-key": token_hex(8)}
        return self.kit.client.request(method, f"/v1/me/tiers{path}", headers=headers, **given)

    def mine(self, member):
        answer = self.call("GET", "/tier", member)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ask(self, work, plugin="tiers"):
        """What a piece of work says that is given a context."""
        return self.inside(
            lambda opened: work(opened.context(self.platform.registry[plugin], cause=Cause("test")))
        )

    def metric(self, name, days=3):
        def answer(ctx):
            last = ctx.now.astimezone(ctx.tenant.timezone).date()
            span = [last - timedelta(days=days - 1 - number) for number in range(days)]
            begin = datetime.combine(span[0], time(), ctx.tenant.timezone)
            period = Period(span, begin, begin + timedelta(days=days))
            return self.platform.registry["tiers"].metrics[name].answer(ctx, period)

        return self.ask(answer)

    def _current(self):
        with self.platform.database.directory() as connection:
            return tenants.by_id(connection, self.store.id)


def _query():
    from threepeat.sdk import Query

    return Query(limit=100)


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory):
    """One platform for a file; every test makes a store of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made


@pytest.fixture
def make_shop(platform, make_tenant, send, worker, client, make_key):
    kit = SimpleNamespace(platform=platform, send=send, worker=worker, client=client, make_key=make_key)

    def make(enable=("points", "tiers"), day=FIRST, **opening):
        store = make_tenant(f"tea-{token_hex(4)}", enable=enable, **opening)
        return Shop(kit, store, day)

    return make


@pytest.fixture
def shop(make_shop):
    """A store with the first tiers: level 1 from 0, 2 from 1,000 (kept by 800), 3 from 5,000 (kept by 4,000)."""
    return make_shop()
