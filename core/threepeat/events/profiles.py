"""What plugins know and keep of one member, asked where it can do no harm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog

from threepeat.database.redact import brief
from threepeat.events import facts, rewards
from threepeat.events.context import Cause
from threepeat.events.metrics import BUDGET_MS
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.sdk.facts import Fact
from threepeat.sdk.rewards import Reward
from threepeat.tenancy import facts as known
from threepeat.tenancy import members
from threepeat.tenancy.holdout import held_out
from threepeat.tenancy.switches import SwitchState

Told = tuple[Mapping[str, int], Mapping[str, Any]]
"""Balances by kind, and facts by name."""

logger = structlog.get_logger(__name__)


class Standing(StrEnum):
    """How a member stands in a tactic."""

    IN = "in"
    """They take part."""
    OUT = "out"
    """They are in the comparison group."""
    EXEMPT = "exempt"
    """They take part, whatever the comparison group."""
    SUSPENDED = "suspended"
    """They are handed nothing by any tactic."""
    ALL = "all"
    """They take part; this tactic has no comparison group."""


@dataclass(frozen=True, slots=True)
class Place:
    """A tactic and how the member stands in it."""

    plugin: str
    state: SwitchState
    standing: Standing


@dataclass(frozen=True, slots=True)
class Balance:
    """What a member has of a kind of reward.

    Attributes:
        plugin: Who keeps it.
        amount: None if the plugin failed to tell.
        given: The store may give more of it.
        taken: The store may take of it.
    """

    plugin: str
    reward: Reward
    amount: int | None
    given: bool
    taken: bool


@dataclass(frozen=True, slots=True)
class Known:
    """A fact about the member.

    Attributes:
        plugin: Who knows it; `core` for core's own.
        value: None if nothing is known, or the plugin failed to tell.
    """

    plugin: str
    fact: Fact
    value: Any


@dataclass(frozen=True, slots=True)
class Profile:
    """What plugins tell of one member.

    Attributes:
        failed: Ids of plugins that failed to tell.
    """

    places: Sequence[Place]
    balances: Sequence[Balance]
    facts: Sequence[Known]
    failed: Sequence[str]


class _Undo(Exception):  # noqa: N818 - it ends a call that went well
    """Takes answers out of a savepoint that is rolled back."""

    def __init__(self, balances: Mapping[str, int], values: Mapping[str, Any]) -> None:
        super().__init__()
        self.answers = balances, values


def read(opened: OpenTenant, member_id: int) -> Profile:
    """What the store's plugins tell of a member.

    Each plugin is asked in a savepoint of its own, in which nothing can be written. One that fails or takes too
    long is named as such, and the others go on.

    Raises:
        BrokenTurnError: A plugin has ended the transaction.
        DBAPIError: The connection is lost.
    """
    balances: list[Balance] = []
    told = [
        Known("core", fact, fact.answer(opened.scope, [member_id]).get(member_id)) for fact in known.CORE.values()
    ]
    failed: list[str] = []
    for plugin in opened.platform.registry:
        state = opened.state(plugin.id)
        if state is SwitchState.OFF or not (plugin.rewards or plugin.facts):
            continue
        answers = _ask(opened, plugin, member_id)
        if answers is None:
            failed.append(plugin.id)
        amounts, values = answers or ({}, {})
        for kind, reward in plugin.rewards.items():
            amount = amounts.get(kind, 0) if answers is not None else None
            given = state is SwitchState.ENABLED
            balances.append(Balance(plugin.id, reward, amount, given, reward.spend is not None))
        told.extend(Known(plugin.id, fact, values.get(name)) for name, fact in plugin.facts.items())
    return Profile(places(opened, member_id), balances, told, failed)


def places(opened: OpenTenant, member_id: int) -> list[Place]:
    """How a member stands in each tactic that is on or closing."""
    gate = next(iter(members.gate(opened.scope, [member_id])), None)
    if gate is None:
        return []
    found: list[Place] = []
    for plugin in opened.platform.registry:
        state = opened.state(plugin.id)
        if plugin.manifest.kind == "tactic" and state is not SwitchState.OFF:
            one = opened.activations[plugin.id]
            standing = Standing.IN
            if gate.suspended:
                standing = Standing.SUSPENDED
            elif one.holdout_percent == 0:
                standing = Standing.ALL
            elif gate.exempt:
                standing = Standing.EXEMPT
            elif held_out(one.holdout_key, one.holdout_percent, gate.holdout_unit):
                standing = Standing.OUT
            found.append(Place(plugin.id, state, standing))
    return found


def _ask(
    opened: OpenTenant, plugin: Installed, member_id: int
) -> tuple[Mapping[str, int], Mapping[str, Any]] | None:
    """A plugin's balances by kind and its facts by name; None if it failed."""
    try:
        with opened.scope.plugin_call():
            opened.scope.confine(BUDGET_MS)
            context = opened.context(plugin, cause=Cause(f"profile:{member_id}"))
            balances = {
                kind: rewards.balance(opened, context, kind, [member_id]).get(member_id, 0)
                for kind in plugin.rewards
            }
            answers = facts.answer(opened, context, list(plugin.facts), [member_id])
            values = {name: found.get(member_id) for name, found in answers.items()}
            opened.scope.require_tenant()  # it fails, too, if the plugin has swallowed an SQL error
            raise _Undo(balances, values)
    except _Undo as done:
        return done.answers
    except Exception as error:
        if opened.scope.connection.invalidated:
            raise
        opened.scope.require_tenant()
        store = opened.tenant.store.slug
        logger.error("profile failed", tenant=store, plugin=plugin.id, reason=brief(error))
        return None
