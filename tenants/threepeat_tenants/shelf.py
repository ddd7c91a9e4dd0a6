"""A store's tactics as a merchant looks at them: in slots, closing, or on the shelf, and what each needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

import structlog
from pydantic import BaseModel

from threepeat.events import budgets, consequences, letters
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed, Registry
from threepeat.sdk.audience import Audience
from threepeat.sdk.rewards import RewardChoice
from threepeat.tenancy import audit, holdout, switches
from threepeat.tenancy.switches import Activation, SwitchState
from threepeat.tenancy.walking import find
from threepeat_tenants.operating import blueprints
from threepeat_tenants.operating.blueprints import Blueprint, BlueprintError, Words

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tactic:
    """A tactic or service as it stands in a store.

    Attributes:
        title: The plugin's text; the id of one that is quarantined.
        allowed: The operator allows it to this store.
        quarantined: Why it may not run; empty if it may.
        percent: Share of members in its comparison group; None if it cannot have one.
        spent: What its rewards of this month cost, in minor units.
        letters: How many of its dead letters wait.
        audiences: Whom its settings name; empty for everybody.
        gives: The kinds of reward that its settings name.
        keeps: The kinds of reward that others may give through it.
        missing: What it needs and the operator does not allow.
        collections: What the merchant manages in it, by name.
        has_settings: There is something to set besides what every tactic has.
        owes: What it still owes, in the plugin's sentences; None if it could not be asked.
        since: When it began to close.
        why: Why the store's blueprint proposes it.
        left_out: Why the store's blueprint leaves it out.
    """

    id: str
    kind: Literal["tactic", "service"] = "tactic"
    title: str
    summary: str = ""
    state: SwitchState
    slot: int | None = None
    paused: str | None = None
    allowed: bool
    quarantined: str = ""
    percent: int | None = None
    budget: int | None = None
    spent: int = 0
    letters: int = 0
    audiences: tuple[Audience, ...] = ()
    gives: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    collections: Mapping[str, str] = field(default_factory=dict)
    has_settings: bool = False
    owes: tuple[str, ...] | None = ()
    since: datetime | None = None
    why: Words | None = None
    left_out: Words | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """All that a store can choose from.

    Attributes:
        cap: How many tactics may be on at a time.
        slots: As many as the cap: a tactic, or None where there is room. More if the cap was lowered since.
        rest: Tactics that are off, those that can be switched on first.
    """

    cap: int
    slots: Sequence[Tactic | None]
    closing: Sequence[Tactic]
    rest: Sequence[Tactic]
    services: Sequence[Tactic]

    @property
    def full(self) -> bool:
        """Whether another tactic has to give up its slot first."""
        return None not in self.slots

    @property
    def letters(self) -> int:
        """How many dead letters wait."""
        return sum(one.letters for one in (*self.slots, *self.closing, *self.rest, *self.services) if one)


def read(opened: OpenTenant) -> Shelf:
    """Everything at once, in a number of queries that does not grow with what is installed."""
    return _Reader(opened).shelf()


def owed(opened: OpenTenant, plugin: Installed) -> tuple[str, ...] | None:
    """What a plugin owes, in its own sentences; None if it fails when it is asked."""
    try:
        return consequences.obligations(opened, plugin)
    except Exception as error:  # noqa: BLE001 - a stranger's code may raise anything
        logger.error("obligations not told", plugin=plugin.id, reason=type(error).__name__)
        return None


class _Reader:
    def __init__(self, opened: OpenTenant) -> None:
        self.opened = opened
        self.registry = opened.platform.registry
        scope, tenant = opened.scope, opened.tenant
        self.cap, self.permitted = switches.allowed(scope, tenant, self.registry)
        self.spent = budgets.spent(scope, tenant.store)
        self.letters = letters.waiting(scope)
        closing = [one.plugin for one in opened.activations.values() if one.state is SwitchState.CLOSING]
        self.since = audit.latest(scope, "plugin.closing", closing)
        found = _blueprints(self.registry).get(tenant.blueprint or "")
        self.why = {one.id: one.why for one in found.tactic} if found else {}
        self.left_out = {one.id: one.why for one in found.left_out} if found else {}

    def shelf(self) -> Shelf:
        every = [self._installed(plugin) for plugin in self.registry]
        every += [self._quarantined(name) for name in self.registry.quarantined]
        tactics = [one for one in every if one.kind == "tactic"]
        on = sorted((one for one in tactics if one.slot is not None), key=lambda one: one.slot or 0)
        empty = [None] * max(0, self.cap - len(on))
        return Shelf(
            self.cap,
            [*on, *empty],
            [one for one in tactics if one.state is SwitchState.CLOSING],
            sorted((one for one in tactics if one.state is SwitchState.OFF), key=_reach),
            [one for one in every if one.kind == "service"],
        )

    def _installed(self, plugin: Installed) -> Tactic:
        activation = self.opened.activations.get(plugin.id)
        manifest = plugin.manifest
        settings = _settings(self.opened, plugin)
        percent = activation.holdout_percent if activation else holdout.DEFAULT_PERCENT
        closing = activation is not None and activation.state is SwitchState.CLOSING
        return Tactic(
            id=plugin.id,
            kind=manifest.kind,
            title=manifest.title,
            summary=manifest.summary,
            **_switch(activation),
            allowed=plugin.id in self.permitted,
            percent=percent if manifest.holdout == "member" else None,
            spent=self.spent.get(plugin.id, 0),
            letters=self.letters.get(plugin.id, 0),
            audiences=tuple(_audiences(settings)),
            gives=tuple(dict.fromkeys(_kinds(settings))),
            keeps=tuple(plugin.rewards),
            needs=tuple(manifest.requires),
            missing=tuple(need for need in manifest.requires if need not in self.permitted),
            collections={name: one.title for name, one in plugin.collections.items()},
            has_settings=bool(plugin.plugin.settings_model.model_fields),
            owes=owed(self.opened, plugin) if closing else (),
            since=self.since[plugin.id].at if plugin.id in self.since else None,
            why=self.why.get(plugin.id),
            left_out=self.left_out.get(plugin.id),
        )

    def _quarantined(self, name: str) -> Tactic:
        """What may not run still holds its slot, and can be switched off."""
        return Tactic(
            id=name,
            title=name,
            **_switch(self.opened.activations.get(name)),
            allowed=False,
            quarantined=self.registry.quarantined[name].reason,
            spent=self.spent.get(name, 0),
            letters=self.letters.get(name, 0),
            owes=None,
            since=self.since[name].at if name in self.since else None,
        )


@lru_cache(maxsize=4)
def _blueprints(registry: Registry) -> Mapping[str, Blueprint]:
    try:
        return blueprints.load(registry)
    except BlueprintError as error:
        logger.error("no blueprints", reason=str(error))
        return {}


def _switch(activation: Activation | None) -> dict[str, Any]:
    if activation is None:
        return {"state": SwitchState.OFF}
    return {
        "state": activation.state,
        "slot": activation.slot,
        "paused": activation.paused,
        "budget": activation.monthly_budget,
    }


def _settings(opened: OpenTenant, plugin: Installed) -> BaseModel | None:
    """A plugin's settings; None if they cannot be read, which its own page tells."""
    try:
        found: BaseModel = opened.settings(plugin)
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything
        logger.warning("settings not read", plugin=plugin.id, reason=type(error).__name__)
        return None
    return found


def _audiences(settings: BaseModel | None) -> Iterable[Audience]:
    return (one for _path, one in find(Audience, settings, defaults=True) if not one.is_everybody)


def _kinds(settings: BaseModel | None) -> Iterable[str]:
    return (one.kind for _path, one in find(RewardChoice, settings, defaults=True))


def _reach(one: Tactic) -> tuple[bool, bool, bool]:
    """What can be switched on comes first, and of that what the blueprint proposes; else the serving order."""
    return bool(one.quarantined), not one.allowed or bool(one.missing), one.why is None
