"""What members see of their points."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from threepeat.sdk import Context, _
from threepeat_points.settings import PointsSettings

NEWEST = 2**63 - 1


class Balance(BaseModel):
    """A member's points.

    Attributes:
        available: Points that can be spent, after any debt.
    """

    available: int = Field(title=_("Points to spend"), description="Points that can be spent.")
    debt: int = Field(
        title=_("Points owed"), description="Points that refunds took back and that were spent already."
    )
    next_expiry: datetime | None = Field(title=_("Next points expire"), description="When the next points expire.")


class HistoryEntry(BaseModel):
    """One line of the journal."""

    id: int
    kind: str = Field(title=_("What"))
    points: int = Field(
        title=_("Points"), description="Positive if they came in, negative if taken back or spent."
    )
    reference: str = Field(
        title=_("For"), description="`order:…`, `refund:…`, `reward:…`, `revoked:…`, `spend:…` or `merge:…`."
    )
    occurred_at: datetime = Field(title=_("When"))


class History(BaseModel):
    """A page of the journal, newest first."""

    entries: list[HistoryEntry] = Field(title=_("Entries"))
    next: int | None = Field(description="Pass it as `before` for the next page.")


def balance(ctx: Context[PointsSettings]) -> Balance:
    """The member's points now."""
    row = ctx.sql("balance", member=ctx.member)[0]
    return Balance(available=row.available, debt=row.debt, next_expiry=row.next_expiry)


def history(
    ctx: Context[PointsSettings],
    before: Annotated[int, Query(ge=1, le=NEWEST)] = NEWEST,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> History:
    """What came in, was taken back and was spent, newest first."""
    rows = ctx.sql("history", member=ctx.member, before=before, most=limit)
    entries = [
        HistoryEntry(id=r.id, kind=r.kind, points=r.points, reference=r.reference, occurred_at=r.occurred_at)
        for r in rows
    ]
    return History(entries=entries, next=entries[-1].id if len(entries) == limit else None)
