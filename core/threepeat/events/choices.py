"""Which ones a store has of a kind of reward, as whoever keeps it tells them."""

from collections.abc import Mapping

import structlog

from threepeat.database.redact import brief
from threepeat.events.context import Cause
from threepeat.events.opened import OpenTenant
from threepeat.tenancy.switches import SwitchState

logger = structlog.get_logger(__name__)


def choices(opened: OpenTenant, kind: str) -> Mapping[str, str]:
    """The titles by id; none if nobody keeps the kind, its keeper is off, or cannot say.

    Raises:
        BrokenTurnError: The plugin has ended the transaction.
        DBAPIError: The connection is lost.
    """
    found = opened.platform.registry.keeper(kind)
    if found is None or opened.state(found[0].id) is SwitchState.OFF:
        return {}
    keeper, kept = found
    if kept.items is None:
        return {}
    try:
        with opened.scope.plugin_call():
            return dict(kept.items(opened.context(keeper, cause=Cause(f"choices:{kind}"))))
    except Exception as error:
        if opened.scope.connection.invalidated:
            raise
        opened.scope.require_tenant()
        store = opened.tenant.store.slug
        logger.error("choices not told", tenant=store, plugin=keeper.id, kind=kind, reason=brief(error))
        return {}
