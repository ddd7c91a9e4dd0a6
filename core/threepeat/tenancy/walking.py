"""Finds what core has to check in what a plugin's models hold."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from pydantic import BaseModel

Path = tuple[str | int, ...]

T = TypeVar("T", bound=BaseModel)


def find(kind: type[T], value: object, path: Path = (), *, defaults: bool = False) -> Iterator[tuple[Path, T]]:
    """Every value of a kind that stands anywhere in settings or a record, with its path.

    Args:
        defaults: Also those that nobody gave. They are the developer's, and may name what is not there in this
            store.
    """
    if isinstance(value, kind):
        yield path, value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if defaults or name in value.model_fields_set:
                yield from find(kind, getattr(value, name), (*path, name), defaults=defaults)
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from find(kind, one, (*path, str(key)), defaults=defaults)
    elif isinstance(value, list | tuple | set | frozenset):
        for number, one in enumerate(value):
            yield from find(kind, one, (*path, number), defaults=defaults)
