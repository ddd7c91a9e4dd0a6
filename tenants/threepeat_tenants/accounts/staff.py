"""The people of a store: who may sign in to its console, and as what."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from threepeat.database.engine import Scope
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat.tenancy.identities import normalise_phone
from threepeat_tenants.accounts import links, sessions
from threepeat_tenants.accounts.desk import Desk
from threepeat_tenants.accounts.people import Role, read_locale, read_name

MAX_EMAIL = 254
MAX_PHONE = 40
EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)

COLUMNS = """id, name, role, email, phone, locale, created_at, created_by, disabled_at,
           password_hash IS NOT NULL AS has_password"""
INSERT = text(f"""
    INSERT INTO core.staff (tenant_id, name, role, email, phone, created_by)
    VALUES (:tenant, :name, :role, :email, :phone, :by) RETURNING {COLUMNS}
""")  # noqa: S608 - a constant
BY_ID = text(f"SELECT {COLUMNS} FROM core.staff WHERE tenant_id = :tenant AND id = :id")  # noqa: S608 - a constant
BY_LOGIN = text(f"""
    SELECT {COLUMNS} FROM core.staff
    WHERE tenant_id = :tenant AND (email = CAST(:login AS text) OR phone = CAST(:login AS text))
""")  # noqa: S608 - a constant
ALL = text(f"""
    SELECT {COLUMNS} FROM core.staff WHERE tenant_id = :tenant ORDER BY disabled_at IS NOT NULL, id
""")  # noqa: S608 - a constant
# The owners are locked with whoever changes: of two who lower each other, the second sees what the first did.
HOLD_WITH_OWNERS = text("""
    SELECT id, role, disabled_at FROM core.staff
    WHERE tenant_id = :tenant AND (id = :id OR (role = 'owner' AND disabled_at IS NULL))
    ORDER BY id FOR NO KEY UPDATE
""")
SET_ROLE = text("UPDATE core.staff SET role = :role WHERE tenant_id = :tenant AND id = :id AND role <> :role")
DISABLE = text("""
    UPDATE core.staff SET disabled_at = transaction_timestamp()
    WHERE tenant_id = :tenant AND id = :id AND disabled_at IS NULL
""")
ENABLE = text("""
    UPDATE core.staff SET disabled_at = NULL
    WHERE tenant_id = :tenant AND id = :id AND disabled_at IS NOT NULL
""")
SET_CONTACT = text("""
    UPDATE core.staff SET name = :name, email = :email, phone = :phone WHERE tenant_id = :tenant AND id = :id
""")


@dataclass(frozen=True, slots=True)
class Staff:
    """A person of a store's staff.

    Attributes:
        phone: In E.164 form, `+8613800138000`.
        has_password: They signed in at least once.
        disabled_at: Since when they may not sign in.
    """

    id: int
    name: str
    role: Role
    email: str | None
    phone: str | None
    locale: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    has_password: bool


def add(
    scope: Scope, *, name: str, role: str, email: str | None = None, phone: str | None = None, by: str
) -> Staff:
    """Add a person. They sign in by a link first: see `links.make_staff_link`.

    Raises:
        Invalid: A field is not acceptable, or another person of this store has the address or the number.
    """
    values = {"name": read_name(name), "role": read_role(role), **_contact(email, phone), "by": by}
    try:
        with scope.connection.begin_nested():
            made = _staff(scope.run(INSERT, **values)[0])
    except IntegrityError as error:
        raise _taken(error) from None
    Desk(scope).record(by, "added", made.id, role=made.role)
    return made


def find(scope: Scope, staff_id: int) -> Staff:
    """A person by core's number.

    Raises:
        NotFound: The store has no such person.
    """
    row = scope.one(BY_ID, id=staff_id) if 0 < staff_id < 1 << 63 else None
    if row is None:
        raise NotFound(_("there is no such person"))
    return _staff(row)


def by_login(scope: Scope, login: str) -> Staff:
    """A person by e-mail address or phone as somebody typed it.

    Raises:
        NotFound: The store has no such person.
    """
    row = scope.one(BY_LOGIN, login=read_login(login))
    if row is None:
        raise NotFound(_("there is no such person"))
    return _staff(row)


def everyone(scope: Scope) -> list[Staff]:
    """The store's staff, the disabled ones last."""
    return [_staff(row) for row in scope.run(ALL)]


def change_role(scope: Scope, staff_id: int, role: str, *, by: str) -> Staff:
    """Give a person another role. Their sessions end, so that none goes on with the old one.

    Raises:
        NotFound: The store has no such person.
        Invalid: There is no such role.
        Conflict: They are the last owner who may sign in.
    """
    wanted = read_role(role)
    _hold(scope, staff_id, stays_owner=wanted is Role.OWNER)
    if scope.count(SET_ROLE, id=staff_id, role=wanted):
        desk = Desk(scope)
        sessions.end(desk, staff_id)
        desk.record(by, "role_changed", staff_id, role=wanted)
    return find(scope, staff_id)


