"""Who knocks: credentials proved before a request gets a body read, a thread or a transaction.

The proof here only decides whose limits count. Each call is authenticated again in its own transaction, so
that a revoked key stops at once.
"""

import time
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from threepeat.events.ingest import SET_TENANT
from threepeat.http.config import HttpConfig
from threepeat.http.limits import Bucket, Gate, Lobby, Recent
from threepeat.tenancy import keys
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.keys import Denied

MOST = 65_536
"""Credentials that are remembered, and as many bad ones."""
MOST_TENANTS = 16_384
REFUSED_SECONDS = 10
"""A bad credential is not looked up again for this long."""
CONNECTIONS = 2

SECRET_HASH = "SELECT secret_hash FROM core.api_key WHERE tenant_id = %s AND id = %s AND revoked_at IS NULL"  # noqa: S105 - a statement


@dataclass(frozen=True, slots=True)
class Limit:
    """A bucket and what it is called, such as `key-events`."""

    name: str
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class Known:
    """A caller whose credential was good when it was last looked at.

    Attributes:
        requests: What a request is charged to: the credential, then its tenant.
        events: The same for events.
    """

    digest: bytes
    tenant_id: int
    requests: tuple[Limit, ...]
    events: tuple[Limit, ...]


class Callers:
    """The callers of late, each with its buckets.

    An API key that is new here costs one look-up, of which only a few run at a time; a member token costs a
    signature. A bad credential is kept apart from the good ones, so that no flood of bad ones makes them
    forgotten, and it is charged to nobody.

    Attributes:
        pool: Connections for the look-ups; set while the app runs.
    """

    pool: AsyncConnectionPool[AsyncConnection[Any]]

    def __init__(self, keyring: Keyring, config: HttpConfig) -> None:
        self._keyring = keyring
        self._config = config
        self._known: Recent[bytes, Known] = Recent(MOST)
        self._refused: Recent[bytes, float] = Recent(MOST)
        self._tenants: Recent[int, tuple[tuple[Limit, ...], tuple[Limit, ...]]] = Recent(MOST_TENANTS)
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
            return known
        until = self._refused.get(digest)
        if until is not None and time.monotonic() < until:
            raise Denied
        try:
            tenant_id, kind = await self._owner(credential.decode("latin-1"))
        except Denied:
            self._refused.put(digest, time.monotonic() + REFUSED_SECONDS)
            raise
        return self._known.put(digest, self._make(digest, tenant_id, kind))

    def forget(self, known: Known) -> None:
        """The credential was refused by the call itself: it is looked up again next time."""
        self._known.drop(known.digest)

    async def _owner(self, value: str) -> tuple[int, str]:
        if not value.startswith("tp_"):
            return keys.read_token(self._keyring, value).tenant_id, "member"
        parsed = keys.parse_key(value)
        await self._lobby.enter(self._gates)
        try:
            async with self.pool.connection() as connection, connection.pipeline(), connection.transaction():
                await connection.execute(SET_TENANT, (str(parsed.tenant_id),))
                found = await connection.execute(SECRET_HASH, (parsed.tenant_id, parsed.id))
                row = await found.fetchone()
        finally:
            self._lobby.leave(self._gates)
        keys.prove(self._keyring, parsed, bytes(row[0]) if row else None)
        return parsed.tenant_id, "key"

    def _make(self, digest: bytes, tenant_id: int, kind: str) -> Known:
        config = self._config
        requests, events = self._tenants.get(tenant_id) or self._tenants.put(
            tenant_id,
            (_limits("tenant-requests", config.tenant_requests), _limits("tenant-events", config.tenant_events)),
        )
        own_requests = config.key_requests if kind == "key" else config.member_requests
        own_events = config.key_events if kind == "key" else config.member_events
        return Known(
            digest,
            tenant_id,
            (*_limits(f"{kind}-requests", own_requests), *requests),
            (*_limits(f"{kind}-events", own_events), *events),
        )


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
