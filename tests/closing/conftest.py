"""A store under a magnifying glass: every handler of every plugin is watched, and the real one still runs."""

import copy
import functools
import itertools
import secrets
import sys
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from threepeat.events.context import Cause
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.switches import SwitchState
from threepeat.testing.fixtures import Sender, serving
from threepeat.worker.loop import Worker

TOY = "sampler"
CHOSEN = {
    "webhooks": [
        (
            "webhooks/endpoints",
            {"name": "x", "url": "http://127.0.0.1:9/", "which": "chosen", "types": ["visit.made"]},
        )
    ],
}
"""Of plugins that react to types of the store's choice: what is made so that visits are among them."""
RIVALS = ("rival", "third", "other")
HOUR = timedelta(hours=1)

sys.path.insert(0, str(Path(__file__).parent / "toys"))
try:
    from closing_kit import HOOKS, STATES
    from patron_toy import Ground, Patron, Rival
    from sampler_toy import Sampler
finally:
    sys.path.pop(0)


def everything():
    """Every installed plugin, the toy, and the services that the toy's store has."""
    found = sorted((point.name, point) for point in entry_points(group=GROUP))
    toys = (Sampler(), Ground(), Patron(), *map(Rival, RIVALS))
    return Registry.load([*found, *((plugin.manifest.id, plugin) for plugin in toys)])


REGISTRY = everything()
SUBJECTS = [plugin for plugin in REGISTRY if plugin.id not in {"ground", "patron", *RIVALS}]


def pytest_generate_tests(metafunc):
    """One test for each cell: `points-closing-reaction`.

    The toy's are always run, and what each plugin does while it closes; the others are among the long proofs.
    """
    if "cell" in metafunc.fixturenames:
        cells = [
            (subject.id, state, row)
            for subject in SUBJECTS
            for row, (_, applies) in metafunc.module.ROWS.items()
            if subject.id == TOY or applies(subject)
            for state in STATES
        ]
        metafunc.parametrize(
            "cell",
            [
                pytest.param(
                    (subject, state, row),
                    id="-".join((subject, state, row.replace(" ", "_"))),
                    marks=() if subject == TOY or state == "closing" else pytest.mark.long,
                )
                for subject, state, row in cells
            ],
        )


class Spies:
    """Watches every handler and every acting hook.

    Attributes:
        seen: What was called, as (tenant, plugin, what).
        failing: Whose reactions fail after they were called, as (tenant, plugin).
        owing: What a plugin says it owes, instead of the truth, by (tenant, plugin).
        holds: What to do once a handler has done its work, by (tenant, plugin, what).
    """

    def __init__(self):
        self.seen = []
        self.failing = set()
        self.owing = {}
        self.holds = {}

    def count(self, tenant, plugin):
        return Counter(what for where, who, what in list(self.seen) if (where, who) == (tenant, plugin))

    def watched(self, plugin):
        """The same plugin, watched."""
        watch = functools.partial(self._watch, plugin.id)
        return replace(
            plugin,
            plugin=self._hooks(plugin),
            reactions=tuple(
                replace(one, handler=watch(f"reaction {number}", one.handler))
                for number, one in enumerate(plugin.reactions)
            ),
            routes=tuple(
                replace(one, handler=watch(f"{one.method} {one.path}", one.handler)) for one in plugin.routes
            ),
            timers={
                name: replace(one, handler=watch(f"timer {name}", one.handler))
                for name, one in plugin.timers.items()
            },
            schedules={
                name: replace(one, handler=watch(f"schedule {name}", one.handler))
                for name, one in plugin.schedules.items()
            },
            outbounds={
                name: replace(one, prepare=watch(f"call {name}", one.prepare))
                if one.prepare
                else replace(one, perform=self._watch_call(plugin.id, f"call {name}", one.perform))
                for name, one in plugin.outbounds.items()
            },
            facts={
                name: replace(one, answer=watch(f"fact {name}", one.answer)) for name, one in plugin.facts.items()
            },
            multipliers=tuple(
                replace(one, answer=watch(f"multiplier {one.kind}", one.answer)) for one in plugin.multipliers
            ),
            rewards={
                kind: replace(
                    one,
                    grant=watch(f"grant {kind}", one.grant),
                    revoke=watch(f"revoke {kind}", one.revoke),
                    balance=watch(f"balance {kind}", one.balance),
                    spend=watch(f"spend {kind}", one.spend) if one.spend else None,
                )
                for kind, one in plugin.rewards.items()
            },
        )

    def _hooks(self, installed):
        """A copy of the plugin's object whose acting hooks are watched."""
        made = copy.copy(installed.plugin)
        for hook in (*HOOKS, "merge_members", "export_member", "erase_member"):
            setattr(made, hook, self._watch(installed.id, hook, getattr(installed.plugin, hook)))

        def open_obligations(ctx):
            really = list(installed.plugin.open_obligations(ctx) or ())
            return self.owing.get((ctx.tenant.id, installed.id), really)

        made.open_obligations = open_obligations
        return made

    def _watch(self, plugin, what, real):
        @functools.wraps(real)
        def watched(ctx, *given, **named):
            self.seen.append((ctx.tenant.id, plugin, what))
            answer = real(ctx, *given, **named)
            self.holds.get((ctx.tenant.id, plugin, what), lambda: None)()
            if what.startswith("reaction") and (ctx.tenant.id, plugin) in self.failing:
                raise ValueError("made to fail")
            return answer

        return watched

    def _watch_call(self, plugin, what, real):
        """A call has no context; its key names the tenant."""

        def watched(settings, call):
            tenant, _, key = call.key.partition(":")
            if key:
                self.seen.append((int(tenant), plugin, what))
            return real(settings, call)

        return watched


