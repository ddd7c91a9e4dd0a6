"""Prices: what a basket comes to for a member, through the rules of every tactic and service, and why.

A quote asks all rules stage by stage. Within a stage every rule sees the prices with which the stage began, so
that the result does not depend on who is asked first; what was reduced is spread over the lines by largest
remainder, so that the parts add up to the minor unit and partial refunds are exact. What a rule reduced can be
held for an order: reserved, then confirmed by the payment or released.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, Struct, field
from pydantic import BaseModel

from threepeat.sdk.errors import PluginError
from threepeat.sdk.events import Amount, Count, Id, Text

MAX_LINES = 200
MAX_REDUCTIONS = 20
"""Of one rule in one quote."""


class Stage(IntEnum):
    """When a rule speaks; later stages see what earlier ones left."""

    ACTIVITY = 10
    """The price of a campaign, such as a group's."""
    MEMBER = 20
    """The member's own price."""
    PROMOTION = 30
    """Reductions for whoever fulfils a condition, such as a threshold."""
    VOUCHER = 40
    """What the member has and shows."""
    POINTS = 50
    """Paying a part with a reward."""
    DELIVERY = 60
    """What delivery costs."""


class BasketLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Some units of one thing.

    Attributes:
        id: The shop's name of the line, unique in the basket.
        unit_price: Of one unit before any reduction, in minor units.
    """

    id: Id
    sku: Id
    quantity: Count
    unit_price: Amount
    category: Text = ""
    name: Text = ""

    @property
    def amount(self) -> int:
        """What its units come to before any reduction."""
        return self.quantity * self.unit_price


class Basket(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody is about to buy.

    Attributes:
        shipping: What delivery costs before any reduction, in minor units.
        choices: What the member chose, by plugin id, such as `{"vouchers": ["…"], "points": 500}`.
    """

    lines: Annotated[tuple[BasketLine, ...], Meta(min_length=1, max_length=MAX_LINES)]
    shipping: Amount = 0
    choices: dict[str, Any] = field(default_factory=dict)

    @property
    def amount(self) -> int:
        """What the goods come to before any reduction, without delivery."""
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule is asked.

    Attributes:
        member: Who buys; None is somebody whom nobody knows yet, and then only services are asked.
        standing: What each line comes to at the beginning of the rule's stage, in minor units, by line id.
        shipping: What delivery comes to at the beginning of the stage.
        choice: What the member chose of this plugin; None if nothing. It is whatever the caller sent: check it.
    """

    member: int | None
    basket: Basket
    standing: Mapping[str, int]
    shipping: int
    choice: Any


class Gift(Struct, frozen=True, kw_only=True):
    """Something that goes along for nothing; the shop puts it into the parcel."""

    sku: Id
    quantity: Count = 1
    name: Text = ""


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a rule takes off.

    Attributes:
        title: What the member reads beside the amount.
        amount: Off the goods, in minor units; what is more than they still come to is cut.
        lines: Of which lines; None is all.
        shipping: Off delivery, in minor units; what is more is cut.
        key: Tells several reductions of one rule apart, such as a voucher's id.
        group: Of one group one reduction stands, the largest; empty stands beside any other. Groups are the
            whole store's: `activity` and `voucher` mean the same to everybody.
        stacks_with: The groups beside which it may stand; None is all, also those without a group.
        data: What `reserve`, `confirm` and `release` will need; JSON values.
        reserves: It counts also if it takes nothing off, so that something is held for the order: a place, a
            limit. If it asks for nothing off, it stands beside any other reduction, whatever their groups.
    """

    title: str
    amount: int = 0
    lines: Collection[str] | None = None
    shipping: int = 0
    gifts: Sequence[Gift] = ()
    key: str = ""
    group: str = ""
    stacks_with: Collection[str] | None = None
    data: Mapping[str, Any] | None = None
    reserves: bool = False

    @property
    def idle(self) -> bool:
        """Whether it holds something and asks for nothing off."""
        return self.reserves and not (self.amount or self.shipping or self.gifts)


@dataclass(frozen=True, slots=True)
class Declined:
    """Something that the member chose and that does not count, and why: `_("Spend {more} more", …)`."""

    title: str
    reason: str
    key: str = ""


class Hold(Struct, frozen=True, kw_only=True):
    """What a rule took off a quote that is being reserved, confirmed or released.

    Attributes:
        reservation: Names one time of holding; with `rule` and `key` it names the hold for ever. It is the
            quote's id, and a new name each time that a quote is held once more: what was released stays so.
        amount: What it took off the goods, in minor units.
        shares: The same by line id.
        shipping: What it took off delivery.
        data: What the rule gave with its `Reduction`.
        until: How long it is held for the order; None once it is paid.
        order_id: The shop's order; None before the payment.
        prices: What each line of the quote comes to after all reductions, by line id.
        total: What is to be paid for the whole quote.
        late: It is paid already and is being held again, because its time was over: what cannot be had as it was
            chosen may be had in another way.
    """

    reservation: Id
    plugin: str
    rule: str
    key: str
    member: int | None
    amount: int
    shares: dict[str, int]
    shipping: int
    data: dict[str, Any]
    until: datetime | None = None
    order_id: str | None = None
    prices: dict[str, int] = field(default_factory=dict)
    total: int = 0
    late: bool = False


