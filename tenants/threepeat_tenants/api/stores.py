"""`/v1/operator/tenants`: opening stores and looking after them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from threepeat.http.calls import Call, IdempotencyKey, once
from threepeat.tenancy import audit
from threepeat.tenancy.tenants import Tenant
from threepeat_tenants.api.door import AppDoor, OperatorRoute, Visit, bearer
from threepeat_tenants.operating import onboarding, plans, suspension

router = APIRouter(
    prefix="/v1/operator/tenants", tags=["operator"], dependencies=[Depends(bearer)], route_class=OperatorRoute
)

LIST = text("""
    SELECT slug, name, plan, currency, timezone, blueprint, simulated, created_at, suspended_at, suspended_reason
    FROM core.tenant WHERE CAST(:after AS text) IS NULL OR slug > :after ORDER BY slug LIMIT :limit
""")

Limit = Annotated[int, Query(ge=1, le=500, description="At most so many.")]
After = Annotated[str | None, Query(max_length=63, description="The `next` of the last page.")]
Before = Annotated[int | None, Query(ge=1, lt=1 << 63, description="The `next` of the last page.")]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StoreView(BaseModel):
    """A store."""

    slug: str = Field(description="Its short name, which never changes.")
    name: str
    plan: str
    currency: str
    timezone: str
    blueprint: str | None
    simulated: bool
    suspended_at: datetime | None
    suspended_reason: str | None


class StoreList(BaseModel):
    """A page of stores by short name."""

    tenants: list[StoreView]
    next: str | None = Field(description="Name it as `after` for the next page; null on the last.")


class OnboardRequest(_Request):
    """A store to open."""

    slug: str = Field(max_length=63)
    name: str = Field(max_length=200)
    blueprint: str | None = Field(default=None, max_length=63, description="Whose tactics to begin with.")
    plan: str = Field(default="standard", max_length=63)
    currency: str = Field(default="CNY", max_length=3)
    timezone: str = Field(default="Asia/Shanghai", max_length=64)
    owner_name: str = Field(max_length=200)
    owner_email: str | None = Field(default=None, max_length=320)
    owner_phone: str | None = Field(default=None, max_length=32)


class OnboardView(BaseModel):
    """A store that was just opened. The key and the link are shown this once."""

    tenant: StoreView
    ingest_key: str
    owner_link: str = Field(description="What stands behind `/welcome/` in the owner's link.")
    tactics: list[str]
    notes: list[str]


class StoreChange(_Request):
    """What may be changed on a store."""

    plan: str = Field(max_length=63)


class SuspendRequest(_Request):
    """Why a store is suspended."""

    reason: str = Field(max_length=1000, description="For the merchant.")


class RefusalView(BaseModel):
    """An event that was not taken."""

    at: datetime
    type: str
    verdict: str
    detail: str


class FirstEventView(BaseModel):
    """Whether a store is connected."""

    received_at: datetime | None
    type: str | None
    source: str | None
    refusals: list[RefusalView]


class AllowanceView(BaseModel):
    """Whether a store may have a plugin."""

    plugin: str
    allowed: bool
    own: bool | None = Field(description="What was decided for this store; null if its plan decides.")


class AllowanceList(BaseModel):
    """Every installed plugin, and whether a store may have it."""

    allowances: list[AllowanceView]


class AllowRequest(_Request):
    """What is decided for one store."""

    allowed: bool | None = Field(description="Null leaves it to the plan again.")


class EntryView(BaseModel):
    """One change."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    details: dict[str, Any]


class Trail(BaseModel):
    """Changes, the newest first."""

    entries: list[EntryView]
    next: int | None = Field(description="Name it as `before` for the next page; null on the last.")


@router.get("", response_model=StoreList, summary="List the stores")
def list_stores(request: Request, door: AppDoor, after: After = None, limit: Limit = 100) -> StoreList:
    """A page of stores by short name."""

    def work(visit: Visit) -> StoreList:
        rows = visit.ops.execute(LIST, {"after": after, "limit": limit + 1}).all()
        shown = [StoreView.model_validate(row._asdict()) for row in rows[:limit]]
        return StoreList(tenants=shown, next=shown[-1].slug if len(rows) > limit else None)

    return door.run(request, work)


@router.post("", response_model=OnboardView, status_code=201, summary="Open a store")
def onboard(request: Request, door: AppDoor, wanted: OnboardRequest) -> OnboardView:
    """Open a store with tactics, an ingest key and its owner's link; a short name that is taken is a conflict."""
    with door.open(request) as visit:
        by = visit.by
    made = onboarding.onboard(door.platform, **wanted.model_dump(), by=by)
    return OnboardView(
        tenant=_store(made.tenant),
        ingest_key=made.ingest_key,
        owner_link=made.owner_link,
        tactics=list(made.tactics),
        notes=list(made.notes),
    )