class World:
    """One database, a platform on which all plugins are healthy, and for each of them one without it."""

    def __init__(self, open_one, stack):
        self.spies = Spies()
        self._open = open_one
        self._stack = stack
        self.client = stack.enter_context(httpx2.Client(timeout=30))
        self._served = {}
        self._without = {}
        self.registry = Registry(map(self.spies.watched, REGISTRY))
        self.healthy = open_one(self.registry)
        assert not self.healthy.registry.quarantined

    def without(self, plugin):
        """A platform on which a plugin is quarantined."""
        if plugin not in self._without:
            self._without[plugin] = self._open(self.registry.quarantine({plugin: "test"}))
        return self._without[plugin]

    def url(self, platform):
        """Where a platform is served, over real sockets."""
        if id(platform) not in self._served:
            off = {f"{who}_{what}": 0 for who in ("key", "member", "tenant") for what in ("requests", "events")}
            self._served[id(platform)] = self._stack.enter_context(serving(platform, HttpConfig(**off)))
        return self._served[id(platform)]

    def drain(self, platform):
        """Let a worker do whatever waits, its calls to the outside included."""
        worker = Worker(platform)
        worker.drain()
        worker._caller.finish()


class Shop:
    """A store, as its owner's server and its members' phones see it."""

    def __init__(self, world, enable):
        self.world, self.platform = world, world.healthy
        slug = f"shop-{secrets.token_hex(6)}"
        tactics = [one for one in enable if world.registry[one].manifest.kind == "tactic"]
        self.tenant = open_store(self.platform, slug, enable=tactics, holdout=0, by="test")
        self.sender = Sender(self.platform)
        self.numbers = itertools.count(1)
        with self.platform.database.tenant(self.tenant.id) as scope:
            self.key = keys.create_key(scope, self.platform.keyring, "test", ["manage"], by="test")

    def call(self, method, path, body=None, *, token=None):
        headers = {"Authorization": f"Bearer {token or self.key}"}
        if method == "POST" and token:
            headers["Idempotency-Key"] = secrets.token_hex(8)
        url = self.world.url(self.platform) + path
        return self.world.client.request(method, url, json=body, headers=headers)

    def token(self, member="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            found = members.put(scope, self.platform.keyring, member)
        return keys.sign_token(self.platform.keyring, self.tenant.id, found.id, member, HOUR)[0]

    def switch(self, plugin, verb, **body):
        return self.call("POST", f"/v1/tactics/{plugin}/{verb}", body or None)

    def state(self, plugin):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return switches.activations(scope)[plugin].state

    def member(self, name="ann"):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return members.resolve(scope, self.platform.keyring, [name])[name]

    def rows(self, query, **binds):
        with self.platform.database.tenant(self.tenant.id) as scope:
            return [tuple(row) for row in scope.run(text(query), **binds)]

    def send(self, kind, member="ann", **event):
        item = self.sender(self.tenant, kind, member, id=f"{self.tenant.id}-{next(self.numbers)}", **event)
        assert item.verdict == "accepted", item
        return item

    def batch(self, events):
        """Send many at once, as (kind, member, data)."""
        made = [
            self.sender.event(kind, member, id=f"{self.tenant.id}-{next(self.numbers)}", **data)
            for kind, member, data in events
        ]
        assert {item.verdict for item in self.sender.batch(self.tenant, made)} == {"accepted"}

    def act(self, plugin, work):
        """Act as a plugin that is healthy, in a transaction that commits."""
        platform = self.world.healthy
        with platform.database.directory() as connection:
            tenant = tenants.by_id(connection, self.tenant.id)
        with platform.database.tenant(tenant.id, clock_offset=tenant.clock_offset) as scope:
            cause = Cause(secrets.token_hex(8))
            context = platform.inside(scope, tenant).context(platform.registry[plugin], cause=cause)
            work(context)
            context.finish()

    def pass_time(self, span):
        """Put the store's clock forward."""
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, datetime.now(UTC) + span)

    def drain(self):
        self.world.drain(self.platform)


