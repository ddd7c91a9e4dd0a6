"""What members agreed to: told by the shop's server, or by the member's own phone."""

from datetime import datetime, timedelta
from secrets import token_hex
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from threepeat.events import log
from threepeat.events.log import Emitted
from threepeat.http.calls import MAX_KEY, AppDoor, Call, IdempotencyKey, bearer, once
from threepeat.http.paths import Room, SegmentRoute
from threepeat.sdk.events import ConsentChanged
from threepeat.tenancy import consents, members
from threepeat.tenancy.consents import Consent, Statement
from threepeat.tenancy.errors import Invalid

SOURCE = "threepeat"
PURPOSE = r"^[a-z0-9._-]+$"
AHEAD = timedelta(minutes=10)
TEXT = r"^[^\x00]*$"

router = Room(prefix="/v1", dependencies=[Depends(bearer)], route_class=SegmentRoute)

Purpose = Annotated[str | None, Query(max_length=64, pattern=PURPOSE, description="Every statement about it.")]


class ConsentRequest(BaseModel):
    """A statement of a member."""

    model_config = ConfigDict(extra="forbid")

    purpose: str = Field(max_length=64, pattern=PURPOSE, description="What for, such as `marketing.sms`.")
    granted: bool
    text_version: str | None = Field(
        default=None, max_length=64, pattern=TEXT, description="Which text the member saw."
    )
    channel: str | None = Field(
        default=None, max_length=64, pattern=TEXT, description="Where, such as `mini-program`."
    )


class ReportedConsent(ConsentRequest):
    """A statement that the shop's server passes on."""

    given_at: AwareDatetime | None = Field(default=None, description="When it was made; now if left out.")


class ConsentView(BaseModel):
    """A statement as it is on record."""

    purpose: str
    granted: bool
    text_version: str | None
    channel: str | None
    given_at: datetime
    recorded_at: datetime


class ConsentList(BaseModel):
    """The statement that counts for each purpose; of one purpose, every statement, the one that counts first."""

    consents: list[ConsentView]


@router.get(
    "/members/{external_id}/consents",
    response_model=ConsentList,
    summary="List a member's consents",
    tags=["members"],
)
def list_consents(request: Request, door: AppDoor, external_id: str, purpose: Purpose = None) -> ConsentList:
    """What the member agrees to now, or with `purpose` every statement about it, at most a hundred."""
    return door.read(request, lambda call: _list(call, members.find(call.scope, external_id), purpose))


@router.post(
    "/members/{external_id}/consents",
    response_model=ConsentView,
    summary="Record a member's consent",
    tags=["members"],
)
def post_consent(
    request: Request, door: AppDoor, external_id: str, given: ReportedConsent, key: IdempotencyKey = None
) -> Response:
    """Put a statement on record. The one that was made last counts, whenever it arrives."""

    def work(call: Call) -> Response:
        asked = {"consent": external_id, **given.model_dump(mode="json")}
        return once(
            call, key, asked, lambda: _record(call, members.find(call.scope, external_id, hold=True), given)
        )

    return door.manage(request, work)


@router.get("/me/consents", response_model=ConsentList, summary="My consents", tags=["member"])
def list_my_consents(request: Request, door: AppDoor, purpose: Purpose = None) -> ConsentList:
    """What the member agrees to now, or with `purpose` every statement about it, at most a hundred."""
    return door.member(request, lambda call: _list(call, _caller(call), purpose))


@router.post("/me/consents", response_model=ConsentView, summary="Give or withdraw consent", tags=["member"])
def post_my_consent(
    request: Request,
    door: AppDoor,
    given: ConsentRequest,
    key: Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=MAX_KEY)],
) -> Response:
    """Put the member's own statement on record; a withdrawal holds from the answer on."""

    def work(call: Call) -> Response:
        return once(
            call, key, {"consent": "me", **given.model_dump()}, lambda: _record(call, _caller(call), given)
        )

    return door.member(request, work)


def _record(call: Call, member_id: int, given: ConsentRequest) -> ConsentView:
    """Record a statement and tell the log; what goes there through the outbox is not recorded again."""
    now = call.scope.now
    given_at = given.given_at if isinstance(given, ReportedConsent) and given.given_at else now
    if not members.EARLIEST <= given_at <= now + AHEAD:
        raise Invalid("given_at", "must lie between 1970 and ten minutes from now")
    event = ConsentChanged(
        purpose=given.purpose,
        granted=given.granted,
        text_version=given.text_version or "",
        channel=given.channel or "",
    )
    event_id = token_hex(16)
    reference = consents.reference(SOURCE, event_id)
    statement = Statement(
        member_id, event.purpose, reference, event.granted, event.text_version, event.channel, given_at
    )
    consents.record(call.scope, [statement])
    log.send(call.scope, [Emitted(SOURCE, event_id, event, member_id, given_at, 0)])
    return _view(consents.get(call.scope, member_id, event.purpose, reference))


def _list(call: Call, member_id: int, purpose: str | None) -> ConsentList:
    found = (
        consents.current(call.scope, member_id)
        if purpose is None
        else consents.history(call.scope, member_id, purpose)
    )
    return ConsentList(consents=[_view(one) for one in found])


def _caller(call: Call) -> int:
    assert call.caller.member_id is not None  # noqa: S101 - Door.member saw to it
    return call.caller.member_id


def _view(consent: Consent) -> ConsentView:
    return ConsentView(
        purpose=consent.purpose,
        granted=consent.granted,
        text_version=consent.text_version,
        channel=consent.channel,
        given_at=consent.given_at,
        recorded_at=consent.recorded_at,
    )
