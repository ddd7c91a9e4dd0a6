"""Holding, paying and releasing locked quotes; each is all or nothing, and the rules are told."""

from collections.abc import Mapping, Sequence

from threepeat.sdk import Refused, _
from threepeat_checkout.keeping import TIMER, Ctx, Kept


def hold(ctx: Ctx, one: Kept, *, late: bool = False) -> None:
    """Hold everything of a quote, under a new name each time.

    Args:
        late: It is paid already.

    Raises:
        Refused: Something of it cannot be had any more; then nothing of it is held.
    """
    before = one.times, one.held_until, one.state
    one.times, one.held_until, one.state = one.times + 1, ctx.now + ctx.settings.held_for, "reserved"
    try:
        ctx.pricing.reserve([one.hold(number, late=late) for number in one.applied])
    except Refused:
        one.times, one.held_until, one.state = before
        raise
    ctx.later(TIMER, one.id, one.held_until, member=one.member)


def hold_for_payment(ctx: Ctx, one: Kept) -> None:
    """Hold a quote that was released or never held, for a payment that came all the same.

    What nobody has released yet is still held, whatever the time is.

    Raises:
        Refused: Something of it cannot be had any more.
    """
    if one.state != "reserved":
        hold(ctx, one, late=True)


def release(ctx: Ctx, kept: Sequence[Kept]) -> None:
    """Release what is held of quotes; those that are not held are released, too, and nothing is told of them."""
    held = [one for one in kept if one.state == "reserved"]
    holds = [part for one in held for part in one.all_holds]
    if holds:
        ctx.pricing.release(holds)
    for one in kept:
        one.end_hold("released")
        ctx.cancel(TIMER, one.id)


def pay(ctx: Ctx, paid: Mapping[str, Kept]) -> None:
    """Let quotes that are held be paid, by order."""
    for order, one in paid.items():
        one.end_hold("confirmed")
        one.order_id = order
        ctx.cancel(TIMER, one.id)
    holds = [part for one in paid.values() for part in one.all_holds]
    if holds:
        ctx.pricing.confirm(holds)


def too_old() -> Refused:
    """A quote whose time is over."""
    return Refused(_("this price does not stand any more; ask for a new one"), code="quote-expired")
