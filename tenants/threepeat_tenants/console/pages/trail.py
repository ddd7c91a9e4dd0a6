"""A store's audit trail: who changed what, and when."""

from collections.abc import Sequence
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from threepeat.events import roster
from threepeat.tenancy import audit
from threepeat_tenants.console import actors
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around, whom
from threepeat_tenants.console.rendering import render

router = APIRouter()

PAGE = 50
LONGEST = 200
MEMBER = "member:"


@router.get("/store/{slug}/trail")
def trail(request: Request, desk: AppDesk, slug: str, subject: str = "", before: str = "") -> Response:
    """The changes, newest first; of one subject only if it is named."""

    def work(visit: Visit) -> Response:
        about = subject[:LONGEST].replace("\0", "")
        number = int(before) if before.isascii() and before.isdigit() and 0 < len(before) < 19 else None
        found = audit.read(visit.scope, before=number, subject=about or None, limit=PAGE + 1)
        shown = found[:PAGE]
        names = _names(visit, shown)
        older = {"before": str(shown[-1].id)} if len(found) > PAGE else {}
        here = f"{visit.root}/trail"
        return render(
            visit,
            "trail/trail.html",
            entries=[(one, whom.told(visit, one, names)) for one in shown],
            subject=about,
            about=_about(visit, about, names),
            plugins=[(one.id, around.title(visit, one.id)) for one in visit.platform.registry],
            address=lambda one: _address(visit, one),
            first=number is None,
            newest=_with(here, {"subject": about} if about else {}),
            after=_with(here, {**({"subject": about} if about else {}), **older}) if older else "",
        )

    return desk.read(request, slug, work)


def _names(visit: Visit, entries: Sequence[audit.Entry]) -> dict[str, str]:
    """What actors and subjects are called while they are there."""
    found = actors.names(visit, {one.actor for one in entries} | {one.subject for one in entries})
    ids = [int(one.subject.removeprefix(MEMBER)) for one in entries if _is_member(one.subject)]
    known = roster.external_ids(visit.scope, ids) if ids else {}
    found.update({f"{MEMBER}{member}": external for member, external in known.items()})
    return found


def _about(visit: Visit, subject: str, names: dict[str, str]) -> str:
    """What the trail is filtered by."""
    if subject in visit.platform.registry:
        return around.title(visit, subject)
    return names.get(subject, subject)


def _address(visit: Visit, subject: str) -> str:
    """Where a subject is looked at; empty if it has no page."""
    if _is_member(subject):
        return whom.address(visit, int(subject.removeprefix(MEMBER)))
    return ""


def _is_member(subject: str) -> bool:
    number = subject.removeprefix(MEMBER)
    return subject.startswith(MEMBER) and number.isascii() and number.isdigit() and len(number) < 19


def _with(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path
