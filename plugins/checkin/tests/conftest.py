"""A store with check-ins and points, and members who tap on a phone."""

import itertools
import secrets
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import text

from threepeat.events import merging
from threepeat.events.context import Cause
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.sdk import Store
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.tenancy.settings import UNCHANGED
from threepeat.testing.fixtures import NO_LIMITS, serving
from threepeat_checkin.plugin import plugin as checkin
from threepeat_orders.plugin import plugin as orders
from threepeat_points.plugin import plugin as points

DAY = timedelta(days=1)
FIRST = date(2026, 3, 2)


@pytest.fixture(scope="module")
def registry():
    return Registry.load((one.manifest.id, one) for one in (checkin, orders, points))


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory, registry):
    """One platform for a file; every test makes a store of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry, pool_size=16) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with (
        serving(platform, HttpConfig(**NO_LIMITS)) as url,
        httpx2.Client(base_url=url, timeout=60) as made,
    ):
        yield made


class Shop:
    """A store whose members check in; `day` counts from the first, at noon."""

    def __init__(self, platform, client, send, worker, **store):
        self.platform, self.client, self.send, self.worker = platform, client, send, worker
        self.tenant = open_store(platform, f"shop-{secrets.token_hex(4)}", holdout=0, by="test", **store)
        self._orders = itertools.count()

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)

    def local(self, day, *clock):
        return datetime.combine(day, time(*(clock or (12,))), tzinfo=self.tenant.store.timezone).astimezone(UTC)

    def day(self, number):
        self.at(self.local(FIRST + number * DAY))

    def save(self, plugin="checkin", /, monthly_budget=UNCHANGED, **values):
        with self.platform.database.tenant(self.tenant.id) as scope:
            switches.save_settings(
                scope,
                self.tenant,
                self.platform.registry,
                self.platform.keyring,
                plugin,
                values,
                revision=None,
                by="test",
                monthly_budget=monthly_budget,
            )

    def leave_behind(self, **values):
        """Settings that were saved when the store still had what they name."""
        with self.platform.database.ops.begin() as ops:
            ops.execute(
                text("UPDATE core.activation SET settings = :values WHERE plugin = 'checkin' AND tenant_id = :id"),
                {"values": Jsonb(values), "id": self.tenant.id},
            )

    def off(self, plugin):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return switches.disable(
                scope, self.tenant, self.platform.registry, plugin, by="test", act=self.platform.act
            ).state

    def on(self, plugin):
        with self.platform.database.tenant(self.tenant.id) as scope:
            switches.enable(scope, self.tenant, self.platform.registry, plugin, by="test", act=self.platform.act)

    def ask(self, method, path, name="ann", **more):
        token = keys.sign_token(
            self.platform.keyring, self.tenant.id, self.member(name), name, timedelta(hours=1)
        )[0]
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": secrets.token_hex(8)}
        headers |= more.pop("headers", {})
        return self.client.request(method, f"/v1/me/checkin/{path}", headers=headers, **more)

    def tap(self, name="ann"):
        answer = self.ask("POST", "check-in", name)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def make_up(self, number, name="ann"):
        return self.ask("POST", "make-up", name, json={"day": f"{FIRST + number * DAY}"})

    def calendar(self, name="ann", month=None):
        answer = self.ask("GET", "calendar", name, params={"month": month} if month else {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def taps(self, *days, name="ann"):
        """Check in on some days, and give back the last answer."""
        for number in days:
            self.day(number)
            last = self.tap(name)
        return last

    def pay(self, name, *, number=0, order=None):
        data = {"order_id": order or f"o-{next(self._orders)}", "total": 100, "currency": "CNY"}
        self.send(self.tenant, "order.paid", name, time=self.local(FIRST + number * DAY), **data)

    def current(self, connection):
        """The tenant with its clock as it stands."""
        return tenants.by_id(connection, self.tenant.id)

    def merge(self, source, target):
        with self.platform.database.tenant(self.tenant.id) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            merging.merge(self.platform, scope, self.tenant, *ids, by="test")

    def act(self, plugin, work, *, member=None):
        with self.platform.database.directory() as connection:
            current = self.current(connection)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            opened = self.platform.inside(scope, current)
            cause = Cause(secrets.token_hex(8))
            context = opened.context(self.platform.registry[plugin], cause=cause, member=member)
            answer = work(context)
            context.finish()
        return answer

    def points(self, name="ann"):
        member = self.member(name)
        return self.act("checkin", lambda ctx: ctx.balance("points", [member])).get(member, 0)

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]


@pytest.fixture
def open_shop(platform, client, send, worker):
    def make(*, enable=("checkin", "points"), timezone="Asia/Shanghai", **settings):
        shop = Shop(platform, client, send, worker, enable=enable, timezone=timezone)
        if settings:
            shop.save(**settings)
        shop.day(0)
        return shop

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    yield made
    assert made.violations() == []


@pytest.fixture
def first():
    """The day from which tests count."""
    return FIRST


@pytest.fixture
def store():
    """A store as settings see it."""
    return Store(1, "tea", "Tea", "CNY", 100, ZoneInfo("Asia/Shanghai"))
