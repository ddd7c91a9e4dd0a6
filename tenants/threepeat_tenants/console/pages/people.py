"""The people of a store: who may sign in, as what, and their one-time links."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from threepeat.sdk.wording import Wording, _
from threepeat.tenancy.errors import Conflict, Invalid, NotFound
from threepeat_tenants.accounts import links, staff
from threepeat_tenants.accounts.people import Role
from threepeat_tenants.accounts.staff import Staff
from threepeat_tenants.console import once
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit, public_address
from threepeat_tenants.console.pages import whom
from threepeat_tenants.console.rendering import render

router = APIRouter()

ROLES: Mapping[Role, tuple[Wording, Wording]] = {
    Role.OWNER: (_("Owner"), _("Everything, also staff, keys, exports and erasures.")),
    Role.OPERATOR: (_("Operator"), _("Tactics, settings, campaigns and members.")),
    Role.ANALYST: (_("Analyst"), _("Looks at everything and changes nothing.")),
}
"""What each role is called, and what it may do."""

FIELDS = ("name", "role", "email", "phone")


@router.get("/store/{slug}/people")
def everyone(request: Request, desk: AppDesk, slug: str) -> Response:
    """The store's staff; a new link is shown once."""
    return desk.own(request, slug, lambda visit: once.forget(visit, _show(visit)))


@router.post("/store/{slug}/people")
def add(request: Request, desk: AppDesk, slug: str) -> Response:
    """Add a person, and make their first sign-in link."""

    def work(visit: Visit) -> Response:
        given = whom.typed(visit, *FIELDS)
        try:
            made = staff.add(
                visit.scope,
                name=given["name"],
                role=given["role"],
                email=given["email"] or None,
                phone=given["phone"] or None,
                by=visit.by,
            )
        except Invalid as error:
            return _show(visit, given, error)
        return _linked(visit, made, _("{name} is added.", name=made.name))

    return desk.own(request, slug, work)


@router.post("/store/{slug}/people/{number}/link")
def make_link(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Make a new sign-in link; older ones stop working."""

    def work(visit: Visit) -> Response:
        found = _person(visit, number)
        try:
            return _linked(visit, found, _("A new link for {name} is made.", name=found.name))
        except Conflict as error:
            return _refused(visit, error)

    return desk.own(request, slug, work)


@router.post("/store/{slug}/people/{number}/role")
def change_role(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Give a person another role; their sessions end."""

    def work(visit: Visit) -> Response:
        found = _person(visit, number)
        try:
            changed = staff.change_role(visit.scope, found.id, whom.typed(visit, "role")["role"], by=visit.by)
        except Conflict as error:
            return _refused(visit, error)
        notice = _("{name} has another role now, and signs in anew.", name=changed.name)
        return visit.redirect(f"{visit.root}/people", notice=notice)

    return desk.own(request, slug, work)


@router.post("/store/{slug}/people/{number}/disable")
def disable(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Let a person sign in no more."""

    def work(visit: Visit) -> Response:
        found = _person(visit, number)
        try:
            staff.disable(visit.scope, found.id, by=visit.by)
        except Conflict as error:
            return _refused(visit, error)
        notice = _("{name} may not sign in any more.", name=found.name)
        return visit.redirect(f"{visit.root}/people", notice=notice)

    return desk.own(request, slug, work)


@router.post("/store/{slug}/people/{number}/enable")
def enable(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Let a disabled person sign in again."""

    def work(visit: Visit) -> Response:
        found = _person(visit, number)
        staff.enable(visit.scope, found.id, by=visit.by)
        notice = _("{name} may sign in again.", name=found.name)
        return visit.redirect(f"{visit.root}/people", notice=notice)

    return desk.own(request, slug, work)


def _person(visit: Visit, number: str) -> Staff:
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        raise NotFound(_("there is no such person"))
    return staff.find(visit.scope, int(number))


def _linked(visit: Visit, person: Staff, notice: Wording) -> Response:
    token = links.make_staff_link(visit.scope, visit.platform.keyring, person.id, visit.by)
    page = f"{visit.root}/people"
    answer = visit.redirect(page, notice=notice)
    shown = {"link": public_address(visit, links.PATH + token), "name": person.name}
    return once.leave(visit, answer, page, shown)


def _refused(visit: Visit, error: Conflict) -> Response:
    return visit.redirect(f"{visit.root}/people", notice=error.args[0], kind="bad")


def _show(visit: Visit, given: Mapping[str, str] | None = None, error: Invalid | None = None) -> Response:
    return render(
        visit,
        "people/people.html",
        status=422 if error else 200,
        people=staff.everyone(visit.scope),
        roles={role: (visit.say(name), visit.say(may)) for role, (name, may) in ROLES.items()},
        shown=once.read(visit, f"{visit.root}/people") if error is None else {},
        given=given or dict.fromkeys(FIELDS, ""),
        errors={one.field: visit.say(one.reason) for one in error.errors} if error else {},
    )
