"""Which plugins are installed, what they declare, and why some of them may not run."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import Distribution, EntryPoint, entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pluggy
import structlog
from pydantic import BaseModel, SecretStr

from threepeat import __version__
from threepeat.plugins.compatibility import mismatch
from threepeat.plugins.dispatch import Handler, Table
from threepeat.sdk.collections import CollectionOf
from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import CATALOGUE, PLUGIN, SHARED, Event
from threepeat.sdk.facts import Fact, Multiplier
from threepeat.sdk.manifest import Manifest
from threepeat.sdk.messages import MessageKind
from threepeat.sdk.metrics import Metric
from threepeat.sdk.plugin import PROJECT, Plugin
from threepeat.sdk.pricing import PriceRule
from threepeat.sdk.records import Invariant, Provided, Reaction, Route
from threepeat.sdk.rewards import Reward
from threepeat.sdk.settings import PluginSettings
from threepeat.sdk.timers import Outbound, Schedule, Timer

GROUP = "threepeat.plugins"
HOOKS = tuple(name for name in vars(Plugin) if hasattr(getattr(Plugin, name), f"{PROJECT}_spec"))

Chosen = frozenset[tuple[str, int, frozenset[str]]]
"""The types that reactions to any type want in a store, each with its plugin and its place in it."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin that may run, with everything it declared.

    Attributes:
        plugin: The object itself, one for all tenants.
        distribution: Name of the Python distribution that it came from.
        version: Version of that distribution.
        package: Where its `sql/` and `migrations/` folders are.
    """

    plugin: Plugin[Any]
    distribution: str
    version: str
    package: Traversable
    events: tuple[type[Event], ...]
    reactions: tuple[Reaction, ...]
    timers: Mapping[str, Timer]
    schedules: Mapping[str, Schedule]
    outbounds: Mapping[str, Outbound]
    facts: Mapping[str, Fact]
    multipliers: tuple[Multiplier, ...]
    rewards: Mapping[str, Reward]
    price_rules: Mapping[str, PriceRule]
    message_kinds: Mapping[str, MessageKind]
    routes: tuple[Route, ...]
    provides: tuple[Provided, ...]
    collections: Mapping[str, CollectionOf[Any]]
    metrics: Mapping[str, Metric]
    invariants: tuple[Invariant, ...]

    @property
    def id(self) -> str:
        """The manifest's id."""
        return self.plugin.manifest.id

    @property
    def manifest(self) -> Manifest:
        """The plugin's label."""
        return self.plugin.manifest

    def overrides(self, hook: str) -> bool:
        """Whether the plugin implements a hook itself."""
        return inspect.getattr_static(type(self.plugin), hook) is not inspect.getattr_static(Plugin, hook)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A plugin that may not run, and the reason for people."""

    id: str
    distribution: str
    reason: str


class Registry:
    """The installed plugins in the order in which they are served, providers before users."""

    def __init__(self, installed: Iterable[Installed], quarantined: Iterable[Quarantined] = ()) -> None:
        self._installed = {plugin.id: plugin for plugin in installed}
        self._quarantined = {plugin.id: plugin for plugin in quarantined}
        self.choosing = [
            (plugin, number, reaction.wanted)
            for plugin in self._installed.values()
            for number, reaction in enumerate(plugin.reactions)
            if reaction.wanted is not None
        ]
        """The reactions to types that each store chooses, each with its plugin and its place in it."""
        self.table = lru_cache(maxsize=4096)(self._table)

    @classmethod
    def discover(cls) -> "Registry":
        """Load every plugin that an installed distribution names in `threepeat.plugins`."""
        found = sorted(entry_points(group=GROUP), key=lambda point: point.name)
        return cls.load((point.name, point) for point in found)

    @classmethod
    def load(cls, candidates: Iterable[tuple[str, "EntryPoint | Plugin[Any]"]]) -> "Registry":
        """Validate candidates one by one; what fails is quarantined and the others go on."""
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(Plugin)
        loaded: dict[str, Installed] = {}
        quarantined: dict[str, Quarantined] = {}
        for name, candidate in candidates:
            dist = candidate.dist if isinstance(candidate, EntryPoint) else None
            try:
                if name in loaded:
                    first = loaded[name].distribution or "another"
                    raise PluginError(f"{first} already installs a plugin {name!r}")
                if dist is not None and (unfit := mismatch(dist)):
                    raise PluginError(
                        f"{unfit}: install a version of {dist.name} for Threepeat {__version__},"
                        " or the Threepeat it needs"
                    )
                installed = _declare(manager, name, candidate)
                _refuse_clashes(installed, loaded.values())
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may raise anything
                reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
                quarantined[name] = Quarantined(name, dist.name if dist else "", reason)
                log.error("plugin quarantined", plugin=name, reason=reason)
            else:
                loaded[installed.id] = installed
        order, unmet = _order(loaded)
        for name, reason in unmet.items():
            quarantined[name] = Quarantined(name, loaded[name].distribution, reason)
            log.error("plugin quarantined", plugin=name, reason=reason)
        return cls((loaded[name] for name in order), quarantined.values())

    def quarantine(self, reasons: Mapping[str, str]) -> "Registry":
        """A registry without the plugins named in `reasons`, nor those that stand on them."""
        kept = {name: plugin for name, plugin in self._installed.items() if name not in reasons}
        order, unmet = _order(kept)
        away = {**reasons, **unmet}
        fresh = [
            Quarantined(name, self._installed[name].distribution if name in self._installed else "", reason)
            for name, reason in away.items()
        ]
        return Registry((kept[name] for name in order), (*self._quarantined.values(), *fresh))

    def __iter__(self) -> Iterator[Installed]:
        return iter(self._installed.values())

    def __contains__(self, plugin_id: str) -> bool:
        return plugin_id in self._installed

    def __getitem__(self, plugin_id: str) -> Installed:
        return self._installed[plugin_id]

    @property
    def quarantined(self) -> Mapping[str, Quarantined]:
        """The plugins that may not run, by id."""
        return self._quarantined

    def events(self) -> dict[str, type[Event]]:
        """Every event class by type: the SDK's catalogue and what plugins declare."""
        classes = {event.type: event for event in CATALOGUE}
        for plugin in self._installed.values():
            classes.update({event.type: event for event in plugin.events})
        return classes

    def provider(self, protocol: type[Any]) -> tuple[Installed, Provided] | None:
        """Who implements a service protocol of the SDK."""
        for plugin in self._installed.values():
            for provided in plugin.provides:
                if provided.protocol is protocol:
                    return plugin, provided
        return None

    def keeper(self, kind: str) -> tuple[Installed, Reward] | None:
        """Who keeps a kind of reward."""
        plugin = self._installed.get(kind.partition(".")[0])
        return (plugin, plugin.rewards[kind]) if plugin is not None and kind in plugin.rewards else None

    def fact(self, name: str) -> tuple[Installed, Fact] | None:
        """Who knows a fact."""
        plugin = self._installed.get(name.partition(".")[0])
        return (plugin, plugin.facts[name]) if plugin is not None and name in plugin.facts else None

    def _table(self, enabled: frozenset[str], chosen: Chosen = frozenset()) -> Table:
        """Who handles what.

        Args:
            enabled: The plugins that are on.
            chosen: What `wanted` answered in a store, by plugin and place.
        """
        types = {(plugin, number): wanted for plugin, number, wanted in chosen}
        known = self.events()
        handlers: dict[str, list[Handler]] = {}
        for plugin in self._installed.values():
            if plugin.id in enabled:
                for number, one in enumerate(plugin.reactions):
                    wanted = sorted(types.get((plugin.id, number), ()))
                    events = [known[name] for name in wanted if name in known] if one.wanted else [one.event]
                    handlers.setdefault(plugin.id, []).extend(
                        Handler(plugin.id, number, event, one.handler, one.always, one.unread) for event in events
                    )
        return Table({name: tuple(found) for name, found in handlers.items()})


