"""The edge of the app: what every request passes before it gets a thread, a connection or a transaction.

In this order, cheapest first: who is it, may it come now, is the body of a kind that is taken, is it there in
time, does it hold what no route may meet, is there a place. A body is read before its request takes a place,
so that a slow sender holds nothing that others wait for.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from fastapi import Response
from prometheus_client import Histogram
from psycopg import Error
from psycopg_pool import PoolTimeout
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from threepeat.events.incoming import Malformed
from threepeat.http import bodies, callers, problems
from threepeat.http.bodies import HungUpError, TooLargeError, TooSlowError
from threepeat.http.callers import Callers, Known
from threepeat.http.config import HttpConfig
from threepeat.http.lanes import Lanes, Stop
from threepeat.http.limits import Bucket, Budget, FullError, Gate, Place, Recent
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.keys import Denied

SECONDS = Histogram("threepeat_http_seconds", "Time to answer.", ["method", "route", "status"])

HUNG_UP = 499
DELAY_SECONDS = 0.1
MOST_DELAYED = 1000
MOST_ADDRESSES = 65_536
LOG_SECONDS = 1.0
NOBODY = 0
"""Stands for no tenant where bytes are counted."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""What every answer says to a browser unless it has its own word for it: it is data, and the asker's."""

logger = structlog.get_logger(__name__)


class TurnedAway(Exception):  # noqa: N818 - an answer, not a programming error
    """The request goes no further.

    Attributes:
        reason: For metrics and logs.
        response: For the caller.
    """

    def __init__(self, reason: str, response: Response) -> None:
        super().__init__(reason)
        self.reason = reason
        self.response = response


@dataclass(slots=True)
class Visit:
    """A request at the edge and what it holds."""

    scope: Scope
    stop: Stop
    headers: Mapping[bytes, bytes]
    status: int = 500
    answered: bool = False
    known: Known | None = None
    held: int = 0
    place: Place | None = None
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def tenant_id(self) -> int:
        """Whose request it is, as far as is proved."""
        return self.known.tenant_id if self.known else NOBODY


@dataclass(slots=True)
class _Line:
    """When a kind of refusal was logged last, and how often it was not since."""

    at: float
    unsaid: int = 0


