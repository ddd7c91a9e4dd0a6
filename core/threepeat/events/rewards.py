"""Grants, revocations and payments, the same for every kind of reward."""

import json
import re
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import replace
from datetime import UTC, date
from hashlib import sha256
from typing import TYPE_CHECKING

from sqlalchemy import text

from threepeat.database.engine import Scope
from threepeat.events import budgets
from threepeat.plugins import Installed
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.events import MAX_AMOUNT, Event, ShareSent
from threepeat.sdk.rewards import Grant, Granted, GrantState, Revocation, Revoked, Reward, Spend
from threepeat.sdk.storable import storable
from threepeat.sdk.timers import Due
from threepeat.tenancy.members import hold
from threepeat.tenancy.switches import SwitchState

if TYPE_CHECKING:
    from threepeat.events.context import PluginContext
    from threepeat.events.opened import OpenTenant

MAX_TEXT = 200
RULE = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
KEY = re.compile(r"[0-9a-f]{32}")

# Whom a member was before: a merge does not make a grant new that one of them had.
FORMER = text("""
    WITH RECURSIVE former AS (
        SELECT target_id AS member_id, source_id FROM core.merge
        WHERE tenant_id = :tenant AND target_id = ANY(CAST(:members AS bigint[]))
        UNION
        SELECT f.member_id, m.source_id FROM former f
        JOIN core.merge m ON m.tenant_id = :tenant AND m.target_id = f.source_id
    )
    SELECT member_id, source_id FROM former ORDER BY member_id, source_id
""")
KNOWN = text("""
    SELECT key FROM core.reward
    WHERE tenant_id = :tenant AND plugin = :plugin AND key = ANY(CAST(:keys AS text[]))
""")
# The key decides: of two who give the same, one waits for the other and then gives nothing.
GIVE = text("""
    INSERT INTO core.reward (tenant_id, plugin, key, member_id, kind, rule, amount, cost, month, granted_at, cause)
    SELECT :tenant, :plugin, key, member_id, :kind, rule, amount, cost, :month, core.now(), cause
    FROM unnest(CAST(:keys AS text[]), CAST(:members AS bigint[]), CAST(:rules AS text[]),
                CAST(:amounts AS bigint[]), CAST(:costs AS bigint[]), CAST(:causes AS bigint[]))
         AS given (key, member_id, rule, amount, cost, cause)
    ORDER BY key
    ON CONFLICT DO NOTHING RETURNING key
""")
LOCK = text("""
    SELECT key, member_id, amount, revoked, cost, refunded_cost, month FROM core.reward
    WHERE tenant_id = :tenant AND plugin = :plugin AND kind = :kind AND key = ANY(CAST(:keys AS text[]))
    ORDER BY key FOR UPDATE
""")
TAKE_BACK = text("""
    UPDATE core.reward r SET revoked = r.revoked + g.amount, refunded_cost = r.refunded_cost + g.cost
    FROM unnest(CAST(:keys AS text[]), CAST(:amounts AS bigint[]), CAST(:costs AS bigint[]))
         AS g (key, amount, cost)
    WHERE r.tenant_id = :tenant AND r.plugin = :plugin AND r.key = g.key AND r.revoked + g.amount <= r.amount
""")


class _ShortError(Exception):
    """The keeper of a kind has no more of some grants."""

    def __init__(self, keys: Set[str]) -> None:
        super().__init__(f"{len(keys)} grants cannot be had")
        self.keys = keys


