"""Says what a worker is doing at the moment, so that a supervisor can see from outside who holds it."""

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawValue

NAME = 64  # a tenant's slug has at most 63 characters, a plugin's id fewer


class Watch:
    """Is told when a call into a plugin begins and ends; this one does nothing with it."""

    @contextmanager
    def busy(self, *, tenant: str, plugin: str) -> Iterator[None]:
        """Surrounds a call into a plugin.

        Args:
            tenant: Slug of the tenant it works for.
            plugin: Its id.
        """
        del tenant, plugin
        yield


@dataclass(frozen=True, slots=True)
class Busy:
    """A call into a plugin that has not come back.

    Attributes:
        tenant: Slug of the tenant.
        plugin: The plugin's id.
        seconds: Since when, counted from the outermost call.
    """

    tenant: str
    plugin: str
    seconds: float


class _Mark(ctypes.Structure):
    _fields_ = (
        ("since", ctypes.c_double),  # monotonic seconds, the same clock in every process; 0 is nothing
        ("tenant", ctypes.c_char * NAME),
        ("plugin", ctypes.c_char * NAME),
    )


class ChildWatch(Watch):
    """Writes to memory that a worker process shares with its supervisor.

    It can be handed to a child process as it is; what the child was doing when it died stays readable. It is
    made for one thread.
    """

    def __init__(self) -> None:
        self._mark: _Mark = RawValue(_Mark)

    @contextmanager
    def busy(self, *, tenant: str, plugin: str) -> Iterator[None]:
        """Surrounds a call into a plugin; a call inside it does not start the clock again."""
        mark = self._mark
        since, outer = mark.since, (mark.tenant, mark.plugin)
        mark.tenant, mark.plugin = tenant.encode()[:NAME], plugin.encode()[:NAME]
        mark.since = since or time.monotonic()
        try:
            yield
        finally:
            mark.since = since
            mark.tenant, mark.plugin = outer

    def look(self) -> Busy | None:
        """What the process is busy with, or was when it died; None outside of plugins."""
        mark = self._mark
        since = mark.since
        tenant, plugin = mark.tenant.decode(errors="replace"), mark.plugin.decode(errors="replace")
        if not since or mark.since != since:
            return None
        return Busy(tenant, plugin, time.monotonic() - since)

    def clear(self) -> None:
        """Forget what a dead process was doing."""
        self._mark.since = 0.0
