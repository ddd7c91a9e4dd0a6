"""Tiers that the store grants to single members, with a reason and an end; core writes each step to the trail."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import Row

from threepeat.sdk import Item, ItemModel, Query, Refused, _, action, collection, item_number, midnight, shown
from threepeat_tiers import floors
from threepeat_tiers.catalogue import MOST
from threepeat_tiers.versions import Ctx
from threepeat_tiers.windows import DAY, local_day, today


class GrantForm(ItemModel):
    """What a merchant fills in to grant a tier."""

    customer: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=128,
        title=_("Member"),
        description=_("Your shop's id of the member. It stays as it is once the grant was made."),
    )
    level: int = Field(
        ge=1, le=MOST, title=_("Level"), description=_("The member stands in this tier at least, or higher.")
    )
    last_day: date = Field(
        ge=date(2000, 1, 1),
        le=date(2100, 12, 31),
        title=_("Last day"),
        description=_("Until the end of this day."),
    )
    reason: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=200,
        title=_("Reason"),
        description=_("For you and your staff; members do not see it."),
        json_schema_extra=shown(long=True),
    )


def find(ctx: Ctx, query: Query) -> Sequence[Item[GrantForm]]:
    """Granted tiers, newest first."""
    rows = ctx.sql("grants", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(ctx, row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[GrantForm] | None:
    """One granted tier."""
    rows = ctx.sql("grant", id=item_number(item))
    return _item(ctx, rows[0]) if rows else None


def create(ctx: Ctx, given: GrantForm) -> str:
    """Grant a tier; it counts at once.

    Raises:
        Refused: There is no such member, no such tier, or the last day is over.
    """
    member = ctx.find_member(given.customer)
    if member is None:
        raise Refused(_("There is no member {id}.", id=given.customer), code="no-member")
    rows = ctx.sql("grant_add", member=member, customer=given.customer, **_columns(ctx, given))
    if not rows:
        raise _no_tier()
    _look(ctx, rows[0])
    return str(rows[0].id)


def update(ctx: Ctx, item: str, revision: int, given: GrantForm) -> bool:
    """Change level, last day or reason.

    Raises:
        Refused: The member was changed, there is no such tier, or the last day is over.
    """
    before = read(ctx, item)
    if before is not None and before.values.customer != given.customer:
        raise Refused(_("The member of a grant stays: withdraw it and make a new one."), code="member-fixed")
    rows = ctx.sql("grant_save", id=item_number(item), revision=revision, **_columns(ctx, given))
    if not rows and not any(tier.state == "active" for tier in ctx.sql("tier", level=given.level)):
        raise _no_tier()
    for row in rows:
        _look(ctx, row)
    return bool(rows)


def withdraw(ctx: Ctx, item: str, revision: int) -> bool:
    """End it now; what the member got by it stays."""
    rows = ctx.sql("grant_withdraw", id=item_number(item), revision=revision)
    for row in rows:
        _look(ctx, row)
    return bool(rows)


GRANTS = collection(
    "grants",
    GrantForm,
    title=_("Granted tiers"),
    singular=_("granted tier"),
    summary=_("A tier for a member who has not earned it, for a reason and a time."),
    states={"open": _("Counts"), "over": _("Over"), "withdrawn": _("Withdrawn")},
    editable={"open"},
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action(
            "withdraw",
            withdraw,
            title=_("Withdraw"),
            states={"open"},
            confirm=_("It ends now. What the member got by it stays."),
            always=True,
        )
    ],
)


def _columns(ctx: Ctx, given: GrantForm) -> dict[str, object]:
    """What is stored of a form; it ends with the last instant of the last day.

    Raises:
        Refused: The last day is over.
    """
    if given.last_day < today(ctx):
        raise Refused(_("The last day is over: choose a later one."), code="over")
    return {
        "level": given.level,
        "until": midnight(given.last_day + DAY, ctx.tenant.timezone),
        "reason": given.reason,
    }


def _no_tier() -> Refused:
    return Refused(_("There is no tier of this level: make it first."), code="no-tier")


def _look(ctx: Ctx, row: Row[Any]) -> None:
    """Let the worker look at the member now and when it ends: it alone writes where members stand."""
    ctx.later(floors.FLOOR, f"{row.id} begins", ctx.now, member=row.member_id)
    floors.remind(ctx, row.id, row.member_id, row.until)


def _item(ctx: Ctx, row: Row[Any]) -> Item[GrantForm]:
    values = GrantForm(
        customer=row.customer, level=row.level, last_day=local_day(ctx, row.until) - DAY, reason=row.reason
    )
    return Item(str(row.id), row.state, values, row.revision, row.customer, row.changed_at)
