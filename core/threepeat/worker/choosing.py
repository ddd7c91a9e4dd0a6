"""Which types of events a store wants, as those plugins say that react to types of its choice."""

from collections.abc import Callable, Collection, Container
from typing import Any

import structlog

from threepeat.database.redact import brief
from threepeat.database.sealed import BrokenTurnError
from threepeat.events.context import Cause
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Chosen, Installed
from threepeat.plugins.dispatch import call
from threepeat.worker.careful import Careful
from threepeat.worker.share import is_transient
from threepeat.worker.watch import Watch

logger = structlog.get_logger(__name__)


def chosen(opened: OpenTenant, active: Container[str], watch: Watch, careful: Careful | None) -> Chosen:
    """Ask every plugin that is active; one that cannot say is handed everything, so that it misses nothing.

    Raises:
        DBAPIError: A transient fault of the database.
    """
    registry = opened.platform.registry
    found = []
    for plugin, number, wanted in registry.choosing:
        if plugin.id in active:
            types = _ask(opened, plugin, wanted, watch, careful)
            found.append((plugin.id, number, frozenset(registry.events()) if types is None else types))
    return frozenset(found)


def _ask(
    opened: OpenTenant,
    plugin: Installed,
    wanted: Callable[[Any], Collection[str] | None],
    watch: Watch,
    careful: Careful | None,
) -> frozenset[str] | None:
    """What it answers; None for everything, or if it cannot say."""
    if careful and careful.exceeded(plugin.id, "wanted"):
        return None
    store = opened.tenant.store.slug

    def ask() -> frozenset[str] | None:
        with opened.scope.plugin_call(), watch.busy(tenant=store, plugin=plugin.id):
            types = wanted(opened.context(plugin, cause=Cause(None)))
            return frozenset(types) if types is not None else None

    outcome = call(plugin.id, ask)
    opened.scope.require_tenant()
    if outcome.error is not None:
        if isinstance(outcome.error, BrokenTurnError) or is_transient(outcome.error):
            raise outcome.error
        logger.error("wanted types not told", tenant=store, plugin=plugin.id, reason=brief(outcome.error))
    return outcome.value
