"""Into a tenant by one statement: who it is, its clock, the limits of a step, and its switches standing still."""

from functools import cache

from sqlalchemy import TextClause, text

from threepeat.database.engine import Scope, Timeouts
from threepeat.tenancy import switches, tenants
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant

# The offset is written without an exponent, which PostgreSQL does not read in an interval.
INSIDE = """
    set_config('threepeat.tenant', CAST(t.id AS text), true),
    set_config('threepeat.clock_offset', extract(epoch FROM t.clock_offset) || ' seconds', true),
    transaction_timestamp() + CAST(extract(epoch FROM t.clock_offset) || ' seconds' AS interval) AS now
"""
LIMITS = """
    set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true),
    set_config('idle_in_transaction_session_timeout', :idle, true)
"""
# What a member asks finds few rows by their keys. Its plans are kept, for they take longer to make than to carry
# out; and none of them reads a table from end to end because it was small when the plan was made.
KEPT_PLANS = "set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)"


def enter(scope: Scope, *, timeouts: Timeouts | None = None, by_keys: bool = False, still: bool = False) -> Tenant:
    """Go into the tenant of a transaction that is nowhere yet.

    Args:
        timeouts: How long the transaction may take over one step; the server's own by default.
        by_keys: It finds few rows by their keys, and plans are kept for the next one.
        still: The switches stay as they are until it ends, as by `switches.stand_still`.

    Raises:
        NotFound: There is no such tenant.
    """
    row = scope.one(
        _statement(timed=timeouts is not None, by_keys=by_keys, still=still),
        **(timeouts.binds() if timeouts is not None else {}),
    )
    if row is None:
        raise NotFound(f"there is no tenant {scope.tenant_id}")
    scope.now = row.now
    return tenants.made(row)


@cache
def _statement(*, timed: bool, by_keys: bool, still: bool) -> TextClause:
    parts = [tenants.COLUMNS, INSIDE]
    parts += [LIMITS] if timed else []
    parts += [KEPT_PLANS] if by_keys else []
    parts += [switches.STILL] if still else []
    return text(f"SELECT {', '.join(parts)} FROM core.tenant t WHERE t.id = :tenant")  # noqa: S608 - constants
