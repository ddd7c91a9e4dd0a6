"""What has to be done to a restored database before it may serve, and whether it may then."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from threepeat.database.backup import not_all_rows
from threepeat.database.redact import brief
from threepeat.events import erasure
from threepeat.events.platform import Platform
from threepeat.events.verify import verify
from threepeat.tenancy import switches, tenants
from threepeat.tenancy.keyring import SealError
from threepeat.tenancy.tenants import Tenant


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a restored database turned out.

    Attributes:
        erased: How many erasures the backup did not know and were carried out again; None if that was not done
            to the end: then erased people may be in it.
        tenants: How many tenants were looked at.
        checks: How many promises were checked.
        faults: What is wrong, in words; none if it may serve.
    """

    erased: int | None
    tenants: int
    checks: int
    faults: Sequence[str]


def recover(platform: Platform, erasures: Sequence[str]) -> Recovery:
    """Carry out again what was erased after the backup, then check everything that can be checked.

    Args:
        platform: Open on the restored database, which is closed to everybody else.
        erasures: Lines of the erasure list.
    """
    erased, faults = _erase(platform, erasures)
    faults += [f"{found.id} is quarantined: {found.reason}" for found in platform.registry.quarantined.values()]
    with platform.database.directory() as connection:
        everyone = tenants.everyone(connection)
    checks = 0
    for tenant in everyone:
        faults += _sealed_for_ever(platform, tenant)
        try:
            for finding in verify(platform, tenant):
                checks += 1
                if finding.rows:
                    faults.append(
                        f"{finding.tenant}: {finding.owner}.{finding.name} is violated: {finding.promise}"
                    )
        except Exception as error:  # noqa: BLE001 - what cannot be checked is not known to hold
            faults.append(f"{tenant.store.slug}: not every promise could be checked: {brief(error)}")
    return Recovery(erased, len(everyone), checks, faults)


def _erase(platform: Platform, erasures: Sequence[str]) -> tuple[int | None, list[str]]:
    """How many erasures were carried out again, None if not all, and what kept the others from it."""
    roles = platform.database.urls.roles
    with platform.database.owner.connect() as owner:
        hidden = [(role, table) for role in (roles.owner, roles.ops) for table in not_all_rows(owner, role)]
    if hidden:  # nobody could erase what is not seen
        return None, [f"{role} does not see every row of {table}" for role, table in hidden]
    try:
        return erasure.replay(platform, erasures), []
    except Exception as error:  # noqa: BLE001 - whatever it is, the database must not be opened
        return None, [f"the erasures were not all carried out again: {brief(error)}"]


def _sealed_for_ever(platform: Platform, tenant: Tenant) -> Iterator[str]:
    """The plugins whose secrets the keyring does not open."""
    with platform.database.tenant(tenant.id) as scope:
        activations = switches.activations(scope)
    for plugin in platform.registry:
        if plugin.id in activations:
            try:
                platform.settings(tenant, plugin, activations[plugin.id])
            except SealError as error:
                yield f"{tenant.store.slug}: the secrets of {plugin.id} cannot be opened: {error}"
