"""`/v1/tactics`: what is on, switching and settings."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from threepeat.events import budgets, consequences
from threepeat.http.calls import AppDoor, Call, IdempotencyKey, bearer, once
from threepeat.http.paths import Room
from threepeat.tenancy import switches
from threepeat.tenancy.settings import UNCHANGED
from threepeat.tenancy.switches import MAX_BUDGET, Activation, SwitchState

router = Room(prefix="/v1/tactics", tags=["tactics"], dependencies=[Depends(bearer)])

FIRST_REVISION = 1
"""What a tactic that nobody has touched counts from, so that the second of two first writers is told."""


class TacticView(BaseModel):
    """A tactic as it stands in this store."""

    id: str
    title: str
    summary: str
    state: SwitchState
    allowed: bool
    slot: int | None = Field(description="Its place among the enabled tactics, from 1.")
    holdout_percent: int = Field(description="Share of members in the comparison group.")
    monthly_budget: int | None = Field(
        description="What its rewards may cost in a month, in minor units; null is no limit."
    )
    spent_this_month: int = Field(description="What its rewards of this month cost, in minor units.")
    settings: dict[str, Any] = Field(description="What was set; the rest has its default. Secrets are left out.")
    secrets: dict[str, bool] = Field(description="For each secret setting, whether it is set.")
    settings_schema: dict[str, Any]
    quarantined: str | None = Field(
        default=None, description="Why it may not run; it can be switched off or swapped."
    )
    paused: str | None = Field(
        default=None, description="Why it is handed no events for the moment; `resume` lets it go on."
    )
    revision: int = Field(description="Name it when you save settings.")


class TacticList(BaseModel):
    """All installed tactics and how many may be on at a time."""

    cap: int
    tactics: list[TacticView]


class EnableRequest(BaseModel):
    """How to switch on."""

    model_config = ConfigDict(extra="forbid")

    replace: str | None = Field(default=None, description="A tactic that is on and gives up its slot.")


class SettingsRequest(BaseModel):
    """A tactic's whole settings."""

    model_config = ConfigDict(extra="forbid")

    settings: dict[str, Any] = Field(description="A secret that is left out stays as it is; null clears it.")
    revision: int | None = Field(default=None, description="The revision that you read.")
    holdout_percent: int | None = Field(default=None, ge=0, le=50)
    monthly_budget: int | None = Field(
        default=None,
        ge=0,
        le=MAX_BUDGET,
        description="In minor units; null lifts the limit, leaving it out leaves the budget as it is.",
    )


class DanglingView(BaseModel):
    """A setting of another tactic that would lead nowhere."""

    plugin: str
    field: str
    names: str = Field(description="The kind of reward or the fact that it names.")


class ConsequencesView(BaseModel):
    """What would follow from switching a tactic off."""

    owes: list[str] = Field(description="What it still owes to members; while there is any it would be closing.")
    stops: list[str] = Field(description="Types of events that it would not answer any more.")
    goes_on: list[str] = Field(description="Types of events that it would answer until nothing is owed.")
    shut: list[str] = Field(description="Commands of members that would be refused.")
    open: list[str] = Field(description="What members could still ask and do.")
    dangling: list[DanglingView]


@router.get("", response_model=TacticList, summary="List the tactics")
def list_tactics(request: Request, door: AppDoor) -> TacticList:
    """Every installed tactic with its state, settings and form schema."""

    def work(call: Call) -> TacticList:
        cap, permitted = switches.allowed(call.scope, call.tenant, call.platform.registry)
        found = switches.activations(call.scope)
        spent = budgets.spent(call.scope, call.tenant.store)
        views = [
            _view(call, plugin.id, found.get(plugin.id), allowed=plugin.id in permitted, spent=spent)
            for plugin in call.platform.registry
            if plugin.manifest.kind == "tactic"
        ]
        stuck = (name for name in call.platform.registry.quarantined if name in found and found[name].slot)
        views += [_view(call, name, found[name], allowed=False, spent=spent) for name in stuck]
        return TacticList(cap=cap, tactics=views)

    return door.read(request, work)


@router.get("/{tactic}/consequences", response_model=ConsequencesView, summary="Foresee switching a tactic off")
def get_consequences(request: Request, door: AppDoor, tactic: str) -> ConsequencesView:
    """What would stop, what would go on, what is owed and what would dangle; nothing is changed."""

    def work(call: Call) -> ConsequencesView:
        found = consequences.foresee(call.opened, tactic)
        return ConsequencesView.model_validate(asdict(found))

    return door.read(request, work)


