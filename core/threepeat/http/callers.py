"""Who knocks: credentials proved before a request gets a body read, a thread or a transaction.

The proof here decides whose limits count. Each call asks again in its own transaction for the key, or for the
member of a token, so that a revoked key stops at once; only a token's signature is not checked twice. What a
store's plan allows is read with an API key, and again within a minute.
"""

import asyncio
import time
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import structlog
from psycopg import AsyncConnection, Error
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from threepeat.database.asynchronous import in_tenant
from threepeat.http.config import HttpConfig
from threepeat.http.limits import Bucket, FullError, Gate, Lobby, Recent
from threepeat.tenancy import keys
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied

MOST = 65_536
"""Credentials that are remembered, and as many bad ones."""
MOST_TENANTS = 16_384
REFUSED_SECONDS = 10
"""A bad credential is not looked up again for this long."""
CONNECTIONS = 2
PLAN_SECONDS = 60
"""What a plan allows is read again after this long."""

KEY_AND_PLAN = """
    SELECT k.secret_hash, p.requests_per_second, p.events_per_second
    FROM core.tenant t JOIN core.plan p ON p.id = t.plan
    LEFT JOIN core.api_key k ON k.tenant_id = t.id AND k.id = %s AND k.revoked_at IS NULL
    WHERE t.id = %s
"""
PLAN = """
    SELECT p.requests_per_second, p.events_per_second
    FROM core.tenant t JOIN core.plan p ON p.id = t.plan WHERE t.id = %s
"""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket and what it is called, such as `key-events`."""

    name: str
    bucket: Bucket


class Share:
    """What all callers of a store may do together: what its plan says, or else the server's own limits.

    Attributes:
        requests: Its limit of requests; empty if there is none.
        events: The same for events.
        read_at: When the plan was read last.
    """

    __slots__ = ("_config", "_rates", "events", "read_at", "requests", "tenant_id")

    def __init__(self, tenant_id: int, config: HttpConfig) -> None:
        self.tenant_id = tenant_id
        self.read_at = float("-inf")
        self._config = config
        self._rates = (config.tenant_requests, config.tenant_events)
        self.requests = _limits("tenant-requests", config.tenant_requests)
        self.events = _limits("tenant-events", config.tenant_events)

    def allow(self, requests: int | None, events: int | None) -> None:
        """Take over what the plan says now; None leaves the server's own limit."""
        self.read_at = time.monotonic()
        rates = (
            self._config.tenant_requests if requests is None else requests,
            self._config.tenant_events if events is None else events,
        )
        if rates[0] != self._rates[0]:
            self.requests = _limits("tenant-requests", rates[0])
        if rates[1] != self._rates[1]:
            self.events = _limits("tenant-events", rates[1])
        self._rates = rates


@dataclass(frozen=True, slots=True)
class Known:
    """A caller whose credential was good when it was last looked at.

    Attributes:
        token: What a member token says; an API key is not kept, for it opens more and for longer.
    """

    digest: bytes
    token: keys.MemberToken | None
    own_requests: tuple[Limit, ...]
    own_events: tuple[Limit, ...]
    share: Share

    @property
    def tenant_id(self) -> int:
        """Whose caller it is."""
        return self.share.tenant_id

    @property
    def requests(self) -> tuple[Limit, ...]:
        """What a request is charged to: the credential, then its tenant."""
        return self.own_requests + self.share.requests

    @property
    def events(self) -> tuple[Limit, ...]:
        """The same for events."""
        return self.own_events + self.share.events


