"""Reads the catalogue of a live database and names every hole between tenants."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from threepeat.sdk.migrations import Roles

DIRECTORY = frozenset(
    {
        "plan",
        "tenant",
        "backlog",
        "turn",
        "operator",
        "operator_session",
        "operator_link",
        "operator_key",
        "operator_audit",
        "plugin_check",
        "sign_in_failure",
    }
)
"""Tables of schema `core` that belong to no tenant; they hold nothing about members."""

EXPECTED_POLICY = (
    "(tenant_id = ( SELECT (NULLIF(current_setting('threepeat.tenant'::text, true), ''::text))::bigint"
    ' AS "nullif"))'
)

RELATIONS = text("""
    SELECT n.nspname, c.relname, c.relkind, c.relispartition, c.relrowsecurity, c.relforcerowsecurity,
           EXISTS (SELECT FROM pg_attribute a
                   WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped),
           coalesce(c.reloptions @> '{security_invoker=true}', false),
           pg_get_userbyid(c.relowner) = :app,
           has_any_column_privilege(:app, c.oid, 'SELECT, INSERT, UPDATE')
               OR has_table_privilege(:app, c.oid, 'DELETE'),
           has_any_column_privilege(:app, c.oid, 'REFERENCES')
               OR has_table_privilege(:app, c.oid, 'TRUNCATE, TRIGGER')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND (c.relname <> 'alembic_version' OR c.relkind <> 'r')
    ORDER BY 1, 2
""")

POLICIES = text("""
    SELECT n.nspname, c.relname, p.polname, p.polpermissive, p.polcmd = '*',
           pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE p.polroles && array_append(
        (SELECT array_agg(r.oid) FROM pg_roles r WHERE pg_has_role(:app, r.oid, 'MEMBER')), 0::oid)
""")

INDEXES = text("""
    SELECT n.nspname, c.relname, i.relname, a.attname
    FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0] AND x.indkey[0] <> 0
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
""")

FOREIGN_KEYS = text("""
    SELECT n.nspname, c.relname, k.conname,
           a.attname = 'tenant_id'
           AND (fa.attname = 'tenant_id' OR fa.attname = 'id' AND k.confrelid = to_regclass('core.tenant'))
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
    JOIN pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = k.confkey[1]
    WHERE k.contype = 'f'
""")

TRIGGERS = text("""
    SELECT n.nspname, c.relname, t.tgname
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal
""")

RULES = text("""
    SELECT n.nspname, c.relname, r.rulename
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename <> '_RETURN' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
""")

DEFINERS = text("""
    SELECT n.nspname, p.proname
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND has_function_privilege(:app, p.oid, 'EXECUTE')
""")


@dataclass(frozen=True, slots=True)
class Hole:
    """A way out of a tenant: which schema and relation, and what is wrong with it."""

    schema: str
    relation: str
    problem: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.relation}: {self.problem}"


def holes(connection: Connection, roles: Roles) -> list[Hole]:
    """Every hole in every schema; an empty list is the promise that a leak needs more than a slip."""
    owned, found = _relations(connection, roles)
    found += _policies(connection, roles, owned)
    for schema, table, index, first in connection.execute(INDEXES):
        if (schema, table) in owned and first != "tenant_id":
            found.append(Hole(schema, table, f"the index or key {index} does not begin with tenant_id"))
    for schema, table, name, tied in connection.execute(FOREIGN_KEYS):
        if (schema, table) in owned and not tied:
            found.append(Hole(schema, table, f"the foreign key {name} does not begin with tenant_id"))
    for schema, table, name in connection.execute(TRIGGERS):
        found.append(Hole(schema, table, f"the trigger {name} runs behind the statement's back"))
    for schema, table, name in connection.execute(RULES):
        found.append(Hole(schema, table, f"the rule {name} runs with its owner's rights"))
    for schema, name in connection.execute(DEFINERS, {"app": roles.app}):
        found.append(Hole(schema, name, "the function runs with its owner's rights"))
    return sorted(found, key=str)


def _relations(connection: Connection, roles: Roles) -> tuple[set[tuple[str, str]], list[Hole]]:
    owned: set[tuple[str, str]] = set()
    found: list[Hole] = []
    for row in connection.execute(RELATIONS, {"app": roles.app}):
        schema, name, kind, partition, enabled, forced, has_tenant, invoker, app_owns, granted, unsafe = row
        if schema == "core" and name in DIRECTORY:
            continue
        problems: Sequence[tuple[bool, str]]
        if kind in {"v", "m", "f"}:
            problems = [
                (kind == "v" and granted and not invoker, "the view runs with its owner's rights"),
                (kind == "m" and granted, "a materialized view knows no policy"),
                (kind == "f" and granted, "a foreign table knows no policy"),
            ]
        elif partition:
            problems = [(granted, "the app reaches a partition past its parent's policy")]
        else:
            owned.add((schema, name))
            problems = [
                (not has_tenant, "the table has no tenant_id and is not in the directory list"),
                (has_tenant and not enabled, "row-level security is off"),
                (has_tenant and enabled and not forced, "row-level security is not forced on the owner"),
                (app_owns, "the app role owns it"),
                (unsafe, "the app may truncate it, reference it or put triggers on it"),
            ]
        found += [Hole(schema, name, problem) for wrong, problem in problems if wrong]
    return owned, found


def _policies(connection: Connection, roles: Roles, owned: set[tuple[str, str]]) -> list[Hole]:
    closed: set[tuple[str, str]] = set()
    found: list[Hole] = []
    for schema, table, name, permissive, every, using, check in connection.execute(POLICIES, {"app": roles.app}):
        if permissive and every and using == check == EXPECTED_POLICY:
            closed.add((schema, table))
        elif permissive:
            found.append(Hole(schema, table, f"the policy {name} opens it to the app beyond its tenant"))
    found += [Hole(schema, table, "no policy ties it to the tenant") for schema, table in owned - closed]
    return found
