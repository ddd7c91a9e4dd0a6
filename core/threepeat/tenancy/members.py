"""Members: made once, found by the shop's id, merged, suspended, erased."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.tenancy import audit, tombstones
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.keyring import Keyring

SHOP = "shop"
"""The kind of identity that the shop's own customer id has; the subject of its events."""

MAX_EXTERNAL_ID = 128
MAX_REASON = 200
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST_SUSPENSION = timedelta(days=3653)

# `moves` counts merges and erasures: what is appended to the log under the stream's lock may only name the
# members that were found here if the count is still the same (`fence`).
KNOWN = text("""
    SELECT value, member_id, (SELECT moves FROM core.stream WHERE tenant_id = :tenant) AS moves
    FROM core.identity
    WHERE tenant_id = :tenant AND kind = 'shop' AND value = ANY(CAST(:values AS text[]))
""")
# The identity's unique key decides who is first; the loser finds the winner's row on its next look. Only an
# identity that is there can be erased, so a tombstone that could have refused these is visible from here on:
# looking for it in a statement after this one misses none.
FRESH = text("""
    WITH fresh AS (
        INSERT INTO core.identity (tenant_id, kind, value, member_id)
        SELECT :tenant, 'shop', value, nextval('core.member_id')
        FROM unnest(CAST(:values AS text[])) AS value ORDER BY value
        ON CONFLICT DO NOTHING RETURNING value, member_id
    ), born AS (
        INSERT INTO core.member (tenant_id, id, holdout_unit) SELECT :tenant, member_id, member_id FROM fresh
    )
    SELECT value, member_id FROM fresh
""")
UNMAKE = text("""
    WITH gone AS (
        DELETE FROM core.identity WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[]))
    )
    DELETE FROM core.member WHERE tenant_id = :tenant AND id = ANY(CAST(:members AS bigint[]))
""")
ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('threepeat.members', :tenant))")
FENCE = text("UPDATE core.stream SET moves = moves + 1 WHERE tenant_id = :tenant")

LEADS_TO = text("""
    SELECT member_id FROM core.identity WHERE tenant_id = :tenant AND kind = 'shop' AND value = :value
""")
READ = text("""
    SELECT m.id, m.exempt, m.suspended_until, m.suspended_reason, m.created_at,
           (SELECT i.value FROM core.identity i
            WHERE i.tenant_id = m.tenant_id AND i.member_id = m.id AND i.kind = 'shop'
            ORDER BY i.linked_at, i.value LIMIT 1) AS external_id
    FROM core.member m WHERE m.tenant_id = :tenant AND m.id = :id
""")
# A merge makes whoever pointed to its source point to its target, so there is one step at most.
STANDS_FOR = text("""
    SELECT t.id FROM core.member m
    JOIN core.member t ON t.tenant_id = m.tenant_id AND t.id = coalesce(m.merged_into, m.id)
    WHERE m.tenant_id = :tenant AND m.id = :id
      AND m.erase_requested_at IS NULL AND t.erase_requested_at IS NULL AND t.merged_into IS NULL
""")
HOLD = text("""
    SELECT merged_into, erase_requested_at FROM core.member
    WHERE tenant_id = :tenant AND id = :id FOR NO KEY UPDATE
""")
HOLD_ALL = text("""
    SELECT FROM core.member WHERE tenant_id = :tenant AND id = ANY(CAST(:members AS bigint[]))
    ORDER BY id FOR KEY SHARE
""")
LOCK = text("""
    SELECT FROM core.member
    WHERE tenant_id = :tenant AND id = ANY(CAST(:members AS bigint[])) ORDER BY id FOR NO KEY UPDATE
""")
MOVED = text("""
    SELECT m.id, CASE WHEN coalesce(m.erase_requested_at, t.erase_requested_at) IS NULL THEN t.id END AS target
    FROM core.member m
    LEFT JOIN core.member t ON t.tenant_id = m.tenant_id AND t.id = m.merged_into
    WHERE m.tenant_id = :tenant AND m.id = ANY(CAST(:members AS bigint[]))
      AND (m.merged_into IS NOT NULL OR m.erase_requested_at IS NOT NULL)
""")
NAMES = text("""
    SELECT DISTINCT ON (m.id) m.id AS member_id, i.value
    FROM core.member m
    JOIN core.member t ON t.tenant_id = m.tenant_id AND t.id = coalesce(m.merged_into, m.id)
    JOIN core.identity i ON i.tenant_id = t.tenant_id AND i.member_id = t.id AND i.kind = 'shop'
    WHERE m.tenant_id = :tenant AND m.id = ANY(CAST(:members AS bigint[]))
      AND m.erase_requested_at IS NULL AND t.erase_requested_at IS NULL
    ORDER BY m.id, i.linked_at, i.value
""")
CHANGE = text("""
    UPDATE core.member
    SET exempt = coalesce(CAST(:exempt AS boolean), exempt),
        suspended_until = CASE WHEN :suspension THEN CAST(:until AS timestamptz) ELSE suspended_until END,
        suspended_reason = CASE WHEN :suspension THEN CAST(:reason AS text) ELSE suspended_reason END
    WHERE tenant_id = :tenant AND id = :id
""")
# Whoever was merged or is being erased gets nothing new under that id.
GATE = text("""
    SELECT id, holdout_unit, exempt,
           suspended_until > core.now() OR merged_into IS NOT NULL OR erase_requested_at IS NOT NULL AS suspended
    FROM core.member
    WHERE tenant_id = :tenant AND id = ANY(CAST(:members AS bigint[]))
""")


