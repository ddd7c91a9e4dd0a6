"""The people who run the installation. Only a connection of the ops role reaches them."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat_tenants.accounts import links, sessions
from threepeat_tenants.accounts.desk import Desk
from threepeat_tenants.accounts.people import read_locale, read_name

LOGIN = re.compile(r"[a-z0-9][a-z0-9._@+-]{1,99}")

COLUMNS = """id, login, name, locale, created_at, created_by, disabled_at,
           password_hash IS NOT NULL AS has_password"""
INSERT = text(f"""
    INSERT INTO core.operator (login, name, created_by) VALUES (:login, :name, :by) RETURNING {COLUMNS}
""")  # noqa: S608 - a constant
BY_ID = text(f"SELECT {COLUMNS} FROM core.operator WHERE id = :id")  # noqa: S608 - a constant
BY_LOGIN = text(f"SELECT {COLUMNS} FROM core.operator WHERE login = CAST(:login AS text)")  # noqa: S608 - a constant
ALL = text(f"SELECT {COLUMNS} FROM core.operator ORDER BY disabled_at IS NOT NULL, login")  # noqa: S608 - a constant
# All of the enabled are locked: of two who disable each other, the second sees what the first did.
HOLD_ENABLED = text("""
    SELECT id, disabled_at FROM core.operator WHERE id = :id OR disabled_at IS NULL ORDER BY id FOR NO KEY UPDATE
""")
DISABLE = text("""
    UPDATE core.operator SET disabled_at = transaction_timestamp() WHERE id = :id AND disabled_at IS NULL
""")
ENABLE = text("UPDATE core.operator SET disabled_at = NULL WHERE id = :id AND disabled_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Operator:
    """Somebody who runs the installation.

    Attributes:
        has_password: They signed in at least once.
        disabled_at: Since when they may not sign in.
    """

    id: int
    login: str
    name: str
    locale: str | None
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    has_password: bool


def add(ops: Connection, *, login: str, name: str, by: str) -> Operator:
    """Add an operator. They sign in by a link first: see `links.make_operator_link`.

    Raises:
        Invalid: A field is not acceptable, or the login is taken.
    """
    values = {"login": _login(login), "name": read_name(name), "by": by}
    try:
        with ops.begin_nested():
            made = _operator(ops.execute(INSERT, values).one())
    except IntegrityError:
        raise Invalid("login", _("another operator has this login")) from None
    Desk(ops).record(by, "added", made.id)
    return made


def find(ops: Connection, operator_id: int) -> Operator:
    """An operator by core's number.

    Raises:
        NotFound: There is none.
    """
    row = ops.execute(BY_ID, {"id": operator_id}).one_or_none() if 0 < operator_id < 1 << 63 else None
    if row is None:
        raise NotFound(_("there is no such person"))
    return _operator(row)


def by_login(ops: Connection, login: str) -> Operator:
    """An operator by login as somebody typed it.

    Raises:
        NotFound: There is none.
    """
    row = ops.execute(BY_LOGIN, {"login": read_login(login)}).one_or_none()
    if row is None:
        raise NotFound(_("there is no such person"))
    return _operator(row)


def everyone(ops: Connection) -> list[Operator]:
    """All operators, the disabled ones last."""
    return [_operator(row) for row in ops.execute(ALL)]


def disable(ops: Connection, operator_id: int, *, by: str) -> Operator:
    """Let an operator sign in no more; their sessions and links end at once.

    Raises:
        NotFound: There is none.
        Conflict: They are the last one who may sign in.
    """
    rows = ops.execute(HOLD_ENABLED, {"id": operator_id}).all() if 0 < operator_id < 1 << 63 else ()
    target = next((row for row in rows if row.id == operator_id), None)
    if target is None:
        raise NotFound(_("there is no such person"))
    if target.disabled_at is None and len(rows) == 1:
        raise Conflict("last-operator", _("this is the last operator who may sign in: add somebody else first"))
    if ops.execute(DISABLE, {"id": operator_id}).rowcount:
        desk = Desk(ops)
        sessions.end(desk, operator_id)
        links.void(desk, operator_id)
        desk.record(by, "disabled", operator_id)
    return find(ops, operator_id)


def enable(ops: Connection, operator_id: int, *, by: str) -> Operator:
    """Let a disabled operator sign in again, with the password they had.

    Raises:
        NotFound: There is none.
    """
    desk = Desk(ops)
    desk.hold(operator_id)
    if ops.execute(ENABLE, {"id": operator_id}).rowcount:
        sessions.end(desk, operator_id)
        desk.record(by, "enabled", operator_id)
    return find(ops, operator_id)


def set_locale(ops: Connection, operator_id: int, locale: str | None) -> None:
    """Set the language that an operator chose for themselves; None leaves it to the browser.

    Raises:
        Invalid: There is no such language.
        NotFound: There is no such operator.
    """
    Desk(ops).set_locale(operator_id, read_locale(locale))


def read_login(login: str) -> str | None:
    """The login that somebody typed; None if nobody could have it."""
    try:
        return _login(login)
    except Invalid:
        return None


def _login(value: str) -> str:
    login = value.strip().lower() if value.isascii() else ""
    if not LOGIN.fullmatch(login):
        raise Invalid("login", _("use 2 to 100 letters, digits and . _ @ + -, a letter or digit first"))
    return login


def _operator(row: Row[Any]) -> Operator:
    return Operator(
        id=row.id,
        login=row.login,
        name=row.name,
        locale=row.locale,
        created_at=row.created_at,
        created_by=row.created_by,
        disabled_at=row.disabled_at,
        has_password=row.has_password,
    )
