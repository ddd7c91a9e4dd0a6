import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from sqlalchemy import text

from threepeat.database.asynchronous import conninfo, options
from threepeat.database.config import Urls
from threepeat.events import ingest
from threepeat.events.incoming import Item, Verdict, read, split
from threepeat.events.ingest import append
from threepeat.events.platform import Platform
from threepeat.sdk.events import Sender
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster

CLIENTS = 8
KEYRING = Keyring({"test": bytes(32)})


def event(key: str, **given: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": key,
        "source": "shop",
        "type": "page.viewed",
        "subject": "m1",
        "time": "2026-05-01T11:00:00Z",
        "data": {"page": "home"},
    } | given


@pytest.fixture
def urls(platform: Platform) -> Urls:
    return platform.database.urls


@pytest.fixture
def items(platform: Platform) -> Callable[..., list[Item]]:
    def make(*bodies: dict[str, Any] | bytes) -> list[Item]:
        texts = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
        raws = split(b"[" + b",".join(texts) + b"]", batch=True, most=1000)
        return read(raws, platform.catalogue, sender=Sender.SERVER, currency="CNY", now=datetime.now(UTC))

    return make


@asynccontextmanager
async def connected(urls: Urls, count: int = 1) -> AsyncIterator[list[AsyncConnection[Any]]]:
    connections = [await AsyncConnection.connect(conninfo(urls), **options(urls, "test")) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            await connection.close()


def appended(urls: Urls, tenant: Tenant, *batches: list[Item]) -> list[list[Item]]:
    """Append batches one after another."""

    async def run() -> None:
        async with connected(urls) as (connection,):
            for batch in batches:
                await append(connection, KEYRING, tenant.id, batch)

    asyncio.run(run())
    return list(batches)


def stored(platform: Platform, tenant: Tenant) -> list[Any]:
    with platform.database.tenant(tenant.id) as scope:
        return list(
            scope.connection.execute(
                text(
                    "SELECT position, source, id, type, subject, member_id, occurred_at, data"
                    " FROM core.event ORDER BY position"
                )
            )
        )


def head(platform: Platform, tenant: Tenant) -> int:
    with platform.database.tenant(tenant.id) as scope:
        return int(scope.connection.execute(text("SELECT head FROM core.stream")).scalar_one())


def count(platform: Platform, tenant: Tenant, table: str) -> int:
    with platform.database.tenant(tenant.id) as scope:
        statement = text(f"SELECT count(*) FROM core.{table} WHERE tenant_id = :tenant")
        return int(scope.connection.execute(statement, {"tenant": tenant.id}).scalar_one())


def assert_gapless(platform: Platform, tenant: Tenant, events: int) -> None:
    rows = stored(platform, tenant)
    assert [row.position for row in rows] == list(range(1, events + 1))
    assert head(platform, tenant) == events
    assert len({(row.source, row.id) for row in rows}) == events


@pytest.mark.parametrize("seed", range(2))
def test_eight_clients_with_random_repeats_leave_every_event_once_and_no_gap(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]], seed: int
) -> None:
    chance = random.Random(seed)
    keys = [f"e{number}" for number in range(400)]
    work = [event(key, subject=f"m{chance.randrange(30)}") for key in keys]
    work += [event(chance.choice(keys), subject="contradiction") for _ in range(20)]
    work += chance.choices(work[:400], k=400)
    chance.shuffle(work)
    batches, start = [], 0
    while start < len(work):
        size = chance.randint(1, 25)
        batches.append(items(*work[start : start + size]))
        start += size
    waiting = list(batches)

    async def client(connection: AsyncConnection[Any]) -> None:
        while waiting:
            await append(connection, KEYRING, tenant.id, waiting.pop())

    async def run() -> None:
        async with connected(urls, CLIENTS) as connections:
            async with asyncio.timeout(60):
                await asyncio.gather(*map(client, connections))

    asyncio.run(run())
    assert_gapless(platform, tenant, len(keys))
    rows = {row.id: row for row in stored(platform, tenant)}
    assert rows.keys() == set(keys)
    told = Counter(item.verdict for batch in batches for item in batch)
    assert told[Verdict.ACCEPTED] == len(keys)
    assert told.total() == len(work)
    assert told[Verdict.INVALID] == 0
    for item in (item for batch in batches for item in batch if item.verdict is Verdict.ACCEPTED):
        assert (rows[item.id].position, rows[item.id].subject) == (item.position, item.subject)
    for item in (item for batch in batches for item in batch):
        same = rows[item.id].subject == item.subject
        assert (item.verdict is Verdict.CONFLICT) is not same
        assert item.position in {rows[item.id].position, None}


