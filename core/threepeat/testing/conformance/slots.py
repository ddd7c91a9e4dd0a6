"""Every place of a model where a value can stand, and hostile values to put there."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any

from pydantic import BaseModel, ValidationError

from threepeat.testing import hostile, samples

DEEPEST = 3
MOST = 48
MOST_BYTES = 10_000
"""What is longer than this is sent alone, or not at all where core refuses it before a plugin sees it."""
STANDS_FOR = "\ufdd0"
"""What no text holds; in a document it stands for a value that Python cannot write as JSON."""

TRICKY: dict[str, bytes] = {
    "no time zone": b'"Mars/Olympus_Mons"',
    "path upwards": b'"../../../etc/localtime"',
    "half an address": b'"http://["',
    "no time of day": b'"25:61"',
    "raised digit": '"²"'.encode(),
    "digits of another script": '"٣"'.encode(),
    "date that is none": b'"2026-02-30"',
    "zero": b"0",
    "minus one": b"-1",
}
"""JSON texts that look right to whoever takes a text or a number apart."""


Put = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Slot:
    """A place in a document.

    Attributes:
        name: Its path, such as `steps.0.days`.
        put: The whole document with a value there.
        edges: The last values that its schema takes, by name.
    """

    name: str
    put: Callable[[Any], dict[str, Any]]
    edges: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[str, Any]:
        """What may be put there, by name."""
        return {**odd(), **self.edges}

    @property
    def top(self) -> str:
        """The field of the document that it belongs to."""
        return self.name.partition(".")[0]

    def raw(self, value: bytes) -> bytes:
        """The document as JSON with a text there that may be none."""
        return json.dumps(self.put(STANDS_FOR)).encode().replace(json.dumps(STANDS_FOR).encode(), value)


def slots(model: type[BaseModel], whole: Mapping[str, Any]) -> list[Slot]:
    """The places of a model, its fields and those of the models in it.

    Args:
        model: A pydantic model.
        whole: A document that is valid; what stands beside a value.
    """
    schema = model.model_json_schema()
    named = schema.get("$defs", {})
    return list(islice(_slots(schema, named, lambda value: {**whole, **value}, "", DEEPEST), MOST))


def _slots(
    schema: Mapping[str, Any],
    named: Mapping[str, Any],
    put: Put,
    lead: str,
    depth: int,
) -> Iterator[Slot]:
    inner: list[tuple[Mapping[str, Any], Put, str]] = []
    for name, one in schema.get("properties", {}).items():
        yield Slot(lead + name, lambda value, name=name: put({name: value}), _edges(one))  # type: ignore[misc]
        for kind in (one, *one.get("anyOf", ()), *one.get("oneOf", ())):
            found, listed = _object(kind, named)
            if found is not None:
                sample = samples.of_schema(found, named)

                inner.append((found, _around(put, name, sample, listed), f"{lead}{name}.{'0.' if listed else ''}"))
                break
    if depth > 1:
        for found, around, place in inner:
            yield from _slots(found, named, around, place, depth - 1)


def _around(put: Put, name: str, sample: Mapping[str, Any], listed: bool) -> Put:
    def around(value: dict[str, Any]) -> dict[str, Any]:
        filled = {**sample, **value}
        return put({name: [filled] if listed else filled})

    return around


def _edges(schema: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in (schema, *schema.get("anyOf", ())):
        if kind.get("type") in {"integer", "number"}:
            found |= {
                name: kind[key] for name, key in (("the most", "maximum"), ("the least", "minimum")) if key in kind
            }
        if kind.get("type") == "string" and kind.get("maxLength", MOST_BYTES) < MOST_BYTES:
            found["the longest text"] = "宽" * kind["maxLength"]
    return found


def _object(kind: Mapping[str, Any], named: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool]:
    """The object that a value is or a list of values holds, and whether it is a list."""
    if kind.get("type") == "array":
        return _object(kind.get("items", {}), named)[0], True
    if "$ref" in kind:
        kind = named[kind["$ref"].rpartition("/")[2]]
    return (kind, False) if kind.get("type") == "object" and kind.get("properties") else (None, False)


@cache
def odd() -> Mapping[str, Any]:
    """Values that a field may take or not, by name."""
    return {name: json.loads(raw) for name, raw in (TRICKY | hostile.ODD).items()}


@dataclass(frozen=True)
class Judged:
    """What a model makes of a value in a place.

    Attributes:
        accepted: Whether it is valid there.
        error: What a validator raised that is no `ValueError`.
    """

    slot: Slot
    value: str
    accepted: bool
    error: Exception | None = None


def judge(model: type[BaseModel], places: list[Slot]) -> list[Judged]:
    """Ask a model about every value in every place, one at a time."""
    return [_judge(model, slot, name, value) for slot in places for name, value in slot.values.items()]


def _judge(model: type[BaseModel], slot: Slot, name: str, value: Any) -> Judged:
    try:
        model.model_validate(slot.put(value))
    except ValidationError:
        return Judged(slot, name, accepted=False)
    except Exception as error:  # noqa: BLE001 - a stranger's validator may raise anything
        return Judged(slot, name, accepted=False, error=error)
    return Judged(slot, name, accepted=True)


def crashes(found: list[Judged]) -> Iterator[str]:
    """A sentence for each place whose validator raises what it may not."""
    told: set[str] = set()
    for one in found:
        if one.error is not None and one.slot.name not in told:
            told.add(one.slot.name)
            given = f"{type(one.error).__name__} for {shown(one.value)}"
            yield f"{one.slot.name}: a validator raises {given}; it may raise ValueError only"


EDGES = ("the most", "the least", "the longest text")


def shown(name: str) -> str:
    """A value for a sentence: what it is called, and how it is written if that is short."""
    raw = (TRICKY | hostile.ODD | hostile.IMPOSSIBLE).get(name)
    if raw is None:
        return name
    return f"{raw.decode('utf-8', 'replace')} ({name})" if len(raw) < 40 else name
