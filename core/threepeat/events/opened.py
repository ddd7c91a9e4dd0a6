"""A tenant's open transaction: what every context in it shares."""

from collections.abc import Collection
from functools import cached_property
from typing import TYPE_CHECKING, Any

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
            self._gates[plugin] = Gate(self.scope, self.activations[plugin])
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
