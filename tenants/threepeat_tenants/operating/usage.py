"""What each store used in a month: events, members, tactics and what rewards cost. Read as ops, a page at a time.

A month is the store's own, by its time zone. An event counts when it was received: an import of last year's
orders counts in the month of the import. Positions in a log have no gaps, so a month's events are the difference
of two positions, each found by a binary search over `received_at`: a few dozen look-ups in the primary key instead
of a scan. Instants of transactions that ran side by side may stand out of order by as long as they took, so an
event of that very moment may count in either month, and always in one.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Row, text

from threepeat.events.sheets import FORMULA
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Invalid

MAX_PAGE = 500

PAGE = text("""
    SELECT id, slug, name, plan, currency, suspended_at IS NOT NULL AS suspended FROM core.tenant
    WHERE (CAST(:after AS text) IS NULL OR slug > :after)
      AND (CAST(:slug AS text) IS NULL OR slug = :slug)
    ORDER BY slug LIMIT :limit
""")
# Between `low`, which is before the instant, and `high`, which is not. Where an event is missing the next one
# stands for it.
EVENTS = text("""
    WITH RECURSIVE edge AS (
        SELECT t.id AS tenant_id, e.name, (CAST(e.day AS timestamp) AT TIME ZONE t.timezone) AS instant, s.head
        FROM core.tenant t JOIN core.stream s ON s.tenant_id = t.id
        CROSS JOIN (VALUES ('from', CAST(:month AS date)), ('until', CAST(:next AS date))) AS e (name, day)
        WHERE t.id = ANY(CAST(:tenants AS bigint[]))
    ), search AS (
        SELECT tenant_id, name, instant, CAST(0 AS bigint) AS low, head + 1 AS high FROM edge
        UNION ALL
        SELECT s.tenant_id, s.name, s.instant,
               CASE WHEN e.received_at < s.instant THEN s.low + (s.high - s.low) / 2 ELSE s.low END,
               CASE WHEN e.received_at < s.instant THEN s.high ELSE s.low + (s.high - s.low) / 2 END
        FROM search s LEFT JOIN LATERAL (
            SELECT received_at FROM core.event
            WHERE tenant_id = s.tenant_id AND position >= s.low + (s.high - s.low) / 2
            ORDER BY position LIMIT 1
        ) e ON true
        WHERE s.high - s.low > 1
    )
    SELECT tenant_id, sum(CASE name WHEN 'until' THEN low ELSE -low END)::bigint AS events
    FROM search WHERE high - low = 1 GROUP BY tenant_id
""")
MEMBERS = text("""
    SELECT m.tenant_id, count(*) AS members,
           count(*) FILTER (WHERE m.created_at >= CAST(CAST(:month AS date) AS timestamp) AT TIME ZONE t.timezone)
               AS joined
    FROM core.member m JOIN core.tenant t ON t.id = m.tenant_id
    WHERE m.tenant_id = ANY(CAST(:tenants AS bigint[]))
      AND m.merged_into IS NULL AND m.erase_requested_at IS NULL
      AND m.created_at < CAST(CAST(:next AS date) AS timestamp) AT TIME ZONE t.timezone
    GROUP BY m.tenant_id
""")
COSTS = text("""
    SELECT tenant_id, plugin, sum(spent)::bigint AS spent FROM core.budget
    WHERE tenant_id = ANY(CAST(:tenants AS bigint[])) AND month = :month
    GROUP BY tenant_id, plugin HAVING sum(spent) <> 0 ORDER BY tenant_id, plugin
""")
TACTICS = text("""
    SELECT tenant_id, array_agg(plugin ORDER BY slot) AS tactics FROM core.activation
    WHERE tenant_id = ANY(CAST(:tenants AS bigint[])) AND slot IS NOT NULL GROUP BY tenant_id
