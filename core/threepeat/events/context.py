"""What a handler, a route or a hook is given: one plugin, one tenant, one transaction."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, cast

import structlog
from structlog.typing import FilteringBoundLogger

from threepeat.database.guard import GuardedSession
from threepeat.database.sqlfiles import Statements
from threepeat.events import budgets, facts, log, messages, rewards, timers
from threepeat.events.log import Emitted
from threepeat.events.pricing import Prices
from threepeat.plugins import Installed
from threepeat.plugins.translations import by_language
from threepeat.sdk.audience import Audience
from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event
from threepeat.sdk.facts import AsOf
from threepeat.sdk.messages import KnownKind, Notice
from threepeat.sdk.orders import Orders
from threepeat.sdk.pricing import Pricing
from threepeat.sdk.rewards import Grant, Granted, Revocation, Spend
from threepeat.sdk.timers import Due
from threepeat.tenancy import consents, members
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.members import external_ids
from threepeat.tenancy.switches import SwitchState

if TYPE_CHECKING:
    from threepeat.events.opened import OpenTenant

MAX_DEPTH = 8
"""How long a chain of events that cause events may become."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a plugin runs: what its emitted events are named after.

    Attributes:
        key: Unique for ever in (tenant, plugin); the same cause gives the same event ids. None in a
            handler, where each emitted event has to name its own.
        depth: How many events caused one another to get here.
    """

    key: str | None
    depth: int = 0


@dataclass(slots=True)
class Pending:
    """What a call has left to write: events, timers, charges to budgets and messages."""

    emitted: list[Emitted] = field(default_factory=list)
    changes: timers.Changes = field(default_factory=timers.Changes)
    owed: budgets.Owed = field(default_factory=Counter)
    announced: messages.Announced = field(default_factory=dict)


class PluginContext:
    """Implements `threepeat.sdk.Context`."""

    def __init__(
        self,
        opened: "OpenTenant",
        plugin: Installed,
        *,
        cause: Cause,
        member: int | None = None,
        pending: Pending | None = None,
    ) -> None:
        self._opened = opened
        self._plugin = plugin
        self._member = member
        self._cause = cause
        self._pending = pending or Pending()
        self._ordinals: Counter[str] = Counter()
        self._peers: dict[str, PluginContext] = {}
        scope = opened.scope
        self.tenant = opened.tenant.store
        self.settings = opened.settings(plugin)
        self.sql = Statements(opened.platform.statements[plugin.id], scope.connection, scope.tenant_id)

    @property
    def member(self) -> int:
        """The member who calls."""
        if self._member is None:
            raise LookupError("no member calls here: events carry theirs as event.member")
        return self._member

    @cached_property
    def db(self) -> GuardedSession:
        """The guarded ORM session."""
        return GuardedSession(self._opened.scope.connection, self._opened.scope.tenant_id)

    @property
    def closing(self) -> bool:
        """The merchant switches the plugin off."""
        return self._opened.state(self._plugin.id) is SwitchState.CLOSING

    @property
    def now(self) -> datetime:
        """The transaction's time."""
        return self._opened.scope.now.astimezone(UTC)

    @cached_property
    def log(self) -> FilteringBoundLogger:
        """A logger that knows tenant and plugin."""
        return cast(
            "FilteringBoundLogger",
            structlog.get_logger("plugin").bind(tenant=self.tenant.slug, plugin=self._plugin.id),
        )

    @cached_property
    def orders(self) -> Orders:
        """What members have bought."""
        provider = self._opened.platform.registry.provider(Orders)
        if provider is None or provider[0].id not in self._plugin.manifest.requires:
            raise LookupError("no service provides orders: name it in the manifest's `requires`")
        plugin, provided = provider
        return cast("Orders", provided.factory(self.peer(plugin)))

    @property
    def pricing(self) -> Pricing:
        """Every price rule of the store."""
        return Prices(self._opened, self)

    def peer(self, plugin: Installed) -> "PluginContext":
        """A context of another plugin in the same call; what it leaves to write goes with this one's."""
        if plugin.id not in self._peers:
            made = PluginContext(self._opened, plugin, cause=self._cause, pending=self._pending)
            made._peers = self._peers
            self._peers[plugin.id] = made
        return self._peers[plugin.id]

    def takes_part(self, member: int) -> bool:
        """Whether the tactic may hand this member something."""
        return self._opened.gate(self._plugin.id)(member)

    def taking_part(self, members: Collection[int]) -> frozenset[int]:
        """Those to whom the tactic may hand something."""
        gate = self._opened.gate(self._plugin.id)
        gate.load(members)
        return frozenset(filter(gate, members))

    def emit(self, event: Event, *, member: int | None, cause: Event | Due | str | None = None) -> None:
        """Buffer an event of the plugin's own until the call has succeeded."""
        if type(event) not in self._plugin.events:
            raise PluginError(f"{self._plugin.id} emits {type(event).__name__} without declaring it in `events`")
        key, depth, when = self._because(cause, event.type)
        event_id = _event_id(self._plugin.id, key, self._ordinals[key])
        self._ordinals[key] += 1
        position = cause.position or None if isinstance(cause, Event) else None
        self._pending.emitted.append(
            Emitted(f"plugin:{self._plugin.id}", event_id, event, member, when, depth, position)
        )

    def later(
        self,
        timer: str,
        key: str,
        at: datetime,
        *,
        member: int | None = None,
        payload: Mapping[str, Any] | None = None,
        cause: Event | Due | str | None = None,
    ) -> None:
        """Buffer a deadline until the call has succeeded."""
        if timer not in self._plugin.timers:
            raise PluginError(f"{self._plugin.id} sets the timer {timer!r} without declaring it in `timers`")
        depth = self._because(cause, timer)[1] if cause is not None else self._cause.depth
        self._pending.changes.put(self._plugin.id, "timer", timer, key, at, member, payload or {}, depth)

    def cancel(self, timer: str, key: str) -> None:
        """Buffer a deadline's removal."""
        self._pending.changes.remove(self._plugin.id, "timer", timer, key)

    def call(
        self,
        outbound: str,
        key: str,
        payload: Mapping[str, Any],
        *,
        member: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Buffer a call to the outside."""
        if outbound not in self._plugin.outbounds:
            raise PluginError(f"{self._plugin.id} calls {outbound!r} without declaring it in `outbounds`")
        due_at = at or self.now
        self._pending.changes.put(self._plugin.id, "call", outbound, key, due_at, member, payload, 0)

    def facts(self, names: Collection[str], members: Collection[int]) -> Mapping[str, Mapping[int, Any]]:
        """Facts about many members."""
        return facts.answer(self._opened, self, names, members)

    def matching(self, audience: Audience, members: Collection[int]) -> frozenset[int]:
        """Those members that an audience is made for."""
        return facts.matching(self._opened, self, audience, members)

    def multiplier(self, kind: str, moments: Sequence[AsOf]) -> list[Fraction]:
        """The product of all factors on a kind of reward."""
        return facts.multiply(self._opened, self, kind, moments)

    def grant(self, kind: str, grants: Sequence[Grant]) -> list[Granted]:
        """Give a batch of rewards, charged to this tactic's budget."""
        return rewards.grant(self._opened, self, self._plugin, kind, grants)

    def revoke(self, kind: str, revocations: Sequence[Revocation]) -> None:
        """Take back what earlier grants of this plugin gave."""
        rewards.revoke(self._opened, self, self._plugin, kind, revocations)

    def balance(self, kind: str, members: Collection[int]) -> Mapping[int, int]:
        """What members have of a kind of reward."""
        return rewards.balance(self._opened, self, kind, members)

    def spend(self, kind: str, spends: Sequence[Spend]) -> None:
        """Let members pay with a kind of reward."""
        rewards.spend(self._opened, self, self._plugin, kind, spends)

    def message(self, kind: str, notices: Sequence[Notice]) -> None:
        """Buffer what members are told until the call has succeeded."""
        for one, message in messages.announce(self._opened, self, self._plugin, kind, notices).items():
            self._pending.announced.setdefault(one, message)

    @property
    def message_kinds(self) -> Sequence[KnownKind]:
        """What the plugins of the store say to members."""
        return messages.known(self._opened)

    def consenting(self, members: Collection[int], purposes: Collection[str]) -> Mapping[int, datetime]:
        """Who agrees now to any of some purposes."""
        return consents.agreeing(self._opened.scope, members, purposes)

    def events(self, positions: Collection[int]) -> list[Event]:
        """Events of the log once more."""
        scope, catalogue = self._opened.scope, self._opened.platform.catalogue
        found, _ = log.read_at(scope, catalogue, sorted(positions), catalogue.classes)
        return log.moved(found, members.moved(scope, log.concerned(found)))

    def external_ids(self, members: Collection[int]) -> Mapping[int, str]:
        """What the shop calls members."""
        return external_ids(self._opened.scope, members)

    def find_member(self, external_id: str) -> int | None:
        """The member whom the shop calls so."""
        try:
            return members.find(self._opened.scope, external_id, hold=True)
        except NotFound:
            return None

    def said(self, text: str) -> Mapping[str, str]:
        """A sentence of the plugin's by language."""
        return by_language(self._plugin, text)

    def seal(self, plain: str, *, place: str) -> str:
        """Encrypt a secret that the plugin stores itself."""
        return self._opened.platform.keyring.seal(plain, place=self._sealed_place(place))

    def unseal(self, sealed: str, *, place: str) -> str:
        """Decrypt what `seal` made for the same place."""
        return self._opened.platform.keyring.unseal(sealed, place=self._sealed_place(place))

    def finish(self) -> None:
        """Write what a command left pending; the caller's transaction carries it."""
        emitted = self.take()
        log.send(self._opened.scope, emitted)

    def take(self) -> list[Emitted]:
        """Deliver messages, write objects and timers, note what budgets are owed, hand over what was emitted."""
        if self._pending.announced:
            messages.deliver(self._opened, self, self._pending.announced)
        for context in (self, *self._peers.values()):
            if "db" in context.__dict__:
                context.db.finish()
        timers.write(self._opened.scope, self._pending.changes)
        budgets.settlement(self._opened.scope).owed.update(self._pending.owed)
        taken = self._pending.emitted
        self._pending.emitted, self._pending.owed = [], Counter()
        return taken

    @property
    def in_turn(self) -> bool:
        """Whether a worker's turn calls, which keeps merges out, and not a command or a hook."""
        return self._cause.key is None

    def owes(self, plugin: str, month: date) -> int:
        """What the call has charged to a budget so far, in minor units."""
        return self._pending.owed[plugin, month]

    def charge(self, plugin: str, month: date, cost: int) -> None:
        """Charge a budget once the call has succeeded; below zero gives back."""
        self._pending.owed[plugin, month] += cost

    @contextmanager
    def undoable(self) -> Iterator[None]:
        """Call into peers so that an exception undoes their part only, in the database and of what is pending."""
        pending = self._pending
        before = (
            list(pending.emitted),
            dict(pending.changes.wanted),
            Counter(pending.owed),
            dict(pending.announced),
        )
        self._flush()
        try:
            with self._opened.scope.plugin_call():
                yield
                self._flush()
        except BaseException:
            pending.emitted, pending.changes.wanted, pending.owed, pending.announced = before
            for context in self._peers.values():
                if context is not self:
                    context.__dict__.pop("db", None)  # it holds objects whose rows are gone
            raise

    def _flush(self) -> None:
        for context in (self, *self._peers.values()):
            if "db" in context.__dict__:
                context.db.flush()

    def _sealed_place(self, place: str) -> str:
        return f"plugin/{self._opened.tenant.id}/{self._plugin.id}/{place}"

    def _because(self, cause: Event | Due | str | None, what: str) -> tuple[str, int, datetime]:
        """The key, depth and time that a cause gives to what follows from it."""
        if isinstance(cause, Event):
            key, depth, when = f"{cause.source}\n{cause.id}", cause.depth + 1, cause.occurred_at
        elif isinstance(cause, Due):
            key = f"timer\n{cause.name}\n{cause.key}\n{cause.due_at.isoformat()}"
            depth, when = cause.depth + 1, cause.due_at
        elif cause is not None or self._cause.key is not None:
            key = f"text\n{cause}" if cause is not None else str(self._cause.key)
            depth, when = self._cause.depth + 1, self.now
        else:
            raise PluginError("in a handler, emit(…, cause=…) names the event or deadline that it answers")
        if depth > MAX_DEPTH:
            raise PluginError(f"{MAX_DEPTH} events caused one another to get here: {what} may not follow")
        return key, depth, when


def _event_id(plugin: str, cause: str, ordinal: int) -> str:
    return sha256(f"{plugin}\n{cause}\n{ordinal}".encode()).hexdigest()[:32]
