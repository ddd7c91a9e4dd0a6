"""The storm in short, and that it finds each mistake that it is there for."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from storm import API_POINTS, WORKER_POINTS, storm

SEED = 20261121


@pytest.mark.alone
def test_nothing_is_lost_or_doubled_while_processes_are_killed():
    outcome = storm(seconds=5, seed=SEED, points=(), least=3)
    outcome.show()
    assert outcome.acknowledged > 100
    assert outcome.paid > 0
    assert outcome.holds


@pytest.mark.long
@pytest.mark.parametrize("points", [API_POINTS, WORKER_POINTS], ids=["api", "worker"])
def test_a_process_may_end_at_every_named_place(points):
    outcome = storm(seconds=0, seed=SEED, points=points)
    outcome.show()
    assert outcome.places == set(points)
    assert outcome.holds


@pytest.mark.long
@pytest.mark.parametrize(
    ("plant", "shows", "how"),
    [
        (
            "acknowledge-before-commit",
            lambda outcome: outcome.lost,
            {"seconds": 8, "points": (), "kinds": ("api",), "every": (1.0, 2.0)},
        ),
        (
            "position-on-its-own",
            lambda outcome: outcome.doubled["orders counted"],
            {"seconds": 0, "points": ("turn.after-commit",)},
        ),
        (
            "read-then-write",
            lambda outcome: outcome.doubled["pieces oversold"],
            {"seconds": 30, "points": (), "kinds": ("worker child",), "every": (3.0, 4.0)},
        ),
    ],
    ids=["acknowledge-before-commit", "position-on-its-own", "read-then-write"],
)
def test_the_storm_finds_a_planted_mistake(plant, shows, how):
    outcome = storm(seed=SEED, plant=plant, **how)
    outcome.show()
    assert shows(outcome)
    assert not outcome.holds
