"""A store with orders and points, as its own server and its members' phones see it."""

from datetime import UTC, datetime, timedelta
from secrets import token_hex
from urllib.parse import quote

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import merging
from threepeat.events.verify import verify
from threepeat.tenancy import members
from threepeat.testing.fixtures import serving
from threepeat.worker.loop import Worker

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)

TABLES = """
    SELECT n.nspname || '.' || c.relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('core', 'orders', 'points')
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
      AND (n.nspname, c.relname) NOT IN (('core', 'backlog'), ('core', 'turn'))
"""
POINTS = """
    SELECT
        coalesce((SELECT sum(remaining) FROM points.lot WHERE tenant_id = :tenant AND member_id = :id), 0),
        coalesce((SELECT debt FROM points.account WHERE tenant_id = :tenant AND member_id = :id), 0),
        coalesce((SELECT sum(points) FROM points.entry WHERE tenant_id = :tenant AND member_id = :id), 0)
"""


class Shop:
    """A store with orders and points, as its own server and its members' phones see it."""

    def __init__(self, platform, tenant, send, client, key):
        self.platform, self.tenant, self._send, self.client = platform, tenant, send, client
        self.key = {"Authorization": f"Bearer {key}"}

    def paid(self, member, order, total, *, time=START):
        item = self._send(
            self.tenant,
            "order.paid",
            member,
            order_id=order,
            total=total,
            currency="CNY",
            time=time,
            id=f"paid-{order}",
        )
        assert item.verdict == "accepted"

    def refunded(self, member, refund, amount, order=None, *, time=START + DAY):
        data = {"refund_id": refund, "order_id": order, "amount": amount, "currency": "CNY"}
        self._send(self.tenant, "order.refunded", member, time=time, id=f"back-{refund}", **data)

    def serve(self):
        Worker(self.platform).drain()

    def put(self, *names, **change):
        for name in names:
            self.call("PUT", name, **change)

    def call(self, method, member, more="", key=None, **body):
        headers = {**self.key, **({"Idempotency-Key": key} if key else {})}
        address = f"/v1/members/{quote(member, safe='')}{more}"
        return self.client.request(method, address, headers=headers, **({} if method == "GET" else {"json": body}))

    def merge(self, source, target, key=None):
        return self.call("POST", target, "/merge", key, source=source)

    def token(self, member):
        return {"Authorization": f"Bearer {self.call('POST', member, '/token').json()['token']}"}

    def me(self, token, path=""):
        return self.client.get(f"/v1/me{path}", headers=token)

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return scope.run(text(query), **binds)

    def id(self, member):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.find(scope, member)

    def points(self, member):
        """(points in lots, debt, journal) of a member id, after the worker has run."""
        self.serve()
        row = self.rows(POINTS, id=member)[0]
        return tuple(map(int, row))

    def bought(self, member):
        found = self.rows("SELECT * FROM orders.buyer WHERE tenant_id = :tenant AND member_id = :id", id=member)
        return [(row.orders, row.paid, row.refunded, row.first_order_at, row.last_order_at) for row in found]

    def violations(self):
        return [f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows]

    def digest(self):
        """Every row of every table of the store."""
        with self.platform.database.tenant(self.tenant.id) as scope:
            return {
                row.name: sorted(map(repr, scope.run(text(f"SELECT * FROM {row.name} WHERE tenant_id = :tenant"))))
                for row in scope.run(text(TABLES))
            }

    def merge_ids(self, source, target):
        """A merge by core's ids, in a transaction of its own."""
        with self.platform.database.tenant(self.tenant.id) as scope:
            merging.merge(self.platform, scope, self.tenant, source, target, by="test")


@pytest.fixture(scope="module")
def platform(cluster, tmp_path_factory):
    """One platform for a file; every test makes stores of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=60) as made:
        yield made


@pytest.fixture
def open_shop(platform, make_tenant, send, client, make_key):
    def make(slug):
        tenant = make_tenant(f"{slug}-{token_hex(4)}", enable=("points",))
        return Shop(platform, tenant, send, client, make_key(tenant, "ingest", "manage"))

    return make


@pytest.fixture
def shop(open_shop):
    return open_shop("tea")
