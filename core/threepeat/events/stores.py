"""Opens a store in one step: the tenant, its services, and the tactics it starts with."""

from collections.abc import Sequence

from threepeat.events.platform import Platform
from threepeat.tenancy import switches, tenants
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant


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
    with platform.database.ops.begin() as ops:
        tenant = tenants.create(
            ops,
            slug,
            name=name,
            plan=plan,
            currency=currency,
            timezone=timezone,
            simulated=simulated,
            by=by,
        )
    with platform.database.tenant(tenant.id) as scope:
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
