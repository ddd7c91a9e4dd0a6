"""`/v1/members`: what the shop's server does about its members."""

from datetime import datetime, timedelta

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from threepeat.http.calls import AppDoor, Call, bearer
from threepeat.tenancy import keys, members

router = APIRouter(prefix="/v1/members", tags=["members"], dependencies=[Depends(bearer)])


class MemberChange(BaseModel):
    """What may be set on a member."""

    model_config = ConfigDict(extra="forbid")

    exempt: bool | None = Field(
        default=None, description="Keep it out of every comparison group: for the merchant's own phone."
    )


class MemberView(BaseModel):
    """A member of the store."""

    external_id: str
    exempt: bool
    suspended_until: datetime | None
    created_at: datetime


class TokenRequest(BaseModel):
    """How long a member token should live."""

    model_config = ConfigDict(extra="forbid")

    expires_in: int = Field(default=3600, ge=60, le=86_400, description="Seconds.")


class TokenView(BaseModel):
    """A token for the mini-program; it speaks for this member only."""

    token: str
    expires_at: datetime


@router.put("/{external_id}", response_model=MemberView, summary="Make or change a member")
def put_member(request: Request, door: AppDoor, external_id: str, change: MemberChange) -> MemberView:
    """Make the member if there is none; set what is given."""
    return door.manage(request, lambda call: _view(members.put(call.scope, external_id, exempt=change.exempt)))


@router.get("/{external_id}", response_model=MemberView, summary="Read a member")
def get_member(request: Request, door: AppDoor, external_id: str) -> MemberView:
    """Read a member by the shop's own id."""
    return door.read(request, lambda call: _view(members.get(call.scope, external_id)))


@router.post("/{external_id}/token", response_model=TokenView, summary="Make a member token")
def post_token(request: Request, door: AppDoor, external_id: str, wanted: TokenRequest | None = None) -> TokenView:
    """Make a short-lived token that the mini-program sends on this member's behalf; nothing is stored."""
    life = timedelta(seconds=(wanted or TokenRequest()).expires_in)

    def work(call: Call) -> TokenView:
        member = members.get(call.scope, external_id)
        token, expires_at = keys.sign_token(
            call.platform.keyring, call.tenant.id, member.id, member.external_id, life
        )
        return TokenView(token=token, expires_at=expires_at)

    return door.manage(request, work)


def _view(member: members.Member) -> MemberView:
    return MemberView(
        external_id=member.external_id,
        exempt=member.exempt,
        suspended_until=member.suspended_until,
        created_at=member.created_at,
    )
