"""What comes in, and what each tactic made of it: the log as people follow it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Row, text

from threepeat.database.engine import Scope
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.tenancy import audit
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.holdout import held_out
from threepeat.tenancy.switches import Activation, SwitchState

END = (1 << 63) - 1
"""Beyond every position."""
MOST = 100
MOST_EFFECTS = 1000
ENABLED = "plugin.enabled"

SELECT = """
    SELECT e.position, e.source, e.type, e.member_id, e.occurred_at, e.received_at, e.cause,
           e.erased_at IS NOT NULL AS erased, m.exempt, m.holdout_unit,
           m.suspended_until > core.now() OR m.merged_into IS NOT NULL OR m.erase_requested_at IS NOT NULL
               AS suspended,
           (SELECT i.value FROM core.identity i
            WHERE i.tenant_id = e.tenant_id AND i.member_id = e.member_id AND i.kind = 'shop'
            ORDER BY i.linked_at, i.value LIMIT 1) AS external_id
    FROM core.event e
    LEFT JOIN core.member m ON m.tenant_id = e.tenant_id AND m.id = e.member_id
    WHERE e.tenant_id = :tenant AND e.position < :before
"""
NEWEST = text(f"{SELECT} ORDER BY e.position DESC LIMIT :limit")
OF_MEMBER = text(f"{SELECT} AND e.member_id = :member ORDER BY e.position DESC LIMIT :limit")
AT = text(f"{SELECT} AND e.position = :position")
DATA = text("SELECT data::text AS data FROM core.event WHERE tenant_id = :tenant AND position = :position")
# What follows from an event is looked for where its member's index leads: the log has none by cause.
CAUSED = text("""
    SELECT cause, position, type, source,
           (SELECT array_agg(CAST(value AS text)) FROM jsonb_each(data) WHERE jsonb_typeof(value) = 'number')
               AS numbers
    FROM core.event
    WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[])) AND position > :oldest
      AND cause = ANY(CAST(:positions AS bigint[]))
    ORDER BY position LIMIT :limit
""")
GAVE = text("""
    SELECT cause, plugin, kind, amount, revoked FROM core.reward
    WHERE tenant_id = :tenant AND member_id = ANY(CAST(:members AS bigint[]))
      AND cause = ANY(CAST(:positions AS bigint[]))
    ORDER BY granted_at, key LIMIT :limit
""")
CURSORS = text("""
    SELECT plugin, position, paused_at IS NOT NULL AS paused FROM core.cursor WHERE tenant_id = :tenant
""")
LETTERS = text("""
    SELECT plugin, position, state, behind FROM core.dead_letter
    WHERE tenant_id = :tenant AND position = ANY(CAST(:positions AS bigint[]))
""")
ARRIVED = text("""
    WITH late AS (
        SELECT received_at, depth FROM core.event
        WHERE tenant_id = :tenant
          AND position > (SELECT head FROM core.stream WHERE tenant_id = :tenant) - :most
    )
    SELECT max(received_at) FILTER (WHERE depth = 0) AS last,
           count(*) FILTER (WHERE depth = 0 AND received_at >= :since) AS today,
           count(*) = :most AND min(received_at) >= :since AS more
    FROM late
""")
LOOKED_AT = 10_000
"""Events among which those of a day are counted."""


class Fate(StrEnum):
    """What became of an event in one plugin."""

    DONE = "done"
    WAITING = "waiting"
    PAUSED = "paused"
    PUT_ASIDE = "put_aside"
    RETRYING = "retrying"
    DROPPED = "dropped"
    HELD_OUT = "held_out"
    SUSPENDED = "suspended"
    CLOSED = "closed"


WHOLE = re.compile(r"-?[0-9]{1,15}")
LETTER = {"waiting": Fate.PUT_ASIDE, "retry": Fate.RETRYING, "dropped": Fate.DROPPED}


@dataclass(frozen=True, slots=True)
class Gift:
    """A reward that an event led to.

    Attributes:
        amount: What was given; `revoked` of it was taken back.
    """

    kind: str
    amount: int
    revoked: int


@dataclass(frozen=True, slots=True)
class Caused:
    """An event that a plugin answered with.

    Attributes:
        number: The one number in its data, such as the points that were earned; None if there is not one.
    """

    position: int
    type: str
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one plugin made of an event.

    Attributes:
        behind: The position that it waits behind, where an earlier event of the member failed.
    """

    plugin: str
    fate: Fate
    behind: int | None = None
    gifts: tuple[Gift, ...] = ()
    caused: tuple[Caused, ...] = ()