class Callers:
    """The callers of late, each with its buckets.

    An API key that is new here costs one look-up, of which only a few run at a time; a member token costs a
    signature. A bad credential is kept apart from the good ones, so that no flood of bad ones makes them
    forgotten, and it is charged to nobody.

    Attributes:
        pool: Connections for the look-ups; set while the app runs.
    """

    pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None

    def __init__(self, keyring: Keyring, config: HttpConfig) -> None:
        self._keyring = keyring
        self._config = config
        self._known: Recent[bytes, Known] = Recent(MOST)
        self._refused: Recent[bytes, float] = Recent(MOST)
        self._shares: Recent[int, Share] = Recent(MOST_TENANTS)
        self._reading: set[asyncio.Task[None]] = set()
        self._gates = (Gate("proofs", CONNECTIONS, 4 * config.queue),)
        self._lobby = Lobby(config.wait_ms / 1000)

    async def prove(self, credential: bytes) -> Known:
        """Say whose credential it is.

        Raises:
            Denied: It is nobody's.
            FullError: Too many unknown API keys are looked up right now.
            OperationalError: The database does not answer.
        """
        digest = blake2b(credential, digest_size=16).digest()
        known = self._known.get(digest)
        if known is not None:
            self._refresh(known.share)
            return known
        until = self._refused.get(digest)
        if until is not None and time.monotonic() < until:
            raise Denied
        try:
            share, token = await self._owner(credential.decode("latin-1"))
        except Denied:
            self._refused.put(digest, time.monotonic() + REFUSED_SECONDS)
            raise
        self._refresh(share)
        return self._known.put(digest, self._make(digest, share, token))

    def forget(self, known: Known) -> None:
        """The credential was refused by the call itself: it is looked up again next time."""
        self._known.drop(known.digest)

    async def _owner(self, value: str) -> tuple[Share, keys.MemberToken | None]:
        parsed = keys.read(self._keyring, value)
        if isinstance(parsed, keys.MemberToken):
            return self._share(parsed.tenant_id), parsed
        row = await self._look_up(KEY_AND_PLAN, parsed.tenant_id, parsed.id, parsed.tenant_id)
        keys.prove(self._keyring, parsed, bytes(row[0]) if row and row[0] is not None else None)
        share = self._share(parsed.tenant_id)
        if row:
            share.allow(row[1], row[2])
        return share, None

    async def _look_up(self, statement: str, tenant_id: int, *values: object) -> tuple[Any, ...] | None:
        if self.pool is None:
            return None
        await self._lobby.enter(self._gates)
        try:
            timeouts = self._config.timeouts
            async with self.pool.connection() as connection, in_tenant(connection, tenant_id, timeouts):
                found = await connection.execute(statement, values)
                row: tuple[Any, ...] | None = await found.fetchone()
        finally:
            self._lobby.leave(self._gates)
        return row

    def _refresh(self, share: Share) -> None:
        """Read a store's plan again if that was long ago; nobody waits for it."""
        now = time.monotonic()
        if now - share.read_at >= PLAN_SECONDS:
            share.read_at = now
            task = asyncio.create_task(self._read_plan(share))
            self._reading.add(task)
            task.add_done_callback(self._reading.discard)

    async def _read_plan(self, share: Share) -> None:
        try:
            row = await self._look_up(PLAN, share.tenant_id, share.tenant_id)
        except (Error, FullError, PoolTimeout) as error:
            # What counted counts on; the next minute's attempt may do.
            logger.warning("a plan cannot be read", tenant_id=share.tenant_id, kind=type(error).__name__)
            return
        if row:
            share.allow(row[0], row[1])

    def _share(self, tenant_id: int) -> Share:
        return self._shares.get(tenant_id) or self._shares.put(tenant_id, Share(tenant_id, self._config))

    def _make(self, digest: bytes, share: Share, token: keys.MemberToken | None) -> Known:
        config = self._config
        kind, requests, events = (
            ("member", config.member_requests, config.member_events)
            if token
            else ("key", config.key_requests, config.key_events)
        )
        own = (_limits(f"{kind}-requests", requests), _limits(f"{kind}-events", events))
        return Known(digest, token, *own, share)


def wait(limits: tuple[Limit, ...]) -> tuple[Limit, float] | None:
    """The first limit that keeps a caller out, and for how many seconds."""
    now = time.monotonic()
    for limit in limits:
        seconds = limit.bucket.wait(now)
        if seconds:
            return limit, seconds
    return None


def charge(limits: tuple[Limit, ...], cost: int) -> None:
    """Charge every limit."""
    for limit in limits:
        limit.bucket.take(cost)


def _limits(name: str, rate: int) -> tuple[Limit, ...]:
    return (Limit(name, Bucket(rate, time.monotonic())),) if rate else ()
