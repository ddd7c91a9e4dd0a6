"""What members see of their offer."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from threepeat.sdk import Context, _, shown
from threepeat_winback.settings import WinbackSettings


class Offer(BaseModel):
    """A reward that waits for the member."""

    kind: str = Field(description="The kind of reward.")
    item: str = Field(description="Which one, for a kind of which the store has several; else empty.")
    amount: int = Field(description="How much, in the kind's own unit.")
    offered_at: datetime = Field(title=_("Offered"))
    until: datetime = Field(title=_("Until"), description="When the order has to be paid at the latest.")
    state: Literal["open", "owed"] = Field(
        title=_("State"), description="`owed`: the order came, the reward follows."
    )


class Offers(BaseModel):
    """What waits for the member; mostly nothing or one offer."""

    offers: list[Offer] = Field(title=_("Offers"))
    least_total: int = Field(
        title=_("Smallest order that counts"),
        json_schema_extra=shown(unit="money"),
        description="The smallest order that counts, in minor units.",
    )


def offer(ctx: Context[WinbackSettings]) -> Offers:
    """Offers that live now, and rewards that are owed."""
    rows = ctx.sql("mine", member=ctx.member)
    found = [
        Offer(
            kind=row.kind,
            item=row.item,
            amount=row.amount,
            offered_at=row.offered_at,
            until=row.until,
            state=row.state,
        )
        for row in rows
    ]
    return Offers(offers=found, least_total=ctx.settings.least_total)
