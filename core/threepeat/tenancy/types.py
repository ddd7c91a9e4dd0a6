"""The types of events that an installation knows, where a form lets somebody choose of them."""

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from pydantic import BaseModel

from threepeat.sdk.settings import EVENT_TYPES
from threepeat.tenancy.errors import Fault
from threepeat.tenancy.walking import Path


def faults(value: BaseModel, known: Collection[str], path: Path = ()) -> Iterator[Fault]:
    """What is no type of event in the fields of a form that are `shown(items=EVENT_TYPES)`."""
    for name, field in type(value).model_fields.items():
        extra = field.json_schema_extra
        hints = extra.get("threepeat") if isinstance(extra, dict) else None
        if isinstance(hints, dict) and hints.get("items") == EVENT_TYPES:
            given = getattr(value, name)
            places = [((name,), given)] if isinstance(given, str) else _numbered(name, given)
            for place, one in places:
                if one not in known:
                    near = get_close_matches(one, known, 1)
                    hint = f", did you mean {near[0]!r}?" if near else ""
                    yield Fault(".".join(map(str, (*path, *place))), f"there is no event type {one!r}{hint}")


def _numbered(name: str, given: Collection[str] | None) -> list[tuple[Path, str]]:
    return [((name, number), one) for number, one in enumerate(given or ())]
