"""A store's clock differs from the server's by whatever its import said."""

from datetime import timedelta

import pytest

from threepeat.events.platform import Platform
from threepeat.tenancy.tenants import Tenant


@pytest.mark.parametrize("microseconds", [-48, 1, 99])
def test_a_clock_that_differs_by_microseconds_can_be_read(platform: Platform, tenant: Tenant, microseconds: int):
    with platform.database.tenant(tenant.id) as scope:
        before = scope.now
    with platform.database.tenant(tenant.id, clock_offset=timedelta(microseconds=microseconds)) as scope:
        assert scope.now > before