def grant(
    opened: "OpenTenant", giver: "PluginContext", plugin: Installed, kind: str, grants: Sequence[Grant]
) -> list[Granted]:
    """Give a batch of rewards, charged to the giving tactic's monthly budget.

    The keeper's part and the rewards stand in one savepoint; the budget is charged with the transaction. Whoever
    is passed over leaves no row.
    """
    keeper, kept = _keeper(opened, kind)
    _check(kept, grants)
    asked = [Granted(_key(plugin.id, one, one.member), one, GrantState.GRANTED, 0, plugin.id) for one in grants]
    if opened.state(keeper.id) is not SwitchState.ENABLED:
        return [replace(one, state=GrantState.CLOSED) for one in asked]
    if not asked:
        return []
    month = budgets.month_of(opened.tenant.store, giver.now)
    gone: set[str] = set()
    while True:
        judged = _judge(opened, giver, keeper, kept, asked, gone)
        wanted = {one.key: one for one in judged if one.state is GrantState.GRANTED}
        if not wanted:
            return judged
        try:
            fresh = _give(opened, giver, plugin, keeper, kept, month, wanted)
        except _ShortError as short:
            gone |= short.keys
            continue
        # Another transaction gave the others at the same moment; the room that they would have taken stays free.
        giver.charge(plugin.id, month, sum(one.cost for key, one in wanted.items() if key in fresh))
        lost = wanted.keys() - fresh
        return [_duplicate(one) if one.key in lost else one for one in judged]


def _give(
    opened: "OpenTenant",
    giver: "PluginContext",
    plugin: Installed,
    keeper: Installed,
    kept: Reward,
    month: date,
    wanted: Mapping[str, Granted],
) -> set[str]:
    """Write grants down and hand the new ones to their keeper; returns the keys of those.

    Raises:
        _ShortError: The keeper has no more of some, and nothing was given.
    """
    with giver.undoable():
        rows = opened.scope.run(
            GIVE,
            plugin=plugin.id,
            kind=kept.kind,
            month=month,
            keys=list(wanted),
            members=[one.grant.member for one in wanted.values()],
            rules=[one.grant.rule for one in wanted.values()],
            amounts=[one.grant.amount for one in wanted.values()],
            costs=[one.cost for one in wanted.values()],
            causes=[_position(one.grant.cause) for one in wanted.values()],
        )
        fresh = {row.key for row in rows}
        given = [one for key, one in wanted.items() if key in fresh]
        short = set((kept.grant(giver.peer(keeper), given) if given else None) or ())
        if short:
            if not short <= fresh:
                raise PluginError(f"{keeper.id} has no more of what it was not asked to give")
            raise _ShortError(short)
    return fresh


def revoke(
    opened: "OpenTenant", giver: "PluginContext", plugin: Installed, kind: str, revocations: Sequence[Revocation]
) -> None:
    """Take back what earlier grants of the same plugin gave, and give its cost back to the budget it came from."""
    keeper, kept = _keeper(opened, kind)
    for number, one in enumerate(revocations):
        if one.amount is not None:
            _within(f"revocations[{number}].amount", one.amount, MAX_AMOUNT)
    keys = {one.key for one in revocations if KEY.fullmatch(one.key)}
    if not keys:
        return
    with giver.undoable():
        rewards = {row.key: row for row in opened.scope.run(LOCK, plugin=plugin.id, kind=kind, keys=sorted(keys))}
        left = {key: row.amount - row.revoked for key, row in rewards.items()}
        taken: dict[str, int] = dict.fromkeys(rewards, 0)
        for one in revocations:
            if one.key in left:
                amount = left[one.key] if one.amount is None else min(one.amount, left[one.key])
                left[one.key] -= amount
                taken[one.key] += amount
        taken = {key: amount for key, amount in taken.items() if amount}
        if not taken:
            return
        costs: dict[str, int] = {}
        for key, amount in taken.items():
            row = rewards[key]
            # Rounded down on the way; with the last of it exactly the cost has come back.
            costs[key] = row.cost * (row.revoked + amount) // row.amount - row.refunded_cost
        written = opened.scope.count(
            TAKE_BACK, plugin=plugin.id, keys=list(taken), amounts=list(taken.values()), costs=list(costs.values())
        )
        if written != len(taken):
            raise RuntimeError(f"{len(taken)} rewards were locked and {written} could be taken back")
        back = [Revoked(key, rewards[key].member_id, amount, plugin.id) for key, amount in taken.items()]
        kept.revoke(giver.peer(keeper), back)
    for key, cost in costs.items():
        giver.charge(plugin.id, rewards[key].month, -cost)


