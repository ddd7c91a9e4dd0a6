"""Stores a plugin's settings: sealed secrets, a version for the model and a revision for each save."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from threepeat.sdk.settings import PluginSettings
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.keyring import Keyring, is_sealed

S = TypeVar("S", bound=PluginSettings)
Path = tuple[str, ...]


def secret_paths(model: type[BaseModel], prefix: Path = ()) -> Iterator[Path]:
    """Where a settings model holds secrets, in nested models too."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        if SecretStr in kinds:
            yield (*prefix, name)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from secret_paths(kind, (*prefix, name))


def load(model: type[S], stored: Mapping[str, Any], version: int, keyring: Keyring, place: str) -> S:
    """Build the settings from what is stored.

    Raises:
        ValidationError: The stored values do not fit the model, not even after its `upgrade`.
        SealError: A secret cannot be opened.
    """
    values = _copy(stored)
    for path in secret_paths(model):
        holder = _holder(values, path)
        if holder is not None and is_sealed(holder.get(path[-1])):
            holder[path[-1]] = keyring.unseal(holder[path[-1]], place=_place(place, path))
    if version != model.version:
        values = model.upgrade(values, version)
    return model.model_validate(values)


def store(
    model: type[PluginSettings],
    given: Mapping[str, Any],
    stored: Mapping[str, Any],
    keyring: Keyring,
    place: str,
) -> dict[str, Any]:
    """Check what a merchant gave and turn it into what is stored.

    A secret that is absent from `given` stays as it is; null clears it.

    Raises:
        Invalid: A value is not acceptable; the message names its field.
    """
    values = _copy(given)
    kept: dict[Path, Any] = {}
    for path in secret_paths(model):
        holder, before = _holder(values, path), _holder(dict(stored), path)
        if (holder is None or path[-1] not in holder) and before is not None and path[-1] in before:
            kept[path] = before[path[-1]]
    try:
        checked = model.model_validate(values).model_dump(mode="json", context=None, exclude_unset=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise Invalid(".".join(("settings", *map(str, first["loc"]))), first["msg"]) from None
    for path in secret_paths(model):
        holder = _holder(values, path)
        if holder is not None and isinstance(holder.get(path[-1]), str):
            _put(checked, path, keyring.seal(holder[path[-1]], place=_place(place, path)))
    for path, value in kept.items():
        _put(checked, path, value)
    return checked


def visible(model: type[PluginSettings], stored: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bool]]:
    """What may be shown: the values without secrets, and for each secret whether it is set."""
    values = _copy(stored)
    secrets: dict[str, bool] = {}
    for path in secret_paths(model):
        holder = _holder(values, path)
        secrets[".".join(path)] = holder is not None and holder.pop(path[-1], None) is not None
    return values, secrets


def _place(place: str, path: Path) -> str:
    return "/".join((place, *path))


def _copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _holder(values: dict[str, Any], path: Path) -> dict[str, Any] | None:
    for name in path[:-1]:
        inner = values.get(name)
        if not isinstance(inner, dict):
            return None
        values = inner
    return values


def _put(values: dict[str, Any], path: Path, value: object) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value
