"""What a merchant fills in about a group buy."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from threepeat.sdk import ItemModel, Store, _, midnight, ngettext, shown
from threepeat_groupbuy.terms import Level, least_real

MOST_MONEY = 10**11
MOST_PEOPLE = 200
MOST_STEPS = 5
FIRST, LAST = date(2000, 1, 1), date(2100, 12, 31)

GROUP, TIME, WHO = _("The group"), _("Time"), _("Who may buy how much")
AROUND, FILL = _("Neighbourhood groups"), _("Virtual seats")

DAYS = {"every": _("Every day"), "workdays": _("Monday to Friday"), "weekend": _("Saturday and Sunday")}

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60)]

FREE = frozenset({"name", "last_day", "per_order", "per_member", "pickups", "slots"})
"""What may still change once a group may be open; an open group keeps its place and time by their names."""


class Step(BaseModel):
    """A price for larger groups."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=3, le=MOST_PEOPLE, title=_("People"), description=_("From so many on."))
    price: int = Field(
        ge=0,
        le=MOST_MONEY,
        title=_("Price of one"),
        description=_("Lower than in the step before."),
        json_schema_extra=shown(unit="money"),
    )


class Pickup(BaseModel):
    """Where a neighbourhood group's goods are handed over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = Field(title=_("Name"), description=_("Members choose it by this."))
    address: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        default="", max_length=200, title=_("Address")
    )


class Slot(BaseModel):
    """When goods are delivered, in the store's time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = Field(title=_("Name"), description=_("Members choose it by this."))
    days: Literal["every", "workdays", "weekend"] = Field(
        default="every", title=_("Days"), json_schema_extra=shown(choices=DAYS)
    )
    begins: time = Field(title=_("From"))
    ends: time = Field(title=_("To"))
    off: int = Field(
        default=0,
        ge=0,
        le=MOST_MONEY,
        title=_("Off each order"),
        description=_("What whoever takes a quiet time saves besides; 0 for nothing."),
        json_schema_extra=shown(unit="money"),
    )


