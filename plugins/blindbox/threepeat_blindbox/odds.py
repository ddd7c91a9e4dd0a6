"""Which item a number picks, and how likely each is: computed from the pool that draws, in whole numbers."""

import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from typing import Literal

Mode = Literal["replacement", "urn"]

SPAN = 2**64
"""How many numbers eight bytes are."""

NEVER_FORCED = -1
"""Fewer misses than any guarantee counts."""


@dataclass(frozen=True, slots=True)
class PoolItem:
    """An item of a pool.

    Attributes:
        item: What the series calls it, its SKU.
        weight: How often it comes, against the other weights; in an urn what is left of it counts instead.
        left: How many there were when the pool began; None is any number.
        floor: The guarantee is for it.
    """

    item: str
    weight: int
    left: int | None = None
    floor: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Pool:
    """What boxes are drawn from.

    Attributes:
        pity: After so many draws at the latest one of the floor's items comes; 0 is no guarantee.
    """

    mode: Mode
    items: tuple[PoolItem, ...]
    pity: int = 0

    @property
    def kept(self) -> bool:
        """Whether the guarantee can be kept."""
        return not self.pity or any(one.floor for one in self.items)

    def room(self, left: Mapping[str, int | None]) -> int | None:
        """How many boxes can still be drawn; None is any number.

        Args:
            left: What is left by item; None is any number.
        """
        if not self.kept:
            return 0
        there = [left[one.item] for one in self.items]
        return None if any(one is None for one in there) else sum(one or 0 for one in there)

    def forced(self, misses: int) -> bool:
        """Whether a buyer with so many misses in a row gets one of the floor's items now."""
        return self.pity > 0 and misses >= self.pity - 1

    def misses(self, before: int, item: PoolItem) -> int:
        """How many misses a buyer has after an item; a hit begins anew. Without a guarantee nothing is counted."""
        return 0 if item.floor or not self.pity else before + 1

    def weights(self, left: Mapping[str, int | None], misses: int) -> list[tuple[PoolItem, int]]:
        """The items that can be drawn now, each with its weight, in the pool's order."""
        forced = self.forced(misses)
        return [
            (one, weight)
            for one in self.items
            if one.floor or not forced
            if (weight := (left[one.item] or 0) if self.mode == "urn" else one.weight) > 0
        ]


def numbers(seed: bytes, message: str) -> Iterator[int]:
    """Numbers below `SPAN` that follow from a seed and a message, one after another."""
    count = 0
    while True:
        found = hmac.digest(seed, f"{message}|{count}".encode(), sha256)
        yield int.from_bytes(found[:8], "big")
        count += 1


def pick(total: int, given: Iterator[int]) -> int:
    """A number below `total`, each as likely as any other: numbers that would favour some are passed over.

    Args:
        total: From 1 to `SPAN`.
        given: Numbers below `SPAN`.
    """
    end = SPAN - SPAN % total
    return next(number for number in given if number < end) % total


def choose(weighted: Sequence[tuple[PoolItem, int]], number: int) -> PoolItem:
    """The item in whose interval a number lies; an interval has its first number and not its last.

    Raises:
        ValueError: The number is outside all of them.
    """
    end = 0
    for one, weight in weighted:
        end += weight
        if number < end:
            return one
    raise ValueError(f"{number} is not below {end}")


def draw(pool: Pool, left: Mapping[str, int | None], misses: int, seed: bytes, message: str) -> PoolItem:
    """The one item that a seed and a message lead to."""
    weighted = pool.weights(left, misses)
    return choose(weighted, pick(sum(weight for _, weight in weighted), numbers(seed, message)))


def base(pool: Pool, left: Mapping[str, int | None]) -> dict[str, Fraction]:
    """How likely each item is in one draw that no guarantee decides, by item."""
    weighted = pool.weights(left, NEVER_FORCED)
    total = sum(weight for _, weight in weighted)
    found = {one.item: Fraction(weight, total) for one, weight in weighted}
    return {one.item: found.get(one.item, Fraction(0)) for one in pool.items}


def effective(pool: Pool, left: Mapping[str, int | None]) -> dict[str, Fraction]:
    """How often each item comes in the long run with the guarantee included, exactly.

    From one hit to the next it takes `(1 - (1 - p)^n) / p` draws on average, where p is how likely the floor's
    items are together and n is when they are guaranteed; each such stretch has one hit.
    """
    plain = base(pool, left)
    likely = sum((plain[one.item] for one in pool.items if one.floor), Fraction(0))
    if not pool.pity or likely in {0, 1}:
        return plain
    stretch = (1 - (1 - likely) ** pool.pity) / likely
    hit = 1 / stretch
    return {
        one.item: plain[one.item] / likely * hit if one.floor else plain[one.item] / (1 - likely) * (1 - hit)
        for one in pool.items
    }
