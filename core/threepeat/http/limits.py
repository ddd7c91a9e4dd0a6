"""Token buckets, gates and budgets: how often, how many at once, how much. They count in this process alone.

Everything here belongs to the event loop's thread and takes no lock.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

BURST_SECONDS = 2
"""A bucket holds what flows in within this time."""


class Bucket:
    """Tokens that flow in at a steady rate.

    One passes while there is a whole token; what it then costs may leave a debt, which later ones wait out.
    So a cost that is only known after the passing is still paid, and no cost is too large to ever pass.

    Args:
        rate: Tokens per second, above 0.
        now: The monotonic time in seconds.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self.burst = max(rate * BURST_SECONDS, 1.0)
        self._tokens = self.burst
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until the next one may pass; 0 if it may pass now."""
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self.rate

    def take(self, cost: float) -> None:
        """Pay for one that has passed."""
        self._tokens -= cost


class Recent(Generic[K, V]):
    """The entries that were used last; the one that was not used for the longest time makes room."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """The entry, which counts as used now."""
        found = self._entries.get(key)
        if found is not None:
            self._entries.move_to_end(key)
        return found

    def put(self, key: K, value: V) -> V:
        """Keep an entry and return it."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return value

    def drop(self, key: K) -> None:
        """Forget an entry."""
        self._entries.pop(key, None)


@dataclass(slots=True, eq=False)
class Gate:
    """So many at a time, and so many that wait.

    Attributes:
        name: What the refused are told by metrics and logs, such as `tenant-calls`.
    """

    name: str
    cap: int
    room: int
    running: int = 0
    waiting: int = 0


class FullError(Exception):
    """No turn came in time, or too many wait already.

    Attributes:
        gate: The gate that was shut.
    """

    def __init__(self, gate: Gate) -> None:
        super().__init__(gate.name)
        self.gate = gate


class Lobby:
    """Lets those in for whom every one of their gates has room; the others wait, and hold nothing meanwhile.

    Who waits for a shut gate keeps nobody from another: first come, first served holds per gate.

    Args:
        seconds: How long one waits at most.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: dict[asyncio.Future[None], Sequence[Gate]] = {}

    async def enter(self, gates: Sequence[Gate]) -> None:
        """Pass all gates at once; whoever returns from here has to `leave`.

        Raises:
            FullError: It was no use; nothing is held.
        """
        shut = _shut(gates)
        if shut is None:
            for gate in gates:
                gate.running += 1
            return
        if any(gate.waiting >= gate.room for gate in gates) or not await self._turn(gates):
            raise FullError(_shut(gates) or shut)

    async def _turn(self, gates: Sequence[Gate]) -> bool:
        """Wait to be let in; whether it came to that."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = gates
        for gate in gates:
            gate.waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if turn not in self._waiting:
                self.leave(gates)
            raise
        finally:
            left_out = self._waiting.pop(turn, None) is not None
            if left_out:
                for gate in gates:
                    gate.waiting -= 1
        return not left_out

    def leave(self, gates: Sequence[Gate]) -> None:
        """Make room, and let in who waited for it."""
        for gate in gates:
            gate.running -= 1
        if self._waiting:
            self._admit()

    def _admit(self) -> None:
        for turn, wanted in list(self._waiting.items()):
            if not turn.done() and _shut(wanted) is None:
                del self._waiting[turn]
                for gate in wanted:
                    gate.waiting -= 1
                    gate.running += 1
                turn.set_result(None)


def _shut(gates: Sequence[Gate]) -> Gate | None:
    for gate in gates:
        if gate.running >= gate.cap:
            return gate
    return None


class Lane:
    """Requests that share the same means, such as a connection pool; each tenant gets only a part of it.

    Args:
        name: `calls`, `ingest` or `open`.
        cap: How many run at a time.
        tenant_cap: How many of one tenant.
        room: How many of one tenant may wait; of all together four times as many.
        seconds: How long one waits at most.
    """

    def __init__(self, name: str, cap: int, *, tenant_cap: int, room: int, seconds: float) -> None:
        self.name = name
        self.gate = Gate(name, cap, 4 * room)
        self._tenant_cap = tenant_cap
        self._room = room
        self._lobby = Lobby(seconds)
        self._tenants: dict[int, Gate] = {}

    async def enter(self, tenant_id: int | None, *more: Gate) -> "Place":
        """Take a place.

        Args:
            tenant_id: Whose request it is; None for one that belongs to no tenant.
            more: Further gates, such as the plugin's.

        Raises:
            FullError: It was no use; nothing is held.
        """
        if tenant_id is None:
            gates: tuple[Gate, ...] = (*more, self.gate)
        else:
            own = self._tenants.get(tenant_id)
            if own is None:
                own = self._tenants[tenant_id] = Gate(f"tenant-{self.name}", self._tenant_cap, self._room)
            gates = (own, *more, self.gate)
        try:
            await self._lobby.enter(gates)
        except BaseException:
            self._tidy(tenant_id)
            raise
        return Place(self, tenant_id, gates)

    def leave(self, place: "Place") -> None:
        """Give a place back."""
        self._lobby.leave(place.gates)
        self._tidy(place.tenant_id)

    def _tidy(self, tenant_id: int | None) -> None:
        own = self._tenants.get(tenant_id) if tenant_id is not None else None
        if tenant_id is not None and own is not None and not own.running and not own.waiting:
            del self._tenants[tenant_id]


@dataclass(slots=True)
class Place:
    """One request's place in a lane; given back once, however often it is asked to."""

    lane: Lane
    tenant_id: int | None
    gates: tuple[Gate, ...]
    held: bool = True

    def leave(self) -> None:
        """Give it back."""
        if self.held:
            self.held = False
            self.lane.leave(self)


class Budget:
    """Bytes that may be held at a time, by all together and by each tenant.

    Args:
        most: Bytes in all; one tenant may hold a quarter.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.share = most // 4
        self.held = 0
        self._by: dict[int, int] = {}

    def take(self, tenant_id: int, size: int) -> bool:
        """Hold more bytes for a tenant; whether that many may be held. What is refused is not held."""
        own = self._by.get(tenant_id, 0) + size
        if own > self.share or self.held + size > self.most:
            return False
        self._by[tenant_id] = own
        self.held += size
        return True

    def free(self, tenant_id: int, size: int) -> None:
        """Let go of bytes."""
        self.held -= size
        own = self._by.get(tenant_id, 0) - size
        if own > 0:
            self._by[tenant_id] = own
        else:
            self._by.pop(tenant_id, None)
