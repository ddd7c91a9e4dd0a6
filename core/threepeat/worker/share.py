"""One plugin's share of a turn: calls in savepoints, halved until what fails stands alone."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.exc import DBAPIError

from threepeat.database.lost import is_lost
from threepeat.database.redact import brief
from threepeat.database.sealed import BrokenTurnError
from threepeat.events.context import Cause, PluginContext
from threepeat.events.log import Emitted
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.plugins.dispatch import call
from threepeat.worker.careful import Careful
from threepeat.worker.watch import Watch

ATTEMPTS = 3

HANDLED = Counter("threepeat_events_handled_total", "Events and timers handed to plugins.", ["plugin"])
LETTERS = Counter("threepeat_dead_letters_total", "Events and timers that a plugin could not handle.", ["plugin"])
SECONDS = Histogram("threepeat_handler_seconds", "Time that a plugin took for a call.", ["plugin"])

logger = structlog.get_logger(__name__)

T = TypeVar("T")


class Work(Protocol[T]):
    """A kind of thing that is handed to a plugin in batches."""

    def free(self, items: Sequence[T]) -> list[T]:
        """Those that may be handed over now; the others are put aside."""

    def run(self, context: PluginContext, items: Sequence[T]) -> Sequence[T] | None:
        """Hand them over; None if that is done, else the call is undone and repeated with what is returned."""

    def failed(self, item: T, error: str) -> None:
        """Put one aside that cannot be handled."""

    def name(self, item: T) -> str:
        """What it is called among the counted attempts."""

    def depth(self, item: T) -> int:
        """How many events caused one another to bring it about."""


class Share:
    """Hands work to one plugin; what it cannot handle is put aside and the rest goes on.

    Attributes:
        emitted: What its calls emitted, in order.
        letters: How many things in a row it could not handle, in earlier turns too.
    """

    def __init__(
        self,
        opened: OpenTenant,
        plugin: Installed,
        watch: Watch,
        *,
        letters: int,
        pause_after: int,
        careful: Careful | None,
    ) -> None:
        self.opened = opened
        self.plugin = plugin
        self.emitted: list[Emitted] = []
        self.letters = letters
        self._watch = watch
        self._pause_after = pause_after
        self._careful = careful

    @property
    def exhausted(self) -> bool:
        """It failed so often in a row that it should rest."""
        return self.letters >= self._pause_after

    def hand_over(self, work: Work[T], items: Sequence[T]) -> list[T]:
        """Hand items over, in their order.

        Returns:
            Those that were not tried, because too many before them failed.
        """
        waiting = [[item] for item in reversed(items)] if self._careful else [list(items)]
        while waiting:
            if self.exhausted:
                return [item for chunk in reversed(waiting) for item in chunk]
            chunk = work.free(waiting.pop())
            if not chunk:
                continue
            error = self._try(work, chunk)
            if error is None:
                self.letters = 0
                HANDLED.labels(self.plugin.id).inc(len(chunk))
            elif len(chunk) > 1:
                middle = len(chunk) // 2
                waiting += [chunk[middle:], chunk[:middle]]
            else:
                self.letters += 1
                LETTERS.labels(self.plugin.id).inc()
                work.failed(chunk[0], error)
        return []

    def _try(self, work: Work[T], chunk: Sequence[T]) -> str | None:
        """Hand a chunk over; a single item is tried up to three times.

        Returns:
            None, or what went wrong, in words that may quote data.
        """
        if self._careful and self._careful.exceeded(self.plugin.id, work.name(chunk[0])):
            return f"the worker stopped or was stopped {ATTEMPTS} times while handling it"
        attempts = ATTEMPTS if len(chunk) == 1 else 1
        while True:
            remaining: Sequence[T] = chunk
            while remaining:
                tried = remaining
                outcome = call(self.plugin.id, lambda: self._call(work, tried))  # noqa: B023 - called at once
                SECONDS.labels(self.plugin.id).observe(outcome.seconds)
                if outcome.error is not None:
                    break
                remaining = outcome.value or ()
            else:
                return None
            attempts -= 1
            if is_transient(outcome.error) or isinstance(outcome.error, BrokenTurnError):
                raise outcome.error
            if attempts == 0:
                if len(chunk) == 1:
                    self._report(work.name(chunk[0]), outcome.error)
                return f"{type(outcome.error).__name__}: {outcome.error}".replace("\0", "")[:2000]

    def _call(self, work: Work[T], items: Sequence[T]) -> Sequence[T] | None:
        store = self.opened.tenant.store
        depth = max(map(work.depth, items))
        try:
            with self.opened.scope.plugin_call(), self._watch.busy(tenant=store.slug, plugin=self.plugin.id):
                context = self.opened.context(self.plugin, cause=Cause(None, depth))
                remaining = work.run(context, items)
                if remaining is not None:
                    raise _Changed
                emitted = context.take()
        except _Changed:
            return remaining
        if self._careful:
            self.opened.scope.require_tenant()
        self.emitted += emitted
        return None

    def _report(self, what: str, error: Exception) -> None:
        logger.error(
            "dead letter",
            tenant=self.opened.tenant.store.slug,
            plugin=self.plugin.id,
            what=what,
            error=brief(error),
        )


class _Changed(Exception):  # noqa: N818 - undoes a savepoint
    """Some of the items are not there any more."""


def is_transient(error: Exception) -> bool:
    """Whether trying again may help: a deadlock, a timeout, a serialization failure or a lost connection."""
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return is_lost(error) or (state is not None and (state[:2] in {"40", "53"} or state in {"55P03", "57014"}))


def is_unlucky(error: Exception) -> bool:
    """Whether it met another transaction and gave way; that says nothing about what it was doing."""
    return isinstance(error, DBAPIError) and (getattr(error.orig, "sqlstate", None) or "")[:2] == "40"
