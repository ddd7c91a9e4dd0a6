"""What a handler, a route or a hook is given: one plugin, one tenant, one transaction."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, cast

import structlog
from sqlalchemy import TextClause
from structlog.typing import FilteringBoundLogger

from threepeat.database.engine import Scope
from threepeat.database.guard import GuardedSession
from threepeat.database.sqlfiles import Statements
from threepeat.events import log
from threepeat.events.log import Emitted
from threepeat.plugins import Installed
from threepeat.sdk.context import Store
from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Event
from threepeat.sdk.orders import Orders
from threepeat.sdk.settings import PluginSettings
from threepeat.tenancy import members
from threepeat.tenancy.holdout import held_out
from threepeat.tenancy.switches import Activation

MAX_DEPTH = 8
"""How long a chain of events that cause events may become."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a plugin runs: what its emitted events are named after.

    Attributes:
        key: Unique for ever in (tenant, plugin); the same cause gives the same event ids. None in a
            reaction, where each emitted event has to name its own.
    """

    key: str | None


class Gate:
    """Who of a tenant's members takes part in one tactic; each member is looked up once."""

    def __init__(self, scope: Scope, activation: Activation) -> None:
        self._scope = scope
        self._activation = activation
        self._open: dict[int, bool] = {}

    def load(self, wanted: Collection[int]) -> None:
        """Look up many members at once."""
        missing = {member for member in wanted if member not in self._open}
        if missing:
            key, percent = self._activation.holdout_key, self._activation.holdout_percent
            for row in members.gate(self._scope, missing):
                held = percent > 0 and not row.exempt and held_out(key, percent, row.holdout_unit)
                self._open[row.id] = not held and not row.suspended

    def __call__(self, member: int) -> bool:
        """Whether the tactic may hand this member something."""
        self.load((member,))
        return self._open.get(member, False)


class PluginContext:
    """Implements `threepeat.sdk.Context`."""

    def __init__(
        self,
        scope: Scope,
        store: Store,
        plugin: Installed,
        settings: PluginSettings,
        statements: Mapping[str, TextClause],
        gate: Gate,
        *,
        orders: "PluginContext | None" = None,
        member: int | None = None,
        cause: Cause,
    ) -> None:
        self._scope = scope
        self._plugin = plugin
        self._gate = gate
        self._orders = orders
        self._member = member
        self._cause = cause
        self._sent: list[Emitted] = []
        self._ordinals: Counter[str] = Counter()
        self.tenant = store
        self.settings = settings
        self.sql = Statements(statements, scope.connection, scope.tenant_id)

    @property
    def member(self) -> int:
        """The member who calls."""
        if self._member is None:
            raise LookupError("no member calls here: events carry theirs as event.member")
        return self._member

    @cached_property
    def db(self) -> GuardedSession:
        """The guarded ORM session."""
        return GuardedSession(self._scope.connection, self._scope.tenant_id)

    @property
    def now(self) -> datetime:
        """The transaction's time."""
        return self._scope.now.astimezone(UTC)

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
        if self._orders is None:
            raise LookupError("no service provides orders: name it in the manifest's `requires`")
        return cast("Orders", self._orders.provide(Orders))

    def provide(self, protocol: type[Any]) -> Any:
        """Build what the plugin of this context provides."""
        return next(one for one in self._plugin.provides if one.protocol is protocol).factory(self)

    def takes_part(self, member: int) -> bool:
        """Whether the tactic may hand this member something."""
        return self._gate(member)

    def emit(self, event: Event, *, member: int | None, cause: Event | None = None) -> None:
        """Buffer an event of the plugin's own until the call has succeeded."""
        if type(event) not in self._plugin.events:
            raise PluginError(f"{self._plugin.id} emits {type(event).__name__} without declaring it in `events`")
        if cause is not None:
            key, depth, when = f"{cause.source}\n{cause.id}", cause.depth + 1, cause.occurred_at
        elif self._cause.key is not None:
            key, depth, when = self._cause.key, 1, self.now
        else:
            raise PluginError("in a reaction, emit(…, cause=event) names the event that it answers")
        if depth > MAX_DEPTH:
            raise PluginError(f"{MAX_DEPTH} events caused one another to get here: {event.type} may not follow")
        event_id = _event_id(self._plugin.id, key, self._ordinals[key])
        self._ordinals[key] += 1
        self._sent.append(Emitted(f"plugin:{self._plugin.id}", event_id, event, member, when, depth))

    def finish(self) -> None:
        """Write what a command left pending; the caller's transaction carries it."""
        log.send(self._scope, self.take())

    def take(self) -> list[Emitted]:
        """Write pending objects, and hand over what was emitted."""
        if "db" in self.__dict__:
            self.db.finish()
        taken, self._sent = self._sent, []
        return taken


def _event_id(plugin: str, cause: str, ordinal: int) -> str:
    return sha256(f"{plugin}\n{cause}\n{ordinal}".encode()).hexdigest()[:32]
