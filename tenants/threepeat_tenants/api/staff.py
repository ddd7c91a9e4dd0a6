"""`/v1/operator/tenants/{slug}/staff`: who may sign in to a store's console."""

from datetime import datetime

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from threepeat.http.calls import Call
from threepeat_tenants.accounts import links, staff
from threepeat_tenants.accounts.people import MAX_NAME, Role
from threepeat_tenants.accounts.staff import MAX_EMAIL, MAX_PHONE, Staff
from threepeat_tenants.api.door import AppDoor, OperatorRoute, bearer

router = APIRouter(
    prefix="/v1/operator/tenants/{slug}/staff",
    tags=["operator"],
    dependencies=[Depends(bearer)],
    route_class=OperatorRoute,
)


class StaffView(BaseModel):
    """A person of a store's staff."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    role: Role
    email: str | None
    phone: str | None = Field(description="With + and country.")
    has_password: bool = Field(description="They signed in at least once.")
    created_at: datetime
    disabled_at: datetime | None = Field(description="Since when they may not sign in.")


class StaffList(BaseModel):
    """A store's staff, the disabled ones last."""

    staff: list[StaffView]


class StaffRequest(BaseModel):
    """A person to add."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=MAX_NAME)
    role: Role
    email: str | None = Field(default=None, max_length=MAX_EMAIL, description="It or a phone, to sign in with.")
    phone: str | None = Field(default=None, max_length=MAX_PHONE)


class RoleRequest(BaseModel):
    """What a person may do from now on."""

    model_config = ConfigDict(extra="forbid")

    role: Role


class LinkView(BaseModel):
    """A person and their one-time link, which is shown this once."""

    person: StaffView
    link: str = Field(description="What stands behind `/welcome/` in the link; it works once.")


@router.get("", response_model=StaffList, summary="List a store's staff")
def list_staff(request: Request, door: AppDoor, slug: str) -> StaffList:
    """Everybody who may sign in to the store's console, or might once."""

    def work(call: Call) -> StaffList:
        return StaffList(staff=[_view(one) for one in staff.everyone(call.scope)])

    return door.inside(request, slug, work)


@router.post("", response_model=LinkView, status_code=201, summary="Add a person to a store")
def add_person(request: Request, door: AppDoor, slug: str, wanted: StaffRequest) -> LinkView:
    """Repeated, it is refused: the address or number is taken then, and `link` makes a new link."""

    def work(call: Call) -> LinkView:
        made = staff.add(call.scope, **wanted.model_dump(), by=call.caller.principal)
        return _linked(call, made)

    return door.inside(request, slug, work)


@router.post("/{person}/role", response_model=StaffView, summary="Give a person another role")
def change_role(request: Request, door: AppDoor, slug: str, person: int, wanted: RoleRequest) -> StaffView:
    """Their sessions end at once; the last owner stays one."""

    def work(call: Call) -> StaffView:
        return _view(staff.change_role(call.scope, person, wanted.role, by=call.caller.principal))

    return door.inside(request, slug, work)


@router.post("/{person}/disable", response_model=StaffView, summary="Let a person sign in no more")
def disable(request: Request, door: AppDoor, slug: str, person: int) -> StaffView:
    """Their sessions and links end at once; the last owner stays."""

    def work(call: Call) -> StaffView:
        return _view(staff.disable(call.scope, person, by=call.caller.principal))

    return door.inside(request, slug, work)


@router.post("/{person}/enable", response_model=StaffView, summary="Let a disabled person sign in again")
def enable(request: Request, door: AppDoor, slug: str, person: int) -> StaffView:
    """With the password they had."""

    def work(call: Call) -> StaffView:
        return _view(staff.enable(call.scope, person, by=call.caller.principal))

    return door.inside(request, slug, work)


@router.post("/{person}/link", response_model=LinkView, summary="Make a new sign-in link")
def link(request: Request, door: AppDoor, slug: str, person: int) -> LinkView:
    """With it the person sets a password; the older links stop working."""
    return door.inside(request, slug, lambda call: _linked(call, staff.find(call.scope, person)))


def _linked(call: Call, person: Staff) -> LinkView:
    token = links.make_staff_link(call.scope, call.platform.keyring, person.id, call.caller.principal)
    return LinkView(person=_view(person), link=token)


def _view(person: Staff) -> StaffView:
    return StaffView.model_validate(person)
