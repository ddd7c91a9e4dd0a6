"""Three stores behind one server, and a credential of every kind.

The first store is the one that is worked on. The second one's credentials are good, and for nothing here. The
third one stays silent: nobody calls as it, and each of its rows holds a canary.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import jwt
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.tenancy import keys, members, tenants
from threepeat.tenancy.errors import Conflict
from threepeat.tenancy.keyring import Keyring, new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.canaries import Canaries, Planter, every_event
from threepeat.testing.cluster import opened_for_tests
from threepeat.testing.fixtures import BY, Cluster, serving
from threepeat.worker.loop import Worker
from threepeat_tenants.accounts import operator_keys
from threepeat_tenants.api import door
from threepeat_tenants.operating import suspension

UNLIMITED = HttpConfig(
    key_requests=0,
    member_requests=0,
    tenant_requests=0,
    key_events=0,
    member_events=0,
    tenant_events=0,
    page_requests=0,
)
CLOUD = {"Content-Type": "application/cloudevents+json"}
LIFE = timedelta(hours=12)

SCOPES = ("ingest", "read", "manage")
SHUT = ("nobody", "nonsense", "forged", "revoked", "expired", "unsigned", "foreign", "erased", "no operator")
"""Credentials that open nothing at all."""

PLENTY = "UPDATE core.plan SET tactic_cap = 17, requests_per_second = NULL, events_per_second = NULL"
TABLES = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema)'
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
    ORDER BY 1, 2
"""


@dataclass
class Store:
    """A store, who may act in it, and the words that are its own.

    Attributes:
        prefix: Of its canaries.
    """

    tenant: Tenant
    prefix: str
    credentials: dict[str, str] = field(default_factory=dict)


@dataclass
class Stores:
    """A served installation.

    Attributes:
        admin_url: A superuser's, to see every row.
        credentials: By the kind of caller: `manage`, `other manage`, `operator`, `expired`…; None sends none.
    """

    platform: Platform
    url: str
    admin_url: str
    first: Store
    other: Store
    silent: Store
    credentials: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._admin = psycopg.connect(self.admin_url, autocommit=True)
        self._tables = [sql.Identifier(*row) for row in self._admin.execute(TABLES)]

    def close(self) -> None:
        """Let go of the connection."""
        self._admin.close()

    def rows(self, store: Store) -> dict[str, str]:
        """What is in each table of a store, as a hash."""
        one = sql.SQL(
            "SELECT {}, coalesce(md5(string_agg(CAST(t AS text), '' ORDER BY CAST(t AS text))), '')"
            " FROM {} t WHERE tenant_id = {}"
        )
        parts = [one.format(name.as_string(), name, store.tenant.id) for name in self._tables]
        return dict(self._admin.execute(sql.SQL(" UNION ALL ").join(parts)).fetchall())

    def renew(self) -> None:
        """Give back what the walk took from those who walk: keys, members, stores that were suspended, plans."""
        with self.platform.database.ops.begin() as ops:
            ops.execute(text(PLENTY))
            for store in (self.first, self.other):
                with suppress(Conflict):
                    suspension.reactivate(ops, tenants.by_id(ops, store.tenant.id), by=BY)
            if self.credentials.get("operator") is None:
                self.credentials["operator"] = operator_keys.create(ops, self.platform.keyring, "program", by=BY)
        for store, lead in ((self.first, ""), (self.other, "other ")):
            _renewed(self.platform, store)
            self.credentials |= {f"{lead}{kind}": value for kind, value in store.credentials.items()}


@contextmanager
def serve(cluster: Cluster, folder: Path, registry: Registry | None = None) -> Iterator[Stores]:
    """Serve three stores in which every tactic is on."""
    given = KeyConfig(keys=new_line())
    with cluster.database() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "REQUESTS_PER_SECOND", 100_000)
        patch.setattr(door, "LOOKUPS_PER_SECOND", 100_000)
        platform = opened_for_tests(cluster.config(name, folder), registry, given)
        admin = psycopg.conninfo.make_conninfo(cluster.admin_url, dbname=name)
        with platform, serving(platform, UNLIMITED) as url:
            with platform.database.ops.begin() as ops:
                ops.execute(text(PLENTY))
            first, other, silent = (_opened(platform, url, slug) for slug in ("first", "other", "silent"))
            made = Stores(platform, url, admin, first, other, silent)
            Worker(platform).drain()
            _plant(made)
            made.renew()
            made.credentials |= _bad(platform, first)
            try:
                yield made
            finally:
                made.close()


