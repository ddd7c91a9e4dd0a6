"""`/v1/refusals` and `/v1/audit`: what could not be taken, and who changed what."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

from threepeat.events import refusals
from threepeat.http.calls import AppDoor, Call, bearer
from threepeat.http.paths import Room
from threepeat.tenancy import audit

NEWEST = (1 << 63) - 1
MOST = 200

router = Room(prefix="/v1", tags=["trails"], dependencies=[Depends(bearer)])

Limit = Annotated[int, Query(ge=1, le=MOST)]


class RefusalView(BaseModel):
    """An event that was not taken; of its values nothing is kept."""

    id: int
    at: datetime
    type: str = Field(description="What it claimed to be; empty if that is no event's name.")
    verdict: str = Field(description="`invalid` or `conflict`.")
    field: str = Field(description="The field at fault; empty if it cannot be named.")


class RefusalList(BaseModel):
    """The latest refusals, newest first; a store's last 200 are kept, of each second a few."""

    refusals: list[RefusalView]


class AuditView(BaseModel):
    """One change."""

    id: int
    at: datetime
    actor: str = Field(description="`key:…`, `staff:…`, `operator:…`, or a process of the server.")
    action: str
    subject: str = Field(description="What it was done to; a member by the server's own number.")
    details: dict[str, Any]


class AuditPage(BaseModel):
    """A part of the audit trail, newest first."""

    entries: list[AuditView]
    next: int | None = Field(description="Pass it as `before` for what is older; null at the end.")


@router.get("/refusals", response_model=RefusalList, summary="List the events that were refused of late")
def list_refusals(
    request: Request,
    door: AppDoor,
    after: Annotated[int, Query(ge=0, le=NEWEST, description="Only those newer than this id.")] = 0,
    limit: Limit = 50,
) -> RefusalList:
    """What the store sent that could not be taken, for whoever connects it."""

    def work(call: Call) -> RefusalList:
        found = refusals.recent(call.scope, after=after, limit=limit)
        return RefusalList(
            refusals=[
                RefusalView(id=one.id, at=one.at, type=one.type, verdict=one.verdict, field=one.detail)
                for one in found
            ]
        )

    return door.read(request, work)


@router.get("/audit", response_model=AuditPage, summary="Read the audit trail")
def read_audit(
    request: Request,
    door: AppDoor,
    before: Annotated[int, Query(ge=1, le=NEWEST, description="The `next` of the page before.")] = NEWEST,
    subject: Annotated[str | None, Query(max_length=200, description="Only entries about this.")] = None,
    limit: Limit = 50,
) -> AuditPage:
    """Every change of the store: who, when, what."""

    def work(call: Call) -> AuditPage:
        found = audit.read(call.scope, before=before, subject=subject, limit=limit + 1)
        entries = [
            AuditView(
                id=one.id,
                at=one.at,
                actor=one.actor,
                action=one.action,
                subject=one.subject,
                details=dict(one.details),
            )
            for one in found[:limit]
        ]
        return AuditPage(entries=entries, next=entries[-1].id if len(found) > limit else None)

    return door.manage(request, work)