def _declare(manager: pluggy.PluginManager, name: str, candidate: "EntryPoint | Plugin[Any]") -> Installed:
    plugin = candidate.load() if isinstance(candidate, EntryPoint) else candidate
    if not isinstance(plugin, Plugin):
        raise PluginError(f"the entry point {name!r} must name an instance of Plugin, not {plugin!r}")
    for attribute, kind in (("manifest", Manifest), ("settings_model", type)):
        if not isinstance(getattr(plugin, attribute, None), kind):
            raise PluginError(f"{type(plugin).__name__} lacks the attribute {attribute!r}")
    if plugin.manifest.id != name:
        raise PluginError(f"the entry point {name!r} differs from the manifest's id {plugin.manifest.id!r}")
    if not issubclass(plugin.settings_model, PluginSettings):
        raise PluginError(f"settings_model {plugin.settings_model.__name__} must derive from PluginSettings")
    if _buries_a_secret(plugin.settings_model):
        raise PluginError(
            "a secret setting must stand in a field of its own, not in a list, mapping, Annotated"
            " or a model that holds itself"
        )
    try:
        plugin.settings_model()
    except ValueError as error:
        raise PluginError(f"every setting needs a default that is valid: {error}") from error
    for hook in HOOKS:
        own = inspect.getattr_static(type(plugin), hook)
        if own is not inspect.getattr_static(Plugin, hook) and not hasattr(own, f"{PROJECT}_impl"):
            raise PluginError(f"{type(plugin).__name__}.{hook} overrides a hook without @hookimpl")
    _register(manager, plugin, name)
    return _collect(plugin, candidate.dist if isinstance(candidate, EntryPoint) else None)