def balance(
    opened: "OpenTenant", asker: "PluginContext", kind: str, members: Collection[int]
) -> Mapping[int, int]:
    """What members have of a kind of reward; nobody has any where its keeper is off."""
    keeper, kept = _keeper(opened, kind)
    wanted = sorted(set(members))
    if not wanted or opened.state(keeper.id) is SwitchState.OFF:
        return {}
    found = kept.balance(asker.peer(keeper), wanted)
    return {member: found[member] for member in wanted if member in found}


def spend(
    opened: "OpenTenant", asker: "PluginContext", plugin: Installed, kind: str, spends: Sequence[Spend]
) -> None:
    """Let members pay with a kind of reward: all of them or none; redemption goes on while its keeper closes."""
    keeper, kept = _keeper(opened, kind)
    if kept.spend is None:
        raise PluginError(f"nobody can pay with {kind!r}")
    payments: dict[str, Spend] = {}
    for number, one in enumerate(spends):
        _check_payment(f"spends[{number}]", one)
        reference = f"{plugin.id}:{one.reference}"
        payment = payments.setdefault(reference, Spend(one.member, one.amount, reference))
        if (payment.member, payment.amount) != (one.member, one.amount):
            raise Refused(f"{one.reference!r} stands for another payment", code="reference-taken")
    if opened.state(keeper.id) is SwitchState.OFF:
        raise Refused(f"this store has no {kept.title['en']} at the moment", code="not-offered")
    if payments:
        with asker.undoable():
            kept.spend(asker.peer(keeper), list(payments.values()))


def _judge(
    opened: "OpenTenant",
    giver: "PluginContext",
    keeper: Installed,
    kept: Reward,
    asked: Sequence[Granted],
    gone: Collection[str],
) -> list[Granted]:
    """What is to become of each grant, with its cost; `gone` are the keys of those that the keeper has no more of.

    Each is judged by itself, in the order of the batch: one that is not covered does not keep a later, smaller
    one out. So the outcome does not depend on how events were cut into batches.
    """
    scope, plugin = opened.scope, asked[0].plugin
    members = sorted({one.grant.member for one in asked})
    if not giver.in_turn:  # a turn keeps merges out as a whole
        hold(scope, members)
    gate = opened.gate(plugin)
    gate.load(members)
    month = budgets.month_of(opened.tenant.store, giver.now)
    budget = budgets.read(scope, plugin, month)
    room = budget.room - giver.owes(plugin, month)
    keys = _keys(scope, asked)
    known: set[str] = set()
    if budget.limit is not None or len(keys) > len(asked) or kept.items is not None:
        # What was given before uses up nothing of what is left, and is no less given if no more can be had.
        known = {row.key for row in scope.run(KNOWN, plugin=plugin, keys=[key for _, key in keys])}
    before = {number: key for number, key in keys if key in known}
    costs: dict[tuple[int, str], int | None] = {}
    context = giver.peer(keeper)
    judged: list[Granted] = []
    seen: set[str] = set()
    for number, one in enumerate(asked):
        amount = one.grant.amount
        if not one.grant.paid and not gate(one.grant.member):
            judged.append(replace(one, state=GrantState.HELD_OUT))
            continue
        if number in before or one.key in seen:
            judged.append(_duplicate(one, before.get(number, one.key)))
            continue
        item = one.grant.item
        if (amount, item) not in costs:
            costs[amount, item] = _cost(kept, context, amount, item)
        cost = costs[amount, item]
        if cost is None or one.key in gone:
            judged.append(_closed(one))
            continue
        if cost and cost > room:
            judged.append(replace(one, state=GrantState.OVER_BUDGET))
            continue
        seen.add(one.key)
        room -= cost
        judged.append(replace(one, cost=cost))
    return judged


def _cost(kept: Reward, context: "PluginContext", amount: int, item: str) -> int | None:
    """What a grant costs; None if it cannot be had."""
    cost = kept.cost(context, amount) if kept.items is None else kept.cost(context, amount, item)
    if cost is not None:
        _within(f"the cost of {amount} {kept.kind}", cost, MAX_AMOUNT, least=0)
    return cost


