"""Settings that were stored under an older version of the model stay readable."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from threepeat.sdk.settings import PluginSettings
from threepeat.tenancy import settings
from threepeat.testing.conformance.bench import Bench, NotApplicable

TITLE = "Settings stored by any version of the plugin can be read by this one."
FIX = (
    "Raise version when a field is renamed, removed or narrowed, and let upgrade(values, version) turn what each"
    " older version stored into values of this one; show one of each in conformance.toml as [[old_settings]]."
)
PLACE = "activation/conformance"


def check(bench: Bench) -> Iterator[str]:
    """Store and load the defaults, then what the project says that older versions stored."""
    model = bench.installed.plugin.settings_model
    if not model.model_fields and model.version == 1:
        raise NotApplicable("it has nothing to set")
    defaults = orjson.loads(orjson.dumps(_dump(model)))
    try:
        again = settings.load(model, defaults, model.version, bench.platform.keyring, PLACE)
    except ValidationError as error:
        yield f"its own defaults, once stored, are not valid any more: {_first(error)}"
    else:
        if _dump(again) != _dump(model):
            yield "its own defaults, once stored, are read as other values"
    examples = {one["version"]: one["settings"] for one in bench.project.old_settings}
    for version in range(1, model.version):
        yield from _upgraded(bench, model, version, {}, "nothing set")
        if version in examples:
            yield from _upgraded(bench, model, version, examples[version], "the example of conformance.toml")
        else:
            yield (
                f"the model has the version {model.version}, and conformance.toml shows nothing that the version"
                f" {version} stored: add [[old_settings]] with version = {version} and settings = {{…}}"
            )


def _upgraded(
    bench: Bench, model: type[PluginSettings], version: int, stored: Mapping[str, Any], which: str
) -> Iterator[str]:
    where = f"stored under the version {version}, {which}"
    given = copy.deepcopy(dict(stored))
    try:
        found = settings.load(model, given, version, bench.platform.keyring, PLACE)
        model.model_validate(_dump(found))
    except ValidationError as error:
        yield f"{where}: after upgrade it is not valid: {_first(error)}"
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        yield f"{where}: upgrade raises {type(error).__name__}: {error}"


def _dump(values: PluginSettings | type[PluginSettings]) -> dict[str, Any]:
    """What is stored of settings without secrets, which are sealed."""
    made = values() if isinstance(values, type) else values
    return made.model_dump(mode="json", exclude={path[0] for path in settings.secret_paths(type(made))})


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the model'}: {first['msg']}"
