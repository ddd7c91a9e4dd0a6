"""From a pydantic model to the shapes of its fields."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

import annotated_types
from pydantic import BaseModel, SecretStr, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo

from threepeat.sdk.audience import Audience
from threepeat.sdk.rewards import RewardChoice
from threepeat.sdk.settings import choice_key
from threepeat.sdk.wording import _
from threepeat_tenants.forms.audiences import Conditions
from threepeat_tenants.forms.choices import Choice, Choices, Pick
from threepeat_tenants.forms.composites import Group, Lines, Maybe, Rows, Spec
from threepeat_tenants.forms.leaves import Flag, Json, Leaf, Secret, Text
from threepeat_tenants.forms.moments import Clock, Day, Instant
from threepeat_tenants.forms.numbers import Bounds, Fraction, Money, Whole
from threepeat_tenants.forms.rewards import Prize, Some, Which
from threepeat_tenants.forms.shapes import MISSING, Head, Shape

Models = frozenset[type[BaseModel]]

LISTS = (list, set, frozenset)
YES_NO = (Pick(True, "true", _("Yes"), ours=True), Pick(False, "false", _("No"), ours=True))


@lru_cache(maxsize=512)
def describe(model: type[BaseModel]) -> Group:
    """The shape of a model, with a shape for each of its fields."""
    return _group(model, frozenset())


def _group(model: type[BaseModel], above: Models) -> Group:
    specs = tuple(_spec(model, name, field, above | {model}) for name, field in model.model_fields.items())
    return Group(specs, open=model.model_config.get("extra") == "allow")


def _spec(model: type[BaseModel], name: str, field: FieldInfo, above: Models) -> Spec:
    hints = _hints(field)
    shape = _shape(field.annotation, tuple(field.metadata), hints, above)
    if isinstance(shape, Secret):
        shape = Secret(_cleared(field))
    alias = field.validation_alias
    return Spec(
        name=name,
        key=alias if isinstance(alias, str) else name,
        shape=shape,
        head=Head(
            label=field.title or name.replace("_", " ").strip().capitalize(),
            help=field.description or "",
            unit=hints["unit"],
            placeholder=hints["placeholder"],
            titles=hints["choices"],
        ),
        default=MISSING if isinstance(shape, Secret) else _default(model, name, field),
        group=hints["group"],
    )


def _hints(field: FieldInfo) -> dict[str, Any]:
    """What `shown(…)` says of a field; what a stranger wrote in its place counts for nothing."""
    extra = field.json_schema_extra
    found: Any = extra.get("threepeat") if isinstance(extra, dict) else None
    given: Mapping[str, Any] = found if isinstance(found, dict) else {}
    words = {
        name: given[name] if isinstance(given.get(name), str) else ""
        for name in ("group", "unit", "placeholder", "items")
    }
    titles = given.get("choices")
    known = titles.items() if isinstance(titles, dict) else ()
    choices = {key: title for key, title in known if isinstance(key, str) and isinstance(title, str)}
    return {**words, "long": given.get("long") is True, "choices": choices}


def _default(model: type[BaseModel], name: str, field: FieldInfo) -> Any:
    """A field's default as values have it, without what is a default in it, too."""
    if field.is_required():
        return MISSING
    try:
        value = field.get_default(call_default_factory=True, validated_data={})
        held = model.model_construct(_fields_set={name}, **{name: value})
        dumped = held.model_dump(mode="json", include={name}, exclude_unset=True, warnings=False)
        return json.loads(json.dumps(dumped[name]))
    except Exception:  # noqa: BLE001 - a stranger's default or serializer may do anything
        return MISSING


def _cleared(field: FieldInfo) -> Any:
    """What clears a secret: null where that fits, else the default."""
    if NoneType in get_args(field.annotation):
        return None
    default = field.get_default()
    return default.get_secret_value() if isinstance(default, SecretStr) else MISSING


def _shape(kind: Any, metadata: tuple[Any, ...], hints: Mapping[str, Any], above: Models) -> Shape:
    kind, metadata = _bare(kind, metadata)
    if get_origin(kind) in {Union, UnionType}:
        inner = [one for one in get_args(kind) if one is not NoneType]
        if len(inner) != 1:
            return Json()
        return _optional(_shape(inner[0], metadata, hints, above)) if NoneType in get_args(kind) else Json()
    if get_origin(kind) is Literal and None in get_args(kind):
        rest = tuple(one for one in get_args(kind) if one is not None)
        return _optional(_choice(rest)) if rest else Json()
    if get_origin(kind) in LISTS and len(get_args(kind)) == 1:
        return _list(kind, metadata, hints, above)
    if get_origin(kind) is tuple and len(get_args(kind)) == 2 and get_args(kind)[1] is Ellipsis:
        return _list(list[get_args(kind)[0]], metadata, hints, above)  # type: ignore[misc]
    return _single(kind, metadata, hints, above)


