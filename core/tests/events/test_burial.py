"""Tombstones at the door: an erased member is not brought back by an event, nor by a race with one."""

import asyncio
import itertools
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import pytest
from msgspec import Raw
from psycopg import AsyncConnection, sql
from sqlalchemy import text

from threepeat.database.asynchronous import conninfo, options
from threepeat.events import ingest, log
from threepeat.events.incoming import Item, Verdict, read
from threepeat.events.ingest import append
from threepeat.events.platform import Platform
from threepeat.events.suppression import request
from threepeat.events.verify import verify
from threepeat.sdk.events import Sender
from threepeat.tenancy import members, tombstones
from threepeat.tenancy.errors import Conflict
from threepeat.tenancy.keyring import Keyring
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster

Items = Callable[..., list[Item]]


def event(key: str, subject: str | None, **given: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": key,
        "source": "shop",
        "type": "page.viewed",
        "time": "2026-05-01T11:00:00Z",
        "data": {"page": "home"},
        **({} if subject is None else {"subject": subject}),
        **given,
    }


@pytest.fixture
def items(platform: Platform) -> Items:
    def make(*events: dict[str, Any]) -> list[Item]:
        raws = [Raw(orjson.dumps(one)) for one in events]
        return read(raws, platform.catalogue, sender=Sender.SERVER, currency="CNY", now=datetime.now(UTC))

    return make


@asynccontextmanager
async def connected(platform: Platform) -> AsyncIterator[AsyncConnection[Any]]:
    urls = platform.database.urls
    async with await AsyncConnection.connect(conninfo(urls), **options(urls, "test")) as connection:
        yield connection


def appended(
    platform: Platform, tenant: Tenant, batch: list[Item], *, keyring: Keyring | None = None
) -> list[Item]:
    async def run() -> None:
        async with connected(platform) as connection:
            await append(connection, keyring or platform.keyring, tenant.id, batch)

    asyncio.run(run())
    return batch


def erase(platform: Platform, tenant: Tenant, external_id: str) -> tuple[int, int]:
    """Ask for a member's erasure; returns the member's id and the log's head when the request commits."""
    with platform.database.tenant(tenant.id) as scope:
        member_id = members.find(scope, external_id)
    with platform.database.tenant(tenant.id) as scope:
        request(platform, scope, member_id, by="test")
        return member_id, log.head(scope)


def count(platform: Platform, tenant: Tenant, query: str, **binds: object) -> int:
    with platform.database.tenant(tenant.id) as scope:
        return int(scope.run(text(query), **binds)[0][0])


def made(platform: Platform, tenant: Tenant) -> int:
    return count(platform, tenant, "SELECT count(*) FROM core.member WHERE tenant_id = :tenant")


@contextmanager
def without_tombstones(platform: Platform, cluster: Cluster) -> Iterator[None]:
    """The app may not even look at the tombstones."""
    role = sql.Identifier(cluster.roles.app)
    url = platform.database.urls.owner.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(sql.SQL("REVOKE SELECT ON core.tombstone FROM {}").format(role))
        try:
            yield
        finally:
            owner.execute(sql.SQL("GRANT SELECT ON core.tombstone TO {}").format(role))


def test_an_event_about_an_erased_member_is_invalid_and_the_others_are_accepted(
    platform: Platform, tenant: Tenant, items: Items
) -> None:
    appended(platform, tenant, items(event("1", "ann"), event("2", "bob")))
    erase(platform, tenant, "ann")
    before = made(platform, tenant)
    nobody = event("6", None, type="product.updated", data={"sku": "s"})
    batch = appended(
        platform, tenant, items(event("3", "ann"), event("4", "bob"), event("5", "eve"), event("7", "ann"), nobody)
    )
    assert [item.verdict for item in batch] == [
        Verdict.INVALID,
        Verdict.ACCEPTED,
        Verdict.ACCEPTED,
        Verdict.INVALID,
        Verdict.ACCEPTED,
    ]
    assert batch[0].reason.startswith("subject: this member was erased")
    assert made(platform, tenant) == before + 1
    only = appended(platform, tenant, items(event("8", "ann")))
    assert (only[0].verdict, only[0].position) == (Verdict.INVALID, None)
    assert count(platform, tenant, "SELECT head FROM core.stream WHERE tenant_id = :tenant") == 5


def test_an_erased_member_of_one_store_is_a_stranger_to_another(
    platform: Platform, make_tenant: Callable[..., Tenant], items: Items
) -> None:
    one, other = make_tenant("burial-one"), make_tenant("burial-other")
    for tenant in (one, other):
        appended(platform, tenant, items(event("1", "ann")))
    erase(platform, one, "ann")
    assert appended(platform, one, items(event("2", "ann")))[0].verdict is Verdict.INVALID
    assert appended(platform, other, items(event("2", "ann")))[0].verdict is Verdict.ACCEPTED
    with platform.database.tenant(other.id) as scope:
        hashes = tombstones.hashes(platform.keyring, one.id, "shop", "ann")
        assert tombstones.buried(scope, hashes) == set()
        assert tombstones.lift(scope, hashes) == 0
        assert count(platform, one, "SELECT count(*) FROM core.tombstone WHERE tenant_id = :tenant") == 1


