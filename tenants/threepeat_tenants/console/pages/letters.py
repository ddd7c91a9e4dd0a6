"""`/store/{slug}/letters`: what a plugin could not handle, trying it again, and letting it go."""

from typing import get_args

from fastapi import APIRouter, Request, Response

from threepeat.events import letters
from threepeat.events.letters import DeadLetter, LetterKind
from threepeat.sdk.wording import Wording, _, ngettext
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat_tenants.console import vocabulary
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around
from threepeat_tenants.console.rendering import render

router = APIRouter()

PAGE = 30
FARTHEST = 10_000
LONGEST = 1000
KINDS = {"timer": _("A deadline"), "call": _("A call to another system")}
STATES = {"waiting": _("Waits for you"), "retry": _("Is being tried again"), "dropped": _("Let go")}
GONE = _("It is not there any more, waits behind another one, or is being tried again right now.")


@router.get("/store/{slug}/letters")
def show(request: Request, desk: AppDesk, slug: str) -> Response:
    """What lies there, the oldest first."""

    def work(visit: Visit) -> Response:
        asked = visit.request.query_params
        counts, skip = letters.waiting(visit.scope), _number(asked.get("skip", ""))
        plugin = asked.get("plugin") if asked.get("plugin") in {*counts, *_known(visit)} else None
        found = letters.list_letters(visit.scope, plugin=plugin, most=PAGE + 1, skip=skip)
        return render(
            visit,
            "letters/list.html",
            letters=found[:PAGE],
            more=len(found) > PAGE,
            skip=skip,
            step=PAGE,
            counts=counts,
            plugin=plugin or "",
            about=lambda one: _about(visit, one),
            title=lambda plugin_id: around.title(visit, plugin_id),
            states=STATES,
            longest=LONGEST,
            may_write=visit.person.role is not None and visit.person.role.may_write,
        )

    return desk.read(request, slug, work)


@router.post("/store/{slug}/letters/retry")
def retry(request: Request, desk: AppDesk, slug: str) -> Response:
    """Try one again with what waits behind it, or all of a plugin, or all."""

    def work(visit: Visit) -> Response:
        plugin, reference = _field(visit, "plugin"), _field(visit, "reference")
        kind = _kind(visit) if reference else None
        count = letters.retry(visit.scope, plugin=plugin, kind=kind, reference=reference, by=visit.by)
        if not count:
            return visit.redirect(f"{visit.root}/letters", notice=GONE, kind="note")
        notice = ngettext("{n} is tried again.", "{n} are tried again.", count, n=count)
        return visit.redirect(f"{visit.root}/letters", notice=notice)

    return desk.write(request, slug, work)


@router.post("/store/{slug}/letters/drop")
def drop(request: Request, desk: AppDesk, slug: str) -> Response:
    """Let one go for good; what waited behind it is tried."""

    def work(visit: Visit) -> Response:
        plugin, reference = _field(visit, "plugin"), _field(visit, "reference")
        try:
            letters.drop(visit.scope, plugin or "", _kind(visit), reference or "", by=visit.by)
        except NotFound:
            return visit.redirect(f"{visit.root}/letters", notice=GONE, kind="note")
        return visit.redirect(f"{visit.root}/letters", notice=_("It is let go."))

    return desk.write(request, slug, work)


def _about(visit: Visit, one: DeadLetter) -> str:
    """What happened, in words: an event's name, or what kind of deadline or call it is."""
    return vocabulary.event(visit, one.name) if one.kind == "event" else visit.say(_kind_words(one))


def _kind_words(one: DeadLetter) -> Wording:
    return _("{what}: {name}", what=KINDS[one.kind], name=one.name)


def _known(visit: Visit) -> set[str]:
    registry = visit.platform.registry
    return {plugin.id for plugin in registry} | set(registry.quarantined)


def _field(visit: Visit, name: str) -> str | None:
    return str(visit.form.get(name, "")) or None


def _kind(visit: Visit) -> LetterKind:
    given = str(visit.form.get("kind", ""))
    for kind in get_args(LetterKind):
        if kind == given:
            return kind  # type: ignore[no-any-return]
    raise Invalid("kind", _("choose from {choices}", choices=", ".join(get_args(LetterKind))))


def _number(given: str) -> int:
    return min(int(given), FARTHEST) if given.isascii() and given.isdecimal() and len(given) < 6 else 0
