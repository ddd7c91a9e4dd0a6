"""What members see of their points."""

from datetime import date, datetime
from secrets import token_hex
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from threepeat.sdk import NEWEST, Context, _, shown
from threepeat_points import redemptions
from threepeat_points.catalogue import KINDS, eligible, today
from threepeat_points.redemptions import STATES
from threepeat_points.settings import PointsSettings


class Balance(BaseModel):
    """A member's points.

    Attributes:
        available: Points that can be spent, after any debt.
    """

    available: int = Field(title=_("Points to spend"), description="Points that can be spent.")
    pending: int = Field(
        title=_("Points that wait"), description="Points of orders that can be spent once their wait is over."
    )
    debt: int = Field(
        title=_("Points owed"), description="Points that refunds took back and that were spent already."
    )
    next_expiry: datetime | None = Field(title=_("Next points expire"), description="When the next points expire.")
    next_unlock: datetime | None = Field(
        title=_("Next points unlock"), description="When the next points that wait can be spent, if that is known."
    )


class HistoryEntry(BaseModel):
    """One line of the journal."""

    id: int
    kind: str = Field(title=_("What"))
    points: int = Field(
        title=_("Points"),
        description="Positive if they came in or back, negative if they were taken back, spent or expired. With"
        " the kind `unlocked`, how many can be spent now; they had come in before.",
    )
    reference: str = Field(
        title=_("For"),
        description="`order:…`, `unlock:…`, `expire:…`, `refund:…`, `reward:…`, `revoked:…`, `spend:…`, `hold:…`,"
        " `release:…`, `return:…`, `redeem:…`, `cancel:…` or `merge:…`.",
    )
    occurred_at: datetime = Field(title=_("When"))


class History(BaseModel):
    """A page of the journal, newest first."""

    entries: list[HistoryEntry] = Field(title=_("Entries"))
    next: int | None = Field(description="Pass it as `before` for the next page.")


def balance(ctx: Context[PointsSettings]) -> Balance:
    """The member's points now."""
    row = ctx.sql("balance", member=ctx.member)[0]
    return Balance(
        available=row.available,
        pending=row.pending,
        debt=row.debt,
        next_expiry=row.next_expiry,
        next_unlock=row.next_unlock,
    )


def history(
    ctx: Context[PointsSettings],
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> History:
    """What came in, was unlocked, taken back and spent, newest first."""
    rows = ctx.sql("history", member=ctx.member, before=before, most=limit)
    entries = [
        HistoryEntry(id=r.id, kind=r.kind, points=r.points, reference=r.reference, occurred_at=r.occurred_at)
        for r in rows
    ]
    return History(entries=entries, next=entries[-1].id if len(entries) == limit else None)


class Offered(BaseModel):
    """Something that the member can redeem points for."""

    id: int = Field(title=_("Number"))
    name: str = Field(title=_("Name"))
    description: str = Field(title=_("Description"))
    kind: Literal["reward", "goods", "service"] = Field(
        title=_("What it is"), json_schema_extra=shown(choices=KINDS)
    )
    price: int = Field(title=_("Price"), description="In points.")
    left: int | None = Field(
        title=_("Left"), description="How many the member can still redeem today; null without a limit."
    )
    last_day: date | None = Field(title=_("Last day"))


class Catalogue(BaseModel):
    """A page of what the member can redeem points for, the cheapest first."""

    items: list[Offered] = Field(title=_("Redemption catalogue"))
    next: int | None = Field(description="Pass it as `after` for the next page.")


class RedeemRequest(BaseModel):
    """What the member wants, at the price that the member saw."""

    model_config = ConfigDict(extra="forbid")

    item: int = Field(ge=1, le=NEWEST, title=_("Number"))
    price: int = Field(ge=1, le=NEWEST, title=_("Price"))


class Redeemed(BaseModel):
    """Something that the member redeemed points for."""

    id: int
    item: int = Field(title=_("Number"))
    name: str = Field(title=_("Name"))
    kind: Literal["reward", "goods", "service"] = Field(
        title=_("What it is"), json_schema_extra=shown(choices=KINDS)
    )
    points: int = Field(title=_("Points"))
    state: Literal["open", "fulfilled", "cancelled"] = Field(
        title=_("State"), json_schema_extra=shown(choices=STATES)
    )
    redeemed_at: datetime = Field(title=_("When"))


class MyRedemptions(BaseModel):
    """A page of what the member redeemed, newest first."""

    redemptions: list[Redeemed] = Field(title=_("Redemptions"))
    next: int | None = Field(description="Pass it as `before` for the next page.")


def catalogue(
    ctx: Context[PointsSettings],
    after: Annotated[int, Query(ge=0, le=NEWEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Catalogue:
    """What is offered to this member today; a page may hold fewer than asked for, as not all is for everybody."""
    rows = ctx.sql("redeemable", day=today(ctx), member=ctx.member, after=after, most=limit)
    items = [
        Offered(
            id=row.id,
            name=row.name,
            description=row.description,
            kind=row.kind,
            price=row.price,
            left=None if row.available is None else max(row.available, 0),
            last_day=row.last_day,
        )
        for row in eligible(ctx, rows)
    ]
    return Catalogue(items=items, next=rows[-1].id if len(rows) == limit else None)


def redeem(ctx: Context[PointsSettings], wanted: RedeemRequest) -> Redeemed:
    """Redeem one: the points and what they are for change hands together."""
    return _redeemed(redemptions.redeem(ctx, wanted.item, wanted.price, token_hex(16)))


def my_redemptions(
    ctx: Context[PointsSettings],
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> MyRedemptions:
    """What the member redeemed, newest first."""
    rows = ctx.sql("my_redemptions", member=ctx.member, before=before, most=limit)
    found = [_redeemed(row) for row in rows]
    return MyRedemptions(redemptions=found, next=found[-1].id if len(found) == limit else None)


def _redeemed(row: Row[Any]) -> Redeemed:
    return Redeemed(
        id=row.id,
        item=row.item_id,
        name=row.name,
        kind=row.kind,
        points=row.points,
        state=row.state,
        redeemed_at=row.redeemed_at,
    )
