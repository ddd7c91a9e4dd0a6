"""Signing in with a password.

Whoever is refused learns nothing: an unknown account, a wrong password, a disabled person and one who never set
a password get the same answer after the same work.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, text

from threepeat.database.engine import Scope
from threepeat.events.platform import Platform
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Invalid, TenancyError
from threepeat.tenancy.keys import Denied
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import operators, passwords, sessions, staff, throttle
from threepeat_tenants.accounts.desk import SET_PASSWORD, Both, Desk, both
from threepeat_tenants.accounts.sessions import Session
from threepeat_tenants.accounts.throttle import TooManyAttempts

__all__ = [
    "SignInRefused", "TooManyAttempts", "change_operator_password", "change_staff_password", "sign_in_operator",
    "sign_in_staff",
]  # fmt: skip

BY_LOGIN = Both(
    text("""
        SELECT id AS person_id, password_hash, disabled_at FROM core.staff
        WHERE tenant_id = :tenant AND (email = CAST(:login AS text) OR phone = CAST(:login AS text))
    """),
    text("""
        SELECT id AS person_id, password_hash, disabled_at FROM core.operator WHERE login = CAST(:login AS text)
    """),
)
KNOWN = both("""
    SELECT p.name, {logins} AS logins, p.password_hash FROM core.{kind} p
    WHERE {p} p.id = :id AND p.disabled_at IS NULL
""")

logger = structlog.get_logger(__name__)


class SignInRefused(TenancyError):  # noqa: N818 - an answer, not a programming error
    """This login and this password do not open a session; callers learn no more than that."""


def sign_in_staff(
    platform: Platform, tenant: Tenant, login: str, password: str, *, address: str, agent: str | None
) -> tuple[str, Session]:
    """Open a session for a person of a store's staff.

    Args:
        login: E-mail address or phone, as it was typed.
        address: Of the client.
        agent: What the browser calls itself.

    Returns:
        The cookie's value, which is not stored, and the session.

    Raises:
        SignInRefused: The two do not go together.
        TooManyAttempts: It is too early for another attempt; the password was not looked at.
    """
    return _sign_in(platform, tenant, login, staff.read_login(login), password, address, agent)


def sign_in_operator(
    platform: Platform, login: str, password: str, *, address: str, agent: str | None
) -> tuple[str, Session]:
    """Open a session for an operator, as `sign_in_staff` does."""
    return _sign_in(platform, None, login, operators.read_login(login), password, address, agent)


def change_staff_password(
    platform: Platform, tenant: Tenant, session: Session, current: str, new: str, *, address: str
) -> tuple[str, Session]:
    """Change the password of whoever is signed in: all their sessions end, and a new one opens.

    Raises:
        Invalid: `current` is not the password, or `password` is not good enough.
        TooManyAttempts: It is too early for another attempt.
        Denied: The person was disabled, or has changed their password at the same time.
    """
    return _change(platform, tenant, session, current, new, address)


def change_operator_password(
    platform: Platform, session: Session, current: str, new: str, *, address: str
) -> tuple[str, Session]:
    """Change an operator's password, as `change_staff_password` does."""
    return _change(platform, None, session, current, new, address)


def _sign_in(
    platform: Platform,
    tenant: Tenant | None,
    typed: str,
    login: str | None,
    password: str,
    address: str,
    agent: str | None,
) -> tuple[str, Session]:
    with platform.database.ops.begin() as ops:
        account = login or typed.strip().casefold()
        attempt = throttle.begin(ops, platform.keyring, tenant.id if tenant else None, account, address)
    with _place(platform, tenant) as place:
        found = Desk(place).one(BY_LOGIN, login=login)
    stored = found.password_hash if found else None
    good = passwords.check(password, stored)
    if not good or found is None or stored is None or found.disabled_at is not None:
        logger.info("sign-in refused", tenant=tenant.store.slug if tenant else None)
        raise SignInRefused("this login and this password do not go together")
    fresh = passwords.make_hash(password) if passwords.is_outdated(stored) else None
    try:
        with _place(platform, tenant) as place:
            desk = Desk(place)
            if desk.hold(found.person_id).password_hash != stored:
                raise Denied
            opened = _open(place, platform, found.person_id, agent)
            if fresh is not None:
                desk.run(SET_PASSWORD, id=found.person_id, hash=fresh)
            desk.record(opened[1].person.by, "signed_in", found.person_id)
    except Denied:
        raise SignInRefused("this login and this password do not go together") from None
    with platform.database.ops.begin() as ops:
        throttle.clear(ops, attempt)
    return opened


def _change(
    platform: Platform, tenant: Tenant | None, session: Session, current: str, new: str, address: str
) -> tuple[str, Session]:
    person = session.person
    with platform.database.ops.begin() as ops:
        tenant_id = tenant.id if tenant else None
        attempt = throttle.begin(ops, platform.keyring, tenant_id, f"signed in {person.by}", address)
    with _place(platform, tenant) as place:
        known = Desk(place).one(KNOWN, id=person.id)
    if known is None:
        raise Denied
    if not passwords.check(current, known.password_hash):
        raise Invalid("current", _("this is not your password"))
    about = (*filter(None, known.logins), known.name, *([tenant.store.name] if tenant else []))
    passwords.require_good(new, *about)
    made = passwords.make_hash(new)
    with _place(platform, tenant) as place:
        desk = Desk(place)
        if desk.hold(person.id).password_hash != known.password_hash:
            raise Denied
        desk.run(SET_PASSWORD, id=person.id, hash=made)
        sessions.end(desk, person.id)
        opened = _open(place, platform, person.id, session.agent)
        desk.record(person.by, "password_set", person.id)
    with platform.database.ops.begin() as ops:
        throttle.clear(ops, attempt)
    return opened


@contextmanager
def _place(platform: Platform, tenant: Tenant | None) -> Iterator[Scope | Connection]:
    """A transaction where these people are kept."""
    if tenant is None:
        with platform.database.ops.begin() as ops:
            yield ops
    else:
        with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            yield scope


def _open(place: Scope | Connection, platform: Platform, person_id: int, agent: str | None) -> tuple[str, Session]:
    if isinstance(place, Scope):
        return sessions.open_staff(place, platform.keyring, person_id, agent)
    return sessions.open_operator(place, platform.keyring, person_id, agent)
