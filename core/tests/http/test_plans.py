"""What a store's plan allows takes effect, for that store alone, and soon after it was changed."""

import asyncio
import time
from collections.abc import Callable

import httpx2
import pytest
from psycopg import OperationalError
from sqlalchemy import text

from threepeat.events.platform import Platform
from threepeat.http import callers
from threepeat.http.config import HttpConfig
from threepeat.tenancy import keys
from threepeat.tenancy.tenants import Tenant

SLOW = text("""
    INSERT INTO core.plan (id, title, requests_per_second, events_per_second)
    VALUES (:id, 'Slow', :requests, :events)
""")
MOVE = text("UPDATE core.tenant SET plan = :plan WHERE id = :tenant")


def slow(platform: Platform, tenant: Tenant, requests: int | None, events: int | None) -> str:
    plan = f"slow-{tenant.id}"
    with platform.database.ops.begin() as ops:
        ops.execute(SLOW, {"id": plan, "requests": requests, "events": events})
        ops.execute(MOVE, {"plan": plan, "tenant": tenant.id})
    return plan


def refused(client: httpx2.Client, n: int) -> int:
    return [client.get("/v1/tactics").status_code for _ in range(n)].count(429)


def test_the_plans_limit_counts_for_its_stores_alone(
    platform: Platform,
    serve: Callable[..., str],
    make_key: Callable[..., str],
    make_tenant: Callable[..., Tenant],
) -> None:
    small, other = make_tenant("small-shop"), make_tenant("other-shop")
    slow(platform, small, 2, None)
    url = serve()

    def signed(tenant: Tenant) -> httpx2.Client:
        return httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {make_key(tenant, 'read')}"})

    with signed(small) as first, signed(small) as second, signed(other) as free:
        # Two keys of one store share its limit.
        assert refused(first, 5) + refused(second, 5) >= 4
        answer = next(
            answer for answer in iter(lambda: first.get("/v1/tactics"), None) if answer.status_code == 429
        )
        assert "This store may send 2 requests" in answer.json()["detail"]
        assert refused(free, 10) == 0


def test_a_changed_plan_counts_within_a_minute_and_for_member_tokens_too(
    platform: Platform, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = keys.sign_token(platform.keyring, tenant.id, 1, "m1", keys.MAX_TOKEN_LIFE)[0].encode()
    known = callers.Callers(platform.keyring, HttpConfig())

    async def read(*_: object) -> tuple[int | None, int | None]:
        return limits

    async def look() -> callers.Known:
        await known.prove(token)
        await asyncio.gather(*known._reading)
        return await known.prove(token)

    monkeypatch.setattr(known, "_look_up", read)
    limits: tuple[int | None, int | None] = (None, None)

    async def scene() -> None:
        nonlocal limits
        found = await look()
        assert [limit.bucket.rate for limit in found.events] == [100, 20_000]
        limits = (7, 8)
        assert [limit.bucket.rate for limit in (await look()).events] == [100, 20_000]
        found.share.read_at = time.monotonic() - callers.PLAN_SECONDS
        found = await look()
        assert [limit.bucket.rate for limit in found.events] == [100, 8]
        assert [limit.bucket.rate for limit in found.requests] == [100, 7]

    asyncio.run(scene())


def test_a_plan_that_cannot_be_read_leaves_what_counted(
    platform: Platform, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = keys.sign_token(platform.keyring, tenant.id, 1, "m1", keys.MAX_TOKEN_LIFE)[0].encode()
    known = callers.Callers(platform.keyring, HttpConfig())

    async def broken(*_: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(known, "_look_up", broken)

    async def scene() -> None:
        found = await known.prove(token)
        found.share.allow(3, 4)
        found.share.read_at = float("-inf")
        await known.prove(token)
        await asyncio.gather(*known._reading)
        assert [limit.bucket.rate for limit in found.requests] == [100, 3]

    asyncio.run(scene())
