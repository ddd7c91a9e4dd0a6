"""`/v1/operator`: plans, blueprints, plugins, usage, oversight and the operators' trail; stores are beside it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from threepeat.events.platform import Platform
from threepeat.events.plugin_checks import Standing
from threepeat.http.config import HttpConfig
from threepeat.http.problems import Problem
from threepeat.tenancy import audit
from threepeat_tenants.api import letters, staff, stores
from threepeat_tenants.api.door import AppDoor, OperatorDoor, OperatorRoute, Visit, bearer
from threepeat_tenants.api.stores import After, Before, Limit, Trail
from threepeat_tenants.operating import blueprints, catalogue, oversight, plans
from threepeat_tenants.operating import usage as usages
from threepeat_tenants.operating.oversight import Figure
from threepeat_tenants.operating.plans import Plan

PROBLEMS = (401, 403, 404, 409, 413, 415, 422, 429, 503)

router = APIRouter(
    prefix="/v1/operator", tags=["operator"], dependencies=[Depends(bearer)], route_class=OperatorRoute
)

Month = Annotated[str | None, Query(max_length=7, description="Such as `2026-11`; the present one if left out.")]


class PlanView(BaseModel):
    """What the stores on it may have."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    cap: int = Field(description="Tactics that may be on at a time.")
    plugins: list[str] | None = Field(description="The plugins that it allows; null allows all.")
    requests_per_second: int | None = Field(description="Of one store; null is the server's own limit.")
    events_per_second: int | None = Field(description="Of one store; null is the server's own limit.")
    stores: int = Field(description="How many are on it.")
    above: int = Field(description="How many of them have more on than the cap; they keep it.")


class PlanList(BaseModel):
    """All plans."""

    plans: list[PlanView]


class PlanRequest(BaseModel):
    """A plan as a whole."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(max_length=200)
    cap: int = 3
    plugins: list[str] | None = Field(default=None, max_length=plans.MAX_PLUGINS)
    requests_per_second: int | None = None
    events_per_second: int | None = None


class WordsView(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(from_attributes=True)

    en: str
    zh: str


class ChoiceView(BaseModel):
    """A tactic of a blueprint."""

    id: str
    why: WordsView
    note: str | None = Field(description="Why it cannot be switched on here; null if it can.")


class BlueprintView(BaseModel):
    """What a trade begins with."""

    id: str
    trade: str
    title: WordsView
    summary: WordsView
    tactics: list[ChoiceView]
    left_out: list[ChoiceView]


class BlueprintList(BaseModel):
    """All blueprints."""

    blueprints: list[BlueprintView]


class PersonalDataView(BaseModel):
    """A table with members' data, and what erasure does to it."""

    model_config = ConfigDict(from_attributes=True)

    table: str
    on_erase: str
    reason: str


