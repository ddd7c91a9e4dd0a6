"""Members and the identities that lead to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.tenancy.errors import Invalid, NotFound

SHOP = "shop"
"""The kind of identity that the shop's own customer id has; the subject of its events."""

KNOWN = text("""
    SELECT value, member_id FROM core.identity
    WHERE tenant_id = :tenant AND kind = 'shop' AND value = ANY(CAST(:values AS text[]))
""")

# The identity's unique key decides who is first; the loser finds the winner's row on its next look.
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

READ = text("""
    SELECT m.id, i.value AS external_id, m.exempt, m.suspended_until, m.created_at
    FROM core.identity i JOIN core.member m ON m.tenant_id = i.tenant_id AND m.id = i.member_id
    WHERE i.tenant_id = :tenant AND i.kind = 'shop' AND i.value = :value
""")

EXEMPT = text("UPDATE core.member SET exempt = :exempt WHERE tenant_id = :tenant AND id = :id")

GATE = text("""
    SELECT id, holdout_unit, exempt, suspended_until > core.now() AS suspended FROM core.member
    WHERE tenant_id = :tenant AND id = ANY(CAST(:members AS bigint[]))
""")


@dataclass(frozen=True, slots=True)
class Member:
    """A store's customer.

    Attributes:
        id: Core's id.
        external_id: The shop's own id.
        exempt: Never in a comparison group (the merchant's own phone).
        suspended_until: Tactics hand out nothing before this instant.
    """

    id: int
    external_id: str
    exempt: bool
    suspended_until: datetime | None
    created_at: datetime


def resolve(scope: Scope, external_ids: Collection[str]) -> dict[str, int]:
    """Core's member ids for the shop's ids; members who are new are made."""
    wanted = sorted(set(external_ids))
    found = _pairs(scope.run(KNOWN, values=wanted))
    while missing := [value for value in wanted if value not in found]:
        found.update(_pairs(scope.run(FRESH, values=missing)))
        if any(value not in found for value in missing):
            found.update(_pairs(scope.run(KNOWN, values=missing)))
    return found


def get(scope: Scope, external_id: str) -> Member:
    """A member by the shop's id.

    Raises:
        NotFound: The tenant has no such member.
    """
    row = scope.one(READ, value=external_id)
    if row is None:
        raise NotFound(f"there is no member {external_id!r}")
    return Member(row.id, row.external_id, row.exempt, row.suspended_until, row.created_at)


def put(scope: Scope, external_id: str, *, exempt: bool | None = None) -> Member:
    """Make a member if there is none, and set what is given.

    Raises:
        Invalid: The id is empty or longer than 128 characters.
    """
    if not 1 <= len(external_id) <= 128 or "\0" in external_id:
        raise Invalid("external_id", "use 1 to 128 characters without NUL")
    member_id = resolve(scope, [external_id])[external_id]
    if exempt is not None:
        scope.count(EXEMPT, id=member_id, exempt=exempt)
    return get(scope, external_id)


def gate(scope: Scope, members: Collection[int]) -> Sequence[Row[Any]]:
    """What decides whether members take part: `id`, `holdout_unit`, `exempt`, `suspended`."""
    return scope.run(GATE, members=sorted(members))


def _pairs(rows: Sequence[Row[Any]]) -> dict[str, int]:
    return {row.value: row.member_id for row in rows}