def _register(manager: pluggy.PluginManager, plugin: Plugin[Any], name: str) -> None:
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        # What stays registered would fail the check of every later plugin.
        if manager.is_registered(plugin):
            manager.unregister(plugin)
        raise PluginError(str(error)) from error


def _buries_a_secret(kind: Any, above: frozenset[Any] = frozenset()) -> bool:
    """Whether a secret lies where core would not find it to seal it; `above` are the models around it."""
    if get_origin(kind) in {Union, UnionType}:
        return any(_buries_a_secret(one, above) for one in get_args(kind))
    if _is_model(kind):
        fields = kind.model_fields.values()
        if kind in above:
            return _holds_a_secret(kind)
        return any(_buries_a_secret(field.annotation, above | {kind}) for field in fields)
    return any(map(_holds_a_secret, get_args(kind)))


def _holds_a_secret(kind: Any, above: frozenset[Any] = frozenset()) -> bool:
    if _is_model(kind):
        fields = () if kind in above else kind.model_fields.values()
        return any(_holds_a_secret(field.annotation, above | {kind}) for field in fields)
    return kind is SecretStr or any(_holds_a_secret(one, above) for one in get_args(kind))


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, BaseModel)


def _collect(plugin: Plugin[Any], dist: Distribution | None) -> Installed:
    events = _events(plugin)
    reactions, routes = _records(plugin, "reactions", Reaction), _records(plugin, "routes", Route)
    for handler in (record.handler for record in (*reactions, *routes)):
        if inspect.iscoroutinefunction(handler):
            raise PluginError(f"the handler {handler!r} must be a plain def")
    for route in routes:
        if not route.path.startswith("/"):
            raise PluginError(f"the path {route.path!r} must begin with a slash")
    return Installed(
        plugin=plugin,
        distribution=dist.name if dist else "",
        version=dist.version if dist else "",
        package=files(type(plugin).__module__.partition(".")[0]),
        events=events,
        reactions=reactions,
        timers=_named(plugin, "timers", Timer),
        schedules=_named(plugin, "schedules", Schedule),
        outbounds=_named(plugin, "outbounds", Outbound),
        facts=_owned(plugin, "facts", Fact, "name"),
        multipliers=_records(plugin, "multipliers", Multiplier),
        rewards=_owned(plugin, "rewards", Reward, "kind"),
        price_rules=_named(plugin, "price_rules", PriceRule),
        message_kinds=_named(plugin, "message_kinds", MessageKind),
        routes=routes,
        provides=_records(plugin, "provides", Provided),
        collections=_collections(plugin),
        metrics=_named(plugin, "metrics", Metric),
        invariants=_records(plugin, "invariants", Invariant),
    )


