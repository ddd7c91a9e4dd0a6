"""The checkout: what `/v1/quotes` asks for. Core has locked the quote's member, if it has one."""

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from threepeat.sdk import Basket, RefundQuote, Refused, StoredQuote, _
from threepeat_checkout import holding, keeping, returns
from threepeat_checkout.keeping import Ctx, Kept
from threepeat_checkout.worth import DELIVERY, Back, Bill


class Quotes:
    """Implements `threepeat.sdk.Checkout`."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx

    def quote(self, member: int | None, basket: Basket) -> StoredQuote:
        """Ask all rules and keep the answer for a while; what was chosen is not kept."""
        ctx, settings = self._ctx, self._ctx.settings
        made = ctx.pricing.quote(member, basket, most_percent=settings.most_percent)
        made = msgspec.structs.replace(made, basket=msgspec.structs.replace(basket, choices={}))
        quote_id = secrets.token_hex(16)
        ctx.sql(
            "quote",
            id=quote_id,
            member=member,
            content=msgspec.json.encode(made).decode(),
            before=basket.amount + basket.shipping,
            total=made.total,
            delivery_back=settings.delivery_back,
            expires_at=ctx.now + settings.quoted_for,
        )
        return StoredQuote(
            id=quote_id, member=member, state="quoted", quote=made, expires_at=ctx.now + settings.quoted_for
        )

    def read(self, quote_id: str) -> StoredQuote | None:
        """A quote, or None."""
        found = keeping.read(self._ctx, quote_id)
        return found.stored(self._ctx.now) if found is not None else None

    def reserve(self, quote_id: str) -> StoredQuote:
        """Hold everything for an order; what is held or paid stays as it is."""
        ctx, one = self._ctx, self._locked(quote_id)
        if one.state == "quoted":
            if one.expires_at <= ctx.now:
                raise holding.too_old()
            holding.hold(ctx, one)
            keeping.write(ctx, [one])
        elif one.state == "released" or (one.state == "reserved" and not one.holds(ctx.now)):
            raise Refused(_("this order is not held any more; ask for a new price"), code="quote-released")
        return one.stored(ctx.now)

    def confirm(self, quote_id: str, order_id: str) -> StoredQuote:
        """The order was paid."""
        ctx, one = self._ctx, self._locked(quote_id)
        if one.state == "confirmed":
            if one.order_id != order_id:
                raise Refused(_("another order was paid with this price"), code="quote-paid")
            return one.stored(ctx.now)
        claimed = ctx.sql(
            "claim", orders=[order_id], quotes=[one.id], members=[one.member], totals=[None], times=[ctx.now]
        )
        if not claimed:
            raise Refused(_("this order was reported as paid before, with another price"), code="order-paid")
        holding.hold_for_payment(ctx, one)
        holding.pay(ctx, {order_id: one})
        keeping.write(ctx, [one])
        ctx.sql("settle", orders=[order_id], outcomes=["confirmed"])
        returns.count_waiting(ctx, [one])
        return one.stored(ctx.now)

    def release(self, quote_id: str) -> StoredQuote:
        """The order will not be paid."""
        ctx, one = self._ctx, self._locked(quote_id)
        if one.state == "confirmed":
            raise Refused(_("this order is paid"), code="quote-paid")
        if one.state != "released":
            holding.release(ctx, [one])
            keeping.write(ctx, [one])
        return one.stored(ctx.now)

    def refund(self, quote_id: str, units: Mapping[str, int]) -> RefundQuote:
        """What is to be paid back if so many units come back now."""
        ctx, one = self._ctx, self._found(quote_id)
        if one.state != "confirmed":
            raise Refused(_("this order is not paid"), code="quote-not-paid")
        bill, back = returns.bills(ctx, {one.id: one})[one.id]
        skus = _skus(bill, back, units)
        due = bill.refund(back, skus)
        given = _given_back(one, bill.fallen(back), bill.fallen(back.more(skus)))
        lines = {line: amount for line, amount in due.items() if line != DELIVERY and amount}
        return RefundQuote(amount=sum(due.values()), lines=lines, given_back=given)

    def _found(self, quote_id: str) -> Kept:
        found = keeping.read(self._ctx, quote_id)
        if found is None:
            raise _no_quote()
        return found

    def _locked(self, quote_id: str) -> Kept:
        """A quote, locked as its member is already.

        Raises:
            Refused: There is none.
        """
        locked = keeping.lock(self._ctx, [quote_id], None)
        if quote_id not in locked:
            raise _no_quote()
        return locked[quote_id]


def _no_quote() -> Refused:
    return Refused(_("there is no such price"), code="no-quote")


def _skus(bill: Bill, back: Back, units: Mapping[str, int]) -> Counter[str]:
    """The units by sku.

    Raises:
        Refused: There is no such line, or fewer units are left.
    """
    lines = {line.id: line for line in bill.quote.basket.lines}
    asked: Counter[str] = Counter()
    for name, number in units.items():
        line = lines.get(name)
        if line is None:
            raise Refused(_("the order has no line {line}", line=name), code="no-such-line")
        if not 1 <= number <= line.quantity:
            raise Refused(_("line {line} has {n} units", line=name, n=line.quantity), code="too-many-units")
        asked[line.sku] += number
    came = bill.units(back)
    for line in lines.values():
        asked_left = _left(bill, came, line.sku)
        if asked[line.sku] > asked_left:
            raise Refused(
                _("of line {line} only {n} units are left", line=line.id, n=asked_left), code="too-many-units"
            )
    return asked


def _left(bill: Bill, came: Mapping[str, int], sku: str) -> int:
    return sum(line.quantity - came[line.id] for line in bill.quote.basket.lines if line.sku == sku)


def _given_back(one: Kept, before: Sequence[int], after: Sequence[int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for applied, was, becomes in zip(one.quote.applied, before, after, strict=True):
        if applied.held and becomes > was:
            found[f"{applied.plugin}.{applied.rule}"] += becomes - was
    return dict(found)
