from collections import defaultdict
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat.plugins import Handler
from threepeat.sdk.events import Envelope, Event, OrderPaid, OrderRefunded, PageViewed, VisitMade
from threepeat.worker.waves import Wave, waves

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CLASSES: list[type[Event]] = [OrderPaid, OrderRefunded, PageViewed, VisitMade]
DATA: dict[type[Event], dict[str, Any]] = {
    OrderPaid: {"order_id": "o", "total": 1, "currency": "CNY"},
    OrderRefunded: {"refund_id": "r", "amount": 1, "currency": "CNY"},
    PageViewed: {"page": "p"},
    VisitMade: {},
}


def made(kind: type[Event], position: int, member: int | None) -> Event:
    return kind(**DATA[kind]).placed(Envelope(position, "shop", str(position), member, NOW))


def handlers(kinds: list[type[Event]]) -> list[Handler]:
    nothing: frozenset[str] = frozenset()
    return [Handler("toy", n, kind, lambda *_: None, always=False, unread=nothing) for n, kind in enumerate(kinds)]


def logged(*entries: tuple[type[Event], int | None]) -> list[Event]:
    return [made(kind, position, member) for position, (kind, member) in enumerate(entries, 1)]


def shape(found: list[Wave]) -> list[tuple[int, list[int]]]:
    return [(handler.number, [event.position for event in events]) for handler, events in found]


kinds = st.sampled_from(CLASSES)
# Several handlers may take one class, and some classes nobody takes.
handled = st.lists(kinds, max_size=6).map(handlers)
logs = st.lists(st.tuples(kinds, st.none() | st.integers(1, 4)), max_size=40).map(lambda found: logged(*found))


def assert_in_order(found: list[Wave], events: list[Event], to: list[Handler]) -> None:
    """The promise: handed over one wave after the other, nobody's events overtake each other."""
    calls: dict[tuple[int | None, int], list[int]] = defaultdict(list)
    for number, (handler, wave) in enumerate(found):
        assert wave
        assert [event.position for event in wave] == sorted({event.position for event in wave})
        for event in wave:
            assert type(event) is handler.event
            assert event.envelope is not None
            calls[event.envelope.member, event.position].append(number)
    by_member: dict[int | None, list[tuple[int, list[int]]]] = defaultdict(list)
    for (member, position), numbers in calls.items():
        by_member[member].append((position, numbers))
    for mine in by_member.values():
        mine.sort()
        for (_, earlier), (_, later) in pairwise(mine):
            assert max(earlier) <= min(later)
    for event in events:
        assert event.envelope is not None
        wanted = sum(handler.event is type(event) for handler in to)
        assert len(calls[event.envelope.member, event.position]) == wanted


@given(logs, handled)
def test_each_members_events_appear_in_order_and_each_event_once_per_handler(
    events: list[Event], to: list[Handler]
) -> None:
    found = waves(events, to)
    assert_in_order(found, events, to)
    assert sum(len(wave) for _, wave in found) == sum(
        handler.event is type(event) for event in events for handler in to
    )


@given(logs, handled)
def test_an_event_meets_its_handlers_in_the_order_of_their_declaration(
    events: list[Event], to: list[Handler]
) -> None:
    met: dict[int, list[int]] = defaultdict(list)
    for handler, wave in waves(events, to):
        for event in wave:
            met[event.position].append(handler.number)
    assert all(numbers == sorted(numbers) for numbers in met.values())


@given(logs, handled)
def test_there_are_never_more_waves_than_single_calls(events: list[Event], to: list[Handler]) -> None:
    assert len(waves(events, to)) <= sum(handler.event is type(event) for event in events for handler in to)


@given(st.lists(st.none() | st.integers(1, 4), min_size=1, max_size=40))
def test_one_handler_needs_one_wave_whoever_the_events_are_about(members: list[int | None]) -> None:
    events = logged(*((OrderPaid, member) for member in members))
    assert shape(waves(events, handlers([OrderPaid]))) == [(0, list(range(1, len(members) + 1)))]


