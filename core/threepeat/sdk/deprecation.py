"""How something leaves the SDK: announced a minor version ahead, with a warning that says what to use instead."""

import functools
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

VERSION = re.compile(r"(\d+)\.(\d+)")


class RemovalWarning(DeprecationWarning):
    """Something of the SDK that a plugin uses will not be there in a coming version."""


@dataclass(frozen=True, slots=True)
class Deprecated:
    """Something that is on its way out.

    Attributes:
        name: Where it is.
        since: The minor version that announced it, such as `0.3`.
        remove_in: The first minor version without it, later than `since`.
        instead: What to use.
    """

    name: str
    since: str
    remove_in: str
    instead: str

    def overdue(self, version: str) -> bool:
        """Whether a version should not have it any more."""
        return _minor(version) >= _minor(self.remove_in)


DEPRECATED: list[Deprecated] = []
"""All that is on its way out, in the order of the modules' loading."""


def deprecated(*, since: str, remove_in: str, instead: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Mark a function or method of the SDK as leaving; calling it warns.

    Args:
        since: The minor version that announces it.
        remove_in: The first minor version without it.
        instead: What to use, as the end of the sentence "use …".

    Raises:
        ValueError: `remove_in` is not after `since`.
    """
    if _minor(remove_in) <= _minor(since):
        raise ValueError(f"what is announced in {since} can be removed in the next minor version at the earliest")

    def mark(function: Callable[P, T]) -> Callable[P, T]:
        found = Deprecated(f"{function.__module__}.{function.__qualname__}", since, remove_in, instead)
        DEPRECATED.append(found)

        @functools.wraps(function)
        def warning(*given: P.args, **named: P.kwargs) -> T:
            warnings.warn(
                f"{found.name} will be removed in Threepeat {remove_in}: use {instead}",
                RemovalWarning,
                stacklevel=2,
            )
            return function(*given, **named)

        return warning

    return mark


def _minor(version: str) -> tuple[int, int]:
    found = VERSION.match(version)
    if found is None:
        raise ValueError(f"{version!r} is no version")
    return int(found[1]), int(found[2])
