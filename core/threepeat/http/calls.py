"""One authenticated call in one tenant's transaction; commits before the answer leaves."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Header, Request, Response
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from threepeat.database.engine import Scope, Timeouts
from threepeat.database.faults import fault_point
from threepeat.events.opened import OpenTenant
from threepeat.events.platform import Platform
from threepeat.http import faults
from threepeat.http.callers import Known
from threepeat.http.problems import problem
from threepeat.tenancy import keys, members
from threepeat.tenancy.entering import enter
from threepeat.tenancy.errors import NotAllowed, NotFound
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied, KeyScope, MemberToken, ParsedKey
from threepeat.tenancy.tenants import Tenant

T = TypeVar("T")

MAX_KEY = 255

BEGIN = text("""
    INSERT INTO core.idempotency (tenant_id, principal, key, request_hash, member_id)
    VALUES (:tenant, :principal, :key, :hash, :member) ON CONFLICT DO NOTHING
""")
STORED = text("""
    SELECT request_hash, status, content_type, body FROM core.idempotency
    WHERE tenant_id = :tenant AND principal = :principal AND key = :key
""")
KEEP = text("""
    UPDATE core.idempotency SET status = :status, content_type = :content_type, body = :body
    WHERE tenant_id = :tenant AND principal = :principal AND key = :key
""")

bearer = HTTPBearer(auto_error=False, description="An API key (`tp_live_…`) or a member token.")
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY,
        description="Repeat it to get the same answer again.",
    ),
]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    Attributes:
        principal: Unique in the tenant: `key:{id}` or `member:{id}`.
        scopes: What an API key may do; empty for a member.
        member_id: The member, if one calls.
    """

    principal: str
    scopes: frozenset[KeyScope]
    member_id: int | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request inside its tenant's open transaction.

    Attributes:
        opened: What every context that the request needs shares.
    """

    platform: Platform
    scope: Scope
    tenant: Tenant
    caller: Caller
    opened: OpenTenant = field(init=False)

    def __post_init__(self) -> None:
        """Open the tenant once for all that follows."""
        object.__setattr__(self, "opened", self.platform.inside(self.scope, self.tenant))


def credential(request: Request) -> str:
    """The bearer credential of a request.

    Raises:
        Denied: There is none.
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value.strip():
        raise Denied
    return value.strip()


def presented(request: Request, keyring: Keyring) -> ParsedKey | MemberToken:
    """What a request shows: a member token that the edge has proved already, or its credential, read anew.

    Raises:
        Denied: There is none, it is malformed or has expired.
    """
    known: Known | None = request.scope.get("threepeat.known")
    if known is not None and known.token is not None:
        return keys.unexpired(known.token)
    return keys.read(keyring, credential(request))


def note(request: Request, **fields: str) -> None:
    """Add fields to the request's log line."""
    request.scope.setdefault("threepeat.log", {}).update(fields)


def require(caller: Caller, wanted: frozenset[KeyScope]) -> None:
    """Refuse a caller whose key has none of the wanted scopes.

    Raises:
        NotAllowed: So it is; the message names the scopes.
    """
    if not caller.scopes & wanted:
        raise NotAllowed(f"this needs an API key with the scope {' or '.join(sorted(wanted))}")


@contextmanager
def open_call(
    platform: Platform,
    shown: ParsedKey | MemberToken,
    *,
    command: bool = False,
    timeouts: Timeouts | None = None,
) -> Iterator[Call]:
    """Check a credential and open its tenant's transaction, in that transaction.

    Args:
        shown: The credential, as it was read.
        command: It will change something; a merge or an erasure of a calling member waits until it is done.
        timeouts: How long the transaction may take over one step.

    Raises:
        Denied: The credential is not valid, or its member is erased.
        NotAllowed: The tenant is suspended.
    """
    with platform.database.outside(shown.tenant_id) as scope:
        member = isinstance(shown, MemberToken)
        try:
            tenant = enter(scope, timeouts=timeouts, by_keys=command or member, still=command and member)
        except NotFound:
            raise Denied from None
        if isinstance(shown, ParsedKey):
            caller = Caller(f"key:{shown.id}", keys.check_key(scope, platform.keyring, shown))
        else:
            member_id = members.current(scope, shown.member_id, hold=command)
            if member_id is None:
                raise Denied
            if command:
                # Before any savepoint, with which the lock could be given back.
                scope.held.add(member_id)
            caller = Caller(f"member:{member_id}", frozenset(), member_id, shown.external_id)
        # Only a proved caller may learn that the store is there and suspended.
        if tenant.suspended_at is not None:
            raise NotAllowed("this store is suspended; ask the operator")
        yield Call(platform, scope, tenant, caller)


