"""`/v1/members`: what the shop's server does about its members."""

from datetime import datetime, timedelta

from fastapi import Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from threepeat.events import merging
from threepeat.http.calls import AppDoor, Call, IdempotencyKey, bearer, once
from threepeat.http.paths import Room, SegmentRoute
from threepeat.tenancy import identities, keys, members
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.members import Suspension

router = Room(prefix="/v1/members", tags=["members"], dependencies=[Depends(bearer)], route_class=SegmentRoute)


class MemberChange(BaseModel):
    """What may be set on a member; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    exempt: bool | None = Field(
        default=None, description="Keep it out of every comparison group: for the merchant's own phone."
    )
    suspended_until: AwareDatetime | None = Field(
        default=None, description="Tactics hand out nothing before this instant; null lifts a suspension."
    )
    suspended_reason: str | None = Field(
        default=None, description="Why, for the merchant; goes with suspended_until."
    )
    readmit: bool = Field(default=False, description="Make a new member of an id whose member was erased.")


class IdentityView(BaseModel):
    """Something that leads to a member."""

    kind: str = Field(description="`shop`, `openid:{appid}`, `unionid` or `phone`.")
    value: str | None = Field(description="Null for a phone: it is set, and only a keyed hash of it is stored.")


class MemberView(BaseModel):
    """A member of the store."""

    external_id: str = Field(description="The shop's id; the oldest one, where a merge left several.")
    identities: list[IdentityView]
    exempt: bool
    suspended_until: datetime | None
    suspended_reason: str | None
    created_at: datetime


class IdentityRequest(BaseModel):
    """An identity as the shop knows it."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=80, description="`shop`, `openid:{appid}`, `unionid` or `phone`.")
    value: str = Field(
        max_length=256, description="A phone as `+`, country and number, or a Chinese mobile number."
    )


class IdentityLink(IdentityRequest):
    """An identity that is to lead to a member."""

    readmit: bool = Field(default=False, description="Also if it led to a member who was erased.")


class MergeRequest(BaseModel):
    """Who is the same person."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(max_length=members.MAX_EXTERNAL_ID, description="The shop's id of the member who goes.")


class MergeView(BaseModel):
    """A merge that was done."""

    identities: list[IdentityView] = Field(description="What led to the member who is gone.")
    merged_at: datetime
    merged_by: str


class MergeList(BaseModel):
    """The members who were merged into one, the newest merge first."""

    merges: list[MergeView]


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

    def work(call: Call) -> MemberView:
        member = members.put(
            call.scope,
            call.platform.keyring,
            external_id,
            exempt=change.exempt,
            suspension=_suspension(change),
            readmit=change.readmit,
            by=call.caller.principal,
        )
        return _view(call, member)

    return door.manage(request, work)


@router.get("/{external_id}", response_model=MemberView, summary="Read a member")
def get_member(request: Request, door: AppDoor, external_id: str) -> MemberView:
    """Read a member by the shop's own id."""
    return door.read(request, lambda call: _view(call, members.get(call.scope, external_id)))


@router.post("/lookup", response_model=MemberView, summary="Find a member by an identity")
def lookup(request: Request, door: AppDoor, wanted: IdentityRequest) -> MemberView:
    """Find a member; the identity is in the body, because addresses are written to logs."""

    def work(call: Call) -> MemberView:
        member_id = identities.find(call.scope, call.platform.keyring, wanted.kind, wanted.value)
        return _view(call, members.read(call.scope, member_id))

    return door.read(request, work)


@router.put("/{external_id}/identities", response_model=MemberView, summary="Link an identity to a member")
def put_identity(request: Request, door: AppDoor, external_id: str, link: IdentityLink) -> MemberView:
    """Let an identity lead to the member; refused with the other member's id if it leads to somebody else."""

    def work(call: Call) -> MemberView:
        keyring = call.platform.keyring
        identities.link(call.scope, keyring, external_id, link.kind, link.value, readmit=link.readmit)
        return _view(call, members.get(call.scope, external_id))

    return door.manage(request, work)


@router.delete(
    "/{external_id}/identities/{kind}", response_model=MemberView, summary="Take an identity from a member"
)
def delete_identity(request: Request, door: AppDoor, external_id: str, kind: str) -> MemberView:
    """Take every identity of a kind away, such as a phone number that has changed hands."""

    def work(call: Call) -> MemberView:
        identities.unlink(call.scope, external_id, kind)
        return _view(call, members.get(call.scope, external_id))

    return door.manage(request, work)


@router.post("/{external_id}/merge", response_model=MemberView, summary="Merge another member into this one")
def post_merge(
    request: Request, door: AppDoor, external_id: str, wanted: MergeRequest, key: IdempotencyKey = None
) -> Response:
    """Make one member of two who are the same person: everything of the other's becomes this one's, for good."""

    def work(call: Call) -> Response:
        def make() -> MemberView:
            source = members.find(call.scope, wanted.source)
            target = members.find(call.scope, external_id)
            by = call.caller.principal
            merging.merge(call.platform, call.scope, call.tenant, source, target, by=by)
            return _view(call, members.read(call.scope, target))

        return once(call, key, {"merge": wanted.source, "into": external_id}, make)

    return door.manage(request, work)


@router.get("/{external_id}/merges", response_model=MergeList, summary="List a member's merges")
def list_merges(request: Request, door: AppDoor, external_id: str) -> MergeList:
    """Who was merged into the member, when and by whom."""

    def work(call: Call) -> MergeList:
        found = merging.history(call.scope, members.find(call.scope, external_id))
        return MergeList(
            merges=[
                MergeView(identities=_identities(one.identities), merged_at=one.merged_at, merged_by=one.merged_by)
                for one in found
            ]
        )

    return door.read(request, work)


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


def _suspension(change: MemberChange) -> Suspension | None:
    if "suspended_until" in change.model_fields_set:
        return Suspension(change.suspended_until, change.suspended_reason)
    if change.suspended_reason is not None:
        raise Invalid("suspended_reason", "give it together with suspended_until")
    return None


def _view(call: Call, member: members.Member) -> MemberView:
    return MemberView(
        external_id=member.external_id,
        identities=_identities(identities.of_member(call.scope, member.id)),
        exempt=member.exempt,
        suspended_until=member.suspended_until,
        suspended_reason=member.suspended_reason,
        created_at=member.created_at,
    )


def _identities(found: list[identities.Identity]) -> list[IdentityView]:
    return [IdentityView(kind=one.kind, value=one.value) for one in found]