def _keys(scope: Scope, asked: Sequence[Granted]) -> list[tuple[int, str]]:
    """Under which keys each grant may stand already: its own, and those of whom the member was before."""
    former: dict[int, list[int]] = {}
    for row in scope.run(FORMER, members=sorted({one.grant.member for one in asked})):
        former.setdefault(row.member_id, []).append(row.source_id)
    return [
        (number, _key(one.plugin, one.grant, member))
        for number, one in enumerate(asked)
        for member in (one.grant.member, *former.get(one.grant.member, ()))
    ]


def _keeper(opened: "OpenTenant", kind: str) -> tuple[Installed, Reward]:
    registry = opened.platform.registry
    found = registry.keeper(kind)
    if found is None:
        away = registry.quarantined.get(kind.partition(".")[0])
        raise PluginError(
            f"nobody keeps the reward {kind!r}" + (f": {away.id} is quarantined: {away.reason}" if away else "")
        )
    return found


def _key(plugin: str, one: Grant, member: int) -> str:
    """Hash of who gives, for what, by which rule, to whom; not of the kind: a rule that gives two is two rules."""
    parts = [plugin, *named(one.cause), one.rule, member]
    return sha256(json.dumps(parts).encode()).hexdigest()[:32]


def named(cause: Event | Due | str) -> list[str]:
    """What makes a cause itself for ever; an event's position may change, its source and id do not."""
    if isinstance(cause, Event):
        return ["event", cause.source, cause.id]
    if isinstance(cause, Due):
        return ["due", cause.name, cause.key, cause.due_at.astimezone(UTC).isoformat()]
    return ["text", cause]


def _position(cause: Event | Due | str) -> int | None:
    """Where in the log the event stands that a grant is for, for people who look it up."""
    return cause.position or None if isinstance(cause, Event) else None


def _check(kept: Reward, grants: Sequence[Grant]) -> None:
    for number, one in enumerate(grants):
        place = f"grants[{number}]"
        _within(f"{place}.member", one.member, 2**63 - 1)
        _within(f"{place}.amount", one.amount, MAX_AMOUNT)
        if bool(one.item) is not (kept.items is not None):
            needs = "needs to know which" if kept.items is not None else "has only one"
            raise PluginError(f"{place}.item: the kind {kept.kind!r} {needs}")
        if not RULE.fullmatch(one.rule):
            raise PluginError(f"{place}.rule: {one.rule!r} must match {RULE.pattern}")
        if isinstance(one.cause, ShareSent):
            raise PluginError(
                f"{place}.cause: the platform forbids paying for shares, so no {kept.kind} for share.sent"
            )
        if not isinstance(one.cause, Event | Due) and not _is_text(one.cause):
            raise PluginError(f"{place}.cause: give an event, a deadline, or 1 to {MAX_TEXT} characters")


def _check_payment(place: str, one: Spend) -> None:
    """What members ask for comes in here, so a bad value is an answer to them, not a fault of the plugin."""
    for name, value, most in (("member", one.member, 2**63 - 1), ("amount", one.amount, MAX_AMOUNT)):
        if type(value) is not int or not 1 <= value <= most:
            raise Refused(f"{place}.{name}: use a whole number from 1 to {most}", code="invalid-payment")
    if not _is_text(one.reference):
        raise Refused(f"{place}.reference: use 1 to {MAX_TEXT} characters", code="invalid-payment")


def _is_text(value: object) -> bool:
    """Whether a value is a text that can be stored."""
    return isinstance(value, str) and 0 < len(value) <= MAX_TEXT and storable(value)


def _within(name: str, value: object, most: int, *, least: int = 1) -> None:
    if type(value) is not int or not least <= value <= most:
        raise PluginError(f"{name}: {value!r} is not a whole number from {least} to {most}")


def _closed(one: Granted) -> Granted:
    return replace(one, state=GrantState.CLOSED, cost=0)


def _duplicate(one: Granted, key: str | None = None) -> Granted:
    return replace(one, key=key or one.key, state=GrantState.DUPLICATE, cost=0)
