"""One-time links: how somebody signs in for the first time, or again after they forgot their password."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from threepeat.database.engine import Scope
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Conflict
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts import opaque, passwords, sessions
from threepeat_tenants.accounts.desk import SET_PASSWORD, Desk, both
from threepeat_tenants.accounts.people import Person

PEPPER = "console link"
PATH = "/welcome/"
"""Where the console takes links."""

FIRST = timedelta(hours=48)
RESET = timedelta(hours=1)

VOID = both("DELETE FROM core.{kind}_link r WHERE {r} r.{kind}_id = :person AND r.used_at IS NULL")
MAKE = both("""
    INSERT INTO core.{kind}_link ({column} id, {kind}_id, secret_hash, created_by, created_at, expires_at)
    VALUES ({value} :id, :person, :hash, :by, transaction_timestamp(),
            transaction_timestamp() + CAST(:life AS interval))
""")
READ = both("""
    SELECT r.secret_hash, r.expires_at, p.id AS person_id, p.name, {role}, p.locale, {logins} AS logins,
           p.password_hash IS NULL AS first
    FROM core.{kind}_link r JOIN core.{kind} p ON {p} p.id = r.{kind}_id
    WHERE {r} r.id = :id AND r.used_at IS NULL AND r.expires_at > transaction_timestamp() AND p.disabled_at IS NULL
""")
USE = both("""
    UPDATE core.{kind}_link r SET used_at = transaction_timestamp()
    WHERE {r} r.id = :id AND r.used_at IS NULL AND r.expires_at > transaction_timestamp()
""")


@dataclass(frozen=True, slots=True)
class Link:
    """A link that still works.

    Attributes:
        person: Whose it is.
        logins: What they sign in with from then on: e-mail address and phone, or an operator's login.
        first: They have no password yet.
    """

    person: Person
    logins: tuple[str, ...]
    first: bool
    expires_at: datetime


def make_staff_link(scope: Scope, keyring: Keyring, staff_id: int, by: str) -> str:
    """Make a link for a person of the store's staff; the older ones stop working.

    Returns:
        The opaque token `{tenant_id}.{id}.{secret}`, which is not stored: it is shown once.

    Raises:
        NotFound: There is no such person.
        Conflict: They are disabled.
    """
    return _make(Desk(scope), keyring, staff_id, by)


def make_operator_link(ops: Connection, keyring: Keyring, operator_id: int, by: str) -> str:
    """Make a link for an operator, `o.{id}.{secret}`, as `make_staff_link` does."""
    return _make(Desk(ops), keyring, operator_id, by)


def read(place: Scope | Connection, keyring: Keyring, token: str) -> Link:
    """Whose a link is; it is not used up.

    Args:
        place: The scope of the tenant that `opaque.parse` reads from the token; a connection of the ops role if
            there is none.

    Raises:
        Denied: It is malformed, another store's, unknown, used, replaced or over, or its person is disabled.
    """
    return _read(Desk(place), keyring, token)


def redeem(place: Scope | Connection, keyring: Keyring, token: str, password: str, *about: str) -> Person:
    """Set the password of a link's person and use the link up. All their sessions end.

    Args:
        place: As in `read`.
        about: What the password may not be made of besides their name and logins, such as the store's name.

    Raises:
        Denied: As in `read`, or somebody else was first.
        Invalid: The password is not good enough; the link still works.
    """
    desk = Desk(place)
    link = _read(desk, keyring, token)
    passwords.require_good(password, *link.logins, link.person.name, *about)
    made = passwords.make_hash(password)
    if desk.hold(link.person.id).disabled_at is not None:
        raise Denied
    if desk.count(USE, id=opaque.parse(token).id) == 0:
        raise Denied
    desk.run(SET_PASSWORD, id=link.person.id, hash=made)
    sessions.end(desk, link.person.id)
    desk.record(link.person.by, "password_set", link.person.id)
    return link.person


def void(desk: Desk, person_id: int) -> None:
    """Let a person's links work no more."""
    desk.run(VOID, person=person_id)


def _make(desk: Desk, keyring: Keyring, person_id: int, by: str) -> str:
    held = desk.hold(person_id)
    if held.disabled_at is not None:
        raise Conflict("disabled", _("this person is disabled: enable them first"))
    void(desk, person_id)
    made = opaque.mint(desk.tenant_id)
    hashed = opaque.stored_hash(keyring, PEPPER, made)
    life = FIRST if held.password_hash is None else RESET
    desk.run(MAKE, id=made.id, person=person_id, hash=hashed, by=by, life=life)
    desk.record(by, "link_made", person_id, hours=life // timedelta(hours=1))
    return made.value


def _read(desk: Desk, keyring: Keyring, token: str) -> Link:
    parsed = opaque.parse(token)
    if parsed.tenant_id != desk.tenant_id:
        raise Denied
    row = desk.one(READ, id=parsed.id)
    opaque.prove(keyring, PEPPER, parsed, row.secret_hash if row else None)
    assert row is not None  # noqa: S101 - nothing that is missing is proved
    return Link(desk.person(row), tuple(filter(None, row.logins)), row.first, row.expires_at)
