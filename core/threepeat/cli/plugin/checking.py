"""`threepeat plugin check`: asks the rules about a plugin, and says what to do."""

import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from threepeat.cli.logs import configure
from threepeat.cli.plugin import recording
from threepeat.plugins import distributions
from threepeat.sdk.errors import PluginError

if TYPE_CHECKING:
    from threepeat.testing.conformance.project import Project
    from threepeat.testing.conformance.rules import Outcome, Rule

EXTRA = 'the conformance suite is not installed: pip install "threepeat-core[testing]"'
SAID = {
    "kept": "[green]kept[/]",
    "broken": "[bold red]broken[/]",
    "crashed": "[bold red]crashed[/]",
    "exempt": "[yellow]exempt[/]",
    "not applicable": "nothing to check",
}
FAILED = frozenset({"broken", "crashed"})

progress_console = Console(stderr=True)


def run(target: str, only: Sequence[str], *, as_json: bool, strict: bool, record: bool = False) -> bool:
    """Check a plugin and print what came of it.

    Args:
        target: The folder of a project, a file in it, or a plugin's id.
        only: The rules to ask; all of them if empty.
        as_json: Print one JSON object.
        strict: What is only advised counts as what is asked.
        record: Keep the outcome in the platform's database.

    Returns:
        Whether it fails.

    Raises:
        PluginError: The plugin cannot be checked; the message says what to do.
    """
    with _suite():
        from threepeat.testing.conformance.project import ProjectError  # noqa: PLC0415
        from threepeat.testing.conformance.rules import RULES  # noqa: PLC0415
    known = {rule.id: rule for rule in RULES}
    if unknown := [name for name in only if name not in known]:
        raise PluginError(f"there is no rule {', '.join(unknown)}; there are {', '.join(known)}")
    if record and only:
        raise PluginError("only a whole check can be recorded: leave out --only or --record")
    configure("auto", "critical")  # a rule breaks things on purpose, and what they log is no news
    began = time.monotonic()
    checked = project(target)
    if record:
        recording.require()
    try:
        outcomes = list(_asked(checked, [known[name] for name in dict.fromkeys(only)] or list(RULES)))
    except ProjectError as error:
        raise PluginError(str(error)) from None
    failed = any(one.state in FAILED and (strict or one.rule.must) for one in outcomes)
    seconds = time.monotonic() - began
    if as_json:
        typer.echo(
            orjson.dumps(_told(checked.plugin, outcomes, seconds, failed=failed), option=orjson.OPT_INDENT_2)
        )
    else:
        _show(checked.plugin, outcomes, seconds)
    if record:
        version = recording.keep(checked.plugin, outcomes)
        progress_console.print(f"Recorded for {checked.plugin} {version}.", highlight=False)
    return failed


def project(target: str) -> "Project":
    """The project that a folder belongs to, or that an installed plugin comes from.

    Raises:
        PluginError: There is none, or the suite is not installed.
    """
    with _suite():
        from threepeat.testing.conformance.project import Project, ProjectError  # noqa: PLC0415
    try:
        return _found(Project, target)
    except ProjectError as error:
        raise PluginError(str(error)) from None


def _found(kind: "type[Project]", target: str) -> "Project":
    path = Path(target)
    if path.exists():
        return kind.around(path)
    dist = distributions.of_plugins().get(target)
    if dist is None:
        raise PluginError(f"{target} is neither a folder nor the id of an installed plugin")
    origin = distributions.origin(dist)
    return kind.of(target, Path(origin.place) if origin.kind == "editable" else None)


def _asked(project: "Project", rules: "Sequence[Rule]") -> "Iterator[Outcome]":
    with _suite():
        from threepeat.testing.cluster import cluster_for_tests  # noqa: PLC0415
        from threepeat.testing.conformance.bench import Bench  # noqa: PLC0415
        from threepeat.testing.conformance.rules import ask, begin  # noqa: PLC0415
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=progress_console, transient=True) as progress:
        task = progress.add_task("starts PostgreSQL", total=len(rules))
        with (
            cluster_for_tests() as cluster,
            tempfile.TemporaryDirectory(prefix="threepeat-check-") as data,
            Bench.open(cluster, project, Path(data)) as bench,
        ):
            begin(rules, bench)
            for rule in rules:
                progress.update(task, description=rule.id)
                yield ask(rule, bench)
                progress.advance(task)


@contextmanager
def _suite() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "threepeat":
            raise
        raise PluginError(EXTRA) from error


def _show(plugin: str, outcomes: "Sequence[Outcome]", seconds: float) -> None:
    table = Table("rule", "", "outcome", "why")
    for one in outcomes:
        kind = "must" if one.rule.must else "should"
        why = one.reason if one.state not in FAILED else f"{len(one.findings)} finding(s), below"
        table.add_row(one.rule.id, kind, SAID[one.state], escape(why))
    Console().print(table)
    for one in outcomes:
        if one.state in FAILED:
            typer.echo(f"\n{one.text()}")
    count = Counter("broken" if one.state in FAILED else one.state for one in outcomes)
    typer.echo(
        f"{plugin}: {count['kept']} kept, {count['broken']} broken, {count['exempt']} exempt,"
        f" {count['not applicable']} with nothing to check, in {seconds:.1f} seconds"
    )


def _told(plugin: str, outcomes: "Sequence[Outcome]", seconds: float, *, failed: bool) -> dict[str, Any]:
    return {
        "plugin": plugin,
        "passed": not failed,
        "seconds": round(seconds, 2),
        "rules": [
            {
                "rule": one.rule.id,
                "must": one.rule.must,
                "title": one.rule.title,
                "state": one.state,
                "findings": one.findings,
                "reason": one.reason,
                "fix": one.rule.fix if one.state in FAILED else "",
            }
            for one in outcomes
        ],
    }
