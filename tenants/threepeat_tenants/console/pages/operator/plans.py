"""Plans: what the stores on them may have."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Fault, Invalid, Stale
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import render
from threepeat_tenants.operating import plans
from threepeat_tenants.operating.plans import Plan

router = APIRouter()

FIELDS = ("id", "title", "cap", "requests_per_second", "events_per_second", "which", "mark")
ALL, SOME = "all", "some"
"""Whether a plan allows every plugin or those that are named."""
STALE = _("Somebody else changed this plan while you did. Look at what it is now; what you typed is kept below.")


@router.get("/operator/plans")
def list_plans(request: Request, desk: AppDesk) -> Response:
    """All plans."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            found = plans.list_plans(ops)
        return render(visit, "operator/plans.html", plans=found, title=lambda plugin: common.title(visit, plugin))

    return desk.operator(request, work)


@router.get("/operator/plans/new")
def new(request: Request, desk: AppDesk) -> Response:
    """Ask for a new plan."""
    given = dict.fromkeys(FIELDS, "") | {"cap": "3", "which": ALL}
    return desk.operator(request, lambda visit: _form(visit, None, given, set()))


@router.post("/operator/plans/new")
def make(request: Request, desk: AppDesk) -> Response:
    """Make a plan; an id that is taken is told at the field."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, *FIELDS)
        try:
            made = _save(visit, given["id"], given, read="")
        except Invalid as error:
            return _form(visit, None, given, _named(visit), error)
        return visit.redirect("/operator/plans", notice=_("{plan} is made.", plan=made.title))

    return desk.operator(request, work)


@router.get("/operator/plans/{plan}/change")
def show(request: Request, desk: AppDesk, plan: str) -> Response:
    """A plan as a form."""

    def work(visit: OperatorVisit) -> Response:
        found = _read(visit, plan)
        return _form(visit, found, _given(found), set(found.plugins or ()))

    return desk.operator(request, work)


@router.post("/operator/plans/{plan}/change")
def change(request: Request, desk: AppDesk, plan: str) -> Response:
    """Change a plan as a whole; the second of two who do it at once is told."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, *FIELDS)
        try:
            saved = _save(visit, plan, given, read=given["mark"] or "-")
        except Invalid as error:
            return _form(visit, _read(visit, plan), given, _named(visit), error)
        except Stale:
            found = _read(visit, plan)
            again = given | {"mark": found.mark}
            return _form(visit, found, again, _named(visit), stale=True)
        return visit.redirect("/operator/plans", notice=_("{plan} is saved.", plan=saved.title))

    return desk.operator(request, work)


@router.post("/operator/plans/{plan}/delete")
def delete(request: Request, desk: AppDesk, plan: str) -> Response:
    """Delete a plan that no store is on."""

    def work(visit: OperatorVisit) -> Response:
        try:
            with visit.ops() as ops:
                plans.delete_plan(ops, plan, by=visit.by)
        except Invalid as error:
            return visit.redirect("/operator/plans", notice=error.reason, kind="bad")
        return visit.redirect("/operator/plans", notice=_("The plan is deleted."))

    return desk.operator(request, work)


def _read(visit: OperatorVisit, plan: str) -> Plan:
    with visit.ops() as ops:
        return plans.get_plan(ops, plan)


def _save(visit: OperatorVisit, plan_id: str, given: Mapping[str, str], *, read: str) -> Plan:
    cap = common.whole("cap", given["cap"])
    if cap is None:
        raise Invalid("cap", _("write a whole number"))
    rates = {name: common.whole(name, given[name]) for name in ("requests_per_second", "events_per_second")}
    with visit.ops() as ops:
        return plans.set_plan(
            ops,
            visit.platform.registry,
            plan_id,
            title=given["title"],
            cap=cap,
            plugins=None if given["which"] == ALL else sorted(_named(visit)),
            **rates,
            read=read,
            by=visit.by,
        )


def _named(visit: OperatorVisit) -> set[str]:
    return {str(one) for one in visit.form.getlist("plugins")}


def _given(plan: Plan) -> dict[str, str]:
    rates = (plan.requests_per_second, plan.events_per_second)
    return {
        "id": plan.id,
        "title": plan.title,
        "cap": str(plan.cap),
        "requests_per_second": "" if rates[0] is None else str(rates[0]),
        "events_per_second": "" if rates[1] is None else str(rates[1]),
        "which": ALL if plan.plugins is None else SOME,
        "mark": plan.mark,
    }


def _form(
    visit: OperatorVisit,
    plan: Plan | None,
    given: Mapping[str, str],
    named: set[str],
    error: Invalid | None = None,
    *,
    stale: bool = False,
) -> Response:
    errors: tuple[Fault, ...] = error.errors if error else ()
    registry = visit.platform.registry
    known = [*(one.id for one in registry), *sorted(registry.quarantined)]
    return render(
        visit,
        "operator/plan.html",
        status=422 if errors or stale else 200,
        plan=plan,
        given=common.kept(given),
        named=named,
        known=[*known, *sorted((set(plan.plugins or ()) if plan else set()) - set(known))],
        errors=common.faults(visit, errors),
        stale=visit.say(STALE) if stale else "",
        title=lambda plugin: common.title(visit, plugin),
        most=plans.MAX_CAP,
    )