class Campaign(ItemModel):
    """A group buy of one thing."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    name: Name = Field(title=_("Name"), description=_("Members see it."))
    sku: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1, max_length=128, title=_("SKU"), description=_("As your shop calls the thing.")
    )
    size: int = Field(
        default=2,
        ge=2,
        le=MOST_PEOPLE,
        title=_("People in a group"),
        description=_("So many have to pay; with steps, at least so many."),
        json_schema_extra=shown(group=GROUP),
    )
    price: int = Field(
        ge=0,
        le=MOST_MONEY,
        title=_("Group price of one"),
        description=_("What everybody pays on joining."),
        json_schema_extra=shown(group=GROUP, unit="money"),
    )
    steps: tuple[Step, ...] = Field(
        default=(),
        max_length=MOST_STEPS,
        title=_("Steps"),
        description=_(
            "Lower prices for larger groups. Everybody pays the group price, and what the group's step saves goes"
            " back when it is complete: with the last step, or when its time is over."
        ),
        json_schema_extra=shown(group=GROUP),
    )
    hours: int = Field(
        default=24,
        ge=1,
        le=720,
        title=_("A group has"),
        description=_(
            "From the payment of whoever opens it, for everybody in it. Then it succeeds or is refunded."
        ),
        json_schema_extra=shown(group=TIME, unit="hours"),
    )
    first_day: date | None = Field(
        default=None,
        ge=FIRST,
        le=LAST,
        title=_("First day"),
        description=_("On which groups can be opened; empty for at once."),
        json_schema_extra=shown(group=TIME),
    )
    last_day: date | None = Field(
        default=None,
        ge=FIRST,
        le=LAST,
        title=_("Last day"),
        description=_("On which groups can be opened; empty for no end."),
        json_schema_extra=shown(group=TIME),
    )
    ends_open_groups: bool = Field(
        default=False,
        title=_("Open groups end with it"),
        description=_("Otherwise a group that is open when the campaign ends has its whole time."),
        json_schema_extra=shown(group=TIME),
    )
    per_order: int = Field(
        default=1,
        ge=1,
        le=1000,
        title=_("Units in an order"),
        description=_("So many have the group price; more cost as usual."),
        json_schema_extra=shown(group=WHO),
    )
    per_member: int | None = Field(
        default=None,
        ge=1,
        le=10_000,
        title=_("Units for a member"),
        description=_("In all groups together; those that failed do not count. Empty for no limit."),
        json_schema_extra=shown(group=WHO),
    )
    new_only: bool = Field(
        default=False,
        title=_("Only new customers may join"),
        description=_("Whoever has bought before can open groups; only those who have not can join them."),
        json_schema_extra=shown(group=WHO),
    )
    pickups: tuple[Pickup, ...] = Field(
        default=(),
        max_length=50,
        title=_("Pickup points"),
        description=_("If there are any, a group belongs to one of them, which whoever opens it chooses."),
        json_schema_extra=shown(group=AROUND),
    )
    slots: tuple[Slot, ...] = Field(
        default=(),
        max_length=20,
        title=_("Delivery times"),
        description=_("If there are any, a group belongs to one of them."),
        json_schema_extra=shown(group=AROUND),
    )
    fill_percent: int | None = Field(
        default=None,
        ge=1,
        le=100,
        title=_("Complete groups from this share of real people on"),
        description=_(
            "When its time is over, a group with at least two and at least this share of its people succeeds all"
            " the same. The missing seats are counted as virtual and never shown as people. Empty: never."
        ),
        json_schema_extra=shown(group=FILL, unit="percent"),
    )

    @field_validator("steps")
    @classmethod
    def _falling(cls, steps: tuple[Step, ...], info: ValidationInfo) -> tuple[Step, ...]:
        size, price = info.data.get("size", 0), info.data.get("price", MOST_MONEY + 1)
        for step in steps:
            if step.size <= size:
                raise PydanticCustomError("steps_size", _("each step must be for more people than the one before"))
            if step.price >= price:
                raise PydanticCustomError("steps_price", _("each step must cost less than the one before"))
            size, price = step.size, step.price
        return steps

    @field_validator("last_day")
    @classmethod
    def _in_order(cls, last: date | None, info: ValidationInfo) -> date | None:
        first = info.data.get("first_day")
        if first is not None and last is not None and last < first:
            raise PydanticCustomError("last_before_first", _("must not be before the first day"))
        return last

    @field_validator("pickups")
    @classmethod
    def _one_name_each(cls, pickups: tuple[Pickup, ...]) -> tuple[Pickup, ...]:
        _different([one.name for one in pickups])
        return pickups

    @field_validator("slots")
    @classmethod
    def _slots_fit(cls, slots: tuple[Slot, ...]) -> tuple[Slot, ...]:
        _different([one.name for one in slots])
        for one in slots:
            if one.ends <= one.begins or one.begins.tzinfo is not None or one.ends.tzinfo is not None:
                raise PydanticCustomError("slot_ends", _("each time must end after it begins"))
        return slots

    @property
    def levels(self) -> list[Level]:
        """What a unit costs, by size of the group; the smallest first."""
        return [Level(self.size, self.price), *(Level(step.size, step.price) for step in self.steps)]

    @property
    def most(self) -> int:
        """How many a group can hold."""
        return self.levels[-1].size

    @property
    def fill(self) -> int | None:
        """How many real seats it takes until virtual ones may count; None if they never do."""
        return least_real(self.size, self.fill_percent)

    def pickup(self, name: str) -> Pickup | None:
        """A pickup point by name."""
        return next((one for one in self.pickups if one.name == name), None)

    def slot(self, name: str) -> Slot | None:
        """A delivery time by name."""
        return next((one for one in self.slots if one.name == name), None)

    def opens(self, day: date) -> bool:
        """Whether groups can be opened on a day."""
        return (self.first_day or day) <= day <= (self.last_day or day)

    def over(self, now: datetime, zone: ZoneInfo) -> datetime:
        """When a group that is opened now has to be complete."""
        full = now + timedelta(hours=self.hours)
        if self.ends_open_groups and self.last_day is not None:
            return min(full, midnight(self.last_day + timedelta(days=1), zone))
        return full

    def fixed(self) -> dict[str, object]:
        """What stands once a group may be open."""
        return {name: value for name, value in self.model_dump().items() if name not in FREE}

    def worked(self, store: Store) -> Iterable[str]:
        """What groups of some sizes come to."""
        for level in self.levels:
            price = store.money(level.price)
            yield _("With {n} people one costs {price}.", n=level.size, price=price)
        if self.steps:
            back = store.money(self.price - self.levels[-1].price)
            yield _(
                "Everybody pays {price} on joining; a full group gets {back} back.",
                price=store.money(self.price),
                back=back,
            )
        if self.fill is not None:
            yield ngettext(
                "From {n} real seat on a group is completed when its time is over.",
                "From {n} real seats on a group is completed when its time is over.",
                self.fill,
                n=self.fill,
            )


def _different(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise PydanticCustomError("names_twice", _("each needs a name of its own"))