def _single(kind: Any, metadata: tuple[Any, ...], hints: Mapping[str, Any], above: Models) -> Shape:
    if get_origin(kind) is Literal:
        return _choice(get_args(kind))
    if not isinstance(kind, type) or get_origin(kind) is not None:
        return Json()
    if issubclass(kind, Enum):
        return _choice(tuple(kind))
    if issubclass(kind, BaseModel):
        return _model(kind, above)
    if kind in {int, float, Decimal}:
        return _number(kind, metadata, hints)
    return _text(hints) if kind is str else _PLAIN.get(kind) or _by_schema(kind)


def _text(hints: Mapping[str, Any]) -> Shape:
    return Which(hints["items"]) if hints["items"] else Text(long=hints["long"])


def _number(kind: type, metadata: tuple[Any, ...], hints: Mapping[str, Any]) -> Shape:
    bounds = _bounds(metadata, whole=kind is int)
    if kind is not int:
        return Fraction(bounds=bounds, exact=kind is Decimal)
    return Money(bounds=bounds) if hints["unit"] == "money" else Whole(bounds=bounds)


_PLAIN: Mapping[type, Shape] = {
    bool: Flag(),
    SecretStr: Secret(),
    datetime: Instant(),
    date: Day(),
    time: Clock(),
}


def _model(kind: type[BaseModel], above: Models) -> Shape:
    if kind is Audience:
        return Conditions()
    if kind is RewardChoice:
        return Prize()
    return Json() if kind in above else _group(kind, above)


def _by_schema(kind: Any) -> Shape:
    """The shape of a type that is none of the usual ones, by what it looks like as JSON, such as `HttpUrl`."""
    try:
        schema = TypeAdapter(kind).json_schema()
    except (PydanticUserError, PydanticSchemaGenerationError):
        return Json()
    by_type: Mapping[str, Shape] = {"string": Text(), "integer": Whole(), "number": Fraction()}
    return by_type.get(str(schema.get("type")), Json())


def _bare(kind: Any, metadata: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """A type without its names and notes, and the notes."""
    while True:
        if hasattr(kind, "__value__"):
            kind = kind.__value__
        elif get_origin(kind) is Annotated:
            kind, *notes = get_args(kind)
            for note in notes:
                metadata = (*metadata, *(note.metadata if isinstance(note, FieldInfo) else (note,)))
        else:
            return kind, metadata


def _optional(shape: Shape) -> Shape:
    if isinstance(shape, Flag):
        return Choice(YES_NO, optional=True)
    if isinstance(shape, Leaf | Lines | Prize):
        return cast("Shape", replace(cast("Any", shape), optional=True))
    return shape if isinstance(shape, Secret | Json) else Maybe(shape)


def _list(kind: Any, metadata: tuple[Any, ...], hints: Mapping[str, Any], above: Models) -> Shape:
    inner = _shape(get_args(kind)[0], (), hints, above)
    if isinstance(inner, Choice) and not inner.optional:
        return Choices(inner.picks, ordered=get_origin(kind) is list)
    if isinstance(inner, Which) and not inner.optional:
        return Some(inner.source)
    if isinstance(inner, Leaf) and not inner.optional:
        return Lines(replace(inner, long=False) if isinstance(inner, Text) else inner)
    if isinstance(inner, Group | Conditions | Prize) and not getattr(inner, "optional", False):
        most = next((note.max_length for note in metadata if hasattr(note, "max_length")), None)
        return Rows(inner, most)
    return Json()


def _choice(values: tuple[Any, ...]) -> Shape:
    plain = [one.value if isinstance(one, Enum) else one for one in values]
    try:
        keys = [choice_key(one) for one in plain]
        if len(set(keys)) < len(keys) or not all(key.strip() and key.isprintable() for key in keys):
            keys = [json.dumps(one) for one in plain]
    except TypeError:
        return Json()
    return Choice(
        tuple(Pick(value, key, _title(one)) for one, value, key in zip(values, plain, keys, strict=True))
    )


def _title(value: Any) -> str:
    """What a value is called if nobody says: by an attribute `title` of an `Enum`'s member, else by itself."""
    given = getattr(value, "title", None) if isinstance(value, Enum) else None
    if isinstance(given, str):
        return given
    return str(value.value if isinstance(value, Enum) else value)


def _bounds(metadata: tuple[Any, ...], *, whole: bool) -> Bounds:
    found: dict[str, Any] = {}
    for note in metadata:
        pieces = tuple(note) if isinstance(note, annotated_types.GroupedMetadata) else (note,)
        for piece in pieces:
            for ours, name in _NOTES.items():
                if getattr(piece, name, None) is not None:
                    found[ours] = getattr(piece, name)
    if whole:
        for strict, ours, step in (("above", "least", 1), ("below", "most", -1)):
            if isinstance(found.get(strict), int):
                found.setdefault(ours, found[strict] + step)
    return Bounds(**found)


_NOTES = {
    "least": "ge",
    "most": "le",
    "above": "gt",
    "below": "lt",
    "step": "multiple_of",
}
