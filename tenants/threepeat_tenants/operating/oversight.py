"""Oversight: how the whole installation stands, and for each figure the stores and plugins that it comes from.

Every query runs over all stores at once, as ops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, TextClause, text

from threepeat.plugins import Registry

MOST = 100
"""Causes that are listed of one figure; the figure itself counts all."""
RATE_MINUTES = 5

STORES = text("""
    SELECT count(*) AS stores, count(*) FILTER (WHERE simulated) AS simulated,
           count(*) FILTER (WHERE suspended_at IS NOT NULL) AS suspended FROM core.tenant
""")
# Only a store that was served or waits has received anything of late. Between `low`, which is before the instant,
# and `high`, which is not.
SEARCH = """
    WITH RECURSIVE lively AS (
        SELECT tenant_id FROM core.turn
        WHERE last_at >= transaction_timestamp() - CAST(:span AS interval) OR due_at <= transaction_timestamp()
        UNION SELECT tenant_id FROM core.backlog
    ), search AS (
        SELECT s.tenant_id, s.head, CAST(0 AS bigint) AS low, s.head + 1 AS high
        FROM core.stream s JOIN lively USING (tenant_id)
        UNION ALL
        SELECT s.tenant_id, s.head,
               CASE WHEN e.received_at < transaction_timestamp() - CAST(:span AS interval)
                    THEN s.low + (s.high - s.low) / 2 ELSE s.low END,
               CASE WHEN e.received_at < transaction_timestamp() - CAST(:span AS interval)
                    THEN s.high ELSE s.low + (s.high - s.low) / 2 END
        FROM search s LEFT JOIN LATERAL (
            SELECT received_at FROM core.event
            WHERE tenant_id = s.tenant_id AND position >= s.low + (s.high - s.low) / 2
            ORDER BY position LIMIT 1
        ) e ON true
        WHERE s.high - s.low > 1
    )
"""
RECENT = text(f"""
    {SEARCH} SELECT coalesce(sum(head - low), 0)::bigint AS events FROM search WHERE high - low = 1
""")  # noqa: S608 - a constant
# What is paused waits for people and has a figure of its own; what is off waits for nothing.
BEHIND = """
    SELECT c.tenant_id, c.plugin, s.head - c.position AS waiting, e.received_at AS since
    FROM core.cursor c
    JOIN core.stream s ON s.tenant_id = c.tenant_id AND c.position < s.head
    JOIN core.activation a ON a.tenant_id = c.tenant_id AND a.plugin = c.plugin AND a.state <> 'off'
    CROSS JOIN LATERAL (
        SELECT received_at FROM core.event
        WHERE tenant_id = c.tenant_id AND position > c.position ORDER BY position LIMIT 1
    ) e
    WHERE c.paused_at IS NULL AND NOT c.plugin = ANY(CAST(:away AS text[]))
"""
OVERDUE = """
    SELECT tenant_id, CAST('' AS text) AS plugin, CAST(0 AS bigint) AS waiting, due_at AS since FROM core.turn
    WHERE due_at <= clock_timestamp() AND leased_until <= clock_timestamp()
"""
LAG = text(f"SELECT min(since) AS since, count(*) AS causes FROM ({BEHIND} UNION ALL {OVERDUE}) w")  # noqa: S608
LETTERS = text("""
    SELECT (SELECT count(*) FROM core.dead_letter WHERE state = 'waiting')
         + (SELECT count(*) FROM core.timer WHERE failed_at IS NOT NULL) AS letters
