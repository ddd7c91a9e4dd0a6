"""Who calls the operator API: keys proved before a body is parsed, limits for each, transactions inside."""

import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request, Response
from fastapi.security import HTTPBearer
from sqlalchemy import Connection, text
from starlette.concurrency import run_in_threadpool

from threepeat.database.engine import Scope
from threepeat.events.platform import Platform
from threepeat.http import bodies, problems
from threepeat.http.bodies import TooLargeError
from threepeat.http.calls import Call, Caller, credential, note
from threepeat.http.config import HttpConfig
from threepeat.http.limits import Bucket, Recent
from threepeat.http.paths import SegmentRoute
from threepeat.tenancy import tenants
from threepeat.tenancy.keys import Denied
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.accounts import operator_keys

T = TypeVar("T")

REQUESTS_PER_SECOND = 20
"""With one key, in one process."""
LOOKUPS_PER_SECOND = 10
"""Of keys that are new here, good or bad, of all callers together."""
REFUSED_SECONDS = 10.0
MOST = 4096
STATEMENT_MS = 30_000

TIMEOUT = text("SELECT set_config('statement_timeout', :ms, true)")

bearer = HTTPBearer(auto_error=False, description="An operator's key (`tp_op_…`).")


class TurnedAwayError(Exception):
    """A limit keeps the request out.

    Attributes:
        response: For the caller.
    """

    def __init__(self, response: Response) -> None:
        super().__init__("turned away")
        self.response = response


@dataclass(frozen=True, slots=True)
class Visit:
    """An authenticated call in an open transaction of the ops role.

    Attributes:
        by: Who calls, for the audit trail.
    """

    platform: Platform
    ops: Connection
    by: str

    def tenant(self, slug: str) -> Tenant:
        """A store by its short name.

        Raises:
            NotFound: There is none.
        """
        return tenants.by_slug(self.ops, slug)

    def call(self, tenant: Tenant) -> Call:
        """A store in this transaction, for a command that runs once per idempotency key."""
        return Call(self.platform, Scope(self.ops, tenant.id), tenant, Caller(self.by, frozenset()))


class OperatorDoor:
    """Proves operator keys, limits them and opens their transactions; the app has one.

    What is remembered belongs to the event loop's thread; each call proves its key again in its own transaction,
    so that a revoked key stops at once.
    """

    def __init__(self, platform: Platform, config: HttpConfig) -> None:
        self.platform = platform
        self._timeouts = config.timeouts
        self._known: Recent[bytes, Bucket] = Recent(MOST)
        self._refused: Recent[bytes, float] = Recent(MOST)
        self._lookups = Bucket(LOOKUPS_PER_SECOND, time.monotonic())

    async def admit(self, request: Request) -> None:
        """Let a request in, before its body is looked at.

        Raises:
            Denied: The key is nobody's.
            TurnedAwayError: It comes too often.
        """
        value = credential(request)
        digest, now = blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).digest(), time.monotonic()
        bucket = self._known.get(digest)
        if bucket is None:
            until = self._refused.get(digest)
            if until is not None and now < until:
                raise Denied
            _charge(request, self._lookups, now, "many new keys are being looked up")
            try:
                await run_in_threadpool(self._prove, value)
            except Denied:
                self._refused.put(digest, now + REFUSED_SECONDS)
                raise
            bucket = self._known.put(digest, Bucket(REQUESTS_PER_SECOND, now))
        _charge(request, bucket, now, f"This key may send {REQUESTS_PER_SECOND} requests per second.")

    def forget(self, request: Request) -> None:
        """The key was refused by the call itself: it is looked up again next time."""
        value = credential(request)
        self._known.drop(blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).digest())

    def _prove(self, value: str) -> None:
        with self.platform.database.ops.begin() as ops:
            operator_keys.check(ops, self.platform.keyring, value)

    @contextmanager
    def open(self, request: Request) -> Iterator[Visit]:
        """Prove the key and open a transaction of the ops role.

        Raises:
            Denied: The key is nobody's.
        """
        with self.platform.database.ops.begin() as ops:
            key = operator_keys.check(ops, self.platform.keyring, credential(request))
            ops.execute(TIMEOUT, {"ms": f"{STATEMENT_MS}ms"})
            note(request, operator_key=key.id)
            yield Visit(self.platform, ops, key.by)

    def run(self, request: Request, work: Callable[[Visit], T]) -> T:
        """Run work in a transaction of the ops role."""
        with self.open(request) as visit:
            return work(visit)

    def inside(self, request: Request, slug: str, work: Callable[[Call], T]) -> T:
        """Run work in a transaction of the app role inside a store, suspended or not."""
        with self.open(request) as visit:
            tenant, by = visit.tenant(slug), visit.by
        note(request, tenant=tenant.store.slug)
        with self.platform.database.tenant(
            tenant.id, clock_offset=tenant.clock_offset, timeouts=self._timeouts
        ) as scope:
            return work(Call(self.platform, scope, tenant, Caller(by, frozenset())))


class OperatorRoute(SegmentRoute):
    """A route that only an operator's key opens; its body is looked through as the edge does for other keys."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Admit, look through, handle."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            door = operator_door(request)
            try:
                await door.admit(request)
                body = await request.body()
                if body:
                    _require_json(request)
                    bodies.look_through(body)
            except TurnedAwayError as away:
                return away.response
            except TooLargeError as error:
                return problems.too_large(str(error))
            try:
                return await handle(request)
            except Denied:
                door.forget(request)
                raise

        return guarded


def operator_door(request: Request) -> OperatorDoor:
    """The app's door for operators."""
    return cast("OperatorDoor", request.app.state.operator_door)


async def _door(request: Request) -> OperatorDoor:
    return operator_door(request)


AppDoor = Annotated[OperatorDoor, Depends(_door)]
"""Asked for asynchronously: a plain function would be asked in a thread."""


def _charge(request: Request, bucket: Bucket, now: float, detail: str) -> None:
    seconds = bucket.wait(now)
    if seconds:
        problems.refused(request.scope, "operator-requests")
        raise TurnedAwayError(problems.rate_limited(detail, seconds=seconds))
    bucket.take(1)


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not bodies.JSON.fullmatch(kind):
        detail = f"Send JSON and say so: Content-Type is {kind!r} and should be 'application/json'."
        raise TurnedAwayError(problems.unsupported(detail))
