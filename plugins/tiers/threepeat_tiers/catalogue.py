"""Tiers as a merchant manages them. What is edited here counts as `versions` says."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from threepeat.sdk import Item, ItemModel, Query, Refused, RewardChoice, _, action, collection, shown
from threepeat_tiers.rules import TierRule
from threepeat_tiers.versions import Ctx, in_force

MOST = 10
WHO, PRICES, MORE, SOLD = _("Who stands in it"), _("Prices"), _("What else it brings"), _("As something to buy")

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class TierForm(ItemModel):
    """What a merchant fills in about a tier."""

    level: int = Field(
        ge=1,
        le=MOST,
        title=_("Level"),
        description=_("1 is the lowest tier. It stays as it is once the tier was made."),
        json_schema_extra=shown(group=WHO),
    )
    name: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        min_length=1,
        max_length=20,
        title=_("Name"),
        description=_("What members read."),
        json_schema_extra=shown(group=WHO),
    )
    name_en: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        default="",
        max_length=40,
        title=_("Name in English"),
        description=_("For members who read English. Leave it empty to use the same name."),
        json_schema_extra=shown(group=WHO),
    )
    qualify: int = Field(
        default=0,
        ge=0,
        le=10**12,
        title=_("Growth that reaches it"),
        description=_("More than the tier below. 0 for the tier in which everybody begins."),
        json_schema_extra=shown(group=WHO),
    )
    retain: int | None = Field(
        default=None,
        ge=0,
        le=10**12,
        title=_("Growth that keeps it at a review"),
        description=_("At most what reaches it. Leave it empty for the same."),
        json_schema_extra=shown(group=WHO),
    )
    share_percent: int = Field(
        default=0,
        ge=0,
        le=100,
        title=_("Share of the members"),
        description=_("Only for the monthly ranking; the lowest tier takes the rest."),
        json_schema_extra=shown(group=WHO, unit="percent"),
    )
    percent_off: int = Field(
        default=0,
        ge=0,
        le=90,
        title=_("Member price: percent off"),
        description=_("0 for none. It counts before vouchers and points."),
        json_schema_extra=shown(group=PRICES, unit="percent"),
    )
    extra_percent_off: int = Field(
        default=0,
        ge=0,
        le=50,
        title=_("Percent off on top"),
        description=_("Of what the goods come to after the member price and campaigns."),
        json_schema_extra=shown(group=PRICES, unit="percent"),
    )
    categories: tuple[Word, ...] = Field(
        default=(),
        max_length=50,
        title=_("Only these categories"),
        description=_("Leave it empty for all."),
        json_schema_extra=shown(group=PRICES),
    )
    excluded_categories: tuple[Word, ...] = Field(
        default=(),
        max_length=50,
        title=_("Not these categories"),
        description=_("Their prices stay as they are."),
        json_schema_extra=shown(group=PRICES),
    )
    excluded_skus: tuple[Word, ...] = Field(
        default=(),
        max_length=100,
        title=_("Not these products"),
        description=_("By SKU."),
        json_schema_extra=shown(group=PRICES),
    )
    free_shipping: bool = Field(
        default=False,
        title=_("Free shipping"),
        description=_("Delivery costs nothing."),
        json_schema_extra=shown(group=PRICES),
    )
    earn_factor: Decimal = Field(
        default=Decimal(1),
        ge=1,
        le=10,
        decimal_places=1,
        title=_("Factor on points"),
        description=_("Orders earn so many times the points, such as 1.5."),
        json_schema_extra=shown(group=MORE, unit="factor"),
    )
    entry_rewards: tuple[RewardChoice, ...] = Field(
        default=(),
        max_length=5,
        title=_("Rewards on entering"),
        description=_("Once for each member and year, however often the member comes back into the tier."),
        json_schema_extra=shown(group=MORE),
    )
    birthday_rewards: tuple[RewardChoice, ...] = Field(
        default=(),
        max_length=5,
        title=_("Rewards on the birthday"),
        description=_("Once a year, to members who have told their birthday."),
        json_schema_extra=shown(group=MORE),
    )
    early_access_hours: int = Field(
        default=0,
        ge=0,
        le=720,
        title=_("Hours of early access"),
        description=_("So much earlier than others members of this tier may buy what is new."),
        json_schema_extra=shown(group=MORE, unit="hours"),
    )
    contact: Annotated[str, StringConstraints(strip_whitespace=True)] = Field(
        default="",
        max_length=200,
        title=_("Personal contact"),
        description=_("Whom members of this tier can turn to, and how."),
        json_schema_extra=shown(group=MORE, long=True),
    )
    sold_as: tuple[Word, ...] = Field(
        default=(),
        max_length=20,
        title=_("Sold as these products"),
        description=_("Whoever pays for one of these SKUs has the tier for the days below, for each piece."),
        json_schema_extra=shown(group=SOLD),
    )
    sold_days: int = Field(
        default=365,
        ge=1,
        le=3660,
        title=_("For days"),
        description=_("Counted from the payment; who buys again before it is over adds the days at its end."),
        json_schema_extra=shown(group=SOLD, unit="days"),
    )

    @field_validator("retain")
    @classmethod
    def _at_most_qualify(cls, retain: int | None, info: ValidationInfo) -> int | None:
        qualify = info.data.get("qualify")
        if retain is not None and qualify is not None and retain > qualify:
            raise PydanticCustomError("retain_above", _("must not be more than what reaches the tier"))
        return retain

    def stored(self) -> str:
        """The form as a version holds it, in JSON."""
        flat = self.model_dump(
            mode="json", exclude={"categories", "excluded_categories", "excluded_skus", "level"}
        )
        scope = self.model_dump(mode="json", include={"categories", "excluded_categories", "excluded_skus"})
        return TierRule.model_validate({**flat, "level": self.level, "scope": scope}).model_dump_json(
            exclude={"level"}
        )


def find(ctx: Ctx, query: Query) -> Sequence[Item[TierForm]]:
    """Tiers, the lowest first."""
    after = _level(query.after) if query.after is not None else 0
    rows = ctx.sql("tiers", state=query.state, search=query.search, after=after, most=query.limit)
    return [_item(row) for row in rows]


def read(ctx: Ctx, item: str) -> Item[TierForm] | None:
    """One tier, with how many stand in it."""
    rows = ctx.sql("tier", level=_level(item))
    return _item(rows[0], {_("Members"): rows[0].members}) if rows else None


def create(ctx: Ctx, given: TierForm) -> str:
    """Make a tier, or take a retired one of the same level up again.

    Raises:
        Refused: There is a tier of this level, or the growth is out of order.
    """
    _require_order(ctx, given)
    if not ctx.sql("tier_add", level=given.level, name=given.name, form=given.stored()):
        raise Refused(_("There is a tier of this level already: choose another level."), code="level-taken")
    in_force(ctx)
    return str(given.level)


def update(ctx: Ctx, item: str, revision: int, given: TierForm) -> bool:
    """Save a tier.

    Raises:
        Refused: The level was changed, or the growth is out of order.
    """
    if given.level != _level(item):
        raise Refused(_("The level of a tier stays: make a new tier instead."), code="level-fixed")
    _require_order(ctx, given)
    done = ctx.sql("tier_save", level=given.level, revision=revision, name=given.name, form=given.stored())
    if done:
        in_force(ctx)
    return bool(done)


def retire(ctx: Ctx, item: str, revision: int) -> bool:
    """Take a tier out; whoever stands in it goes to the next lower one at the next review."""
    done = ctx.sql("tier_retire", level=_level(item), revision=revision)
    if done:
        in_force(ctx)
    return bool(done)


TIERS = collection(
    "tiers",
    TierForm,
    title=_("Tiers"),
    singular=_("tier"),
    summary=_(
        "What is better for members counts at once; what is worse counts for each member from the next review on."
    ),
    states={"active": _("In force"), "retired": _("Retired")},
    editable={"active"},
    find=find,
    read=read,
    create=create,
    update=update,
    actions=[
        action(
            "retire",
            retire,
            title=_("Retire"),
            states={"active"},
            confirm=_("Members keep it until their next review, and then go to the next lower tier."),
            always=True,
        )
    ],
)


def default_tiers() -> list[TierForm]:
    """What a store begins with."""
    return [
        TierForm(level=1, name="普通会员", name_en="Member"),
        TierForm(
            level=2, name="银卡会员", name_en="Silver", qualify=1_000, retain=800, share_percent=30,
            earn_factor=Decimal("1.2"),
        ),
        TierForm(
            level=3, name="金卡会员", name_en="Gold", qualify=5_000, retain=4_000, share_percent=5,
            earn_factor=Decimal("1.5"),
        ),
    ]  # fmt: skip


def begin(ctx: Ctx) -> None:
    """Give a store that has no tiers yet the first ones."""
    made = default_tiers()
    ctx.sql(
        "tiers_begin",
        levels=[one.level for one in made],
        names=[one.name for one in made],
        forms=[one.stored() for one in made],
    )


def _require_order(ctx: Ctx, given: TierForm) -> None:
    """See that a higher tier asks for more growth, that the shares fit, and that each product buys one tier.

    Whoever edits another tier at the same time waits, and then is judged by what stands here.
    """
    ctx.sql("tiers_lock")
    others = [TierRule.model_validate(form) for form in ctx.sql("latest")[0].tiers]
    rest = [one for one in others if one.level != given.level]
    for other in rest:
        higher = other.level > given.level
        if (other.qualify <= given.qualify) if higher else (other.qualify >= given.qualify):
            raise Refused(
                _("“{tier}” is reached by {growth}: a higher tier needs more growth.",
                  tier=other.name, growth=other.qualify),
                code="growth-out-of-order",
            )  # fmt: skip
    if sum(one.share_percent for one in rest) + given.share_percent > 100:
        raise Refused(_("The shares of all tiers come to more than 100 percent."), code="shares-too-large")
    for other in rest:
        twice = {*other.sold_as} & {*given.sold_as}
        if twice:
            raise Refused(
                _("{sku} buys “{tier}” already: a product buys one tier.", sku=min(twice), tier=other.name),
                code="sold-twice",
            )


def _level(item: str) -> int:
    """An item's level; 0, which none has, for what is none."""
    return int(item) if item.isascii() and item.isdigit() and len(item) <= 2 and str(int(item)) == item else 0


def _item(row: Row[Any], figures: Mapping[str, int | str] | None = None) -> Item[TierForm]:
    stored = {**row.form, **row.form.get("scope", {})}
    fields = {name: stored[name] for name in TierForm.model_fields if name in stored}
    values = TierForm.model_validate({**fields, "level": row.level})
    return Item(str(row.level), row.state, values, row.revision, row.name, row.changed_at, figures or {})
