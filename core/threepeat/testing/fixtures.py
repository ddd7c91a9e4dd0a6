"""Pytest fixtures, for test runs that ask for them by `-p threepeat.testing.fixtures`.

They are no entry point of pytest's: each run of an environment with Threepeat would load the platform, needed or
not, and pytest would compile all of it once more, in search of assertions.

`DATABASE_URL` names a superuser of a PostgreSQL server to test on, and `THREEPEAT_TEST_POOLER` a pooler in front
of it; without them the embedded server runs in a folder of its own and is removed at the end.
"""

import gc
import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import orjson
import pytest
from msgspec import Raw

from threepeat.events.context import Cause, PluginContext
from threepeat.events.incoming import Item, read
from threepeat.events.ingest import append
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.sdk.events import Sender as EventSender
from threepeat.tenancy import keys, members, tenants
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.cluster import Cluster, ServerForTests, opened_for_tests
from threepeat.testing.kept import KEPT
from threepeat.worker.loop import Worker

if TYPE_CHECKING:
    from threepeat.http.config import HttpConfig

BY = "test"
NO_LIMITS = {f"{who}_{what}": 0 for who in ("key", "member", "tenant") for what in ("requests", "events")}
"""What turns `HttpConfig`'s limits of rates off."""


SERVER = pytest.StashKey[ServerForTests]()


def pytest_collection(session: pytest.Session) -> None:
    """PostgreSQL starts while the tests are collected, and what serves HTTP is imported."""
    if not session.config.option.collectonly:
        session.config.stash[SERVER] = ServerForTests()
        import_module("threepeat.testing.serving")


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: no later search for garbage walks through it again."""
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    """PostgreSQL ends."""
    if SERVER in config.stash:
        config.stash[SERVER].stop()


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Cluster:
    """The server that all tests of a run share."""
    return pytestconfig.stash[SERVER].cluster()


@pytest.fixture
def open_platform(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., Platform]]:
    """Opens platforms on one fresh database: `open_platform(registry=…)`."""
    opened: list[Platform] = []
    keys_given = KeyConfig(keys=new_line())
    with cluster.database() as name:

        def make(*, registry: Registry | None = None) -> Platform:
            config = cluster.config(name, tmp_path)
            platform = opened_for_tests(config, registry, keys_given)
            opened.append(platform)
            return platform

        yield make
        for platform in opened:
            platform.database.dispose()


@pytest.fixture
def platform(open_platform: Callable[..., Platform]) -> Platform:
    """An open platform with every installed plugin, on a fresh database."""
    return open_platform()


@pytest.fixture
def make_tenant(platform: Platform) -> Callable[..., Tenant]:
    """Makes tenants: `make_tenant("shop", enable=["points"], holdout=0)`."""

    def make(slug: str, *, enable: tuple[str, ...] = (), holdout: int = 0, currency: str = "CNY") -> Tenant:
        return open_store(platform, slug, currency=currency, enable=enable, holdout=holdout, by=BY)

    return make


@pytest.fixture
def tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """A store with its services on."""
    return make_tenant("first")


@pytest.fixture
def other_tenant(make_tenant: Callable[..., Tenant]) -> Tenant:
    """Another store, to see that the two never meet."""
    return make_tenant("second")


@pytest.fixture
def make_key(platform: Platform) -> Callable[..., str]:
    """Makes API keys: `make_key(tenant, "ingest")`."""

    def make(owner: Tenant, *scopes: str) -> str:
        with platform.database.tenant(owner.id) as scope:
            return keys.create_key(scope, platform.keyring, "test", scopes, by=BY)

    return make


@pytest.fixture
def worker(platform: Platform) -> Worker:
    """A worker to `drain()`."""
    return Worker(platform)


@pytest.fixture
def act(platform: Platform) -> Callable[..., Any]:
    """Acts as a plugin, in a transaction that commits: `act(tenant, "points", lambda ctx: ctx.balance(…))`."""

    def run(owner: Tenant, plugin: str, work: Callable[[PluginContext], Any], *, member: int | None = None) -> Any:
        with platform.database.directory() as connection:
            current = tenants.by_id(connection, owner.id)
        with platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            opened = platform.inside(scope, current)
            cause = Cause(secrets.token_hex(8))
            context = opened.context(platform.registry[plugin], cause=cause, member=member)
            answer = work(context)
            context.finish()
        return answer

    return run


class Sender:
    """Sends events the way that ingest does: read, judged, appended, committed."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._count = itertools.count(1)

    def event(
        self,
        kind: str,
        member: str | None,
        *,
        id: str | None = None,  # noqa: A002 - CloudEvents' name
        time: datetime | None = None,
        **data: object,
    ) -> dict[str, object]:
        """A CloudEvent with `data`; its id is new unless given, its time now."""
        made: dict[str, object] = {
            "specversion": "1.0",
            "id": id or f"test-{next(self._count)}",
            "source": "test",
            "type": kind,
            "time": time or datetime.now(UTC),
            "data": data,
        }
        return made if member is None else {**made, "subject": member}

    def batch(self, tenant: Tenant, events: Sequence[dict[str, object]]) -> list[Item]:
        """Send events as one batch of the shop's server; returns the items with their verdicts."""
        items = read(
            [Raw(orjson.dumps(event)) for event in events],
            self._platform.catalogue,
            sender=EventSender.SERVER,
            currency=tenant.store.currency,
            now=datetime.now(UTC),
        )
        keyring = self._platform.keyring
        KEPT.use(
            self._platform.database.urls,
            lambda connection: append(connection, keyring, tenant.id, items),
        )
        return items

    def __call__(self, tenant: Tenant, kind: str, member: str | None, **event: Any) -> Item:
        """Send one event, as `event` builds it."""
        return self.batch(tenant, [self.event(kind, member, **event)])[0]


