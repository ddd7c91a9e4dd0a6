"""The plugin catalogue: what is installed, how it stands, what it keeps about people, who has it on."""

from collections import Counter

from fastapi import APIRouter, Request, Response

from threepeat.sdk.wording import Wording, _
from threepeat.tenancy.errors import NotFound
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import render
from threepeat_tenants.operating import catalogue, stores
from threepeat_tenants.operating.catalogue import Entry

router = APIRouter()

ON_ERASE = {"delete": _("Deleted"), "anonymise": _("Made anonymous"), "keep": _("Kept")}
"""What erasing a member does to their rows."""


@router.get("/operator/plugins")
def list_plugins(request: Request, desk: AppDesk) -> Response:
    """Every plugin, those that need a look first."""

    def work(visit: OperatorVisit) -> Response:
        with visit.ops() as ops:
            found = catalogue.catalogue(ops, visit.platform)
        rows = sorted(found, key=lambda one: (one.state == "ok", one.kind != "tactic", one.id))
        return render(visit, "operator/plugins.html", plugins=[_row(visit, one) for one in rows])

    return desk.operator(request, work)


@router.get("/operator/plugins/{plugin}")
def show_plugin(request: Request, desk: AppDesk, plugin: str) -> Response:
    """One plugin, and the stores that have it on."""

    def work(visit: OperatorVisit) -> Response:
        after = common.asked(visit, "after")
        with visit.ops() as ops:
            found = {one.id: one for one in catalogue.catalogue(ops, visit.platform)}
            if plugin not in found:
                raise NotFound(_("There is no such plugin."))
            rows = stores.having(ops, plugin, after=after or None, limit=common.PAGE + 1)
        check = found[plugin].check
        shown, more = common.split(rows)
        here = f"/operator/plugins/{plugin}"
        return render(
            visit,
            "operator/plugin.html",
            plugin=_row(visit, found[plugin]),
            counts=Counter("broken" if rule.broken else rule.state for rule in check.rules) if check else {},
            checking=f"threepeat plugin check {plugin} --record",
            stores=[(one, *common.SWITCHES[one.state]) for one in shown],
            first=here if after else "",
            next=common.address(here, after=shown[-1].slug) if more else "",
            on_erase={name: visit.say(said) for name, said in ON_ERASE.items()},
            title=lambda other: common.title(visit, other),
        )

    return desk.operator(request, work)


def _checked(one: Entry) -> tuple[Wording, str]:
    """How a plugin stands to its newest check, with the kind of its badge."""
    if one.checked is None:
        return Wording(""), ""
    said, kind = common.CHECKS[one.checked]
    if one.checked == "outdated" and one.check is not None:
        same = one.check.version == one.version
        words = common.ELSEWHERE if same else said
        said = Wording(words.template, values={"version": one.check.core if same else one.check.version})
    return said, kind


def _row(visit: OperatorVisit, one: Entry) -> dict[str, object]:
    """A plugin in words."""
    registry = visit.platform.registry
    state, kind = common.STATES[one.state]
    summary = registry[one.id].manifest.summary if one.id in registry else ""
    checked, check_kind = _checked(one)
    return {
        "entry": one,
        "title": common.title(visit, one.id),
        "summary": visit.say_plugin(one.id, summary) if summary else "",
        "state": visit.say(state),
        "kind": kind,
        "origin": visit.say(common.ORIGINS[one.origin]) if one.origin in common.ORIGINS else one.origin,
        "checked": visit.say(checked),
        "check_kind": check_kind,
        "reasons": {
            found.table: visit.say_plugin(one.id, found.reason) if found.reason else "" for found in one.personal
        },
    }
