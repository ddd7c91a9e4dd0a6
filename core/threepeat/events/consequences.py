"""What switching a tactic off would mean, before anybody does it: for the page on which a merchant decides."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel

from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.sdk.audience import Audience
from threepeat.sdk.rewards import RewardChoice
from threepeat.tenancy import facts
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.switches import SwitchState
from threepeat.tenancy.walking import Path, find


@dataclass(frozen=True, slots=True)
class Dangling:
    """A setting of another tactic that would lead nowhere.

    Attributes:
        plugin: Whose setting it is.
        field: Path of the setting, such as `settings.rewards.0`.
        names: The kind of reward or the fact that it names.
    """

    plugin: str
    field: str
    names: str


@dataclass(frozen=True, slots=True)
class Consequences:
    """What would follow from switching a tactic off.

    Attributes:
        owes: What it still owes to members, in sentences; while there is any it would be closing.
        stops: Types of events that it would not answer any more.
        goes_on: Types of events that it would answer until nothing is owed.
        shut: Commands of members that would be refused.
        open: What members could still ask and do.
        dangling: Settings elsewhere that would lead nowhere.
    """

    owes: tuple[str, ...]
    stops: tuple[str, ...]
    goes_on: tuple[str, ...]
    shut: tuple[str, ...]
    open: tuple[str, ...]
    dangling: tuple[Dangling, ...]


def foresee(opened: OpenTenant, plugin_id: str) -> Consequences:
    """Say what would follow from switching a tactic off; nothing is changed.

    Raises:
        NotFound: It is not on.
    """
    if opened.state(plugin_id) is SwitchState.OFF:
        raise NotFound(f"{plugin_id!r} is not on")
    plugin = opened.platform.registry[plugin_id]
    return Consequences(
        owes=obligations(opened, plugin),
        stops=_answered(plugin, always=False),
        goes_on=_answered(plugin, always=True),
        shut=tuple(one.summary for one in plugin.routes if not one.always),
        open=tuple(one.summary for one in plugin.routes if one.always),
        dangling=tuple(_dangling(opened, plugin)),
    )


def _answered(plugin: Installed, *, always: bool) -> tuple[str, ...]:
    """The types that it reacts to by name; what a store chooses is not among them."""
    return tuple(sorted({one.event.type for one in plugin.reactions if one.always is always and not one.wanted}))


def obligations(opened: OpenTenant, plugin: Installed) -> tuple[str, ...]:
    """What a plugin owes to members right now, one sentence each."""
    undone = opened.scope.connection.begin_nested()
    try:
        return tuple(opened.platform.act(opened.scope, opened.tenant, plugin, "open_obligations"))
    finally:
        undone.rollback()


def lacking(opened: OpenTenant, plugin_id: str, *, without: str | None = None) -> tuple[Dangling, ...]:
    """Settings of a tactic that would lead nowhere if it were on: what they name is kept by nobody who is on.

    Args:
        plugin_id: A tactic that may be off.
        without: Count this one as off.
    """
    registry = opened.platform.registry
    plugin = registry[plugin_id]
    there = {
        name
        for one in registry
        if one.id == plugin_id or (one.id != without and opened.state(one.id) is SwitchState.ENABLED)
        for name in (*one.rewards, *one.facts)
    }
    named = _named(opened.settings(plugin))
    return tuple(
        Dangling(plugin_id, ".".join(map(str, path)), name)
        for path, name in named
        if name not in there and name not in facts.CORE
    )


def _dangling(opened: OpenTenant, leaving: Installed) -> Iterator[Dangling]:
    for plugin in opened.platform.registry:
        if plugin.id != leaving.id and opened.state(plugin.id) is SwitchState.ENABLED:
            for path, name in _named(opened.settings(plugin)):
                if name in leaving.rewards or name in leaving.facts:
                    yield Dangling(plugin.id, ".".join(map(str, path)), name)


def _named(settings: BaseModel) -> Iterator[tuple[Path, str]]:
    """Every kind of reward and every fact that settings name, defaults included."""
    for path, choice in find(RewardChoice, settings, ("settings",), defaults=True):
        yield path, choice.kind
    for path, audience in find(Audience, settings, ("settings",), defaults=True):
        for where, condition in audience.conditions(path):
            yield where, str(condition.fact)
