"""What several of the operators' pages need."""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from threepeat.database.engine import Scope
from threepeat.events.plugin_checks import Standing
from threepeat.sdk.storable import storable
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy import switches
from threepeat.tenancy.errors import Fault, Invalid
from threepeat.tenancy.switches import SwitchState
from threepeat_tenants.console.page import Page
from threepeat_tenants.operating.catalogue import PluginState
from threepeat_tenants.operating.stores import Listed

T = TypeVar("T")

PAGE = 50
"""Rows of a list on one page."""
LONGEST = 5000
"""Of what was typed that is shown again."""

SWITCHES: Mapping[SwitchState, tuple[Wording, str]] = {
    SwitchState.ENABLED: (_("On"), "good"),
    SwitchState.CLOSING: (_("Closing"), "note"),
    SwitchState.OFF: (_("Off"), "plain"),
}
"""How a plugin stands in a store, with the kind of its badge."""

STATES: Mapping[PluginState, tuple[Wording, str]] = {
    "ok": (_("Ready"), "good"),
    "quarantined": (_("Quarantined"), "bad"),
    "pending": (_("Needs an upgrade of the database"), "note"),
    "ahead": (_("Older than its database"), "bad"),
    "dormant": (_("Removed, its data is left"), "note"),
}
"""How a plugin stands in the installation."""

CHECKS: Mapping[Standing, tuple[Wording, str]] = {
    "passed": (_("Check passed"), "good"),
    "broken": (_("Breaks rules"), "bad"),
    "outdated": (_("Checked in version {version}"), "note"),
    "unchecked": (_("Not checked"), "plain"),
}
"""How a plugin stands to the rules that plugins keep."""

ELSEWHERE = _("Checked with Threepeat {version}")
"""Of this version of the plugin, by another one of Threepeat."""

ORIGINS: Mapping[str, Wording] = {"index": _("Package index"), "folder": _("Folder of this server")}


class Said(dict[str, str]):
    """Texts by name; what is missing is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def typed(page: Page, *names: str) -> dict[str, str]:
    """What was typed into fields of a form, without the space around it."""
    return {name: str(page.form.get(name, "")).strip() for name in names}


def asked(page: Page, name: str) -> str:
    """A value of the address, such as the short name after which a page begins.

    Raises:
        Invalid: It is not text.
    """
    given = page.request.query_params.get(name, "")[:200].strip()
    if not storable(given):
        raise Invalid(name, _("holds characters that are not text"))
    return given


def kept(given: Mapping[str, str]) -> dict[str, str]:
    """What was typed, as far as it is shown again."""
    return {name: value[:LONGEST] for name, value in given.items()}


def whole(field: str, value: str) -> int | None:
    """A whole number that was typed; None if nothing was.

    Raises:
        Invalid: It is none.
    """
    if not value:
        return None
    if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > 15:
        raise Invalid(field, _("write a whole number"))
    return int(value)


def faults(page: Page, errors: Sequence[Fault]) -> Said:
    """What is wrong by field, in the page's language."""
    return Said({one.field: page.say(one.reason) for one in errors})


def state(store: Listed) -> tuple[Wording, str]:
    """How a store stands, with the kind of its badge."""
    if store.opening:
        return _("Being opened"), "note"
    if store.suspended_at is not None:
        return _("Suspended"), "bad"
    return (_("Running"), "good") if store.last_event is not None else (_("No event yet"), "note")


def on(scope: Scope) -> list[str]:
    """The tactics that are on in a store, by slot."""
    slotted = (one for one in switches.activations(scope).values() if one.slot is not None)
    return [one.plugin for one in sorted(slotted, key=lambda one: one.slot or 0)]


def title(page: Page, plugin_id: str) -> str:
    """What people call a plugin; its id if it cannot be loaded."""
    registry = page.platform.registry
    if plugin_id not in registry:
        return plugin_id
    return page.say_plugin(plugin_id, registry[plugin_id].manifest.title)


def split(rows: Sequence[T], limit: int = PAGE) -> tuple[Sequence[T], bool]:
    """A page of rows of which one too many was read, and whether there are more."""
    return rows[:limit], len(rows) > limit


def address(path: str, **values: object) -> str:
    """A path with what is given as its query."""
    given = {name: str(value) for name, value in values.items() if value not in {None, ""}}
    return f"{path}?{urlencode(given)}" if given else path