class Returned(Struct, frozen=True, kw_only=True):
    """What came back of an order in which a rule had a hold.

    Attributes:
        reference: Unique for what is told of this hold; the same again is the same.
        amount: How much of the hold's `amount` and `shipping` fell on what has come back so far, all refunds of
            the order together; it only grows.
        whole: The whole order came back.
    """

    hold: Hold
    reference: str
    amount: int
    whole: bool


HoldHandler = Callable[[Any, Hold], None]


@dataclass(frozen=True, slots=True)
class PriceRule:
    """Who says what, and when. Build it with `price_rule`."""

    name: str
    stage: Stage
    quote: Callable[[Any, Asked], Iterable[Reduction | Declined]]
    reserve: HoldHandler | None
    confirm: HoldHandler | None
    release: HoldHandler | None
    returned: Callable[[Any, Returned], None] | None
    always: bool = False
    choice: type[BaseModel] | None = None


def price_rule(
    name: str,
    *,
    stage: Stage,
    quote: Callable[[Any, Asked], Iterable[Reduction | Declined]],
    reserve: HoldHandler | None = None,
    confirm: HoldHandler | None = None,
    release: HoldHandler | None = None,
    returned: Callable[[Any, Returned], None] | None = None,
    always: bool = False,
    choice: type[BaseModel] | None = None,
) -> PriceRule:
    """Declare a price rule. Each callable takes a context of this plugin first.

    A tactic's rule is asked while the tactic is on, for members who take part. What is held is confirmed, released
    and given back also while it is closing, and for whoever holds it.

    Args:
        name: Short identifier, unique in the plugin; stored, so it stays as it is.
        stage: When it speaks.
        quote: Says what it takes off. Nothing can be written in it; if it fails, the quote goes on without it.
        reserve: Holds it for an order by one conditional write, never by reading first; raises `Refused` if it
            cannot be had any more, and then nothing of the whole quote is held. None holds nothing.
        confirm: The order was paid: what was held is used. Twice must be the same as once.
        release: The order will not be paid: what was held is free again. Twice must be the same as once.
        returned: Something of the order came back. Twice must be the same as once.
        always: It is asked and reserved also while the tactic is closing, to keep what was promised, such as a
            group that somebody has paid for and that others may still fill. `ctx.closing` tells; it then declines
            whatever would begin something new.
        choice: What members choose of it, for forms: an object that is sent under the plugin's id among the
            basket's `choices`. Every field has a default; what is left at it is not sent.

    Raises:
        PluginError: The name does not fit, something can be reserved and not confirmed or released, or a field of
            the choice has no default.
    """
    if not name.replace("_", "").isalnum() or not name.islower() or not name.isascii() or len(name) > 64:
        raise PluginError(f"the price rule {name!r} must be 1 to 64 small letters, digits and _")
    if len({reserve is None, confirm is None, release is None}) != 1:
        raise PluginError(f"the price rule {name!r}: give reserve, confirm and release together")
    if choice is not None and any(one.is_required() for one in choice.model_fields.values()):
        raise PluginError(f"the price rule {name!r}: every field of its choice needs a default")
    return PriceRule(name, stage, quote, reserve, confirm, release, returned, always, choice)


class Applied(Struct, frozen=True, kw_only=True):
    """A reduction that counts.

    Attributes:
        title: By language, `en` and `zh`.
        amount: Off the goods, in minor units.
        shares: The same by line id; they add up to it.
        shipping: Off delivery.
    """

    plugin: str
    rule: str
    key: str
    title: dict[str, str]
    amount: int
    shares: dict[str, int]
    shipping: int
    gifts: tuple[Gift, ...] = ()
    held: bool = False
    data: dict[str, Any] = field(default_factory=dict)


