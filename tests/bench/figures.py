"""What was measured last, row by row, in `docs/figures.json`, and on the page of promises.

A figure is a ratio taken side by side in one run, a count, or a time that a bar is set for. A run whose sizes are
below the usual ones, or that leaves something out, records nothing: no toy may replace what was measured.
"""

import json
import math
import os
import platform
import re
import sys
from argparse import Action, ArgumentDefaultsHelpFormatter, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from threepeat.database.embedded import _MAJOR
from threepeat.database.programs import Programs

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs"))

import promises

ROOT = Path(__file__).resolve().parents[2]
FILE, PAGE = promises.FIGURES, promises.PAGE
ROW = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Figures:
    """The figures of one run.

    Args:
        file: Where they are kept; None keeps nothing.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._missed: list[str] = []

    @classmethod
    def open(
        cls, parser: ArgumentParser | None = None, options: Namespace | None = None, *, exact: Collection[str] = ()
    ) -> Self:
        """Begin a run.

        Args:
            parser: Of the program, with `add_option`; without one all is recorded.
            options: What was asked for.
            exact: Numbers that make a run no better when they are larger, so that they have to be the usual ones.
        """
        whole = parser is None or options is None or _whole(parser, options, exact)
        return cls(FILE if whole else None)

    @staticmethod
    def add_option(parser: ArgumentParser) -> None:
        """Let a program take `--no-record`, and let its help say what the usual sizes are."""
        parser.formatter_class = _Help
        parser.add_argument("--no-record", action="store_true", help="leave docs/figures.json as it is")
        parser.epilog = (
            "The figures are kept in docs/figures.json, unless a size is below its default or a part is left out."
            "\nExits with 1 if a bar is not met that way."
        )

    def record(
        self,
        row: str,
        value: float,
        *,
        bar: str,
        met: bool,
        said: str,
        along: str = "",
        curve: Sequence[tuple[float, float]] = (),
    ) -> None:
        """Keep what a row came to; what the row was before is replaced.

        Args:
            row: Names it: small letters, digits and hyphens.
            value: A ratio, a count or the time that the bar is about.
            bar: What it should be, for people.
            met: Whether it is.
            said: What was put side by side, in a few words.
            along: What grows along a curve.
            curve: How much there was of it, and the value there.
        """
        if not ROW.fullmatch(row):
            raise ValueError(f"{row!r} is no name of a row: use small letters, digits and hyphens")
        if not math.isfinite(value):
            raise ValueError(f"{row} came to {value}")
        if self._file is None:
            return
        found = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        found[row] = {"value": _short(value), "bar": bar, "met": bool(met), "said": said, **_here()}
        if curve:
            found[row] |= {"along": along, "curve": [[_short(x), _short(y)] for x, y in curve]}
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False) + "\n", "utf-8")
        draft.replace(self._file)
        if not met:
            self._missed.append(f"{row} is {_short(value)}, the bar is {bar}")

    def close(self) -> int:
        """Write the page; returns what the program exits with: 1 if a recorded row misses its bar."""
        if self._file is None:
            print("nothing is recorded: something is smaller than usual or left out")
        else:
            promises.write(self._file, PAGE)
        for missed in self._missed:
            print(f"not met: {missed}", file=sys.stderr)
        return 1 if self._missed else 0


class _Help(ArgumentDefaultsHelpFormatter, RawDescriptionHelpFormatter):
    """Keeps the lines of a docstring, and names the usual sizes."""

    def _get_help_string(self, action: Action) -> str | None:
        return super()._get_help_string(action) if action.default else action.help


def _whole(parser: ArgumentParser, options: Namespace, exact: Collection[str]) -> bool:
    """Whether nothing is smaller than usual or left out; what has no default, as a seed, may be anything."""
    usual = vars(parser.parse_args([]))
    for name, given in vars(options).items():
        before = usual[name]
        if before is None:
            continue
        sized = isinstance(before, int | float) and not isinstance(before, bool) and name not in exact
        if given < before if sized else given != before:
            return False
    return True


def _short(value: float) -> float:
    """Four digits: more would be noise."""
    return float(f"{value:.4g}") if abs(value) < 1000 else round(value)


def _here() -> dict[str, Any]:
    """How and on what it was measured; nothing that names a machine or a person."""
    program = Path(sys.argv[0]).resolve()
    inside = program.relative_to(ROOT).as_posix() if program.is_relative_to(ROOT) else program.name
    return {
        "command": " ".join(["python", inside, *sys.argv[1:]]),
        "date": datetime.now(UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "postgresql": Programs.find(int(_MAJOR)).output("psql", "--version").split()[2],
    }
