"""What members agreed to: every statement is kept, the latest one of a purpose counts."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.tenancy.errors import NotFound

MOST = 100

# A statement dated ahead of its arrival would outlast a withdrawal that is made in between.
RECORD = text("""
    INSERT INTO core.consent
        (tenant_id, member_id, purpose, reference, granted, text_version, channel, given_at)
    SELECT :tenant, member, purpose, reference, granted, nullif(text_version, ''), nullif(channel, ''),
           least(given_at, transaction_timestamp())
    FROM unnest(CAST(:members AS bigint[]), CAST(:purposes AS text[]), CAST(:references AS text[]),
                CAST(:granteds AS boolean[]), CAST(:text_versions AS text[]), CAST(:channels AS text[]),
                CAST(:times AS timestamptz[]))
        AS given (member, purpose, reference, granted, text_version, channel, given_at)
    ON CONFLICT DO NOTHING
""")
# Of two statements of one moment the later recorded counts, of two recorded together the withdrawal.
LATEST = "given_at DESC, recorded_at DESC, granted"
COLUMNS = "purpose, granted, text_version, channel, given_at, recorded_at"
ONE = text(f"""
    SELECT {COLUMNS} FROM core.consent
    WHERE tenant_id = :tenant AND member_id = :member AND purpose = :purpose AND reference = :reference
""")  # noqa: S608 - constants
CURRENT = text(f"""
    SELECT DISTINCT ON (purpose) {COLUMNS} FROM core.consent
    WHERE tenant_id = :tenant AND member_id = :member ORDER BY purpose, {LATEST}
""")  # noqa: S608 - constants
HISTORY = text(f"""
    SELECT {COLUMNS} FROM core.consent
    WHERE tenant_id = :tenant AND member_id = :member AND purpose = :purpose ORDER BY {LATEST} LIMIT :most
""")  # noqa: S608 - constants
GRANTED = text(f"""
    SELECT member_id FROM (
        SELECT DISTINCT ON (member_id) member_id, granted FROM core.consent
        WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[])) AND purpose = :purpose
        ORDER BY member_id, {LATEST}
    ) AS latest WHERE granted
""")  # noqa: S608 - constants

AGREEING = text(f"""
    SELECT member_id, given_at FROM (
        SELECT DISTINCT ON (member_id) member_id, granted, given_at FROM core.consent
        WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[]))
          AND purpose = ANY(CAST(:purposes AS text[]))
        ORDER BY member_id, {LATEST}
    ) AS latest WHERE granted
""")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Statement:
    """A member gave or withdrew consent.

    Attributes:
        purpose: What for; 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
        reference: Makes the statement unique; see `reference`.
        text_version: Which text the member saw; empty if it is not known.
        channel: Where; empty if it is not known.
        given_at: When. The latest statement of a purpose counts, whenever it arrives.
    """

    member: int
    purpose: str
    reference: str
    granted: bool
    text_version: str
    channel: str
    given_at: datetime


@dataclass(frozen=True, slots=True)
class Consent:
    """A statement as it is on record."""

    purpose: str
    granted: bool
    text_version: str | None
    channel: str | None
    given_at: datetime
    recorded_at: datetime


def reference(source: str, event_id: str) -> str:
    """What makes the statement of an event unique: a hash of the event's key."""
    return sha256(f"{len(source)}\n{source}{event_id}".encode()).hexdigest()


def columns(statements: Sequence[Statement]) -> dict[str, list[Any]]:
    """The binds of `RECORD` for some statements."""
    return {
        "members": [one.member for one in statements],
        "purposes": [one.purpose for one in statements],
        "references": [one.reference for one in statements],
        "granteds": [one.granted for one in statements],
        "text_versions": [one.text_version for one in statements],
        "channels": [one.channel for one in statements],
        "times": [one.given_at for one in statements],
    }


def record(scope: Scope, statements: Sequence[Statement]) -> None:
    """Put statements on record; one that is there already stays as it is."""
    if statements:
        scope.run(RECORD, **columns(statements))


def get(scope: Scope, member_id: int, purpose: str, wanted: str) -> Consent:
    """One statement, by its reference.

    Raises:
        NotFound: There is none.
    """
    row = scope.one(ONE, member=member_id, purpose=purpose, reference=wanted)
    if row is None:
        raise NotFound("there is no such statement")
    return _consent(row)


def current(scope: Scope, member_id: int) -> list[Consent]:
    """What a member agrees to now: the latest statement of each purpose."""
    return [_consent(row) for row in scope.run(CURRENT, member=member_id)]


def history(scope: Scope, member_id: int, purpose: str) -> list[Consent]:
    """A member's statements about a purpose, the one that counts first; at most a hundred."""
    return [_consent(row) for row in scope.run(HISTORY, member=member_id, purpose=purpose, most=MOST)]


def granted(scope: Scope, member_ids: Collection[int], purpose: str) -> set[int]:
    """Those of some members who agree to a purpose now. Whoever said nothing does not."""
    return {row.member_id for row in scope.run(GRANTED, members=sorted(member_ids), purpose=purpose)}


def agreeing(scope: Scope, member_ids: Collection[int], purposes: Collection[str]) -> dict[int, datetime]:
    """Those of some members whose latest statement about any of some purposes is a yes, and when they gave it."""
    if not member_ids:
        return {}
    rows = scope.run(AGREEING, members=sorted(set(member_ids)), purposes=sorted(purposes))
    return {row.member_id: row.given_at for row in rows}


def _consent(row: Row[Any]) -> Consent:
    return Consent(row.purpose, row.granted, row.text_version, row.channel, row.given_at, row.recorded_at)
