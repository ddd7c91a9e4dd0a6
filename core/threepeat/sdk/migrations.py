"""Helpers for a plugin's Alembic migrations: tables that are closed to other tenants from the start.

Core runs the migrations as the owner role and passes schema and role names through Alembic's context.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from alembic import op
from sqlalchemy import BigInteger, Column, PrimaryKeyConstraint, text
from sqlalchemy.schema import SchemaItem

# Evaluated once per statement; an unset tenant is NULL, which matches no row.
CURRENT_TENANT = "(SELECT NULLIF(current_setting('threepeat.tenant', true), '')::bigint)"


@dataclass(frozen=True, slots=True)
class Roles:
    """Names of the three database roles."""

    owner: str
    app: str
    ops: str

    @classmethod
    def prefixed(cls, prefix: str) -> "Roles":
        """The roles of an installation: `{prefix}_owner`, `{prefix}_app`, `{prefix}_ops`."""
        return cls(f"{prefix}_owner", f"{prefix}_app", f"{prefix}_ops")


def create_tenant_table(
    name: str,
    *items: SchemaItem,
    key: Sequence[str],
    comment: str | None = None,
    append_only: bool = False,
) -> None:
    """Create a table in the plugin's schema, with `tenant_id`, policies and grants.

    Args:
        name: The table.
        items: Columns and constraints besides `tenant_id` and the primary key.
        key: The rest of the primary key after `tenant_id`.
        comment: Result of `personal(…)` for a table with a member's data.
        append_only: The app may add and read rows, never change or delete them.
    """
    op.create_table(
        name,
        Column("tenant_id", BigInteger, nullable=False),
        *items,
        PrimaryKeyConstraint("tenant_id", *key, name=f"{name}_pkey"),
        schema=_schema(),
        comment=comment,
    )
    protect(name, append_only=append_only)


def create_tenant_index(
    name: str,
    table: str,
    columns: Sequence[str],
    *,
    unique: bool = False,
    include: Sequence[str] = (),
    where: str | None = None,
) -> None:
    """Create an index that begins with `tenant_id`.

    Args:
        name: The index.
        table: The table it is on.
        columns: The columns after `tenant_id`.
        unique: Whether a combination may stand only once in a tenant.
        include: Columns that are stored beside the key.
        where: SQL condition of a partial index.
    """
    op.create_index(
        name,
        table,
        ["tenant_id", *columns],
        unique=unique,
        schema=_schema(),
        postgresql_include=list(include) or None,
        postgresql_where=text(where) if where else None,
    )


def protect(table: str, *, append_only: bool = False) -> None:
    """Close an existing table that has a `tenant_id` to every tenant but the session's own."""
    schema, roles = _schema(), _roles()
    name = f'"{schema}"."{table}"'
    verbs = "SELECT, INSERT" if append_only else "SELECT, INSERT, UPDATE, DELETE"
    policy = (
        f"CREATE POLICY tenant ON {name} TO {roles.app}"
        f" USING (tenant_id = {CURRENT_TENANT}) WITH CHECK (tenant_id = {CURRENT_TENANT})"
    )
    for statement in (
        f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY",
        policy,
        f"CREATE POLICY everywhere ON {name} TO {roles.owner}, {roles.ops} USING (true) WITH CHECK (true)",
        f"GRANT {verbs} ON {name} TO {roles.app}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {name} TO {roles.ops}",
    ):
        op.execute(statement)


def drop_table(name: str) -> None:
    """Drop a table of the plugin's schema."""
    op.drop_table(name, schema=_schema())


def _schema() -> str:
    schema = op.get_context().opts["threepeat_schema"]
    assert isinstance(schema, str)  # noqa: S101
    return schema


def _roles() -> Roles:
    roles = op.get_context().opts["threepeat_roles"]
    assert isinstance(roles, Roles)  # noqa: S101
    return roles