def test_a_tombstone_holds_when_the_keys_are_rotated_and_goes_with_its_key(
    platform: Platform, tenant: Tenant, items: Items
) -> None:
    appended(platform, tenant, items(event("1", "ann")))
    erase(platform, tenant, "ann")
    rotated = Keyring({"new": bytes(32), **platform.keyring.keys})
    assert appended(platform, tenant, items(event("2", "ann")), keyring=rotated)[0].verdict is Verdict.INVALID
    with platform.database.tenant(tenant.id) as scope, pytest.raises(Conflict, match="was erased"):
        members.put(scope, rotated, "ann")
    without = Keyring({"new": bytes(32)})
    assert appended(platform, tenant, items(event("3", "ann")), keyring=without)[0].verdict is Verdict.ACCEPTED


def test_a_hash_names_the_store_the_kind_and_the_value(platform: Platform) -> None:
    found = [
        tombstones.hashes(platform.keyring, tenant, kind, value)[0]
        for tenant, kind, value in [(1, "shop", "a"), (11, "shop", "a"), (1, "unionid", "a"), (1, "shop", "a\nb")]
    ]
    assert len(set(found)) == 4
    assert all(len(one) == 32 for one in found)


def test_members_who_are_known_cost_no_look_at_the_tombstones(
    platform: Platform, cluster: Cluster, tenant: Tenant, items: Items
) -> None:
    appended(platform, tenant, items(event("1", "ann"), event("2", "bob")))
    with without_tombstones(platform, cluster):
        known = appended(platform, tenant, items(event("3", "ann"), event("4", "bob")))
        assert [item.verdict for item in known] == [Verdict.ACCEPTED, Verdict.ACCEPTED]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            appended(platform, tenant, items(event("5", "ann"), event("6", "new")))


def test_putting_an_erased_member_is_refused_until_it_is_readmitted(
    platform: Platform, tenant: Tenant, items: Items
) -> None:
    appended(platform, tenant, items(event("1", "ann")))
    gone, _ = erase(platform, tenant, "ann")
    with platform.database.tenant(tenant.id) as scope, pytest.raises(Conflict, match='"readmit": true') as refused:
        members.put(scope, platform.keyring, "ann")
    assert refused.value.code == "erased"
    with platform.database.tenant(tenant.id) as scope, pytest.raises(Conflict):
        members.resolve(scope, platform.keyring, ["bob", "ann"])
    assert made(platform, tenant) == 1
    with platform.database.tenant(tenant.id) as scope:
        back = members.put(scope, platform.keyring, "ann", readmit=True)
    assert back.id != gone
    later = appended(platform, tenant, items(event("2", "ann")))
    assert later[0].verdict is Verdict.ACCEPTED
    assert count(platform, tenant, "SELECT count(*) FROM core.event WHERE member_id = :id", id=back.id) == 1
    assert not [finding for finding in verify(platform, tenant) if finding.rows]


# ---- the race with an erasure ---------------------------------------------------------------------------------


def erase_between(
    monkeypatch: pytest.MonkeyPatch, platform: Platform, tenant: Tenant, external_id: str
) -> list[tuple[int, int]]:
    """Erase a member after a batch has looked it up and before the batch is appended."""
    original, done = ingest._append, []

    async def late(*given: Any) -> bool:
        if not done:
            done.append(await asyncio.to_thread(erase, platform, tenant, external_id))
        return await original(*given)

    monkeypatch.setattr(ingest, "_append", late)
    return done


def after_erasure(platform: Platform, tenant: Tenant, member_id: int, head: int) -> int:
    """Events of a member who was erased already when they were appended."""
    query = "SELECT count(*) FROM core.event WHERE tenant_id = :tenant AND member_id = :id AND position > :head"
    return count(platform, tenant, query, id=member_id, head=head)


