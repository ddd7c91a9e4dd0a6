"""The statements of an erasure, made from the catalogue.

One statement erases all tables of a schema: PostgreSQL checks foreign keys when a statement ends, so that rows
which refer to each other may change together, in any order.

Each statement binds `:tenant`, `:ids` (members), `:surrogates` (what stands for each of them from now on) and
`:key` (random, 32 bytes, used for one erasure and thrown away).
"""

from collections.abc import Sequence

from sqlalchemy import TextClause, text

from threepeat.database.personal import TEXTS, Column, PersonalTable, quoted

MARK = "erased-"
DIGITS = 40
"""Hexadecimal digits of a hash: 160 bits, so that two texts of one member never meet."""

EMPTY = {"json": "{}", "jsonb": "{}", "inet": "0.0.0.0", "cidr": "0.0.0.0", "tsvector": ""}  # noqa: S104
"""What takes the place of other kinds where there must be something."""

MEMBERS = "unnest(CAST(:ids AS bigint[]), CAST(:surrogates AS bigint[])) AS m (id, surrogate)"

# The payload and the subject go; of the key only a hash stays, so that the unique key still holds.
EVENTS = text(f"""
    UPDATE core.event t
    SET member_id = m.surrogate, source = 'erased', subject = NULL, data = '{{}}',
        id = encode(sha256(CAST(:key AS bytea) || convert_to(t.source || chr(10) || t.id, 'UTF8')), 'hex'),
        erased_at = transaction_timestamp()
    FROM {MEMBERS} WHERE t.tenant_id = :tenant AND t.member_id = m.id
""")  # noqa: S608 - a constant


def statement(tables: Sequence[PersonalTable]) -> TextClause:
    """Erase a member's rows in all tables of one schema; answers one row, the number of rows for each table."""
    parts, counts = [], []
    for number, table in enumerate(tables):
        if table.action == "keep":
            counts.append(f"({_count(table)}) AS n{number}")
        else:
            change = _delete(table) if table.action == "delete" else _anonymise(table)
            parts.append(f"t{number} AS ({change} RETURNING 1)")
            counts.append(f"(SELECT count(*) FROM t{number}) AS n{number}")  # noqa: S608 - a number
    return text(f"{'WITH ' if parts else ''}{', '.join(parts)} SELECT {', '.join(counts)}")


def scrubbed(column: Column) -> str:
    """What takes the place of a column's value; hashes of equal values are equal within one erasure.

    Raises:
        ValueError: Nothing is known that could take its place.
    """
    name = f"t.{quoted(column.name)}"
    if column.kind in TEXTS:
        return _words(name, column.length) if column.is_array else _hash(name, column.length)
    if column.kind == "bytea" and not column.is_array:
        return f"sha256(CAST(:key AS bytea) || {name})"
    if column.kind == "uuid" and not column.is_array:
        return f"CAST(left({_digest(name)}, 32) AS uuid)"
    if not column.required:
        return "NULL"
    empty = "{}" if column.is_array else EMPTY.get(column.kind)
    if empty is None:
        raise ValueError(f"nothing can take the place of a {column.kind}")
    return f"'{empty}'"


def sample(column: Column) -> str:
    """An example of what `scrubbed` leaves in a text column."""
    digits = "0123456789abcdef" * 3
    whole = MARK + digits[:DIGITS]
    return whole if column.length is None or column.length >= len(whole) else digits[: column.length]


def _delete(table: PersonalTable) -> str:
    return (
        f"DELETE FROM {table.table.quoted} t"  # noqa: S608 - the names are the catalogue's, quoted
        f" WHERE t.tenant_id = :tenant AND t.{quoted(table.member)} = ANY(CAST(:ids AS bigint[]))"
    )


def _anonymise(table: PersonalTable) -> str:
    changes = [f"{quoted(column.name)} = {scrubbed(column)}" for column in table.scrubbed]
    return (
        f"UPDATE {table.table.quoted} t"  # noqa: S608 - the names are the catalogue's, quoted
        f" SET {', '.join([f'{quoted(table.member)} = m.surrogate', *changes])}"
        f" FROM {MEMBERS} WHERE t.tenant_id = :tenant AND t.{quoted(table.member)} = m.id"
    )


def _count(table: PersonalTable) -> str:
    return (
        f"SELECT count(*) FROM {table.table.quoted} t"  # noqa: S608 - the names are the catalogue's, quoted
        f" WHERE t.tenant_id = :tenant AND t.{quoted(table.member)} = ANY(CAST(:ids AS bigint[]))"
    )


def _hash(value: str, length: int | None) -> str:
    """A text's hash: marked as one where there is room, and as long as fits."""
    if length is not None and length < len(MARK) + DIGITS:
        return f"left({_digest(value)}, {length})"
    return f"'{MARK}' || left({_digest(value)}, {DIGITS})"


def _words(value: str, length: int | None) -> str:
    words = f"ARRAY(SELECT {_hash('word', length)} FROM unnest({value}) AS word)"  # noqa: S608 - quoted
    return f"CASE WHEN {value} IS NOT NULL THEN {words} END"


def _digest(value: str) -> str:
    return f"encode(sha256(CAST(:key AS bytea) || convert_to(CAST({value} AS text), 'UTF8')), 'hex')"