class Stand(Shop):
    """A store with one plugin under test, which stands in a state or is about to."""

    def __init__(self, world, subject, state):
        super().__init__(world, [subject])
        self.subject, self.wanted = world.registry[subject], state
        for place, values in CHOSEN.get(subject, ()):
            made = self.call("POST", f"/v1/plugins/{place}", {"values": values})
            assert made.status_code == 200, made.text
        self._before = Counter()

    def enter(self):
        """Bring the plugin into the state of the test; only what is called from here on counts."""
        spies, name = self.world.spies, (self.tenant.id, self.subject.id)
        if self.wanted == "quarantined":
            self.platform = self.world.without(self.subject.id)
        elif self.wanted != "enabled":
            spies.owing[name] = ["something"] if self.wanted == "closing" else []
            assert self.switch(self.subject.id, "disable").json()["state"] == self.wanted
        else:
            assert self.state(self.subject.id) is SwitchState.ENABLED
        self._before = spies.count(*name)

    def back(self):
        """Let the plugin be on and healthy again."""
        if self.wanted in {"closing", "off"}:
            assert self.switch(self.subject.id, "enable").json()["state"] == "enabled"
        if self.wanted == "quarantined":
            self.platform = self.world.healthy
            self.send("page.viewed", "carl", page="home")  # whatever comes next brings a worker to the store

    def called(self):
        """What was called since the plugin came into its state."""
        return set(self.world.spies.count(self.tenant.id, self.subject.id) - self._before)

    def became(self, *whats):
        """What becomes of things to be handed over: they run, wait for better times, or are passed over."""
        self.drain()
        now = self.called()
        if now.issuperset(whats):
            return "runs"
        self.back()
        self.drain()
        later = self.called()
        words = ("runs" if what in now else "waits" if what in later else "passed over" for what in whats)
        return " and ".join(sorted(set(words)))


@pytest.fixture(scope="module")
def world(cluster, tmp_path_factory):
    with cluster.database() as name, ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        patch.setenv("THREEPEAT_WEBHOOKS_LOOPBACK", "1")  # where nobody listens
        config = cluster.config(name, tmp_path_factory.mktemp("data"))
        given = KeyConfig(keys=new_line())

        def open_one(registry):
            platform = Platform.open(config, registry=registry, keys=given, upgrade=True)
            stack.callback(platform.database.dispose)
            return platform

        yield World(open_one, stack)


@pytest.fixture
def shop(world):
    """Opens stores: `shop("points")`."""
    return lambda *enable: Shop(world, enable)


@pytest.fixture
def stand(world):
    """Puts plugins under test: `stand("points", "closing")`."""
    return functools.partial(Stand, world)
