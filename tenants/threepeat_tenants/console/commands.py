"""A plugin's member routes as a page offers them: what each asks for, and where it is sent."""

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from threepeat.plugins import Installed
from threepeat.sdk.records import Route
from threepeat_tenants.console.calling import Ask
from threepeat_tenants.forms import Form, Submitted, Surroundings, parse

ASKED, BODY = "ask", "body"
"""First parts of the names of a form's fields: those of the address, and those of the body."""
SEGMENT = re.compile(r"\{([^{}:]+)(?::[^{}]*)?\}")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a route takes.

    Attributes:
        asked: Its path and query parameters as a model; None if it has none.
        body: The model of its body; None if it has none.
        answer: What it answers.
        needed: Parameters without a default.
    """

    asked: type[BaseModel] | None
    body: type[BaseModel] | None
    answer: Any
    needed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A route of a plugin.

    Attributes:
        number: Its place among the plugin's routes.
        forms: What has to be filled in, by the prefix of its fields.
    """

    plugin: Installed
    number: int
    route: Route
    inputs: Inputs
    forms: Mapping[str, Form]

    @property
    def address(self) -> str:
        """Its path without parameters filled in."""
        return f"/v1/me/{self.plugin.id}{self.route.path}"

    @property
    def simple(self) -> bool:
        """Whether it can be asked without saying anything more."""
        return not self.inputs.needed and self.inputs.body is None


@lru_cache(maxsize=512)
def inputs(route: Route) -> Inputs:
    """What a route takes, from its handler's signature."""
    signature = inspect.signature(route.handler, eval_str=True)
    body: type[BaseModel] | None = None
    fields: dict[str, Any] = {}
    for one in list(signature.parameters.values())[1:]:
        if isinstance(one.annotation, type) and issubclass(one.annotation, BaseModel):
            body = one.annotation
        else:
            fields[one.name] = (one.annotation, ... if one.default is inspect.Parameter.empty else one.default)
    asked = create_model("Asked", **fields) if fields else None
    needed = tuple(name for name, field in asked.model_fields.items() if _needed(field)) if asked else ()
    return Inputs(asked, body, signature.return_annotation, needed)


def of(plugin: Installed, around: Surroundings, submitted: Mapping[str, Submitted] | None = None) -> list[Command]:
    """The routes of a plugin, each with its form if it is a command.

    Args:
        submitted: What was typed, by `{number}.{prefix}`.
    """
    return [_command(plugin, number, around, submitted or {}) for number in range(len(plugin.routes))]


def submitted(
    plugin: Installed, number: int, pairs: Iterable[tuple[str, str]], around: Surroundings
) -> Mapping[str, Submitted]:
    """What came back for a route, by prefix."""
    found, pairs = inputs(plugin.routes[number]), list(pairs)
    return {
        prefix: parse(model, pairs, around, prefix=prefix)
        for prefix, model in ((ASKED, found.asked), (BODY, found.body))
        if model is not None
    }


def ask(plugin: Installed, number: int, given: Mapping[str, Submitted], key: str) -> Ask:
    """The request that a form stands for."""
    route = plugin.routes[number]
    asked = dict(given[ASKED].values) if ASKED in given else {}
    path = SEGMENT.sub(lambda found: quote(_plain(asked.pop(found[1], "")), safe=""), route.path)
    query = urlencode([(name, _plain(one)) for name, value in asked.items() for one in _each(value)])
    address = f"/v1/me/{plugin.id}{path}{'?' + query if query else ''}"
    return Ask(route.method, address, given[BODY].values if BODY in given else None, key)


def _command(plugin: Installed, number: int, around: Surroundings, typed: Mapping[str, Submitted]) -> Command:
    route = plugin.routes[number]
    found = inputs(route)
    forms: dict[str, Form] = {}
    if route.method == "POST":
        for prefix, model in ((ASKED, found.asked), (BODY, found.body)):
            if model is not None:
                given = typed.get(f"{number}.{prefix}")
                forms[prefix] = Form.of(model, around, prefix=prefix, submitted=given)
    return Command(plugin, number, route, found, forms)


def _needed(field: FieldInfo) -> bool:
    return field.is_required()


def _each(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
