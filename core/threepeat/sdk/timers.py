"""What happens later: deadlines, local times that come again, and calls to the outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal

from threepeat.sdk.errors import PluginError


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline that has come.

    Attributes:
        name: The timer's name, as declared.
        key: What it was set for.
        due_at: When it was due, in UTC; the call may come later, never earlier.
        member: Whom it concerns.
        payload: What was stored with it.
        depth: How many events caused one another to set it.
    """

    name: str
    key: str
    due_at: datetime
    member: int | None
    payload: Mapping[str, Any]
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Timer:
    """A kind of deadline and who handles it. Build it with `timer`."""

    name: str
    handler: Callable[[Any, list[Due]], None]


def timer(name: str, handler: Callable[[Any, list[Due]], None]) -> Timer:
    """Declare a kind of deadline, set with `ctx.later(name, key, at)`.

    Args:
        name: Short identifier, unique in the plugin; stored, so it stays as it is.
        handler: Called in the worker with a context and the deadlines that have come, the earliest first. Its
            writes commit together with their removal. Timers fire also while the tactic is closing.
    """
    return Timer(_named(name), handler)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A local time that has come.

    Attributes:
        name: The schedule's name.
        day: The tenant's local day that it stands for.
        due_at: When it was due, in UTC.
        previous: The day of the run before; None the first time. After a pause one run makes up for all that
            were missed: it stands for the latest, and `previous` says where to go on from.
    """

    name: str
    day: date
    due_at: datetime
    previous: date | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A local time that comes again. Build it with `schedule`."""

    name: str
    handler: Callable[[Any, Occurrence], None]
    at: time
    weekday: int | None
    day: int | None
    always: bool


def schedule(
    name: str,
    handler: Callable[[Any, Occurrence], None],
    *,
    at: time = time(3),
    weekday: int | None = None,
    day: int | None = None,
    always: bool = False,
) -> Schedule:
    """Run daily, weekly or monthly at a tenant's local time, once for each day that it names.

    A time that a change to summer time skips runs at the first instant after the gap; a time that comes twice
    runs the first time.

    Args:
        name: Short identifier, unique in the plugin; stored, so it stays as it is.
        handler: Called with a context and the occurrence.
        at: Local time of day.
        weekday: Only on this day of the week, 0 for Monday.
        day: Only on this day of the month; in a shorter month on its last day.
        always: Run also while the tactic is closing.

    Raises:
        PluginError: Both weekday and day are given, or one is out of range.
    """
    if weekday is not None and day is not None:
        raise PluginError(f"schedule {name!r}: give weekday or day, not both")
    if not (weekday is None or 0 <= weekday <= 6) or not (day is None or 1 <= day <= 31):
        raise PluginError(f"schedule {name!r}: weekday is 0 to 6, day is 1 to 31")
    if at.tzinfo is not None:
        raise PluginError(f"schedule {name!r}: the time of day is the tenant's, give it without a zone")
    return Schedule(_named(name), handler, at, weekday, day, always)


@dataclass(frozen=True, slots=True)
class Call:
    """A call to the outside that has to be made.

    Attributes:
        name: The outbound's name.
        key: What it was asked for.
        id: The same at every attempt: give it to the other side, which may see the call twice.
        payload: What was stored with it.
        attempt: Counts from 1.
        member: Whom it concerns.
    """

    name: str
    key: str
    id: str
    payload: Mapping[str, Any]
    attempt: int
    member: int | None


class GiveUp(Exception):  # noqa: N818 - an answer, not a programming error
    """Trying again is of no use; the call goes to `failed` at once."""


class RetryAfter(Exception):  # noqa: N818 - an answer, not a programming error
    """The other side says when to come back.

    Args:
        seconds: How long to wait.
    """

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason or f"try again in {seconds} seconds")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Outbound:
    """A kind of call to the outside. Build it with `outbound`."""

    name: str
    perform: Callable[[Any, Call], Any]
    done: Callable[[Any, Call, Any], None] | None
    failed: Callable[[Any, Call, str], None] | None
    prepare: Callable[[Any, Sequence[Call]], Mapping[str, Mapping[str, Any]]] | None = None


def outbound(
    name: str,
    *,
    perform: Callable[[Any, Call], Any],
    done: Callable[[Any, Call, Any], None] | None = None,
    failed: Callable[[Any, Call, str], None] | None = None,
    prepare: Callable[[Any, Sequence[Call]], Mapping[str, Mapping[str, Any]]] | None = None,
) -> Outbound:
    """Declare a kind of call to the outside, asked for with `ctx.call(name, key, payload)`.

    Args:
        name: Short identifier, unique in the plugin; stored, so it stays as it is.
        perform: Makes the call: takes the plugin's settings and the call, returns what JSON can hold. It runs
            with no transaction open and has no context. What it raises is tried again, at growing intervals
            from five seconds to a day, for about three days. It runs at least once.
        done: Takes a context, the call and the answer; its writes commit together with the call's removal.
        failed: Takes a context, the call and the last error, once it was given up.
        prepare: Takes a context and calls that are about to be made, and returns by key the payload that
            `perform` gets instead of the stored one. Nothing stores it, so it may hold what belongs into no
            table in plain text, such as a secret; and it is of this moment, not of when the call was asked for.
            A call that is absent is not made any more and is removed. It reads only.
    """
    return Outbound(_named(name), perform, done, failed, prepare)


Kind = Literal["timer", "schedule", "call"]


def _named(name: str) -> str:
    if not name.replace("_", "").replace("-", "").isalnum() or len(name) > 64:
        raise PluginError(f"the name {name!r} must be 1 to 64 letters, digits, - and _")
    return name
