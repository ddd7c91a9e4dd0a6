"""What members see of their tier, and the birthday that they tell."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from threepeat.sdk import Refused, Wording, _, ngettext, shown
from threepeat_tiers import standings
from threepeat_tiers.benefits import current
from threepeat_tiers.climbing import Standing, reviewed_window
from threepeat_tiers.facts import window
from threepeat_tiers.growth import within
from threepeat_tiers.rules import Rules, TierRule
from threepeat_tiers.versions import Ctx, newest, versions
from threepeat_tiers.windows import DAY, today

BIRTHDAY_EVERY_DAYS = 365
MOST_HISTORY = 50


class Said(BaseModel):
    """A sentence in the languages that members read."""

    en: str = Field(title=_("English"))
    zh: str = Field(title=_("Chinese"))


class Tier(BaseModel):
    """A tier."""

    level: int = Field(title=_("Level"), description="From 1, the lowest tier.")
    name: str = Field(title=_("Name"))
    name_en: str = Field(title=_("Name in English"))
    benefits: list[Said] = Field(title=_("What it brings"))
    contact: str = Field(title=_("Personal contact"))

    @classmethod
    def of(cls, ctx: Ctx, one: TierRule) -> "Tier":
        """A tier of a version."""
        benefits = [Said(**ctx.said(benefit)) for benefit in said(one)]
        return cls(
            level=one.level, name=one.name, name_en=one.name_en or one.name, benefits=benefits, contact=one.contact
        )


class Next(BaseModel):
    """The next tier up."""

    tier: Tier = Field(title=_("Next tier"))
    growth: int = Field(title=_("Growth that reaches it"))
    missing: int = Field(title=_("Growth still missing"))
    spend: int | None = Field(
        title=_("Or to spend"),
        description="What brings it by orders alone, in minor units; empty if money brings no growth.",
        json_schema_extra=shown(unit="money"),
    )


class Keep(BaseModel):
    """What keeps the earned tier at the next review."""

    growth: int = Field(title=_("Growth that keeps it"))
    missing: int = Field(title=_("Growth still missing"), description="By the growth that will still count then.")
    spend: int | None = Field(
        title=_("Or to spend"), description="In minor units.", json_schema_extra=shown(unit="money")
    )
    by: date = Field(title=_("Up to and including"), description="The last day that counts.")
    in_grace: bool = Field(title=_("In the days of grace"))


class Floor(BaseModel):
    """A tier that the member has at least."""

    level: int = Field(title=_("Level"))
    source: Literal["paid", "granted"] = Field(title=_("How it came about"))
    until: datetime = Field(title=_("Until"))


class MyTier(BaseModel):
    """Where the member stands."""

    tier: Tier | None = Field(title=_("My tier"), description="Empty for whoever stands in none.")
    growth: int = Field(title=_("My growth value"))
    since: date | None = Field(title=_("Counted since"), description="The first day of the window; empty for all.")
    next: Next | None = Field(title=_("Next tier"))
    keep: Keep | None = Field(title=_("To keep it"))
    floors: list[Floor] = Field(title=_("Bought or granted"))
    birthday: str | None = Field(title=_("Birthday"), description="Month and day, such as `05-17`.")


class Changed(BaseModel):
    """A change of the member's tier."""

    changed_at: datetime = Field(title=_("When"))
    from_level: int = Field(title=_("From level"))
    to_level: int = Field(title=_("To level"))
    tier: str = Field(title=_("Tier"))
    reason: Literal["growth", "review", "rules", "bought", "granted", "floor_over", "merged"] = Field(
        title=_("Why")
    )


class History(BaseModel):
    """The latest changes, newest first."""

    changes: list[Changed] = Field(title=_("Changes"))


class BirthdayForm(BaseModel):
    """A birthday without its year."""

    month: int = Field(ge=1, le=12, title=_("Month"))
    day: int = Field(ge=1, le=31, title=_("Day"))

    @field_validator("day")
    @classmethod
    def _exists(cls, day: int, info: ValidationInfo) -> int:
        month = info.data.get("month")
        if month is not None:
            try:
                date(2000, month, day)
            except ValueError:
                raise PydanticCustomError("no_such_day", _("this month has no such day")) from None
        return day


class Birthday(BaseModel):
    """The birthday that is known now."""

    birthday: str = Field(title=_("Birthday"), description="Month and day, such as `05-17`.")
    changeable_on: date = Field(title=_("Can be changed from"))


