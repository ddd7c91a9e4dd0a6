"""What members see of their pack."""

from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Row

from threepeat.sdk import Context, _, shown
from threepeat_welcome.reactions import SINCE
from threepeat_welcome.settings import WelcomeSettings

Ctx = Context[WelcomeSettings]


class Received(BaseModel):
    """A reward of the pack, or the one for the second order."""

    part: Literal["pack", "second"] = Field(title=_("For"))
    kind: str = Field(description="The kind of reward.")
    item: str = Field(description="Which one, for a kind of which the store has several; else empty.")
    amount: int = Field(description="How much, in the kind's own unit.")
    taken_back: int = Field(
        title=_("Taken back"), description="How much of it went back because the order was refunded."
    )
    state: Literal["given", "owed"] = Field(
        title=_("State"), description="`owed` will be given as soon as the store can."
    )
    at: datetime = Field(title=_("When"))


class Coming(BaseModel):
    """A reward that is still to come."""

    after: Literal["first_order", "second_order"] = Field(title=_("After"), description="What brings it.")
    kind: str
    item: str = Field(description="Which one, for a kind of which the store has several; else empty.")
    amount: int
    until: datetime | None = Field(
        title=_("Until"), description="When the order has to be paid at the latest; null is no limit."
    )


class Pack(BaseModel):
    """A member's newcomer pack."""

    received_at: datetime | None = Field(
        title=_("Welcomed"), description="When the member was welcomed; null if not."
    )
    received: list[Received] = Field(title=_("Received"))
    coming: list[Coming] = Field(title=_("Coming"))
    least_total: int = Field(
        title=_("Smallest order that counts"),
        json_schema_extra=shown(unit="money"),
        description="The smallest order that counts, in minor units.",
    )


def pack(ctx: Ctx) -> Pack:
    """What the member got, what is still to come, and until when."""
    found = ctx.sql("mine", member=ctx.member)
    row = found[0] if found else None
    received = [
        Received(
            part=gift.part,
            kind=gift.kind,
            item=gift.item,
            amount=gift.amount,
            taken_back=gift.taken,
            state=gift.state,
            at=gift.decided_at,
        )
        for gift in (ctx.sql("gifts", member=ctx.member) if row else ())
    ]
    return Pack(
        received_at=row.welcomed_at if row else None,
        received=received,
        coming=_coming(ctx, row) if row else [],
        least_total=ctx.settings.least_total,
    )


def _coming(ctx: Ctx, row: Row[Any]) -> list[Coming]:
    if row.second_due:
        return [
            Coming(
                after="second_order",
                kind=row.second_kind,
                item=row.second_item,
                amount=row.second_amount,
                until=row.second_until,
            )
        ]
    if row.welcomed_at is not None or not row.is_open or ctx.settings.trigger != "first_order":
        return []
    return _first(ctx, row)


def _first(ctx: Ctx, row: Row[Any]) -> list[Coming]:
    """The pack itself, if the member's first order would bring it now."""
    settings, member = ctx.settings, ctx.member
    registered = row.registered_at or ctx.facts([SINCE], [member])[SINCE].get(member)
    if registered is None or (settings.newcomers_only and registered < row.opened_at):
        return []
    days = settings.first_order_within_days
    until = registered + timedelta(days=days) if days is not None else None
    if until is not None and until < ctx.now:
        return []
    if not ctx.takes_part(member) or ctx.orders.summaries([member]):
        return []
    if not settings.audience.is_everybody and not ctx.matching(settings.audience, [member]):
        return []
    return [
        Coming(after="first_order", kind=one.kind, item=one.item, amount=one.amount, until=until)
        for one in settings.rewards
    ]
