"""Addresses: routers that know what lies below them, and segments that may hold an escaped slash."""

from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

# A decoded address never holds half a surrogate pair, so this one can stand for an escaped slash.
SLASH = "\udc2f"


class Room(APIRouter):
    """A router that is looked through only for addresses below its own.

    A request passes dozens of routers before it finds its own; to try each of their routes took a sixth of what a
    command costs.

    Args:
        below: How each of its addresses begins; its prefix by default.
        given: What `APIRouter` takes.
    """

    def __init__(self, *, below: str = "", **given: Any) -> None:
        super().__init__(**given)
        self.below = below or self.prefix

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether one of its routes answers an address."""
        if not scope["path"].removeprefix(scope.get("root_path", "")).startswith(self.below):
            return Match.NONE, {}
        return super().matches(scope)


class SegmentRoute(APIRoute):
    """A route whose parameters may hold a slash: `%2F` belongs to a segment, `/` ends it."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the address segment by segment, as it was sent."""
        raw = scope.get("raw_path")
        if scope["type"] != "http" or not raw or b"%2f" not in raw.lower():
            return super().matches(scope)
        segments = (unquote(segment).replace("/", SLASH) for segment in raw.decode("latin-1").split("/"))
        match, child = super().matches({**scope, "path": "/".join(segments)})
        if "path_params" in child:
            child["path_params"] = {name: _slashes(value) for name, value in child["path_params"].items()}
        return match, child


def _slashes(value: Any) -> Any:
    return value.replace(SLASH, "/") if isinstance(value, str) else value
