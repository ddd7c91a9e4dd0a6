"""Deadlines, schedules and calls as rows: written at the end of the transaction that asks for them.

A row is written or removed after everything else that its transaction does, in the order of its key, so
that two transactions never wait for each other's timers crosswise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.sdk.errors import PluginError
from threepeat.sdk.timers import Kind

MAX_KEY = 200
MAX_PAYLOAD = 64 * 1024

Key = tuple[str, Kind, str, str]

# That something waits is noted in the same statement, so that a worker comes to look at it.
PUT = text("""
    WITH put AS (
        INSERT INTO core.timer (tenant_id, plugin, kind, name, key, due_at, member_id, payload, depth)
        SELECT :tenant, plugin, kind, name, key, due_at, member_id, CAST(payload AS jsonb), depth
        FROM unnest(CAST(:plugins AS text[]), CAST(:kinds AS text[]), CAST(:names AS text[]),
                    CAST(:keys AS text[]), CAST(:dues AS timestamptz[]), CAST(:members AS bigint[]),
                    CAST(:payloads AS text[]), CAST(:depths AS int[]))
             AS given (plugin, kind, name, key, due_at, member_id, payload, depth)
        ORDER BY plugin, kind, name, key
        ON CONFLICT (tenant_id, plugin, kind, name, key) DO UPDATE
        SET due_at = excluded.due_at, member_id = excluded.member_id, payload = excluded.payload,
            depth = excluded.depth, attempts = 0, error = NULL, failed_at = NULL, created_at = excluded.created_at
    )
    INSERT INTO core.backlog (tenant_id) VALUES (:tenant)
""")
# Rows are locked in the order of their keys before they go.
REMOVE = text("""
    WITH locked AS (
        SELECT t.plugin, t.kind, t.name, t.key FROM core.timer t
        JOIN unnest(CAST(:plugins AS text[]), CAST(:kinds AS text[]), CAST(:names AS text[]),
                    CAST(:keys AS text[])) AS given (plugin, kind, name, key) USING (plugin, kind, name, key)
        WHERE t.tenant_id = :tenant ORDER BY t.plugin, t.kind, t.name, t.key FOR UPDATE OF t
    )
    DELETE FROM core.timer t USING locked l
    WHERE t.tenant_id = :tenant AND (t.plugin, t.kind, t.name, t.key) = (l.plugin, l.kind, l.name, l.key)
""")


@dataclass(slots=True)
class Changes:
    """What a call wants of its timers; the last word about a key counts."""

    wanted: dict[Key, tuple[datetime, int | None, str, int] | None] = field(default_factory=dict)

    def put(
        self,
        plugin: str,
        kind: Kind,
        name: str,
        key: str,
        due_at: datetime,
        member: int | None,
        payload: Mapping[str, Any],
        depth: int,
    ) -> None:
        """Set a row, or replace the one under its key.

        Raises:
            PluginError: The key or the payload is too long, the payload is no JSON, or the instant has no zone.
        """
        if not 0 < len(key) <= MAX_KEY or "\0" in key:
            raise PluginError(f"the key of {name!r} needs 1 to {MAX_KEY} characters without NUL")
        if due_at.tzinfo is None:
            raise PluginError(f"the instant of {name!r} needs a time zone")
        try:
            body = orjson.dumps(payload).decode()
        except (TypeError, orjson.JSONEncodeError) as error:
            raise PluginError(f"the payload of {name!r} must be JSON values: {error}") from None
        if len(body) > MAX_PAYLOAD:
            raise PluginError(f"the payload of {name!r} is longer than {MAX_PAYLOAD} bytes")
        self.wanted[plugin, kind, name, key] = (due_at, member, body, depth)

    def remove(self, plugin: str, kind: Kind, name: str, key: str) -> None:
        """Remove a row, if it is there."""
        self.wanted[plugin, kind, name, key] = None


def write(scope: Scope, changes: Changes) -> None:
    """Write what a call wants, and wake a worker to look at it."""
    gone = sorted(key for key, row in changes.wanted.items() if row is None)
    if gone:
        scope.run(REMOVE, **_keys(gone))
    put = sorted((key, row) for key, row in changes.wanted.items() if row is not None)
    if put:
        scope.run(
            PUT,
            **_keys([key for key, _ in put]),
            dues=[row[0] for _, row in put],
            members=[row[1] for _, row in put],
            payloads=[row[2] for _, row in put],
            depths=[row[3] for _, row in put],
        )
    changes.wanted.clear()


def _keys(keys: list[Key]) -> dict[str, list[str]]:
    return {
        name: [key[number] for key in keys] for number, name in enumerate(("plugins", "kinds", "names", "keys"))
    }
