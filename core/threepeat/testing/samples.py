"""The least that is valid: for an event's class, and for a pydantic model."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect
from pydantic import BaseModel

from threepeat.sdk.events import Event

PLAIN: dict[type[inspect.Type], Any] = {
    inspect.FloatType: 0.5,
    inspect.BoolType: True,
    inspect.ListType: [],
    inspect.DictType: {},
}
INSTANT = "2026-01-02T03:04:05Z"
TIES = ("order_id",)
"""Fields that are filled also where they are not required: what a refund is about."""

KINDS = {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {}}


def event_data(event: type[Event], about: str) -> dict[str, Any]:
    """The data of an event.

    Args:
        event: Its class.
        about: Its texts hold this word: those of the same field and word are alike, so that events are about the
            same order.
    """
    made: dict[str, Any] = _sample(_described(event), event.type, about)
    return made


_described = cache(inspect.type_info)


def _sample(kind: inspect.Type, place: str, about: str) -> Any:
    made = PLAIN.get(type(kind), INSTANT)
    if isinstance(kind, inspect.UnionType):
        made = _sample(kind.types[0], place, about)
    elif isinstance(kind, inspect.StructType):
        fields = [field for field in kind.fields if field.required or field.name in TIES]
        made = {field.encode_name: _sample(field.type, field.name, about) for field in fields}
    elif isinstance(kind, inspect.StrType):
        word = f"{place}-{about}"
        made = word if kind.pattern is None or re.search(kind.pattern, word) else "CNY"
    elif isinstance(kind, inspect.IntType):
        made = 500 if kind.le is None else min(500, kind.le)
    elif isinstance(kind, inspect.LiteralType):
        made = kind.values[0]
    elif isinstance(kind, inspect.EnumType):
        made = next(iter(kind.cls)).value
    return made


def body(model: type[BaseModel]) -> dict[str, Any]:
    """The least body that a pydantic model takes."""
    schema = model.model_json_schema()
    return of_schema(schema, schema.get("$defs", {}))


def of_schema(schema: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The least object that a JSON schema takes; `named` are its `$defs`."""
    wanted = {name: schema["properties"][name] for name in schema.get("required", ())}
    return {name: _value(one, named) for name, one in wanted.items()}


def _value(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Any:
    given = next(iter(schema.get("examples", schema.get("enum", ()))), schema.get("const"))
    kind = schema.get("type")
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    if given is not None:
        made = given
    elif "$ref" in schema:
        made = _value(named[schema["$ref"].rpartition("/")[2]], named)
    elif choices := schema.get("anyOf", schema.get("oneOf")):
        made = _value(choices[0], named)
    elif schema.get("format") in {"date", "date-time"}:
        made = INSTANT if schema["format"] == "date-time" else INSTANT.partition("T")[0]
    elif kind in {"integer", "number"}:
        made = max(1, least + ("exclusiveMinimum" in schema))
    elif kind == "object":
        made = of_schema(schema, named)
    elif kind == "array":
        made = [_value(schema.get("items", {}), named)] * schema.get("minItems", 0)
    else:
        made = KINDS.get(str(kind), "x")
    return made * max(1, schema.get("minLength", 1)) if made == KINDS["string"] else made


def converted(event: type[Event], data: dict[str, Any]) -> Event:
    """An event of a class from its data."""
    return msgspec.convert(data, event)
