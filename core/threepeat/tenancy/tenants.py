"""The tenant directory: making tenants and looking them up."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.numbers import get_currency_precision, list_currencies
from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import IntegrityError

from threepeat.database import direct
from threepeat.sdk.context import Store
from threepeat.tenancy.errors import Invalid, NotFound

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = frozenset({"new"})
"""Words that stand in addresses where a tenant's name does."""

COLUMNS = """
    id, slug, name, plan, currency, timezone, simulated, clock_offset, suspended_at, suspended_reason, blueprint
"""
BY_ID = text(f"SELECT {COLUMNS} FROM core.tenant WHERE id = :id")  # noqa: S608 - a constant
BY_SLUG = text(f"SELECT {COLUMNS} FROM core.tenant WHERE slug = :slug")  # noqa: S608 - a constant
ALL = text(f"SELECT {COLUMNS} FROM core.tenant ORDER BY slug")  # noqa: S608 - a constant
INSERT = text(f"""
    INSERT INTO core.tenant
        (slug, name, plan, currency, timezone, simulated, blueprint, suspended_reason, suspended_at, created_by)
    VALUES (:slug, :name, :plan, :currency, :timezone, :simulated, :blueprint, CAST(:suspended AS text),
            CASE WHEN CAST(:suspended AS text) IS NOT NULL THEN transaction_timestamp() END, :by)
    RETURNING {COLUMNS}
""")  # noqa: S608 - a constant
OPEN_STREAM = text("INSERT INTO core.stream (tenant_id) VALUES (:tenant)")
OPEN_TURN = text("INSERT INTO core.turn (tenant_id) VALUES (:tenant)")
WAKE = text("INSERT INTO core.backlog (tenant_id) VALUES (:tenant)")
SET_CLOCK = text(
    "UPDATE core.tenant SET clock_offset = CAST(:now AS timestamptz) - transaction_timestamp() WHERE id = :id"
)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A merchant's store as core knows it.

    Attributes:
        store: What plugins see of it.
        plan: The plan that sets its cap and limits.
        simulated: Its data is made up; every page says so.
        clock_offset: What is added to the wall clock for its timers and expiries.
        suspended_at: Since when the operator refuses its requests.
        suspended_reason: Why, for the merchant.
        blueprint: The trade whose proposals it began with.
    """

    store: Store
    plan: str
    simulated: bool
    clock_offset: timedelta
    suspended_at: datetime | None
    suspended_reason: str | None = None
    blueprint: str | None = None

    @property
    def id(self) -> int:
        """Core's id."""
        return self.store.id


def create(
    ops: Connection,
    slug: str,
    *,
    name: str | None = None,
    plan: str = "standard",
    currency: str = "CNY",
    timezone: str = "Asia/Shanghai",
    simulated: bool = False,
    blueprint: str | None = None,
    suspended: str | None = None,
    by: str,
) -> Tenant:
    """Make a tenant; operator work, on a connection of the ops role.

    Args:
        suspended: Why nobody may use it yet; open to use if None.

    Raises:
        Invalid: A field is not acceptable or the slug is taken; the message names the field.
    """
    if not SLUG.fullmatch(slug):
        raise Invalid("slug", "use 1 to 63 lower-case letters, digits and hyphens")
    if slug in RESERVED:
        raise Invalid("slug", "this word is not free; choose another one")
    if currency not in list_currencies():
        raise Invalid("currency", f"{currency!r} is not an ISO 4217 code")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("timezone", f"{timezone!r} is not a time zone such as Asia/Shanghai") from None
    values = {
        "slug": slug,
        "name": name or slug,
        "plan": plan,
        "currency": currency,
        "timezone": timezone,
        "simulated": simulated,
        "blueprint": blueprint,
        "suspended": suspended,
        "by": by,
    }
    try:
        with ops.begin_nested():
            tenant = made(ops.execute(INSERT, values).one())
    except IntegrityError as error:
        field = "plan" if "plan" in str(error.orig) else "slug"
        reason = f"there is no plan {plan!r}" if field == "plan" else f"{slug!r} is taken"
        raise Invalid(field, reason) from None
    ops.execute(OPEN_STREAM, {"tenant": tenant.id})
    ops.execute(OPEN_TURN, {"tenant": tenant.id})
    return tenant


def by_id(connection: Connection, tenant_id: int) -> Tenant:
    """Look a tenant up by core's id.

    Raises:
        NotFound: There is none.
    """
    found = direct.run(connection, BY_ID, {"id": tenant_id})
    if not found:
        raise NotFound(f"there is no tenant {tenant_id}")
    return made(found[0])


def by_slug(connection: Connection, slug: str) -> Tenant:
    """Look a tenant up by its short name.

    Raises:
        NotFound: There is none.
    """
    row = connection.execute(BY_SLUG, {"slug": slug}).one_or_none()
    if row is None:
        raise NotFound(f"there is no tenant {slug!r}; `threepeat tenant list` shows them")
    return made(row)


def everyone(connection: Connection) -> list[Tenant]:
    """All tenants by slug."""
    return [made(row) for row in connection.execute(ALL)]


def set_clock(ops: Connection, tenant_id: int, now: datetime) -> None:
    """Let a tenant's clock stand at `now` and run on from there; for imports of old data."""
    ops.execute(SET_CLOCK, {"id": tenant_id, "now": now})
    ops.execute(WAKE, {"tenant": tenant_id})


def made(row: Row[Any]) -> Tenant:
    """A tenant from a row that has `COLUMNS`."""
    store = Store(
        id=row.id,
        slug=row.slug,
        name=row.name,
        currency=row.currency,
        minor_units=10 ** get_currency_precision(row.currency),
        timezone=ZoneInfo(row.timezone),
    )
    return Tenant(
        store,
        row.plan,
        row.simulated,
        row.clock_offset,
        row.suspended_at,
        row.suspended_reason,
        row.blueprint,
    )