""")

COLUMNS = (
    *("store", "name", "plan", "month", "events", "members", "members_joined", "tactics_on"),
    *("reward_cost", "currency", "reward_cost_by_tactic", "suspended"),
)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a store used in a month.

    Attributes:
        month: Its first day.
        events: Events that were received in it, with what plugins answered.
        members: Members at its end, or now if it has not ended; without merged and erased ones.
        joined: How many of them are of this month.
        tactics: What is on now, by slot.
        costs: What rewards of this month cost, in minor units, by who gave them.
    """

    tenant_id: int
    store: str
    name: str
    plan: str
    currency: str
    suspended: bool
    month: date
    events: int = 0
    members: int = 0
    joined: int = 0
    tactics: tuple[str, ...] = ()
    costs: Mapping[str, int] = field(default_factory=dict)

    @property
    def cost(self) -> int:
        """What rewards of the month cost in all, in minor units."""
        return sum(self.costs.values())


def read_month(value: str) -> date:
    """A month given as `2026-11`.

    Raises:
        Invalid: It is none.
    """
    try:
        if len(value) != 7:
            raise ValueError(value)
        return date.fromisoformat(f"{value}-01")
    except ValueError:
        raise Invalid("month", _("write a month as {example}", example="2026-11")) from None


def usage(
    ops: Connection, month: date, *, after: str | None = None, store: str | None = None, limit: int = 100
) -> Sequence[Usage]:
    """A page of stores by short name; one query for each kind of number, however many stores.

    Args:
        month: Any day of it.
        after: The short name that the last page ended with.
        store: This store only.
        limit: At most so many, up to 500.
    """
    first = month.replace(day=1)
    if first.year in {date.min.year, date.max.year}:
        raise Invalid("month", _("write a month as {example}", example="2026-11"))
    stores = ops.execute(PAGE, {"after": after, "slug": store, "limit": min(limit, MAX_PAGE)}).all()
    binds = {"tenants": [row.id for row in stores], "month": first, "next": _next(first)}
    events = {row.tenant_id: row.events for row in ops.execute(EVENTS, binds)}
    members = {row.tenant_id: row for row in ops.execute(MEMBERS, binds)}
    tactics = {row.tenant_id: tuple(row.tactics) for row in ops.execute(TACTICS, binds)}
    costs: dict[int, dict[str, int]] = defaultdict(dict)
    for row in ops.execute(COSTS, binds):
        costs[row.tenant_id][row.plugin] = row.spent
    return [
        _usage(
            row,
            first,
            events.get(row.id, 0),
            members.get(row.id),
            tactics.get(row.id, ()),
            costs.get(row.id, {}),
        )
        for row in stores
    ]


def write_csv(engine: Engine, month: date, *, store: str | None = None) -> Iterator[str]:
    """The month's usage of every store as CSV, a page at a time; each page in a transaction of its own.

    Args:
        engine: Of the ops role.
    """
    yield "\ufeff" + _lines([COLUMNS])  # with the mark in front, spreadsheets read Chinese as it was written
    after: str | None = None
    while True:
        with engine.begin() as ops:
            page = usage(ops, month, after=after, store=store, limit=MAX_PAGE)
        if page:
            yield _lines([_row(one) for one in page])
        if len(page) < MAX_PAGE:
            return
        after = page[-1].store


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _usage(
    row: Row[Any],
    month: date,
    events: int,
    members: Row[Any] | None,
    tactics: tuple[str, ...],
    costs: Mapping[str, int],
) -> Usage:
    return Usage(
        tenant_id=row.id,
        store=row.slug,
        name=row.name,
        plan=row.plan,
        currency=row.currency,
        suspended=row.suspended,
        month=month,
        events=events,
        members=members.members if members else 0,
        joined=members.joined if members else 0,
        tactics=tactics,
        costs=dict(costs),
    )


def _row(one: Usage) -> Sequence[object]:
    costs = " ".join(f"{plugin}={cost}" for plugin, cost in one.costs.items())
    return (
        *(_text(one.store), _text(one.name), _text(one.plan), f"{one.month:%Y-%m}"),
        *(one.events, one.members, one.joined, _text(" ".join(one.tactics))),
        *(one.cost, one.currency, _text(costs), "true" if one.suspended else "false"),
    )


def _text(value: str) -> str:
    """A text as a CSV cell; what a spreadsheet would run as a formula is shown as text."""
    return f"'{value}" if value.startswith(FORMULA) else value


def _lines(rows: Sequence[Sequence[object]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue()
