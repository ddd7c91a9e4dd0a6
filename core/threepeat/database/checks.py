"""What must hold before a process may serve: durable settings, harmless roles, closed tables."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, text

from threepeat.database import restoring
from threepeat.database.engine import Database
from threepeat.database.erasable import faults
from threepeat.database.lint import Hole, holes
from threepeat.database.migrate import CORE, Source, State, status
from threepeat.database.personal import TenantTable, marked, tenant_tables
from threepeat.sdk.migrations import Roles

OLDEST_MAJOR = 15
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")

ALMIGHTY = text("""
    SELECT current_user, rolname FROM pg_roles
    WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')
    ORDER BY rolname <> current_user, rolname
""")
MORE_THAN_ONE_TENANT = text("""
    SELECT rolname FROM pg_roles WHERE rolname = ANY(:names) AND pg_has_role(current_user, oid, 'MEMBER')
""")


class BootError(RuntimeError):
    """The process must not serve; the message says what to change."""


def check(
    database: Database,
    plugins: Sequence[Source],
    *,
    away: Collection[str] = (),
    merging: Collection[str] | None = None,
) -> dict[str, str]:
    """Refuse to serve an unsafe database, and say which plugins have to wait.

    Args:
        database: The pools to check with.
        plugins: The schemas of the installed plugins.
        away: Names of plugins that are quarantined already: holes in their schemas stop nobody else.
        merging: Names of the plugins that can merge members; None leaves that unchecked.

    Returns:
        The reason for each plugin whose own schema is unsafe or not migrated, or that keeps members' data which
        erasure could not erase or a merge could not move.

    Raises:
        BootError: Roles, durability, core's schema or core's tables are not as they must be.
    """
    with database.app.connect() as connection:
        if restoring.is_closed(connection):
            raise BootError("a backup is being restored, or its checks were not green: see `threepeat db restore`")
        _roles(connection, database.urls.roles)
        _durability(connection)
        states = {found.schema: found.state for found in status(connection, database.urls.roles, [CORE, *plugins])}
        if states["core"] is not State.OK:
            raise BootError(f"core's schema is {states['core']}: run `threepeat db upgrade`")
        leaks = holes(connection, database.urls.roles)
        tables = tenant_tables(connection)
        kept = faults(connection, database.urls.roles, tables)
        stuck = _unmerging(tables, merging) if merging is not None else {}
    names = {source.schema for source in plugins}
    core_leaks = [hole for hole in leaks if hole.schema not in names and hole.schema not in away]
    if core_leaks:
        raise BootError("tenants are not closed against each other:\n" + "\n".join(map(str, core_leaks)))
    core_kept = [hole for hole in kept if hole.schema == "core"]
    if core_kept:
        raise BootError("members' data could not be erased:\n" + "\n".join(map(str, core_kept)))
    stuck = {name: reason for name, reason in stuck.items() if name in names}
    lasting = {hole.schema: f"members' data could not be erased: {hole}" for hole in kept if hole.schema in names}
    leaking = _leaking([hole for hole in leaks if hole.schema in names])
    return {**stuck, **lasting, **_unmigrated(states), **leaking}


def _unmigrated(states: dict[str, State]) -> dict[str, str]:
    return {
        schema: f"its schema is {state}: run `threepeat db upgrade`"
        for schema, state in states.items()
        if schema != "core" and state in {State.PENDING, State.AHEAD}
    }


def _unmerging(tables: Sequence[TenantTable], merging: Collection[str]) -> dict[str, str]:
    return {
        table.table.schema: f"{table} holds members' data, and the plugin does not override merge_members: "
        "two members who are one person could not be merged"
        for table in marked(tables)
        if table.table.schema != "core" and table.table.schema not in merging
    }


def _leaking(leaks: list[Hole]) -> dict[str, str]:
    reasons: dict[str, str] = {}
    for hole in leaks:
        reasons.setdefault(hole.schema, f"its tables are open to other tenants: {hole}")
    return reasons


def _roles(connection: Connection, roles: Roles) -> None:
    major = connection.dialect.server_version_info
    if major is None or int(major[0]) < OLDEST_MAJOR:
        raise BootError(f"PostgreSQL {OLDEST_MAJOR} or newer is needed")
    almighty = connection.execute(ALMIGHTY).first()
    if almighty is not None:
        app, name = almighty
        which = f"the app role {app}" if name == app else f"the role {name}, which the app role {app} may take on,"
        raise BootError(f"{which} is a superuser or bypasses row-level security")
    name = connection.execute(text("SELECT current_user")).scalar_one()
    if name != roles.app:
        raise BootError(f"the app URL connects as {name}: the tenants' policies are made for {roles.app}")
    wide = connection.execute(MORE_THAN_ONE_TENANT, {"names": [roles.owner, roles.ops]}).scalar()
    if wide is not None:
        raise BootError(f"the app role may take on {wide}, which sees every tenant: revoke that")


def _durability(connection: Connection) -> None:
    for setting in DURABLE:
        value = connection.execute(text("SELECT current_setting(:name)"), {"name": setting}).scalar_one()
        if value == "off":
            raise BootError(f"PostgreSQL runs with {setting}=off: an acknowledged event could be lost")