class Edge:
    """Limits, times and logs requests; by route, never by address: an address may name a member.

    Args:
        app: What comes behind.
        config: The limits.
        callers: Who is who.
        lanes: Where each address belongs.
    """

    def __init__(self, app: ASGIApp, *, config: HttpConfig, callers: Callers, lanes: Lanes) -> None:
        self._app = app
        self._config = config
        self._callers = callers
        self._lanes = lanes
        self._budget = Budget(config.max_bodies)
        self._headers = HEADERS | _transport(config.hsts_seconds)
        self._delayed = 0
        self._addresses: Recent[str, Bucket] = Recent(MOST_ADDRESSES)
        self._logged: Recent[tuple[str, int], _Line] = Recent(4096)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        visit = Visit(scope, self._lanes.stop(scope), _headers(scope))
        scope["threepeat.log"] = visit.fields

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.status, visit.answered = message["status"], True
                given = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    given.setdefault(name, value)
                # The work is done, its transaction over: a slow reader of the answer keeps nobody waiting.
                self._leave(visit)
            await send(message)

        try:
            if visit.stop.lane is None:
                await self._app(scope, receive, noted)
            else:
                await self._pass(visit, receive, noted)
        except HungUpError:
            visit.status = HUNG_UP
        except Exception as error:
            if visit.answered:
                raise
            # Answered here, and not raised on: the server would log its text, which may be about somebody.
            await problems.unexpected(error)(scope, receive, noted)
        finally:
            self._leave(visit)
            self._note(visit, time.perf_counter() - began)

    async def _pass(self, visit: Visit, receive: Receive, send: Send) -> None:
        try:
            receive = await self._admit(visit, receive)
        except TurnedAway as away:
            problems.refused(visit.scope, away.reason)
            if visit.known is not None:
                visit.fields["tenant_id"] = str(visit.known.tenant_id)
            await away.response(visit.scope, receive, send)
        except Denied:
            problems.refused(visit.scope, "denied")
            await problems.denied()(visit.scope, receive, send)
        else:
            await self._app(visit.scope, receive, send)
            if visit.status == 401 and visit.known is not None:
                self._callers.forget(visit.known)

    async def _admit(self, visit: Visit, receive: Receive) -> Receive:
        """Let a request in.

        Returns:
            The channel on which the app receives it.

        Raises:
            Denied: The credential is nobody's.
            TurnedAway: A limit keeps it out.
            HungUpError: The sender is gone.
        """
        if visit.stop.guarded:
            visit.known = visit.scope["threepeat.known"] = await self._prove(visit)
            await self._charge(visit, visit.known)
        elif visit.stop.page and self._config.page_requests:
            await self._charge_address(visit)
        if _has_body(visit.headers):
            _check_kind(visit)
            body = await self._read(visit, receive)
            if visit.stop.plain and body:
                _look_through(body)
            receive = bodies.replay(body, receive)
        await self._enter(visit)
        return receive

    async def _prove(self, visit: Visit) -> Known:
        scheme, _, credential = visit.headers.get(b"authorization", b"").partition(b" ")
        credential = credential.strip()
        if scheme.lower() != b"bearer" or not credential:
            raise Denied
        try:
            return await self._callers.prove(credential)
        except FullError as error:
            raise TurnedAway(error.gate.name, problems.busy("many new keys are being looked up")) from None
        except (Error, PoolTimeout) as error:
            logger.warning("no credential can be looked up", kind=type(error).__name__)
            raise TurnedAway("database", problems.busy("the database does not answer")) from None

    async def _charge(self, visit: Visit, known: Known) -> None:
        """Let pass, or not. What a request with events costs beyond the first is charged when they are counted."""
        limits = known.events if visit.stop.events else known.requests
        found = callers.wait(limits)
        if found is not None:
            limit, seconds = found
            bucket = limit.bucket
            whose, _, what = limit.name.partition("-")
            detail = f"This {WHOSE[whose]} may send {bucket.rate:g} {what} per second; wait {seconds:.1f} seconds."
            policy = f'"{limit.name}";q={bucket.burst:g};w={bucket.burst / bucket.rate:.0f}'
            remaining = f'"{limit.name}";r=0;t={seconds:.0f}'
            response = problems.rate_limited(detail, seconds=seconds, policy=policy, remaining=remaining)
            await self._delay()
            raise TurnedAway(limit.name, response)
        callers.charge(limits, 1)

    async def _charge_address(self, visit: Visit) -> None:
        """Let a page's request pass, or not: who asks is not known yet, only from where."""
        now, client = time.monotonic(), visit.scope.get("client")
        address = client[0] if client else ""
        bucket = self._addresses.get(address) or self._addresses.put(
            address, Bucket(self._config.page_requests, now)
        )
        seconds = bucket.wait(now)
        if seconds:
            await self._delay()
            detail = f"Too many pages are asked for from your network; wait {seconds:.1f} seconds."
            raise TurnedAway("address-requests", problems.rate_limited(detail, seconds=seconds))
        bucket.take(1)

    async def _delay(self) -> None:
        """Let who comes too often wait for its refusal: who asks without pause asks less, and costs less."""
        if self._delayed < MOST_DELAYED:
            self._delayed += 1
            try:
                await asyncio.sleep(DELAY_SECONDS)
            finally:
                self._delayed -= 1

    async def _read(self, visit: Visit, receive: Receive) -> bytes:
        most = self._config.max_body if visit.stop.events else self._config.max_call_body
        seconds = self._config.body_seconds

        def hold(size: int) -> None:
            if not self._budget.take(visit.tenant_id, size):
                detail = "many large bodies are being read; nothing was changed"
                raise TurnedAway("bodies", problems.busy(detail))
            visit.held += size

        try:
            if _announced(visit.headers) > most:
                raise TooLargeError(f"Send at most {most} bytes at a time.")
            return await bodies.receive_whole(receive, most=most, seconds=seconds, hold=hold)
        except TooLargeError as error:
            raise TurnedAway("too-large", problems.too_large(str(error))) from None
        except TooSlowError:
            raise TurnedAway("too-slow", problems.too_slow(seconds)) from None

    async def _enter(self, visit: Visit) -> None:
        lane = visit.stop.lane
        assert lane is not None  # noqa: S101 - health does not come here
        try:
            tenant_id = visit.known.tenant_id if visit.known else None
            visit.place = await lane.enter(tenant_id, *visit.stop.gates)
        except FullError as error:
            raise TurnedAway(error.gate.name, _full(error.gate)) from None

    def _leave(self, visit: Visit) -> None:
        if visit.place is not None:
            visit.place.leave()
        if visit.held:
            self._budget.free(visit.tenant_id, visit.held)
            visit.held = 0

    def _note(self, visit: Visit, seconds: float) -> None:
        route = getattr(visit.scope.get("route"), "path", visit.stop.prefix)
        method, status = visit.scope["method"], visit.status
        SECONDS.labels(method, route, status).observe(seconds)
        more = self._unsaid(visit)
        if more is not None:
            ms = round(seconds * 1000, 1)
            logger.info("request", method=method, route=route, status=status, ms=ms, **visit.fields, **more)

    def _unsaid(self, visit: Visit) -> dict[str, int] | None:
        """What to add to the log line; None for no line: a flood of refusals is one line a second and caller."""
        if "refused" not in visit.fields:
            return {}
        now, key = time.monotonic(), (visit.fields["refused"], visit.tenant_id)
        line = self._logged.get(key)
        if line is not None and now - line.at < LOG_SECONDS:
            line.unsaid += 1
            return None
        self._logged.put(key, _Line(now))
        return {"alike": line.unsaid} if line is not None and line.unsaid else {}