@dataclass(frozen=True, slots=True)
class Member:
    """A store's customer.

    Attributes:
        id: Core's id.
        external_id: The shop's own id; the oldest one, where a merge left several.
        exempt: Never in a comparison group (the merchant's own phone).
        suspended_until: Tactics hand out nothing before this instant.
        suspended_reason: Why, for the merchant.
    """

    id: int
    external_id: str
    exempt: bool
    suspended_until: datetime | None
    suspended_reason: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Suspension:
    """Until when tactics hand out nothing, and why; without an instant it is lifted."""

    until: datetime | None
    reason: str | None = None


def resolve(
    scope: Scope, keyring: Keyring, external_ids: Collection[str], *, readmit: bool = False
) -> dict[str, int]:
    """Core's member ids for the shop's ids; members who are new are made.

    Args:
        readmit: Take ids of erased members for new ones.

    Raises:
        Conflict: One of the new ids led to a member who was erased.
    """
    wanted = sorted(set(external_ids))
    found = _pairs(scope.run(KNOWN, values=wanted))
    if missing := [value for value in wanted if value not in found]:
        with scope.connection.begin_nested():
            found.update(_make(scope, keyring, missing, readmit=readmit))
    return found


def find(scope: Scope, external_id: str, *, hold: bool = False) -> int:
    """The id of the member that a shop's id leads to.

    Args:
        hold: As in `current`.

    Raises:
        NotFound: The tenant has no such member.
    """
    row = scope.one(LEADS_TO, value=external_id)
    member_id = current(scope, row.member_id, hold=hold) if row is not None else None
    if member_id is None:
        raise NotFound(f"there is no member {external_id!r}")
    return member_id


def get(scope: Scope, external_id: str) -> Member:
    """A member by the shop's id.

    Raises:
        NotFound: The tenant has no such member.
    """
    return read(scope, find(scope, external_id))


def read(scope: Scope, member_id: int) -> Member:
    """A member by core's id.

    Raises:
        NotFound: The tenant has no such member.
    """
    row = scope.one(READ, id=member_id)
    if row is None or row.external_id is None:
        raise NotFound("there is no such member")
    return Member(row.id, row.external_id, row.exempt, row.suspended_until, row.suspended_reason, row.created_at)


def put(
    scope: Scope,
    keyring: Keyring,
    external_id: str,
    *,
    exempt: bool | None = None,
    suspension: Suspension | None = None,
    readmit: bool = False,
    by: str = "threepeat",
) -> Member:
    """Make a member if there is none, and set what is given.

    Args:
        exempt: Keep it out of every comparison group; None leaves it as it is.
        suspension: Suspend it, or lift that; None leaves it as it is.
        readmit: Make a new member of an id whose member was erased.
        by: Who asks, for the audit trail.

    Raises:
        Invalid: The id is empty or longer than 128 characters, or the suspension is out of bounds.
        Conflict: The member was erased.
    """
    if not 1 <= len(external_id) <= MAX_EXTERNAL_ID or "\0" in external_id:
        raise Invalid("external_id", f"use 1 to {MAX_EXTERNAL_ID} characters without NUL")
    found = resolve(scope, keyring, [external_id], readmit=readmit)[external_id]
    member_id = current(scope, found, hold=True)
    if member_id is None:
        raise tombstones.erased(SHOP)
    change(scope, member_id, exempt=exempt, suspension=suspension, by=by)
    return read(scope, member_id)


