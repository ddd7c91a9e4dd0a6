"""What migrations made of a schema, and how it differs from the models."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Connection, MetaData, inspect, text

OURS = "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public')"
RELATION = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {ours}"
QUERIES = {
    "schemas": "SELECT nspname, nspacl::text FROM pg_namespace n WHERE {ours}",
    "relations": "SELECT nspname, relname, relkind, relacl::text, relrowsecurity, relforcerowsecurity,"
    f" obj_description(c.oid) {RELATION}",
    "columns": "SELECT nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,"
    f" col_description(c.oid, attnum), pg_get_expr(adbin, adrelid) {RELATION} JOIN pg_attribute a"
    " ON a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
    " LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = attnum",
    "keys": f"SELECT nspname, relname, conname, pg_get_constraintdef(k.oid) {RELATION}"
    " JOIN pg_constraint k ON k.conrelid = c.oid",
    "indexes": f"SELECT nspname, relname, pg_get_indexdef(c.oid) {RELATION} WHERE relkind = 'i'",
    "policies": "SELECT nspname, relname, polname, polcmd, pg_get_expr(polqual, polrelid),"
    f" pg_get_expr(polwithcheck, polrelid), polroles::regrole[]::text {RELATION}"
    " JOIN pg_policy ON polrelid = c.oid",
    "functions": "SELECT nspname, proname, prosrc FROM pg_proc JOIN pg_namespace n ON n.oid = pronamespace"
    " AND {ours}",
    "types": "SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = typnamespace AND {ours}"
    " WHERE typtype IN ('d', 'e', 'r')",
}
UNFINISHED = {
    "add_table": "{} is in the models, and no migration makes it",
    "remove_table": "{} is made by the migrations, and not in the models",
    "add_column": "{} is in the models, and no migration makes it",
    "remove_column": "{} is made by the migrations, and not in the models",
    "modify_type": "{} has the type {} in the database and {} in the models",
    "modify_nullable": "{} may be null: {} in the database, {} in the models",
    "modify_default": "{} has another default in the database than in the models",
    "modify_comment": "{} has another comment in the database than in the models",
    "add_table_comment": "{} has another comment in the database than in the models, such as personal(…)",
    "remove_table_comment": "{} has a comment in the database and none in the models, such as personal(…)",
}


def catalogue(connection: Connection, schema: str | None = None) -> dict[str, list[str]]:
    """Everything that migrations make, in words that do not change with object ids.

    Args:
        connection: To the database, as the owner.
        schema: Only this one; all of Threepeat's by default.
    """
    ours = OURS if schema is None else "n.nspname = CAST(:schema AS text)"
    given = {} if schema is None else {"schema": schema}
    found = {}
    for name, query in QUERIES.items():
        statement = text(query.replace(":", "\\:").format(ours=ours))
        found[name] = sorted(map(str, connection.execute(statement, given)))
    return found


def unlike(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """How two catalogues differ, one sentence for each thing."""
    for kind, there in before.items():
        now = after[kind]
        yield from (f"of the {kind} {one} is missing" for one in there if one not in now)
        yield from (f"of the {kind} {one} is new" for one in now if one not in there)


def metadata_of(package: str) -> list[MetaData]:
    """The tables that the module `models` of a plugin's package declares; empty if there is none."""
    name = f"{package}.models"
    if find_spec(name) is None:
        return []
    values = vars(import_module(name)).values()
    found = [one if isinstance(one, MetaData) else getattr(one, "metadata", None) for one in values]
    declared = {id(one): one for one in found if isinstance(one, MetaData)}
    return [one for one in declared.values() if one.tables]


def differences(connection: Connection, schema: str, metadata: Iterable[MetaData]) -> list[Any]:
    """What Alembic would write into a new migration, and the check constraints, which it does not compare."""
    context = MigrationContext.configure(
        connection,
        opts={
            "include_schemas": True,
            "include_name": lambda name, kind, _: kind != "schema" or name == schema,
            "version_table_schema": schema,
            "compare_type": True,
            "compare_server_default": True,
        },
    )
    declared = list(metadata)
    found: list[Any] = list(compare_metadata(context, declared))  # type: ignore[arg-type]
    stored = {
        (table, check["name"])
        for (_, table), checks in inspect(connection).get_multi_check_constraints(schema).items()
        for check in checks
    }
    meant = {
        (table.name, check.name)
        for one in declared
        for table in one.tables.values()
        for check in table.constraints
        if isinstance(check, CheckConstraint)
    }
    found += [("check", *one) for one in sorted(meant ^ stored, key=str)]
    return found


def unfinished(found: Iterable[Any], schema: str) -> Iterator[str]:
    """The same as sentences, each with the table and the column that it is about."""
    for group in found:
        for one in group if isinstance(group, list) else [group]:
            kind, said = one[0], UNFINISHED.get(one[0], "")
            if kind in {"add_column", "remove_column"}:
                yield said.format(f"{schema}.{one[2]}.{one[3].name}")
            elif kind.startswith("modify_"):
                yield said.format(f"{schema}.{one[2]}.{one[3]}", _plain(one[5]), _plain(one[6]))
            elif said:
                yield said.format(f"{schema}.{one[1].name}")
            elif kind == "check":
                yield f"{schema}.{one[1]}: the check {one[2]} is missing in the models or in the database"
            else:
                where = "the models" if kind.startswith("add_") else "the database"
                table = getattr(one[1], "table", None)
                place = f"{schema}.{table.name}" if table is not None else schema
                yield f"{place}: the {kind.partition('_')[2]} {one[1].name} is only in {where}"


def _plain(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
