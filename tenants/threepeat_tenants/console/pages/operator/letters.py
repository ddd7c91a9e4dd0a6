"""Dead letters: over all stores, and those of one store, to be tried again or let go."""

from typing import cast, get_args

from fastapi import APIRouter, Request, Response

from threepeat.events import letters
from threepeat.events.letters import LetterKind
from threepeat.sdk.wording import _, ngettext
from threepeat.tenancy.errors import Invalid
from threepeat_tenants.console import paths
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import render
from threepeat_tenants.operating import oversight
from threepeat_tenants.operating.oversight import Figure

router = APIRouter()

KINDS = {"event": _("Event"), "timer": _("Deadline"), "call": _("Outside call")}
MOST = 100


@router.get("/operator/letters")
def every_letter(request: Request, desk: AppDesk) -> Response:
    """Where dead letters lie, the most first."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            found = oversight.causes(ops, visit.platform.registry, Figure.LETTERS)
        return render(
            visit,
            "operator/letters.html",
            causes=found,
            most=oversight.MOST,
            title=lambda plugin: common.title(visit, plugin),
        )

    return desk.operator(request, work)


@router.get("/operator/stores/{slug}/letters")
def store_letters(request: Request, desk: AppDesk, slug: str) -> Response:
    """A store's dead letters; neither whom they concern nor their data, which are the merchant's to look at."""

    def work(visit: OperatorVisit) -> Response:
        plugin = common.asked(visit, "plugin")
        with visit.inside(slug) as (tenant, scope):
            found = letters.list_letters(scope, plugin=plugin or None, most=MOST)
        return render(
            visit,
            "operator/store-letters.html",
            tenant=tenant,
            letters=found,
            plugin=plugin,
            most=MOST,
            kinds={name: visit.say(said) for name, said in KINDS.items()},
            title=lambda plugin: common.title(visit, plugin),
        )

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/letters/retry")
def retry(request: Request, desk: AppDesk, slug: str) -> Response:
    """Try letters again: one, those of a plugin, or all of the store."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, "plugin", "kind", "reference")
        with visit.inside(slug) as (_tenant, scope):
            count = letters.retry(
                scope,
                plugin=given["plugin"] or None,
                kind=_kind(given["kind"]) if given["kind"] else None,
                reference=given["reference"] or None,
                by=visit.by,
            )
        if not count:
            return _back(visit, slug, _("There was nothing left to try."))
        notice = ngettext("{n} letter is tried again.", "{n} letters are tried again.", count, n=count)
        return _back(visit, slug, notice)

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/letters/drop")
def drop(request: Request, desk: AppDesk, slug: str) -> Response:
    """Let a letter go for good; what waited behind it is tried."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, "plugin", "kind", "reference")
        with visit.inside(slug) as (_tenant, scope):
            letters.drop(scope, given["plugin"], _kind(given["kind"]), given["reference"], by=visit.by)
        return _back(visit, slug, _("It is dropped. What waited behind it is tried."))

    return desk.operator(request, work)


def _kind(given: str) -> LetterKind:
    if given not in get_args(LetterKind):
        raise Invalid("kind", _("choose from {choices}", choices=", ".join(get_args(LetterKind))))
    return cast("LetterKind", given)


def _back(visit: OperatorVisit, slug: str, notice: str) -> Response:
    """To the list from which it was asked for."""
    before = paths.before(visit.request)
    wanted = before if before.startswith("/operator/") else f"/operator/stores/{slug}/letters"
    return visit.redirect(wanted, notice=notice)