@router.post("/{tactic}/enable", response_model=TacticView, summary="Switch a tactic on")
def enable_tactic(
    request: Request,
    door: AppDoor,
    tactic: str,
    wanted: EnableRequest | None = None,
    key: IdempotencyKey = None,
) -> Response:
    """Switch a tactic on; when all slots are taken, `replace` swaps it for one that is on."""
    replace = wanted.replace if wanted else None

    def work(call: Call) -> Response:
        def make() -> TacticView:
            activation = switches.enable(
                call.scope,
                call.tenant,
                call.platform.registry,
                tactic,
                by=call.caller.principal,
                act=call.platform.act,
                replace=replace,
            )
            return _view(call, tactic, activation, allowed=True)

        return once(call, key, {"enable": tactic, "replace": replace}, make)

    return door.manage(request, work)


@router.post("/{tactic}/disable", response_model=TacticView, summary="Switch a tactic off")
def disable_tactic(request: Request, door: AppDoor, tactic: str, key: IdempotencyKey = None) -> Response:
    """Free the slot at once; while the tactic owes something to members it is `closing`."""

    def work(call: Call) -> Response:
        def make() -> TacticView:
            activation = switches.disable(
                call.scope,
                call.tenant,
                call.platform.registry,
                tactic,
                by=call.caller.principal,
                act=call.platform.act,
            )
            return _view(call, tactic, activation, allowed=True)

        return once(call, key, {"disable": tactic}, make)

    return door.manage(request, work)


@router.post("/{tactic}/resume", response_model=TacticView, summary="Let a paused tactic go on")
def resume_tactic(request: Request, door: AppDoor, tactic: str, key: IdempotencyKey = None) -> Response:
    """After too many dead letters in a row a tactic rests; it goes on with the event after the last of them."""

    def work(call: Call) -> Response:
        def make() -> TacticView:
            switches.resume(call.scope, tactic, by=call.caller.principal)
            return _view(call, tactic, switches.activations(call.scope)[tactic], allowed=True)

        return once(call, key, {"resume": tactic}, make)

    return door.manage(request, work)


@router.put("/{tactic}/settings", response_model=TacticView, summary="Save a tactic's settings")
def put_settings(request: Request, door: AppDoor, tactic: str, wanted: SettingsRequest) -> TacticView:
    """Check and store the whole settings of a tactic."""

    def work(call: Call) -> TacticView:
        activation = switches.save_settings(
            call.scope,
            call.tenant,
            call.platform.registry,
            call.platform.keyring,
            tactic,
            wanted.settings,
            revision=wanted.revision,
            holdout_percent=wanted.holdout_percent,
            monthly_budget=wanted.monthly_budget if "monthly_budget" in wanted.model_fields_set else UNCHANGED,
            by=call.caller.principal,
        )
        return _view(call, tactic, activation, allowed=True)

    return door.manage(request, work)


def _view(
    call: Call,
    plugin_id: str,
    activation: Activation | None,
    *,
    allowed: bool,
    spent: Mapping[str, int] | None = None,
) -> TacticView:
    registry = call.platform.registry
    spent = budgets.spent(call.scope, call.tenant.store) if spent is None else spent
    shown: dict[str, Any]
    if plugin_id in registry:
        plugin = registry[plugin_id]
        model = plugin.plugin.settings_model
        values, secrets = call.platform.visible_settings(call.tenant, plugin_id, activation)
        shown = {
            "title": str(plugin.manifest.title),
            "summary": str(plugin.manifest.summary),
            "settings": values,
            "secrets": secrets,
            "settings_schema": model.model_json_schema(),
        }
    else:
        reason = registry.quarantined[plugin_id].reason
        shown = {"title": plugin_id, "summary": "", "settings": {}, "secrets": {}, "settings_schema": {}}
        shown["quarantined"] = reason
    return TacticView(
        id=plugin_id,
        state=activation.state if activation else SwitchState.OFF,
        allowed=allowed,
        slot=activation.slot if activation else None,
        holdout_percent=activation.holdout_percent if activation else 0,
        monthly_budget=activation.monthly_budget if activation else None,
        spent_this_month=spent.get(plugin_id, 0),
        paused=activation.paused if activation else None,
        revision=activation.revision if activation else FIRST_REVISION,
        **shown,
    )
