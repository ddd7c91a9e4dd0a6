"""How many events of a tenant fit into a slice of time, by what its turns took."""

from collections import OrderedDict

REMEMBERED = 10_000
LEAST = 20
"""Events of a turn that are handed over however long they take."""
TOLERATED = 1.5
"""Slices that a turn may take before less is handed over: much of a turn costs the same however much is in it."""


class Pace:
    """What one worker has learnt; of whom it knows nothing, it takes as much as it may.

    Args:
        most: Events of any turn.
        slice_ms: How long a turn may take while others wait.
    """

    def __init__(self, most: int, slice_ms: int) -> None:
        self._most = most
        self._slice_ms = slice_ms
        self._fits: OrderedDict[int, int] = OrderedDict()

    def fits(self, tenant: int) -> int:
        """How many events fit."""
        return self._fits.get(tenant, self._most)

    def took(self, tenant: int, events: int, ms: float) -> None:
        """Learn from a turn of so many events and milliseconds.

        One that ended in time because no more waited says nothing of how many would fit.
        """
        allowed = self.fits(tenant)
        if ms > self._slice_ms * TOLERATED or (events >= allowed and ms < self._slice_ms):
            least = min(LEAST, self._most)
            self._fits[tenant] = min(max(int(events * self._slice_ms / max(ms, 0.1)), least), self._most)
            self._fits.move_to_end(tenant)
            if len(self._fits) > REMEMBERED:
                self._fits.popitem(last=False)
