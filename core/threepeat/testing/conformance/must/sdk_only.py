"""A plugin enters by the door: of Threepeat it imports the SDK, and of other plugins nothing."""

import ast
from collections.abc import Collection, Iterator
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable

from threepeat.testing.conformance.bench import Bench

TITLE = "Of Threepeat a plugin imports threepeat.sdk alone, and no other plugin's package."
FIX = (
    "Import from threepeat.sdk or one of its modules. What another plugin knows comes by its facts, rewards,"
    " events or a service of the SDK; what tests need of threepeat.testing belongs into the tests."
)
DOOR = "threepeat.sdk"
HOUSE = DOOR.partition(".")[0]
MECHANISM = "pluggy"
IMPORTING = {"import_module", "__import__"}


def check(bench: Bench) -> Iterator[str]:
    """Read every import of the installed package, without running it."""
    own = type(bench.installed.plugin).__module__.partition(".")[0]
    strangers = others(own)
    for place, file in sorted(_files(bench.installed.package)):
        source = file.read_bytes().decode("utf-8", "replace")
        for line, problem in strays(source, own, strangers):
            yield f"{own}/{place}:{line} {problem}"


def others(own: str) -> frozenset[str]:
    """The packages of other plugins and of whatever else hooks into Threepeat."""
    groups = [group for group in entry_points().groups if group.startswith(f"{HOUSE}.")]
    hooked = (point.module for group in groups for point in entry_points(group=group))
    return frozenset(module.partition(".")[0] for module in hooked) - {own, HOUSE}


def strays(source: str, own: str, strangers: Collection[str]) -> Iterator[tuple[int, str]]:
    """The lines of a file that import what a plugin may not, and what is wrong with each.

    Args:
        source: Its text.
        own: The plugin's package.
        strangers: Packages of other plugins.
    """
    for node in ast.walk(ast.parse(source)):
        for name in _imported(node):
            top = name.partition(".")[0]
            if top == own:
                continue
            if top in strangers:
                yield node.lineno, f"imports {name}, which belongs to another plugin"  # type: ignore[attr-defined]
            elif top == MECHANISM:
                yield node.lineno, f"imports {name}: hookimpl comes from {DOOR}"  # type: ignore[attr-defined]
            elif top == HOUSE and not _public(name):
                yield node.lineno, f"imports {name}, which is no part of {DOOR}"  # type: ignore[attr-defined]


def _imported(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (one.name for one in names)
        case ast.ImportFrom(module=str(module), names=names, level=0):
            # `from threepeat import events` names a module below the one it is written with.
            yield from (f"{module}.{one.name}" for one in names) if module == HOUSE else (module,)
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=name), *_]):
            if called in IMPORTING and isinstance(name, str):
                yield name


def _public(name: str) -> bool:
    inside = name == DOOR or name.startswith(f"{DOOR}.")
    return inside and not any(part.startswith("_") for part in name.split("."))


def _files(folder: Traversable, above: str = "") -> Iterator[tuple[str, Traversable]]:
    for found in folder.iterdir():
        if found.is_dir():
            yield from _files(found, f"{above}{found.name}/") if found.name != "tests" else ()
        elif found.name.endswith(".py") and found.name != "conftest.py" and not found.name.startswith("test_"):
            yield f"{above}{found.name}", found
