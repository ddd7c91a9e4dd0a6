"""Where a request belongs: which lane it runs in, whose limits count, and what its body may be.

Requests with events and all others ("calls") run apart, so that neither can starve the other. What is not
behind a credential (sign-in, pages, unknown addresses) has a lane of its own, and health has none: nothing
keeps it out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Scope

from threepeat.http.config import HttpConfig
from threepeat.http.limits import Gate, Lane

HEALTH = frozenset({"/healthz", "/readyz", "/metrics"})
EVENTS = "/v1/events"
MEMBER = "/v1/me"
PLUGINS = "/v1/plugins"


@dataclass(frozen=True, slots=True)
class Stop:
    """What an address asks of the edge.

    Attributes:
        prefix: The first two segments, or `unmatched`: names the place where no route is known yet.
        lane: Where it runs; None for health.
        guarded: A bearer credential opens it.
        events: It carries events, which have limits of their own.
        gates: Further gates, such as a plugin's.
    """

    prefix: str
    lane: Lane | None
    guarded: bool = False
    events: bool = False
    gates: tuple[Gate, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the body is looked through at the edge; events are looked through one by one."""
        return self.guarded and not self.events


class Lanes:
    """The lanes of one process.

    A quarter of the connections is for what is not behind a credential, the others are for calls. A quarter of
    those in turn is out of the plugins' reach: however many of them hang, core's own routes answer.

    Args:
        config: The limits.
        connections: The size of the pool that calls draw from.
        guarded: Prefixes of two segments that a bearer credential opens, such as `/v1/members`.
        plugins: The ids of the plugins.
    """

    def __init__(
        self, config: HttpConfig, connections: int, guarded: Iterable[str], plugins: Iterable[str]
    ) -> None:
        seconds, room = config.wait_ms / 1000, config.queue
        spare = max(1, connections // 4)
        self.threads = max(1, connections - spare) + spare
        calls = Lane(
            "calls",
            max(1, connections - spare),
            tenant_cap=config.tenant_calls,
            room=room,
            seconds=seconds,
        )
        ingest = Lane("ingest", config.ingest_pool, tenant_cap=config.tenant_ingest, room=room, seconds=seconds)
        unguarded = Lane("open", spare, tenant_cap=spare, room=room, seconds=seconds)
        together = Gate("plugins", max(1, calls.gate.cap - max(1, calls.gate.cap // 4)), 4 * room)
        self._health = Stop("health", None)
        self._open = Stop("unmatched", unguarded)
        self._stops = {prefix: Stop(prefix, calls, guarded=True) for prefix in guarded}
        self._stops[EVENTS] = Stop(EVENTS, ingest, guarded=True, events=True)
        self._plugins: dict[str, dict[str, Stop]] = {MEMBER: {}, PLUGINS: {}}
        for plugin in plugins:
            gates = (Gate(f"plugin-{plugin}", config.plugin_calls, room), together)
            for prefix, stops in self._plugins.items():
                stops[plugin] = Stop(prefix, calls, guarded=True, gates=gates)

    def stop(self, scope: Scope) -> Stop:
        """What the address of a request asks."""
        path: str = scope["path"]
        if scope.get("root_path"):
            path = path.removeprefix(scope["root_path"])
        if path in HEALTH:
            return self._health
        parts = path.split("/", 4)
        prefix = "/".join(parts[:3])
        found = self._stops.get(prefix)
        if len(parts) > 3 and prefix in self._plugins:
            return self._plugins[prefix].get(parts[3], found or self._open)
        return found or self._open
