"""How a store is connected: its key, what to paste, its owner's way in, and whether its first event has come."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from threepeat.sdk.wording import _
from threepeat.tenancy import keys
from threepeat.tenancy.errors import NotFound
from threepeat_tenants.accounts import links, staff
from threepeat_tenants.accounts.people import Role
from threepeat_tenants.console import once
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit, public_address
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import fragment, render
from threepeat_tenants.operating import onboarding, snippets

router = APIRouter()

LANGUAGES = {"curl": "curl", "python": "Python", "node": "Node.js", "php": "PHP"}
KEY_NAME = "ingest key"


@router.get("/operator/stores/{slug}/connect")
def connect(request: Request, desk: AppDesk, slug: str) -> Response:
    """Show what connects a store; a new key or link is on it once."""

    def work(visit: OperatorVisit) -> Response:
        with visit.inside(slug) as (tenant, scope):
            first = onboarding.first_event(scope)
            owners = [one for one in staff.everyone(scope) if one.role is Role.OWNER and not one.disabled_at]
            on = [common.title(visit, one) for one in common.on(scope)]
        shown = common.Said(once.read(visit, request.url.path))
        key = shown["key"]
        answer = render(
            visit,
            "operator/connect.html",
            tenant=tenant,
            shown=shown,
            notes=[line for line in shown["notes"].split("\n") if line],
            tactics=on,
            snippets=_snippets(visit, key, tenant.store.currency) if key else [],
            owners=owners,
            first=first,
        )
        return once.forget(visit, answer)

    return desk.operator(request, work)


@router.get("/operator/stores/{slug}/first-event")
def first_event(request: Request, desk: AppDesk, slug: str) -> Response:
    """Whether the first event has come, which the page asks for again and again until it has."""

    def work(visit: OperatorVisit) -> Response:
        with visit.inside(slug) as (tenant, scope):
            first = onboarding.first_event(scope)
        return HTMLResponse(fragment(visit, "operator/first-event.html", tenant=tenant, first=first))

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/keys")
def make_key(request: Request, desk: AppDesk, slug: str) -> Response:
    """Make an ingest key."""

    def work(visit: OperatorVisit) -> Response:
        with visit.inside(slug) as (tenant, scope):
            key = keys.create_key(scope, visit.platform.keyring, KEY_NAME, ["ingest"], by=visit.by)
        where = f"/operator/stores/{tenant.store.slug}/connect"
        return once.leave(visit, visit.redirect(where), where, {"key": key})

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/owners/{person}/link")
def make_link(request: Request, desk: AppDesk, slug: str, person: int) -> Response:
    """Make a one-time link for an owner; older ones stop working."""

    def work(visit: OperatorVisit) -> Response:
        with visit.inside(slug) as (tenant, scope):
            found = staff.find(scope, person)
            if found.role is not Role.OWNER:
                raise NotFound(_("there is no such person"))
            token = links.make_staff_link(scope, visit.platform.keyring, found.id, visit.by)
        where = f"/operator/stores/{tenant.store.slug}/connect"
        shown = {"link": public_address(visit, links.PATH + token), "owner": found.name}
        return once.leave(visit, visit.redirect(where), where, shown)

    return desk.operator(request, work)


def _snippets(visit: OperatorVisit, key: str, currency: str) -> list[tuple[str, str, str]]:
    """Name, title and text of what is pasted to send a first order."""
    made = snippets.snippets(public_address(visit, ""), key, currency)
    return [(name, LANGUAGES.get(name, name), found) for name, found in made.items()]