def _collections(plugin: Plugin[Any]) -> Mapping[str, Any]:
    found = _named(plugin, "collections", CollectionOf)
    for name, declared in found.items():
        if _holds_a_secret(declared.model):
            raise PluginError(f"the collection {name!r} holds a secret: it belongs in the settings")
    return found


def _events(plugin: Plugin[Any]) -> tuple[type[Event], ...]:
    events: tuple[Any, ...] = tuple(plugin.events())
    types: set[str] = set()
    for event in events:
        if not (isinstance(event, type) and issubclass(event, Event)):
            raise PluginError(f"events must yield subclasses of Event, not {event!r}")
        if not event.type or event.senders != PLUGIN:
            raise PluginError(f"the event class {event.__name__} needs a type, and senders = PLUGIN")
        if event.type in types:
            raise PluginError(f"two of its event classes have the type {event.type!r}")
        types.add(event.type)
        msgspec.json.Decoder(event)
    return events


def _records(plugin: Plugin[Any], hook: str, kind: type[Any]) -> tuple[Any, ...]:
    records = tuple(getattr(plugin, hook)())
    for record in records:
        if not isinstance(record, kind):
            raise PluginError(f"{hook} must yield {kind.__name__} records, not {record!r}")
    return records


def _named(plugin: Plugin[Any], hook: str, kind: type[Any], key: str = "name") -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for record in _records(plugin, hook, kind):
        name = getattr(record, key)
        if name in found:
            raise PluginError(f"{hook}: two have the {key} {name!r}")
        found[name] = record
    return found


def _owned(plugin: Plugin[Any], hook: str, kind: type[Any], key: str) -> Mapping[str, Any]:
    """Records whose names others use, so they begin with the plugin's id."""
    found = _named(plugin, hook, kind, key)
    own = plugin.manifest.id
    for name in found:
        if name != own and not name.startswith(f"{own}."):
            raise PluginError(f"{hook}: the {key} {name!r} must begin with {own!r} and a dot")
    return found


def _refuse_clashes(fresh: Installed, others: Iterable[Installed]) -> None:
    taken = {event.type: "the SDK" for event in (*CATALOGUE, *SHARED)}
    for other in others:
        taken.update({event.type: other.id for event in other.events if event not in SHARED})
        for provided in other.provides:
            if any(mine.protocol is provided.protocol for mine in fresh.provides):
                raise PluginError(f"{other.id} already provides {provided.protocol.__name__}")
    for event in fresh.events:
        if event.type in taken and event not in SHARED:
            raise PluginError(f"{taken[event.type]} already declares the event type {event.type!r}")


def _order(plugins: Mapping[str, Installed]) -> tuple[list[str], dict[str, str]]:
    """Providers before users; a plugin with a missing or circular requirement is unmet."""
    unmet: dict[str, str] = {}
    while True:
        standing = {name: plugin for name, plugin in plugins.items() if name not in unmet}
        missing = {
            name: f"it requires {need!r}, which is not installed or quarantined"
            for name, plugin in standing.items()
            for need in plugin.manifest.requires
            if need not in standing
        }
        if missing:
            unmet.update(missing)
            continue
        graph = {name: set(plugin.manifest.requires) for name, plugin in sorted(standing.items())}
        try:
            return _sorted(graph, standing), unmet
        except CycleError as error:
            circle = " → ".join(error.args[1])
            unmet.update(dict.fromkeys(set(error.args[1]), f"its requirements go in a circle: {circle}"))


def _sorted(graph: Mapping[str, set[str]], plugins: Mapping[str, Installed]) -> list[str]:
    """Serving order; who multiplies a reward comes before who keeps it, as far as requirements allow.

    Raises:
        CycleError: The requirements go in a circle.
    """
    required = list(TopologicalSorter(graph).static_order())
    wanted = {name: set(needs) for name, needs in graph.items()}
    for name, plugin in plugins.items():
        for one in plugin.multipliers:
            keeper = one.kind.partition(".")[0]
            if keeper in wanted and keeper != name:
                wanted[keeper].add(name)
    try:
        return list(TopologicalSorter(wanted).static_order())
    except CycleError:
        return required
