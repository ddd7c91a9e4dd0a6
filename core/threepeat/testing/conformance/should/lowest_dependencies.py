"""A plugin says what it was written for, so that an installer never puts it beside what breaks it."""

import tomllib
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from threepeat import __version__ as core_version
from threepeat.testing.conformance.bench import Bench, NotApplicable

CORE = "threepeat-core"
LOWER = {">=", ">", "~=", "==", "==="}
TITLE = "A plugin's distribution states the versions that it works with, and that it is typed."
FIX = (
    "State requires-python and the lowest version of each dependency in pyproject.toml, threepeat-core with an"
    " upper bound as well, and put an empty file py.typed into the package."
)


def check(bench: Bench) -> Iterator[str]:
    """Read the project's `pyproject.toml`, or what was installed of it."""
    python, needed, place = _stated(bench)
    if not python:
        yield f"{place} does not state requires-python"
    found = False
    for line in needed:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            yield f"the dependency {line!r} of {place} cannot be read"
            continue
        if canonicalize_name(one.name) == CORE:
            found = True
            yield from _core(one, place)
        elif not one.url and not any(part.operator in LOWER for part in one.specifier):
            yield f"the dependency {one.name} of {place} has no lower bound: say {one.name}>=…"
    if not found:
        yield f"{place} does not depend on {CORE}"
    if not (bench.installed.package / "py.typed").is_file():
        yield "the package ships no file py.typed"


def _core(one: Requirement, place: str) -> Iterator[str]:
    present = Version(core_version)
    following = f"{present.major}.{present.minor + 1}" if present.major == 0 else f"{present.major + 1}"
    say = f"say {CORE}>={present.major}.{present.minor},<{following}"
    if not any(part.operator in LOWER for part in one.specifier):
        yield f"the dependency {CORE} of {place} has no lower bound: {say}"
    if one.specifier.contains(f"{following}.0", prereleases=True):
        yield f"the dependency {CORE} of {place} has no upper bound below the next breaking version: {say}"
    if not one.specifier.contains(present, prereleases=True):
        yield f"the dependency {CORE} of {place} excludes the version {present}, on which it is tried: {say}"


def _stated(bench: Bench) -> tuple[str, Sequence[str], str]:
    """What it says of Python, its dependencies, and where it says so."""
    root = bench.project.root
    if root is not None and (described := root / "pyproject.toml").is_file():
        return _described(described)
    try:
        said = metadata(bench.installed.distribution) if bench.installed.distribution else None
    except PackageNotFoundError:
        said = None
    if said is None:
        raise NotApplicable("it has neither a pyproject.toml nor a distribution")
    lines = [line for line in said.get_all("Requires-Dist") or () if "extra ==" not in line]
    return (
        "".join(said.get_all("Requires-Python") or ()),
        lines,
        f"the distribution {bench.installed.distribution}",
    )


def _described(file: Path) -> tuple[str, Sequence[str], str]:
    project = tomllib.loads(file.read_text("utf-8")).get("project", {})
    return project.get("requires-python", ""), project.get("dependencies", ()), file.name
