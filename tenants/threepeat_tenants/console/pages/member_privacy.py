"""What a member is owed about their data: a copy of it, and its erasure."""

from tempfile import TemporaryFile
from typing import cast

from fastapi import APIRouter, Request, Response

from threepeat.events import erasure
from threepeat.events.export import Form, MemberExport
from threepeat.http.privacy import download
from threepeat.http.problems import busy
from threepeat.sdk.wording import _
from threepeat.tenancy import audit
from threepeat.tenancy.errors import Invalid, NotFound
from threepeat.tenancy.members import Member
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.console import actors
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import Visit
from threepeat_tenants.console.pages import whom
from threepeat_tenants.console.rendering import render

router = APIRouter()


@router.post("/store/{slug}/members/{number}/export")
def export(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Download everything that is stored about a member."""

    def work(visit: Visit) -> Response:
        form = visit.form.get("format")
        if form not in {"json", "csv"}:
            raise Invalid("format", _("choose one of the two"))
        found = whom.whom(visit, number)
        file = TemporaryFile()  # noqa: SIM115 - it is closed when it was sent
        try:
            MemberExport(visit.platform, visit.scope, visit.tenant, found.id).write(file, cast("Form", form))
            audit.record(visit.scope, visit.by, "member.exported", f"member:{found.id}", format=form)
        except BaseException:
            file.close()
            raise
        return download(file, cast("Form", form))

    return desk.own(request, slug, work)


@router.get("/store/{slug}/members/{number}/erase")
def ask_erase(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Say what an erasure does, and ask for the member's id again."""
    return desk.own(request, slug, lambda visit: _ask(visit, whom.whom(visit, number)))


@router.post("/store/{slug}/members/{number}/erase")
def erase(request: Request, desk: AppDesk, slug: str, number: str) -> Response:
    """Erase a member. From the answer on nothing is done with their data; a worker removes what is stored."""
    asked: list[tuple[Tenant, str]] = []

    def work(visit: Visit) -> Response:
        asked.clear()
        found = whom.whom(visit, number)
        if str(visit.form.get("again", "")).strip() != found.external_id:
            return _ask(visit, found, error=visit.say(_("That is another id. Nothing was erased.")))
        erasure_id = erasure.request(visit.platform, visit.scope, found.id, by=visit.by)
        asked.append((visit.tenant, erasure_id))
        notice = _("The erasure has begun. From now on nothing is done with the member's data.")
        return visit.redirect(f"{visit.root}/members/erasures/{erasure_id}", notice=notice)

    answer = desk.own(request, slug, work)
    for tenant, erasure_id in asked:
        try:
            erasure.announce(desk.console.platform, tenant, erasure_id)
        except OSError:
            return busy("the erasure stands, but it cannot be listed for a restore yet: ask again")
    return answer


def _ask(visit: Visit, found: Member, *, error: str = "") -> Response:
    return render(
        visit,
        "members/erase.html",
        status=422 if error else 200,
        member=found,
        here_at=whom.address(visit, found.id),
        error=error,
    )


@router.get("/store/{slug}/members/erasures/{erasure_id}")
def erased(request: Request, desk: AppDesk, slug: str, erasure_id: str) -> Response:
    """How an erasure stands, and its receipt once it is complete."""

    def work(visit: Visit) -> Response:
        try:
            found = erasure.status(visit.scope, erasure_id)
        except NotFound:
            raise NotFound(_("There is no such erasure.")) from None
        who = actors.name(visit, found.requested_by)
        return render(visit, "members/erasure.html", erasure=found, who=who)

    return desk.own(request, slug, work)
