"""A store with messages, and a herald who says what a test wants said."""

import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events import collections, merging
from threepeat.events.context import Cause
from threepeat.events.verify import verify
from threepeat.plugins import Registry
from threepeat.sdk import Notice
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.testing.fixtures import serving
from threepeat_messages import channels
from threepeat_messages.plugin import plugin as messages

NOON = datetime(2026, 1, 14, 4, tzinfo=UTC)
"""A Wednesday; 12:00 in the store."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(scope="session")
def registry():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parent / "toys")
        from herald_toy import Herald
    return Registry.load((plugin.manifest.id, plugin) for plugin in (messages, Herald()))


@pytest.fixture(scope="session")
def platform(cluster, tmp_path_factory, registry):
    """One platform for all files; every test makes a tenant of its own."""
    with cluster.platform(tmp_path_factory.mktemp("data"), registry=registry, pool_size=34) as opened:
        yield opened


@pytest.fixture(scope="session")
def client(platform):
    with serving(platform) as url, httpx2.Client(base_url=url, timeout=30) as made:
        yield made


class Shop:
    """A store, its members and its clock."""

    def __init__(self, platform, tenant, send, worker, client):
        self.platform, self.tenant, self._send, self.worker = platform, tenant, send, worker
        self.client = client
        self.at(NOON)

    # --- what is there --------------------------------------------------------------------------------------

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def violations(self):
        letters = self.rows("SELECT plugin, error FROM core.dead_letter WHERE tenant_id = :tenant")
        given_up = self.rows(
            "SELECT name, error FROM core.timer WHERE tenant_id = :tenant AND failed_at IS NOT NULL"
        )
        return (
            letters
            + given_up
            + [f"{one.owner}.{one.name}" for one in verify(self.platform, self.current()) if one.rows]
        )

    def states(self, name="ann"):
        """What became of a member's messages, in their order."""
        query = """
            SELECT state || CASE WHEN reason <> '' THEN ': ' || reason ELSE '' END FROM messages.message
            WHERE tenant_id = :tenant AND member_id = :member ORDER BY id
        """
        return [row[0] for row in self.rows(query, member=self.member(name))]

    def texts(self, name="ann", language="en"):
        """What a member reads, the oldest first."""
        return [one["text"][language] for one in reversed(self.inbox(name)["messages"])]

    # --- what is done ---------------------------------------------------------------------------------------

    def current(self):
        with self.platform.database.directory() as connection:
            return tenants.by_id(connection, self.tenant.id)

    def inside(self, work, *, plugin="herald"):
        """Work with a context in a transaction that commits."""
        current = self.current()
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            opened = self.platform.inside(scope, current)
            context = opened.context(self.platform.registry[plugin], cause=Cause(secrets.token_hex(8)))
            answer = work(context)
            context.finish()
            return answer

    def say(self, kind, *names, title="tea", cause=None, until=None, drain=True):
        """Say something to members; a new thing unless its cause is given."""
        values = {} if kind == "plain" else {"title": title}
        if kind == "told":
            values["price"] = self.tenant.store.money(12_800)
        why = cause or secrets.token_hex(8)
        notices = [Notice(self.member(name), why, values, until) for name in (names or ("ann",))]
        self.inside(lambda ctx: ctx.message(kind, notices))
        if drain:
            self.worker.drain()

    def agree(self, *names, purpose="marketing", yes=True, drain=True, **more):
        self.batch(
            *(
                self.event("consent.changed", name, purpose=purpose, granted=yes, **more)
                for name in names or ("ann",)
            ),
            drain=drain,
        )

    def allow(self, name="ann", template="t-1", count=1):
        self.batch(self.event("permission.granted", name, template=template, count=count))

    def save(self, plugin="messages", holdout=None, **values):
        with self.platform.database.tenant(self.tenant.id) as scope:
            switches.save_settings(
                scope, self.tenant, self.platform.registry, self.platform.keyring, plugin, values,
                revision=None, holdout_percent=holdout, by="test",
            )  # fmt: skip

    def suspend(self, name, *, until):
        with self.platform.database.tenant(self.tenant.id) as scope:
            members.change(scope, members.find(scope, name), suspension=members.Suspension(until), by="test")

    def merge(self, source, target):
        with self.platform.database.tenant(self.tenant.id) as scope:
            ids = members.find(scope, source), members.find(scope, target)
            merging.merge(self.platform, scope, self.tenant, *ids, by="test")
        self.worker.drain()

    def collection(self, work):
        """Ask something of core's collections."""
        current = self.current()
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            return work(self.platform.inside(scope, current))

    def template(self, item="herald-offer", action=None, **values):
        """Save a template, or take a step with it."""

        def work(opened):
            before = collections.read(opened, "messages", "templates", item)
            if action:
                return collections.act(
                    opened, "messages", "templates", item, action, revision=before.revision, by="test"
                )
            given = {**before.values.model_dump(), **values}
            return collections.update(
                opened, "messages", "templates", item, given, revision=before.revision, by="test"
            )

        return self.collection(work)

    # --- time and events ------------------------------------------------------------------------------------

    def at(self, moment, *, drain=True):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)
        self.now = moment
        if drain:
            self.worker.drain()

    def wait(self, length, *, drain=True):
        self.at(self.now + length, drain=drain)

    def event(self, kind, name, **data):
        return self._send.event(kind, name, **{"time": self.now, **data})

    def batch(self, *events, drain=True):
        verdicts = [item.verdict for item in self._send.batch(self.tenant, events)]
        if drain:
            self.worker.drain()
        return verdicts

    # --- what members do ------------------------------------------------------------------------------------

    def token(self, name="ann"):
        made = keys.sign_token(self.platform.keyring, self.tenant.id, self.member(name), name, DAY)[0]
        return {"Authorization": f"Bearer {made}"}

    def inbox(self, name="ann", **query):
        answer = self.client.get("/v1/me/messages/inbox", params=query, headers=self.token(name))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body, name="ann"):
        headers = {**self.token(name), "Idempotency-Key": secrets.token_hex(8)}
        return self.client.post(f"/v1/me/messages/{path}", json=body, headers=headers)


@pytest.fixture
def open_shop(platform, make_tenant, send, worker, client):
    def make(**more):
        return Shop(
            platform, make_tenant(f"shop-{secrets.token_hex(4)}", enable=("herald",), **more), send, worker, client
        )

    return make


@pytest.fixture
def shop(open_shop):
    made = open_shop()
    yield made
    assert made.violations() == []


class Courier:
    """A channel that needs a one-time permission, as another plugin may bring it.

    Attributes:
        brought: The letters that it took, by id.
    """

    def __init__(self):
        self.brought = []

    def bring(self, ctx, letters):
        del ctx
        self.brought += [one.id for one in letters]


@pytest.fixture
def courier(monkeypatch):
    made = Courier()
    channel = channels.Channel("courier", "Courier", made.bring, permission=lambda *_: "t-1")
    monkeypatch.setitem(channels.CHANNELS, "courier", channel)
    return made


@pytest.fixture
def by_courier(shop, courier):
    """The store's notices and offers go by courier."""
    for kind in ("told", "offer"):
        shop.rows(
            """
            INSERT INTO messages.template (tenant_id, plugin, kind, channel, revision, changed_at)
            VALUES (:tenant, 'herald', :kind, 'courier', 2, core.now()) RETURNING 1
            """,
            kind=kind,
        )
    return courier
