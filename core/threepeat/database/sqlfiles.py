"""Statements that live in files: read once, checked to stay inside the tenant, run by name."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources.abc import Traversable
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from threepeat.sdk.errors import PluginError

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
STRING = re.compile(r"'(?:[^']|'')*'")
CAST = re.compile(r"(?<![:\w]):(\w+)::")
TENANT = re.compile(r"(?<!:):tenant\b")
FORBIDDEN = re.compile(
    r"\b(commit|rollback|savepoint|begin|start\s+transaction|set|reset|discard|copy|grant|revoke|create|alter"
    r"|drop|truncate|listen|notify|lock\s+table|do|call|set_config|now|clock_timestamp|statement_timestamp"
    r"|transaction_timestamp|current_timestamp|current_date|localtimestamp)\b",
    re.IGNORECASE,
)
# `UPDATE … SET`, `ON CONFLICT … DO UPDATE SET|NOTHING` and core.now() are the innocent uses of those words.
INNOCENT = re.compile(
    r"\bdo\s+(update|nothing)\b|\bset\s+(?=[\w(])(?!local|session|role)|\bcore\.now\(\)", re.IGNORECASE
)


def load(folder: Traversable) -> Mapping[str, TextClause]:
    """Read every `*.sql` of a folder.

    Raises:
        PluginError: A file does not bind `:tenant`, holds several statements, or reads the wall clock,
            touches the transaction or changes the schema.
    """
    if not folder.is_dir():
        return {}
    statements: dict[str, TextClause] = {}
    for file in folder.iterdir():
        if file.name.endswith(".sql"):
            body = file.read_text(encoding="utf-8")
            check(file.name, body)
            bare = COMMENT.sub(" ", body)
            # SQLAlchemy takes `:name::type` for a cast of nothing.
            statements[file.name.removesuffix(".sql")] = text(CAST.sub(r"(:\1)::", bare))
    return statements


def check(name: str, body: str) -> None:
    """Refuse a statement that could leave its tenant or its transaction.

    Raises:
        PluginError: It does; the message says how.
    """
    bare = STRING.sub("''", COMMENT.sub(" ", body)).strip().rstrip(";")
    if not TENANT.search(bare):
        raise PluginError(f"{name} does not bind :tenant")
    if ";" in bare:
        raise PluginError(f"{name} holds more than one statement")
    found = FORBIDDEN.search(INNOCENT.sub(" ", bare))
    if found:
        hint = " (use core.now())" if "now" in found[0].lower() or "stamp" in found[0].lower() else ""
        raise PluginError(f"{name} uses {found[0].upper()}, which a plugin's statement may not{hint}")


class Statements:
    """A plugin's statements bound to a tenant's transaction; this is `ctx.sql`."""

    def __init__(self, statements: Mapping[str, TextClause], connection: Connection, tenant_id: int) -> None:
        self._statements = statements
        self._connection = connection
        self._tenant_id = tenant_id

    def __call__(self, name: str, /, **binds: object) -> Sequence[Row[Any]]:
        """Run `sql/{name}.sql` with `:tenant` bound."""
        try:
            statement = self._statements[name]
        except KeyError:
            raise LookupError(f"there is no sql/{name}.sql") from None
        result = self._connection.execute(statement, {**binds, "tenant": self._tenant_id})
        return result.all() if result.returns_rows else ()
