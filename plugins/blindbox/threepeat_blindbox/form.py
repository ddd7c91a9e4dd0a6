"""What a merchant fills in about a series."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from threepeat.sdk import ItemModel, Store, _, shown
from threepeat_blindbox import goods, words
from threepeat_blindbox.odds import Pool, PoolItem

BOX, DRAW, LIMITS = _("The box"), _("How it is drawn"), _("Limits for each member")

MODES = {
    "replacement": _("Fixed odds: each draw has the same"),
    "urn": _("A case: every item in it is drawn once, and the odds follow what is left"),
}
MOST_ITEMS = 100
MOST_MONEY = 10**9
MOST_PIECES = 1_000_000
MOST_PITY = 200


STORED: Mapping[str, bool] = {"stored": True}
"""The context in which a saved form is read: rules that came later do not keep paid boxes from being drawn."""


def _allowed(text: str, info: ValidationInfo) -> str:
    """Refuse goods that may not be sold in boxes."""
    reason = None if info.context == STORED else goods.against(text)
    if reason is not None:
        raise PydanticCustomError("forbidden_goods", reason)
    return text


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]


class BoxItem(BaseModel):
    """Something that a box may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1, max_length=64, title=_("SKU"), description=_("As your shop calls it; once in a series.")
    )
    name: Annotated[Name, AfterValidator(_allowed)] = Field(title=_("Name"), description=_("Members see it."))
    category: Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_allowed)] = Field(
        default="",
        max_length=60,
        title=_("Category"),
        description=_("Some goods may not be sold in blind boxes; it is checked by name and category."),
    )
    weight: int = Field(
        default=1,
        ge=1,
        le=MOST_PIECES,
        title=_("Weight"),
        description=_("How often it comes against the other weights. In a case the stock counts instead."),
    )
    stock: int | None = Field(
        default=None,
        ge=1,
        le=MOST_PIECES,
        title=_("Pieces in all"),
        description=_(
            "Put into the series since it began; it can be raised. Empty for any number, not in a case."
        ),
    )
    hidden: bool = Field(default=False, title=_("Hidden item"), description=_("The rare one of the series."))
    floor: bool = Field(
        default=False, title=_("Guaranteed"), description=_("The guarantee below is for these items.")
    )
    value: int = Field(
        default=0,
        ge=0,
        le=MOST_MONEY,
        title=_("Worth"),
        description=_("What it costs on its own; members see the range."),
        json_schema_extra=shown(unit="money"),
    )
    guide: str = Field(
        default="",
        max_length=500,
        title=_("Pairing guide"),
        description=_("What goes well with it, such as a recipe; whoever draws it reads it."),
        json_schema_extra=shown(long=True),
    )


class SeriesForm(ItemModel):
    """A series of blind boxes."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: Annotated[Name, AfterValidator(_allowed)] = Field(
        title=_("Name"), description=_("Members see it."), json_schema_extra=shown(group=BOX)
    )
    sku: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=128,
        title=_("SKU of the box"),
        description=_("What your shop sells. Do not use it for anything else later."),
        json_schema_extra=shown(group=BOX),
    )
    price: int = Field(
        ge=1,
        le=MOST_MONEY,
        title=_("Price"),
        description=_("Of one box, as it is published. Your shop may take less, not more."),
        json_schema_extra=shown(group=BOX, unit="money"),
    )
    mode: Literal["replacement", "urn"] = Field(
        default="replacement", title=_("Drawing"), json_schema_extra=shown(group=DRAW, choices=MODES)
    )
    items: tuple[BoxItem, ...] = Field(
        min_length=2,
        max_length=MOST_ITEMS,
        title=_("What boxes hold"),
        description=_("The odds follow from the weights, or from the pieces that are left; nobody types them."),
        json_schema_extra=shown(group=DRAW),
    )
    pity: int | None = Field(
        default=None,
        ge=1,
        le=MOST_PITY,
        title=_("Guaranteed at the latest with draw"),
        description=_("A member who missed the guaranteed items so often gets one. Empty for no guarantee."),
        json_schema_extra=shown(group=DRAW),
    )
    daily_boxes: int | None = Field(
        default=10,
        ge=1,
        le=10_000,
        title=_("Boxes in a day"),
        description=_("Empty for no limit; the rules ask for one."),
        json_schema_extra=shown(group=LIMITS),
    )
    daily_money: int | None = Field(
        default=None,
        ge=1,
        le=MOST_MONEY * 100,
        title=_("Money in a day"),
        description=_("What a member may spend on this series in a day. Empty for no limit."),
        json_schema_extra=shown(group=LIMITS, unit="money"),
    )

    @field_validator("items")
    @classmethod
    def _apart(cls, items: tuple[BoxItem, ...], info: ValidationInfo) -> tuple[BoxItem, ...]:
        if len({one.sku for one in items}) < len(items):
            raise PydanticCustomError("same_sku", _("each item needs a SKU of its own"))
        if info.data.get("mode") == "urn" and any(one.stock is None for one in items):
            raise PydanticCustomError("urn_without_stock", _("in a case every item needs its number of pieces"))
        return items

    @field_validator("pity")
    @classmethod
    def _for_whom(cls, pity: int | None, info: ValidationInfo) -> int | None:
        items = info.data.get("items", ())
        floors = sum(one.floor for one in items)
        if pity is not None and info.data.get("mode") == "urn":
            raise PydanticCustomError(
                "urn_with_pity", _("in a case everything is drawn, so nothing is guaranteed")
            )
        if pity is not None and items and floors == 0:
            raise PydanticCustomError("pity_for_nothing", _("tick the items that are guaranteed"))
        if pity is not None and items and floors == len(items):
            raise PydanticCustomError("pity_for_all", _("not every item can be a guaranteed one"))
        if pity is None and floors:
            raise PydanticCustomError("pity_missing", _("say with which draw the ticked items come at the latest"))
        return pity

    @field_validator("daily_money")
    @classmethod
    def _for_one(cls, money: int | None, info: ValidationInfo) -> int | None:
        price = info.data.get("price")
        if money is not None and price is not None and money < price:
            raise PydanticCustomError("less_than_a_box", _("this is less than one box costs"))
        return money

    def pool(self) -> Pool:
        """What is drawn from while nothing has been drawn."""
        return Pool(self.mode, tuple(pool_item(self, one, one.stock) for one in self.items), self.pity or 0)

    def terms(self) -> dict[str, object]:
        """What stands from the sale on, whatever becomes of the items."""
        return self.model_dump(exclude={"name", "items"})

    def worked(self, store: Store) -> Iterable[str]:
        """The odds that follow, and what the rules say about it."""
        yield from words.odds(self, store)


def pool_item(form: SeriesForm, one: BoxItem, left: int | None) -> PoolItem:
    """An item as a pool has it."""
    weight = left or 0 if form.mode == "urn" else one.weight
    return PoolItem(one.sku, weight, left, one.floor, one.hidden)