@dataclass(frozen=True, slots=True)
class Followed:
    """An event of the log, with what became of it.

    Attributes:
        member: Core's number of whom it is about.
        external_id: The shop's id of the member.
        cause: The position of the event that a plugin answered with this one.
        erased: Its data was erased with its member.
    """

    position: int
    source: str
    type: str
    member: int | None
    external_id: str | None
    occurred_at: datetime
    received_at: datetime
    cause: int | None
    erased: bool
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came from outside of late.

    Attributes:
        last: When the newest event came; None if none is among the latest.
        today: How many came since the day began.
        more: There were more than are counted.
    """

    last: datetime | None
    today: int
    more: bool


def newest(opened: OpenTenant, *, before: int = END, member: int | None = None, limit: int = 30) -> list[Followed]:
    """The newest events, the last one first, with what the tactics made of them.

    Args:
        before: Only those below this position.
        member: Only those about this member.
        limit: At most 100.
    """
    asked = {"before": before, "limit": min(limit, MOST)}
    if member is None:
        return _follow(opened, opened.scope.run(NEWEST, **asked))
    return _follow(opened, opened.scope.run(OF_MEMBER, member=member, **asked))


def at(opened: OpenTenant, position: int) -> tuple[Followed, str]:
    """One event and its data as JSON text.

    Raises:
        NotFound: The log has no such position.
    """
    rows = opened.scope.run(AT, position=position, before=END) if 0 < position < END else ()
    if not rows:
        raise NotFound(f"there is no event at {position}")
    data = opened.scope.run(DATA, position=position)[0].data
    return _follow(opened, rows)[0], data


def arrived(scope: Scope, since: datetime) -> Arrived:
    """When the newest event came and how many came since an instant, plugins' own left out.

    Args:
        since: Such as the beginning of the store's day; at most the latest 10,000 events are looked at.
    """
    row = scope.run(ARRIVED, since=since, most=LOOKED_AT)[0]
    return Arrived(row.last, row.today, bool(row.more))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a page of events, by plugin and position."""

    letters: Mapping[tuple[str, int], Row[Any]]
    cursors: Mapping[str, Row[Any]]
    since: Mapping[str, datetime]
    gifts: Mapping[tuple[str, int], Sequence[Gift]] = field(default_factory=dict)
    caused: Mapping[tuple[str, int], Sequence[Caused]] = field(default_factory=dict)


def _follow(opened: OpenTenant, rows: Sequence[Row[Any]]) -> list[Followed]:
    found = [
        Followed(
            row.position,
            row.source,
            row.type,
            row.member_id,
            row.external_id,
            row.occurred_at,
            row.received_at,
            row.cause,
            row.erased,
        )
        for row in rows
    ]
    if not found:
        return []
    known = _look_up(opened, found)
    return [
        replace(one, outcomes=tuple(_outcomes(opened, one, row, known)))
        for one, row in zip(found, rows, strict=True)
    ]


def _look_up(opened: OpenTenant, found: Sequence[Followed]) -> _Known:
    scope = opened.scope
    positions = [one.position for one in found]
    members = sorted({one.member for one in found if one.member is not None})
    on = [name for name in opened.activations if opened.state(name) is not SwitchState.OFF]
    asked = {"members": members, "positions": positions, "limit": MOST_EFFECTS}
    gifts: dict[tuple[str, int], list[Gift]] = {}
    caused: dict[tuple[str, int], list[Caused]] = {}
    if members:
        for row in scope.run(GAVE, **asked):
            gifts.setdefault((row.plugin, row.cause), []).append(Gift(row.kind, row.amount, row.revoked))
        for row in scope.run(CAUSED, oldest=min(positions), **asked):
            plugin = row.source.removeprefix("plugin:")
            caused.setdefault((plugin, row.cause), []).append(Caused(row.position, row.type, _only(row.numbers)))
    return _Known(
        letters={(row.plugin, row.position): row for row in scope.run(LETTERS, positions=positions)},
        cursors={row.plugin: row for row in scope.run(CURSORS)},
        since={name: entry.at for name, entry in audit.latest(scope, ENABLED, on).items()},
        gifts=gifts,
        caused=caused,
    )


def _outcomes(opened: OpenTenant, one: Followed, row: Row[Any], known: _Known) -> Iterable[Outcome]:
    """What each plugin made of an event; those that have nothing to do with it are left out."""
    for plugin in opened.platform.registry:
        letter = known.letters.get((plugin.id, one.position))
        gifts = tuple(known.gifts.get((plugin.id, one.position), ()))
        caused = tuple(known.caused.get((plugin.id, one.position), ()))
        if letter is not None:
            yield Outcome(plugin.id, LETTER[letter.state], letter.behind, gifts, caused)
        elif gifts or caused:
            yield Outcome(plugin.id, Fate.DONE, None, gifts, caused)
        elif plugin.manifest.kind == "tactic":
            fate = _fate(opened, plugin, one, row, known)
            if fate is not None:
                yield Outcome(plugin.id, fate)


def _fate(opened: OpenTenant, plugin: Installed, one: Followed, row: Row[Any], known: _Known) -> Fate | None:
    """How an event stands with a tactic that shows no trace of it; None if it never came before it."""
    handlers = [reaction for reaction in plugin.reactions if reaction.takes(one.type)]
    state, cursor = opened.state(plugin.id), known.cursors.get(plugin.id)
    before = plugin.id in known.since and one.received_at < known.since[plugin.id]
    if not handlers or one.erased or state is SwitchState.OFF or cursor is None or before:
        return None
    if cursor.position < one.position:
        return Fate.PAUSED if cursor.paused else Fate.WAITING
    if any(not handler.always for handler in handlers):
        if one.member is not None and row.suspended:
            return Fate.SUSPENDED
        if one.member is not None and _is_held_out(opened.activations[plugin.id], row):
            return Fate.HELD_OUT
        if state is SwitchState.CLOSING and not any(handler.always for handler in handlers):
            return Fate.CLOSED
    return Fate.DONE


def _only(numbers: Sequence[str] | None) -> int | None:
    """The number, if there is a single whole one."""
    only = numbers[0] if numbers is not None and len(numbers) == 1 else ""
    return int(only) if WHOLE.fullmatch(only) else None


def _is_held_out(activation: Activation, row: Row[Any]) -> bool:
    percent = activation.holdout_percent
    if row.exempt is not False or not percent:
        return False
    return held_out(activation.holdout_key, percent, row.holdout_unit)
