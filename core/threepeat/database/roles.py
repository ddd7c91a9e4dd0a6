"""Three roles: the owner migrates, the app works inside one tenant, ops works across tenants."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

from threepeat.sdk.migrations import Roles

LOCK = 0x7EA9  # any constant: one process at a time makes the roles of a server


@dataclass(frozen=True, slots=True)
class Passwords:
    """One password per role."""

    owner: str
    app: str
    ops: str


def bootstrap(admin_url: str, database: str, roles: Roles, passwords: Passwords) -> None:
    """Make the roles and the database. Running it again sets the passwords and changes nothing else.

    Args:
        admin_url: URL of a role that may create roles and databases.
        database: Name of the database, owned by the owner role.
        roles: Names of the roles.
        passwords: Their passwords.
    """
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
        for name, password in (
            (roles.owner, passwords.owner),
            (roles.app, passwords.app),
            (roles.ops, passwords.ops),
        ):
            known = admin.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            verb = "ALTER" if known is not None else "CREATE"
            admin.execute(
                sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS PASSWORD {}").format(
                    sql.SQL(verb), sql.Identifier(name), sql.Literal(password)
                )
            )
        for name in (roles.app, roles.ops):
            for setting, value in (
                ("idle_in_transaction_session_timeout", "60s"),
                ("lock_timeout", "10s"),
                ("statement_timeout", "60s"),
                # A statement of a client that was killed ends, and gives its locks back.
                ("client_connection_check_interval", "1s"),
                # A plan cached while a table was small scans it from end to end once it is large.
                ("plan_cache_mode", "force_custom_plan"),
            ):
                admin.execute(
                    sql.SQL("ALTER ROLE {} SET {} = {}").format(
                        sql.Identifier(name), sql.Identifier(setting), sql.Literal(value)
                    )
                )
        if admin.execute("SELECT FROM pg_database WHERE datname = %s", (database,)).fetchone() is None:
            admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(roles.owner)))
            admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                    sql.Identifier(database), sql.Identifier(roles.owner)
                )
            )
        admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
        admin.execute(
            sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}, {}").format(
                sql.Identifier(database), sql.Identifier(roles.app), sql.Identifier(roles.ops)
            )
        )
