"""The folder that a plugin is written in: what it is called, and what the rules need to know of it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from threepeat.plugins.registry import GROUP

FILE = "conformance.toml"


class ProjectError(Exception):
    """A project does not say what a rule needs; the message says what to write."""


@dataclass(frozen=True)
class Project:
    """A plugin's project.

    Attributes:
        plugin: The plugin's id.
        root: The folder of `pyproject.toml`; None for a plugin of which only the installed form is there.
        settings: Settings with which the plugin has an effect.
        collections: What is made before anything happens: name, values and steps of each item.
        events: What happens besides one event of each class it reacts to: type, data, member. In a text of
            the data `{about}` is another word for each member, such as for a second order of each.
        exempt: Reasons, by the rule that the plugin need not keep.
        old_settings: What older versions of the settings model stored: version, settings.
        beside: Other tactics that are on in its stores, such as one that keeps what it gives.
    """

    plugin: str
    root: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    collections: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()
    exempt: Mapping[str, str] = field(default_factory=dict)
    old_settings: tuple[Mapping[str, Any], ...] = ()
    beside: tuple[str, ...] = ()

    @classmethod
    def around(cls, path: Path) -> "Project":
        """The project that a file or folder belongs to.

        Raises:
            ProjectError: No `pyproject.toml` above it names one plugin, or `conformance.toml` cannot be read.
        """
        for folder in (path, *path.resolve().parents):
            described = folder / "pyproject.toml"
            if described.is_file():
                project = tomllib.loads(described.read_text("utf-8")).get("project", {})
                named = project.get("entry-points", {}).get(GROUP, {})
                if len(named) == 1:
                    return cls.at(folder, next(iter(named)))
        raise ProjectError(
            f'no pyproject.toml above {path} has a table [project.entry-points."{GROUP}"] with one plugin'
        )

    @classmethod
    def at(cls, root: Path, plugin: str) -> "Project":
        """The project in a folder, of a plugin whose id is known.

        Raises:
            ProjectError: `conformance.toml` cannot be read.
        """
        file = root / FILE
        if not file.is_file():
            return cls(plugin, root)
        try:
            said = tomllib.loads(file.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ProjectError(f"{file} cannot be read: {error}") from None
        if unknown := said.keys() - {"settings", "collections", "events", "exempt", "old_settings", "beside"}:
            raise ProjectError(f"{file} has no use for {', '.join(sorted(unknown))}")
        return cls(
            plugin,
            root,
            said.get("settings", {}),
            tuple(said.get("collections", ())),
            tuple(said.get("events", ())),
            said.get("exempt", {}),
            tuple(said.get("old_settings", ())),
            tuple(said.get("beside", ())),
        )
