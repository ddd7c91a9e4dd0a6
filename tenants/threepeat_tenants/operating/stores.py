"""The stores as operators look for them: pages of a list, whoever has a plugin, and short names for new ones.

Every query runs over all stores at once, as ops.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, text

from threepeat.events.stores import OPENING
from threepeat.tenancy.switches import SwitchState

MAX_SEARCH = 100
AT_ONCE = timedelta(minutes=2)
"""Who opens the same store twice within it has pressed the button twice."""
MAX_PROPOSED = 40

COLUMNS = """
    t.slug, t.name, t.plan, p.title AS plan_title, t.simulated, t.created_at, t.suspended_at,
    coalesce(t.suspended_reason = :opening, false) AS opening, a.tactics, e.received_at AS last_event
"""
BESIDE = """
    JOIN core.plan p ON p.id = t.plan
    LEFT JOIN LATERAL (
        SELECT array_agg(plugin ORDER BY slot) AS tactics FROM core.activation
        WHERE tenant_id = t.id AND slot IS NOT NULL
    ) a ON true
    LEFT JOIN LATERAL (
        SELECT received_at FROM core.event WHERE tenant_id = t.id ORDER BY position DESC LIMIT 1
    ) e ON true
"""
PAGE = text(f"""
    SELECT {COLUMNS} FROM (
        SELECT * FROM core.tenant
        WHERE (CAST(:after AS text) IS NULL OR slug > :after)
          AND (CAST(:search AS text) IS NULL OR slug ILIKE :search OR name ILIKE :search)
        ORDER BY slug LIMIT :limit
    ) t {BESIDE} ORDER BY t.slug
""")  # noqa: S608 - constants
LATEST = text(f"""
    SELECT {COLUMNS} FROM (SELECT * FROM core.tenant ORDER BY id DESC LIMIT :limit) t {BESIDE} ORDER BY t.id DESC
""")  # noqa: S608 - constants
ONE = text(f"""
    SELECT {COLUMNS} FROM (SELECT * FROM core.tenant WHERE id = :tenant) t {BESIDE}
""")  # noqa: S608 - constants
HAVING = text("""
    SELECT t.slug, t.name, a.state, a.changed_at FROM core.activation a JOIN core.tenant t ON t.id = a.tenant_id
    WHERE a.plugin = :plugin AND a.state <> 'off' AND (CAST(:after AS text) IS NULL OR t.slug > :after)
    ORDER BY t.slug LIMIT :limit
""")
JUST_OPENED = text("""
    SELECT FROM core.tenant
    WHERE slug = :slug AND name = :name AND created_by = :by
      AND created_at > transaction_timestamp() - CAST(:span AS interval)
""")
FREE = text("""
    SELECT c.slug FROM (SELECT CAST(:base AS text) || '-' || n AS slug, n FROM generate_series(2, 99) n) c
    WHERE NOT EXISTS (SELECT FROM core.tenant t WHERE t.slug = c.slug) ORDER BY c.n LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Listed:
    """A store in a list.

    Attributes:
        plan: Its plan's id.
        plan_title: What people call the plan.
        tactics: What is on, by slot.
        last_event: When the latest was received; None if none ever was.
        opening: It is half open and of no use yet.
    """

    slug: str
    name: str
    plan: str
    plan_title: str
    simulated: bool
    created_at: datetime
    suspended_at: datetime | None
    opening: bool
    tactics: tuple[str, ...]
    last_event: datetime | None


@dataclass(frozen=True, slots=True)
class Having:
    """A store that has a plugin.

    Attributes:
        since: When it was switched to that state, or last set.
    """

    slug: str
    name: str
    state: SwitchState
    since: datetime


def page(ops: Connection, *, search: str = "", after: str | None = None, limit: int = 50) -> Sequence[Listed]:
    """Stores by short name.

    Args:
        search: A part of the name or the short name; everything if empty.
        after: The short name that the last page ended with.
    """
    words = search.strip()[:MAX_SEARCH]
    escaped = re.sub(r"([\\%_])", r"\\\1", words)
    binds = {"search": f"%{escaped}%" if words else None, "after": after, "limit": limit, "opening": OPENING}
    return [_listed(row) for row in ops.execute(PAGE, binds)]


def latest(ops: Connection, *, limit: int = 5) -> Sequence[Listed]:
    """The stores that were opened last, the newest first."""
    return [_listed(row) for row in ops.execute(LATEST, {"limit": limit, "opening": OPENING})]


def one(ops: Connection, tenant_id: int) -> Listed:
    """A store that is there."""
    return _listed(ops.execute(ONE, {"tenant": tenant_id, "opening": OPENING}).one())


def having(ops: Connection, plugin: str, *, after: str | None = None, limit: int = 50) -> Sequence[Having]:
    """The stores in which a plugin is on or closing, by short name."""
    rows = ops.execute(HAVING, {"plugin": plugin, "after": after, "limit": limit})
    return [Having(row.slug, row.name, SwitchState(row.state), row.changed_at) for row in rows]


def just_opened(ops: Connection, slug: str, name: str, by: str) -> bool:
    """Whether the same person opened this very store a moment ago."""
    binds = {"slug": slug, "name": name.strip(), "by": by, "span": AT_ONCE}
    return ops.execute(JUST_OPENED, binds).one_or_none() is not None


def short_name(name: str) -> str:
    """A short name for a store, always the same for the same name: its Latin letters, or a mark if it has none."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_PROPOSED].rstrip("-")
    return made if len(made) > 1 else f"store-{sha256(name.strip().encode('utf-8', 'replace')).hexdigest()[:6]}"


def free_name(ops: Connection, slug: str) -> str:
    """A short name like a taken one that is free at the moment; empty if there is none."""
    return ops.execute(FREE, {"base": slug[:60].rstrip("-")}).scalar() or ""


def _listed(row: Row[Any]) -> Listed:
    return Listed(
        slug=row.slug,
        name=row.name,
        plan=row.plan,
        plan_title=row.plan_title,
        simulated=row.simulated,
        created_at=row.created_at,
        suspended_at=row.suspended_at,
        opening=row.opening,
        tactics=tuple(row.tactics or ()),
        last_event=row.last_event,
    )
