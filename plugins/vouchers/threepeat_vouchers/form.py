"""What a merchant fills in about a kind of voucher."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, TypeVar

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from threepeat.sdk import Audience, BasketLine, ItemModel, Store, _, shown
from threepeat_vouchers import words
from threepeat_vouchers.terms import Reduced, reduce

V = TypeVar("V")

MOST_MONEY = 10**11
MOST_VOUCHERS = 10**9
MOST_DAYS = 3650
MOST_NAMES = 200
FIRST, LAST = date(2000, 1, 1), date(2100, 12, 31)

GIVES, COUNTS, WHEN = _("What it gives"), _("What it counts for"), _("When it can be used")
MANY, BESIDE, AFTER = _("How many there are"), _("Together with other reductions"), _("After a return")

KINDS = {
    "fixed": _("An amount off"),
    "percent": _("A percentage off"),
    "delivery": _("Free delivery"),
    "gift": _("A gift"),
}
Kind = Literal["fixed", "percent", "delivery", "gift"]
Group = Literal["activity", "member", "delivery", "other"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]

FREE = frozenset({"name", "total", "budget", "per_member", "per_day", "claimable", "audience", "cost"})
"""What may still change once a voucher may be out: none of it makes one worse."""


class Template(ItemModel):
    """A kind of voucher."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=60,
        title=_("Name"),
        description=_("Members see it."),
        json_schema_extra=shown(placeholder=_("Summer voucher")),
    )
    kind: Kind = Field(
        title=_("Kind"),
        json_schema_extra=shown(
            group=GIVES,
            choices=KINDS,
        ),
    )
    amount: int | None = Field(
        default=None,
        ge=1,
        le=MOST_MONEY,
        title=_("Amount off"),
        description=_("For an amount off."),
        json_schema_extra=shown(group=GIVES, unit="money"),
    )
    percent: int | None = Field(
        default=None,
        ge=1,
        le=100,
        title=_("Percentage off"),
        description=_("For a percentage off. What it takes off is rounded down."),
        json_schema_extra=shown(group=GIVES, unit="percent"),
    )
    cap: int | None = Field(
        default=None,
        ge=1,
        le=MOST_MONEY,
        title=_("At most"),
        description=_("How much a percentage or free delivery may take off; empty if there is no limit."),
        json_schema_extra=shown(group=GIVES, unit="money"),
    )
    gift_sku: str = Field(
        default="",
        max_length=128,
        title=_("SKU of the gift"),
        description=_("Your shop puts it into the parcel."),
        json_schema_extra=shown(group=GIVES),
    )
    gift_name: str = Field(
        default="", max_length=60, title=_("Name of the gift"), json_schema_extra=shown(group=GIVES)
    )
    gift_quantity: int = Field(
        default=1, ge=1, le=100, title=_("How many of the gift"), json_schema_extra=shown(group=GIVES)
    )
    cost: int = Field(
        default=0,
        ge=0,
        le=MOST_MONEY,
        title=_("What one costs you"),
        description=_(
            "What a tactic that gives one is charged. An amount off costs that amount, and a percentage with a"
            " limit that limit; this is for the others."
        ),
        json_schema_extra=shown(group=GIVES, unit="money"),
    )
    threshold: int = Field(
        default=0,
        ge=0,
        le=MOST_MONEY,
        title=_("From"),
        description=_("What the things that it counts for must come to, after the reductions before it."),
        json_schema_extra=shown(group=COUNTS, unit="money"),
    )
    scope: Literal["all", "categories", "skus"] = Field(
        default="all",
        title=_("Things"),
        json_schema_extra=shown(
            group=COUNTS,
            choices={"all": _("Everything"), "categories": _("Some categories"), "skus": _("Some SKUs")},
        ),
    )
    categories: tuple[Name, ...] = Field(
        default=(),
        max_length=MOST_NAMES,
        title=_("Categories"),
        description=_("One in a line, as your shop sends them."),
        json_schema_extra=shown(group=COUNTS),
    )
    skus: tuple[Name, ...] = Field(
        default=(), max_length=MOST_NAMES, title=_("SKUs"), json_schema_extra=shown(group=COUNTS)
    )
    except_categories: tuple[Name, ...] = Field(
        default=(),
        max_length=MOST_NAMES,
        title=_("But not these categories"),
        json_schema_extra=shown(group=COUNTS),
    )
    except_skus: tuple[Name, ...] = Field(
        default=(), max_length=MOST_NAMES, title=_("But not these SKUs"), json_schema_extra=shown(group=COUNTS)
    )
    validity: Literal["days", "dates"] = Field(
        default="days",
        title=_("Valid"),
        json_schema_extra=shown(
            group=WHEN, choices={"days": _("Some days from when it is given"), "dates": _("On fixed dates")}
        ),
    )
    days: int | None = Field(
        default=30,
        ge=1,
        le=MOST_DAYS,
        title=_("Days"),
        description=_("On so many days of your store; the first one counts, to the end of the last."),
        json_schema_extra=shown(group=WHEN, unit="days"),
    )
    start_after_days: int = Field(
        default=0,
        ge=0,
        le=366,
        title=_("Begins after"),
        description=_("0: at once."),
        json_schema_extra=shown(group=WHEN, unit="days"),
    )
    first_day: date | None = Field(
        default=None, ge=FIRST, le=LAST, title=_("First day"), json_schema_extra=shown(group=WHEN)
    )
    last_day: date | None = Field(
        default=None,
        ge=FIRST,
        le=LAST,
        title=_("Last day"),
        description=_("To the end of this day in your store's time zone."),
        json_schema_extra=shown(group=WHEN),
    )
    total: int | None = Field(
        default=None,
        ge=1,
        le=MOST_VOUCHERS,
        title=_("In all"),
        description=_("How many are given out, codes included; empty for no limit. Later it can only be raised."),
        json_schema_extra=shown(group=MANY),
    )
    budget: int | None = Field(
        default=None,
        ge=1,
        le=MOST_MONEY,
        title=_("Budget"),
        description=_(
            "What all of them together may take off; then nobody can use one any more. Cancelled and returned"
            " orders do not count. Empty for no limit. Later it can only be raised."
        ),
        json_schema_extra=shown(group=MANY, unit="money"),
    )
    per_member: int | None = Field(
        default=1,
        ge=1,
        le=10_000,
        title=_("For each member"),
        description=_("How many a member may take or enter as codes; what tactics give does not count."),
        json_schema_extra=shown(group=MANY),
    )
    per_day: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        title=_("For each member in a day"),
        description=_("The same in a day."),
        json_schema_extra=shown(group=MANY),
    )
    claimable: bool = Field(
        default=False,
        title=_("Members may take it"),
        description=_("It is shown to members, who take it themselves. Otherwise tactics, you and codes give it."),
        json_schema_extra=shown(group=MANY),
    )
    audience: Audience = Field(
        default=Audience(),
        title=_("Who may take it"),
        json_schema_extra=shown(group=MANY),
    )
    stacks: Literal["all", "listed"] = Field(
        default="all",
        title=_("Beside other reductions"),
        description=_("Of vouchers one counts in an order, and one for free delivery beside it."),
        json_schema_extra=shown(
            group=BESIDE, choices={"all": _("Beside all"), "listed": _("Only beside those ticked below")}
        ),
    )
    beside: tuple[Group, ...] = Field(
        default=(),
        title=_("Beside these"),
        json_schema_extra=shown(
            group=BESIDE,
            choices={
                "activity": _("Prices of a campaign"),
                "member": _("Member prices"),
                "delivery": _("Vouchers for free delivery"),
                "other": _("Everything else, such as points"),
            },
        ),
    )
    give_back: bool = Field(
        default=True,
        title=_("Give it back when everything is returned"),
        description=_("If it is still valid. An order that is cancelled before it is paid always gives it back."),
        json_schema_extra=shown(group=AFTER),
    )

    @field_validator("amount")
    @classmethod
    def _how_much(cls, amount: int | None, info: ValidationInfo) -> int | None:
        return _needed(amount, info, kind="fixed")

    @field_validator("percent")
    @classmethod
    def _which_share(cls, percent: int | None, info: ValidationInfo) -> int | None:
        return _needed(percent, info, kind="percent")

    @field_validator("gift_sku")
    @classmethod
    def _which_gift(cls, sku: str, info: ValidationInfo) -> str:
        _needed(sku.strip() or None, info, kind="gift")
        return sku.strip()

    @field_validator("categories")
    @classmethod
    def _which_categories(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _needed(names or None, info, scope="categories")
        return names

    @field_validator("skus")
    @classmethod
    def _which_skus(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        _needed(names or None, info, scope="skus")
        return names

    @field_validator("days")
    @classmethod
    def _how_long(cls, days: int | None, info: ValidationInfo) -> int | None:
        return _needed(days, info, validity="days")

    @field_validator("first_day")
    @classmethod
    def _from_when(cls, first: date | None, info: ValidationInfo) -> date | None:
        return _needed(first, info, validity="dates")

    @field_validator("last_day")
    @classmethod
    def _until_when(cls, last: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("first_day")
        if first is not None and last is not None and last < first:
            raise PydanticCustomError("last_before_first", _("must not be before the first day"))
        return _needed(last, info, validity="dates")

    def price(self) -> int:
        """What giving one costs, in minor units."""
        if self.kind == "fixed":
            return self.amount or 0
        return self.cap if self.kind == "percent" and self.cap is not None else self.cost

    def fixed(self) -> dict[str, object]:
        """What stands once a voucher may be out."""
        return {name: value for name, value in self.model_dump().items() if name not in FREE}

    def worked(self, store: Store) -> Iterable[str]:
        """What it takes off some orders, and its terms in words."""
        yield from words.terms(self, store)
        for amount in sorted({self.threshold or 10_000, 2 * (self.threshold or 10_000)}):
            line = BasketLine(
                id="1",
                sku=next(iter(self.skus), "-"),
                category=next(iter(self.categories), ""),
                quantity=1,
                unit_price=amount,
            )
            found = reduce(self, [line], {"1": amount}, shipping=store.minor_units * 10)
            if isinstance(found, Reduced):
                yield words.example(self, store, amount, found)


def _needed(value: V, info: ValidationInfo, **when: str) -> V:
    """Refuse a field that is empty where another one asks for it."""
    ((field, wanted),) = when.items()
    if value is None and info.data.get(field) == wanted:
        raise PydanticCustomError("needed", _("fill this in, too"))
    return value
