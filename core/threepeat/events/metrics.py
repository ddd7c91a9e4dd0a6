"""What plugins report to the merchant, asked where it can do no harm."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from threepeat.database.redact import brief
from threepeat.events.answers import checked
from threepeat.events.context import Cause
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.sdk.context import Store
from threepeat.sdk.days import midnight
from threepeat.sdk.errors import PluginError
from threepeat.sdk.metrics import Answer, Metric, Period
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.switches import SwitchState

MAX_DAYS = 366
BUDGET_MS = 3000
"""How long one statement of a metric may run; the transaction's own limit stays if it is shorter."""

FAILED = "could not be computed"
DAY = timedelta(days=1)

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reported:
    """What came of one metric: an answer, or the error that a person reads instead."""

    metric: Metric
    answer: Answer | None
    error: str | None = None


class _Undo(Exception):  # noqa: N818 - it ends a call that went well
    """Takes an answer out of a savepoint that is rolled back."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


def period(store: Store, now: datetime, days: int) -> Period:
    """The store's local days up to the one that `now` is in.

    Raises:
        Invalid: `days` is not 1 to 366.
    """
    if not 1 <= days <= MAX_DAYS:
        raise Invalid("days", f"choose 1 to {MAX_DAYS}")
    today = now.astimezone(store.timezone).date()
    shown = [today - DAY * back for back in reversed(range(days))]
    begin, end = (midnight(day, store.timezone) for day in (shown[0], today + DAY))
    return Period(tuple(shown), begin, end)


def reporting(opened: OpenTenant) -> list[Installed]:
    """The plugins that report something and are on in the store, or closing."""
    return [
        plugin
        for plugin in opened.platform.registry
        if plugin.metrics and opened.state(plugin.id) is not SwitchState.OFF
    ]


def one_reporting(opened: OpenTenant, plugin: str) -> Installed:
    """A plugin that reports something and is on in the store, or closing.

    Raises:
        NotFound: There is no such plugin, it is off, or it reports nothing.
    """
    for found in reporting(opened):
        if found.id == plugin:
            return found
    raise NotFound(f"{plugin!r} reports nothing in this store")


def report(opened: OpenTenant, plugin: Installed, asked: Period) -> list[Reported]:
    """Ask a plugin all its metrics about a period.

    Each is asked in a savepoint of its own, in which nothing can be written and which is undone at the end. One
    that fails, takes too long or gives an answer that does not fit is reported as such, and the others go on.

    Raises:
        BrokenTurnError: The plugin has ended the transaction.
        DBAPIError: The connection is lost.
    """
    return [_ask(opened, plugin, metric, asked) for metric in plugin.metrics.values()]


def _ask(opened: OpenTenant, plugin: Installed, metric: Metric, asked: Period) -> Reported:
    try:
        with opened.scope.plugin_call():
            opened.scope.confine(BUDGET_MS)
            context = opened.context(plugin, cause=Cause(f"metric:{metric.name}"))
            answer = checked(metric.answer(context, asked), asked)
            opened.scope.require_tenant()  # it fails, too, if the plugin has swallowed an SQL error
            raise _Undo(answer)
    except _Undo as done:
        return Reported(metric, done.answer)
    except Exception as error:
        if opened.scope.connection.invalidated:
            raise
        opened.scope.require_tenant()
        reason = str(error) if isinstance(error, PluginError) else brief(error)
        store = opened.tenant.store.slug
        logger.error("metric failed", tenant=store, plugin=plugin.id, metric=metric.name, reason=reason)
        return Reported(metric, None, FAILED)