def test_a_batch_that_looked_a_member_up_before_the_erasure_looks_again(
    platform: Platform, tenant: Tenant, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended(platform, tenant, items(event("1", "ann"), event("2", "bob")))
    done = erase_between(monkeypatch, platform, tenant, "ann")
    batch = appended(platform, tenant, items(event("3", "ann"), event("4", "bob"), event("1", "ann")))
    assert [item.verdict for item in batch] == [Verdict.INVALID, Verdict.ACCEPTED, Verdict.INVALID]
    assert after_erasure(platform, tenant, *done[0]) == 0
    assert batch[1].position == 3


def test_without_the_count_of_moves_such_a_batch_would_outlive_the_erasure(
    platform: Platform, tenant: Tenant, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended(platform, tenant, items(event("1", "ann")))
    monkeypatch.setattr(ingest, "APPEND", ingest.APPEND.replace("AND moves =", "AND 0 <="))
    done = erase_between(monkeypatch, platform, tenant, "ann")
    batch = appended(platform, tenant, items(event("2", "ann")))
    assert batch[0].verdict is Verdict.ACCEPTED
    assert after_erasure(platform, tenant, *done[0]) == 1


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "with no look at the tombstones"])
def test_a_member_who_is_made_and_erased_while_a_batch_holds_its_breath_is_not_made_again(
    platform: Platform, tenant: Tenant, items: Items, monkeypatch: pytest.MonkeyPatch, planted: bool
) -> None:
    original, begun = ingest._make, threading.Event()

    async def late(*given: Any) -> Any:
        if not begun.is_set():
            begun.set()
            await asyncio.to_thread(appended, platform, tenant, items(event("1", "ann")))
            await asyncio.to_thread(erase, platform, tenant, "ann")
        return await original(*given)

    monkeypatch.setattr(ingest, "_make", late)
    if planted:
        monkeypatch.setattr(ingest, "BURIED", ingest.BURIED + " AND false")
    batch = appended(platform, tenant, items(event("2", "ann")))
    assert batch[0].verdict is (Verdict.ACCEPTED if planted else Verdict.INVALID)
    assert made(platform, tenant) == (2 if planted else 1)


class Traffic:
    """Clients that send events and put members at random until they are told to stop."""

    def __init__(self, platform: Platform, tenant: Tenant, items: Items, names: list[str]) -> None:
        self._platform, self._tenant, self._items, self._names = platform, tenant, items, names
        self._stop = threading.Event()
        self.refusals: set[str] = set()

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=work) for work in (self._send, self._put)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(60)

    def _send(self) -> None:
        async def client(number: int) -> None:
            chance = random.Random(number)
            async with connected(self._platform) as connection:
                for turn in itertools.takewhile(lambda _: not self._stop.is_set(), itertools.count()):
                    subjects = chance.choices(self._names, k=4)
                    batch = self._items(*(event(f"{number}-{turn}-{n}", one) for n, one in enumerate(subjects)))
                    await append(connection, self._platform.keyring, self._tenant.id, batch)

        async def clients() -> None:
            async with asyncio.timeout(60):
                await asyncio.gather(*map(client, range(4)))

        asyncio.run(clients())

    def _put(self) -> None:
        chance = random.Random(99)
        while not self._stop.is_set():
            try:
                with self._platform.database.tenant(self._tenant.id) as scope:
                    members.put(scope, self._platform.keyring, chance.choice(self._names))
            except Conflict as refused:
                self.refusals.add(refused.code)


@pytest.mark.parametrize("planted", [False, True], ids=["as it is", "with no look at the tombstones"])
def test_erasures_amid_ingest_and_puts_never_bring_anybody_back(
    platform: Platform, tenant: Tenant, items: Items, monkeypatch: pytest.MonkeyPatch, planted: bool
) -> None:
    names = [f"m{number}" for number in range(40)]
    if planted:
        monkeypatch.setattr(ingest, "BURIED", ingest.BURIED + " AND false")
    traffic = Traffic(platform, tenant, items, names)
    erased: dict[str, tuple[int, int]] = {}
    with traffic.running():
        for name in random.Random(7).sample(names, 30):
            with platform.database.tenant(tenant.id) as scope:
                members.put(scope, platform.keyring, name)
            erased[name] = erase(platform, tenant, name)
    assert traffic.refusals <= {"erased"}
    assert sum(after_erasure(platform, tenant, *done) for done in erased.values()) == 0
    back = count(
        platform,
        tenant,
        "SELECT count(*) FROM core.identity WHERE tenant_id = :tenant AND value = ANY(CAST(:names AS text[]))",
        names=list(erased),
    )
    assert (back > 0) is planted
    assert count(platform, tenant, "SELECT head FROM core.stream WHERE tenant_id = :tenant") > 100
    assert not [finding for finding in verify(platform, tenant) if finding.rows]


def test_a_batch_gives_up_when_members_move_all_the_while(
    platform: Platform, tenant: Tenant, items: Items, monkeypatch: pytest.MonkeyPatch
) -> None:
    appended(platform, tenant, items(event("1", "ann")))
    original = ingest._append

    def move() -> None:
        with platform.database.tenant(tenant.id) as scope:
            members.fence(scope)

    async def late(*given: Any) -> bool:
        await asyncio.to_thread(move)
        return await original(*given)

    monkeypatch.setattr(ingest, "_append", late)
    monkeypatch.setattr(ingest, "ATTEMPTS", 3)
    with pytest.raises(psycopg.errors.SerializationFailure):
        appended(platform, tenant, items(event("2", "ann")))
    assert count(platform, tenant, "SELECT head FROM core.stream WHERE tenant_id = :tenant") == 1
