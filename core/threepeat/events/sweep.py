"""The second half of an erasure: everything that is stored about a member, in every schema of the database.

One transaction of the ops role erases all of it, so that there is no state in between, and the key under which
texts become hashes is never written down. Each schema has a savepoint: one that cannot be erased, such as a
quarantined plugin's, is tried again and holds back no other.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from threepeat.database.engine import SET_TENANT, Scope, inside
from threepeat.database.faults import fault_point
from threepeat.database.personal import PersonalTable, personal_tables
from threepeat.database.redact import brief
from threepeat.database.scrubbing import EVENTS, statement
from threepeat.events import receipts
from threepeat.events.platform import Platform
from threepeat.tenancy.tenants import Tenant

LONGEST = "1h"
CORE = "core"
LOG = "core.event"
"""The log keeps its order, blanked: it has a statement of its own."""

PATIENCE = text("SELECT set_config('statement_timeout', :longest, true)")
LOCK = text("""
    SELECT id, member_id, merged, requested_at, requested_by, progress, completed_at,
           transaction_timestamp() AS now
    FROM core.erasure WHERE tenant_id = :tenant AND id = :id FOR UPDATE
""")
PROGRESS = text("""
    UPDATE core.erasure SET progress = CAST(:progress AS jsonb) WHERE tenant_id = :tenant AND id = :id
""")
CLOSE = text("""
    UPDATE core.erasure SET completed_at = transaction_timestamp(), receipt = :receipt, progress = '{}'
    WHERE tenant_id = :tenant AND id = :id
""")
SILENCE = text("""
    DELETE FROM core.timer
    WHERE tenant_id = :tenant AND plugin = 'core' AND kind = 'timer' AND name = 'erase' AND key = :id
""")

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class Progress:
    """What an erasure has done so far.

    Attributes:
        tables: Action, rows and reason by table.
        asked: Plugins whose own erasure has succeeded.
        failed: Why a schema or a plugin is outstanding, by name.
    """

    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def count(self, table: PersonalTable, rows: int) -> None:
        """Add to what was done to a table; rows that are kept are counted anew each time."""
        before = self.tables.get(str(table), {}).get("rows", 0) if table.action != "keep" else 0
        reason = {"reason": table.reason} if table.reason else {}
        self.tables[str(table)] = {"action": table.action, "rows": before + rows, **reason}

    def stored(self) -> str:
        """As the database keeps it."""
        return json.dumps({"tables": self.tables, "asked": self.asked, "failed": self.failed})


def sweep(
    platform: Platform, tenant: Tenant, erasure_id: str, *, asked: Sequence[str], failed: Mapping[str, str]
) -> Progress:
    """Erase what is stored, and sign the receipt if nothing is outstanding.

    Args:
        asked: Plugins whose own erasure has succeeded.
        failed: Plugins whose own erasure has not, and why.

    Returns:
        What was done, and what is outstanding.
    """
    with platform.database.ops.begin() as connection:
        scope = Scope(connection, tenant.id)
        connection.execute(SET_TENANT, inside(tenant.id, tenant.clock_offset))
        connection.execute(PATIENCE, {"longest": LONGEST})
        row = scope.run(LOCK, id=erasure_id)[0]
        progress = Progress(**row.progress)
        if row.completed_at is not None:
            return progress
        progress.asked, progress.failed = sorted({*progress.asked, *asked}), dict(failed)
        _erase(scope, [row.member_id, *row.merged], progress)
        fault_point("erasure.half-done")
        if progress.failed:
            scope.run(PROGRESS, id=erasure_id, progress=progress.stored())
        else:
            receipt = receipts.sign(platform.keyring, _statement(tenant, row, progress, platform))
            scope.run(CLOSE, id=erasure_id, receipt=receipt)
            scope.run(SILENCE, id=erasure_id)
    return progress


def _erase(scope: Scope, ids: Sequence[int], progress: Progress) -> None:
    binds = {
        "ids": list(ids),
        # Never a member's id: those are positive.
        "surrogates": [-1 - secrets.randbelow(2**63 - 1) for _ in ids],
        "key": secrets.token_bytes(32),
    }
    tables = personal_tables(scope.connection)
    schemas = {name: list(found) for name, found in groupby(tables, key=lambda table: table.table.schema)}
    core = schemas.pop(CORE)
    # Members last: a plugin's rows may refer to them.
    log = [table for table in core if str(table) == LOG]
    rest = [table for table in core if str(table) != LOG]
    for name, found in (*schemas.items(), (LOG, log), (CORE, rest)):
        try:
            with scope.connection.begin_nested():
                if name == LOG:
                    counts: Sequence[int] = [scope.count(EVENTS, **binds)]
                else:
                    counts = scope.run(statement(found), **binds)[0]
        except (DBAPIError, ValueError) as error:
            progress.failed[name] = brief(error)
            logger.error("schema not erased", schema=name, error=brief(error))
        else:
            for table, rows in zip(found, counts, strict=True):
                progress.count(table, rows)


def _statement(tenant: Tenant, row: Any, progress: Progress, platform: Platform) -> dict[str, Any]:
    """What the receipt states; it names the store and nobody else."""
    done = {name: one for name, one in progress.tables.items() if one["rows"]}
    return {
        "jti": row.id,
        "store": tenant.store.slug,
        "requested_at": row.requested_at.isoformat(),
        "requested_by": row.requested_by,
        "completed_at": row.now.isoformat(),
        "looked_through": len(progress.tables),
        "erased": [
            {"table": name, "action": one["action"], "rows": one["rows"]}
            for name, one in done.items()
            if one["action"] != "keep"
        ],
        "kept": [
            {"table": name, "rows": one["rows"], "reason": one["reason"]}
            for name, one in done.items()
            if one["action"] == "keep"
        ],
        "asked": progress.asked,
        "quarantined": sorted(platform.registry.quarantined),
    }