def spread(amount: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide an amount in proportion to weights by largest remainder; of equal remainders the first gets more.

    The parts add up to the amount, and none is more than its weight while the amount is not more than all of them.
    """
    whole = sum(weights.values())
    if not whole:
        return dict.fromkeys(weights, 0)
    parts = {name: amount * weight // whole for name, weight in weights.items()}
    missing = amount - sum(parts.values())
    for name in sorted(weights, key=lambda one: -(amount * weights[one] % whole))[:missing]:
        parts[name] += 1
    return parts


Why = Literal["declined", "group", "stacking", "nothing-left", "failed"]


class LeftOut(Struct, frozen=True, kw_only=True):
    """A reduction that does not count.

    Attributes:
        why: `declined` by its own rule, another of its `group` is larger, `stacking` keeps it away from one that
            counts, there is `nothing-left` to reduce, or its rule `failed`.
        reason: A sentence by language; empty unless its rule gave one.
    """

    plugin: str
    rule: str
    key: str
    title: dict[str, str]
    why: Why
    reason: dict[str, str] = field(default_factory=dict)


class Quote(Struct, frozen=True, kw_only=True):
    """What a basket comes to, and why.

    Attributes:
        applied: In the order in which they count.
    """

    basket: Basket
    applied: tuple[Applied, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def lines(self) -> dict[str, int]:
        """What each line comes to after all reductions, by line id."""
        left = {line.id: line.amount for line in self.basket.lines}
        for one in self.applied:
            for line, share in one.shares.items():
                left[line] -= share
        return left

    @property
    def goods(self) -> int:
        """What the goods come to."""
        return self.basket.amount - sum(one.amount for one in self.applied)

    @property
    def shipping(self) -> int:
        """What delivery comes to."""
        return self.basket.shipping - sum(one.shipping for one in self.applied)

    @property
    def total(self) -> int:
        """What is to be paid."""
        return self.goods + self.shipping

    def paid_for(self, line: BasketLine, units: int) -> int:
        """What was paid for the first so many units of a line; whatever is rounded is in the member's favour."""
        left = line.amount - sum(one.shares.get(line.id, 0) for one in self.applied)
        return -(-left * units // line.quantity)

    def part(self, applied: Applied, line: BasketLine, units: int) -> int:
        """How much of a reduction fell on the first so many units of a line; on all of them its whole share."""
        return applied.shares.get(line.id, 0) * units // line.quantity


class Pricing(Protocol):
    """Asks and tells the price rules of a store; `ctx.pricing`."""

    def quote(self, member: int | None, basket: Basket, *, most_percent: int = 100) -> Quote:
        """Ask all rules. Nothing is held by it.

        Args:
            most_percent: How much of the goods' amount all reductions together may take, rounded down.
        """
        ...

    def reserve(self, holds: Sequence[Hold]) -> None:
        """Hold all or nothing.

        Raises:
            Refused: One of them cannot be had any more, or its plugin is not on.
        """
        ...

    def confirm(self, holds: Sequence[Hold]) -> None:
        """Say that the order was paid."""
        ...

    def release(self, holds: Sequence[Hold]) -> None:
        """Say that the order will not be paid."""
        ...

    def returned(self, returns: Sequence[Returned]) -> None:
        """Say what came back of an order."""
        ...


State = Literal["quoted", "reserved", "confirmed", "released"]


class StoredQuote(Struct, frozen=True, kw_only=True):
    """A quote that a checkout keeps.

    Attributes:
        expires_at: Until when it can be reserved, or what is reserved is held.
        order_id: The order that was paid with it.
    """

    id: str
    member: int | None
    state: State
    quote: Quote
    expires_at: datetime
    order_id: str | None = None


class RefundQuote(Struct, frozen=True, kw_only=True):
    """What is to be paid back if some units come back now.

    Attributes:
        amount: In minor units; all refunds of an order together are what was paid for it.
        lines: The same by line id.
        given_back: What goes back to the member besides money, by `{plugin}.{rule}`, in minor units of reduction.
    """

    amount: int
    lines: dict[str, int]
    given_back: dict[str, int]


class Checkout(Protocol):
    """Keeps quotes and what is held for orders; `/v1/quotes` asks whoever provides it."""

    def quote(self, member: int | None, basket: Basket) -> StoredQuote:
        """Ask all rules and keep the answer for a while."""
        ...

    def read(self, quote_id: str) -> StoredQuote | None:
        """A quote, or None."""
        ...

    def reserve(self, quote_id: str) -> StoredQuote:
        """Hold everything of a quote for an order, for a time; again, it is the same reservation.

        Raises:
            Refused: Something cannot be had any more, the quote is too old, or it was released.
        """
        ...

    def confirm(self, quote_id: str, order_id: str) -> StoredQuote:
        """The order was paid. What ran out before is reserved anew.

        Raises:
            Refused: It cannot be reserved any more, or was paid by another order.
        """
        ...

    def release(self, quote_id: str) -> StoredQuote:
        """The order will not be paid.

        Raises:
            Refused: It was paid.
        """
        ...

    def refund(self, quote_id: str, units: Mapping[str, int]) -> RefundQuote:
        """What is to be paid back if so many units of its lines come back now, after what came back before.

        Args:
            units: By line id.

        Raises:
            Refused: It was not paid, has no such line, or fewer units are left of it.
        """
        ...
