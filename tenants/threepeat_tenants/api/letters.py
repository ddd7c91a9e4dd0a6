"""`/v1/operator/tenants/{slug}/letters`: what a store's plugins could not handle."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from threepeat.events import letters
from threepeat.events.letters import DeadLetter, LetterKind
from threepeat.http.calls import Call, IdempotencyKey, once
from threepeat_tenants.api.door import AppDoor, OperatorRoute, bearer
from threepeat_tenants.api.stores import Limit

router = APIRouter(
    prefix="/v1/operator/tenants/{slug}/letters",
    tags=["operator"],
    dependencies=[Depends(bearer)],
    route_class=OperatorRoute,
)


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LetterView(BaseModel):
    """Something that a plugin could not handle. What it is about is the merchant's to look at."""

    plugin: str
    kind: LetterKind
    reference: str
    name: str
    error: str
    behind: int | None
    state: str
    attempts: int
    created_at: datetime


class LetterList(BaseModel):
    """What lies there, the oldest first."""

    letters: list[LetterView]


class RetryRequest(_Request):
    """Which letters to try again; all of the store if nothing is said."""

    plugin: str | None = Field(default=None, max_length=80)
    kind: LetterKind | None = None
    reference: str | None = Field(default=None, max_length=400)


class RetryView(BaseModel):
    """How many letters will be tried again."""

    count: int


class DropRequest(_Request):
    """A letter to let go for good."""

    plugin: str = Field(max_length=80)
    kind: LetterKind
    reference: str = Field(max_length=400)


@router.get("", response_model=LetterList, summary="List a store's dead letters")
def list_letters(
    request: Request,
    door: AppDoor,
    slug: str,
    plugin: Annotated[str | None, Query(max_length=80)] = None,
    limit: Limit = 100,
) -> LetterList:
    """What plugins could not handle, the oldest first; neither whom it concerns nor its data."""

    def work(call: Call) -> LetterList:
        return LetterList(
            letters=[_letter(one) for one in letters.list_letters(call.scope, plugin=plugin, most=limit)]
        )

    return door.inside(request, slug, work)


@router.post("/retry", response_model=RetryView, summary="Try dead letters again")
def retry_letters(
    request: Request, door: AppDoor, slug: str, wanted: RetryRequest, key: IdempotencyKey = None
) -> Response:
    """A member's letters of a plugin go together, in order."""

    def work(call: Call) -> Response:
        def make() -> RetryView:
            return RetryView(count=letters.retry(call.scope, **wanted.model_dump(), by=call.caller.principal))

        return once(call, key, {"retry": wanted.model_dump()}, make)

    return door.inside(request, slug, work)


@router.post("/drop", response_model=RetryView, summary="Let a dead letter go")
def drop_letter(
    request: Request, door: AppDoor, slug: str, wanted: DropRequest, key: IdempotencyKey = None
) -> Response:
    """It is not tried again; what waited behind it is."""

    def work(call: Call) -> Response:
        def make() -> RetryView:
            by = call.caller.principal
            letters.drop(call.scope, wanted.plugin, wanted.kind, wanted.reference, by=by)
            return RetryView(count=1)

        return once(call, key, {"drop": wanted.model_dump()}, make)

    return door.inside(request, slug, work)


def _letter(one: DeadLetter) -> LetterView:
    return LetterView(
        plugin=one.plugin,
        kind=one.kind,
        reference=one.reference,
        name=one.name,
        error=one.error,
        behind=one.behind,
        state=one.state,
        attempts=one.attempts,
        created_at=one.created_at,
    )
