"""The page of promises, from `promises.toml` and from what was measured last, `figures.json`."""

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PROMISES = DOCS / "promises.toml"
FIGURES = DOCS / "figures.json"
PAGE = DOCS / "explanation" / "promises.md"
NOTE = "<!-- Written by docs/promises.py from docs/promises.toml and docs/figures.json. Change those. -->"
HEAD = """\
# What we promise and how we prove it

Each promise stands here with what proves it, with the last figure where one is measured, and with what it does not
cover. Prove it again with two commands, on a machine of yours that does nothing else:

```console
make bench   # every figure that is a ratio; ONLY=growth measures one part, ARGS=--help says what can be chosen
make storm   # processes are killed at random and at every named place, then everything is counted
```

Both write their figures into `docs/figures.json` and this page anew. A figure is a ratio of two things that were
measured in turn in one run on one machine, a count, or a time whose bar is named: so it means the same on another
machine. A run that is smaller than usual writes nothing. `make test`, `make test-browser` (which also measures the
consoles) and `make proofs` run the tests that are named below.
"""
WIDTH, HEIGHT, EDGE = 420, 150, 34
RED = "#b3261e"


def page(promises: Sequence[Mapping[str, Any]] | None = None, figures: Mapping[str, Any] | None = None) -> str:
    """The whole page."""
    told = tomllib.loads(PROMISES.read_text("utf-8"))["promise"] if promises is None else promises
    found = measured() if figures is None else figures
    text = f"{NOTE}\n\n{HEAD}\n| promise | rows that meet their bar |\n| --- | --- |\n"
    text += "".join(f"| [{one['title']}](#{_anchor(one['title'])}) | {_state(one, found)} |\n" for one in told)
    text += "".join(_promise(one, found) for one in told)
    return text + _origins(told, found)


def measured(file: Path = FIGURES) -> dict[str, Any]:
    """The figures that were recorded."""
    found: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return found


def write(figures: Path, to: Path) -> None:
    """Write the page as a run ends, from the figures that it left."""
    to.write_text(page(figures=measured(figures)), "utf-8")


def said(value: float, bar: str) -> str:
    """A figure in the form that its bar has."""
    last = bar.rpartition(" ")[2]
    if bar.endswith("%"):
        return f"{value:.1%}" if "." in bar else f"{value:.0%}"
    if last in {"ms", "s"}:
        return f"{value:.3g} {last}"
    if last == "×":
        return f"{value:.1f} ×"
    return f"{value:,.0f}" if bar == "0" else f"{value:.2f}"


def curve(figure: Mapping[str, Any]) -> str:
    """What happens from the least to the most, as a small picture; sizes stand in powers of ten."""
    points = [(float(x), float(y)) for x, y in figure["curve"]]
    bar = float(figure["bar"].split()[-1])
    left, right = (math.log10(max(x, 1)) for x, _ in (points[0], points[-1]))
    top = max(bar, *(y for _, y in points)) * 1.1
    floor, end = HEIGHT - EDGE, WIDTH - EDGE

    def across(x: float) -> float:
        return round(EDGE + (math.log10(max(x, 1)) - left) / (right - left or 1) * (end - EDGE), 1)

    def up(y: float) -> float:
        return round(floor - y / top * (floor - 10), 1)

    def words(x: float, y: float, text: str, anchor: str = "end", colour: str = "currentColor") -> str:
        return f'<text x="{x}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'

    def line(y: float, colour: str, dashes: str = "") -> str:
        return f'<line x1="{EDGE}" y1="{y}" x2="{end}" y2="{y}" stroke="{colour}" stroke-dasharray="{dashes}"/>'

    (first, one), (last, other) = points[0], points[-1]
    told = ", ".join(f"{x:,.0f} → {y:.2f}" for x, y in points)
    parts = [
        (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img" font-size="11"'
            f' aria-label="{figure["along"]}: {told}">'
        ),
        line(floor, "currentColor"),
        line(up(bar), RED, "4 3"),
        words(EDGE, up(bar) - 4, figure["bar"], "start", RED),
        words(EDGE - 5, floor + 4, "0"),
        words(EDGE - 5, up(one) + 4, f"{one:.2f}"),
        words(WIDTH, up(other) + 4, f"{other:.2f}"),
        words(EDGE, HEIGHT - 14, f"{first:,.0f}", "start"),
        words(WIDTH / 2, HEIGHT - 14, figure["along"], "middle"),
        words(end, HEIGHT - 14, f"{last:,.0f}"),
        (
            f'<polyline points="{" ".join(f"{across(x)},{up(y)}" for x, y in points)}" fill="none"'
            ' stroke="currentColor" stroke-width="2"/>'
        ),
        *(f'<circle cx="{across(x)}" cy="{up(y)}" r="3" fill="currentColor"/>' for x, y in points),
        "</svg>",
    ]
    return "".join(parts)


def _state(one: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    rows = one.get("row", [])
    known = [figures[row["id"]] for row in rows if row["id"] in figures]
    if not rows:
        return "held by tests"
    if not known:
        return "not measured yet"
    waiting = len(rows) - len(known)
    met = f"{sum(figure['met'] for figure in known)} of {len(rows)}"
    return f"{met}, {waiting} not measured yet" if waiting else met


def _promise(one: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    text = f"\n## {one['title']}\n\n{one['promise'].strip()}\n"
    rows = one.get("row", [])
    if rows:
        text += "\n| measured | bar | last figure | |\n| --- | --- | --- | --- |\n"
        text += "".join(_row(row, figures.get(row["id"])) for row in rows)
    for row in rows:
        figure = figures.get(row["id"])
        if figure and not figure["met"]:
            text += f"\n**Not met: {row['what']}.** {row.get('reason', 'The reason is not known yet.').strip()}\n"
    drawn = [row for row in rows if figures.get(row["id"], {}).get("curve")]
    text += "".join(f"\nOn the way: {row['what']}.\n\n{curve(figures[row['id']])}\n" for row in drawn)
    text += "\nProved by:\n\n" + "".join(f"- `{proof}`\n" for proof in one["proof"])
    return text + "\nIt does not cover:\n\n" + "".join(f"- {limit}\n" for limit in one["limits"])


def _row(row: Mapping[str, Any], figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return f"| {row['what']} | {row['bar']} | not measured yet | |\n"
    verdict = "met" if figure["met"] else "**not met**"
    return (
        f"| {row['what']} | {row['bar']} | {said(figure['value'], row['bar'])}, {verdict} | {figure['said']} |\n"
    )


def _origins(promises: Sequence[Mapping[str, Any]], figures: Mapping[str, Any]) -> str:
    rows = [row["id"] for one in promises for row in one.get("row", []) if row["id"] in figures]
    if not rows:
        return ""
    text = "\n## Where the figures come from\n\n| row | command | date | machine | Python | PostgreSQL |\n"
    text += "| --- | --- | --- | --- | --- | --- |\n"
    for name in rows:
        one = figures[name]
        machine = f"{one['machine']}, {one['cpus']} cores"
        made = (f"`{name}`", f"`{one['command']}`", one["date"], machine, one["python"], one["postgresql"])
        text += f"| {' | '.join(made)} |\n"
    return text


def _anchor(title: str) -> str:
    kept = "".join(letter for letter in title.lower() if letter.isalnum() or letter in " -")
    return kept.replace(" ", "-")
