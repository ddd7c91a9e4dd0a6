"""Statements that live in files: read once, checked to stay inside the tenant, run by name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources.abc import Traversable
from typing import Any

from sqlalchemy import Connection, Row, TextClause, text

from threepeat.database import direct
from threepeat.sdk.errors import PluginError

TOKEN = re.compile(
    r"""(?P<line>--[^\n]*) | (?P<block>/\*) | (?P<string>'(?:[^']|'')*('|\Z)) | (?P<name>"(?:[^"]|"")*("|\Z))
      | (?P<escapes>(?<![\w$])(?:e'|u&['"])) | (?P<dollars>(?<![\w$])\$(?:[^\W\d]\w*)?\$)""",
    re.IGNORECASE | re.VERBOSE,
)
BLOCK = re.compile(r"/\*|\*/")
CAST = re.compile(r"(?<![:\w\\]):(\w+)::")
TENANT = re.compile(r"(?<![:\w\\]):tenant\b")
BIND = re.compile(r"(?<![:\w\\]):\w+(?!:)")
CLOCK = re.compile(r"'\s*(now|today|tomorrow|yesterday)(\s[\d\s:.+-]*)?'", re.IGNORECASE)
OPENING = re.compile(r"[\s(]*(select|insert|update|delete|merge|with|values)\b", re.IGNORECASE)
FORBIDDEN = re.compile(
    r"\b(commit|rollback|savepoint|begin|start\s+transaction|reset|discard|copy|grant|revoke|create|alter"
    r"|drop|truncate|listen|notify|lock\s+table|do|call|into|set_config|now|clock_timestamp|statement_timestamp"
    r"|pg_(?:try_)?advisory_lock(?:_shared)?"  # of the session; those of the transaction are innocent
    r"|transaction_timestamp|timeofday|current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
    re.IGNORECASE,
)
# `ON CONFLICT DO UPDATE|NOTHING`, `INSERT|MERGE INTO` and core.now() are the innocent uses of those words.
INNOCENT = re.compile(
    r"\bdo\s+(update|nothing)\b|\b(insert|merge)\s+into\b|(?<![\w.$])core\.now\(\)", re.IGNORECASE
)


def load(folder: Traversable) -> Mapping[str, TextClause]:
    """Read every `*.sql` of a folder.

    Raises:
        PluginError: A file does not bind `:tenant`, holds several statements, or reads the wall clock,
            touches the transaction or changes the schema.
    """
    if not folder.is_dir():
        return {}
    return {
        file.name.removesuffix(".sql"): _statement(file.name, file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


@cache
def _statement(name: str, body: str) -> TextClause:
    check(name, body)
    # SQLAlchemy takes `:name::type` for a cast of nothing, and a colon in a string for a bind.
    parts = (
        CAST.sub(r"(:\1)::", part) if kind == "code" else part.replace(":", "\\:")
        for kind, part in _tokens(name, body)
    )
    return text("".join(parts))


def check(name: str, body: str) -> None:
    """Refuse a statement that could leave its tenant or its transaction.

    Raises:
        PluginError: It does; the message says how.
    """
    found = list(_tokens(name, body))
    bare = "".join(_bare(kind, part) for kind, part in found).strip().removesuffix(";")
    if not TENANT.search(bare):
        raise PluginError(f"{name} does not bind :tenant")
    if ";" in bare:
        raise PluginError(f"{name} holds more than one statement")
    word = FORBIDDEN.search(INNOCENT.sub(" ", BIND.sub(" ", bare)))
    if word:
        hint = " (use core.now())" if re.search(r"now|stamp|time|date", word[0], re.IGNORECASE) else ""
        raise PluginError(f"{name} uses {word[0].upper()}, which a plugin's statement may not{hint}")
    for kind, part in found:
        if kind == "string" and CLOCK.fullmatch(part):
            raise PluginError(f"{name} uses {part}, which may be read as the wall clock (use core.now())")
    if not OPENING.match(bare):
        raise PluginError(
            f"{name} begins with {bare.split()[0].upper()}: a plugin's statement reads or writes rows"
        )


def _tokens(name: str, body: str) -> Iterator[tuple[str, str]]:
    """The parts of a statement as PostgreSQL reads them: code, strings and quoted names; a comment is a space."""
    at = 0
    while token := TOKEN.search(body, at):
        yield "code", body[at : token.start()]
        at = token.end()
        if token["string"] or token["name"]:
            yield ("string" if token["string"] else "name"), token[0]
        elif token["line"] or token["block"]:
            at = _end_of_comment(body, at) if token["block"] else at
            yield "code", " "
        else:
            raise PluginError(f"{name} quotes with {token[0]}: use plain '…' and plain names")
    yield "code", body[at:]


def _bare(kind: str, part: str) -> str:
    if kind == "string":
        return "''"
    return re.sub(r"\W", " ", part) if kind == "name" else part


def _end_of_comment(body: str, at: int) -> int:
    """Where a block comment ends that was entered before `at`; comments nest."""
    depth = 1
    while depth and (mark := BLOCK.search(body, at)):
        depth += 1 if mark[0] == "/*" else -1
        at = mark.end()
    return len(body) if depth else at


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
        return direct.run(self._connection, statement, {**binds, "tenant": self._tenant_id})