def change(
    scope: Scope, member_id: int, *, exempt: bool | None = None, suspension: Suspension | None = None, by: str
) -> None:
    """Keep a member out of comparison groups or let it in, suspend it or lift that; None leaves it as it is.

    Raises:
        Invalid: The suspension is out of bounds.
        NotFound: There is no such member.
    """
    if exempt is None and suspension is None:
        return
    if suspension is not None:
        _check(suspension, scope.now)
    changed = scope.count(
        CHANGE,
        id=member_id,
        exempt=exempt,
        suspension=suspension is not None,
        until=suspension.until if suspension else None,
        reason=suspension.reason if suspension else None,
    )
    if not changed:
        raise NotFound("there is no such member")
    if exempt is not None:
        audit.record(scope, by, "member.exempted" if exempt else "member.included", f"member:{member_id}")
    if suspension is not None:
        until = suspension.until
        action = "member.suspended" if until else "member.reinstated"
        audit.record(scope, by, action, f"member:{member_id}", until=until)


def current(scope: Scope, member_id: int, *, hold: bool) -> int | None:
    """Whom a member id stands for now: the member itself, or the one that it was merged into.

    Args:
        hold: Let merges and erasures of the member wait until this transaction ends; for commands.

    Returns:
        The id; None if there is no such member, or it is being erased.
    """
    if not hold:
        row = scope.one(STANDS_FOR, id=member_id)
        return row.id if row is not None else None
    held: int | None = member_id
    while held is not None:
        row = scope.one(HOLD, id=held)
        if row is None or row.erase_requested_at is not None:
            return None
        if row.merged_into is None:
            break
        held = row.merged_into
    return held


def hold(scope: Scope, member_ids: Collection[int]) -> None:
    """Let merges and erasures of members wait until this transaction ends."""
    missing = sorted(set(member_ids) - scope.held)
    if missing:
        scope.run(HOLD_ALL, members=missing)


def moved(scope: Scope, member_ids: Collection[int]) -> Mapping[int, int | None]:
    """Those of some members who were merged, with the member they are now, or are being erased, with None."""
    unsure = sorted(set(member_ids) - scope.held)
    if not unsure:
        return {}
    return {row.id: row.target for row in scope.run(MOVED, members=unsure)}


def external_ids(scope: Scope, member_ids: Collection[int]) -> Mapping[int, str]:
    """What the shop calls some members, by the name that it linked first; who was merged is who they are now.

    Whoever has no name, or is being erased, is absent.
    """
    rows = scope.run(NAMES, members=sorted(set(member_ids))) if member_ids else ()
    return {row.member_id: row.value for row in rows}


def lock(scope: Scope, member_ids: Collection[int]) -> None:
    """Lock members in the order of their ids, before anything of theirs is locked.

    A turn does so for everybody it is about to touch, a command for its member. So plugins that lock rows of
    their own, each in an order of its own, never wait for each other crosswise over the same member.
    """
    if member_ids:
        scope.run(LOCK, members=sorted(member_ids))


def alone(scope: Scope) -> None:
    """Take turns with whoever else merges or erases members of the tenant, before anything is locked.

    Who was merged into whom decides which rows such a change touches, and until they are locked another may
    merge more into them: rows that only then turn out to be touched cannot be locked in the order of their ids.
    """
    scope.run(ALONE)


def fence(scope: Scope) -> None:
    """Make whoever has looked members up, but not yet appended their events, look again.

    A merge and an erasure do so last before they commit: it takes the stream's row.
    """
    scope.run(FENCE)


def gate(scope: Scope, members: Collection[int]) -> Sequence[Row[Any]]:
    """What decides whether members take part: `id`, `holdout_unit`, `exempt`, `suspended`."""
    return scope.run(GATE, members=sorted(members))


def _make(scope: Scope, keyring: Keyring, missing: Sequence[str], *, readmit: bool) -> dict[str, int]:
    hashes = [key for value in missing for key in tombstones.hashes(keyring, scope.tenant_id, SHOP, value)]
    if readmit:
        tombstones.lift(scope, hashes)
    found: dict[str, int] = {}
    while waiting := [value for value in missing if value not in found]:
        found.update(_pairs(scope.run(FRESH, values=waiting)))
        found.update(_pairs(scope.run(KNOWN, values=waiting)))
    if tombstones.buried(scope, hashes):
        raise tombstones.erased(SHOP)
    return found


def _check(suspension: Suspension, now: datetime) -> None:
    if suspension.until is not None and not EARLIEST <= suspension.until <= now + LONGEST_SUSPENSION:
        raise Invalid("suspended_until", "choose an instant between 1970 and ten years from now, or null")
    if suspension.reason is None:
        return
    if suspension.until is None:
        raise Invalid("suspended_reason", "give it together with suspended_until")
    if not 1 <= len(suspension.reason) <= MAX_REASON or "\0" in suspension.reason:
        raise Invalid("suspended_reason", f"use 1 to {MAX_REASON} characters without NUL")


def _pairs(rows: Sequence[Row[Any]]) -> dict[str, int]:
    return {row.value: row.member_id for row in rows}
