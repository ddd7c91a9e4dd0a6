"""A store with endpoints, and a real receiver on loopback that can be slow, angry or gone."""

import itertools
import json
import secrets
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Annotated, ClassVar

from msgspec import Meta
from sqlalchemy import text
from standardwebhooks import Webhook

from threepeat.events import collections
from threepeat.events.context import Cause
from threepeat.events.stores import open_store
from threepeat.events.verify import verify
from threepeat.sdk import Manifest, Plugin, PluginSettings, hookimpl
from threepeat.sdk.events import PLUGIN, Event, MemberId
from threepeat.tenancy import keys, members, tenants
from threepeat.testing.fixtures import Sender
from threepeat.worker.loop import Worker

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Made(Event, frozen=True, kw_only=True):
    """Another plugin's event, as large as one likes."""

    type: ClassVar[str] = "maker.made"
    senders: ClassVar = PLUGIN
    what: str
    words: Annotated[tuple[str, ...], Meta(max_length=100_000)] = ()
    friends: tuple[MemberId, ...] = ()
    best: MemberId | None = None


class Maker(Plugin[PluginSettings]):
    """Makes things."""

    manifest = Manifest(id="maker", kind="service", title="Maker", summary="Makes.")
    settings_model = PluginSettings

    @hookimpl
    def events(self):
        yield Made


class Receiver:
    """A merchant's server: keeps what it gets, verifies it by the published library, and answers as it is told.

    Attributes:
        got: What came, as (webhook id, body as JSON, headers).
        answer: The status that it answers with, or a function of the id; 204 by default.
        secrets: The secrets that it takes; each request must verify with all of them.
    """

    def __init__(self):
        self.got, self.tried = [], []
        self.answer, self.headers, self.secrets = 204, {}, ()
        with socket.create_server(("127.0.0.1", 0)) as found:
            self.port = found.getsockname()[1]
        self._server = None
        self.open()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook?shop=1"

    @property
    def ids(self):
        return [one[0] for one in self.got]

    def open(self):
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                status = mine.take(dict(self.headers), body)
                self.send_response(status)
                for name, value in mine.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_):
                pass

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        """Be gone: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, headers, body):
        found = {name.lower(): value for name, value in headers.items()}
        for secret in self.secrets:
            Webhook(secret).verify(body, found)
        status = self.answer(found["webhook-id"]) if callable(self.answer) else self.answer
        self.tried.append((found["webhook-id"], status))
        if 200 <= status <= 299:
            self.got.append((found["webhook-id"], json.loads(body), found))
        return status


class Shop:
    """A store whose clock the tests set, with its worker and what its merchant does."""

    def __init__(self, platform, slug=None):
        self.platform = platform
        self.tenant = open_store(platform, slug or f"shop-{secrets.token_hex(4)}", by="test")
        self.worker = Worker(platform)
        self.sender = Sender(platform)
        self._numbers = itertools.count(1)
        self.at(START)

    # --- time

    def at(self, moment):
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, moment)
        self.now = moment

    def wait(self, **span):
        self.at(self.now + timedelta(**span))
        self.work()

    def work(self):
        """Let the worker do whatever is due, its calls to the outside included."""
        caller = self.worker._caller
        busy = True
        while busy:
            self.worker.drain()
            while caller._running:
                time.sleep(0.002)
            busy = self.worker.take_turn() is not None

    # --- what the merchant does

    def managed(self, work):
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            return work(self.platform.inside(scope, current))

    def make(self, name="endpoints", /, **values):
        return self.managed(lambda opened: collections.create(opened, "webhooks", name, values, by="test"))

    def item(self, item, name="endpoints"):
        return self.managed(lambda opened: collections.read(opened, "webhooks", name, item))

    def items(self, name="deliveries", **query):
        asked = collections.Query(**query)
        return self.managed(lambda opened: collections.find(opened, "webhooks", name, asked)).items

    def step(self, item, action, name="endpoints"):
        revision = self.item(item, name).revision
        return self.managed(
            lambda opened: collections.act(opened, "webhooks", name, item, action, revision=revision, by="test")
        )

    def endpoint(self, url, *types, name="Orders"):
        """A new endpoint and its secret."""
        chosen = {"which": "chosen", "types": list(types)} if types else {}
        made = self.make(name=name, url=url, **chosen)
        (secret,) = made.once.values()
        return made.id, secret

    # --- what happens

    def send(self, kind="visit.made", member="ann", *, work=True, **data):
        event_id = f"e{next(self._numbers)}"
        item = self.sender(self.tenant, kind, member, id=event_id, time=self.now, **data)
        assert item.verdict == "accepted", item
        if work:
            self.work()
        return event_id

    def emit(self, event, member=None, plugin="maker"):
        def inside(opened):
            made = opened.context(self.platform.registry[plugin], cause=Cause(secrets.token_hex(8)))
            made.emit(event, member=member)
            made.finish()

        self.managed(inside)

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    # --- what is there

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def states(self):
        return [state for (state,) in self.rows("SELECT state FROM webhooks.delivery ORDER BY id")]

    def letters(self):
        return self.rows("SELECT plugin, error FROM core.dead_letter")

    def violations(self):
        return self.letters() + [
            f"{one.owner}.{one.name}" for one in verify(self.platform, self.tenant) if one.rows
        ]

    def key(self, *scopes):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return keys.create_key(scope, self.platform.keyring, "test", scopes or ("manage",), by="test")
