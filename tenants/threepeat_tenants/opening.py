"""What every command begins with: an open platform, and a tenant found by its short name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from threepeat.database.engine import Scope
from threepeat.events.platform import Platform
from threepeat.tenancy import tenants
from threepeat.tenancy.tenants import Tenant

BY = "operator"

Slug = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's short name.")]


def opened() -> Platform:
    """An open platform; it is a context manager that closes it."""
    return Platform.open()


@contextmanager
def found(slug: str) -> Iterator[tuple[Platform, Tenant]]:
    """An open platform and one of its tenants, with no transaction open."""
    with opened() as platform:
        with platform.database.directory() as connection:
            tenant = tenants.by_slug(connection, slug)
        yield platform, tenant


@contextmanager
def inside(slug: str) -> Iterator[tuple[Platform, Tenant, Scope]]:
    """A transaction inside a tenant."""
    with (
        found(slug) as (platform, tenant),
        platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope,
    ):
        yield platform, tenant, scope