@pytest.fixture
def send(platform: Platform) -> Sender:
    """Sends events: `send(tenant, "order.paid", "ann", order_id="1", total=1200, currency="CNY")`."""
    return Sender(platform)


class Clock:
    """Sets the clocks of stores; each goes on from there."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    def set(self, tenant: Tenant, moment: datetime) -> None:
        """Let a store's clock stand at an instant; one without a zone is local to the store."""
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=tenant.store.timezone)
        with self._platform.database.ops.begin() as ops:
            tenants.set_clock(ops, tenant.id, moment)

    def forward(self, tenant: Tenant, span: timedelta) -> None:
        """Put a store's clock forward."""
        self.set(tenant, self.now(tenant) + span)

    def now(self, tenant: Tenant) -> datetime:
        """What a store's clock says, in UTC."""
        with self._platform.database.directory() as connection:
            offset = tenants.by_id(connection, tenant.id).clock_offset
        return datetime.now(UTC) + offset


@pytest.fixture
def clock(platform: Platform) -> Clock:
    """Sets stores' clocks: `clock.set(tenant, datetime(2027, 2, 28, 9))`, `clock.forward(tenant, span)`."""
    return Clock(platform)


class Phone:
    """A member with the phone in their hand: real requests with the member's own token.

    Attributes:
        id: The member's number.
        name: What the shop calls the member.
    """

    def __init__(self, platform: Platform, client: Callable[[], httpx2.Client], tenant: Tenant, name: str) -> None:
        with platform.database.tenant(tenant.id) as scope:
            self.id = members.put(scope, platform.keyring, name).id
        self.name = name
        self._client = client
        self._token = keys.sign_token(platform.keyring, tenant.id, self.id, name, timedelta(hours=1))[0]

    def get(self, path: str, **query: Any) -> httpx2.Response:
        """Ask for something below `/v1/me`."""
        return self._client().get(f"/v1/me{path}", params=query, headers=self._headers())

    def post(self, path: str, body: Any = None, *, key: str | None = None) -> httpx2.Response:
        """Send a command below `/v1/me`; under the same key it is the same command again."""
        given = {"Idempotency-Key": key or secrets.token_hex(8)}
        return self._client().post(f"/v1/me{path}", json=body, headers=self._headers() | given)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}


@pytest.fixture
def member(platform: Platform, request: pytest.FixtureRequest) -> Callable[..., Phone]:
    """Makes members: `member(tenant, "ann").post("/birthday/tell", {"month": 2, "day": 29})`."""

    def make(of: Tenant, name: str = "ann") -> Phone:
        return Phone(platform, lambda: request.getfixturevalue("client"), of, name)

    return make


@contextmanager
def serving(platform: Platform, config: "HttpConfig | None" = None) -> Iterator[str]:
    """Serve a platform on a free loopback port; yields its base URL."""
    from threepeat.testing.serving import serve  # noqa: PLC0415 - PostgreSQL starts meanwhile

    with serve(platform, config) as url:
        yield url


@pytest.fixture
def client(platform: Platform) -> Iterator[httpx2.Client]:
    """A real HTTP client of a real server."""
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made
