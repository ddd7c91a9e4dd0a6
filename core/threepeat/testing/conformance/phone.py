"""What a member's phone asks of a plugin: every route with the least that it takes."""

import inspect
from collections.abc import Iterable

import httpx2
from pydantic import BaseModel

from threepeat.sdk.records import Route
from threepeat.testing import samples
from threepeat.testing.conformance.bench import Stand


def ask(stand: Stand, route: Route, member: str = "ann", *, word: str | None = None) -> httpx2.Response:
    """Ask for a route as a member does.

    Args:
        stand: The store.
        route: One of the plugin's.
        member: Who asks.
        word: What stands in texts of a body that may be anything.
    """
    path, query, body = route.path, {}, None
    for name, given in list(inspect.signature(route.handler, eval_str=True).parameters.items())[1:]:
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", "1")
        elif isinstance(given.annotation, type) and issubclass(given.annotation, BaseModel):
            body = samples.body(given.annotation)
            if word is not None:
                body = {one: word if value == samples.KINDS["string"] else value for one, value in body.items()}
        elif given.default is inspect.Parameter.empty:
            query[name] = "1"
    path += "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
    place = f"/v1/me/{stand.bench.installed.id}{path}"
    return stand.call(route.method, place, body, token=stand.token(member))


def command(stand: Stand, members: Iterable[str], *, word: str | None = None) -> None:
    """Let members give every command that there is; that some are refused is right."""
    for member in members:
        for route in stand.bench.installed.routes:
            if route.method == "POST":
                ask(stand, route, member, word=word)
