"""The catalogue as a merchant manages it: what members redeem points for."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from threepeat.sdk import (
    Audience,
    Item,
    ItemModel,
    Query,
    Refused,
    RewardChoice,
    _,
    action,
    collection,
    item_number,
    shown,
)
from threepeat_points.accounts import Ctx
from threepeat_points.settings import Limit

Kind = Literal["reward", "goods", "service"]

KINDS = {"reward": _("A reward"), "goods": _("Goods"), "service": _("A service")}


class CatalogueItem(ItemModel):
    """What a merchant fills in."""

    name: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1, max_length=60, title=_("Name"), description=_("As members read it.")
    )
    description: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        default="", max_length=500, title=_("Description"), json_schema_extra=shown(long=True)
    )
    kind: Kind = Field(
        title=_("What it is"),
        description=_("A reward is handed over at once. Goods and services wait until you say that they are."),
        json_schema_extra=shown(choices=KINDS),
    )
    reward: RewardChoice | None = Field(
        default=None,
        validate_default=True,
        title=_("Which reward"),
        description=_("It comes out of this tactic's monthly budget. Leave it empty for goods and services."),
    )
    price: Limit = Field(title=_("Price"), json_schema_extra=shown(unit="points"))
    stock: Limit | None = Field(
        default=None,
        title=_("How many there are"),
        description=_("In all, with those that were redeemed. Leave it empty for no limit."),
    )
    per_member: Limit | None = Field(
        default=None,
        title=_("At most for one member"),
        description=_("Leave it empty for no limit."),
        json_schema_extra=shown(unit="times"),
    )
    per_day: Limit | None = Field(
        default=None,
        title=_("At most on one day"),
        description=_("For all members together. Leave it empty for no limit."),
        json_schema_extra=shown(unit="times"),
    )
    first_day: date | None = Field(
        default=None,
        ge=date(2000, 1, 1),
        le=date(2100, 12, 31),
        title=_("First day"),
        description=_("In your store's time zone. Leave it empty to begin when it is published."),
    )
    last_day: date | None = Field(
        default=None,
        ge=date(2000, 1, 1),
        le=date(2100, 12, 31),
        title=_("Last day"),
        description=_("Until the end of this day. Leave it empty for no end."),
    )
    audience: Audience = Field(
        default=Audience(), title=_("For whom"), description=_("Other members do not see it.")
    )

    @field_validator("reward")
    @classmethod
    def _fitting(cls, reward: RewardChoice | None, info: ValidationInfo) -> RewardChoice | None:
        kind = info.data.get("kind")
        if kind == "reward" and reward is None:
            raise PydanticCustomError("reward_missing", _("say which reward it is"))
        if kind in {"goods", "service"} and reward is not None:
            raise PydanticCustomError("reward_spare", _("leave it empty for goods and services"))
        if reward is not None and reward.kind == "points":
            raise PydanticCustomError("reward_points", _("points cannot be redeemed for points"))
        return reward

    @field_validator("last_day")
    @classmethod
    def _in_order(cls, last: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("first_day")
        if first is not None and last is not None and last < first:
            raise PydanticCustomError("last_before_first", _("must not be before the first day"))
        return last


def find(ctx: Ctx, query: Query) -> Sequence[Item[CatalogueItem]]:
    """Items, newest first."""
    rows = ctx.sql("items", state=query.state, search=query.search, before=query.before, most=query.limit)
    return [_item(row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[CatalogueItem] | None:
    """One item."""
    rows = ctx.sql("item", id=item_number(item))
    return _item(rows[0]) if rows else None


def create(ctx: Ctx, given: CatalogueItem) -> str:
    """Keep a draft."""
    return str(ctx.sql("item_add", **_columns(given))[0].id)


def update(ctx: Ctx, item: str, revision: int, given: CatalogueItem) -> bool:
    """Save one that members cannot redeem at the moment."""
    return bool(ctx.sql("item_save", id=item_number(item), revision=revision, **_columns(given)))


def publish(ctx: Ctx, item: str, revision: int) -> bool:
    """Let members redeem it.

    Raises:
        Refused: Its last day is over.
    """
    rows = ctx.sql("item", id=item_number(item))
    if rows and rows[0].last_day is not None and rows[0].last_day < today(ctx):
        raise Refused(_("The last day is over: choose a later one first."), code="over")
    return _step(ctx, item, revision, ["draft", "paused"], "published")


def pause(ctx: Ctx, item: str, revision: int) -> bool:
    """Let nobody redeem it for now."""
    return _step(ctx, item, revision, ["published"], "paused")


def close(ctx: Ctx, item: str, revision: int) -> bool:
    """Let nobody redeem it any more."""
    return _step(ctx, item, revision, ["draft", "published", "paused"], "closed")


def today(ctx: Ctx) -> date:
    """The store's local day."""
    return ctx.now.astimezone(ctx.tenant.timezone).date()


def eligible(ctx: Ctx, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those of some items that are for the calling member; each audience is looked up once."""
    audiences = [Audience.model_validate(row.audience) for row in rows]
    asked = {one for one in audiences if not one.is_everybody}
    others = {one for one in asked if ctx.member not in ctx.matching(one, [ctx.member])}
    return [row for row, audience in zip(rows, audiences, strict=True) if audience not in others]


CATALOGUE = collection(
    "catalogue",
    CatalogueItem,
    title=_("Redemption catalogue"),
    singular=_("item"),
    summary=_("What members redeem points for: rewards, goods and services."),
    states={"draft": _("Draft"), "published": _("Published"), "paused": _("Paused"), "closed": _("Closed")},
    editable={"draft", "paused"},
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action("publish", publish, title=_("Publish"), states={"draft", "paused"}),
        action("pause", pause, title=_("Pause"), states={"published"}, always=True),
        action(
            "close",
            close,
            title=_("Close"),
            states={"draft", "published", "paused"},
            confirm=_("It cannot be opened again. What members have redeemed stays theirs."),
            always=True,
        ),
    ],
)


def _step(ctx: Ctx, item: str, revision: int, before: Sequence[str], after: str) -> bool:
    return bool(ctx.sql("item_step", id=item_number(item), revision=revision, before=list(before), after=after))


def _columns(given: CatalogueItem) -> dict[str, object]:
    return {
        "name": given.name,
        "description": given.description,
        "kind": given.kind,
        "reward": given.reward.model_dump_json() if given.reward is not None else "{}",
        "price": given.price,
        "stock": given.stock,
        "per_member": given.per_member,
        "per_day": given.per_day,
        "first_day": given.first_day,
        "last_day": given.last_day,
        "audience": given.audience.model_dump_json(),
    }


def _item(row: Row[Any]) -> Item[CatalogueItem]:
    values = CatalogueItem(
        name=row.name,
        description=row.description,
        kind=row.kind,
        reward=RewardChoice.model_validate(row.reward) if row.reward else None,
        price=row.price,
        stock=row.stock,
        per_member=row.per_member,
        per_day=row.per_day,
        first_day=row.first_day,
        last_day=row.last_day,
        audience=Audience.model_validate(row.audience),
    )
    figures: dict[str, int | str] = {_("Redeemed"): row.redeemed}
    if row.stock is not None:
        figures[_("Left")] = max(row.stock - row.redeemed, 0)
    return Item(str(row.id), row.state, values, row.revision, row.name, row.changed_at, figures)
