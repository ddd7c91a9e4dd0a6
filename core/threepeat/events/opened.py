"""A tenant's open transaction: what every context in it shares."""

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from threepeat.database.engine import Scope
from threepeat.events.context import Cause, PluginContext
from threepeat.plugins import Installed
from threepeat.tenancy import members, switches
from threepeat.tenancy.holdout import held_out
from threepeat.tenancy.switches import Activation, SwitchState
from threepeat.tenancy.tenants import Tenant

if TYPE_CHECKING:
    from threepeat.events.platform import Platform


class Gate:
    """Who of a tenant's members takes part in one tactic.

    Args:
        scope: The open transaction.
        activation: How the tactic stands.
        people: Who was looked up already, for all tactics together; None stands for nobody.
    """

    def __init__(
        self, scope: Scope, activation: Activation, people: dict[int, Row[Any] | None] | None = None
    ) -> None:
        self._scope = scope
        self._activation = activation
        self._people = {} if people is None else people
        self._open: dict[int, bool] = {}

    def load(self, wanted: Collection[int]) -> None:
        """Look up many members at once."""
        missing = {member for member in wanted if member not in self._people}
        if missing:
            self._people.update(dict.fromkeys(missing))
            self._people.update({row.id: row for row in members.gate(self._scope, missing)})

    def __call__(self, member: int) -> bool:
        """Whether the tactic may hand this member something."""
        if member not in self._open:
            self.load((member,))
            self._open[member] = self._lets(self._people[member])
        return self._open[member]

    def _lets(self, row: Row[Any] | None) -> bool:
        if row is None or row.suspended:
            return False
        percent = self._activation.holdout_percent
        return row.exempt or not (
            percent > 0 and held_out(self._activation.holdout_key, percent, row.holdout_unit)
        )


class OpenTenant:
    """One tenant inside one transaction, with its activations, gates and settings read once.

    Args:
        platform: What serves.
        scope: The open transaction.
        tenant: Whose it is.
    """

    def __init__(self, platform: "Platform", scope: Scope, tenant: Tenant) -> None:
        self.platform = platform
        self.scope = scope
        self.tenant = tenant
        self._gates: dict[str, Gate] = {}
        self._people: dict[int, Row[Any] | None] = {}
        self._settings: dict[str, Any] = {}

    @cached_property
    def activations(self) -> dict[str, Activation]:
        """Every plugin that the tenant ever touched, by id."""
        return switches.activations(self.scope)

    def state(self, plugin: str) -> SwitchState:
        """How a plugin stands in the tenant; a quarantined one is off."""
        found = self.activations.get(plugin)
        return found.state if found is not None and plugin in self.platform.registry else SwitchState.OFF

    def gate(self, plugin: str) -> Gate:
        """Who takes part in a plugin."""
        if plugin not in self._gates:
            self._gates[plugin] = Gate(self.scope, self.activations[plugin], self._people)
        return self._gates[plugin]

    def settings(self, plugin: Installed) -> Any:
        """A plugin's settings, secrets opened; the defaults where the tenant never had it."""
        if plugin.id not in self._settings:
            found = self.activations.get(plugin.id)
            self._settings[plugin.id] = (
                self.platform.settings(self.tenant, plugin, found) if found else plugin.plugin.settings_model()
            )
        return self._settings[plugin.id]

    def context(self, plugin: Installed, *, cause: Cause, member: int | None = None) -> PluginContext:
        """A context for one call into a plugin; the caller ends it with `finish` or `take`."""
        return PluginContext(self, plugin, cause=cause, member=member)
