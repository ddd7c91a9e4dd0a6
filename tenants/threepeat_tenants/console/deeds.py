"""An entry of an audit trail as people read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from threepeat.sdk.wording import Wording, _
from threepeat.tenancy.audit import Entry
from threepeat_tenants.console.page import Page

DEEDS: Mapping[str, Wording] = {
    "collection.created": _("Made an entry"),
    "collection.downloaded": _("Took the file of an entry"),
    "collection.updated": _("Changed an entry"),
    "consent.recorded": _("Recorded a consent"),
    "key.created": _("Made an API key"),
    "key.made": _("Made an API key for operators"),
    "key.revoked": _("Revoked an API key"),
    "letter.dropped": _("Dropped a dead letter"),
    "letters.retried": _("Tried dead letters again"),
    "member.adjusted": _("Adjusted a member's reward"),
    "member.erased": _("Erased a member"),
    "member.exempted": _("Exempted a member from a comparison group"),
    "member.exported": _("Exported a member's data"),
    "member.included": _("Included a member again"),
    "member.merged": _("Merged two members"),
    "member.reinstated": _("Reinstated a member"),
    "member.suspended": _("Suspended a member"),
    "operator.added": _("Added an operator"),
    "operator.disabled": _("Disabled an operator"),
    "operator.enabled": _("Enabled an operator"),
    "operator.link_made": _("Made a sign-in link for an operator"),
    "operator.locale_chosen": _("Chose a language"),
    "operator.password_set": _("Set a password"),
    "operator.session_ended": _("Ended a session"),
    "operator.signed_in": _("Signed in"),
    "plan.assigned": _("Moved the store to another plan"),
    "plan.deleted": _("Deleted a plan"),
    "plan.saved": _("Saved a plan"),
    "plan.set": _("Made or changed a plan"),
    "plugin.allowed": _("Allowed a plugin to the store"),
    "plugin.by-plan": _("Left a plugin to the plan again"),
    "plugin.checked": _("Had a plugin checked"),
    "plugin.closing": _("Began to close a plugin"),
    "plugin.enabled": _("Switched a plugin on"),
    "plugin.forbidden": _("Forbade a plugin to the store"),
    "plugin.off": _("A plugin is off"),
    "plugin.purged": _("Purged what a plugin had left"),
    "plugin.resumed": _("Let a paused plugin go on"),
    "preview.made": _("Made a member to try the store as"),
    "preview.sent": _("Tried the store as a member"),
    "settings.saved": _("Saved settings"),
    "staff.added": _("Added a person to the staff"),
    "staff.contact_changed": _("Changed how a person is reached"),
    "staff.disabled": _("Disabled a person"),
    "staff.enabled": _("Enabled a person"),
    "staff.link_made": _("Made a sign-in link"),
    "staff.locale_chosen": _("Chose a language"),
    "staff.password_set": _("Set a password"),
    "staff.role_changed": _("Changed a person's role"),
    "staff.session_ended": _("Ended a session"),
    "staff.signed_in": _("Signed in"),
    "store.onboarded": _("Opened the store"),
    "store.reactivated": _("Let the store go on"),
    "store.suspended": _("Suspended the store"),
}
"""What is known; whatever else a trail holds is shown as it is written."""

DETAILS: Mapping[str, Wording] = {
    "agent": _("browser"),
    "amount": _("amount"),
    "before": _("before"),
    "blueprint": _("trade"),
    "broken": _("rules broken"),
    "cap": _("tactics at a time"),
    "changed": _("changed"),
    "count": _("how many"),
    "events": _("events per second"),
    "format": _("format"),
    "hours": _("valid for hours"),
    "kind": _("kind"),
    "locale": _("language"),
    "plan": _("plan"),
    "plugins": _("plugins"),
    "purpose": _("purpose"),
    "reason": _("reason"),
    "requests": _("requests per second"),
    "revision": _("version"),
    "role": _("role"),
    "scopes": _("may"),
    "state": _("state"),
    "tactics": _("tactics"),
    "title": _("name"),
    "until": _("until"),
    "version": _("version"),
}

ACTORS: Mapping[str, Wording] = {
    "operator": _("Command line"),
    "threepeat": _("Threepeat itself"),
}
KEY = _("Key {id}")
GONE = _("Person {id}")


@dataclass(frozen=True, slots=True)
class Told:
    """An entry in words.

    Attributes:
        deed: What was done.
        who: Who did it.
        what: What it was done to.
        details: What a reader needs besides, each with its name.
    """

    id: int
    at: datetime
    deed: str
    who: str
    what: str
    details: list[tuple[str, str]]


def told(page: Page, entry: Entry, names: Mapping[str, str]) -> Told:
    """An entry in the page's language.

    Args:
        names: Of people by what a trail calls them, such as `staff:3`.
    """
    registry = page.platform.registry
    known = DEEDS.get(entry.action)
    what = names.get(entry.subject, entry.subject)
    if entry.subject in registry:
        what = page.say_plugin(entry.subject, registry[entry.subject].manifest.title)
    return Told(
        id=entry.id,
        at=entry.at,
        deed=page.say(known) if known else entry.action,
        who=_who(page, entry.actor, names),
        what=what,
        details=[(_name(page, name), _shown(value)) for name, value in entry.details.items()],
    )


def _who(page: Page, actor: str, names: Mapping[str, str]) -> str:
    if actor in names:
        return names[actor]
    if actor in ACTORS:
        return page.say(ACTORS[actor])
    kind, _colon, number = actor.partition(":")
    if kind == "key":
        return page.say(_with(KEY, number))
    return page.say(_with(GONE, number)) if kind in {"staff", "operator"} and number.isdigit() else actor


def _with(words: Wording, number: str) -> Wording:
    return Wording(words.template, values={"id": number})


def _name(page: Page, name: str) -> str:
    return page.say(DETAILS[name]) if name in DETAILS else name


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "–" if value is None else str(value)
