"""An installation of its own for a measurement: a folder, a server, plugins, and stores made by sets.

Stores, members and waiting orders are written by `INSERT ... SELECT` after the pattern of one store that the
product opened: what is measured is how they are served, not how they came.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from ground import own_folder
from sqlalchemy import Connection, text

from threepeat.database.config import DatabaseConfig
from threepeat.database.embedded import EmbeddedServer
from threepeat.events.platform import Platform
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.tenancy.tenants import Tenant
from threepeat.worker.loop import Worker

BY = "bench"
TACTICS = ("points", "tiers", "winback")

TENANTS = text("""
    INSERT INTO core.tenant (slug, name, plan, currency, timezone, created_by)
    SELECT slug || '-' || n, name, plan, currency, timezone, created_by
    FROM core.tenant, generate_series(1, :n) AS n WHERE id = :pattern RETURNING id
""")
# Ids that the database gives out, and the trail, belong to one store alone.
COPIED = text("""
    SELECT table_schema || '.' || table_name AS name, string_agg(quote_ident(column_name), ', ') AS columns
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE t.table_type = 'BASE TABLE'
      AND (table_schema, table_name) NOT IN (('core', 'audit'), ('core', 'backlog'))
      AND column_name <> 'tenant_id' AND is_identity = 'NO' AND is_generated = 'NEVER'
      AND EXISTS (SELECT FROM information_schema.columns k WHERE k.table_schema = c.table_schema
                  AND k.table_name = c.table_name AND k.column_name = 'tenant_id')
    GROUP BY 1
""")
MEMBERS = text("""
    WITH fresh AS (
        INSERT INTO core.member (tenant_id, id, holdout_unit)
        SELECT tenant, id, id FROM (
            SELECT tenant, nextval('core.member_id') AS id
            FROM unnest(CAST(:tenants AS bigint[])) AS tenant, generate_series(1, :each)
        ) AS made RETURNING tenant_id, id
    )
    INSERT INTO core.identity (tenant_id, kind, value, member_id)
    SELECT tenant_id, 'shop', 'm' || row_number() OVER (PARTITION BY tenant_id ORDER BY id) - 1, id FROM fresh
""")
ORDERS = """
    INSERT INTO core.event (tenant_id, position, source, id, type, subject, member_id, occurred_at, data)
    SELECT s.tenant_id, s.head + n, 'bench', :mark || '-' || n, 'order.paid', i.value, i.member_id,
           now() {before},
           jsonb_build_object('order_id', :mark || '-' || n, 'total', 10000, 'currency', 'CNY', 'lines',
               jsonb_build_array(jsonb_build_object(
                   'sku', 'sku-' || n % 100, 'name', 'A thing of the shop', 'quantity', 2, 'amount', 10000)))
    FROM core.stream s
    JOIN unnest(CAST(:tenants AS bigint[]), CAST(:counts AS int[])) AS w (tenant_id, count) USING (tenant_id)
    CROSS JOIN generate_series(1, w.count) AS n
    JOIN core.identity i ON i.tenant_id = s.tenant_id AND i.kind = 'shop' AND i.value = 'm' || n % :each
"""
NEW = text(ORDERS.format(before=""))
OLD = text(ORDERS.format(before="- interval '1 day' - n * interval '1 second'"))
ADVANCE = text("""
    UPDATE core.stream s SET head = head + w.count
    FROM unnest(CAST(:tenants AS bigint[]), CAST(:counts AS int[])) AS w (tenant_id, count)
    WHERE s.tenant_id = w.tenant_id
""")
PASS = text("""
    UPDATE core.cursor c SET position = s.head FROM core.stream s
    WHERE s.tenant_id = c.tenant_id AND c.tenant_id = ANY(CAST(:tenants AS bigint[]))
