"""What happened to one member, across all tactics: newest first, each event with all that followed from it."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from threepeat.events import merging
from threepeat.events.merging import Merged
from threepeat.events.opened import OpenTenant
from threepeat.sdk.wording import _
from threepeat.tenancy import audit
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.switches import SwitchState

MAX_PAGE = 100
MOST_FOLLOWING = 1000
"""So many events that plugins answered with are looked at for a page."""
MOST_BETWEEN = 100
"""So many rewards and changes that no event brought about stand on a page."""

# The log keeps the ids of those who were merged into the member.
IDS = text("""
    WITH RECURSIVE former AS (
        SELECT CAST(:member AS bigint) AS id
        UNION
        SELECT m.source_id FROM former f JOIN core.merge m ON m.tenant_id = :tenant AND m.target_id = f.id
    )
    SELECT id FROM former
""")
# An answer to another event of the member stands below that one.
ROOTS = text("""
    SELECT e.position, e.type, e.source, e.occurred_at, e.received_at, e.data
    FROM unnest(CAST(:ids AS bigint[])) AS m (id)
    CROSS JOIN LATERAL (
        SELECT * FROM core.event e
        WHERE e.tenant_id = :tenant AND e.member_id = m.id
          AND (CAST(:before AS bigint) IS NULL OR e.position < :before)
          AND NOT EXISTS (
              SELECT FROM core.event c WHERE c.tenant_id = e.tenant_id AND c.position = e.cause
                AND c.member_id = ANY(CAST(:ids AS bigint[])))
        ORDER BY e.position DESC LIMIT :limit
    ) e ORDER BY e.position DESC LIMIT :limit
""")
FOLLOWING = text("""
    SELECT e.position, e.type, e.source, e.occurred_at, e.received_at, e.data, e.cause
    FROM unnest(CAST(:ids AS bigint[])) AS m (id)
    CROSS JOIN LATERAL (
        SELECT * FROM core.event e
        WHERE e.tenant_id = :tenant AND e.member_id = m.id AND e.position > :after AND e.cause IS NOT NULL
        ORDER BY e.position LIMIT :most
    ) e ORDER BY e.position LIMIT :most
""")
LETTERS = text("""
    SELECT plugin, position, state, behind FROM core.dead_letter
    WHERE tenant_id = :tenant AND plugin = ANY(CAST(:plugins AS text[]))
      AND position = ANY(CAST(:positions AS bigint[]))
    ORDER BY position, plugin
""")
CURSORS = text("SELECT plugin, position FROM core.cursor WHERE tenant_id = :tenant")
RECEIVED = text("SELECT received_at FROM core.event WHERE tenant_id = :tenant AND position = :position")
REWARDS = """
    SELECT plugin, kind, rule, amount, revoked, cost, refunded_cost, granted_at, cause FROM core.reward
    WHERE tenant_id = :tenant AND member_id = :member
"""
GIVEN_FOR = text(f"{REWARDS} AND cause = ANY(CAST(:positions AS bigint[])) ORDER BY granted_at, plugin, key")
GIVEN_BETWEEN = text(f"""
    {REWARDS} AND cause IS NULL
      AND (CAST(:since AS timestamptz) IS NULL OR granted_at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR granted_at < :until)
    ORDER BY granted_at DESC, plugin, key LIMIT :most
""")
CHANGES = text("""
    SELECT id, at, actor, action, subject, details FROM core.audit
    WHERE tenant_id = :tenant AND subject = ANY(CAST(:subjects AS text[])) AND action <> 'member.merged'
      AND (CAST(:since AS timestamptz) IS NULL OR at >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR at < :until)
    ORDER BY id DESC LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class Given:
    """A reward.

    Attributes:
        plugin: The tactic that gave it.
        rule: Which of its rules.
        revoked: How much of it was taken back.
        cost: What it cost the tactic, less what came back, in minor units.
        cause: Position of the event that it was given for, if it was one.
    """

    plugin: str
    kind: str
    rule: str
    amount: int
    revoked: int
    cost: int
    at: datetime
    cause: int | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A plugin could not handle an event.

    Attributes:
        behind: The event itself did not fail: it waits behind one that did.
    """

    plugin: str
    state: str
    behind: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """An event with which a plugin answered another.

    Attributes:
        plugin: Whose answer it is.
    """

    position: int
    type: str
    plugin: str
    occurred_at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, and what came of it.

    Attributes:
        at: When it was received.
        answers: What plugins answered with, in order, answers to answers included.
        rewards: What it was rewarded with.
        letters: Plugins that could not handle it, or an answer to it.
        waiting: Plugins that are still to see it.
    """

    at: datetime
    position: int
    type: str
    source: str
    occurred_at: datetime
    data: Mapping[str, Any]
    answers: Sequence[Answer] = ()
    rewards: Sequence[Given] = ()
    letters: Sequence[Letter] = ()
    waiting: Sequence[str] = ()


Entry = Happened | Given | Merged | audit.Entry
"""An event, a reward that answers no event, a merge, or a change that somebody made."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page.

    Attributes:
        next: Pass it as `before` for what is older; None at the end.
    """

    entries: Sequence[Entry]
    next: int | None


@dataclass(slots=True)
class _Followed:
    """What followed from one event."""

    answers: list[Answer] = field(default_factory=list)
    rewards: list[Given] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)