""")
PAUSED = text("SELECT count(*) AS paused FROM core.cursor WHERE paused_at IS NOT NULL")

CAUSES = {
    "events": text(f"""
        {SEARCH} SELECT t.slug, CAST('' AS text) AS plugin, CAST('' AS text) AS reason,
               CAST(NULL AS timestamptz) AS since, s.head - s.low AS count
        FROM search s JOIN core.tenant t ON t.id = s.tenant_id
        WHERE s.high - s.low = 1 AND s.head > s.low ORDER BY count DESC, t.slug LIMIT :most
    """),  # noqa: S608 - a constant
    "lag": text(f"""
        SELECT t.slug, w.plugin, CAST('' AS text) AS reason, w.since, w.waiting AS count
        FROM ({BEHIND} UNION ALL {OVERDUE}) w JOIN core.tenant t ON t.id = w.tenant_id
        ORDER BY w.since, t.slug, w.plugin LIMIT :most
    """),  # noqa: S608 - constants
    "letters": text("""
        SELECT t.slug, l.plugin, l.error AS reason, l.since, l.count
        FROM (
            SELECT tenant_id, plugin, min(created_at) AS since, count(*) AS count, CAST('' AS text) AS error
            FROM (
                SELECT tenant_id, plugin, created_at FROM core.dead_letter WHERE state = 'waiting'
                UNION ALL SELECT tenant_id, plugin, failed_at FROM core.timer WHERE failed_at IS NOT NULL
            ) d GROUP BY tenant_id, plugin
        ) l JOIN core.tenant t ON t.id = l.tenant_id
        ORDER BY l.count DESC, t.slug, l.plugin LIMIT :most
    """),
    "paused": text("""
        SELECT t.slug, c.plugin, coalesce(c.paused_reason, '') AS reason, c.paused_at AS since, 1 AS count
        FROM core.cursor c JOIN core.tenant t ON t.id = c.tenant_id
        WHERE c.paused_at IS NOT NULL ORDER BY c.paused_at, t.slug, c.plugin LIMIT :most
    """),
    "suspended": text("""
        SELECT slug, CAST('' AS text) AS plugin, coalesce(suspended_reason, '') AS reason,
               suspended_at AS since, 1 AS count
        FROM core.tenant WHERE suspended_at IS NOT NULL ORDER BY suspended_at DESC, slug LIMIT :most
    """),
    "quarantined": text("""
        SELECT t.slug, a.plugin, CAST('' AS text) AS reason, a.changed_at AS since, 1 AS count
        FROM core.activation a JOIN core.tenant t ON t.id = a.tenant_id
        WHERE a.plugin = ANY(CAST(:away AS text[])) AND a.state <> 'off'
        ORDER BY a.plugin, t.slug LIMIT :most
    """),
}


class Figure(StrEnum):
    """A figure that has causes."""

    EVENTS = "events"
    LAG = "lag"
    LETTERS = "letters"
    PAUSED = "paused"
    QUARANTINED = "quarantined"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Overview:
    """How the installation stands.

    Attributes:
        events_per_minute: Received in the last five minutes, on average.
        behind: Pairs of store and plugin that wait for the worker.
        lag: How long the oldest of them has waited; None if nothing waits.
        letters: Events, deadlines and calls that could not be handled and wait for people.
        paused: Pairs of store and plugin that rest after too many dead letters in a row.
        quarantined: Plugins that may not run, and why.
    """

    stores: int
    simulated: int
    suspended: int
    events_per_minute: float
    behind: int
    lag: timedelta | None
    letters: int
    paused: int
    quarantined: dict[str, str]


@dataclass(frozen=True, slots=True)
class Cause:
    """Where a figure comes from.

    Attributes:
        store: The short name; empty if it concerns all.
        plugin: Empty if it concerns the whole store.
        reason: In words, where there are any.
        since: None if it is not known.
        count: How many there are of it; of `events`, those of the last five minutes; of a lag, how many events
            wait, and 0 for a deadline.
    """

    store: str
    plugin: str
    reason: str
    since: datetime | None
    count: int


def overview(ops: Connection, registry: Registry) -> Overview:
    """The figures; six queries, however many stores."""
    stores = ops.execute(STORES).one()
    waits = ops.execute(LAG, {"away": list(registry.quarantined)}).one()
    now: datetime = ops.execute(text("SELECT clock_timestamp()")).scalar_one()
    recent: int = ops.execute(RECENT, {"span": timedelta(minutes=RATE_MINUTES)}).scalar_one()
    return Overview(
        stores=stores.stores,
        simulated=stores.simulated,
        suspended=stores.suspended,
        events_per_minute=recent / RATE_MINUTES,
        behind=waits.causes,
        lag=now - waits.since if waits.since is not None else None,
        letters=ops.execute(LETTERS).scalar_one(),
        paused=ops.execute(PAUSED).scalar_one(),
        quarantined={found.id: found.reason for found in registry.quarantined.values()},
    )


def causes(ops: Connection, registry: Registry, figure: Figure, *, most: int = MOST) -> Sequence[Cause]:
    """What a figure comes from, the worst first.

    A quarantined plugin is listed for each store that it is on in, and once without a store if it is on in none.
    """
    statement: TextClause = CAUSES[figure]
    binds: dict[str, Any] = {"most": most}
    if figure in {Figure.LAG, Figure.QUARANTINED}:
        binds["away"] = list(registry.quarantined)
    if figure is Figure.EVENTS:
        binds["span"] = timedelta(minutes=RATE_MINUTES)
    found = [Cause(*row) for row in ops.execute(statement, binds)]
    if figure is not Figure.QUARANTINED:
        return found
    reasons = {one.id: one.reason for one in registry.quarantined.values()}
    listed = [Cause(one.store, one.plugin, reasons[one.plugin], one.since, one.count) for one in found]
    unused = reasons.keys() - {one.plugin for one in found}
    return [*listed, *(Cause("", name, reasons[name], None, 0) for name in sorted(unused))]
