"""A store opened on one page: what it is called, its trade, its plan, its owner."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from zoneinfo import available_timezones

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Conflict, Fault, Invalid
from threepeat_tenants.accounts import links
from threepeat_tenants.console import once
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit, Page, public_address
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import fragment, render
from threepeat_tenants.operating import blueprints, onboarding, plans, stores

router = APIRouter()

FIELDS = (
    *("name", "slug", "blueprint", "plan", "currency", "timezone"),
    *("owner_name", "owner_email", "owner_phone"),
)
NOTHING = "none"
"""Chosen by who wants to begin with no tactic."""
BEGIN = {"plan": "standard", "currency": "CNY", "timezone": "Asia/Shanghai"}
CURRENCIES = ("CNY", "HKD", "MOP", "TWD", "SGD", "MYR", "JPY", "KRW", "THB", "USD", "EUR", "GBP", "AUD")
TIMEZONES = (
    *("Asia/Shanghai", "Asia/Urumqi", "Asia/Hong_Kong", "Asia/Macau", "Asia/Taipei", "Asia/Singapore"),
    *("Asia/Kuala_Lumpur", "Asia/Tokyo", "Asia/Seoul", "Asia/Bangkok", "Europe/London", "America/New_York"),
)
"""What is offered; whatever else there is may be typed."""
MOST_NOTES = 1000


@router.get("/operator/stores/new")
def new(request: Request, desk: AppDesk) -> Response:
    """Ask for everything that a store needs."""
    return desk.operator(request, lambda visit: _form(visit, dict.fromkeys(FIELDS, "") | BEGIN))


@router.get("/operator/short-name")
def short_name(request: Request, desk: AppDesk) -> Response:
    """The field of the short name with a proposal, for a name that was just typed."""

    def work(visit: OperatorVisit) -> Response:
        name, slug = common.asked(visit, "name"), common.asked(visit, "slug")
        given = {"slug": slug or (stores.short_name(name) if name else "")}
        return HTMLResponse(fragment(visit, "operator/short-name.html", given=given, errors=common.Said()))

    return desk.operator(request, work)


@router.post("/operator/stores/new")
def open_store(request: Request, desk: AppDesk) -> Response:
    """Open the store; its key and its owner's link are on the page that follows, once."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, *FIELDS)
        slug = given["slug"].lower() or stores.short_name(given["name"])
        try:
            made = _onboard(visit, given, slug)
        except Invalid as error:
            return _form(visit, given, error.errors)
        except Conflict as error:
            if error.code != "slug-taken":
                raise
            return _taken(visit, given, slug)
        where = f"/operator/stores/{slug}/connect"
        answer = visit.redirect(where, notice=_("{name} is open.", name=made.tenant.store.name))
        shown = {
            "key": made.ingest_key,
            "link": public_address(visit, links.PATH + made.owner_link),
            "owner": given["owner_name"],
            "notes": "\n".join(visit.say(note) for note in made.notes)[:MOST_NOTES],
        }
        return once.leave(visit, answer, where, shown)

    return desk.operator(request, work)


@lru_cache(maxsize=1)
def _timezones() -> frozenset[str]:
    return frozenset(available_timezones())


def _onboard(visit: OperatorVisit, given: Mapping[str, str], slug: str) -> onboarding.Onboarded:
    if not given["blueprint"]:
        raise Invalid("blueprint", _("choose a trade, or to begin with nothing"))
    if given["timezone"] not in _timezones():
        raise Invalid("timezone", _("write a time zone such as {example}", example="Asia/Shanghai"))
    return onboarding.onboard(
        visit.platform,
        slug=slug,
        name=given["name"],
        blueprint=given["blueprint"] if given["blueprint"] != NOTHING else None,
        plan=given["plan"],
        currency=given["currency"].upper(),
        timezone=given["timezone"],
        owner_name=given["owner_name"],
        owner_email=given["owner_email"] or None,
        owner_phone=given["owner_phone"] or None,
        by=visit.by,
    )


def _taken(visit: OperatorVisit, given: Mapping[str, str], slug: str) -> Response:
    """The short name is in use: by the very store that a second press of the button meant, or by another one."""
    with visit.ops() as ops:
        twice = stores.just_opened(ops, slug, given["name"], visit.by)
        free = stores.free_name(ops, slug)
    if twice:
        notice = _("This store was opened already. If its key was not shown, make a new one here.")
        return visit.redirect(f"/operator/stores/{slug}/connect", notice=notice, kind="note")
    reason = (
        _("another store is called {slug}; {free} is free", slug=slug, free=free) if free else _("it is taken")
    )
    return _form(visit, given, (Fault("slug", reason),))


def _form(visit: OperatorVisit, given: Mapping[str, str], errors: Sequence[Fault] = ()) -> Response:
    with visit.ops() as ops:
        known = plans.list_plans(ops)
    return render(
        visit,
        "operator/onboarding.html",
        status=422 if errors else 200,
        given=common.kept(given),
        errors=common.faults(visit, errors),
        plans=known,
        trades=_trades(visit),
        currencies=CURRENCIES,
        timezones=TIMEZONES,
    )


def _trades(page: Page) -> list[dict[str, object]]:
    """Each blueprint as a card: its tactics, why, and what keeps one from being on."""
    registry = page.platform.registry
    return [
        {
            "id": one.id,
            "title": one.title.said(page.locale),
            "summary": one.summary.said(page.locale),
            "tactics": [
                {
                    "title": common.title(page, found.choice.id),
                    "why": found.choice.why.said(page.locale),
                    "note": page.say(found.note) if found.note else "",
                }
                for found in blueprints.propose(one, registry)
            ],
            "left_out": [
                {"title": common.title(page, found.id), "why": found.why.said(page.locale)}
                for found in blueprints.left_out(one, registry)
            ],
        }
        for one in blueprints.load(registry).values()
    ]