def test_without_the_streams_row_two_events_would_stand_at_one_position(
    tenant: Tenant,
    urls: Urls,
    items: Callable[..., list[Item]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = ingest.APPEND.replace(
        "UPDATE core.stream SET head = head + %(n)s", "SELECT head AS base FROM core.stream"
    )
    broken = broken.replace(" RETURNING head - %(n)s AS base", " AND %(n)s > 0")
    assert "RETURNING head" not in broken
    monkeypatch.setattr(ingest, "APPEND", broken)
    with pytest.raises(psycopg.errors.UniqueViolation):
        appended(urls, tenant, items(event("1")), items(event("2")))


def test_a_repeat_is_a_duplicate_at_the_firsts_position(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    first, again = appended(urls, tenant, items(event("1"), event("2")), items(event("2"), event("3")))
    assert [item.position for item in first] == [1, 2]
    assert [(item.verdict, item.position) for item in again] == [(Verdict.DUPLICATE, 2), (Verdict.ACCEPTED, 3)]
    assert_gapless(platform, tenant, 3)


def test_a_retry_without_time_is_a_duplicate_and_the_first_moment_stands(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    untimed = {name: value for name, value in event("1").items() if name != "time"}
    first, again = items(untimed), items(untimed)
    assert first[0].occurred_at < again[0].occurred_at
    appended(urls, tenant, first, again)
    assert again[0].verdict is Verdict.DUPLICATE
    assert stored(platform, tenant)[0].occurred_at == first[0].occurred_at


@pytest.mark.parametrize(
    "change",
    [
        {"type": "content.viewed", "data": {"page": "home", "content_id": "c"}},
        {"subject": "m2"},
        {"time": "2026-05-01T11:00:01Z"},
        {"data": {"page": "cart"}},
        {"data": {"page": "home", "more": True}},
    ],
    ids=["type", "subject", "time", "data", "more data"],
)
def test_a_contradiction_is_a_conflict_and_the_first_stands(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]], change: dict[str, Any]
) -> None:
    _, second = appended(urls, tenant, items(event("1")), items(event("1", **change), event("2")))
    assert [item.verdict for item in second] == [Verdict.CONFLICT, Verdict.ACCEPTED]
    assert second[0].position == 1
    first = stored(platform, tenant)[0]
    assert (first.type, first.subject, first.data) == ("page.viewed", "m1", {"page": "home"})
    assert_gapless(platform, tenant, 2)


def with_data(key: str, data: str) -> bytes:
    return json.dumps(event(key) | {"data": "HERE"}).replace('"HERE"', data).encode()


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ('{"page":"p","x":[1,{"y":2}]}', '{ "x":[1.0,{"y":2e0}], "page":"\\u0070" }', Verdict.DUPLICATE),
        ('{"page":"p","x":1e400}', '{"x":10e399,"page":"p"}', Verdict.DUPLICATE),
        ('{"page":"p","x":1e400}', '{"page":"p","x":1e400}', Verdict.DUPLICATE),
        ('{"page":"p","x":1e6000}', '{"page":"p","x":1e6000}', Verdict.DUPLICATE),
        ('{"page":"p","x":1e6000}', '{"page":"p","x":1e6001}', Verdict.CONFLICT),
        ('{"page":"p","x":9007199254740993}', '{"page":"p","x":9007199254740992}', Verdict.CONFLICT),
        ('{"page":"p","x":1}', '{"page":"p","x":true}', Verdict.CONFLICT),
        ('{"page":"p","page":"q"}', '{"page":"q"}', Verdict.DUPLICATE),
    ],
)
def test_the_stored_data_is_compared_by_meaning(
    tenant: Tenant, urls: Urls, items: Callable[..., list[Item]], one: str, other: str, verdict: Verdict
) -> None:
    _, second = appended(urls, tenant, items(with_data("1", one)), items(with_data("1", other)))
    assert second[0].verdict is verdict


@pytest.mark.parametrize(
    "number", ["1e200000", "-1e200000", "1e-200000", "1e99999999999999999999"], ids=lambda number: number
)
def test_a_value_that_the_database_refuses_makes_its_item_invalid_and_no_other(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]], number: str
) -> None:
    bodies = [event(f"e{n}", subject=f"m{n}") for n in range(9)]
    bodies[5:5] = [with_data("bad", f'{{"page":"p","x":{number}}}')]
    (batch,) = appended(urls, tenant, items(*bodies))
    assert [item.verdict for item in batch].index(Verdict.INVALID) == 5
    assert batch[5].reason.startswith("data: ")
    assert batch[5].position is None
    assert sum(item.verdict is Verdict.ACCEPTED for item in batch) == 9
    assert_gapless(platform, tenant, 9)
    assert "bad" not in {row.id for row in stored(platform, tenant)}