@given(st.lists(st.tuples(st.sampled_from([OrderPaid, OrderRefunded]), st.integers(1, 3)), max_size=20))
def test_with_two_handlers_there_are_as_few_waves_as_the_most_changeable_member_needs(
    entries: list[tuple[type[Event], int]],
) -> None:
    """One member needs a wave for each run of its events; the waves alternate, so others join them."""
    events = logged(*entries)
    found = waves(events, handlers([OrderPaid, OrderRefunded]))
    runs: dict[int, int] = defaultdict(int)
    last: dict[int, type[Event]] = {}
    for kind, member in entries:
        runs[member] += last.get(member) is not kind
        last[member] = kind
    most = max(runs.values(), default=0)
    # A member that begins with the other kind may wait for one more wave.
    assert most <= len(found) <= most + 1


@pytest.mark.parametrize(
    ("entries", "to", "expected"),
    [
        ([], [OrderPaid], []),
        ([(PageViewed, 1)], [OrderPaid], []),
        ([(OrderPaid, 1)], [], []),
        ([(OrderPaid, 1), (OrderRefunded, 1)], [OrderPaid, OrderRefunded], [(0, [1]), (1, [2])]),
        (
            [(OrderPaid, 1), (OrderRefunded, 1), (OrderPaid, 2), (OrderRefunded, 2)],
            [OrderPaid, OrderRefunded],
            [(0, [1, 3]), (1, [2, 4])],
        ),
        (
            [(OrderPaid, 1), (OrderRefunded, 1), (OrderPaid, 1)],
            [OrderPaid, OrderRefunded],
            [(0, [1]), (1, [2]), (0, [3])],
        ),
        ([(OrderRefunded, 1), (OrderPaid, 2)], [OrderPaid, OrderRefunded], [(1, [1]), (0, [2])]),
        (
            [(OrderPaid, 1), (OrderRefunded, 1), (OrderRefunded, 2), (OrderPaid, 2)],
            [OrderPaid, OrderRefunded],
            [(0, [1]), (1, [2, 3]), (0, [4])],
        ),
        ([(OrderPaid, None), (OrderRefunded, None)], [OrderPaid, OrderRefunded], [(0, [1]), (1, [2])]),
        (
            [(OrderPaid, None), (OrderRefunded, 1), (OrderPaid, 1), (OrderPaid, None)],
            [OrderPaid, OrderRefunded],
            [(0, [1, 4]), (1, [2]), (0, [3])],
        ),
        ([(OrderPaid, 1), (OrderPaid, 2)], [OrderPaid, OrderPaid], [(0, [1, 2]), (1, [1, 2])]),
    ],
    ids=[
        "nothing",
        "nobody cares",
        "no handler",
        "one after the other",
        "members share waves",
        "back and forth",
        "the log's order of waves",
        "join a later wave",
        "no member",
        "members and none do not wait for each other",
        "two handlers of one class",
    ],
)
def test_simple_logs_take_the_fewest_calls(
    entries: list[tuple[type[Event], int | None]], to: list[type[Event]], expected: list[tuple[int, list[int]]]
) -> None:
    assert shape(waves(logged(*entries), handlers(to))) == expected


def test_the_check_of_order_notices_a_grouping_by_handler_alone() -> None:
    events = logged((OrderPaid, 1), (OrderRefunded, 1), (OrderPaid, 1))
    to = handlers([OrderPaid, OrderRefunded])
    careless = [(handler, [event for event in events if type(event) is handler.event]) for handler in to]
    with pytest.raises(AssertionError):
        assert_in_order(careless, events, to)


def test_the_check_of_order_notices_a_lost_and_a_doubled_event() -> None:
    events, to = logged((OrderPaid, 1), (OrderPaid, 2)), handlers([OrderPaid])
    assert_in_order([(to[0], events)], events, to)
    for wrong in ([(to[0], events[:1])], [(to[0], events), (to[0], events[1:])]):
        with pytest.raises(AssertionError):
            assert_in_order(wrong, events, to)
