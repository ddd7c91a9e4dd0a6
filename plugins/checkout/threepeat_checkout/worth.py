"""What came back of a paid quote is worth: plain sums, no database.

Everything depends on which refunds there are, never on the order in which they came, and only grows with them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from threepeat.sdk import Quote
from threepeat.sdk.pricing import spread

DELIVERY = ""
"""Stands for delivery among the ids of lines, which are never empty."""


@dataclass(frozen=True)
class Back:
    """What came back so far.

    Attributes:
        skus: Units by sku, of refunds that name things of the quote.
        money: What went back of those that name none, in minor units.
        unnamed: How many they are.
        paid_back: What went back in all, in minor units.
    """

    skus: Mapping[str, int]
    money: int
    unnamed: int
    paid_back: int

    @classmethod
    def of(cls, quote: Quote, refunds: Iterable[tuple[int, Mapping[str, int]]]) -> "Back":
        """Sum refunds up, each an amount and its units by sku."""
        known = {line.sku for line in quote.basket.lines}
        skus: Counter[str] = Counter()
        money = unnamed = paid_back = 0
        for amount, units in refunds:
            paid_back += amount
            if known.isdisjoint(units):
                money, unnamed = money + amount, unnamed + 1
            else:
                skus.update({sku: count for sku, count in units.items() if sku in known})
        return cls(skus, money, unnamed, paid_back)

    def more(self, skus: Mapping[str, int]) -> "Back":
        """The same with some more units; nothing was paid back for them yet."""
        return Back(Counter(self.skus) + Counter(skus), self.money, self.unnamed, self.paid_back)


@dataclass(frozen=True)
class Bill:
    """A paid quote.

    Attributes:
        paid: What the shop says was paid, in minor units.
        delivery_back: Delivery is paid back when everything comes back.
    """

    quote: Quote
    paid: int
    delivery_back: bool

    @cached_property
    def parts(self) -> dict[str, int]:
        """What was paid for each line and for delivery: what was quoted, unless something else was paid."""
        quoted = {**self.quote.lines, DELIVERY: self.quote.shipping}
        if self.quote.total == self.paid:
            return quoted
        before = {line.id: line.amount for line in self.quote.basket.lines}
        weights = next((one for one in (quoted, before) if any(one.values())), {DELIVERY: 1})
        return dict.fromkeys(quoted, 0) | spread(self.paid, weights)

    @property
    def refundable(self) -> int:
        """What all refunds together may come to."""
        return self.paid - (0 if self.delivery_back else self.parts[DELIVERY])

    def units(self, back: Back) -> dict[str, int]:
        """How many units of each line came back; of lines with one sku the first is filled first."""
        left, found = dict(back.skus), {}
        for line in self.quote.basket.lines:
            found[line.id] = min(left.get(line.sku, 0), line.quantity)
            left[line.sku] = left.get(line.sku, 0) - found[line.id]
        return found

    def values(self, back: Back) -> dict[str, int]:
        """What was paid for the units that came back, by line id; rounded as `Quote.paid_for` does."""
        units = self.units(back)
        return {
            line.id: -(-self.parts[line.id] * units[line.id] // line.quantity) for line in self.quote.basket.lines
        }

    def share(self, back: Back) -> tuple[int, int]:
        """Which share of what is left went back without naming things, as a numerator and a denominator."""
        rest = max(self.refundable - sum(self.values(back).values()), 0)
        if not rest:
            return min(back.unnamed, 1), 1
        return min(back.money, rest), rest

    def whole(self, back: Back) -> bool:
        """Whether everything came back."""
        units = self.units(back)
        part, rest = self.share(back)
        return part == rest or all(units[line.id] == line.quantity for line in self.quote.basket.lines)

    def fallen(self, back: Back) -> list[int]:
        """How much of each reduction fell on what came back, delivery included; in the order of `applied`."""
        units, (part, rest) = self.units(back), self.share(back)
        delivery = self.delivery_back and self.whole(back)
        found = []
        for one in self.quote.applied:
            named = sum(self.quote.part(one, line, units[line.id]) for line in self.quote.basket.lines)
            found.append(named + (one.amount - named) * part // rest + (one.shipping if delivery else 0))
        return found

    def refund(self, back: Back, skus: Mapping[str, int]) -> dict[str, int]:
        """What to pay back if some more units come back now, by line id and for delivery.

        All refunds together are what was paid, and never more.
        """
        then = back.more(skus)
        before, after = self.values(back), self.values(then)
        wanted = {line: after[line] - before[line] for line in after}
        delivery = self.delivery_back and self.whole(then) and not self.whole(back)
        wanted[DELIVERY] = self.parts[DELIVERY] if delivery else 0
        left = max(self.refundable - back.paid_back, 0)
        return wanted if sum(wanted.values()) <= left else spread(left, wanted)
