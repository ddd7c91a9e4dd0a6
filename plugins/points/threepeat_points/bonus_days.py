"""Bonus days as a merchant manages them: local days on which orders earn more."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from threepeat.sdk import (
    Audience,
    Item,
    ItemModel,
    Query,
    Refused,
    _,
    action,
    collection,
    item_number,
    midnight,
    shown,
)
from threepeat_points.accounts import Ctx
from threepeat_points.validity import end_of

TENTHS = 10
"""A factor is kept in tenths."""
MOST_DAYS = 366


class BonusDay(ItemModel):
    """What a merchant fills in."""

    name: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=60,
        title=_("Name"),
        description=_("For you and your staff; members do not see it."),
    )
    factor: Decimal = Field(
        gt=1,
        le=10,
        decimal_places=1,
        title=_("Factor"),
        description=_("Orders earn so many times the points, such as 2 or 1.5."),
        json_schema_extra=shown(unit="factor"),
    )
    first_day: date = Field(
        ge=date(2000, 1, 1),
        le=date(2100, 12, 31),
        title=_("First day"),
        description=_("From midnight in your store's time zone, or from publishing if that is later."),
    )
    last_day: date = Field(
        ge=date(2000, 1, 1),
        le=date(2100, 12, 31),
        title=_("Last day"),
        description=_("Until the end of this day. The same as the first day for a single day."),
    )
    audience: Audience = Field(
        default=Audience(),
        title=_("For whom"),
        description=_("Other members earn as usual. It is looked up when an order is counted."),
    )

    @field_validator("last_day")
    @classmethod
    def _in_order(cls, last: date, info: ValidationInfo) -> date:
        first = info.data.get("first_day")
        if first is not None and last < first:
            raise PydanticCustomError("last_before_first", _("must not be before the first day"))
        if first is not None and (last - first).days >= MOST_DAYS:
            raise PydanticCustomError("days_too_many", _("must be within a year of the first day"))
        return last


def find(ctx: Ctx, query: Query) -> Sequence[Item[BonusDay]]:
    """Bonus days, newest first."""
    rows = ctx.sql("bonus_days", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(ctx, row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[BonusDay] | None:
    """One bonus day, with what its orders have earned."""
    rows = ctx.sql("bonus_day", id=item_number(item))
    if not rows:
        return None
    earned: dict[str, int | str] = {_("Orders"): rows[0].orders, _("Points earned"): rows[0].points}
    return _item(ctx, rows[0], earned)


def create(ctx: Ctx, given: BonusDay) -> str:
    """Keep a draft."""
    return str(ctx.sql("bonus_day_add", **_columns(given))[0].id)


def update(ctx: Ctx, item: str, revision: int, given: BonusDay) -> bool:
    """Save a draft."""
    return bool(ctx.sql("bonus_day_save", id=item_number(item), revision=revision, **_columns(given)))


def publish(ctx: Ctx, item: str, revision: int) -> bool:
    """Let it count from now on, or from its first day.

    Raises:
        Refused: Its last day is over.
    """
    found = item_number(item)
    rows = ctx.sql("bonus_day", id=found)
    if not rows:
        return False
    ends_at = end_of(rows[0].last_day, ctx.tenant.timezone)
    if ends_at <= ctx.now:
        raise Refused(_("The last day is over: choose a later one first."), code="over")
    begins_at = max(midnight(rows[0].first_day, ctx.tenant.timezone), ctx.now)
    times = {"begins_at": begins_at, "ends_at": ends_at}
    return bool(ctx.sql("bonus_day_publish", id=found, revision=revision, **times))


def close(ctx: Ctx, item: str, revision: int) -> bool:
    """End it now; what was earned stays."""
    return bool(ctx.sql("bonus_day_close", id=item_number(item), revision=revision))


BONUS_DAYS = collection(
    "bonus_days",
    BonusDay,
    title=_("Bonus days"),
    singular=_("bonus day"),
    summary=_("Days on which orders earn more points. Where they overlap, the highest factor counts."),
    states={"draft": _("Draft"), "published": _("Published"), "closed": _("Closed")},
    editable={"draft"},
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action(
            "publish",
            publish,
            title=_("Publish"),
            states={"draft"},
            confirm=_("Once it is published it cannot be changed any more, only closed."),
        ),
        action(
            "close",
            close,
            title=_("Close"),
            states={"published"},
            confirm=_("It ends now and cannot be opened again. What members have earned stays theirs."),
            always=True,
        ),
    ],
)


def _columns(given: BonusDay) -> dict[str, object]:
    return {
        "name": given.name,
        "factor_tenths": int(given.factor * TENTHS),
        "first_day": given.first_day,
        "last_day": given.last_day,
        "audience": given.audience.model_dump_json(),
    }


def _item(ctx: Ctx, row: Row[Any], earned: Mapping[str, int | str] = MappingProxyType({})) -> Item[BonusDay]:
    values = BonusDay(
        name=row.name,
        factor=Decimal(row.factor_tenths) / TENTHS,
        first_day=row.first_day,
        last_day=row.last_day,
        audience=Audience.model_validate(row.audience),
    )
    figures = {**_standing(ctx, row), **earned}
    return Item(str(row.id), row.state, values, row.revision, row.name, row.changed_at, figures)


def _standing(ctx: Ctx, row: Row[Any]) -> dict[str, int | str]:
    """How a published one stands: nobody closes it when its last day is over."""
    if row.state != "published":
        return {}
    if row.ends_at <= ctx.now:
        return {_("At the moment"): _("over")}
    return {_("At the moment"): _("running") if row.begins_at <= ctx.now else _("not begun")}