def said(tier: TierRule) -> Iterator[Wording]:
    """What a tier brings, in words."""
    if tier.percent_off:
        yield _("{percent}% off as a member price", percent=tier.percent_off)
    if tier.extra_percent_off:
        yield _("{percent}% off on top", percent=tier.extra_percent_off)
    if tier.free_shipping:
        yield _("Free shipping")
    if tier.factor != 1:
        yield _("{factor} times the points", factor=f"{tier.earn_factor.normalize():f}")
    if tier.entry_rewards:
        yield ngettext(
            "{n} reward on entering", "{n} rewards on entering", len(tier.entry_rewards), n=len(tier.entry_rewards)
        )
    if tier.birthday_rewards:
        yield ngettext(
            "{n} reward on the birthday",
            "{n} rewards on the birthday",
            len(tier.birthday_rewards),
            n=len(tier.birthday_rewards),
        )
    if tier.early_access_hours:
        yield ngettext(
            "{n} hour of early access",
            "{n} hours of early access",
            tier.early_access_hours,
            n=tier.early_access_hours,
        )


def my_tier(ctx: Ctx) -> MyTier:
    """Tier, growth, what is missing for the next one, and what keeps this one until when."""
    rows = ctx.sql("standings_now", members=[ctx.member])
    standing = standings.of(rows[0]) if rows else None
    found = current(ctx, [ctx.member]).get(ctx.member)
    tier = found[1] if found is not None else None
    own, growth, since = None, 0, None
    if standing is not None:
        own = versions(ctx, [standing.version])[standing.version]
        first, last = window(ctx, own, standing)
        growth = _growth(ctx, first, last)
        since = first if own.mode == "share" or own.window != "lifetime" else None
    rules = own if own is not None else newest(ctx)[1]
    extra = ctx.sql("my_extras", member=ctx.member)[0]
    return MyTier(
        tier=Tier.of(ctx, tier) if tier is not None else None,
        growth=growth,
        since=since,
        next=_next(ctx, rules, tier.level if tier is not None else 0, growth),
        keep=_keep(ctx, rules, standing) if standing is not None else None,
        floors=[Floor(**one) for one in extra.floors],
        birthday=extra.birthday,
    )


def history(ctx: Ctx) -> History:
    """How the member's tier changed."""
    rows = ctx.sql("my_changes", member=ctx.member, most=MOST_HISTORY)
    rules = versions(ctx, {row.version for row in rows})
    return History(
        changes=[
            Changed(
                changed_at=row.changed_at,
                from_level=row.from_level,
                to_level=row.to_level,
                tier=one.name if (one := rules[row.version].at(row.to_level)) else "",
                reason=row.reason,
            )
            for row in rows
        ]
    )


def tell_birthday(ctx: Ctx, given: BirthdayForm) -> Birthday:
    """Keep the birthday; it can be changed once a year, the same day again changes nothing.

    Raises:
        Refused: It was told less than a year ago.
    """
    named = f"{given.month:02}-{given.day:02}"
    day = today(ctx)
    rows = ctx.sql("birthday", member=ctx.member, named=named, day=day, before=day - BIRTHDAY_EVERY_DAYS * DAY)
    if not rows:
        raise Refused(_("A birthday can be changed once a year."), code="too-soon")
    return Birthday(birthday=named, changeable_on=rows[0].set_on + BIRTHDAY_EVERY_DAYS * DAY)


def _next(ctx: Ctx, rules: Rules, level: int, growth: int) -> Next | None:
    above = rules.above(level)
    if above is None or rules.mode == "share":
        return None
    missing = max(above.qualify - growth, 0)
    return Next(tier=Tier.of(ctx, above), growth=above.qualify, missing=missing, spend=_spend(ctx, rules, missing))


def _keep(ctx: Ctx, rules: Rules, standing: Standing) -> Keep | None:
    """What has to come in before the next review. A tier that needs no growth keeps itself."""
    tier = rules.at(standing.earned)
    if tier is None or not tier.keep or rules.mode == "share":
        return None
    first, last = reviewed_window(rules, standing)
    missing = max(tier.keep - _growth(ctx, first, last), 0)
    return Keep(
        growth=tier.keep,
        missing=missing,
        spend=_spend(ctx, rules, missing),
        by=last,
        in_grace=standing.grace_until is not None,
    )


def _spend(ctx: Ctx, rules: Rules, missing: int) -> int | None:
    return rules.spending(missing, ctx.tenant.minor_units)


def _growth(ctx: Ctx, first: date, last: date) -> int:
    return max(within(ctx, {ctx.member: (first, last)}).get(ctx.member, 0), 0)
