"""Audit trails: what operators changed for all, and everything that was changed in one store."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response

from threepeat.sdk.wording import _
from threepeat.tenancy import audit
from threepeat.tenancy.errors import Invalid
from threepeat_tenants.accounts import operators, staff
from threepeat_tenants.console import deeds
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import render

router = APIRouter()


@router.get("/operator/history")
def history(request: Request, desk: AppDesk) -> Response:
    """What operators changed that belongs to no single store, the newest first."""

    def work(visit: OperatorVisit) -> Response:
        before = _before(visit)
        with visit.ops() as ops:
            found = audit.read_for_operators(ops, before=before, limit=common.PAGE + 1)
            names = {f"operator:{one.id}": one.name for one in operators.everyone(ops)}
        return render(visit, "operator/history.html", tenant=None, **_page(visit, found, names))

    return desk.operator(request, work)


@router.get("/operator/stores/{slug}/history")
def store_history(request: Request, desk: AppDesk, slug: str) -> Response:
    """Who changed what in a store, the newest first."""

    def work(visit: OperatorVisit) -> Response:
        before = _before(visit)
        with visit.inside(slug) as (tenant, scope):
            found = audit.read(scope, before=before, limit=common.PAGE + 1)
            names = {f"staff:{one.id}": one.name for one in staff.everyone(scope)}
        with visit.ops() as ops:
            names |= {f"operator:{one.id}": one.name for one in operators.everyone(ops)}
        return render(visit, "operator/history.html", tenant=tenant, **_page(visit, found, names))

    return desk.operator(request, work)


def _before(visit: OperatorVisit) -> int | None:
    number = common.whole("before", common.asked(visit, "before"))
    if number is not None and number < 1:
        raise Invalid("before", _("write a whole number"))
    return number


def _page(visit: OperatorVisit, found: Sequence[audit.Entry], names: dict[str, str]) -> dict[str, Any]:
    shown, more = common.split(found)
    here = visit.request.url.path
    return {
        "entries": [deeds.told(visit, one, names) for one in shown],
        "first": here if common.asked(visit, "before") else "",
        "next": common.address(here, before=shown[-1].id) if more else "",
    }
