"""What a store sent of late that could not be taken: a type and a field, never a value.

They are for whoever connects the store, so a few of each second are enough.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from psycopg import AsyncConnection, Error
from sqlalchemy import text

from threepeat.database.asynchronous import in_tenant
from threepeat.database.engine import Scope, Timeouts
from threepeat.database.redact import brief
from threepeat.events.incoming import Item, Verdict

MOST = 200
"""As many are kept of a store."""
AT_ONCE = 5
SECONDS = 1.0
"""One request in this time leaves its refusals, in each process."""
MOST_STORES = 16_384
NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,80}")

logger = structlog.get_logger(__name__)

NOTE = """
    WITH given AS (
        INSERT INTO core.refusal (tenant_id, type, verdict, detail)
        SELECT %(tenant)s, * FROM unnest(%(types)s::text[], %(verdicts)s::text[], %(details)s::text[])
    )
    DELETE FROM core.refusal WHERE tenant_id = %(tenant)s AND id <= (
        SELECT id FROM core.refusal WHERE tenant_id = %(tenant)s ORDER BY id DESC OFFSET %(before)s LIMIT 1)
"""
READ = text("""
    SELECT id, at, type, verdict, detail FROM core.refusal
    WHERE tenant_id = :tenant AND id > :after ORDER BY id DESC LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that was not taken.

    Attributes:
        type: What it claimed to be; empty if that is no event's name.
        detail: The field that is at fault; empty if it cannot be named.
    """

    id: int
    at: datetime
    type: str
    verdict: str
    detail: str


class Refusals:
    """Notes the refusals of one process."""

    def __init__(self) -> None:
        self._noted: dict[int, float] = {}

    async def note(
        self, connection: AsyncConnection[Any], tenant_id: int, items: Sequence[Item], timeouts: Timeouts
    ) -> None:
        """Write some of the items that were refused down, unless others were a moment ago."""
        refused = [item for item in items if item.verdict in {Verdict.INVALID, Verdict.CONFLICT}][:AT_ONCE]
        now = time.monotonic()
        if not refused or now - self._noted.get(tenant_id, -SECONDS) < SECONDS:
            return
        if len(self._noted) > MOST_STORES:
            self._noted.clear()
        self._noted[tenant_id] = now
        try:
            await self._write(connection, tenant_id, refused, timeouts)
        except Error as error:
            # The events are judged and stored: that nobody can look this up does not change the answer.
            logger.warning("refusals are not noted", error=brief(error))

    async def _write(
        self, connection: AsyncConnection[Any], tenant_id: int, refused: Sequence[Item], timeouts: Timeouts
    ) -> None:
        async with in_tenant(connection, tenant_id, timeouts):
            given = {
                "tenant": tenant_id,
                "types": [_name(item.type) for item in refused],
                "verdicts": [str(item.verdict) for item in refused],
                "details": [_name(item.reason.partition(":")[0]) for item in refused],
                "before": MOST - len(refused),
            }
            await connection.execute(NOTE, given)


def recent(scope: Scope, *, after: int = 0, limit: int = 20) -> list[Refusal]:
    """The store's latest refusals, newest first.

    Args:
        after: Only those newer than the one with this id.
    """
    rows = scope.run(READ, after=after, limit=limit)
    return [Refusal(row.id, row.at, row.type, row.verdict, row.detail) for row in rows]


def _name(value: str) -> str:
    return value if NAME.fullmatch(value) else ""
