"""What a merchant filled in, before anything is made of it: settings, and the items of collections."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from threepeat.sdk.storable import fault, storable
from threepeat.tenancy.errors import Fault, Invalid
from threepeat.tenancy.walking import Path

MAX_DEPTH = 32
"""How deep values may nest: nesting without end would exhaust the stack of whatever walks through them."""


def require_shallow(given: Mapping[str, Any], field: str) -> None:
    """Refuse bottomless nesting before anything goes into it.

    Raises:
        Invalid: It nests too deeply; names the field.
    """
    level: list[object] = [given]
    for _ in range(MAX_DEPTH):
        holders = [list(one.values()) if isinstance(one, Mapping) else one for one in level]
        level = [inner for holder in holders if isinstance(holder, list) for inner in holder]
    if level:
        raise Invalid(field, f"nest at most {MAX_DEPTH} levels deep")


def require_storable(meant: BaseModel, field: str) -> None:
    """Refuse what no database gives back as it was, such as NUL, NaN or an integer beyond 64 bits.

    Raises:
        Invalid: There is such a value; names every field with one.
    """
    try:
        plain = meant.model_dump(mode="json")
    except (PydanticSerializationError, UnicodeError) as error:
        raise Invalid(field, f"holds a value that cannot be stored: {error}") from None
    found = list(_unstorable(plain, (field,)))
    if found:
        raise Invalid.every(found)
    try:
        again = type(meant).model_validate(plain)
    except ValidationError as error:
        raise invalid(error, field) from None
    if again.model_dump() != meant.model_dump():
        raise Invalid(field, "holds a value that cannot be stored, such as NaN")


def invalid(error: ValidationError, field: str) -> Invalid:
    """What a model refuses, by path below a field."""
    return Invalid.every(
        [
            Fault(".".join((field, *map(str, one["loc"]))), one["msg"], one["type"], one.get("ctx", {}))
            for one in error.errors(include_url=False, include_input=False)
        ]
    )


def _unstorable(value: object, path: Path) -> Iterator[Fault]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not storable(key):
                yield Fault(".".join(map(str, path)), "has a field whose name is not valid text")
            else:
                yield from _unstorable(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _unstorable(inner, (*path, number))
    elif reason := fault(value):
        yield Fault(".".join(map(str, path)), reason)