""")
WAKE = text("INSERT INTO core.backlog (tenant_id) SELECT unnest(CAST(:tenants AS bigint[]))")
UNSERVED = text(
    "SELECT count(*) FROM core.stream s JOIN core.cursor c USING (tenant_id) WHERE c.position < s.head"
)
EARNED = text("SELECT count(*) FROM points.entry WHERE reference LIKE 'order:%'")


class Installation:
    """A server with stores that are alike.

    Args:
        stack: Ends it.
        stores: How many there are.
        members: How many each of them has.
        registry: The plugins; the installed ones by default.

    Attributes:
        tenants: The stores.
    """

    def __init__(self, stack: ExitStack, *, stores: int, members: int, registry: Registry | None = None) -> None:
        self.data = own_folder(stack) / "data"
        stack.enter_context(EmbeddedServer(self.data).supervised())
        self.platform = Platform.open(DatabaseConfig(data=self.data), registry=registry)
        stack.callback(self.platform.database.dispose)
        self.worker = Worker(self.platform)
        self.first = open_store(self.platform, "store", enable=TACTICS, holdout=0, by=BY)
        self._members, self._fed, self._marks = members, 0, 0
        with self.platform.database.owner.begin() as owner:
            self.tenants = [self.first.id, *_copies(owner, self.first, stores - 1)]
            owner.execute(MEMBERS, {"tenants": self.tenants, "each": members})
        self.vacuum()

    def vacuum(self) -> None:
        """Let the planner know what is there, as it would after a while."""
        with self.platform.database.owner.connect().execution_options(isolation_level="AUTOCOMMIT") as owner:
            owner.execute(text("VACUUM ANALYZE"))

    def feed(self, counts: Sequence[int]) -> int:
        """Let so many paid orders wait in each store; returns how many there are."""
        with self.platform.database.owner.begin() as owner:
            self._write(owner, NEW, self.tenants, counts)
            owner.execute(WAKE, {"tenants": [one for one, n in zip(self.tenants, counts, strict=True) if n]})
        self._fed += sum(counts)
        return sum(counts)

    def store_old(self, events: int, step: Callable[[int], None], size: int = 100_000) -> None:
        """Put orders into the log that everybody has read long ago."""
        share = size // len(self.tenants)
        while events > 0:
            each = max(1, min(share, events // len(self.tenants)))
            with self.platform.database.owner.begin() as owner:
                self._write(owner, OLD, self.tenants, [each] * len(self.tenants))
                owner.execute(PASS, {"tenants": self.tenants})
            events -= each * len(self.tenants)
            step(each * len(self.tenants))
        self.vacuum()

    def drain(self, step: Callable[[int], None] = lambda _passed: None) -> float:
        """Serve all that waits in this process; returns the seconds."""
        began = time.perf_counter()
        while (passed := self.worker.take_turn()) is not None:
            step(passed)
        return time.perf_counter() - began

    def unserved(self) -> int:
        """How many plugins of stores have something before them."""
        with self.platform.database.owner.connect() as owner:
            return int(owner.execute(UNSERVED).scalar_one())

    def check(self, more: int = 0) -> None:
        """See that every order had its effect once; `more` came otherwise than by `feed`."""
        with self.platform.database.owner.connect() as owner:
            earned = owner.execute(EARNED).scalar_one()
        if earned != self._fed + more:
            raise SystemExit(f"points were earned {earned} times, {self._fed + more} are due")

    def _write(self, owner: Connection, what: object, tenants: Sequence[int], counts: Sequence[int]) -> None:
        self._marks += 1
        given: Mapping[str, object] = {
            "tenants": tenants,
            "counts": list(counts),
            "each": self._members,
            "mark": f"o{self._marks}",
        }
        owner.execute(what, given)  # type: ignore[call-overload]
        owner.execute(ADVANCE, given)


def _copies(owner: Connection, pattern: Tenant, count: int) -> list[int]:
    """Stores with the same rows as one; straight SQL, for to open ten thousand takes the product too long."""
    ids = list(owner.execute(TENANTS, {"pattern": pattern.id, "n": count}).scalars())
    for table in owner.execute(COPIED).all():
        owner.execute(
            text(
                f"INSERT INTO {table.name} (tenant_id, {table.columns}) SELECT copy, {table.columns}"
                f" FROM {table.name}, unnest(CAST(:ids AS bigint[])) AS copy WHERE tenant_id = :pattern"
            ),
            {"ids": ids, "pattern": pattern.id},
        )
    return ids
