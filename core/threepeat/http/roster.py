"""`/v1/members` for people: lists and searches, one member's timeline, and adjustments by hand."""

import secrets
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from threepeat.events import adjusting, roster, timeline
from threepeat.events.merging import Merged
from threepeat.events.roster import Listed
from threepeat.events.timeline import Entry, Given, Happened
from threepeat.http.calls import AppDoor, Call, IdempotencyKey, bearer, once
from threepeat.http.members import IdentityView
from threepeat.http.paths import Room, SegmentRoute
from threepeat.tenancy import members

LARGEST = 2**63 - 1

router = Room(prefix="/v1/members", tags=["members"], dependencies=[Depends(bearer)], route_class=SegmentRoute)

Search = Annotated[
    str | None,
    Query(
        max_length=roster.MAX_SEARCH,
        description="A shop id or its beginning, an openid or a unionid. A phone goes to `lookup`: addresses are"
        " written to logs.",
    ),
]


class ListedMember(BaseModel):
    """A member as a list shows it."""

    external_id: str
    created_at: datetime
    exempt: bool
    suspended: bool
    last_type: str | None = Field(description="Type of the last event.")
    last_at: datetime | None


class MemberPage(BaseModel):
    """A part of the list, who came last first."""

    members: list[ListedMember]
    next: int | None = Field(description="Pass it as `before` for what follows; null at the end.")


class RewardView(BaseModel):
    """A reward that was given."""

    kind: str
    amount: int
    revoked: int = Field(description="How much of it was taken back.")
    cost: int = Field(description="What it cost the tactic, less what came back, in minor units.")
    plugin: str
    rule: str
    at: datetime


class AnswerEvent(BaseModel):
    """An event with which a plugin answered another."""

    position: int
    type: str
    plugin: str
    occurred_at: datetime
    data: dict[str, Any]


class LetterView(BaseModel):
    """A plugin could not handle an event."""

    plugin: str
    state: str
    behind: bool = Field(description="It waits behind another event of the member that failed.")


class EventEntry(BaseModel):
    """An event, and what came of it."""

    entry: Literal["event"] = "event"
    at: datetime = Field(description="When it was received.")
    position: int
    type: str
    source: str
    occurred_at: datetime
    data: dict[str, Any]
    answers: list[AnswerEvent]
    rewards: list[RewardView]
    letters: list[LetterView]
    waiting: list[str] = Field(description="Plugins that are still to see it.")


class RewardEntry(RewardView):
    """A reward that answers no event, such as one at a deadline or by hand."""

    entry: Literal["reward"] = "reward"


class MergeEntry(BaseModel):
    """Another member was merged into this one."""

    entry: Literal["merge"] = "merge"
    at: datetime
    by: str
    identities: list[IdentityView]


class ChangeEntry(BaseModel):
    """Somebody changed the member."""

    entry: Literal["change"] = "change"
    at: datetime
    by: str
    action: str
    details: dict[str, Any]


EntryView = Annotated[EventEntry | RewardEntry | MergeEntry | ChangeEntry, Field(discriminator="entry")]


class TimelineView(BaseModel):
    """A part of a member's timeline, newest first."""

    entries: list[EntryView]
    next: int | None = Field(description="Pass it as `before` for what is older; null at the end.")


class AdjustmentRequest(BaseModel):
    """What a person of the store gives or takes."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=80, description="A kind of reward.")
    amount: int = Field(
        ge=-adjusting.MOST, le=adjusting.MOST, description="How much to give; below zero it is taken."
    )
    item: str = Field(
        default="", max_length=80, description="Which one to give, for a kind of which the store has several."
    )
    reason: str = Field(
        max_length=adjusting.MAX_REASON, description="Why, for the audit trail: nobody's name or number."
    )


class AdjustmentView(BaseModel):
    """An adjustment that was made."""

    kind: str
    amount: int
    balance: int = Field(description="What the member has now.")


@router.get("", response_model=MemberPage, summary="List or search members")
def list_members(
    request: Request,
    door: AppDoor,
    search: Search = None,
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=roster.MAX_PAGE)] = 50,
) -> MemberPage:
    """The store's members, who came last first; with `search` those that an id leads to, then those it begins."""

    def work(call: Call) -> MemberPage:
        if search is not None:
            found = roster.search(call.scope, call.platform.keyring, search, phones=False, limit=limit)
            return MemberPage(members=[_listed(one) for one in found], next=None)
        page = roster.newest(call.scope, before=before, limit=limit)
        return MemberPage(members=[_listed(one) for one in page.members], next=page.next)

    return door.read(request, work)