def disable(scope: Scope, staff_id: int, *, by: str) -> Staff:
    """Let a person sign in no more; their sessions and links end at once.

    Raises:
        NotFound: The store has no such person.
        Conflict: They are the last owner who may sign in.
    """
    _hold(scope, staff_id, stays_owner=False)
    if scope.count(DISABLE, id=staff_id):
        desk = Desk(scope)
        sessions.end(desk, staff_id)
        links.void(desk, staff_id)
        desk.record(by, "disabled", staff_id)
    return find(scope, staff_id)


def enable(scope: Scope, staff_id: int, *, by: str) -> Staff:
    """Let a disabled person sign in again, with the password they had.

    Raises:
        NotFound: The store has no such person.
    """
    desk = Desk(scope)
    desk.hold(staff_id)
    if scope.count(ENABLE, id=staff_id):
        sessions.end(desk, staff_id)
        desk.record(by, "enabled", staff_id)
    return find(scope, staff_id)


def change_contact(
    scope: Scope, staff_id: int, *, name: str, email: str | None, phone: str | None, by: str
) -> Staff:
    """Correct a person's name, e-mail address and phone.

    Raises:
        NotFound: The store has no such person.
        Invalid: A field is not acceptable, or another person of this store has the address or the number.
    """
    before = find(scope, staff_id)
    values = {"name": read_name(name), **_contact(email, phone)}
    try:
        with scope.connection.begin_nested():
            scope.run(SET_CONTACT, id=staff_id, **values)
    except IntegrityError as error:
        raise _taken(error) from None
    changed = [field for field, value in values.items() if value != getattr(before, field)]
    if changed:
        Desk(scope).record(by, "contact_changed", staff_id, fields=changed)
    return find(scope, staff_id)


def set_locale(scope: Scope, staff_id: int, locale: str | None) -> None:
    """Set the language that a person chose for themselves; None leaves it to the browser.

    Raises:
        Invalid: There is no such language.
        NotFound: The store has no such person.
    """
    Desk(scope).set_locale(staff_id, read_locale(locale))


def read_role(value: str) -> Role:
    """A role by name.

    Raises:
        Invalid: There is no such role.
    """
    if value not in set(Role):
        raise Invalid("role", _("choose from {choices}", choices=", ".join(Role)))
    return Role(value)


def read_login(login: str) -> str | None:
    """The e-mail address or the phone that somebody typed, as it is stored; None if it is neither."""
    try:
        return _email(login) if "@" in login[:MAX_EMAIL] else _phone(login)
    except Invalid:
        return None


def _contact(email: str | None, phone: str | None) -> dict[str, str | None]:
    found = {"email": _email(email) if email else None, "phone": _phone(phone) if phone else None}
    if not any(found.values()):
        raise Invalid("email", _("give an e-mail address or a phone number"))
    return found


def _email(value: str) -> str:
    email = value.strip().lower() if value.isascii() else ""
    if len(email) > MAX_EMAIL or not EMAIL.fullmatch(email):
        raise Invalid("email", _("write an e-mail address such as name@example.com"))
    return email


def _phone(value: str) -> str:
    try:
        return normalise_phone(value if len(value) <= MAX_PHONE else "")
    except Invalid:
        raise Invalid("phone", _("write +, country and number, or a Chinese mobile number")) from None


def _taken(error: IntegrityError) -> Invalid:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    if constraint == "staff_email":
        return Invalid("email", _("another person of this store has this address"))
    if constraint == "staff_phone":
        return Invalid("phone", _("another person of this store has this number"))
    raise error


def _hold(scope: Scope, staff_id: int, *, stays_owner: bool) -> None:
    """Lock a person's row and the owners', and see that one of these remains."""
    rows = scope.run(HOLD_WITH_OWNERS, id=staff_id) if 0 < staff_id < 1 << 63 else ()
    target = next((row for row in rows if row.id == staff_id), None)
    if target is None:
        raise NotFound(_("there is no such person"))
    is_owner = target.role == Role.OWNER and target.disabled_at is None
    if is_owner and not stays_owner and len(rows) == 1:
        raise Conflict(
            "last-owner", _("this is the last owner who may sign in: make somebody else an owner first")
        )


def _staff(row: Row[Any]) -> Staff:
    return Staff(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        email=row.email,
        phone=row.phone,
        locale=row.locale,
        created_at=row.created_at,
        created_by=row.created_by,
        disabled_at=row.disabled_at,
        has_password=row.has_password,
    )
