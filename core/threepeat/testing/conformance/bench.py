"""The bench: a plugin on a database of its own, and stores in which rules try it over the real road."""

import itertools
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import make_url, text

from threepeat.database.engine import Scope
from threepeat.events import collections
from threepeat.events.context import Cause, PluginContext
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.http.config import HttpConfig
from threepeat.plugins import Installed, Registry
from threepeat.sdk.errors import PluginError, Refused
from threepeat.sdk.events import Event, Sender
from threepeat.tenancy import keys, members, switches, tenants
from threepeat.tenancy.errors import TenancyError
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.switches import SwitchState
from threepeat.testing import samples
from threepeat.testing.cluster import Cluster, opened_for_tests
from threepeat.testing.conformance.project import FILE, Project, ProjectError
from threepeat.testing.conformance.states import State, read
from threepeat.testing.fixtures import NO_LIMITS, serving
from threepeat.testing.fixtures import Sender as Road
from threepeat.worker.loop import Worker, WorkerConfig

BY = "conformance"
TOKEN_LIFE = timedelta(hours=1)


class NotApplicable(Exception):  # noqa: N818 - no error: the plugin has nothing that the rule is about
    """Raised by a rule: the plugin has nothing that it is about; the message says what."""


@dataclass
class Bench:
    """A plugin under test.

    Attributes:
        project: What its author says of it.
        cluster: The server, for what needs a superuser or a database of its own.
        database: The name of the database.
        data: A folder for what is kept outside the database.
        platform: Every plugin of the environment, on that database.
    """

    project: Project
    cluster: Cluster
    database: str
    data: Path
    platform: Platform
    _stack: ExitStack
    _begun: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @classmethod
    @contextmanager
    def open(
        cls, cluster: Cluster, project: Project, data: Path, *, registry: Registry | None = None
    ) -> Iterator["Bench"]:
        """Put a plugin on the bench.

        Args:
            cluster: The server.
            project: The plugin's project.
            data: An empty folder.
            registry: The plugins; those of the environment by default.

        Raises:
            ProjectError: The plugin is not installed, or is quarantined; the message says why.
        """
        with ExitStack() as stack:
            name = stack.enter_context(cluster.database())
            given, made = cluster.config(name, data), KeyConfig(keys=new_line())
            platform = stack.enter_context(opened_for_tests(given, registry, made))
            if away := platform.registry.quarantined.get(project.plugin):
                raise ProjectError(f"{project.plugin} is quarantined: {away.reason}")
            if project.plugin not in platform.registry:
                raise ProjectError(f"{project.plugin} is not installed: run pip install -e .")
            yield cls(project, cluster, name, data, platform, stack)

    def begin(self, name: str, command: Sequence[str]) -> None:
        """Let a process run while other rules are asked; `ended` tells what it came to.

        Args:
            name: What it is begun for.
            command: The program and its arguments; it gets no input.
        """
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        self._begun[name] = process

    def ended(self, name: str, seconds: float) -> tuple[bytes, bytes] | None:
        """What a process that was begun has written, to its output and of errors; None if it takes longer."""
        try:
            return self._begun[name].communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    @property
    def installed(self) -> Installed:
        """The plugin with everything that it declares."""
        return self.platform.registry[self.project.plugin]

    @property
    def admin_url(self) -> str:
        """URL of the database for a superuser, whom no policy binds."""
        return make_url(self.cluster.admin_url).set(database=self.database).render_as_string(hide_password=False)

    @cached_property
    def url(self) -> str:
        """Where the platform is served, over real sockets."""
        return self._stack.enter_context(serving(self.platform, HttpConfig.model_validate(NO_LIMITS)))

    @cached_property
    def http(self) -> httpx2.Client:
        """A client of `url`."""
        return self._stack.enter_context(httpx2.Client(base_url=self.url, timeout=30))

    def altered(self, plugin: Installed) -> Platform:
        """The bench's platform with the plugin in another form, such as with handlers that are watched."""
        others = [plugin if one.id == plugin.id else one for one in self.platform.registry]
        return replace(self.platform, registry=Registry(others))

    def store(self, *, on: bool = True, ready: bool = True, platform: Platform | None = None) -> "Stand":
        """A new store.

        Args:
            on: With the plugin switched on.
            ready: With the settings and items of the project's `conformance.toml`.
            platform: Another one than the bench's.
        """
        platform = platform or self.platform
        installed = self.installed
        tactic = installed.manifest.kind == "tactic"
        slug = f"bench-{next(self._numbers)}-{secrets.token_hex(3)}"
        enable = [*self.project.beside, *([installed.id] if on and tactic else [])]
        stand = Stand(self, platform, open_store(platform, slug, enable=enable, holdout=0, by=BY))
        if on and ready:
            stand.prepare()
        return stand


