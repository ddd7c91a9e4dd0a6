"""Each measuring program runs with toy sizes, shows its rows, and leaves the figures alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "tests/bench/run.py": ["--events=2000"],
    "tests/bench/commands.py": ["--at-0=40", "--at-1=10", "--at-16=40", "--at-64=40"],
    "tests/bench/road.py": [
        *("--few=10", "--many=100", "--fired=20", "--rounds=1", "--samples=9", "--backlog=3000", "--only=timers"),
    ],
    "tests/bench/growth.py": [
        *("--tenants=20", "--backlog=2", "--stored=2000", "--workers=2", "--orders=40"),
        *("--rounds=1", "--tenant-rounds=1", "--memory-rounds=2"),
    ],
    "tests/bench/overload.py": ["--seconds=2", "--connections=8"],
    "tests/faults/storm.py": ["--seconds=2", "--no-places", "--seed=1"],
}
ROWS = {
    "tests/bench/run.py": ("HTTP ingest, batches of 1000", "end to end with three tactics", "ORM loop"),
    "tests/bench/commands.py": ("redeem the last", "× by hand"),
    "tests/bench/road.py": ("a fired timer",),
    "tests/bench/growth.py": (
        *("even backlog", "skewed backlog", "stored events", "installed tactics", "worker processes"),
        *("the API's memory", "the workers' memory"),
    ),
    "tests/bench/overload.py": ("beside a flood of forged keys",),
    "tests/faults/storm.py": ("acknowledged and lost",),
}


def run(program, *words):
    return subprocess.run(
        [sys.executable, ROOT / program, *words],
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )


@pytest.mark.long
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_toy_run_shows_its_rows_and_records_nothing(program):
    kept = ROOT / "docs" / "figures.json"
    before = kept.read_bytes()
    done = run(program, *PROGRAMS[program])
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row for row in ROWS[program] if row not in done.stdout] == []
    assert "nothing is recorded" in done.stdout
    assert kept.read_bytes() == before


@pytest.mark.parametrize("program", [*PROGRAMS, "tests/browser/load.py"])
def test_help_says_what_is_measured_and_what_can_be_chosen(program):
    done = run(program, "--help")
    assert done.returncode == 0
    assert "--no-record" in done.stdout
    assert "make " in done.stdout
    assert "Exits with 1" in done.stdout
