"""The contract that a plugin signs: one class, two attributes, and only the hooks it needs."""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

import pluggy

from threepeat.sdk.collections import CollectionOf
from threepeat.sdk.context import Context
from threepeat.sdk.events import Event
from threepeat.sdk.facts import Fact, Multiplier
from threepeat.sdk.manifest import Manifest
from threepeat.sdk.messages import MessageKind
from threepeat.sdk.metrics import Metric
from threepeat.sdk.pricing import PriceRule
from threepeat.sdk.records import Invariant, Provided, Reaction, Route
from threepeat.sdk.rewards import Reward
from threepeat.sdk.settings import PluginSettings
from threepeat.sdk.timers import Outbound, Schedule, Timer

PROJECT = "threepeat"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

S = TypeVar("S", bound=PluginSettings)


class Plugin(Generic[S]):
    """Base of every plugin. Mark each overridden hook with `@hookimpl`.

    Declaring hooks (`events` to `invariants`) run once when a process starts, touch nothing outside and
    return records. Acting hooks get one context.

    Attributes:
        manifest: The plugin's label.
        settings_model: The model of what a merchant can set.
    """

    manifest: Manifest
    settings_model: type[S]

    @hookspec
    def events(self) -> Iterable[type[Event]]:
        """The event classes that this plugin emits; their `senders` must be `PLUGIN`."""
        return ()

    @hookspec
    def reactions(self) -> Iterable[Reaction]:
        """Which events it reacts to, as `when(EventClass, self.handler)`."""
        return ()

    @hookspec
    def timers(self) -> Iterable[Timer]:
        """Its kinds of deadline, as `timer(name, self.handler)`; `ctx.later` sets one."""
        return ()

    @hookspec
    def schedules(self) -> Iterable[Schedule]:
        """What it does at local times that come again, as `schedule(name, self.handler, at=time(3))`."""
        return ()

    @hookspec
    def outbounds(self) -> Iterable[Outbound]:
        """Its kinds of call to the outside, as `outbound(name, perform=self.send)`; `ctx.call` asks for one."""
        return ()

    @hookspec
    def facts(self) -> Iterable[Fact]:
        """What others may know of a member, as `fact(name, self.answer, …)`."""
        return ()

    @hookspec
    def multipliers(self) -> Iterable[Multiplier]:
        """Factors on what members earn, as `multiplier(kind, self.answer)`."""
        return ()

    @hookspec
    def rewards(self) -> Iterable[Reward]:
        """The kinds of reward that it keeps, as `reward(kind, …)`."""
        return ()

    @hookspec
    def price_rules(self) -> Iterable[PriceRule]:
        """What it takes off prices, as `price_rule(name, stage=…, quote=self.quote)`."""
        return ()

    @hookspec
    def message_kinds(self) -> Iterable[MessageKind]:
        """What it says to members, as `message_kind(name, title=_("…"), text=_("… {points} …"), …)`."""
        return ()

    @hookspec
    def routes(self) -> Iterable[Route]:
        """What members can ask of it, as `get(path, self.handler)` and `post(path, self.handler)`."""
        return ()

    @hookspec
    def provides(self) -> Iterable[Provided]:
        """Service protocols of the SDK that it implements, as `provide_orders(factory)`."""
        return ()

    @hookspec
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """What the merchant manages besides settings, as `collection(name, Model, …)`."""
        return ()

    @hookspec
    def metrics(self) -> Iterable[Metric]:
        """What the dashboard shows of it, as `metric(name, self.answer, question=…)`."""
        return ()

    @hookspec
    def invariants(self) -> Iterable[Invariant]:
        """Promises about its data that `threepeat verify` checks."""
        return ()

    @hookspec
    def on_enabled(self, ctx: Context[Any]) -> None:
        """Called when a tenant switches it on. Twice must be the same as once."""

    @hookspec
    def on_closing(self, ctx: Context[Any]) -> None:
        """Called when a tenant switches it off, before its obligations are counted."""

    @hookspec
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """What it still owes to members, one plain sentence each; while any is left it stays closing."""
        del ctx
        return ()

    @hookspec
    def on_disabled(self, ctx: Context[Any]) -> None:
        """Called when nothing is owed any more and the tactic is off."""

    @hookspec
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """Move everything that is the source's to the target: they are the same person.

        A plugin with a table of personal data must override it. No event of either is being handled meanwhile;
        afterwards nothing of the source's is left, and its events count as the target's. Core looks, and undoes a
        merge that left rows behind. An append-only table keeps its rows: add one that carries their sum over.
        """

    @hookspec
    def export_member(self, ctx: Context[Any], member: int) -> Mapping[str, Any]:
        """What a member's export must hold besides the rows of this plugin's tables; JSON values by name."""
        del ctx, member
        return {}

    @hookspec
    def erase_member(self, ctx: Context[Any], member: int) -> None:
        """Erase what the catalogue cannot know of, such as files. The tables are erased by core, without this.

        It runs before that, and again if it or anything else failed: twice must be the same as once.
        """
