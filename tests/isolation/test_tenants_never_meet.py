"""Two stores that use the same words for everything, and every statement that might bring them together."""

import base64
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.database.config import connect
from threepeat.database.engine import Database
from threepeat.database.lint import DIRECTORY
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.plugins.registry import GROUP
from threepeat.sdk.migrations import Roles
from threepeat.tenancy import keys, members, switches
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster, serving
from threepeat.worker.loop import Worker

GHOST = 10**6
"""The id of a tenant that does not exist."""

CUSTOMERS = ("ann", "bob", "张伟")
BATCH = {"Content-Type": "application/cloudevents-batch+json"}


# ---- two stores over HTTP -------------------------------------------------------------------------------------


@dataclass
class Shop:
    """A store as its own server and its members' phones see it.

    Attributes:
        price: In minor units, what each of its orders costs.
        rate: Points per whole unit.
    """

    tenant: Tenant
    client: httpx2.Client
    key: str
    price: int
    rate: int

    @property
    def slug(self) -> str:
        return self.tenant.store.slug

    def call(self, method: str, path: str, token: str | None = None, **given: Any) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token or self.key}", **given.pop("headers", {})}
        return self.client.request(method, path, headers=headers, **given)

    def token(self, customer: str) -> str:
        answer = self.call("POST", f"/v1/members/{customer}/token")
        assert answer.status_code == 200, answer.text
        found: str = answer.json()["token"]
        return found

    def send(self, *events: Mapping[str, Any]) -> dict[str, Any]:
        answer = self.call("POST", "/v1/events", content=json.dumps(events), headers=BATCH)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def trade(self) -> dict[str, Any]:
        """Two orders of each customer, and half of bob's first order refunded: the same ids in every store."""
        orders = [
            event(f"paid-{customer}-{number}", "order.paid", customer, self.order(f"{customer}-{number}"))
            for customer in CUSTOMERS
            for number in (1, 2)
        ]
        refund = {"refund_id": "r-1", "order_id": "bob-1", "amount": self.price // 2, "currency": "CNY"}
        return self.send(*orders, event("refund-1", "order.refunded", "bob", refund))

    def order(self, order_id: str) -> dict[str, Any]:
        line = {"sku": "tea", "quantity": 1, "amount": self.price, "category": "tea"}
        return {"order_id": order_id, "total": self.price, "currency": "CNY", "lines": [line]}

    def expected(self, customer: str) -> int:
        """The points of a customer after `trade`."""
        whole = self.price // 100 * self.rate
        return 2 * whole - (whole - (self.price - self.price // 2) // 100 * self.rate if customer == "bob" else 0)


def event(key: str, kind: str, subject: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": key,
        "source": "shop",
        "type": kind,
        "subject": subject,
        "time": "2026-01-02T03:04:05Z",
        "data": data,
    }


@pytest.fixture(scope="module")
def platform(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for a file; every test makes stores of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data")) as opened:
        yield opened


@pytest.fixture(scope="module")
def client(platform: Platform) -> Iterator[httpx2.Client]:
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant(f"first-{secrets.token_hex(4)}")


@pytest.fixture
def other_tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    return make_tenant(f"second-{secrets.token_hex(4)}")


@pytest.fixture
def shops(platform: Platform, client: httpx2.Client) -> tuple[Shop, Shop]:
    return two_shops(platform, client)


def two_shops(platform: Platform, client: httpx2.Client) -> tuple[Shop, Shop]:
    made = []
    for slug, price, rate in (("first", 10_000, 1), ("second", 77_700, 3)):
        tenant = open_store(platform, f"{slug}-{secrets.token_hex(4)}", enable=("points",), holdout=0, by="test")
        with platform.database.tenant(tenant.id) as scope:
            switches.save_settings(
                scope,
                tenant,
                platform.registry,
                platform.keyring,
                "points",
                {"points_per_unit": rate},
                revision=None,
                holdout_percent=0,
                by="test",
            )
            key = keys.create_key(scope, platform.keyring, "test", ("ingest", "manage"), by="test")
        made.append(Shop(tenant, client, key, price, rate))
    return made[0], made[1]


def assert_apart(*shops: Shop) -> None:
    """Every store and every member sees its own, and nothing else."""
    for shop in shops:
        tactics = shop.call("GET", "/v1/tactics").json()["tactics"]
        assert [one["settings"] for one in tactics if one["id"] == "points"] == [{"points_per_unit": shop.rate}]
        reported = shop.call("GET", "/v1/metrics/points").json()["plugins"][0]["metrics"]
        held = {one["name"]: one["answer"] for one in reported}["held"]
        assert held["value"] == sum(map(shop.expected, CUSTOMERS))
        for customer in CUSTOMERS:
            token = shop.token(customer)
            me = shop.call("GET", "/v1/me", token).json()
            assert (me["external_id"], me["store"]) == (customer, shop.slug)
            balance = shop.call("GET", "/v1/me/points/balance", token).json()
            assert balance["available"] == shop.expected(customer)
            history = shop.call("GET", "/v1/me/points/history", token).json()["entries"]
            assert sum(one["points"] for one in history) == shop.expected(customer)
            references = [f"order:{customer}-2", f"order:{customer}-1"]
            if customer == "bob":
                references.insert(0, "refund:r-1")
            assert [one["reference"] for one in history] == references
            member = shop.call("GET", f"/v1/members/{customer}").json()
            assert member["exempt"] is (customer == "ann" and shop is shops[1])


@pytest.fixture
def policies(platform: Platform, request: pytest.FixtureRequest) -> Iterator[None]:
    """Row-level security as a test wants it."""
    if not request.param:
        switch_policies(platform.database, "DISABLE")
    yield
    if not request.param:
        switch_policies(platform.database, "ENABLE")


@pytest.mark.parametrize(
    "policies", [True, False], ids=["with row-level security", "by the statements alone"], indirect=True
)
@pytest.mark.usefixtures("policies")
def test_two_stores_with_the_same_ids_stay_apart(platform: Platform, shops: tuple[Shop, Shop], worker: Worker):
    first, second = shops
    for shop in shops:
        receipt = shop.trade()
        assert receipt["accepted"] == 7
        assert [item["position"] for item in receipt["items"]] == list(range(1, 8))
    worker.drain()
    second.call("PUT", "/v1/members/ann", json={"exempt": True})
    assert_apart(first, second)

    again = second.trade()
    assert (again["accepted"], again["duplicate"]) == (0, 7)
    assert [item["position"] for item in again["items"]] == list(range(1, 8))
    worker.drain()
    assert_apart(first, second)

    late = event("late", "page.viewed", "ann", {"page": "home"})
    head = heads(platform)
    assert head[first.tenant.id] == head[second.tenant.id]  # what points emitted is counted in both
    assert first.send(late)["items"][0]["position"] == head[first.tenant.id] + 1
    assert heads(platform) == {**head, first.tenant.id: head[first.tenant.id] + 1}


def heads(platform: Platform) -> dict[int, int]:
    with platform.database.ops.connect() as ops:
        return {row.tenant_id: row.head for row in ops.execute(text("SELECT tenant_id, head FROM core.stream"))}


def test_a_row_that_strays_into_the_other_store_is_seen(
    platform: Platform, shops: tuple[Shop, Shop], worker: Worker
):
    for shop in shops:
        shop.trade()
    worker.drain()
    shops[1].call("PUT", "/v1/members/ann", json={"exempt": True})
    assert_apart(*shops)
    with platform.database.tenant(shops[0].tenant.id) as scope:
        ann = members.get(scope, "ann").id
    with platform.database.ops.begin() as ops:
        moved = ops.execute(
            text(
                "UPDATE points.entry SET tenant_id = :first, member_id = :ann, reference = 'order:stray'"
                " WHERE tenant_id = :second AND reference = 'order:bob-2'"
            ),
            {"first": shops[0].tenant.id, "second": shops[1].tenant.id, "ann": ann},
        )
        assert moved.rowcount == 1
    with pytest.raises(AssertionError):
        assert_apart(*shops)


def test_a_key_reaches_the_members_of_its_own_store_alone(shops: tuple[Shop, Shop]):
    first, second = shops
    second.call("PUT", "/v1/members/only-second", json={})
    assert second.call("GET", "/v1/members/only-second").status_code == 200
    assert first.call("GET", "/v1/members/only-second").status_code == 404
    assert first.call("POST", "/v1/members/only-second/token").status_code == 404
    missing = first.call("GET", "/v1/members/nobody")
    foreign = first.call("GET", "/v1/members/only-second")
    assert foreign.text.replace("only-second", "nobody") == missing.text


def test_a_key_of_one_store_cannot_be_turned_into_one_of_another(shops: tuple[Shop, Shop]):
    first, second = shops
    forged = first.key.replace(f"tp_live_{first.tenant.id}_", f"tp_live_{second.tenant.id}_")
    assert forged != first.key
    for key in (forged, first.key.replace(f"_{first.tenant.id}_", f"_{GHOST}_")):
        assert second.call("GET", "/v1/tactics", key).status_code == 401
        late = json.dumps([event("late", "page.viewed", "ann", {"page": "home"})])
        assert second.call("POST", "/v1/events", key, content=late, headers=BATCH).status_code == 401


def test_a_member_token_of_one_store_is_worth_nothing_in_another(
    platform: Platform, shops: tuple[Shop, Shop], worker: Worker
):
    first, second = shops
    for shop in shops:
        shop.trade()
    worker.drain()
    token = first.token("ann")
    head, claims, signature = token.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert read["tid"] == first.tenant.id
    for change in ({"tid": second.tenant.id}, {"sub": str(int(read["sub"]) + 1)}, {"tid": GHOST}):
        forged = base64.urlsafe_b64encode(json.dumps({**read, **change}).encode()).rstrip(b"=").decode()
        assert first.call("GET", "/v1/me", f"{head}.{forged}.{signature}").status_code == 401

    # Even a token that core itself would have signed with the wrong store opens nothing of the right one.
    with platform.database.tenant(first.tenant.id) as scope:
        ann = members.get(scope, "ann").id
    life = timedelta(minutes=5)
    crossed, _ = keys.sign_token(platform.keyring, second.tenant.id, ann, "ann", life)
    for path in ("/v1/me", "/v1/me/points/balance", "/v1/me/points/history", "/v1/me/consents"):
        assert first.call("GET", path, crossed).status_code == 401
    ghostly, _ = keys.sign_token(platform.keyring, GHOST, ann, "ann", life)
    assert first.call("GET", "/v1/me", ghostly).status_code == 401


def test_a_members_own_events_go_into_the_members_own_store(platform: Platform, shops: tuple[Shop, Shop]):
    first, second = shops
    for shop in shops:
        shop.call("PUT", "/v1/members/ann", json={})
    mine = event("seen", "page.viewed", "bob", {"page": "home"})
    del mine["time"]
    answer = first.call("POST", "/v1/events", first.token("ann"), content=json.dumps([mine]), headers=BATCH)
    assert answer.json()["accepted"] == 1, answer.text
    with platform.database.ops.connect() as ops:
        found = ops.execute(text("SELECT tenant_id, subject FROM core.event WHERE id = 'seen'")).all()
    assert [tuple(row) for row in found] == [(first.tenant.id, "ann")]
    assert heads(platform)[second.tenant.id] == 0


# ---- a corpus of statements -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Relation:
    """A table that holds rows of several tenants, as the catalogue describes it."""

    schema: str
    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    required: Mapping[str, str]

    def __str__(self) -> str:
        return f'{self.schema}."{self.name}"'

    @property
    def other(self) -> str:
        """A column besides tenant_id, if there is one."""
        return self.columns[-1]


TABLES = """
    SELECT n.nspname, c.relname,
           array_agg(a.attname::text ORDER BY a.attnum),
           (SELECT array_agg(k.attname::text ORDER BY array_position(x.indkey::int2[], k.attnum))
            FROM pg_index x JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (x.indkey)
            WHERE x.indrelid = c.oid AND x.indisprimary),
           coalesce(jsonb_object_agg(a.attname, coalesce(
               (SELECT min(substring(pg_get_constraintdef(k.oid) FROM '''[a-z_]+''::text')) FROM pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]),
               format_type(a.atttypid, NULL))) FILTER (
               WHERE a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attname <> 'tenant_id'), '{}')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')
      AND c.relname <> 'alembic_version' AND NOT (n.nspname = 'core' AND c.relname = ANY (%s))
    GROUP BY n.nspname, c.relname, c.oid ORDER BY 1, 2
"""

SAMPLES = {
    "text": "'x'",
    "bigint": "7",
    "integer": "7",
    "smallint": "7",
    "boolean": "true",
    "bytea": "'\\x00'",
    "jsonb": "'{}'",
    "timestamp with time zone": "'2026-01-02T03:04:05Z'",
    "date": "'2026-01-01'",
    "bigint[]": "'{}'",
    "text[]": "'{}'",
}


@contextmanager
def raw(database: Database, role: str, tenant: int | None = None) -> Iterator[psycopg.Connection[Any]]:
    """A psycopg connection of a role, inside a tenant's transaction or outside of any; never commits by itself."""
    if tenant is None:
        with getattr(database, role).connect() as connection:
            yield connection.connection.driver_connection
    else:
        with database.tenant(tenant) as scope:
            yield scope.connection.connection.driver_connection


def relations(database: Database) -> list[Relation]:
    with raw(database, "ops") as ops:
        return [
            Relation(schema, name, tuple(columns), tuple(key), required)
            for schema, name, columns, key, required in ops.execute(TABLES, (list(DIRECTORY),))
        ]


TOGETHER = {("core", "staff"): {"id": "bigint", "email": "text"}}
"""Columns that a CHECK over several of them asks for, or that others point to."""


def insert_any(relation: Relation, tenant: int) -> str:
    """An INSERT of a row with something that its type and its CHECK take in every column that needs it."""
    needed = {**relation.required, **TOGETHER.get((relation.schema, relation.name), {})}
    columns = ["tenant_id", *needed]
    values = [str(tenant), *(kind if "'" in kind else SAMPLES[kind] for kind in needed.values())]
    return f"INSERT INTO {relation} ({', '.join(columns)}) VALUES ({', '.join(values)})"


@dataclass(frozen=True)
class Attempt:
    """A statement and how to tell whether it reached a foreign row.

    Attributes:
        measure: `seen`: the first column of each row is a tenant. `count`: the first value counts rows.
            `touched`: the statement's row count. `copied`: lines of COPY begin with the tenant.
            `refused`: it must fail.
        own: How many rows of the own tenant it may count or touch.
    """

    template: str
    relation: Relation
    steps: tuple[str, ...]
    measure: str
    own: int = 0


READS = {
    "select all": "SELECT * FROM {t}",
    "select by the other tenant": "SELECT tenant_id FROM {t} WHERE tenant_id = {b}",
    "select by any other tenant": "SELECT tenant_id FROM {t} WHERE tenant_id <> {a}",
    "select with an escape": "SELECT tenant_id FROM {t} WHERE tenant_id = {a} OR true",
    "whole row": "SELECT (x).tenant_id FROM {t} x",
    "whole row as json": "SELECT (to_jsonb(x) ->> 'tenant_id')::bigint FROM {t} x",
    "table command": "TABLE {t}",
    "only": "SELECT * FROM ONLY {t}",
    "sample": "SELECT tenant_id FROM {t} TABLESAMPLE BERNOULLI (100)",
    "group by": "SELECT tenant_id, count(*) FROM {t} GROUP BY tenant_id",
    "group by with having": "SELECT max(tenant_id) FROM {t} GROUP BY tenant_id HAVING tenant_id <> {a}",
    "grouping sets": "SELECT tenant_id, count(*) FROM {t} GROUP BY GROUPING SETS ((tenant_id), ())",
    "rollup": "SELECT tenant_id, count(*) FROM {t} GROUP BY ROLLUP (tenant_id)",
    "distinct on": "SELECT DISTINCT ON (tenant_id) tenant_id FROM {t} ORDER BY tenant_id",
    "order and limit": "SELECT tenant_id FROM {t} ORDER BY tenant_id DESC LIMIT 1",
    "maximum": "SELECT max(tenant_id) FROM {t}",
    "array aggregate": "SELECT unnest(array_agg(tenant_id)) FROM {t}",
    "json aggregate": "SELECT (jsonb_array_elements(jsonb_agg(x)) ->> 'tenant_id')::bigint FROM {t} x",
    "self-join": "SELECT y.tenant_id FROM {t} x JOIN {t} y ON x.tenant_id <= y.tenant_id",
    "join with another table": "SELECT x.tenant_id FROM {t} x JOIN {o} y ON x.tenant_id <> y.tenant_id",
    "cross join": "SELECT unnest(ARRAY[x.tenant_id, y.tenant_id]) FROM {t} x CROSS JOIN {o} y",
    "join using": "SELECT x.tenant_id FROM {t} x JOIN {o} y USING (tenant_id)",
    "left join": "SELECT x.tenant_id FROM {o} y LEFT JOIN {t} x ON true",
    "right join": "SELECT x.tenant_id FROM {t} x RIGHT JOIN {o} y ON x.tenant_id >= y.tenant_id",
    "full join": "SELECT x.tenant_id FROM {t} x FULL JOIN {o} y ON x.tenant_id = y.tenant_id",
    "common table expression": "WITH x AS (SELECT * FROM {t}) SELECT tenant_id FROM x",
    "materialized expression": "WITH x AS MATERIALIZED (SELECT * FROM {t}) SELECT tenant_id FROM x",
    "recursive expression": (
        "WITH RECURSIVE x (n) AS (SELECT min(tenant_id) FROM {t} UNION"
        " SELECT y.tenant_id FROM {t} y JOIN x ON y.tenant_id > x.n) SELECT n FROM x"
    ),
    "lateral": "SELECT z.tenant_id FROM {o} y, LATERAL (SELECT x.tenant_id FROM {t} x) z",
    "subselect in from": "SELECT tenant_id FROM (SELECT * FROM {t} OFFSET 0) x",
    "subselect in where": "SELECT tenant_id FROM {t} WHERE tenant_id IN (SELECT tenant_id FROM {t})",
    "subselect in select": "SELECT (SELECT max(x.tenant_id) FROM {t} x) FROM {o}",
    "array of a subselect": "SELECT unnest(ARRAY(SELECT tenant_id FROM {t}))",
    "exists": "SELECT {b} WHERE EXISTS (SELECT FROM {t} WHERE tenant_id = {b})",
    "any": "SELECT {b} WHERE {b} = ANY (SELECT tenant_id FROM {t})",
    "all": "SELECT {b} WHERE NOT {a} = ALL (SELECT tenant_id FROM {t})",
    "union": "SELECT tenant_id FROM {t} UNION ALL SELECT tenant_id FROM {o}",
    "except": "SELECT tenant_id FROM {t} EXCEPT SELECT {a}",
    "intersect": "SELECT tenant_id FROM {t} INTERSECT SELECT {b}",
    "window": "SELECT max(tenant_id) OVER () FROM {t}",
    "window over neighbours": "SELECT lead(tenant_id) OVER (ORDER BY tenant_id) FROM {t}",
    "ranked": "SELECT tenant_id, rank() OVER (PARTITION BY tenant_id ORDER BY tenant_id) FROM {t}",
    "for update": "SELECT tenant_id FROM {t} FOR UPDATE",
    "for share": "SELECT tenant_id FROM {t} FOR SHARE",
    "for update that skips": "SELECT tenant_id FROM {t} WHERE tenant_id = {b} FOR UPDATE SKIP LOCKED",
    "a condition that fails on a foreign row": "SELECT tenant_id FROM {t} WHERE 1 / (tenant_id - {b}) > -2",
    "statistics": "SELECT {b} FROM pg_stats WHERE schemaname = '{s}' AND tablename = '{n}'",
    "update that returns": "UPDATE {t} SET {c} = {c} RETURNING tenant_id",
    "update in an expression": "WITH x AS (UPDATE {t} SET {c} = {c} RETURNING *) SELECT tenant_id FROM x",
    "delete in an expression": "WITH x AS (DELETE FROM {t} RETURNING *) SELECT tenant_id FROM x",
    "delete that returns": "DELETE FROM {t} RETURNING tenant_id",
}
STEPS = {
    "prepared": ("PREPARE p{i} AS SELECT tenant_id FROM {t}", "EXECUTE p{i}"),
    "prepared with a parameter": (
        "PREPARE q{i} (bigint) AS SELECT tenant_id FROM {t} WHERE tenant_id = $1",
        "EXECUTE q{i} ({b})",
    ),
    "cursor": ("DECLARE c{i} CURSOR FOR SELECT tenant_id FROM {t}", "FETCH ALL FROM c{i}"),
    "temporary table": ("CREATE TEMP TABLE t{i} AS SELECT * FROM {t}", "SELECT tenant_id FROM t{i}"),
    "select into": ("SELECT * INTO TEMP i{i} FROM {t}", "SELECT tenant_id FROM i{i}"),
    "temporary view": ("CREATE TEMP VIEW v{i} AS SELECT * FROM {t}", "SELECT tenant_id FROM v{i}"),
    "row security off": ("SET LOCAL row_security = off", "SELECT tenant_id FROM {t}"),
}
COPIES = {
    "copy": "COPY {t} TO STDOUT",
    "copy of a query": "COPY (SELECT tenant_id FROM {t}) TO STDOUT",
    "copy of an update": "COPY (UPDATE {t} SET {c} = {c} RETURNING tenant_id) TO STDOUT",
}
AS_B = "(jsonb_populate_record(x, '{{\"tenant_id\": {b}}}')).*"
AS_A = "(jsonb_populate_record(x, '{{\"tenant_id\": {a}}}')).*"
OWN = {
    "update without where": "UPDATE {t} SET {c} = {c}",
    "update from": "UPDATE {t} x SET {c} = x.{c} FROM {o} y WHERE x.tenant_id >= y.tenant_id OR true",
    "update from itself": "UPDATE {t} x SET {c} = y.{c} FROM {t} y WHERE x.tenant_id <> y.tenant_id OR x = y",
    "update by a subselect": "UPDATE {t} SET {c} = {c} WHERE tenant_id IN (SELECT tenant_id FROM {t})",
    "update by an expression": "WITH y AS (SELECT * FROM {t}) UPDATE {t} x SET {c} = x.{c} FROM y",
    "merge that updates": "MERGE INTO {t} x USING (SELECT 1) y ON true WHEN MATCHED THEN UPDATE SET {c} = x.{c}",
    "merge that deletes": "MERGE INTO {t} x USING (SELECT 1) y ON true WHEN MATCHED THEN DELETE",
    "delete using": "DELETE FROM {t} x USING {o} y WHERE x.tenant_id >= y.tenant_id OR true",
    "delete by an expression": "WITH y AS (SELECT * FROM {t}) DELETE FROM {t} x USING y WHERE x = y",
    "delete without where": "DELETE FROM {t}",
}
NONE = {
    "update of the other tenant": "UPDATE {t} SET {c} = {c} WHERE tenant_id = {b}",
    "update of a join": "UPDATE {t} x SET {c} = x.{c} FROM {o} y WHERE x.tenant_id <> y.tenant_id",
    "delete of the other tenant": "DELETE FROM {t} WHERE tenant_id = {b}",
    "delete of a join": "DELETE FROM {t} x USING {o} y WHERE x.tenant_id <> y.tenant_id",
    "merge on the other tenant": (
        "MERGE INTO {t} x USING (SELECT {b}::bigint AS id) y ON x.tenant_id = y.id"
        " WHEN MATCHED THEN UPDATE SET {c} = x.{c}"
    ),
    "insert of foreign rows as own": (
        f"INSERT INTO {{t}} SELECT {AS_A} FROM {{t}} x WHERE x.tenant_id = {{b}} ON CONFLICT DO NOTHING"
    ),
    "foreign rows kept": "CREATE TEMP TABLE f{i} AS SELECT FROM {t} WHERE tenant_id = {b}",
}
REFUSED = {
    "insert for the other": f"INSERT INTO {{t}} SELECT {AS_B} FROM {{t}} x WHERE x.tenant_id = {{a}} LIMIT 1",
    "insert for the other that returns": (
        f"INSERT INTO {{t}} SELECT {AS_B} FROM {{t}} x WHERE x.tenant_id = {{a}} RETURNING tenant_id"
    ),
    "insert for the other unless it is there": (
        f"INSERT INTO {{t}} SELECT {AS_B} FROM {{t}} x WHERE x.tenant_id = {{a}} ON CONFLICT DO NOTHING"
    ),
    "upsert aimed at foreign keys": (
        f"INSERT INTO {{t}} SELECT {AS_B} FROM {{t}} x WHERE x.tenant_id = {{a}}"
        " ON CONFLICT ({k}) DO UPDATE SET {c} = excluded.{c}"
    ),
    "merge that inserts for somebody else": (
        "MERGE INTO {t} x USING (SELECT * FROM {t} WHERE tenant_id = {a} LIMIT 1) y ON false"
        " WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({ghost}, {rest})"
    ),
    "rows that move to the other": "UPDATE {t} SET tenant_id = {b}",
    "rows that move by a merge": (
        "MERGE INTO {t} x USING (SELECT 1) y ON true WHEN MATCHED THEN UPDATE SET tenant_id = {b}"
    ),
}
FORBIDDEN = {
    "truncate": "TRUNCATE {t}",
    "truncate with what depends on it": "TRUNCATE {t} CASCADE",
    "policies away": "ALTER TABLE {t} DISABLE ROW LEVEL SECURITY",
    "force away": "ALTER TABLE {t} NO FORCE ROW LEVEL SECURITY",
    "policy of one's own": "CREATE POLICY mine ON {t} USING (true)",
    "policy dropped": "DROP POLICY tenant ON {t}",
    "table dropped": "DROP TABLE {t}",
    "trigger": (
        "CREATE TRIGGER mine BEFORE UPDATE ON {t} FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    ),
    "table taken": "ALTER TABLE {t} OWNER TO CURRENT_USER",
    "owner's role": "SET LOCAL ROLE {owner}",
    "role that works everywhere": "SET LOCAL ROLE {ops}",
    "session of the owner": "SET LOCAL SESSION AUTHORIZATION {owner}",
}


def corpus(roles: Roles, found: Sequence[Relation], a: int, b: int, own: Mapping[str, int]) -> list[Attempt]:
    """Every template on every table."""
    attempts: list[Attempt] = []
    for number, relation in enumerate(found):
        partner = found[(number + 1) % len(found)]
        rows = own[str(relation)]
        words = {
            "t": relation,
            "o": partner,
            "s": relation.schema,
            "n": relation.name,
            "c": relation.other,
            "k": ", ".join(relation.key),
            "columns": ", ".join(relation.columns),
            "rest": ", ".join(f"y.{name}" for name in relation.columns[1:]),
            "i": number,
            "a": a,
            "b": b,
            "ghost": GHOST,
            "owner": roles.owner,
            "ops": roles.ops,
        }
        for measure, allowed, templates in (
            ("seen", 0, {name: (one,) for name, one in READS.items()} | STEPS),
            ("count", rows, {"count": ("SELECT count(*) FROM {t}",)}),
            ("count", rows, {"count of a key": ("SELECT count(DISTINCT ({k})) FROM {t}",)}),
            ("copied", 0, {name: (one,) for name, one in COPIES.items()}),
            ("touched", rows, {name: (one,) for name, one in OWN.items()}),
            ("touched", 0, {name: (one,) for name, one in NONE.items()}),
            ("refused", 0, {name: (one,) for name, one in (REFUSED | FORBIDDEN).items()}),
        ):
            for name, steps in templates.items():
                filled = tuple(one.format(**words) for one in steps)
                attempts.append(Attempt(name, relation, filled, measure, allowed))
    return attempts


def reached(connection: psycopg.Connection[Any], attempt: Attempt, a: int) -> int:
    """Run a statement and count the foreign rows that it saw or touched."""
    with connection.cursor() as cursor:
        for one in attempt.steps[:-1]:
            cursor.execute(one.encode())
        last = attempt.steps[-1].encode()
        if attempt.measure == "copied":
            with cursor.copy(last) as lines:
                return sum(int(bytes(line).split(b"\t")[0]) != a for line in lines)
        cursor.execute(last)
        if attempt.measure == "seen":
            return sum(row[0] is not None and int(row[0]) != a for row in cursor)
        if attempt.measure == "count":
            return int(cursor.fetchall()[0][0]) - attempt.own
        if attempt.measure == "touched":
            return max(cursor.rowcount - attempt.own, 0)
        return 1


PRIVILEGE = "42501"
"""What PostgreSQL answers to a missing privilege and to a row that a policy forbids."""

OWN_PARENT = "23503"
"""A member that the own store's identities still name cannot be deleted, and that is right."""


def run(
    database: Database, attempts: Sequence[Attempt], a: int, *, keep: bool, tolerated: frozenset[str]
) -> list[tuple[Attempt, int | str]]:
    """Run statements inside tenant `a`, each in a savepoint of its own: foreign rows reached, or the error."""
    outcome: list[tuple[Attempt, int | str]] = []
    with raw(database, "app", a) as connection:
        for attempt in attempts:
            try:
                with connection.transaction(force_rollback=not keep):
                    found: int | str = reached(connection, attempt, a)
            except psycopg.errors.DivisionByZero:  # a condition was evaluated on a foreign row
                found = 1
            except psycopg.Error as error:
                if error.sqlstate not in tolerated:
                    raise AssertionError(f"{attempt.steps} fails: {error}") from error
                found = str(error.sqlstate)
            outcome.append((attempt, found))
        connection.execute("DEALLOCATE ALL")
    return outcome


def switch_policies(database: Database, verb: str) -> None:
    with database.owner.begin() as owner:
        for relation in relations(database):
            owner.execute(text(f"ALTER TABLE {relation} {verb} ROW LEVEL SECURITY"))


def checksums(database: Database, found: Sequence[Relation], tenant: int) -> dict[str, tuple[int, str]]:
    with raw(database, "ops") as ops:
        return {
            str(relation): ops.execute(
                sql.SQL(
                    "SELECT count(*), md5(coalesce(string_agg(x::text, chr(10) ORDER BY x::text), ''))"
                    " FROM {} x WHERE tenant_id = {}"
                ).format(sql.Identifier(relation.schema, relation.name), tenant)
            ).fetchall()[0]
            for relation in found
        }


@dataclass(frozen=True)
class Field:
    """Two stores with rows in every table, and all attempts on them."""

    database: Database
    relations: list[Relation]
    a: int
    b: int
    attempts: list[Attempt]


@dataclass(frozen=True)
class Ground:
    """A database with two stores that nobody is connected to: fields are copies of it."""

    cluster: Cluster
    name: str
    data: Path
    a: int
    b: int

    @contextmanager
    def field(self) -> Iterator[Field]:
        with self.cluster.database(self.name) as name:
            database = Database(connect(self.cluster.config(name, self.data)))
            try:
                found = relations(database)
                own, foreign = (
                    {name: count for name, (count, _) in checksums(database, found, tenant).items()}
                    for tenant in (self.a, self.b)
                )
                assert min(own.values()) > 0
                assert min(foreign.values()) > 0
                attempts = corpus(database.urls.roles, found, self.a, self.b, own)
                yield Field(database, found, self.a, self.b, attempts)
            finally:
                database.dispose()


@pytest.fixture(scope="module")
def ground(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    data = tmp_path_factory.mktemp("ground")
    with cluster.database() as name:
        config = cluster.config(name, data)
        with Platform.open(config, keys=KeyConfig(keys=new_line())) as platform:
            with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as client:
                shops = two_shops(platform, client)
                for shop in shops:
                    shop.trade()
            Worker(platform).drain()
            database = platform.database
            found = relations(database)
            a, b = (shop.tenant.id for shop in shops)
            before = {tenant: checksums(database, found, tenant) for tenant in (a, b)}
            with database.ops.begin() as ops:
                for tenant in (a, b):
                    for relation in found:
                        if before[tenant][str(relation)][0] == 0:
                            ops.exec_driver_sql(insert_any(relation, tenant))
            with raw(database, "owner") as owner:
                owner.execute("ANALYZE")
                owner.commit()
        yield Ground(cluster, name, data, a, b)


@pytest.fixture(scope="module")
def field(ground: Ground) -> Iterator[Field]:
    """For the tests that leave it as it is."""
    with ground.field() as made:
        yield made


@pytest.fixture
def own_field(ground: Ground) -> Iterator[Field]:
    """For a test that changes it."""
    with ground.field() as made:
        yield made


def test_the_corpus_covers_every_tenant_table_with_hundreds_of_statements(field: Field):
    installed = {point.name for point in entry_points(group=GROUP)}
    assert {relation.schema for relation in field.relations} == {"core", *installed}
    assert len(field.relations) >= 15
    assert all(relation.columns[0] == relation.key[0] == "tenant_id" for relation in field.relations)
    assert len({attempt.steps for attempt in field.attempts}) >= 300
    per_table = Counter(str(attempt.relation) for attempt in field.attempts)
    assert len(per_table) == len(field.relations)
    assert min(per_table.values()) >= 80


def test_no_statement_reaches_a_row_of_the_other_store(field: Field):
    before = checksums(field.database, field.relations, field.b)
    outcome = run(
        field.database, field.attempts, field.a, keep=False, tolerated=frozenset({PRIVILEGE, OWN_PARENT})
    )
    leaks = {attempt.steps: found for attempt, found in outcome if isinstance(found, int) and found}
    assert leaks == {}
    assert {attempt.template for attempt, found in outcome if found == OWN_PARENT} <= {*OWN, *READS}
    # A statement that fails proves less than one that runs: all of them run wherever the app may write. Two do
    # not: what a policy would hide is an error without policies, and PostgreSQL lets no MERGE delete under one.
    ran = {attempt.template for attempt, found in outcome if found == 0}
    runs = {*READS, *STEPS, *COPIES, *OWN, *NONE, "count", "count of a key"}
    assert runs - {"row security off", "merge that deletes"} <= ran <= runs
    for attempt, found in outcome:
        if attempt.measure == "refused":
            assert found == PRIVILEGE, attempt.steps
    assert checksums(field.database, field.relations, field.b) == before


def test_statements_that_stay_done_leave_the_other_store_as_it_was(own_field: Field):
    before = checksums(own_field.database, own_field.relations, own_field.b)
    mine = checksums(own_field.database, own_field.relations, own_field.a)
    kept = [attempt for attempt in own_field.attempts if attempt.template not in STEPS]
    run(own_field.database, kept, own_field.a, keep=True, tolerated=frozenset({PRIVILEGE, OWN_PARENT}))
    assert checksums(own_field.database, own_field.relations, own_field.b) == before
    assert checksums(own_field.database, own_field.relations, own_field.a) != mine
    with raw(own_field.database, "ops") as ops:
        for relation in own_field.relations:
            rows = ops.execute(f"SELECT DISTINCT tenant_id FROM {relation}".encode()).fetchall()
            assert {row[0] for row in rows} <= {own_field.a, own_field.b}


def test_the_corpus_bites_when_row_level_security_is_off(own_field: Field):
    switch_policies(own_field.database, "DISABLE")
    tolerated = frozenset({PRIVILEGE, OWN_PARENT, "23505", "23514"})
    outcome = run(own_field.database, own_field.attempts, own_field.a, keep=False, tolerated=tolerated)
    leaking = [attempt for attempt, found in outcome if isinstance(found, int) and found > 0]
    assert {str(attempt.relation) for attempt in leaking} == {str(relation) for relation in own_field.relations}
    toothless = {attempt.template for attempt in own_field.attempts} - {attempt.template for attempt in leaking}
    assert toothless == set(FORBIDDEN)  # those are a matter of privileges, not of policies
    read = {"seen", "count", "copied"}
    assert {str(a.relation) for a in leaking if a.measure in read} == {str(r) for r in own_field.relations}


CHANGED = {"member": "UPDATE {} SET exempt = true", "staff": "UPDATE {} SET locale = 'en'"}
"""How a row is changed that others point to; the rest are deleted."""


def test_a_checksum_sees_a_single_foreign_change(own_field: Field):
    before = checksums(own_field.database, own_field.relations, own_field.b)
    for relation in own_field.relations:
        one = f"SELECT ctid FROM {relation} WHERE tenant_id = {own_field.b} LIMIT 1"
        change = CHANGED.get(relation.name, "DELETE FROM {}").format(relation)
        with own_field.database.ops.begin() as ops:
            assert ops.exec_driver_sql(f"{change} WHERE ctid IN ({one})").rowcount == 1
        after = checksums(own_field.database, own_field.relations, own_field.b)
        assert {name for name in after if after[name] != before[name]} == {str(relation)}
        before = after


# ---- no tenant, and the next tenant ---------------------------------------------------------------------------


UNSET: dict[str, Callable[[psycopg.Connection[Any]], object]] = {
    "never set": lambda _: None,
    "left behind by a transaction": lambda found: (
        found.execute("SELECT set_config('threepeat.tenant', '1', true)"),
        found.rollback(),
        found.execute("SELECT set_config('threepeat.tenant', '1', true)"),
        found.commit(),
    ),
    "empty": lambda found: found.execute("SELECT set_config('threepeat.tenant', '', true)"),
    "nobody's": lambda found: found.execute("SELECT set_config('threepeat.tenant', '0', true)"),
    "reset": lambda found: found.execute("RESET threepeat.tenant"),
}


@pytest.mark.parametrize("name", UNSET)
def test_without_a_tenant_the_app_sees_nothing_and_writes_nothing(field: Field, name: str):
    with raw(field.database, "app") as app:
        UNSET[name](app)
        for relation in field.relations:
            with app.transaction(force_rollback=True):
                assert app.execute(f"SELECT count(*) FROM {relation}".encode()).fetchall() == [(0,)]
            for statement in (
                f"UPDATE {relation} SET {relation.other} = {relation.other}",
                f"DELETE FROM {relation}",
            ):
                try:
                    with app.transaction(force_rollback=True):
                        assert app.execute(statement.encode()).rowcount == 0
                except psycopg.errors.InsufficientPrivilege:
                    continue
            for tenant in (field.a, field.b, GHOST):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), app.transaction():
                    app.execute(insert_any(relation, tenant).encode())


def test_a_tenant_that_is_no_number_is_an_error_and_no_tenant(field: Field):
    with raw(field.database, "app") as app:
        app.execute("SELECT set_config('threepeat.tenant', '1 OR true', true)")
        for relation in field.relations:
            with pytest.raises(psycopg.errors.InvalidTextRepresentation), app.transaction():
                app.execute(f"SELECT count(*) FROM {relation}".encode())


def test_nothing_can_point_to_a_member_of_another_store(own_field: Field):
    with raw(own_field.database, "ops") as ops:
        rows = ops.execute("SELECT tenant_id, max(id) FROM core.member GROUP BY 1").fetchall()
    largest = dict(rows)
    point = "INSERT INTO core.identity (tenant_id, kind, value, member_id) VALUES (%s, 'wechat', 'x', %s)"
    with raw(own_field.database, "app", own_field.a) as app:
        with pytest.raises(psycopg.errors.ForeignKeyViolation), app.transaction():
            app.execute(point, (own_field.a, largest[own_field.b]))
        app.execute(point, (own_field.a, largest[own_field.a]))


def test_a_prepared_statement_sees_the_tenant_of_the_moment(field: Field):
    database = Database(field.database.urls, pool_size=1)
    backends, seen = set(), []
    for tenant in (field.a, field.b) * 8:
        with database.tenant(tenant) as scope:
            found = scope.connection.connection.driver_connection
            assert found is not None
            if not backends:
                found.execute("PREPARE mine AS SELECT DISTINCT tenant_id FROM points.entry")
            backends.add(found.info.backend_pid)
            seen.append([row[0] for row in found.execute("EXECUTE mine", prepare=False)])
    database.dispose()
    assert len(backends) == 1
    assert seen == [[field.a], [field.b]] * 8


class PlantedError(Exception):
    pass


ENDS = ["commit", "exception", "database error", "timeout", "backend killed"]


def borrow(database: Database, tenant: int, end: str) -> None:
    """Use the pool's one connection inside a tenant and give it back in some way."""
    with database.tenant(tenant) as scope:
        assert scope.run(text("SELECT count(*) AS n FROM core.stream"))[0].n == 1
        if end == "exception":
            raise PlantedError
        if end == "database error":
            scope.run(text("SELECT 1 / 0"))
        if end == "timeout":
            scope.run(text("SET LOCAL statement_timeout = '20ms'"))
            scope.run(text("SELECT pg_sleep(5)"))
        if end == "backend killed":
            scope.run(text("SELECT pg_terminate_backend(pg_backend_pid())"))


def left(database: Database) -> tuple[str, int]:
    """What the next borrower finds: the setting, and how many rows it opens."""
    with database.directory() as connection:
        setting = connection.execute(text("SELECT current_setting('threepeat.tenant', true)")).scalar_one()
        rows = connection.execute(text("SELECT count(*) FROM core.stream")).scalar_one()
    return setting or "", rows


@pytest.mark.parametrize("end", ENDS)
def test_the_next_borrower_of_a_connection_finds_no_tenant(
    platform: Platform, tenant: Tenant, other_tenant: Tenant, end: str
):
    database = Database(platform.database.urls, pool_size=1)
    for borrower in (tenant, other_tenant) * 3:
        try:
            borrow(database, borrower.id, end)
        except (PlantedError, DBAPIError):
            assert end != "commit"
        assert left(database) == ("", 0)
    database.dispose()


def test_a_setting_of_the_session_would_be_found_by_the_next_borrower(platform: Platform, tenant: Tenant):
    """So that the proof above is known to look in the right place."""
    database = Database(platform.database.urls, pool_size=1)
    with database.directory() as connection:
        connection.execute(text("SELECT set_config('threepeat.tenant', :t, false)"), {"t": str(tenant.id)})
    assert left(database) == (str(tenant.id), 1)
    database.dispose()
