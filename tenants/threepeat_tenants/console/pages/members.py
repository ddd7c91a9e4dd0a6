"""The members of a store: lists, search, and one member with all that is known and has happened."""

import secrets
from collections.abc import Mapping
from dataclasses import replace

import orjson
from fastapi import APIRouter, Request, Response

from threepeat.events import profiles, roster, timeline
from threepeat.events.choices import choices
from threepeat.events.merging import Merged
from threepeat.events.profiles import Standing
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy import audit, consents, identities
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.identities import PHONE, UNIONID, Identity
from threepeat.tenancy.members import SHOP, Member
from threepeat_tenants.console import actors, vocabulary
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import around, whom
from threepeat_tenants.console.rendering import render
from threepeat_tenants.forms.rewards import picks

router = APIRouter()

PAGE = 50
EVENTS = 20

STANDINGS: Mapping[Standing, tuple[Wording, str]] = {
    Standing.IN: (_("Takes part"), "good"),
    Standing.OUT: (_("Comparison group"), "note"),
    Standing.EXEMPT: (_("Takes part, exempt"), "good"),
    Standing.SUSPENDED: (_("Suspended"), "bad"),
    Standing.ALL: (_("Takes part"), "good"),
}


@router.get("/store/{slug}/members")
def list_members(request: Request, desk: AppDesk, slug: str, sort: str = "", before: str = "") -> Response:
    """The newest members, or the most active of late."""

    def work(visit: Visit) -> Response:
        active = sort == "active"
        number = _number(before)
        page = roster.newest(visit.scope, before=number, limit=PAGE)
        shown = roster.liveliest(visit.scope, limit=PAGE) if active else page.members
        more = None if active else page.next
        return render(
            visit,
            "members/list.html",
            listed=shown,
            sort="active" if active else "new",
            first=number is None,
            after=f"{visit.root}/members?before={more}" if more else "",
            search=None,
            error="",
            event=lambda kind: vocabulary.event(visit, kind),
        )

    return desk.read(request, slug, work)


@router.post("/store/{slug}/members/find")
def find(request: Request, desk: AppDesk, slug: str) -> Response:
    """Search; an id or a phone in an address would be written to logs, so it is sent in a form."""

    def work(visit: Visit) -> Response:
        search, error = whom.typed(visit, "q")["q"], ""
        found: list[roster.Listed] = []
        try:
            found = roster.search(visit.scope, visit.platform.keyring, search)
        except Invalid as invalid:
            error = visit.say(invalid.reason)
        exact = [one for one in found if one.exact]
        if len(exact) == 1:
            return visit.redirect(whom.address(visit, exact[0].id))
        return render(
            visit,
            "members/list.html",
            status=422 if error else 200,
            listed=found,
            sort="",
            first=True,
            after="",
            search=search,
            error=error,
            event=lambda kind: vocabulary.event(visit, kind),
        )

    return desk.read(request, slug, work)


@router.get("/store/{slug}/members/{number}")
def member(request: Request, desk: AppDesk, slug: str, number: str, before: str = "") -> Response:
    """One member."""

    def work(visit: Visit) -> Response:
        found = whom.whom(visit, number)
        if str(found.id) != number:
            return visit.redirect(whom.address(visit, found.id))
        return show(visit, found, before=_number(before))

    return desk.read(request, slug, work)


def show(
    visit: Visit,
    found: Member,
    *,
    before: int | None = None,
    typed: Mapping[str, str] | None = None,
    errors: Mapping[str, str] | None = None,
) -> Response:
    """A member's page, with a form that was not acceptable if there is one."""
    opened = visit.platform.inside(visit.scope, visit.tenant)
    profile = profiles.read(opened, found.id)
    story = timeline.read(opened, found.id, before=before, limit=EVENTS)
    role = visit.person.role
    who = {one.actor for one in story.entries if isinstance(one, audit.Entry)}
    who |= {one.merged_by for one in story.entries if isinstance(one, Merged)}
    names = actors.names(visit, who)
    adjustable = [one for one in profile.balances if one.amount is not None and (one.given or one.taken)]
    kinds = {one.reward.kind: one.reward for one in adjustable}
    items = {kind: choices(opened, kind) for kind, one in kinds.items() if one.items is not None}
    return render(
        visit,
        "members/member.html",
        status=422 if errors else 200,
        member=found,
        suspended=found.suspended_until is not None and found.suspended_until > visit.scope.now,
        here_at=whom.address(visit, found.id),
        profile=profile,
        adjustable=list(picks(replace(around.ours(visit), kinds=kinds, items=items))),
        standing=lambda one: (visit.say(STANDINGS[one][0]), STANDINGS[one][1]),
        identities=identities.of_member(visit.scope, found.id),
        consents=consents.current(visit.scope, found.id),
        story=story,
        newer=before is not None,
        may_write=bool(role and role.may_write),
        may_own=bool(role and role.may_own),
        typed=typed or {},
        errors=errors or {},
        key=(typed or {}).get("key") or secrets.token_hex(16),
        who=lambda one: names.get(one, one),
        told=lambda one: whom.told(visit, one, names),
        event=lambda kind: vocabulary.event(visit, kind),
        plugin=lambda name: around.title(visit, name),
        kind=lambda name: around.kind_or_fact(visit, name),
        fact=lambda one: whom.fact(visit, one),
        value=lambda one: whom.value(visit, one.fact, one.value),
        gist=lambda data, about=True: whom.gist(visit, data, about=about),
        pretty=lambda data: orjson.dumps(data, option=orjson.OPT_INDENT_2).decode(),
        identity=lambda one: identity(visit, one),
        entry_kind=_entry_kind,
    )


def identity(visit: Visit, one: Identity) -> str:
    """What kind of identity it is."""
    if one.kind == SHOP:
        return visit.say(_("Shop id"))
    if one.kind == PHONE:
        return visit.say(_("Phone"))
    return "UnionID" if one.kind == UNIONID else f"OpenID · {one.kind.partition(':')[2]}"


def _entry_kind(entry: timeline.Entry) -> str:
    """Which part of the template shows an entry."""
    return {
        timeline.Happened: "event",
        timeline.Given: "reward",
        Merged: "merge",
        audit.Entry: "change",
    }[type(entry)]


def _number(given: str) -> int | None:
    """A number of an address; None for everything that is none."""
    return int(given) if given.isascii() and given.isdigit() and 0 < len(given) < 19 and int(given) else None