def read(opened: OpenTenant, member_id: int, *, before: int | None = None, limit: int = 25) -> Timeline:
    """A page of what happened to a member.

    Args:
        member_id: Who is not merged into another.
        before: Only events at smaller positions.
        limit: So many events, besides what followed from them and what stands between them.

    Raises:
        Invalid: The limit is not 1 to 100, or there is no such position.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid("limit", _("choose {least} to {most}", least=1, most=MAX_PAGE))
    if before is not None and not 0 < before < 1 << 63:
        raise Invalid("before", _("give the `next` of the page before"))
    scope = opened.scope
    ids = [row.id for row in scope.run(IDS, member=member_id)]
    rows = scope.run(ROOTS, ids=ids, before=before, limit=limit + 1)
    shown, more = rows[:limit], len(rows) > limit
    since = shown[-1].received_at if more else None
    bound = scope.one(RECEIVED, position=before) if before is not None else None
    until = bound.received_at if bound is not None else None
    events = _events(opened, member_id, ids, shown)
    between = _between(opened, member_id, ids, since, until)
    return Timeline(_woven(events, between), shown[-1].position if more else None)


def _events(opened: OpenTenant, member_id: int, ids: list[int], rows: Sequence[Row[Any]]) -> list[Happened]:
    if not rows:
        return []
    scope = opened.scope
    root = {row.position: row.position for row in rows}
    followed: dict[int, _Followed] = defaultdict(_Followed)
    for row in scope.run(FOLLOWING, ids=ids, after=rows[-1].position, most=MOST_FOLLOWING):
        if row.cause in root:
            root[row.position] = root[row.cause]
            followed[root[row.cause]].answers.append(_answer(row))
    positions = list(root)
    for row in scope.run(GIVEN_FOR, member=member_id, positions=positions):
        followed[root[row.cause]].rewards.append(_given(row))
    for row in scope.run(LETTERS, plugins=list(opened.activations), positions=positions):
        if row.state != "dropped":
            followed[root[row.position]].letters.append(Letter(row.plugin, row.state, row.behind is not None))
    cursors = {row.plugin: row.position for row in scope.run(CURSORS)}
    return [_happened(row, followed[row.position], _waiting(opened, cursors, row)) for row in rows]


def _waiting(opened: OpenTenant, cursors: Mapping[str, int], row: Row[Any]) -> list[str]:
    """The plugins that answer such events and have not come so far."""
    return [
        plugin.id
        for plugin in opened.platform.registry
        if opened.state(plugin.id) is not SwitchState.OFF
        and cursors.get(plugin.id, row.position) < row.position
        and any(one.takes(row.type) for one in plugin.reactions)
    ]


def _between(
    opened: OpenTenant, member_id: int, ids: list[int], since: datetime | None, until: datetime | None
) -> list[tuple[datetime, Entry]]:
    """What stands between the events of a page, newest first, each with its moment on the server's clock."""
    scope = opened.scope
    window = {"since": since, "until": until, "most": MOST_BETWEEN}
    # Rewards stand on the store's clock, which may be set; everything else on the server's.
    offset = opened.tenant.clock_offset
    moved = {name: moment and moment + offset for name, moment in (("since", since), ("until", until))}
    given = scope.run(GIVEN_BETWEEN, member=member_id, most=MOST_BETWEEN, **moved)
    changes = scope.run(CHANGES, subjects=[f"member:{one}" for one in ids], **window)
    merges = merging.history(scope, member_id) if len(ids) > 1 else []
    found: list[tuple[datetime, Entry]] = [
        *((row.granted_at - offset, _given(row)) for row in given),
        *((row.at, _change(row)) for row in changes),
        *((one.merged_at, one) for one in merges if _inside(one.merged_at, since, until)),
    ]
    return sorted(found, key=lambda pair: pair[0], reverse=True)


def _inside(moment: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or moment >= since) and (until is None or moment < until)


def _woven(events: Sequence[Happened], between: Sequence[tuple[datetime, Entry]]) -> list[Entry]:
    """Put what stands between events in its place; events keep the order of the log."""
    woven: list[Entry] = []
    waiting = deque(between)
    for event in events:
        while waiting and waiting[0][0] >= event.at:
            woven.append(waiting.popleft()[1])
        woven.append(event)
    return [*woven, *(entry for _at, entry in waiting)]


def _change(row: Row[Any]) -> audit.Entry:
    return audit.Entry(row.id, row.at, row.actor, row.action, row.subject, row.details)


def _answer(row: Row[Any]) -> Answer:
    return Answer(row.position, row.type, row.source.removeprefix("plugin:"), row.occurred_at, row.data)


def _given(row: Row[Any]) -> Given:
    return Given(
        plugin=row.plugin,
        kind=row.kind,
        rule=row.rule,
        amount=row.amount,
        revoked=row.revoked,
        cost=row.cost - row.refunded_cost,
        at=row.granted_at,
        cause=row.cause,
    )


def _happened(row: Row[Any], followed: _Followed, waiting: Sequence[str]) -> Happened:
    return Happened(
        at=row.received_at,
        position=row.position,
        type=row.type,
        source=row.source,
        occurred_at=row.occurred_at,
        data=row.data,
        answers=followed.answers,
        rewards=followed.rewards,
        letters=followed.letters,
        waiting=waiting,
    )