WHOSE = {"key": "API key", "member": "member token", "tenant": "store"}


def _transport(seconds: int) -> dict[str, str]:
    """What browsers are told of https; one that came by http does not listen."""
    return {"Strict-Transport-Security": f"max-age={seconds}; includeSubDomains"} if seconds else {}


def _headers(scope: Scope) -> Mapping[bytes, bytes]:
    """The first of each header's values, as `Request.headers` gives it."""
    return dict(reversed(scope["headers"]))


def _announced(headers: Mapping[bytes, bytes]) -> int:
    """How long the body will be; 0 if it comes in chunks."""
    length = headers.get(b"content-length", b"0")
    return int(length[:20]) if length.isdigit() else 0


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def _check_kind(visit: Visit) -> None:
    """Refuse a body that is compressed or not JSON, before any of it is read."""
    encoding = visit.headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
    if encoding not in {"", "identity"}:
        detail = f"Send the body as it is: Content-Encoding {encoding!r} is not undone."
        headers = {"Accept-Encoding": "identity"}
        raise TurnedAway("encoding", problems.unsupported(detail, headers=headers))
    if visit.stop.guarded:
        kind = visit.headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
        if not bodies.JSON.fullmatch(kind):
            detail = f"Send JSON and say so: Content-Type is {kind!r} and should be 'application/json'."
            raise TurnedAway("media-type", problems.unsupported(detail))


def _look_through(body: bytes) -> None:
    try:
        bodies.look_through(body)
    except TooLargeError as error:
        raise TurnedAway("too-large", problems.too_large(str(error))) from None
    except Malformed as error:
        raise TurnedAway("malformed", problems.malformed(error)) from None
    except Invalid as error:
        raise TurnedAway("hostile", problems.invalid(error)) from None


def _full(gate: Gate) -> Response:
    if gate.name.startswith("tenant-"):
        return problems.rate_limited(f"This store already has {gate.cap} requests running and others waiting.")
    return problems.busy("the server is busy; nothing was changed")