@router.get("/{external_id}/timeline", response_model=TimelineView, summary="A member's timeline")
def get_timeline(
    request: Request,
    door: AppDoor,
    external_id: str,
    before: Annotated[int | None, Query(ge=1, le=LARGEST, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=timeline.MAX_PAGE)] = 25,
) -> TimelineView:
    """What happened to the member across all tactics, each event with what followed from it."""

    def work(call: Call) -> TimelineView:
        member_id = members.find(call.scope, external_id)
        page = timeline.read(call.opened, member_id, before=before, limit=limit)
        return TimelineView(entries=[_entry(one) for one in page.entries], next=page.next)

    return door.read(request, work)


@router.post("/{external_id}/adjustments", response_model=AdjustmentView, summary="Give or take a reward by hand")
def post_adjustment(
    request: Request, door: AppDoor, external_id: str, wanted: AdjustmentRequest, key: IdempotencyKey = None
) -> Response:
    """Give the member some of a kind of reward or take some, with a reason; nobody gets below zero."""

    def work(call: Call) -> Response:
        def make() -> AdjustmentView:
            done = adjusting.adjust(
                call.platform,
                call.scope,
                call.tenant,
                members.find(call.scope, external_id),
                wanted.kind,
                wanted.amount,
                wanted.reason,
                item=wanted.item,
                key=secrets.token_hex(16),
                by=call.caller.principal,
            )
            return AdjustmentView(kind=done.kind, amount=done.amount, balance=done.balance)

        return once(call, key, {"adjust": external_id, **wanted.model_dump()}, make)

    return door.manage(request, work)


def _listed(one: Listed) -> ListedMember:
    return ListedMember(
        external_id=one.external_id,
        created_at=one.created_at,
        exempt=one.exempt,
        suspended=one.suspended,
        last_type=one.last_type or None,
        last_at=one.last_at,
    )


def _entry(one: Entry) -> EventEntry | RewardEntry | MergeEntry | ChangeEntry:
    if isinstance(one, Happened):
        return _event(one)
    if isinstance(one, Given):
        return RewardEntry(**_reward(one).model_dump())
    if isinstance(one, Merged):
        led = [IdentityView(kind=found.kind, value=found.value) for found in one.identities]
        return MergeEntry(at=one.merged_at, by=one.merged_by, identities=led)
    return ChangeEntry(at=one.at, by=one.actor, action=one.action, details=dict(one.details))


def _event(one: Happened) -> EventEntry:
    return EventEntry(
        at=one.at,
        position=one.position,
        type=one.type,
        source=one.source,
        occurred_at=one.occurred_at,
        data=dict(one.data),
        answers=[
            AnswerEvent(
                position=answer.position,
                type=answer.type,
                plugin=answer.plugin,
                occurred_at=answer.occurred_at,
                data=dict(answer.data),
            )
            for answer in one.answers
        ],
        rewards=[_reward(given) for given in one.rewards],
        letters=[
            LetterView(plugin=letter.plugin, state=letter.state, behind=letter.behind) for letter in one.letters
        ],
        waiting=list(one.waiting),
    )


def _reward(one: Given) -> RewardView:
    return RewardView(
        kind=one.kind,
        amount=one.amount,
        revoked=one.revoked,
        cost=one.cost,
        plugin=one.plugin,
        rule=one.rule,
        at=one.at,
    )
