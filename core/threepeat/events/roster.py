"""Lists of a store's members for people: the newest, the most active of late, and whoever is searched for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.sdk.storable import storable
from threepeat.sdk.wording import _
from threepeat.tenancy import identities
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.identities import PHONE
from threepeat.tenancy.keyring import Keyring

MAX_PAGE = 200
MAX_SEARCH = 128
REACH = 2000
"""So many events of late decide who is active."""
BEGINNINGS = 500
"""So many ids are looked at for those that begin with what was searched for."""

# What is listed of a member; `m` is the member. Whoever was merged away has no identity left.
COLUMNS = """
    m.id, i.value AS external_id, m.created_at, m.exempt, m.suspended_until > core.now() AS suspended,
    e.type AS last_type, e.occurred_at AS last_at
"""
BESIDE = """
    CROSS JOIN LATERAL (
        SELECT value FROM core.identity i
        WHERE i.tenant_id = m.tenant_id AND i.member_id = m.id AND i.kind = 'shop'
        ORDER BY i.linked_at, i.value LIMIT 1
    ) i
    LEFT JOIN LATERAL (
        SELECT type, occurred_at FROM core.event e
        WHERE e.tenant_id = m.tenant_id AND e.member_id = m.id AND e.cause IS NULL
        ORDER BY e.position DESC LIMIT 1
    ) e ON true
"""
THERE = "m.tenant_id = :tenant AND m.merged_into IS NULL AND m.erase_requested_at IS NULL"

NEWEST = text(f"""
    SELECT {COLUMNS} FROM (
        SELECT * FROM core.member m
        WHERE {THERE} AND (CAST(:before AS bigint) IS NULL OR m.id < :before) ORDER BY m.id DESC LIMIT :limit
    ) m {BESIDE} ORDER BY m.id DESC
""")  # noqa: S608 - constants
LIVELIEST = text(f"""
    WITH late AS (
        SELECT member_id FROM core.event
        WHERE tenant_id = :tenant AND member_id IS NOT NULL AND cause IS NULL ORDER BY position DESC LIMIT :reach
    ), counted AS (
        SELECT coalesce(m.merged_into, m.id) AS id, count(*) AS events
        FROM late JOIN core.member m ON m.tenant_id = :tenant AND m.id = late.member_id GROUP BY 1
    ), most AS (
        SELECT m.*, c.events FROM counted c JOIN core.member m ON m.id = c.id
        WHERE {THERE} ORDER BY c.events DESC, m.id DESC LIMIT :limit
    )
    SELECT {COLUMNS}, m.events FROM most m {BESIDE} ORDER BY m.events DESC, m.id DESC
""")  # noqa: S608 - constants
# The kinds are few, and each is found by one step in the index.
SEARCH = text(f"""
    WITH RECURSIVE kinds AS (
        SELECT min(kind) AS kind FROM core.identity WHERE tenant_id = :tenant
        UNION ALL
        SELECT (SELECT min(i.kind) FROM core.identity i WHERE i.tenant_id = :tenant AND i.kind > k.kind)
        FROM kinds k WHERE k.kind IS NOT NULL
    ), found AS (
        SELECT i.member_id, 0 AS rank, i.value FROM kinds k
        JOIN core.identity i ON i.tenant_id = :tenant AND i.kind = k.kind
         AND i.value = ANY(CASE WHEN k.kind = 'phone' THEN CAST(:hashes AS text[])
                                ELSE ARRAY[CAST(:wanted AS text)] END)
        UNION ALL
        SELECT member_id, 1, value FROM (
            SELECT member_id, value FROM core.identity
            WHERE tenant_id = :tenant AND kind = 'shop' AND value >= CAST(:wanted AS text)
            ORDER BY value LIMIT :beginnings
        ) near WHERE starts_with(value, CAST(:wanted AS text))
    ), best AS (
        SELECT member_id, min(rank) AS rank, min(value) AS value FROM found GROUP BY member_id
        ORDER BY 2, 3, 1 LIMIT :limit
    )
    SELECT {COLUMNS}, b.rank = 0 AS exact FROM best b JOIN core.member m ON m.id = b.member_id {BESIDE}
    WHERE {THERE} ORDER BY b.rank, b.value, m.id
""")  # noqa: S608 - constants

EXTERNAL_IDS = text("""
    SELECT DISTINCT ON (member_id) member_id, value FROM core.identity
    WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[])) AND kind = 'shop'
    ORDER BY member_id, linked_at, value
""")


@dataclass(frozen=True, slots=True)
class Listed:
    """A member as a list shows it.

    Attributes:
        id: Core's id.
        external_id: The shop's own id; the oldest one, where a merge left several.
        suspended: Tactics hand out nothing now.
        last_type: Type of the last event; empty if there was none.
        last_at: When that happened.
        events: How many of the store's latest events are theirs, in a list by activity.
        exact: It is what was searched for, and not only begins with it.
    """

    id: int
    external_id: str
    created_at: datetime
    exempt: bool
    suspended: bool
    last_type: str
    last_at: datetime | None
    events: int | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the list.

    Attributes:
        next: Pass it as `before` for what follows; None at the end.
    """

    members: Sequence[Listed]
    next: int | None


def newest(scope: Scope, *, before: int | None = None, limit: int = 50) -> Page:
    """The store's members, who came last first.

    Args:
        before: Only those older than the one with this id.

    Raises:
        Invalid: The limit is not 1 to 200.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid("limit", _("choose {least} to {most}", least=1, most=MAX_PAGE))
    rows = scope.run(NEWEST, before=before, limit=limit + 1)
    shown = [_listed(row) for row in rows[:limit]]
    return Page(shown, shown[-1].id if len(rows) > limit else None)


def liveliest(scope: Scope, *, limit: int = 50) -> list[Listed]:
    """Whose events are the most among the store's latest, so many as `REACH` says."""
    return [_listed(row, events=row.events) for row in scope.run(LIVELIEST, reach=REACH, limit=limit)]


def search(scope: Scope, keyring: Keyring, wanted: str, *, phones: bool = True, limit: int = 20) -> list[Listed]:
    """Whoever an id leads to, then those whose shop id begins with it.

    Args:
        wanted: A shop id or its beginning, an openid, a unionid or a whole phone number.
        phones: Look for phone numbers, too.

    Raises:
        Invalid: It is empty, too long or no text.
    """
    wanted = wanted.strip()
    if not 1 <= len(wanted) <= MAX_SEARCH or not storable(wanted):
        raise Invalid("search", _("use 1 to {n} characters", n=MAX_SEARCH))
    try:
        hashes = identities.stored(keyring, scope.tenant_id, PHONE, wanted) if phones else []
    except Invalid:
        hashes = []
    rows = scope.run(SEARCH, wanted=wanted, hashes=hashes, beginnings=BEGINNINGS, limit=limit)
    return [_listed(row, exact=row.exact) for row in rows]


def external_ids(scope: Scope, members: Collection[int]) -> dict[int, str]:
    """The shop's ids of members by core's; whoever was merged away or erased has none."""
    return {row.member_id: row.value for row in scope.run(EXTERNAL_IDS, members=sorted(set(members)))}


def _listed(row: Row[Any], *, events: int | None = None, exact: bool = False) -> Listed:
    return Listed(
        id=row.id,
        external_id=row.external_id,
        created_at=row.created_at,
        exempt=row.exempt,
        suspended=bool(row.suspended),
        last_type=row.last_type or "",
        last_at=row.last_at,
        events=events,
        exact=exact,
    )
