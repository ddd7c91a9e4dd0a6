"""Where a request belongs: which lane it runs in, whose limits count, and what its body may be.

Requests with events, all other calls of the API, and pages run apart, so that none can starve the others. What
is not behind a credential has a lane of its own, too, and health has none: nothing keeps it out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.types import Scope

from threepeat.http.config import HttpConfig
from threepeat.http.limits import Gate, Lane

OPEN = 4
"""Requests to what is open to everybody that run at a time."""
HEALTH = frozenset({"/healthz", "/readyz", "/metrics"})
EVENTS = "/v1/events"
MEMBER = "/v1/me"
PLUGINS = "/v1/plugins"
API = "/v1/"


@dataclass(frozen=True, slots=True)
class Stop:
    """What an address asks of the edge.

    Attributes:
        prefix: The first two segments, or `unmatched`: names the place where no route is known yet.
        lane: Where it runs; None for health.
        guarded: A bearer credential opens it.
        events: It carries events, which have limits of their own.
        page: People look at it; whoever it is, is looked up behind the edge.
        gates: Further gates, such as a plugin's.
    """

    prefix: str
    lane: Lane | None
    guarded: bool = False
    events: bool = False
    page: bool = False
    gates: tuple[Gate, ...] = ()

    @property
    def plain(self) -> bool:
        """Whether the body is looked through at the edge; events are looked through one by one."""
        return self.guarded and not self.events


class Lanes:
    """The lanes of one process.

    A third of the connections is for pages, the others are for calls. A quarter of those in turn is out of the
    plugins' reach: however many of them hang, core's own routes answer. What is open to everybody below `/v1`
    needs no connection.

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
        shown = max(1, connections // 3)
        calls = Lane(
            "calls",
            max(1, connections - shown),
            tenant_cap=config.tenant_calls,
            room=room,
            seconds=seconds,
        )
        ingest = Lane("ingest", config.ingest_pool, tenant_cap=config.tenant_ingest, room=room, seconds=seconds)
        pages = Lane("pages", shown, tenant_cap=shown, room=room, seconds=seconds)
        unguarded = Lane("open", OPEN, tenant_cap=OPEN, room=room, seconds=seconds)
        self.threads = calls.gate.cap + shown + OPEN
        together = Gate("plugins", max(1, calls.gate.cap - max(1, calls.gate.cap // 4)), 4 * room)
        self._health = Stop("health", None)
        self._open = Stop("unmatched", unguarded)
        self._page = Stop("page", pages, page=True)
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
        return found or (self._open if path.startswith(API) else self._page)
