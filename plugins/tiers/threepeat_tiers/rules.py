"""The rules of a version: what is in force, as it was put into force. Pure: no database."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict

from threepeat.sdk import RewardChoice
from threepeat_tiers.settings import Interaction, TiersSettings

TERMS = (
    "mode", "window", "window_days", "ranked_by", "downgrade", "grace_days", "growth_per_unit", "growth_per_order",
    "interactions",
)  # fmt: skip
"""The settings that a version holds."""


class Scope(BaseModel):
    """For which lines of a basket a price is; no category means all."""

    model_config = ConfigDict(frozen=True)

    categories: tuple[str, ...] = ()
    excluded_categories: tuple[str, ...] = ()
    excluded_skus: tuple[str, ...] = ()

    def covers(self, sku: str, category: str) -> bool:
        """Whether a thing has the price."""
        if sku in self.excluded_skus or category in self.excluded_categories:
            return False
        return not self.categories or category in self.categories

    def narrows(self, before: "Scope") -> bool:
        """Whether anything might be left out that was in."""
        fewer = bool(self.categories) and (not before.categories or not {*before.categories} <= {*self.categories})
        more = not (
            {*self.excluded_categories} <= {*before.excluded_categories}
            and {*self.excluded_skus} <= {*before.excluded_skus}
        )
        return fewer or more


class TierRule(BaseModel):
    """A tier of a version; the fields are those of the form."""

    model_config = ConfigDict(frozen=True)

    level: int
    name: str
    name_en: str = ""
    qualify: int = 0
    retain: int | None = None
    share_percent: int = 0
    percent_off: int = 0
    scope: Scope = Scope()
    extra_percent_off: int = 0
    free_shipping: bool = False
    earn_factor: Decimal = Decimal(1)
    entry_rewards: tuple[RewardChoice, ...] = ()
    birthday_rewards: tuple[RewardChoice, ...] = ()
    early_access_hours: int = 0
    contact: str = ""
    sold_as: tuple[str, ...] = ()
    sold_days: int = 0

    @property
    def keep(self) -> int:
        """The growth that keeps it at a review."""
        return self.qualify if self.retain is None else self.retain

    @cached_property
    def factor(self) -> Fraction:
        """What multiplies points."""
        return Fraction(self.earn_factor)

    def worsens(self, before: "TierRule") -> bool:
        """Whether anything of it is worse for whoever stands in it, or is harder to reach or to keep."""
        priced = before.percent_off or before.extra_percent_off
        return (
            self.qualify > before.qualify
            or self.keep > before.keep
            or self.percent_off < before.percent_off
            or (bool(priced) and self.scope.narrows(before.scope))
            or self.extra_percent_off < before.extra_percent_off
            or (before.free_shipping and not self.free_shipping)
            or self.earn_factor < before.earn_factor
            or not _holds(self.entry_rewards, before.entry_rewards)
            or not _holds(self.birthday_rewards, before.birthday_rewards)
            or self.early_access_hours < before.early_access_hours
            or (bool(before.contact) and not self.contact)
        )


class Rules(BaseModel):
    """A version: the terms of the settings, and the tiers, the lowest first."""

    model_config = ConfigDict(frozen=True)

    mode: Literal["threshold", "share"]
    window: Literal["rolling", "calendar_year", "membership_year", "lifetime"]
    window_days: int
    ranked_by: Literal["month", "rolling"]
    downgrade: Literal["one_down", "recompute"]
    grace_days: int
    growth_per_unit: int
    growth_per_order: int
    interactions: tuple[Interaction, ...]
    tiers: tuple[TierRule, ...]

    @classmethod
    def of(cls, settings: TiersSettings, tiers: Iterable[TierRule]) -> "Rules":
        """What is in force if these are put into force."""
        terms = {name: getattr(settings, name) for name in TERMS}
        return cls(**terms, tiers=tuple(sorted(tiers, key=lambda one: one.level)))

    @cached_property
    def by_level(self) -> dict[int, TierRule]:
        """The tiers by level."""
        return {one.level: one for one in self.tiers}

    @cached_property
    def levels(self) -> list[int]:
        """The levels, the lowest first."""
        return [one.level for one in self.tiers]

    @cached_property
    def counted(self) -> dict[str, Interaction]:
        """How taking part counts, by event type."""
        return {one.kind: one for one in self.interactions}

    def fit(self, level: int) -> int:
        """The level, or the next lower one that there is; 0 if there is none."""
        place = bisect_right(self.levels, level)
        return self.levels[place - 1] if place else 0

    def at(self, level: int) -> TierRule | None:
        """The tier in which a level stands, if any."""
        return self.by_level.get(self.fit(level))

    def below(self, level: int) -> int:
        """The level of the tier under the one in which a level stands."""
        return self.fit(self.fit(level) - 1)

    def above(self, level: int) -> TierRule | None:
        """The next tier up."""
        return next((one for one in self.tiers if one.level > level), None)

    def qualified(self, growth: int) -> int:
        """The highest level that a growth reaches, in the mode of thresholds."""
        return max((one.level for one in self.tiers if one.qualify <= max(growth, 0)), default=0)

    def kept(self, level: int, growth: int) -> bool:
        """Whether a growth keeps a level at a review."""
        tier = self.at(level)
        return tier is None or tier.keep <= max(growth, 0)

    def spending(self, growth: int, minor_units: int) -> int | None:
        """What orders have to come to that bring so much growth, in minor units; None where money brings none."""
        return -(-growth * minor_units // self.growth_per_unit) if self.growth_per_unit else None

    @property
    def lowest(self) -> int:
        """The level of the lowest tier; 0 if there is none."""
        return self.tiers[0].level if self.tiers else 0

    def needs_above(self, level: int) -> int | None:
        """The least growth that reaches any level above this one; None if none does."""
        return min((one.qualify for one in self.tiers if one.level > level), default=None)

    def worsens(self, before: "Rules") -> bool:
        """Whether anybody who stands under `before` could lose by it."""
        same = ("mode", "window", "window_days", "ranked_by")
        return (
            any(getattr(self, name) != getattr(before, name) for name in same)
            or self.growth_per_unit < before.growth_per_unit
            or self.growth_per_order < before.growth_per_order
            or (self.downgrade == "recompute" and before.downgrade == "one_down")
            or self.grace_days < before.grace_days
            or any(self._counts_less(one) for one in before.interactions)
            or any(one.level not in self.by_level or self.by_level[one.level].worsens(one) for one in before.tiers)
            or (self.mode == "share" and any(self.reach(level) < before.reach(level) for level in before.by_level))
        )

    def reach(self, level: int) -> int:
        """How many percent of the ranking stand in this tier or a higher one; the lowest takes the rest."""
        if level <= self.lowest:
            return 100
        return min(sum(one.share_percent for one in self.tiers if one.level >= level), 100)

    def _counts_less(self, before: Interaction) -> bool:
        now = self.counted.get(before.kind)
        return now is None or now.growth < before.growth or now.most_a_day < before.most_a_day


@lru_cache(maxsize=256)
def parse(stored: str) -> Rules:
    """The rules of a version, from its JSON text."""
    return Rules.model_validate_json(stored)


def cut_sizes(shares: Sequence[int], members: int) -> list[int]:
    """How many members each share of whole percent takes, by largest remainder; the rest is what is left of 100.

    Args:
        shares: In percent, the best tier first, together at most 100. Of equal remainders the better tier's goes
            first.

    Returns:
        One size for each share, and last that of the rest; they add up to `members`.
    """
    every = [*shares, 100 - sum(shares)]
    sizes = [members * share // 100 for share in every]
    by_remainder = sorted(range(len(every)), key=lambda place: (-(members * every[place] % 100), place))
    for place in by_remainder[: members - sum(sizes)]:
        sizes[place] += 1
    return sizes


def _holds(now: Sequence[RewardChoice], before: Sequence[RewardChoice]) -> bool:
    """Whether every reward of before is still there, and none is smaller."""
    return len(now) >= len(before) and all(
        (new.kind, new.item) == (old.kind, old.item) and new.amount >= old.amount
        for new, old in zip(now, before, strict=False)
    )