def _opened(platform: Platform, url: str, slug: str) -> Store:
    """A store with members and orders whose every text is a canary of its own."""
    tactics = [plugin.id for plugin in platform.registry if plugin.manifest.kind == "tactic"]
    tenant = open_store(platform, f"{slug}-store", enable=tactics, holdout=0, by=BY)
    store = Store(tenant, f"cnry{slug}")
    canaries = Canaries(store.prefix)
    _renewed(platform, store)
    headers = {"Authorization": f"Bearer {store.credentials['ingest']}"}
    with httpx2.Client(base_url=url, headers=headers, timeout=30) as client:
        for number in range(4):
            data = {"order_id": canaries("order"), "total": 20_000, "currency": "CNY"}
            event = {"specversion": "1.0", "id": canaries("event"), "source": "shop", "type": "order.paid"}
            event |= {"subject": f"{store.prefix}-{number % 2}-m", "data": data}
            client.post("/v1/events", json=event, headers=CLOUD).raise_for_status()
        for event in every_event(canaries, f"{store.prefix}-1-m", "CNY"):
            client.post("/v1/events", json=event, headers=CLOUD).raise_for_status()
    return store


def _renewed(platform: Platform, store: Store) -> None:
    """See that each of a store's credentials is good; make those anew that are not."""
    made = store.credentials
    with platform.database.tenant(store.tenant.id) as scope:
        live = {one.id for one in keys.list_keys(scope) if one.revoked_at is None}
        for kind in SCOPES:
            if kind not in made or keys.parse_key(made[kind]).id not in live:
                made[kind] = keys.create_key(scope, platform.keyring, kind, [kind], by=BY)
        name = f"{store.prefix}-0-m"
        member = members.put(scope, platform.keyring, name, readmit=True)
        made["member"] = keys.sign_token(platform.keyring, store.tenant.id, member.id, name, LIFE)[0]


def _bad(platform: Platform, store: Store) -> dict[str, str | None]:
    """Credentials that open nothing: each was nearly one of the store's."""
    keyring = platform.keyring
    with platform.database.tenant(store.tenant.id) as scope:
        revoked = keys.create_key(scope, keyring, "revoked", ["ingest", "read", "manage"], by=BY)
        keys.revoke_key(scope, keys.parse_key(revoked).id, by=BY)
    with platform.database.ops.begin() as ops:
        gone = operator_keys.create(ops, keyring, "gone", by=BY)
        operator_keys.revoke(ops, gone.split("_")[2], by=BY)
    good = store.credentials["member"]
    strange = Keyring({"k": secrets.token_bytes(32)}).derive(keys.TOKEN)
    claims = jwt.decode(good, options={"verify_signature": False})
    early = datetime.now(UTC) - timedelta(days=2)
    return {
        "nobody": None,
        "nonsense": "nonsense",
        "forged": store.credentials["manage"][:-6] + secrets.token_hex(3),
        "revoked": revoked,
        "expired": jwt.encode(
            claims | {"iat": early, "exp": early + timedelta(hours=1)},
            keyring.derive(keys.TOKEN),
            algorithm="HS256",
        ),
        "unsigned": jwt.encode(claims, None, algorithm="none"),
        "erased": keys.sign_token(keyring, store.tenant.id, 10**9, "nobody", LIFE)[0],
        "foreign": jwt.encode(claims, strange, algorithm="HS256"),
        "no operator": gone,
    }


def _plant(made: Stores) -> None:
    """Put canaries into every table of the silent store that holds people's data and takes one."""
    store = made.silent
    with made.platform.database.tenant(store.tenant.id) as scope:
        member = members.put(scope, made.platform.keyring, f"{store.prefix}-2-m")
    planter = Planter(made.admin_url, made.platform.database, Canaries(store.prefix))
    every = {str(table) for table in planter.tables}
    planted = 0
    for table in every:
        with suppress(psycopg.DataError):
            planted += not planter.try_to_plant(store.tenant.id, member.id, leave=every - {table})
    assert planted > len(every) // 2
