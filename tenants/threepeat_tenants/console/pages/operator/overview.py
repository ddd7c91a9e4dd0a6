"""How the whole installation stands; each figure leads to what it comes from."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from babel import dates
from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from threepeat.sdk.wording import Wording, _
from threepeat.tenancy.errors import NotFound
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit, Page
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import fragment, render
from threepeat_tenants.console.translations import babel_locale
from threepeat_tenants.operating import oversight, stores
from threepeat_tenants.operating.oversight import Figure, Overview

router = APIRouter()

SLOW = timedelta(seconds=30)
"""A store that waits longer is worth a look."""

CAUSES: Mapping[Figure, tuple[Wording, Wording]] = {
    Figure.EVENTS: (
        _("Events of the last five minutes"),
        _("What each store sent, and what plugins answered with."),
    ),
    Figure.LAG: (
        _("Waiting for the worker"),
        _("If this grows, start more workers, or look at what one store sends at once."),
    ),
    Figure.LETTERS: (
        _("Dead letters"),
        _("What a plugin could not handle. Mend the cause, then try again; nothing is lost until you drop it."),
    ),
    Figure.PAUSED: (
        _("Paused plugins"),
        _("After too many failures in a row a plugin rests in that store. Open the store to let it go on."),
    ),
    Figure.QUARANTINED: (
        _("Quarantined plugins"),
        _("They may not run until the reason is gone and the server has been started again."),
    ),
    Figure.SUSPENDED: (
        _("Suspended stores"),
        _("Their keys, their members and their staff are kept out. What they owe their members goes on."),
    ),
}


@router.get("/operator/")
def overview(request: Request, desk: AppDesk) -> Response:
    """The figures, and the newest stores."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            found = oversight.overview(ops, visit.platform.registry)
            newest = stores.latest(ops)
        return render(
            visit,
            "operator/overview.html",
            **_figures(visit, found),
            newest=newest,
            state=common.state,
            title=lambda plugin: common.title(visit, plugin),
        )

    return desk.operator(request, work)


@router.get("/operator/figures")
def figures(request: Request, desk: AppDesk) -> Response:
    """The figures alone, which the overview asks for again and again."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            found = oversight.overview(ops, visit.platform.registry)
        return HTMLResponse(fragment(visit, "operator/figures.html", **_figures(visit, found)))

    return desk.operator(request, work)


@router.get("/operator/causes/{figure}")
def causes(request: Request, desk: AppDesk, figure: str) -> Response:
    """What a figure comes from, the worst first."""

    def work(visit: OperatorVisit) -> Response:
        if figure not in set(Figure):
            raise NotFound(_("There is no such figure."))
        wanted = Figure(figure)
        with visit.ops() as ops:
            found = oversight.causes(ops, visit.platform.registry, wanted)
        heading, lead = CAUSES[wanted]
        return render(
            visit,
            "operator/causes.html",
            figure=wanted,
            heading=visit.say(heading),
            lead=visit.say(lead),
            causes=found,
            most=oversight.MOST,
            title=lambda plugin: common.title(visit, plugin),
        )

    return desk.operator(request, work)


def _figures(page: Page, found: Overview) -> dict[str, Any]:
    return {
        "found": found,
        "lag": _span(found.lag, page.locale),
        "slow": found.lag is not None and found.lag > SLOW,
    }


def _span(span: timedelta | None, locale: str) -> str:
    """A time in one unit, such as `3 seconds`; empty for none."""
    if span is None:
        return ""
    return dates.format_timedelta(max(span, timedelta(seconds=1)), threshold=1.2, locale=babel_locale(locale))
