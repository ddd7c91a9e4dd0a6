"""`/v1/keys`: the store's API keys."""

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from threepeat.http.calls import AppDoor, Call, IdempotencyKey, bearer, once
from threepeat.http.paths import Room, SegmentRoute
from threepeat.tenancy import keys
from threepeat.tenancy.errors import NotAllowed
from threepeat.tenancy.keys import ApiKey, KeyScope

router = Room(prefix="/v1/keys", tags=["keys"], dependencies=[Depends(bearer)], route_class=SegmentRoute)

Name = Annotated[str, Field(min_length=1, max_length=100)]


class KeyRequest(BaseModel):
    """What a new key is for."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="What it is for, for people.")
    scopes: list[KeyScope] = Field(
        min_length=1, max_length=len(KeyScope), description="What it may do; none that your own key lacks."
    )


class KeyView(BaseModel):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[KeyScope]
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class KeyList(BaseModel):
    """The store's keys, oldest first, revoked ones too."""

    keys: list[KeyView]


class MadeKey(BaseModel):
    """A new key."""

    id: str
    key: str | None = Field(
        description="The whole key. Only its hash is kept, so a repeated request is answered with null."
    )


class Revoked(BaseModel):
    """A key that opens nothing any more."""

    id: str


@router.get("", response_model=KeyList, summary="List the API keys")
def list_keys(request: Request, door: AppDoor) -> KeyList:
    """The store's keys without their secrets."""
    return door.manage(request, lambda call: KeyList(keys=[_view(one) for one in keys.list_keys(call.scope)]))


@router.post("", response_model=MadeKey, summary="Make an API key")
def make_key(request: Request, door: AppDoor, wanted: KeyRequest, key: IdempotencyKey = None) -> Response:
    """Make a key that may do no more than the one that asks."""

    def work(call: Call) -> Response:
        beyond = set(wanted.scopes) - call.caller.scopes
        if beyond:
            raise NotAllowed(f"your own key lacks {', '.join(sorted(beyond))}, so it cannot give that away")

        made: list[str] = []

        def make() -> MadeKey:
            made.append(
                keys.create_key(
                    call.scope, call.platform.keyring, wanted.name, wanted.scopes, by=call.caller.principal
                )
            )
            return MadeKey(id=keys.parse_key(made[0]).id, key=None)

        answer = once(call, key, {"key": wanted.name, "scopes": sorted(set(wanted.scopes))}, make)
        # What is kept for a repeat is without the secret.
        return JSONResponse({"id": keys.parse_key(made[0]).id, "key": made[0]}) if made else answer

    return door.manage(request, work)


@router.post("/{key_id}/revoke", response_model=Revoked, summary="Revoke an API key")
def revoke_key(request: Request, door: AppDoor, key_id: str, key: IdempotencyKey = None) -> Response:
    """From the next request on the key is refused; your own one, too."""

    def work(call: Call) -> Response:
        def make() -> Revoked:
            keys.revoke_key(call.scope, key_id, by=call.caller.principal)
            return Revoked(id=key_id)

        return once(call, key, {"revoke": key_id}, make)

    return door.manage(request, work)


def _view(one: ApiKey) -> KeyView:
    return KeyView(
        id=one.id,
        name=one.name,
        scopes=sorted(one.scopes),
        created_at=one.created_at,
        created_by=one.created_by,
        revoked_at=one.revoked_at,
    )
