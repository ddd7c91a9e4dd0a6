"""Stores a plugin's settings: sealed secrets, a version for the model and a revision for each save."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, TypeVar, get_args

import orjson
import structlog
from pydantic import BaseModel, SecretStr, ValidationError

from threepeat.database.redact import brief
from threepeat.sdk.facts import Fact
from threepeat.sdk.rewards import Reward
from threepeat.sdk.settings import PluginSettings
from threepeat.tenancy import facts, filled, kinds
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.keyring import Keyring, SealError, is_sealed

logger = structlog.get_logger(__name__)


class Unchanged(Enum):
    """Tells what a caller leaves out from what it sets to None."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED

S = TypeVar("S", bound=PluginSettings)
Path = tuple[str, ...]

NOTHING: Mapping[str, Reward] = {}
FIELD = "settings"
"""How errors call what was given."""


def secret_paths(
    model: type[BaseModel], prefix: Path = (), above: frozenset[type[BaseModel]] = frozenset()
) -> Iterator[Path]:
    """Where a settings model holds secrets, in nested models too; one that holds itself may have none."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        if SecretStr in kinds:
            yield (*prefix, name)
        for kind in kinds:
            if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in above:
                yield from secret_paths(kind, (*prefix, name), above | {model})


def load(model: type[S], stored: Mapping[str, Any], version: int, keyring: Keyring, place: str) -> S:
    """Build the settings from what is stored.

    Raises:
        ValidationError: The stored values do not fit the model, not even after its `upgrade`.
        SealError: A secret cannot be opened.
    """
    if version != model.version:
        return model.model_validate(model.upgrade(_unsealed(stored, keyring, place), version))
    values = _copy(stored)
    for path in secret_paths(model):
        holder = _holder(values, path)
        if holder is not None and is_sealed(holder.get(path[-1])):
            holder[path[-1]] = keyring.unseal(holder[path[-1]], place=_place(place, path))
    return model.model_validate(values)


def renewed(
    model: type[PluginSettings], stored: Mapping[str, Any], version: int, keyring: Keyring, place: str
) -> Mapping[str, Any]:
    """What is stored, as it would be stored under the model's present version.

    Values whose `upgrade` fails stay as they are: whoever reads them next says what is wrong with them.
    """
    if version == model.version:
        return stored
    try:
        values = dict(model.upgrade(_unsealed(stored, keyring, place), version))
        for path in secret_paths(model):
            holder = _holder(values, path)
            if holder is not None and isinstance(holder.get(path[-1]), str):
                holder[path[-1]] = keyring.seal(holder[path[-1]], place=_place(place, path))
    except Exception as error:  # noqa: BLE001 - a plugin's code
        logger.warning("settings.not_upgraded", model=model.__qualname__, version=version, error=brief(error))
        return stored
    return values


def store(
    model: type[PluginSettings],
    given: Mapping[str, Any],
    stored: Mapping[str, Any],
    keyring: Keyring,
    place: str,
    known: Mapping[str, Fact] = facts.CORE,
    offered: Mapping[str, Reward] = NOTHING,
) -> dict[str, Any]:
    """Check what a merchant gave and turn it into what is stored.

    A secret that is absent from `given` stays as it is; null clears it.

    Args:
        stored: What `renewed` returned.
        known: The facts that an audience among the settings may name.
        offered: The kinds of reward that may be chosen.

    Raises:
        Invalid: A value is not acceptable; the message names its field, and `errors` all of them.
    """
    filled.require_shallow(given, FIELD)
    values = _copy(given)
    kept: dict[Path, Any] = {}
    for path in secret_paths(model):
        before = _holder(dict(stored), path)
        if before is not None and before.get(path[-1]) is not None and _left_out(values, path):
            kept[path] = before[path[-1]]
            try:
                _put(values, path, keyring.unseal(kept[path], place=_place(place, path)))
            except SealError as error:
                raise Invalid(".".join(("settings", *path)), f"{error}: enter the secret again") from None
    meant = _judged(model, values)
    found = [*facts.faults(meant, known, ("settings",)), *kinds.faults(meant, offered, ("settings",))]
    if found:
        raise Invalid.every(found)
    checked = meant.model_dump(mode="json", exclude_unset=True)
    for path in secret_paths(model):
        holder = _holder(values, path)
        if path in kept:
            _put(checked, path, kept[path])
        elif holder is not None and isinstance(holder.get(path[-1]), str):
            _put(checked, path, keyring.seal(holder[path[-1]], place=_place(place, path)))
    _require_readable(meant, checked, keyring, place)
    return checked


def _judged(model: type[PluginSettings], values: dict[str, Any]) -> PluginSettings:
    """The settings that values mean.

    Raises:
        Invalid: A value is not acceptable, or the plugin's own check fails on it.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise filled.invalid(error, FIELD) from None
    except Exception as error:  # noqa: BLE001 - a plugin's code
        logger.warning("settings.not_judged", model=model.__qualname__, error=brief(error))
        raise Invalid(FIELD, "the plugin cannot judge these values; its author should hear of it") from None


def _require_readable(meant: PluginSettings, checked: dict[str, Any], keyring: Keyring, place: str) -> None:
    """Refuse what would come back from the database as something else, such as NaN or a huge integer."""
    model = type(meant)
    try:
        again = load(model, orjson.loads(orjson.dumps(checked)), model.version, keyring, place)
    except TypeError as error:
        raise Invalid("settings", f"holds a value that cannot be stored: {error}") from None
    except ValidationError as error:
        raise filled.invalid(error, FIELD) from None
    if again.model_dump(exclude_unset=True) != meant.model_dump(exclude_unset=True):
        raise Invalid("settings", "holds a value that cannot be stored, such as NaN")


def visible(model: type[PluginSettings], stored: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bool]]:
    """What may be shown of what `renewed` returned: values without secrets, and whether each secret is set."""
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


def _unsealed(values: Mapping[str, Any], keyring: Keyring, place: str) -> dict[str, Any]:
    """A copy with every secret opened, wherever the model of its day had it."""
    opened: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            opened[name] = _unsealed(value, keyring, _place(place, (name,)))
        elif is_sealed(value):
            opened[name] = keyring.unseal(value, place=_place(place, (name,)))
        else:
            opened[name] = value
    return opened


def _holder(values: dict[str, Any], path: Path) -> dict[str, Any] | None:
    for name in path[:-1]:
        inner = values.get(name)
        if not isinstance(inner, dict):
            return None
        values = inner
    return values


def _left_out(values: object, path: Path) -> bool:
    """Whether the path is absent; null on the way is an answer."""
    for name in path:
        if not isinstance(values, dict):
            return False
        if name not in values:
            return True
        values = values[name]
    return False


def _put(values: dict[str, Any], path: Path, value: object) -> None:
    for name in path[:-1]:
        values = values.setdefault(name, {})
    values[path[-1]] = value