@router.get("/{slug}", response_model=StoreView, summary="Read a store")
def get_store(request: Request, door: AppDoor, slug: str) -> StoreView:
    """A store by its short name."""
    return door.run(request, lambda visit: _store(visit.tenant(slug)))


@router.patch("/{slug}", response_model=StoreView, summary="Move a store to another plan")
def change_store(request: Request, door: AppDoor, slug: str, wanted: StoreChange) -> StoreView:
    """What is on stays on, even above the new plan's cap."""

    def work(visit: Visit) -> StoreView:
        plans.assign(visit.ops, visit.tenant(slug), wanted.plan, by=visit.by)
        return _store(visit.tenant(slug))

    return door.run(request, work)


@router.post("/{slug}/suspend", response_model=StoreView, summary="Suspend a store")
def suspend(
    request: Request, door: AppDoor, slug: str, wanted: SuspendRequest, key: IdempotencyKey = None
) -> Response:
    """Its keys, its members' tokens and its consoles are refused from the next call on."""

    def work(visit: Visit) -> Response:
        tenant = visit.tenant(slug)

        def make() -> StoreView:
            return _store(suspension.suspend(visit.ops, tenant, wanted.reason, by=visit.by))

        return once(visit.call(tenant), key, {"suspend": wanted.reason}, make)

    return door.run(request, work)


@router.post("/{slug}/reactivate", response_model=StoreView, summary="Let a suspended store go on")
def reactivate(request: Request, door: AppDoor, slug: str, key: IdempotencyKey = None) -> Response:
    """From the next call on it is served again."""

    def work(visit: Visit) -> Response:
        tenant = visit.tenant(slug)

        def make() -> StoreView:
            return _store(suspension.reactivate(visit.ops, tenant, by=visit.by))

        return once(visit.call(tenant), key, {"reactivate": slug}, make)

    return door.run(request, work)


@router.get("/{slug}/first-event", response_model=FirstEventView, summary="Ask whether a store is connected")
def first_event(request: Request, door: AppDoor, slug: str) -> FirstEventView:
    """When its first event came, and what it sent of late that could not be taken."""

    def work(call: Call) -> FirstEventView:
        found = onboarding.first_event(call.scope)
        return FirstEventView(
            received_at=found.received_at,
            type=found.type,
            source=found.source,
            refusals=[
                RefusalView(at=one.at, type=one.type, verdict=one.verdict, detail=one.detail)
                for one in found.refusals
            ],
        )

    return door.inside(request, slug, work)


@router.get("/{slug}/allowances", response_model=AllowanceList, summary="List what a store may have")
def list_allowances(request: Request, door: AppDoor, slug: str) -> AllowanceList:
    """Every installed plugin, and whether the store may have it."""
    return door.inside(request, slug, _allowances)


@router.put("/{slug}/allowances/{plugin}", response_model=AllowanceList, summary="Decide what a store may have")
def put_allowance(request: Request, door: AppDoor, slug: str, plugin: str, wanted: AllowRequest) -> AllowanceList:
    """Whatever the plan says; what is on stays on."""

    def work(call: Call) -> AllowanceList:
        plans.allow(call.scope, call.platform.registry, plugin, allowed=wanted.allowed, by=call.caller.principal)
        return _allowances(call)

    return door.inside(request, slug, work)


@router.get("/{slug}/audit", response_model=Trail, summary="Read a store's audit trail")
def read_trail(request: Request, door: AppDoor, slug: str, before: Before = None, limit: Limit = 50) -> Trail:
    """Who changed what, the newest first."""

    def work(call: Call) -> Trail:
        return trail(list(audit.read(call.scope, before=before, limit=limit + 1)), limit)

    return door.inside(request, slug, work)


def trail(entries: list[audit.Entry], limit: int) -> Trail:
    """A page of an audit trail, of which one entry too many was read."""
    shown = [
        EntryView(
            id=one.id,
            at=one.at,
            actor=one.actor,
            action=one.action,
            subject=one.subject,
            details=dict(one.details),
        )
        for one in entries[:limit]
    ]
    return Trail(entries=shown, next=shown[-1].id if len(entries) > limit else None)


def _allowances(call: Call) -> AllowanceList:
    found = plans.allowances(call.scope, call.tenant, call.platform.registry)
    views = [AllowanceView(plugin=one.plugin, allowed=one.allowed, own=one.own) for one in found]
    return AllowanceList(allowances=views)


def _store(tenant: Tenant) -> StoreView:
    return StoreView(
        slug=tenant.store.slug,
        name=tenant.store.name,
        plan=tenant.plan,
        currency=tenant.store.currency,
        timezone=str(tenant.store.timezone),
        blueprint=tenant.blueprint,
        simulated=tenant.simulated,
        suspended_at=tenant.suspended_at,
        suspended_reason=tenant.suspended_reason,
    )
