"""A person of the store gives a member a reward, or takes of it: through its keeper, once, with a reason."""

from dataclasses import dataclass
from hashlib import sha256

import structlog
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.database.engine import Scope
from threepeat.database.redact import brief
from threepeat.events import rewards
from threepeat.events.context import Cause, PluginContext
from threepeat.events.opened import OpenTenant
from threepeat.events.platform import Platform
from threepeat.plugins import Installed
from threepeat.sdk.errors import Refused
from threepeat.sdk.rewards import Grant, GrantState, Reward, Spend
from threepeat.sdk.storable import storable
from threepeat.sdk.wording import _
from threepeat.tenancy import audit, members, switches
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.tenants import Tenant

MOST = 10**9
MAX_REASON = 200
MAX_KEY = 200
RULE = "adjusted"
"""The rule under which such rewards stand."""

# The key is part of the change: of two that send the same, one waits for the other and then changes nothing.
BEGIN = text("""
    INSERT INTO core.idempotency (tenant_id, principal, key, request_hash, member_id)
    VALUES (:tenant, :by, :key, :hash, :member) ON CONFLICT DO NOTHING
""")
BEGUN = text("""
    SELECT request_hash FROM core.idempotency WHERE tenant_id = :tenant AND principal = :by AND key = :key
""")

REFUSED = {
    GrantState.HELD_OUT: (
        "held-out",
        _(
            "The member is suspended, or in the comparison group of the tactic that keeps this reward: "
            "exempt the member first."
        ),
    ),
    GrantState.OVER_BUDGET: (
        "over-budget",
        _("The tactic's budget of this month does not cover it: raise the budget first."),
    ),
    GrantState.CLOSED: (
        "closed",
        _("None can be had: whoever keeps this reward is closing or off, or has no more of it."),
    ),
}

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What came of it.

    Attributes:
        amount: What was given, or taken if it is below zero.
        balance: What the member has now.
        repeated: It had been done before; nothing was done now.
    """

    kind: str
    amount: int
    balance: int
    repeated: bool


def adjust(
    platform: Platform,
    scope: Scope,
    tenant: Tenant,
    member_id: int,
    kind: str,
    amount: int,
    reason: str,
    *,
    item: str = "",
    key: str,
    by: str,
) -> Adjusted:
    """Give a member some of a kind of reward, or take some.

    What is given is charged to the budget of the plugin that keeps the kind. Nobody gets below zero.

    Args:
        kind: A kind of reward that somebody keeps.
        amount: How much; below zero it is taken.
        reason: Why, for the audit trail.
        item: Which one is given, for a kind of which the store has several.
        key: Makes it unique: the same key of the same principal is done once.
        by: Who does it.

    Raises:
        NotFound: There is no such member, or nobody keeps such a reward here.
        Invalid: The amount, the reason, the key or which one is not acceptable.
        Conflict: It cannot be given or taken now, or the key stands for something else.
        Refused: The member has too little.
    """
    _check(amount, reason, key)
    keeper, kept = _keeper(platform, kind)
    if amount > 0 and bool(item) is not (kept.items is not None):
        raise Invalid("item", _("there is only one of this kind") if item else _("say which one"))
    wanted = [str(member_id), kind, str(amount), reason, *([item] if item else [])]
    with scope.connection.begin_nested():
        switches.stand_still(scope)
        fresh = _begin(scope, member_id, key, by, "\n".join(wanted))
        held = members.current(scope, member_id, hold=True)
        if held is None:
            raise NotFound(_("there is no such member"))
        opened = platform.inside(scope, tenant)
        cause = sha256(f"{by}\n{key}".encode()).hexdigest()
        context = opened.context(keeper, cause=Cause(f"adjust:{cause}"), member=held)
        if fresh:
            _move(opened, context, keeper, kind, held, amount, cause, item)
            details = {"kind": kind, "amount": amount, "reason": reason, **({"item": item} if item else {})}
            audit.record(scope, by, "member.adjusted", f"member:{held}", **details)
        balance = rewards.balance(opened, context, kind, [held]).get(held, 0)
    return Adjusted(kind, amount, balance, not fresh)


def _move(
    opened: OpenTenant,
    context: PluginContext,
    keeper: Installed,
    kind: str,
    member_id: int,
    amount: int,
    cause: str,
    item: str,
) -> None:
    try:
        if amount > 0:
            grant = Grant(member_id, amount, RULE, f"adjust:{cause}", item)
            given = rewards.grant(opened, context, keeper, kind, [grant])
            if given[0].state in REFUSED:
                raise Conflict(*REFUSED[given[0].state])
        else:
            rewards.spend(opened, context, keeper, kind, [Spend(member_id, -amount, f"adjust:{cause}")])
        context.finish()
    except (Conflict, Refused, OperationalError):
        raise
    except Exception as error:
        store = opened.tenant.store.slug
        logger.error("adjustment failed", tenant=store, plugin=keeper.id, reason=brief(error))
        raise Conflict(
            "adjust-failed", _("The tactic that keeps this reward cannot do it: nothing was changed.")
        ) from error


def _begin(scope: Scope, member_id: int, key: str, by: str, request: str) -> bool:
    """Whether it is the first time that this is asked for."""
    values = {"by": by, "key": f"adjust:{key}"}
    digest = sha256(request.encode()).digest()
    if scope.count(BEGIN, hash=digest, member=member_id, **values):
        return True
    if bytes(scope.run(BEGUN, **values)[0].request_hash) != digest:
        raise Conflict("key-reused", _("This was sent before with other values: open the page again."))
    return False


def _keeper(platform: Platform, kind: str) -> tuple[Installed, Reward]:
    found = platform.registry.keeper(kind)
    if found is None:
        raise NotFound(_("nobody keeps such a reward"))
    return found


def _check(amount: int, reason: str, key: str) -> None:
    if type(amount) is not int or not 1 <= abs(amount) <= MOST:
        raise Invalid("amount", _("choose {least} to {most}", least=1, most=MOST))
    if not 1 <= len(reason) <= MAX_REASON or not storable(reason) or not reason.strip():
        raise Invalid("reason", _("use 1 to {n} characters", n=MAX_REASON))
    if not 1 <= len(key) <= MAX_KEY or not storable(key):
        raise Invalid("key", _("use 1 to {n} characters", n=MAX_KEY))