class PluginView(BaseModel):
    """A plugin of the catalogue."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    title: str
    kind: str
    distribution: str
    version: str
    origin: str
    state: catalogue.PluginState
    reason: str
    requires: list[str]
    personal: list[PersonalDataView]
    enabled: int = Field(description="In how many stores it is on.")
    closing: int
    checked: Standing | None = Field(
        description="What came of its newest check that was recorded; null for one that is not installed."
    )


class PluginList(BaseModel):
    """Every plugin that is installed, and those whose tables are left."""

    plugins: list[PluginView]


class UsageView(BaseModel):
    """What a store used in a month."""

    model_config = ConfigDict(from_attributes=True)

    store: str
    name: str
    plan: str
    currency: str
    suspended: bool
    month: date
    events: int
    members: int
    joined: int
    tactics: list[str]
    cost: int = Field(description="What rewards of the month cost, in minor units.")
    costs: dict[str, int]


class UsageList(BaseModel):
    """A page of stores by short name."""

    usage: list[UsageView]
    next: str | None = Field(description="Name it as `after` for the next page; null on the last.")


class OverviewView(BaseModel):
    """How the installation stands."""

    stores: int
    simulated: int
    suspended: int
    events_per_minute: float
    behind: int
    lag_seconds: float | None
    letters: int
    paused: int
    quarantined: dict[str, str]


class CauseView(BaseModel):
    """Where a figure comes from."""

    model_config = ConfigDict(from_attributes=True)

    store: str
    plugin: str
    reason: str
    since: datetime | None
    count: int


class CauseList(BaseModel):
    """What a figure comes from, the worst first; at most 100."""

    causes: list[CauseView]


def mount(app: FastAPI, platform: Platform, config: HttpConfig) -> None:
    """Add the operator API to an app."""
    app.state.operator_door = OperatorDoor(platform, config)
    for one in (stores.router, staff.router, letters.router, router):
        app.include_router(one, responses={code: {"model": Problem} for code in PROBLEMS})


@router.get("/plans", response_model=PlanList, summary="List the plans")
def list_plans(request: Request, door: AppDoor) -> PlanList:
    """All plans, with how many stores are on each."""
    return door.run(request, lambda visit: PlanList(plans=list(map(_plan, plans.list_plans(visit.ops)))))


@router.get("/plans/{plan}", response_model=PlanView, summary="Read a plan")
def get_plan(request: Request, door: AppDoor, plan: str) -> PlanView:
    """One plan."""
    return door.run(request, lambda visit: _plan(plans.get_plan(visit.ops, plan)))


@router.put("/plans/{plan}", response_model=PlanView, summary="Make or change a plan")
def put_plan(request: Request, door: AppDoor, plan: str, wanted: PlanRequest) -> PlanView:
    """Nothing is switched off by it; limits count within a minute."""

    def work(visit: Visit) -> PlanView:
        registry = visit.platform.registry
        return _plan(plans.set_plan(visit.ops, registry, plan, **wanted.model_dump(), by=visit.by))

    return door.run(request, work)


@router.delete("/plans/{plan}", status_code=204, summary="Delete a plan that no store is on")
def delete_plan(request: Request, door: AppDoor, plan: str) -> Response:
    """A plan that stores are on is not deleted."""
    door.run(request, lambda visit: plans.delete_plan(visit.ops, plan, by=visit.by))
    return Response(status_code=204)


@router.get("/blueprints", response_model=BlueprintList, summary="List the blueprints")
def list_blueprints(request: Request, door: AppDoor) -> BlueprintList:
    """What each trade begins with, and why."""

    def work(visit: Visit) -> BlueprintList:
        registry = visit.platform.registry
        views = []
        for one in blueprints.load(registry).values():
            proposed = [
                ChoiceView(id=found.choice.id, why=_words(found.choice.why), note=found.note)
                for found in blueprints.propose(one, registry)
            ]
            left = [
                ChoiceView(id=found.id, why=_words(found.why), note=None)
                for found in blueprints.left_out(one, registry)
            ]
            views.append(
                BlueprintView(
                    id=one.id,
                    trade=one.trade,
                    title=_words(one.title),
                    summary=_words(one.summary),
                    tactics=proposed,
                    left_out=left,
                )
            )
        return BlueprintList(blueprints=views)

    return door.run(request, work)


@router.get("/plugins", response_model=PluginList, summary="List the plugins")
def list_plugins(request: Request, door: AppDoor) -> PluginList:
    """Every plugin that is installed, and those whose tables are left."""

    def work(visit: Visit) -> PluginList:
        found = catalogue.catalogue(visit.ops, visit.platform)
        return PluginList(plugins=[PluginView.model_validate(one) for one in found])

    return door.run(request, work)


@router.get("/usage", response_model=UsageList, summary="Read what stores used in a month")
def read_usage(
    request: Request, door: AppDoor, month: Month = None, after: After = None, limit: Limit = 100
) -> UsageList:
    """A page of stores by short name."""
    wanted = _month(month)

    def work(visit: Visit) -> UsageList:
        page = usages.usage(visit.ops, wanted, after=after, limit=limit)
        last = page[-1].store if len(page) == limit else None
        return UsageList(usage=[UsageView.model_validate(one) for one in page], next=last)

    return door.run(request, work)


@router.get("/usage.csv", response_class=Response, summary="Download what all stores used in a month")
def download_usage(request: Request, door: AppDoor, month: Month = None) -> Response:
    """Every store, as CSV."""
    wanted = _month(month)
    with door.open(request) as visit:
        usages.usage(visit.ops, wanted, limit=1)  # what is wrong with the month is said before the answer begins
    lines: Iterator[str] = usages.write_csv(door.platform.database.ops, wanted)
    name = f'attachment; filename="usage-{wanted:%Y-%m}.csv"'
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


@router.get("/overview", response_model=OverviewView, summary="See how everything stands")
def read_overview(request: Request, door: AppDoor) -> OverviewView:
    """The figures of the whole installation."""

    def work(visit: Visit) -> OverviewView:
        found = oversight.overview(visit.ops, visit.platform.registry)
        return OverviewView(
            stores=found.stores,
            simulated=found.simulated,
            suspended=found.suspended,
            events_per_minute=found.events_per_minute,
            behind=found.behind,
            lag_seconds=found.lag.total_seconds() if found.lag is not None else None,
            letters=found.letters,
            paused=found.paused,
            quarantined=found.quarantined,
        )

    return door.run(request, work)


@router.get("/overview/{figure}", response_model=CauseList, summary="See where a figure comes from")
def read_causes(request: Request, door: AppDoor, figure: Figure) -> CauseList:
    """The stores and plugins behind a figure, the worst first."""

    def work(visit: Visit) -> CauseList:
        found = oversight.causes(visit.ops, visit.platform.registry, figure)
        return CauseList(causes=[CauseView.model_validate(one) for one in found])

    return door.run(request, work)


@router.get("/audit", response_model=Trail, summary="Read the operators' audit trail")
def read_trail(request: Request, door: AppDoor, before: Before = None, limit: Limit = 50) -> Trail:
    """What operators changed that belongs to no single store, the newest first."""

    def work(visit: Visit) -> Trail:
        return stores.trail(list(audit.read_for_operators(visit.ops, before=before, limit=limit + 1)), limit)

    return door.run(request, work)


def _plan(plan: Plan) -> PlanView:
    return PlanView.model_validate(plan)


def _words(words: blueprints.Words) -> WordsView:
    return WordsView.model_validate(words)


def _month(given: str | None) -> date:
    return usages.read_month(given) if given is not None else datetime.now(UTC).date().replace(day=1)
