"""What is known of the distributions that plugins come from, read from their metadata; no plugin is loaded."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, entry_points
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from threepeat.plugins.compatibility import needs
from threepeat.plugins.registry import GROUP

SCRIPTS = frozenset({"console_scripts", "gui_scripts"})
NATIVE = frozenset({".so", ".pyd", ".dll", ".dylib"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a distribution was installed from.

    Attributes:
        kind: `index` for a package index, `editable` for a folder that is worked in, `url` for anything that was
            named to pip: a file, a folder, a repository.
        place: The distribution's name at the index, the folder, or the URL.
    """

    kind: Literal["index", "editable", "url"]
    place: str

    def __str__(self) -> str:
        return {"index": f"PyPI name {self.place}", "editable": f"editable {self.place}"}.get(
            self.kind, self.place
        )

    @property
    def brief(self) -> str:
        """`index`, `folder`, or the host of a URL; never a folder's name, which says more than it helps."""
        if self.kind == "index":
            return "index"
        parts = urlsplit(self.place)
        return "folder" if self.kind == "editable" or parts.scheme == "file" else parts.hostname or ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a distribution brings besides its plugin.

    Attributes:
        pth: Files that run code, or change where code is found, at each start of Python.
        stray: Files outside its own package and its metadata.
        scripts: Commands that it installs.
        entry_points: What it hooks into besides `threepeat.plugins`, as `group: name`.
        native: Compiled code.
        requires: What it needs, as it says so itself; extras aside.
        recorded: Whether it says which files it has; without that nothing is known of them.
    """

    pth: tuple[str, ...]
    stray: tuple[str, ...]
    scripts: tuple[str, ...]
    entry_points: tuple[str, ...]
    native: tuple[str, ...]
    requires: tuple[str, ...]
    recorded: bool

    @property
    def clean(self) -> bool:
        """Whether it keeps to its own folder."""
        return self.recorded and not self.pth and not self.stray


def of_plugins() -> dict[str, Distribution]:
    """The distribution that each plugin comes from, by the plugin's id."""
    found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: point.dist for point in found if point.dist is not None}


def origin(dist: Distribution) -> Origin:
    """Where a distribution was installed from."""
    said = dist.read_text("direct_url.json")
    if said is None:
        return Origin("index", dist.name)
    try:
        told = json.loads(said)
        url = str(told["url"])
    except (ValueError, KeyError, TypeError):
        return Origin("url", "a direct_url.json that cannot be read")
    if told.get("dir_info", {}).get("editable"):
        return Origin("editable", unquote(urlsplit(url).path))
    repository = told.get("vcs_info", {})
    return Origin("url", f"{url}@{repository['commit_id']}" if "commit_id" in repository else url)


def contents(dist: Distribution) -> Contents:
    """What a distribution brings, by its own list of files."""
    named = list(dist.entry_points)
    own = {point.module.partition(".")[0] for point in named if point.group == GROUP}
    scripts = tuple(sorted(point.name for point in named if point.group in SCRIPTS))
    files = [PurePosixPath(str(file)) for file in dist.files or ()]
    editable = origin(dist).kind == "editable"
    pth = [file for file in files if file.suffix == ".pth" and not (editable and _only_paths(dist, file))]
    stray = [
        file
        for file in files
        if file.suffix != ".pth" and not _is_own(file, dist, own, scripts) and not (editable and _helps(file))
    ]
    return Contents(
        pth=_texts(pth),
        stray=_texts(stray),
        scripts=scripts,
        entry_points=tuple(
            sorted(f"{point.group}: {point.name}" for point in named if point.group not in {GROUP, *SCRIPTS})
        ),
        native=_texts(file for file in files if NATIVE & set(file.suffixes)),
        requires=tuple(f"{one.name}{one.specifier}" for one in needs(dist)),
        recorded=dist.files is not None,
    )


def _is_own(file: PurePosixPath, dist: Distribution, own: set[str], scripts: tuple[str, ...]) -> bool:
    first = file.parts[0]
    if first in own - {"threepeat"} or (file.name in {f"{name}.py" for name in own} and len(file.parts) == 1):
        return True
    if first.endswith((".dist-info", ".egg-info")):
        stem = first.rpartition(".")[0].partition("-")[0]
        return canonicalize_name(stem) == canonicalize_name(dist.name)
    return file.parent.name in {"bin", "Scripts"} and file.name.removesuffix(".exe") in scripts


def _only_paths(dist: Distribution, file: PurePosixPath) -> bool:
    """Whether a `.pth` file names folders only: that is how an installer makes a folder editable."""
    try:
        lines = Path(str(dist.locate_file(str(file)))).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return not any(line.startswith(("import ", "import\t")) for line in lines) or _helps(file)


def _helps(file: PurePosixPath) -> bool:
    """Whether an installer of editable folders has put it there."""
    return file.name.startswith(("_editable_impl_", "__editable__", "__editable___"))


def _texts(files: Iterable[PurePosixPath]) -> tuple[str, ...]:
    return tuple(sorted(str(file) for file in files if "__pycache__" not in file.parts))
