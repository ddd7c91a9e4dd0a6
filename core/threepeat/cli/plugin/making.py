"""`threepeat plugin new`: a whole plugin to begin with, tested and checked from its first minute."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import typer

from threepeat.plugins import distributions
from threepeat.plugins.compatibility import CORE
from threepeat.sdk.errors import PluginError
from threepeat.sdk.manifest import PLUGIN_ID, RESERVED_IDS

TEMPLATE = Path(__file__).with_name("template")
EXTRA = 'making a plugin needs the developer\'s tools: pip install "threepeat-core[developer]"'
LICENSES = ("MIT", "Apache-2.0", "BSD-3-Clause", "proprietary")


def run(name: str, given: Mapping[str, str | None], *, output: Path | None, defaults: bool) -> None:
    """Write a new plugin's project.

    Args:
        name: What it is called; its id is the same in lower case with underscores.
        given: Answers by question; None asks, or takes the default.
        output: The project's folder, which must not be there or be empty; named like the distribution by default.
        defaults: Ask nothing.

    Raises:
        PluginError: The name or an answer does not fit, the folder is in use, or copier is not installed.
    """
    plugin = name.strip().lower().replace("-", "_").replace(" ", "_")
    _refuse(plugin)
    folder = output or Path(f"threepeat-{plugin.replace('_', '-')}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PluginError(f"{folder} is there already: choose another one with --output")
    answers = {question: answer for question, answer in given.items() if answer is not None}
    if unknown := {answers.get("license", "MIT")} - set(LICENSES):
        raise PluginError(f"there is no licence {unknown.pop()!r}: choose {', '.join(LICENSES)}")
    try:
        from copier import run_copy  # noqa: PLC0415
        from copier.errors import CopierError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise PluginError(EXTRA) from error
    try:
        run_copy(
            str(TEMPLATE),
            folder,
            data={"plugin": plugin, **_bounds(), "year": str(datetime.now(UTC).year), **answers},
            defaults=defaults or not sys.stdin.isatty(),
            quiet=True,
        )
    except (CopierError, ValueError) as error:
        raise PluginError(str(error)) from error
    typer.echo(f"{folder} holds the tactic {plugin}. Go on with:\n")
    typer.echo(f"  cd {folder}")
    typer.echo('  pip install -e ".[test]"')
    typer.echo("  pytest\n  threepeat plugin check\n  threepeat plugin dev")


def _refuse(plugin: str) -> None:
    if not PLUGIN_ID.fullmatch(plugin) or plugin.startswith("pg_"):
        raise PluginError(f"{plugin!r} cannot be an id: use 2 to 31 lower-case letters, digits and underscores")
    if plugin in RESERVED_IDS:
        raise PluginError(f"the id {plugin!r} is reserved")
    if plugin in distributions.of_plugins():
        raise PluginError(f"a plugin {plugin!r} is installed here already: choose another name")


def _bounds() -> dict[str, str]:
    """The versions of core that the plugin goes with: this one, up to the next that may change the SDK."""
    major, minor, *_ = map(int, version(CORE).split(".")[:2])
    return {
        "core_from": f"{major}.{minor}",
        "core_before": f"{major}.{minor + 1}" if major == 0 else f"{major + 1}",
    }
