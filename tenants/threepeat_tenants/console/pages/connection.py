"""`/store/{slug}/connection`: API keys, what to paste, what comes in, what could not be taken, what is needed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import APIRouter, Request, Response

from threepeat.events import following, refusals
from threepeat.sdk.days import midnight
from threepeat.sdk.events import Sender
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy import keys
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.keys import KeyScope
from threepeat_tenants.console import catalogue, once, vocabulary
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit, public_address
from threepeat_tenants.console.pages import around
from threepeat_tenants.console.rendering import render
from threepeat_tenants.operating import snippets
from threepeat_tenants.operating.checking import line

router = APIRouter()

LATE = 20
LONGEST_NAME = 100
PLACEHOLDER = "YOUR_KEY"
SHAPED = f"tp_live_1_{'0' * 12}_{'x' * 43}"
"""Stands for a key where one is asked for and none is shown."""

SCOPES: Mapping[KeyScope, tuple[Wording, Wording]] = {
    KeyScope.INGEST: (
        _("Send events"),
        _("For the shop's server: it reports orders and what customers do. Whoever has it can report orders too."),
    ),
    KeyScope.READ: (_("Read"), _("Looks up members, tactics and figures, and changes nothing.")),
    KeyScope.MANAGE: (
        _("Manage"),
        _("Does nearly all that this console can: members, their tokens, tactics and settings. Guard it well."),
    ),
}
SENDERS: Mapping[Sender, Wording] = {
    Sender.SERVER: _("the shop's server"),
    Sender.MEMBER: _("the mini-program"),
}
LANGUAGES = {"curl": "curl", "python": "Python", "node": "Node.js", "php": "PHP"}


@dataclass(frozen=True, slots=True)
class Typed:
    """A new key's form as it came back, with what is wrong at each field."""

    name: str = ""
    scopes: frozenset[str] = frozenset({KeyScope.INGEST})
    errors: Mapping[str, str] = field(default_factory=dict)


@router.get("/store/{slug}/connection")
def show(request: Request, desk: AppDesk, slug: str) -> Response:
    """How the store is connected; a new key is on the page once."""

    def work(visit: Visit) -> Response:
        return once.forget(visit, _page(visit, Typed(), once.read(visit, request.url.path).get("key", "")))

    return desk.read(request, slug, work)


@router.post("/store/{slug}/connection/keys")
def make_key(request: Request, desk: AppDesk, slug: str) -> Response:
    """Make a key and show it once."""

    def work(visit: Visit) -> Response:
        typed = _typed(visit)
        if typed.errors:
            return _page(visit, typed, "", status=422)
        made = keys.create_key(visit.scope, visit.platform.keyring, typed.name, typed.scopes, by=visit.by)
        where = f"{visit.root}/connection"
        return once.leave(visit, visit.redirect(where), where, {"key": made})

    return desk.own(request, slug, work)


@router.post("/store/{slug}/connection/keys/{key_id}/revoke")
def revoke_key(request: Request, desk: AppDesk, slug: str, key_id: str) -> Response:
    """Revoke a key; the next request with it is refused."""

    def work(visit: Visit) -> Response:
        where = f"{visit.root}/connection"
        try:
            keys.revoke_key(visit.scope, key_id, by=visit.by)
        except NotFound:
            return visit.redirect(where, notice=_("That key opens nothing any more."), kind="note")
        return visit.redirect(where, notice=_("The key is revoked. From now on it opens nothing."))

    return desk.own(request, slug, work)


def _page(visit: Visit, typed: Typed, key: str, *, status: int = 200) -> Response:
    opened = around.inside(visit)
    needed = catalogue.needed(opened)
    found = keys.list_keys(visit.scope)
    return render(
        visit,
        "connection/index.html",
        status=status,
        standing=[one for one in found if one.revoked_at is None],
        revoked=[one for one in reversed(found) if one.revoked_at is not None][:LATE],
        key=key,
        typed=typed,
        scopes=[(scope, visit.say(title), visit.say(what)) for scope, (title, what) in SCOPES.items()],
        called={scope: visit.say(title) for scope, (title, _what) in SCOPES.items()},
        snippets=_snippets(visit, key),
        arrived=following.arrived(visit.scope, _today(visit)),
        refused=refusals.recent(visit.scope, limit=LATE),
        needed=needed,
        known={one.type for one in needed},
        event=lambda kind: vocabulary.event(visit, kind),
        tactic=lambda plugin: around.title(visit, plugin),
        senders=lambda one: [visit.say(said) for sender, said in SENDERS.items() if sender in one.senders],
        may_own=visit.person.role is not None and visit.person.role.may_own,
    )


def _typed(visit: Visit) -> Typed:
    """What was typed into the form of a new key."""
    given = str(visit.form.get("name", ""))
    scopes = frozenset(str(one) for one in visit.form.getlist("scopes"))
    errors: dict[str, str] = {}
    try:
        given = line("name", given, LONGEST_NAME)
    except Invalid as error:
        errors["name"] = visit.say(error.reason)
    if not scopes or scopes - set(KeyScope):
        errors["scopes"] = visit.say(_("Choose at least one."))
    return Typed(given[: 2 * LONGEST_NAME], scopes, errors)


def _snippets(visit: Visit, key: str) -> list[tuple[str, str, str]]:
    """Name, title and text of what is pasted to send a first order; none where the address is no good for it."""
    try:
        made = snippets.snippets(public_address(visit, ""), key or SHAPED, visit.tenant.store.currency)
    except Invalid:
        return []
    return [
        (name, LANGUAGES.get(name, name), found if key else found.replace(SHAPED, PLACEHOLDER))
        for name, found in made.items()
    ]


def _today(visit: Visit) -> datetime:
    """When the store's day began."""
    zone = visit.tenant.store.timezone
    return midnight(visit.scope.now.astimezone(zone).date(), zone)
