"""The storm in short, and that it finds each mistake that it is there for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from storm import API_POINTS, WORKER_POINTS, storm

SEED = 20261121


def test_nothing_is_lost_or_doubled_while_processes_are_killed():
    outcome = storm(seconds=15, seed=SEED, points=())
    outcome.show()
    assert sum(outcome.kills.values()) >= 4
    assert outcome.acknowledged > 100
    assert outcome.paid > 0
    assert outcome.holds


@pytest.mark.parametrize("points", [API_POINTS, WORKER_POINTS], ids=["api", "worker"])
def test_a_process_may_end_at_every_named_place(points):
    outcome = storm(seconds=0, seed=SEED, points=points)
    outcome.show()
    assert outcome.places == set(points)
    assert outcome.holds


@pytest.mark.parametrize(
    ("plant", "shows"),
    [
        ("acknowledge-before-commit", lambda outcome: outcome.lost),
        ("position-on-its-own", lambda outcome: outcome.doubled["orders counted"]),
        ("read-then-write", lambda outcome: outcome.doubled["pieces oversold"]),
    ],
)
def test_the_storm_finds_a_planted_mistake(plant, shows):
    kinds = ("worker child",) if plant == "position-on-its-own" else ("api", "postgres")
    outcome = storm(seconds=12, seed=SEED, points=(), plant=plant, kinds=kinds, every=(1.0, 2.0))
    outcome.show()
    assert shows(outcome)
    assert not outcome.holds