class Door:
    """Runs handlers inside a call; the app has one.

    Attributes:
        platform: What serves.
        timeouts: How long a transaction may take over one step.
    """

    def __init__(self, platform: Platform, timeouts: Timeouts | None = None) -> None:
        self.platform = platform
        self.timeouts = timeouts

    def manage(self, request: Request, work: Callable[[Call], T]) -> T:
        """Run work for an API key with the scope manage."""
        return self._keyed(request, frozenset({KeyScope.MANAGE}), work)

    def read(self, request: Request, work: Callable[[Call], T]) -> T:
        """Run work for an API key that may read."""
        return self._keyed(request, frozenset({KeyScope.READ, KeyScope.MANAGE}), work)

    def member(self, request: Request, work: Callable[[Call], T], *, hold: bool = True) -> T:
        """Run work for a member token.

        Args:
            hold: A command lets merges and erasures of the member wait; off for one that erases the member itself.
        """

        def checked(call: Call) -> T:
            if call.caller.member_id is None:
                raise NotAllowed("this needs a member token, not an API key")
            return work(call)

        return self._run(request, checked, command=hold and request.method not in {"GET", "HEAD"})

    def server(self, request: Request, work: Callable[[Call], T]) -> T:
        """Run work for the shop's own server: an API key that may send events or manage."""
        return self._keyed(request, frozenset({KeyScope.INGEST, KeyScope.MANAGE}), work)

    def buyer(self, request: Request, work: Callable[[Call], T]) -> T:
        """Run work for the shop's own server or for a member."""

        def checked(call: Call) -> T:
            if call.caller.member_id is None:
                require(call.caller, frozenset({KeyScope.INGEST, KeyScope.MANAGE}))
            return work(call)

        return self._run(request, checked, command=request.method not in {"GET", "HEAD"})

    def _keyed(self, request: Request, wanted: frozenset[KeyScope], work: Callable[[Call], T]) -> T:
        def checked(call: Call) -> T:
            require(call.caller, wanted)
            return work(call)

        return self._run(request, checked)

    def _run(self, request: Request, work: Callable[[Call], T], *, command: bool = False) -> T:
        """Run work in a transaction, and once more if it met another one and was undone."""
        try:
            return self._attempt(request, work, command=command)
        except OperationalError as error:
            if not isinstance(error.orig, faults.UNLUCKY):
                raise
            note(request, repeated=type(error.orig).__name__)
        return self._attempt(request, work, command=command)

    def _attempt(self, request: Request, work: Callable[[Call], T], *, command: bool) -> T:
        shown = presented(request, self.platform.keyring)
        with open_call(self.platform, shown, command=command, timeouts=self.timeouts) as call:
            note(request, tenant=call.tenant.store.slug)
            answer = work(call)
            if command:
                fault_point("command.done")
        if command:
            fault_point("command.committed")
        return answer


def once(call: Call, key: str | None, request: Mapping[str, Any], work: Callable[[], Any]) -> Response:
    """Run a command once per idempotency key; a repeat gets the stored answer, byte for byte.

    The key's row is part of the command's own transaction: there is no half-done state to clean up, and
    a command that is refused leaves no key behind.

    Args:
        call: The open call.
        key: The caller's `Idempotency-Key`, if it sent one.
        request: What the command was asked to do; the same key with another request is refused.
        work: Does it and returns what is answered as JSON.
    """
    if key is None:
        return JSONResponse(jsonable_encoder(work()))
    principal = call.caller.principal
    digest = sha256(repr(sorted(request.items())).encode("utf-8", "surrogatepass")).digest()
    begun = call.scope.count(BEGIN, principal=principal, key=key, hash=digest, member=call.caller.member_id)
    if not begun:
        row = call.scope.run(STORED, principal=principal, key=key)[0]
        if bytes(row.request_hash) != digest:
            return problem(
                422,
                "idempotency-key-reused",
                "The key belongs to another request",
                "Send a new Idempotency-Key for a new request.",
            )
        return Response(
            row.body, row.status, media_type=row.content_type, headers={"Idempotency-Replayed": "true"}
        )
    answer = JSONResponse(jsonable_encoder(work()))
    call.scope.run(
        KEEP,
        principal=principal,
        key=key,
        status=answer.status_code,
        content_type=answer.media_type,
        body=bytes(answer.body),
    )
    return answer


async def door(request: Request) -> Door:
    """The app's door; asynchronous, or a thread would be asked for it."""
    return cast("Door", request.app.state.door)


AppDoor = Annotated[Door, Depends(door)]
