"""What pages about plugins share: the plugin asked for, its words, and what its forms may offer."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from threepeat.events import collections
from threepeat.events.choices import choices
from threepeat.events.consequences import Dangling
from threepeat.events.opened import OpenTenant
from threepeat.plugins import Installed
from threepeat.plugins.translations import titled
from threepeat.sdk.audience import Audience, AudienceError
from threepeat.sdk.collections import Query
from threepeat.sdk.settings import EVENT_TYPES
from threepeat.sdk.wording import _
from threepeat.tenancy import facts, kinds
from threepeat.tenancy.errors import NotAllowed, NotFound
from threepeat.tenancy.switches import SwitchState
from threepeat_tenants.accounts import staff
from threepeat_tenants.console import vocabulary
from threepeat_tenants.console.page import SignedIn, Visit
from threepeat_tenants.forms import Surroundings

Loose = tuple[str, str, list[str]]
"""Whose settings lead nowhere, what they name, and which ones they are."""

NO_TACTIC = _("There is no such tactic here.")
QUARANTINED = _("This tactic may not run at the moment. Whoever runs this server can say more.")
SOMEBODY = _("Somebody")


def inside(visit: Visit) -> OpenTenant:
    """The store in its open transaction."""
    return visit.platform.inside(visit.scope, visit.tenant)


def installed(visit: SignedIn, plugin_id: str) -> Installed:
    """A plugin that may run.

    Raises:
        NotFound: It is not installed.
        NotAllowed: It is quarantined.
    """
    registry = visit.platform.registry
    if plugin_id in registry:
        return registry[plugin_id]
    if plugin_id in registry.quarantined:
        raise NotAllowed(QUARANTINED)
    raise NotFound(NO_TACTIC)


def forbidden(visit: SignedIn, plugin_id: str) -> NotAllowed:
    """The refusal of what the operator does not allow to the store."""
    return NotAllowed(
        _(
            "The operator of this installation does not allow {plugin} to your store.",
            plugin=title(visit, plugin_id),
        )
    )


def title(visit: SignedIn, plugin_id: str) -> str:
    """What a plugin is called in the reader's language; its id if it cannot be loaded."""
    registry = visit.platform.registry
    return visit.say_plugin(plugin_id, registry[plugin_id].manifest.title) if plugin_id in registry else plugin_id


def kind_or_fact(visit: SignedIn, name: str) -> str:
    """What a kind of reward or a fact is called in the reader's language."""
    registry = visit.platform.registry
    reward, fact = registry.keeper(name), registry.fact(name)
    titles = reward[1].title if reward else fact[1].title if fact else {}
    return titled(titles, visit.locale) or name


def audience(visit: Visit, whom: Audience) -> str:
    """Whom a condition means, as a sentence; empty if it names what is not there any more."""
    known = facts.catalogue(visit.platform.registry)
    try:
        whom.check(known)
    except AudienceError:
        return ""
    around = ours(visit)
    return whom.sentence(known, around.language, currency=around.store.currency)


def loose(visit: SignedIn, found: Iterable[Dangling]) -> list[Loose]:
    """Settings that lead nowhere in words, together where a plugin names the same in several."""
    together: dict[tuple[str, str], dict[str, None]] = {}
    for one in found:
        together.setdefault((one.plugin, one.names), {})[_label(visit, one)] = None
    return [
        (title(visit, plugin), kind_or_fact(visit, names), list(labels))
        for (plugin, names), labels in together.items()
    ]


def _label(visit: SignedIn, one: Dangling) -> str:
    name = one.field.split(".")[1]
    field = visit.platform.registry[one.plugin].plugin.settings_model.model_fields.get(name)
    return visit.say_plugin(one.plugin, field.title) if field is not None and field.title else name


def around(visit: Visit, opened: OpenTenant, plugin: Installed) -> Surroundings:
    """What a form of a plugin says and offers: the facts and rewards that this store has."""
    registry = visit.platform.registry
    on = {name for name in opened.activations if opened.state(name) is SwitchState.ENABLED}
    there = {
        name: one
        for name, one in facts.catalogue(registry).items()
        if name in facts.CORE or _kept(name, on, plugin)
    }
    offered = kinds.offered(registry, on, plugin.id)
    return Surroundings(
        store=visit.tenant.store,
        locale=visit.locale,
        say=visit.say,
        translate=partial(visit.say_plugin, plugin.id),
        facts=there,
        kinds=offered,
        items=_Items(visit, opened, plugin),
    )


class _Items(Mapping[str, Mapping[str, str]]):
    """What the fields of a plugin's form choose from; each source is asked when a field needs it, and once."""

    def __init__(self, visit: Visit, opened: OpenTenant, plugin: Installed) -> None:
        self._visit = visit
        self._opened = opened
        self._plugin = plugin
        self._found: dict[str, Mapping[str, str]] = {}

    def __getitem__(self, source: str) -> Mapping[str, str]:
        if source not in self._found:
            self._found[source] = self._ask(source)
        return self._found[source]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def _ask(self, source: str) -> Mapping[str, str]:
        if source == EVENT_TYPES:
            return {kind: vocabulary.event(self._visit, kind) for kind in self._visit.platform.catalogue.classes}
        owner, slash, name = source.partition("/")
        if not slash:
            return choices(self._opened, source)
        if owner != self._plugin.id or name not in self._plugin.collections:
            return {}
        page = collections.find(self._opened, owner, name, Query())
        return {item.id: item.title for item in page.items}


def ours(visit: Visit) -> Surroundings:
    """What a form of our own says."""
    return Surroundings(store=visit.tenant.store, locale=visit.locale, say=visit.say, translate=visit.say)


def who(visit: Visit, actor: str) -> str:
    """Whom an audit trail names, for people of the store."""
    kind, _colon, number = actor.partition(":")
    if kind == "staff" and number.isdecimal():
        try:
            return staff.find(visit.scope, int(number)).name
        except NotFound:
            return visit.say(SOMEBODY)
    if kind == "operator":
        return visit.say(_("The operator of this installation"))
    return visit.say(_("A program with an API key") if kind == "key" else SOMEBODY)


def _kept(name: str, on: set[str], plugin: Installed) -> bool:
    keeper = name.partition(".")[0]
    return keeper in on or keeper == plugin.id
