"""Sessions of those who signed in: a secret in a cookie, a row behind it that can be taken away.

A session ends after half an hour without a request, after twelve hours in any case, when it is revoked, and
when its person is disabled or gets another role or password.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row

from threepeat.database.engine import Scope
from threepeat.sdk.wording import _
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts import opaque
from threepeat_tenants.accounts.desk import Desk, both
from threepeat_tenants.accounts.opaque import Parsed, parse
from threepeat_tenants.accounts.people import UNPRINTABLE, Person

__all__ = [
    "Parsed", "Session", "end", "end_operator", "end_other_operator", "end_other_staff", "end_staff",
    "list_operator", "list_staff", "open_operator", "open_staff", "parse", "prune", "read_operator", "read_staff",
]  # fmt: skip

PEPPER = "console session"
IDLE = timedelta(minutes=30)
LIFE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
MAX_AGENT = 300
ID = re.compile(r"[0-9a-f]{16}")
MOST = 500
"""Rows that one sweep takes."""

OPEN = both("""
    INSERT INTO core.{kind}_session
           ({column} id, {kind}_id, secret_hash, agent, created_at, seen_at, expires_at)
    VALUES ({value} :id, :person, :hash, :agent, transaction_timestamp(), transaction_timestamp(),
            transaction_timestamp() + CAST(:life AS interval))
    RETURNING id, agent, created_at, seen_at, expires_at
""")
READ = both("""
    SELECT r.id, r.secret_hash, r.agent, r.created_at, r.seen_at, r.expires_at,
           p.id AS person_id, p.name, {role}, p.locale,
           r.seen_at < transaction_timestamp() - CAST(:every AS interval) AS stale
    FROM core.{kind}_session r JOIN core.{kind} p ON {p} p.id = r.{kind}_id
    WHERE {r} r.id = :id AND p.disabled_at IS NULL AND r.expires_at > transaction_timestamp()
      AND r.seen_at > transaction_timestamp() - CAST(:idle AS interval)
""")
# One that somebody else is writing, or has just ended, needs no second hand.
SEEN = both("""
    UPDATE core.{kind}_session r SET seen_at = transaction_timestamp()
    WHERE {r} r.id = (
        SELECT r.id FROM core.{kind}_session r
        WHERE {r} r.id = :id AND r.seen_at < transaction_timestamp() - CAST(:every AS interval)
        FOR UPDATE SKIP LOCKED)
""")
LIST = both("""
    SELECT r.id, r.agent, r.created_at, r.seen_at, r.expires_at, p.id AS person_id, p.name, {role}, p.locale
    FROM core.{kind}_session r JOIN core.{kind} p ON {p} p.id = r.{kind}_id
    WHERE {r} r.{kind}_id = :person AND p.disabled_at IS NULL AND r.expires_at > transaction_timestamp()
      AND r.seen_at > transaction_timestamp() - CAST(:idle AS interval)
    ORDER BY r.created_at DESC, r.id
""")
END = both("""
    DELETE FROM core.{kind}_session r
    WHERE {r} r.id = :id AND (CAST(:person AS bigint) IS NULL OR r.{kind}_id = :person)
    RETURNING r.{kind}_id AS whose
""")
END_ALL = both("""
    DELETE FROM core.{kind}_session r
    WHERE {r} r.{kind}_id = :person AND r.id IS DISTINCT FROM CAST(:keep AS text)
""")
PRUNE = both("""
    DELETE FROM core.{kind}_session r WHERE {r} r.id = ANY(ARRAY(
        SELECT r.id FROM core.{kind}_session r
        WHERE {r} (r.expires_at <= transaction_timestamp()
                   OR r.seen_at <= transaction_timestamp() - CAST(:idle AS interval))
        LIMIT :most FOR UPDATE SKIP LOCKED))
""")
PRUNE_LINKS = both("""
    DELETE FROM core.{kind}_link r WHERE {r} r.id = ANY(ARRAY(
        SELECT r.id FROM core.{kind}_link r
        WHERE {r} (r.expires_at <= transaction_timestamp() OR r.used_at IS NOT NULL)
        LIMIT :most FOR UPDATE SKIP LOCKED))
""")


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in.

    Attributes:
        id: What revokes it; no secret.
        csrf: What a form of this session carries; empty in a list of sessions.
        expires_at: When it ends in any case.
        seen_at: Of its last request, to the minute.
        agent: What the browser calls itself.
    """

    id: str
    person: Person
    csrf: str
    created_at: datetime
    expires_at: datetime
    seen_at: datetime
    agent: str | None


def open_staff(scope: Scope, keyring: Keyring, staff_id: int, agent: str | None) -> tuple[str, Session]:
    """Open a session for a person of the store's staff whose password or link was proved.

    Returns:
        The cookie's value, which is not stored, and the session.

    Raises:
        Denied: There is no such person, or they are disabled.
    """
    return _open(Desk(scope), keyring, staff_id, agent)