def test_a_repeat_is_judged_by_what_stands_in_the_log_and_not_by_a_neighbour_that_does_not(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    """Somebody else's event came in between under the key of both: the neighbour is no measure."""
    told = items(event("a", subject="other"), event("a"), event("a", subject="other"), event("b"))
    appended(urls, tenant, items(event("a")), told)
    assert [item.verdict for item in told] == ["conflict", "duplicate", "conflict", "accepted"]
    assert_gapless(platform, tenant, 2)


def test_a_repeat_of_what_was_refused_is_no_duplicate(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    """A sender drops what is called a duplicate, so the log must have it."""
    bad = with_data("a", '{"page":"p","x":1e200000}')
    (told,) = appended(urls, tenant, items(bad, bad, event("a"), event("a"), event("a", subject="other"), bad))
    assert [item.verdict for item in told] == [
        "invalid",
        "invalid",
        "accepted",
        "duplicate",
        "conflict",
        "conflict",
    ]
    assert_gapless(platform, tenant, 1)


def test_several_refused_values_among_repeats_are_found_one_by_one(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    chance = random.Random(5)
    bad = set(chance.sample(range(100), 11))
    bodies = [with_data(f"e{n}", '{"page":"p","x":1e200000}') if n in bad else event(f"e{n}") for n in range(100)]
    repeats, batch = appended(urls, tenant, items(*(event(f"e{n}") for n in range(0, 100, 3))), items(*bodies))
    known = {item.id for item in repeats}
    for number, item in enumerate(batch):
        expected = (
            Verdict.INVALID if number in bad else Verdict.DUPLICATE if item.id in known else Verdict.ACCEPTED
        )
        assert item.verdict is expected, number
    assert_gapless(platform, tenant, len(known | {f"e{n}" for n in range(100) if n not in bad}))


@pytest.mark.parametrize(
    "data",
    ['{"page":"p","x":' + "[" * 20_000 + "]" * 20_000 + "}", '{"page":"\\u0000"}', '{"page":"\\ud800"}', "{"],
    ids=["deeper than the database's stack", "NUL", "half a pair", "no JSON"],
)
def test_data_that_the_reader_missed_is_still_refused_item_by_item(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]], data: str
) -> None:
    batch = items(event("1"), event("2"), event("3"))
    batch[1].data = data
    appended(urls, tenant, batch)
    assert [item.verdict for item in batch] == [Verdict.ACCEPTED, Verdict.INVALID, Verdict.ACCEPTED]
    assert_gapless(platform, tenant, 2)


def test_a_nul_in_the_envelope_that_the_reader_missed_is_refused_too(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    batch = items(event("1"), event("2"), event("3"))
    batch[0].id, batch[2].subject = "a\0b", "\0"
    appended(urls, tenant, batch)
    assert [item.verdict for item in batch] == [Verdict.INVALID, Verdict.ACCEPTED, Verdict.INVALID]
    assert_gapless(platform, tenant, 1)


def test_batches_that_make_the_same_members_in_opposite_order_do_not_deadlock(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    names = [f"m{n:03}" for n in range(60)]
    rounds: list[list[list[Item]]] = []
    for turn in range(6):
        fresh = [f"{turn}-{name}" for name in names]
        rounds.append(
            [
                items(*(event(f"{turn}-{client}-{n}", subject=name) for n, name in enumerate(order)))
                for client, order in enumerate([fresh, fresh[::-1]] * (CLIENTS // 2))
            ]
        )

    async def run() -> None:
        async with connected(urls, CLIENTS) as connections:
            for batches in rounds:
                calls: list[Coroutine[Any, Any, Any]] = [
                    append(connection, KEYRING, tenant.id, batch)
                    for connection, batch in zip(connections, batches, strict=True)
                ]
                await asyncio.gather(*calls)

    asyncio.run(run())
    assert all(item.verdict is Verdict.ACCEPTED for batches in rounds for batch in batches for item in batch)
    assert_gapless(platform, tenant, 6 * CLIENTS * 60)
    assert count(platform, tenant, "member") == count(platform, tenant, "identity") == 6 * 60
    members = {row.subject: row.member_id for row in stored(platform, tenant)}
    assert len(set(members.values())) == 6 * 60
    assert all(row.member_id == members[row.subject] for row in stored(platform, tenant))


def test_an_event_without_subject_makes_no_member(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    body = event("1", type="product.updated", data={"sku": "s"}, subject=None)
    appended(urls, tenant, items(body))
    assert [(row.subject, row.member_id) for row in stored(platform, tenant)] == [(None, None)]
    assert count(platform, tenant, "member") == 0


def test_a_batch_wakes_the_worker_exactly_if_it_added_something(
    platform: Platform, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    appended(urls, tenant, items(event("1"), event("2")))
    assert count(platform, tenant, "backlog") == 1
    appended(urls, tenant, items(event("1"), event("2")))
    assert count(platform, tenant, "backlog") == 1


def test_two_tenants_with_the_same_keys_do_not_meet(
    platform: Platform, make_tenant: Callable[..., Tenant], urls: Urls, items: Callable[..., list[Item]]
) -> None:
    one, other = make_tenant("twin-one"), make_tenant("twin-other")
    appended(urls, one, items(event("1")))
    (batch,) = appended(urls, other, items(event("1", data={"page": "other"})))
    assert batch[0].verdict is Verdict.ACCEPTED
    assert (stored(platform, one)[0].data, stored(platform, other)[0].data) == (
        {"page": "home"},
        {"page": "other"},
    )
    assert stored(platform, one)[0].member_id != stored(platform, other)[0].member_id


@pytest.mark.parametrize("point", ["_resolve", "_append"])
def test_a_killed_backend_leaves_nothing_and_a_retry_succeeds(
    platform: Platform,
    cluster: Cluster,
    tenant: Tenant,
    urls: Urls,
    items: Callable[..., list[Item]],
    monkeypatch: pytest.MonkeyPatch,
    point: str,
) -> None:
    appended(urls, tenant, items(event("0", subject="known")))
    before = getattr(ingest, point)
    killed: list[int] = []

    async def then_kill(connection: AsyncConnection[Any], *given: Any) -> Any:
        answer = await before(connection, *given)
        if not killed:
            row = await (await connection.execute("SELECT pg_backend_pid()")).fetchone()
            assert row is not None
            killed.append(row[0])
            with psycopg.connect(cluster.admin_url, autocommit=True) as admin:
                admin.execute("SELECT pg_terminate_backend(%s, 5000)", (killed[0],))
        return answer

    monkeypatch.setattr(ingest, point, then_kill)
    bodies = [event("1", subject="new"), event("0", subject="known"), event("2", subject="newer")]
    with pytest.raises(psycopg.OperationalError):
        appended(urls, tenant, items(*bodies))
    assert killed
    assert_gapless(platform, tenant, 1)
    assert count(platform, tenant, "member") == count(platform, tenant, "identity") == 1
    assert count(platform, tenant, "backlog") == 1
    (batch,) = appended(urls, tenant, items(*bodies))
    assert [item.verdict for item in batch] == [Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.ACCEPTED]
    assert_gapless(platform, tenant, 3)


def test_clients_whose_backends_are_killed_at_random_lose_and_double_nothing(
    platform: Platform, cluster: Cluster, tenant: Tenant, urls: Urls, items: Callable[..., list[Item]]
) -> None:
    chance = random.Random(11)
    keys = [f"e{n}" for n in range(240)]
    waiting = [keys[n : n + 6] for n in range(0, len(keys), 6)]
    acknowledged: dict[str, int | None] = {}
    faults = 0

    async def client() -> None:
        nonlocal faults
        while waiting:
            wanted = waiting.pop()
            done = False
            while not done:
                batch = items(*(event(key, subject=f"m-{key}") for key in wanted))
                try:
                    async with connected(urls) as (connection,):
                        await append(connection, KEYRING, tenant.id, batch)
                except psycopg.OperationalError:
                    faults += 1
                else:
                    done = True
                    acknowledged.update({item.id: item.position for item in batch})

    async def killer() -> None:
        async with await AsyncConnection.connect(cluster.admin_url, autocommit=True) as admin:
            while waiting:
                await admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = %s AND usename = %s AND random() < 0.3",
                    (platform.database.urls.app.database, platform.database.urls.app.username),
                )
                await asyncio.sleep(chance.random() / 50)

    async def run() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(killer(), *(client() for _ in range(4)))

    asyncio.run(run())
    platform.database.dispose()
    assert faults, "no backend was killed in time: the test proves nothing"
    assert_gapless(platform, tenant, len(keys))
    assert acknowledged == {row.id: row.position for row in stored(platform, tenant)}
    assert count(platform, tenant, "member") == len(keys)
