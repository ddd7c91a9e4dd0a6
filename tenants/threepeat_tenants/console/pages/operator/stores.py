"""The stores: a list to search, and one store with all that an operator decides about it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from threepeat.sdk.wording import _
from threepeat.tenancy import keys, switches, tenants
from threepeat.tenancy.errors import Conflict, Invalid
from threepeat.tenancy.switches import Activation
from threepeat_tenants.accounts import staff
from threepeat_tenants.accounts.people import Role
from threepeat_tenants.console.desk import AppDesk
from threepeat_tenants.console.page import OperatorVisit
from threepeat_tenants.console.pages.operator import common
from threepeat_tenants.console.rendering import render
from threepeat_tenants.operating import blueprints, plans, stores, suspension
from threepeat_tenants.operating import usage as usages
from threepeat_tenants.operating.onboarding import FIRST_KEY
from threepeat_tenants.operating.plans import Allowance

router = APIRouter()

CHOICES: Mapping[str, bool | None] = {"plan": None, "yes": True, "no": False}
"""Who decides whether a store may have a plugin: its plan, or the operator for this store."""


@router.get("/operator/stores")
def list_stores(request: Request, desk: AppDesk) -> Response:
    """The stores by short name, a page at a time."""

    def work(visit: OperatorVisit) -> Response:
        search, after = common.asked(visit, "q"), common.asked(visit, "after")
        with visit.ops() as ops:
            rows = stores.page(ops, search=search, after=after or None, limit=common.PAGE + 1)
        shown, more = common.split(rows)
        last = shown[-1].slug if more else ""
        return render(
            visit,
            "operator/stores.html",
            stores=shown,
            search=search,
            first=common.address("/operator/stores", q=search) if after else "",
            next=common.address("/operator/stores", q=search, after=last) if more else "",
            state=common.state,
            title=lambda plugin: common.title(visit, plugin),
        )

    return desk.operator(request, work)


@router.get("/operator/stores/{slug}")
def show_store(request: Request, desk: AppDesk, slug: str) -> Response:
    """One store."""
    return desk.operator(request, lambda visit: _show(visit, slug))


@router.post("/operator/stores/{slug}/plan")
def change_plan(request: Request, desk: AppDesk, slug: str) -> Response:
    """Move a store to another plan; what is on stays on."""

    def work(visit: OperatorVisit) -> Response:
        try:
            with visit.ops() as ops:
                tenant = tenants.by_slug(ops, slug)
                plan = plans.assign(ops, tenant, common.typed(visit, "plan")["plan"], by=visit.by)
        except Invalid as error:
            return _show(visit, slug, error)
        notice = _("This store is on {plan} now.", plan=plan.title)
        return visit.redirect(f"/operator/stores/{tenant.store.slug}", notice=notice)

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/plugins/{plugin}")
def allow(request: Request, desk: AppDesk, slug: str, plugin: str) -> Response:
    """Decide whether this store may have a plugin, whatever its plan says."""

    def work(visit: OperatorVisit) -> Response:
        given = common.typed(visit, "allowed")["allowed"]
        if given not in CHOICES:
            raise Invalid("allowed", _("choose from {choices}", choices=", ".join(CHOICES)))
        with visit.inside(slug) as (tenant, scope):
            plans.allow(scope, visit.platform.registry, plugin, allowed=CHOICES[given], by=visit.by)
        notice = _("Saved. What is on stays on.")
        return visit.redirect(f"/operator/stores/{tenant.store.slug}#plugins", notice=notice)

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/plugins/{plugin}/resume")
def resume(request: Request, desk: AppDesk, slug: str, plugin: str) -> Response:
    """Let a plugin go on that rests after too many dead letters."""

    def work(visit: OperatorVisit) -> Response:
        with visit.inside(slug) as (tenant, scope):
            switches.resume(scope, plugin, by=visit.by)
        notice = _("It goes on where it stopped.")
        return visit.redirect(f"/operator/stores/{tenant.store.slug}#plugins", notice=notice)

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/keys/{key_id}/revoke")
def revoke_key(request: Request, desk: AppDesk, slug: str, key_id: str) -> Response:
    """Revoke an API key; the next request with it is refused."""

    def work(visit: OperatorVisit) -> Response:
        with visit.inside(slug) as (tenant, scope):
            keys.revoke_key(scope, key_id, by=visit.by)
        notice = _("The key is revoked. Whoever uses it is refused from now on.")
        return visit.redirect(f"/operator/stores/{tenant.store.slug}#keys", notice=notice)

    return desk.operator(request, work)


@router.get("/operator/stores/{slug}/suspend")
def ask_suspend(request: Request, desk: AppDesk, slug: str) -> Response:
    """Say what suspending does, and ask why."""
    return desk.operator(request, lambda visit: _ask(visit, slug))


@router.post("/operator/stores/{slug}/suspend")
def suspend(request: Request, desk: AppDesk, slug: str) -> Response:
    """Suspend a store; its next call is refused."""

    def work(visit: OperatorVisit) -> Response:
        reason = common.typed(visit, "reason")["reason"]
        try:
            with visit.ops() as ops:
                tenant = suspension.suspend(ops, tenants.by_slug(ops, slug), reason, by=visit.by)
        except Invalid as error:
            return _ask(visit, slug, reason, error)
        except Conflict:
            return visit.redirect(f"/operator/stores/{slug}", notice=_("It is suspended already."), kind="note")
        notice = _("{name} is suspended.", name=tenant.store.name)
        return visit.redirect(f"/operator/stores/{slug}", notice=notice, kind="note")

    return desk.operator(request, work)


@router.post("/operator/stores/{slug}/reactivate")
def reactivate(request: Request, desk: AppDesk, slug: str) -> Response:
    """Let a suspended store go on."""

    def work(visit: OperatorVisit) -> Response:
        try:
            with visit.ops() as ops:
                tenant = suspension.reactivate(ops, tenants.by_slug(ops, slug), by=visit.by)
        except Conflict:
            notice = _("It is not suspended, or was never opened to its end.")
            return visit.redirect(f"/operator/stores/{slug}", notice=notice, kind="note")
        return visit.redirect(f"/operator/stores/{slug}", notice=_("{name} goes on.", name=tenant.store.name))

    return desk.operator(request, work)


def _show(visit: OperatorVisit, slug: str, error: Invalid | None = None) -> Response:
    registry = visit.platform.registry
    with visit.inside(slug) as (tenant, scope):
        found = switches.activations(scope)
        allowed = {one.plugin: one for one in plans.allowances(scope, tenant, registry)}
        api_keys = keys.list_keys(scope)
        owners = [one for one in staff.everyone(scope) if one.role is Role.OWNER]
    with visit.ops() as ops:
        listed = stores.one(ops, tenant.id)
        known = plans.list_plans(ops)
        used = usages.usage(ops, datetime.now(UTC).astimezone(tenant.store.timezone).date(), store=slug)
    return render(
        visit,
        "operator/store.html",
        status=422 if error else 200,
        tenant=tenant,
        listed=listed,
        state=common.state(listed),
        trade=_trade(visit, tenant.blueprint),
        plans=known,
        plan=next(one for one in known if one.id == tenant.plan),
        used=used[0],
        plugins=[_row(visit, name, found.get(name), allowed.get(name)) for name in _order(visit, found)],
        keys=api_keys,
        first_key=FIRST_KEY,
        owners=owners,
        errors=common.faults(visit, error.errors if error else ()),
        title=lambda plugin: common.title(visit, plugin),
    )


def _trade(visit: OperatorVisit, blueprint: str | None) -> str:
    """What people call the trade that a store began with."""
    found = blueprints.load(visit.platform.registry).get(blueprint) if blueprint else None
    return found.title.said(visit.locale) if found else blueprint or ""


def _order(visit: OperatorVisit, found: Mapping[str, Activation]) -> list[str]:
    """Tactics before services; what was once on and is not installed any more comes last."""
    registry = visit.platform.registry
    tactics = [one.id for one in registry if one.manifest.kind == "tactic"]
    services = [one.id for one in registry if one.manifest.kind == "service"]
    slots = {name: one.slot for name, one in found.items() if one.slot is not None}
    tactics.sort(key=lambda name: (slots.get(name) or 99, name))
    return [*tactics, *services, *(name for name in sorted(found) if name not in registry)]


def _row(
    visit: OperatorVisit, name: str, found: Activation | None, allowed: Allowance | None
) -> dict[str, object]:
    """A plugin as it stands in the store."""
    registry = visit.platform.registry
    state, kind = common.SWITCHES[found.state if found else switches.SwitchState.OFF]
    away = registry.quarantined.get(name)
    return {
        "id": name,
        "title": common.title(visit, name),
        "service": name in registry and registry[name].manifest.kind == "service",
        "state": visit.say(state),
        "kind": kind,
        "slot": found.slot if found else None,
        "paused": found.paused if found else None,
        "allowed": allowed,
        "choice": next(
            (choice for choice, own in CHOICES.items() if allowed is not None and own is allowed.own), "plan"
        ),
        "quarantined": away.reason if away else "",
    }


def _ask(visit: OperatorVisit, slug: str, reason: str = "", error: Invalid | None = None) -> Response:
    with visit.ops() as ops:
        tenant = tenants.by_slug(ops, slug)
    return render(
        visit,
        "operator/suspend.html",
        status=422 if error else 200,
        tenant=tenant,
        reason=reason[: common.LONGEST],
        most=suspension.MAX_REASON,
        errors=common.faults(visit, error.errors if error else ()),
    )