def open_operator(ops: Connection, keyring: Keyring, operator_id: int, agent: str | None) -> tuple[str, Session]:
    """Open a session for an operator, as `open_staff` does."""
    return _open(Desk(ops), keyring, operator_id, agent)


def read_staff(scope: Scope, keyring: Keyring, cookie: str, *, seen: bool = True) -> Session:
    """Whose a cookie is, read from the database each time: a revoked session stops at once.

    Args:
        seen: Somebody is there; a page that asks by itself keeps no session from growing idle.

    Raises:
        Denied: It is malformed, another store's, unknown, over, or its person is disabled.
    """
    return _read(Desk(scope), keyring, cookie, seen=seen)


def read_operator(ops: Connection, keyring: Keyring, cookie: str, *, seen: bool = True) -> Session:
    """Whose an operator's cookie is, as `read_staff` does."""
    return _read(Desk(ops), keyring, cookie, seen=seen)


def list_staff(scope: Scope, staff_id: int) -> list[Session]:
    """A person's open sessions, the newest first."""
    return _list(Desk(scope), staff_id)


def list_operator(ops: Connection, operator_id: int) -> list[Session]:
    """An operator's open sessions, the newest first."""
    return _list(Desk(ops), operator_id)


def end_staff(scope: Scope, session_id: str, *, by: str | None = None, staff_id: int | None = None) -> None:
    """End a session at once.

    Args:
        by: Who ends it; without it nothing is written to the trail, as for a sign-out.
        staff_id: End it only if it is this person's.

    Raises:
        NotFound: There is no such session.
    """
    _end(Desk(scope), session_id, by, staff_id)


def end_operator(
    ops: Connection, session_id: str, *, by: str | None = None, operator_id: int | None = None
) -> None:
    """End an operator's session at once, as `end_staff` does."""
    _end(Desk(ops), session_id, by, operator_id)


def end_other_staff(scope: Scope, session: Session) -> int:
    """End every other session of this session's person, and say how many there were."""
    return _end_others(Desk(scope), session)


def end_other_operator(ops: Connection, session: Session) -> int:
    """End every other session of this session's operator, and say how many there were."""
    return _end_others(Desk(ops), session)


def end(desk: Desk, person_id: int) -> int:
    """End all sessions of a person, and say how many there were."""
    return desk.count(END_ALL, person=person_id, keep=None)


def prune(place: Scope | Connection) -> None:
    """Remove sessions and links that are over; each new session does it."""
    _prune(Desk(place))


def _open(desk: Desk, keyring: Keyring, person_id: int, agent: str | None) -> tuple[str, Session]:
    try:
        held = desk.hold(person_id)
    except NotFound:
        raise Denied from None
    if held.disabled_at is not None:
        raise Denied
    _prune(desk)
    made = opaque.mint(desk.tenant_id)
    (row,) = desk.run(
        OPEN,
        id=made.id,
        person=person_id,
        hash=opaque.stored_hash(keyring, PEPPER, made),
        agent=UNPRINTABLE.sub("", agent[: 2 * MAX_AGENT])[:MAX_AGENT] if agent else None,
        life=LIFE,
    )
    return made.value, _session(row, desk.person(held), _csrf(made))


def _read(desk: Desk, keyring: Keyring, cookie: str, *, seen: bool) -> Session:
    parsed = parse(cookie)
    if parsed.tenant_id != desk.tenant_id:
        raise Denied
    row = desk.one(READ, id=parsed.id, every=SEEN_EVERY, idle=IDLE)
    opaque.prove(keyring, PEPPER, parsed, row.secret_hash if row else None)
    assert row is not None  # noqa: S101 - nothing that is missing is proved
    if row.stale and seen:
        desk.last(partial(_touch, desk, parsed.id))
    return _session(row, desk.person(row), _csrf(parsed))


def _touch(desk: Desk, session_id: str) -> None:
    desk.run(SEEN, id=session_id, every=SEEN_EVERY)


def _prune(desk: Desk) -> None:
    desk.run(PRUNE, idle=IDLE, most=MOST)
    desk.run(PRUNE_LINKS, most=MOST)


def _list(desk: Desk, person_id: int) -> list[Session]:
    return [_session(row, desk.person(row), "") for row in desk.run(LIST, person=person_id, idle=IDLE)]


def _end(desk: Desk, session_id: str, by: str | None, person_id: int | None) -> None:
    row = desk.one(END, id=session_id, person=person_id) if ID.fullmatch(session_id) else None
    if row is None:
        raise NotFound(_("there is no such session"))
    if by is not None:
        desk.record(by, "session_ended", row.whose)


def _end_others(desk: Desk, session: Session) -> int:
    ended = desk.count(END_ALL, person=session.person.id, keep=session.id)
    if ended:
        desk.record(session.person.by, "session_ended", session.person.id, sessions=ended)
    return ended


def _session(row: Row[Any], person: Person, csrf: str) -> Session:
    return Session(row.id, person, csrf, row.created_at, row.expires_at, row.seen_at, row.agent)


def _csrf(parsed: Parsed) -> str:
    return hmac.new(parsed.secret.encode(), b"csrf", sha256).hexdigest()
