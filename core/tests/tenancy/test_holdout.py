import random
from collections.abc import Callable
from itertools import pairwise
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.tenancy.holdout import DEFAULT_PERCENT, MAX_PERCENT, held_out

MEMBERS = 10_000
PERCENTS = [0, 1, 10, 25, 33, 50]
KEYS = [random.Random(number).randbytes(16) for number in range(6)]

keys = st.binary(min_size=16, max_size=16)
units = st.integers(-(2**63), 2**63 - 1)


@pytest.fixture
def connection(open_platform: Callable[..., Platform]):
    with open_platform(registry=Registry([])).database.directory() as opened:
        yield opened


def in_sql(connection: Connection, key: bytes, percent: int, members: list[int]) -> list[bool]:
    statement = text(
        "SELECT core.held_out(:key, :percent, unit)"
        " FROM unnest(CAST(:members AS bigint[])) WITH ORDINALITY AS m (unit, n) ORDER BY n"
    )
    return list(connection.execute(statement, {"key": key, "percent": percent, "members": members}).scalars())


def test_sql_and_python_agree_on_ten_thousand_members_at_every_percent(connection: Connection) -> None:
    chance = random.Random(3)
    members = [*range(1, MEMBERS - 1002), *(chance.randint(-(2**63), 2**63 - 1) for _ in range(1000))]
    members += [0, -1, 2**63 - 1, -(2**63)]
    for percent, key in zip(PERCENTS, KEYS, strict=True):
        expected = [held_out(key, percent, member) for member in members]
        assert in_sql(connection, key, percent, members) == expected


def test_the_comparison_would_notice_a_rule_that_differs_by_one_bit(connection: Connection) -> None:
    members = list(range(1, 1001))
    python = [held_out(KEYS[0], 10, member) for member in members]
    assert in_sql(connection, KEYS[1], 10, members) != python
    assert in_sql(connection, KEYS[0], 11, members) != python
    assert in_sql(connection, KEYS[0], 10, [member + 1 for member in members]) != python


@given(keys, units)
def test_a_higher_percentage_only_adds_members(key: bytes, unit: int) -> None:
    answers = [held_out(key, percent, unit) for percent in range(101)]
    assert answers == sorted(answers)
    assert not answers[0]
    assert answers[100]


@pytest.mark.parametrize("percent", PERCENTS)
@pytest.mark.parametrize("key", KEYS[:3], ids=["key 1", "key 2", "key 3"])
def test_the_share_is_within_three_sigma(key: bytes, percent: int) -> None:
    share = percent / 100
    held = sum(held_out(key, percent, member) for member in range(1, MEMBERS + 1))
    assert abs(held - MEMBERS * share) <= 3 * sqrt(MEMBERS * share * (1 - share))


def test_the_groups_of_two_tactics_are_independent() -> None:
    groups = [{member for member in range(MEMBERS) if held_out(key, 50, member)} for key in KEYS]
    sigma = sqrt(MEMBERS * 0.25 * 0.75)
    for number, one in enumerate(groups):
        for other in groups[number + 1 :]:
            assert abs(len(one & other) - MEMBERS / 4) <= 3.5 * sigma


def test_neighbouring_members_are_independent() -> None:
    drawn = [held_out(KEYS[0], 50, member) for member in range(MEMBERS)]
    pairs = sum(one and other for one, other in pairwise(drawn))
    assert abs(pairs - MEMBERS / 4) <= 4 * sqrt(MEMBERS * 0.25 * 0.75)


@given(keys, st.integers(0, 50), units)
def test_the_answer_never_changes(key: bytes, percent: int, unit: int) -> None:
    assert held_out(key, percent, unit) == held_out(key, percent, unit)


def test_known_draws_stay_as_they_are() -> None:
    """Members must not move between groups with a new version."""
    held = [member for member in range(1, 101) if held_out(bytes(range(16)), 10, member)]
    assert held == [1, 14, 18, 19, 34, 64, 65, 78, 80, 94, 96]
    assert (DEFAULT_PERCENT, MAX_PERCENT) == (10, 50)
