"""What the rules need to know of a plugin: what its author says in its package, and where it is written."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from threepeat.plugins.registry import GROUP
from threepeat.testing.conformance import should

FILE = "conformance.toml"
"""In the plugin's package, so that it is there wherever the plugin is installed."""

TABLES = {"settings", "collections", "events", "exempt", "old_settings", "baskets", "beside"}


class ProjectError(Exception):
    """A project does not say what a rule needs; the message says what to write."""


@dataclass(frozen=True)
class Project:
    """A plugin's project, or as much of it as is installed.

    Attributes:
        plugin: The plugin's id.
        root: The folder of `pyproject.toml`; None for a plugin of which only the installed form is there.
        settings: Settings with which the plugin has an effect.
        collections: What is made before anything happens: name, values and steps of each item.
        events: What happens besides one event of each class it reacts to: type, data, member. In a text of
            the data `{about}` is another word for each member, such as for a second order of each.
        exempt: Reasons, by the rule that the plugin need not keep.
        old_settings: What older versions of the settings model stored: version, settings.
        baskets: What members buy: lines, shipping, the choice of this plugin, and what their phone asks for before
            (`get` or `post` with a `body`, and what to `keep` of the answer, by name). In their texts `{name}` is
            what was kept, or the id of the item made last in the collection of that name.
        beside: Other tactics that are on in its stores, such as one that keeps what it gives.
    """

    plugin: str
    root: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    collections: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    exempt: Mapping[str, str] = field(default_factory=dict)
    old_settings: tuple[Mapping[str, Any], ...] = ()
    baskets: tuple[Mapping[str, Any], ...] = ()
    beside: tuple[str, ...] = ()

    @classmethod
    def around(cls, path: Path) -> "Project":
        """The project that a file or folder belongs to, of a plugin that is installed.

        Raises:
            ProjectError: No `pyproject.toml` above it names one plugin, that is not installed, or its
                `conformance.toml` cannot be used.
        """
        for folder in (path, *path.resolve().parents):
            described = folder / "pyproject.toml"
            if described.is_file():
                project = tomllib.loads(described.read_text("utf-8")).get("project", {})
                named = project.get("entry-points", {}).get(GROUP, {})
                if len(named) == 1:
                    return cls.of(next(iter(named)), folder)
        raise ProjectError(
            f'no pyproject.toml above {path} has a table [project.entry-points."{GROUP}"] with one plugin'
        )

    @classmethod
    def of(cls, plugin: str, root: Path | None = None) -> "Project":
        """The project of an installed plugin; what its author says of it lies in its package.

        Args:
            plugin: Its id.
            root: The folder of `pyproject.toml`, if that is here.

        Raises:
            ProjectError: It is not installed, or its `conformance.toml` cannot be used.
        """
        point = next(iter(entry_points(group=GROUP, name=plugin)), None)
        if point is None:
            raise ProjectError(f"{plugin} is not installed: run pip install -e {root or ''}".rstrip())
        spec = find_spec(point.module.partition(".")[0])
        folders = (spec and spec.submodule_search_locations) or ()
        package = next(map(Path, folders), None)
        if root is not None and (root / FILE).is_file() and package != root:
            raise ProjectError(f"{root / FILE} is not read: move it into the package, beside plugin.py")
        return cls(plugin, root) if package is None else cls.at(package, plugin, root)

    @classmethod
    def at(cls, package: Path, plugin: str, root: Path | None = None) -> "Project":
        """The project of a plugin whose package is known.

        Raises:
            ProjectError: `conformance.toml` cannot be read, or exempts from a rule that binds or is none.
        """
        file = package / FILE
        if not file.is_file():
            return cls(plugin, root)
        try:
            said = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProjectError(f"{file} cannot be read: {error}") from None
        if unknown := said.keys() - TABLES:
            raise ProjectError(f"{file} has no use for {', '.join(sorted(unknown))}")
        advised = {one.name.replace("_", "-") for one in iter_modules(should.__path__)}
        if others := said.get("exempt", {}).keys() - advised:
            raise ProjectError(
                f"{file} exempts the plugin from {', '.join(sorted(others))};"
                f" it can be exempt, with a reason, from {', '.join(sorted(advised))}"
            )
        return cls(
            plugin,
            root,
            said.get("settings", {}),
            tuple(said.get("collections", ())),
            tuple(said.get("events", ())),
            said.get("exempt", {}),
            tuple(said.get("old_settings", ())),
            tuple(said.get("baskets", ())),
            tuple(said.get("beside", ())),
        )
