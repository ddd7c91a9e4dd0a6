"""How much a worker takes while others wait."""

import pytest

from threepeat.worker.pace import LEAST, Pace

MOST, SLICE = 1000, 50


@pytest.fixture
def pace():
    return Pace(MOST, SLICE)


def serve(pace, turns, *, fixed, each, waiting=10**6, tenant=1):
    """So many turns of a tenant, at a fixed cost and one for each event; how many events and ms the last took."""
    events = ms = 0
    for _ in range(turns):
        events = min(pace.fits(tenant), waiting)
        ms = fixed + each * events
        pace.took(tenant, events, ms)
    return events, ms


def test_of_a_tenant_that_is_not_known_as_much_as_may_be_is_taken(pace):
    assert pace.fits(1) == MOST


@pytest.mark.parametrize(("fixed", "each"), [(0, 0.5), (5, 0.2), (20, 0.15), (40, 0.1), (1, 2)])
def test_turns_come_to_fill_a_slice_and_stay_so(pace, fixed, each):
    serve(pace, 10, fixed=fixed, each=each)
    found = {serve(pace, 1, fixed=fixed, each=each)[1] for _ in range(10)}
    assert SLICE * 0.9 <= min(found) <= max(found) <= SLICE * 1.5


def test_small_turns_say_nothing_of_how_many_would_fit(pace):
    """At 20 ms for one event a hundred would seem to take two seconds; most of it is the turn's own cost."""
    serve(pace, 5, fixed=20, each=0.15, waiting=1)
    assert pace.fits(1) == MOST
    serve(pace, 10, fixed=20, each=0.15)
    before = pace.fits(1)
    serve(pace, 5, fixed=20, each=0.15, waiting=1)
    assert pace.fits(1) == before


def test_slow_events_are_taken_few_at_a_time_and_quick_ones_soon_many_again(pace):
    serve(pace, 5, fixed=20, each=100)
    assert pace.fits(1) == LEAST
    assert pace.fits(2) == MOST
    serve(pace, 5, fixed=20, each=0.15)
    assert pace.fits(1) > 4 * LEAST


def test_no_more_is_taken_than_a_turn_may_have():
    narrow = Pace(5, 1)
    serve(narrow, 3, fixed=20, each=1)
    assert narrow.fits(1) == 5
