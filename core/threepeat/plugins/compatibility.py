"""Whether a plugin goes with the running core, read from what its distribution says of itself."""

from collections.abc import Iterator
from importlib.metadata import Distribution

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from threepeat import __version__

CORE = "threepeat-core"


def mismatch(dist: Distribution) -> str | None:
    """Which bound of a distribution the running core breaks, or None; one that states none breaks none."""
    for one in _on_core(dist):
        if not one.specifier.contains(__version__, prereleases=True):
            return f"it needs {one.name}{one.specifier}, and {__version__} is installed"
    return None


def conflict(dist: Distribution) -> str | None:
    """Why a distribution does not go with the running core, or cannot say; None if it does."""
    return mismatch(dist) if any(_on_core(dist)) else f"it does not say which {CORE} it needs"


def needs(dist: Distribution) -> Iterator[Requirement]:
    """What a distribution needs here, extras aside; what cannot be read is left out."""
    for said in dist.requires or ():
        try:
            one = Requirement(said)
        except InvalidRequirement:
            continue
        if one.marker is None or one.marker.evaluate({"extra": ""}):
            yield one


def _on_core(dist: Distribution) -> Iterator[Requirement]:
    """What a distribution asks of core."""
    return (one for one in needs(dist) if canonicalize_name(one.name) == CORE)
