"""What the tests of closing are made of: the page's table, values that are valid, answers in the table's words."""

import re

import msgspec
from sqlalchemy import text

from threepeat.database.personal import personal_tables

STATES = ("enabled", "closing", "off", "quarantined")
HOOKS = ("on_enabled", "on_closing", "on_disabled")

PLAIN = {
    msgspec.inspect.FloatType: 0.5,
    msgspec.inspect.BoolType: True,
    msgspec.inspect.ListType: [],
    msgspec.inspect.DictType: {},
}

TIES = ("order_id",)
"""Fields that are filled also where they are not required: what a refund is about."""


def table(page):
    """What a page says, by row and state."""
    lines = [line.strip().strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    rows = [[part.strip().replace("`", "") for part in line] for line in lines]
    named = {row[0]: dict(zip(STATES, row[2:], strict=True)) for row in rows}
    assert len(named) == len(rows), "a row stands twice on the page"
    return named


def one(words):
    """The word that all of several gave; several that differ are a word of their own, which no table has."""
    return " and ".join(sorted(set(words)))


def sample(kind, place, member):
    """The least that is valid for a type of an event's field, and what ties it to others.

    Args:
        place: The field's name, from which texts are made.
        member: Whom it is about: texts of two members differ.
    """
    found = msgspec.inspect
    made = PLAIN.get(type(kind), "2026-01-02T03:04:05Z")
    if isinstance(kind, found.UnionType):
        made = sample(kind.types[0], place, member)
    elif isinstance(kind, found.StructType):
        fields = [field for field in kind.fields if field.required or field.name in TIES]
        made = {field.encode_name: sample(field.type, field.name, member) for field in fields}
    elif isinstance(kind, found.StrType):
        word = f"{place}-{member}"
        made = word if kind.pattern is None or re.search(kind.pattern, word) else "CNY"
    elif isinstance(kind, found.IntType):
        made = 500 if kind.le is None else min(500, kind.le)
    elif isinstance(kind, found.LiteralType):
        made = kind.values[0]
    elif isinstance(kind, found.EnumType):
        made = next(iter(kind.cls)).value
    return made


def said(answer):
    """An answer in the table's words."""
    code = answer.json()["type"].rpartition(":")[2] if answer.status_code >= 400 else ""
    return f"{answer.status_code} {code}" if answer.status_code in {409, 403} else str(answer.status_code)


def filled(model):
    """The least body that a pydantic model takes."""
    kinds = {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}
    schema = model.model_json_schema()
    wanted = {name: schema["properties"][name] for name in schema.get("required", ())}
    return {
        name: next(iter(one.get("examples", one.get("enum", ()))), None)
        or ("2026-01-01" if one.get("format") == "date" else kinds.get(one.get("type"), "x"))
        for name, one in wanted.items()
    }


def holding(stand, member):
    """The plugin's tables that hold rows of a member."""
    with stand.platform.database.ops.connect() as connection:
        tables = [one for one in personal_tables(connection) if one.table.schema == stand.subject.id]
        return {
            str(one)
            for one in tables
            if connection.execute(
                text(f'SELECT 1 FROM {one.table.quoted} WHERE tenant_id = :tenant AND "{one.member}" = :member'),
                {"tenant": stand.tenant.id, "member": member},
            ).first()
        }
