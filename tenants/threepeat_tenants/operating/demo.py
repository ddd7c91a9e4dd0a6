"""What `threepeat demo` adds when the consoles are installed: somebody to sign in as, for the demo only."""

import secrets
from collections.abc import Iterator, Sequence

from threepeat.events.platform import Platform
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import links, operators, staff
from threepeat_tenants.accounts.people import Role

LOGIN = "demo"
BY = "operator:demo"


def sign_ins(platform: Platform, tenants: Sequence[Tenant], url: str) -> Iterator[str]:
    """Make an operator and an owner for each store, with fresh passwords, and say how to sign in."""
    password = _password()
    with platform.database.ops.begin() as ops:
        try:
            operator = operators.by_login(ops, LOGIN)
        except NotFound:
            operator = operators.add(ops, login=LOGIN, name="Demo", by=BY)
        token = links.make_operator_link(ops, platform.keyring, operator.id, BY)
        links.redeem(ops, platform.keyring, token, password)
    yield f"operator   {url}/operator   sign in as {LOGIN} with {password}"
    for tenant in tenants:
        slug, email, password = tenant.store.slug, f"owner@{tenant.store.slug}.example", _password()
        with platform.database.tenant(tenant.id) as scope:
            try:
                owner = staff.by_login(scope, email)
            except NotFound:
                owner = staff.add(scope, name="Demo", role=Role.OWNER, email=email, by=BY)
            token = links.make_staff_link(scope, platform.keyring, owner.id, BY)
            links.redeem(scope, platform.keyring, token, password)
        yield f"merchant   {url}/store/{slug}   sign in as {email} with {password}"


def _password() -> str:
    return "-".join(secrets.token_hex(3) for _ in range(3))