class Stand:
    """A store with the plugin under test, as its owner's server and its members' phones see it.

    Attributes:
        made: The id of the item that was made last, by collection; and what was kept of answers, by its name.
    """

    def __init__(self, bench: Bench, platform: Platform, tenant: tenants.Tenant) -> None:
        self.bench = bench
        self.platform = platform
        self.tenant = tenant
        self.began_at = datetime.now(UTC)
        self.made: dict[str, str] = {}
        self._road = Road(platform)
        self._sent = itertools.count(1)
        self._told: set[tuple[type[Event], str, str, int]] = set()

    @cached_property
    def key(self) -> str:
        """An API key that may do everything."""
        with self.scope() as scope:
            return keys.create_key(scope, self.platform.keyring, BY, ["ingest", "manage", "read"], by=BY)

    @contextmanager
    def scope(self) -> Iterator[Scope]:
        """A transaction in the store, by its clock."""
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        with self.platform.database.tenant(current.id, clock_offset=current.clock_offset) as scope:
            yield scope

    def prepare(self) -> None:
        """Settings and items that the project names.

        Raises:
            ProjectError: The plugin does not take them.
        """
        project, plugin, platform = self.bench.project, self.bench.installed.id, self.bench.platform
        if project.settings:
            with self._part("settings"), self.scope() as scope:
                switches.save_settings(
                    scope,
                    self.tenant,
                    platform.registry,
                    platform.keyring,
                    plugin,
                    project.settings,
                    revision=None,
                    by=BY,
                )
        for item in project.collections:
            with self._part(name := item["name"]), self.scope() as scope:
                opened = platform.inside(scope, self.tenant)
                made = collections.create(opened, plugin, name, item["values"], by=BY)
                self.made[name] = made.id
                for step in item.get("steps", ()):
                    made = collections.act(opened, plugin, name, made.id, step, revision=made.revision, by=BY)

    def filled(self, value: Any) -> Any:
        """A value of the project with what is in `made` in place of its names.

        Raises:
            ProjectError: There is no such collection, or nothing was made in it.
        """
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.filled(one) for one in value]
        try:
            return value.format_map(self.made) if isinstance(value, str) else value
        except (KeyError, ValueError, IndexError) as error:
            raise ProjectError(f"{value!r} in {FILE}: nothing is made of that name: {error}") from None

    @contextmanager
    def _part(self, what: str) -> Iterator[None]:
        """Say that it is the project's part of this name that is refused."""
        try:
            yield
        except (TenancyError, Refused, PluginError) as refused:
            raise ProjectError(f"{what} of {FILE}: {refused}") from refused

    def call(self, method: str, path: str, body: Any = None, *, token: str | None = None) -> httpx2.Response:
        """A request of the store's server, or of a member with their token."""
        headers = {"Authorization": f"Bearer {token or self.key}"}
        if method == "POST" and token:
            headers["Idempotency-Key"] = secrets.token_hex(8)
        return self.bench.http.request(method, path, json=body, headers=headers)

    def token(self, member: str = "ann") -> str:
        """A member's token; the member is made."""
        return keys.sign_token(self.platform.keyring, self.tenant.id, self.member(member), member, TOKEN_LIFE)[0]

    def member(self, name: str = "ann") -> int:
        """A member's number; the member is made."""
        return self.members([name])[0]

    def members(self, names: Sequence[str]) -> list[int]:
        """The numbers of members in their order; those who are new are made."""
        with self.scope() as scope:
            known = members.resolve(scope, self.platform.keyring, names)
        return [known[name] for name in names]

    def event(
        self,
        event: type[Event],
        member: str = "ann",
        *,
        about: str | None = None,
        key: str | None = None,
        **data: Any,
    ) -> dict[str, Any]:
        """An event of a class as the shop's server sends it.

        Args:
            event: Its class.
            member: Whom it is about.
            about: Tells what it is about, such as its order; events with the same word are about the same. The
                member by default.
            key: Its id; a new one by default.
            data: Fields that differ from the least that is valid.
        """
        made = {**samples.event_data(event, about or member), **_named(data, about or member)}
        subject = member if event.about_member else None
        name = key or f"{event.type}-{next(self._sent)}"
        return self._road.event(event.type, subject, id=name, time=self.began_at, **made)

    def send(self, *events: dict[str, Any]) -> None:
        """Let the shop's server send events, if any, as one batch."""
        if not events:
            return
        for item in self._road.batch(self.tenant, events):
            if item.verdict not in {"accepted", "duplicate"}:
                raise ProjectError(f"an event of the type {item.type} was refused: {item.reason}")

    def happen(self, event: type[Event], member: str = "ann", *, about: str | None = None, **data: Any) -> None:
        """Let an event happen: the shop's server sends it, or the plugin that declares it."""
        if Sender.SERVER in event.senders:
            self.send(self.event(event, member, about=about, **data))
            return
        owner = next(plugin.id for plugin in self.platform.registry if event in plugin.events)
        subject = self.member(member) if event.about_member else None
        made = samples.converted(
            event, {**samples.event_data(event, about or member), **_named(data, about or member)}
        )
        self.act(lambda ctx: ctx.emit(made, member=subject), plugin=owner)

    def happens(self, member: str = "ann", *, about: str | None = None) -> None:
        """Let everything happen once that the plugin reacts to, and what the project names.

        The same call again sends the same events, as a shop does that had no answer.
        """
        word, batch = about or member, list[dict[str, Any]]()
        for number, (event, who, data) in enumerate(self.story(member)):
            if Sender.SERVER in event.senders:
                batch.append(self.event(event, who, about=word, key=f"{word}-{number}", **data))
            elif (event, who, word, number) not in self._told:
                self._told.add((event, who, word, number))  # a plugin emits an event once
                self.send(*batch)
                batch.clear()
                self.happen(event, who, about=word, **data)
        self.send(*batch)

    def story(self, member: str = "ann") -> list[tuple[type[Event], str, Mapping[str, Any]]]:
        """All that `happens`: an event's class, whom it is about, and fields that differ from the least."""
        known, named = self.platform.registry.events(), self.bench.project.events
        return [
            *((event, member, {}) for event in self.bench_events()),
            *((known[one["type"]], one.get("member", member), one.get("data", {})) for one in named),
        ]

    def live(self, member: str = "ann", *, about: str | None = None) -> None:
        """`happens`, and a worker that does what comes of it."""
        self.happens(member, about=about)
        self.drain()

    def bench_events(self) -> list[type[Event]]:
        """The classes that the plugin reacts to, each once."""
        return list(dict.fromkeys(one.event for one in self.bench.installed.reactions if one.wanted is None))

    def act(self, work: Any, *, plugin: str | None = None, member: int | None = None) -> Any:
        """Act as a plugin, in a transaction that commits: `act(lambda ctx: …)`."""
        with self.scope() as scope:
            context = self.context(scope, plugin, member)
            answer = work(context)
            context.finish()
        return answer

    def context(self, scope: Scope, plugin: str | None = None, member: int | None = None) -> PluginContext:
        """A plugin's context in an open transaction; the plugin under test's by default."""
        with self.platform.database.directory() as connection:
            current = tenants.by_id(connection, self.tenant.id)
        installed = self.platform.registry[plugin or self.bench.installed.id]
        opened = self.platform.inside(scope, current)
        return opened.context(installed, cause=Cause(secrets.token_hex(8)), member=member)

    def drain(self, *, batch: int = 1000) -> None:
        """Let a worker do whatever waits, calls to the outside included.

        Args:
            batch: Most events that one turn takes.
        """
        worker = Worker(self.platform, WorkerConfig(batch=batch), name=BY)
        try:
            worker.settle()
        except BaseException:
            worker._recover()  # noqa: SLF001 - what its successor does first
            raise

    def pass_time(self, span: timedelta) -> None:
        """Put the store's clock forward, counted from the real one."""
        with self.platform.database.ops.begin() as ops:
            tenants.set_clock(ops, self.tenant.id, datetime.now(UTC) + span)

    def switch(self, verb: str) -> httpx2.Response:
        """Let the merchant `enable` or `disable` the plugin."""
        return self.call("POST", f"/v1/tactics/{self.bench.installed.id}/{verb}")

    def switched(self) -> SwitchState:
        """Whether the plugin is on, closing or off."""
        with self.scope() as scope:
            found = switches.activations(scope).get(self.bench.installed.id)
        return found.state if found is not None else SwitchState.OFF

    def letters(self) -> list[str]:
        """Why things of the plugin could not be handled: its dead letters."""
        statement = text(
            "SELECT DISTINCT error FROM core.dead_letter WHERE tenant_id = :tenant AND plugin = :plugin ORDER BY 1"
        )
        with self.scope() as scope:
            return [str(row.error) for row in scope.run(statement, plugin=self.bench.installed.id)]

    def state(self) -> State:
        """All that the plugin has in this store: rows, events, deadlines, grants, messages."""
        return read(self.bench.admin_url, self.tenant.id, self.bench.installed.id)


def _named(data: Mapping[str, Any], about: str) -> dict[str, Any]:
    """Data with what it is about in place of `{about}`."""
    return {name: one.replace("{about}", about) if isinstance(one, str) else one for name, one in data.items()}
