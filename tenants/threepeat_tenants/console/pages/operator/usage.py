"""What each store used in a month, as a page and as a file."""

from datetime import UTC, date, datetime, timedelta

from babel.dates import format_skeleton
from babel.numbers import get_currency_precision
from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from threepeat.sdk.wording import Amount
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import render
from threepeat_tenants.console.translations import babel_locale
from threepeat_tenants.operating import usage as usages
from threepeat_tenants.operating.usage import Usage

router = APIRouter()


@router.get("/operator/usage")
def usage(request: Request, desk: AppDesk) -> Response:
    """A month, the stores by short name."""

    def work(visit: OperatorVisit) -> Response:
        month, after = _month(visit), common.asked(visit, "after")
        with visit.ops() as ops:
            rows = usages.usage(ops, month, after=after or None, limit=common.PAGE + 1)
        shown, more = common.split(rows)
        before, later = _step(month, -1), _step(month, 1)
        here = "/operator/usage"
        return render(
            visit,
            "operator/usage.html",
            month=month,
            title=format_skeleton("yMMMM", month, locale=babel_locale(visit.locale)),
            before=common.address(here, month=f"{before:%Y-%m}"),
            later=common.address(here, month=f"{later:%Y-%m}") if later <= datetime.now(UTC).date() else "",
            first=common.address(here, month=f"{month:%Y-%m}") if after else "",
            next=common.address(here, month=f"{month:%Y-%m}", after=shown[-1].store) if more else "",
            rows=shown,
            cost=lambda one: _cost(visit, one),
            plugin=lambda name: common.title(visit, name),
        )

    return desk.operator(request, work)


@router.get("/operator/usage.csv")
def download(request: Request, desk: AppDesk) -> Response:
    """The month of every store, for a spreadsheet."""

    def work(visit: OperatorVisit) -> Response:
        month = _month(visit)
        with visit.ops() as ops:
            usages.usage(ops, month, limit=1)  # what is wrong with the month is said before the answer begins
        lines = usages.write_csv(visit.platform.database.ops, month)
        name = f'attachment; filename="usage-{month:%Y-%m}.csv"'
        return StreamingResponse(
            lines, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name}
        )

    return desk.operator(request, work)


def _month(visit: OperatorVisit) -> date:
    given = common.asked(visit, "month")
    return usages.read_month(given) if given else datetime.now(UTC).date().replace(day=1)


def _step(month: date, way: int) -> date:
    """The first day of the month before or after."""
    first = month.replace(day=1)
    if not date.min.year < first.year < date.max.year:
        return first
    return (first + timedelta(days=32 if way > 0 else -1)).replace(day=1)


def _cost(visit: OperatorVisit, one: Usage) -> str:
    amount = Amount(one.cost, one.currency, 10 ** get_currency_precision(one.currency))
    return amount.said(visit.locale.replace("-", "_"))
