"""Suspending a store and letting it go on.

From the commit on, its API keys, its members' tokens and its consoles are refused: each call looks. Only its own
people and programs are kept out. What it owes its members goes on: the worker still serves what is in the log
already, fires deadlines, closes tactics, takes rewards back and erases, and an operator can export and delete.
Nothing new comes in, so no new event earns anything; a deadline that is due may still give what was promised.
"""

from sqlalchemy import Connection, text

from threepeat.database.engine import Scope
from threepeat.events.stores import OPENING
from threepeat.tenancy import audit, tenants
from threepeat.tenancy.errors import Conflict
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.operating.checking import line

MAX_REASON = 500

SUSPEND = text("""
    UPDATE core.tenant SET suspended_at = transaction_timestamp(), suspended_reason = :reason
    WHERE id = :tenant AND suspended_at IS NULL
""")
# A store that is half open is none: it is opened again, not reactivated.
REACTIVATE = text("""
    UPDATE core.tenant SET suspended_at = NULL, suspended_reason = NULL
    WHERE id = :tenant AND suspended_at IS NOT NULL AND suspended_reason IS DISTINCT FROM :opening
""")


def suspend(ops: Connection, tenant: Tenant, reason: str, *, by: str) -> Tenant:
    """Suspend a store; its next call is refused.

    Args:
        ops: A connection of the ops role, in a transaction.
        reason: For the merchant, at most 500 characters.

    Raises:
        Invalid: The reason is not acceptable.
        Conflict: It is suspended already.
    """
    reason = line("reason", reason, MAX_REASON)
    if ops.execute(SUSPEND, {"tenant": tenant.id, "reason": reason}).rowcount == 0:
        raise Conflict("suspended", f"{tenant.store.slug!r} is suspended already")
    audit.record(Scope(ops, tenant.id), by, "store.suspended", tenant.store.slug)
    return tenants.by_id(ops, tenant.id)


def reactivate(ops: Connection, tenant: Tenant, *, by: str) -> Tenant:
    """Let a suspended store go on.

    Raises:
        Conflict: It is not suspended, or was never opened to its end.
    """
    if ops.execute(REACTIVATE, {"tenant": tenant.id, "opening": OPENING}).rowcount == 0:
        raise Conflict("not-suspended", f"{tenant.store.slug!r} is not suspended, or was left half open")
    audit.record(Scope(ops, tenant.id), by, "store.reactivated", tenant.store.slug)
    return tenants.by_id(ops, tenant.id)
