"""Opens a store in one step: the tenant, its services, and the tactics it starts with."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from threepeat.database.engine import Scope
from threepeat.database.redact import brief
from threepeat.events import removal
from threepeat.events.platform import Platform
from threepeat.tenancy import switches, tenants
from threepeat.tenancy.errors import Conflict, NotFound
from threepeat.tenancy.tenants import Tenant

OPENING = "this store is being opened"

# Who opens a store holds its row until all of it is there, so that nobody takes it for one left behind.
HOLD = text("""
    SELECT id FROM core.tenant WHERE id = :tenant AND suspended_reason = :opening FOR NO KEY UPDATE
""")
LEFT_BEHIND = text("""
    SELECT id FROM core.tenant WHERE slug = :slug AND suspended_reason = :opening
    FOR NO KEY UPDATE SKIP LOCKED
""")
OPEN = text("UPDATE core.tenant SET suspended_at = NULL, suspended_reason = NULL WHERE id = :tenant")
UNDO = (
    text("DELETE FROM core.backlog WHERE tenant_id = :tenant"),
    text("DELETE FROM core.turn WHERE tenant_id = :tenant"),
    text("DELETE FROM core.stream WHERE tenant_id = :tenant"),
    text("DELETE FROM core.tenant WHERE id = :tenant"),
)

logger = structlog.get_logger(__name__)


@contextmanager
def opening(
    platform: Platform,
    slug: str,
    *,
    name: str | None = None,
    plan: str = "standard",
    currency: str = "CNY",
    timezone: str = "Asia/Shanghai",
    simulated: bool = False,
    blueprint: str | None = None,
    by: str,
) -> Iterator[tuple[Tenant, Scope]]:
    """A new tenant, and the transaction in which all that it begins with is made.

    The tenant is suspended until that transaction has committed. If it fails, nothing of the tenant is left; what
    a crash leaves can be used by nobody, and is cleared away when the same store is opened again.

    Raises:
        Invalid: A field is not acceptable or the slug is taken; the message names the field.
        Conflict: Somebody else clears the store away at the same time.
    """
    _clear(platform, slug, by)
    with platform.database.ops.connect() as ops:
        with ops.begin():
            tenant = tenants.create(
                ops,
                slug,
                name=name,
                plan=plan,
                currency=currency,
                timezone=timezone,
                simulated=simulated,
                blueprint=blueprint,
                suspended=OPENING,
                by=by,
            )
        filled = False
        try:
            with ops.begin():
                if ops.execute(HOLD, {"tenant": tenant.id, "opening": OPENING}).one_or_none() is None:
                    raise Conflict("changed", f"somebody else is opening {slug!r}; try again")
                with platform.database.tenant(tenant.id) as scope:
                    yield replace(tenant, suspended_at=None, suspended_reason=None), scope
                filled = True
                ops.execute(OPEN, {"tenant": tenant.id})
        except BaseException:
            if not filled:
                _undo(ops, tenant)
            raise


def open_store(
    platform: Platform,
    slug: str,
    *,
    name: str | None = None,
    plan: str = "standard",
    currency: str = "CNY",
    timezone: str = "Asia/Shanghai",
    simulated: bool = False,
    enable: Sequence[str] = (),
    holdout: int | None = None,
    by: str,
) -> Tenant:
    """Make a tenant with its services on and, if asked, some tactics.

    Args:
        enable: Tactics to switch on.
        holdout: Size of their comparison groups in percent; the default if None.
        by: Who does it.

    Raises:
        TenancyError: A value is not acceptable or a tactic is not there: nothing was made.
    """
    for plugin in enable:
        if plugin not in platform.registry:
            raise NotFound(f"there is no plugin {plugin!r}")
    with opening(
        platform,
        slug,
        name=name,
        plan=plan,
        currency=currency,
        timezone=timezone,
        simulated=simulated,
        by=by,
    ) as (tenant, scope):
        switches.open_services(scope, tenant, platform.registry, by=by, act=platform.act)
        for plugin in enable:
            switches.enable(scope, tenant, platform.registry, plugin, by=by, act=platform.act)
            if holdout is not None and platform.registry[plugin].manifest.holdout == "member":
                switches.save_settings(
                    scope,
                    tenant,
                    platform.registry,
                    platform.keyring,
                    plugin,
                    {},
                    revision=None,
                    holdout_percent=holdout,
                    by=by,
                )
    return tenant


def _clear(platform: Platform, slug: str, by: str) -> None:
    """Remove what a crash left of a store that was being opened."""
    if not tenants.SLUG.fullmatch(slug):
        return
    with platform.database.ops.begin() as ops:
        left = ops.execute(LEFT_BEHIND, {"slug": slug, "opening": OPENING}).one_or_none()
        if left is None:
            return
        tenant = tenants.by_id(ops, left.id)
    logger.warning("a store that was left half open is removed", tenant=slug)
    removal.remove(platform, tenant, by=by)


def _undo(ops: Connection, tenant: Tenant) -> None:
    """Take the tenant back; its own transaction has left nothing."""
    try:
        with ops.begin():
            for statement in UNDO:
                ops.execute(statement, {"tenant": tenant.id})
    except DBAPIError as error:
        # It stays suspended, and the next attempt clears it away.
        logger.warning("a store is left half open", tenant=tenant.store.slug, error=brief(error))
