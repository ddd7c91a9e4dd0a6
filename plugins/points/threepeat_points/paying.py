"""Points that pay a part of an order: quoted, held, used, and given back."""

from collections.abc import Iterable
from typing import Any

from threepeat.sdk import Asked, Declined, Hold, Reduction, Returned, Spend, Stage, _, ngettext, price_rule
from threepeat_points.accounts import Ctx, lock
from threepeat_points.payments import Return, give_back, pay
from threepeat_points.rewards import balance
from threepeat_points.settings import MAX_POINTS


def quote(ctx: Ctx, asked: Asked) -> Iterable[Reduction | Declined]:
    """Take off what the points pay that the member wants to use, up to the merchant's limits."""
    wanted = asked.choice
    if wanted is None or asked.member is None:
        return
    title = _("Paid with points")
    if type(wanted) is not int or not 1 <= wanted <= MAX_POINTS:
        reason = _("Say with how many points you want to pay, from {least} to {most}.", least=1, most=MAX_POINTS)
        yield Declined(title, reason)
        return
    settings, store = ctx.settings, ctx.tenant
    if not settings.pay_percent:
        yield Declined(title, _("This store takes no points for orders."))
        return
    held = balance(ctx, [asked.member]).get(asked.member, 0)
    most = sum(asked.standing.values()) * settings.pay_percent // 100
    points = settings.usable(min(wanted, held), most, store)
    amount = settings.pays(points, store)
    if not amount:
        yield Declined(title, _("You have too few points, or the order is too small to be paid with points."))
        return
    title = ngettext("Paid with {n} point", "Paid with {n} points", points, n=points)
    terms = {"points": points, "amount": amount}
    yield Reduction(title, amount, group="points", data=terms)


def reserve(ctx: Ctx, hold: Hold) -> None:
    """Take the points, once for a reservation.

    Raises:
        Refused: The member has too few by now.
    """
    if hold.member is None:
        return
    lock(ctx, [hold.member])
    points = needed(hold)
    rows = ctx.sql("hold", reservation=hold.reservation, member=hold.member, points=points)
    if rows:
        pay(ctx, [Spend(hold.member, points, rows[0].payment)])


def confirm(ctx: Ctx, hold: Hold) -> None:
    """What was held is used."""
    if not ctx.sql("confirm", reservation=hold.reservation):
        raise RuntimeError(f"the points of {hold.reservation!r} were paid for and are not held")


def release(ctx: Ctx, hold: Hold) -> None:
    """What was held goes back to its lots."""
    held = _locked(ctx, hold)
    for row in ctx.sql("release", reservation=hold.reservation) if held else ():
        give_back(ctx, [Return(row.member_id, row.payment, row.points, f"release:{row.payment}")])


def returned(ctx: Ctx, back: Returned) -> None:
    """Give points back in proportion to what came back of the order, rounded up; with the whole of it all."""
    held = _locked(ctx, back.hold)
    if not held:
        return
    amount = back.hold.amount + back.hold.shipping
    whole = back.whole or back.amount >= amount
    wanted = held.points if whole else -(-held.points * back.amount // amount)
    for row in ctx.sql("return_hold", reservation=back.hold.reservation, returned=wanted):
        points = row.returned - held.returned
        reference = f"return:{row.payment}:{row.returned}"
        give_back(ctx, [Return(row.member_id, row.payment, points, reference)])


def needed(hold: Hold) -> int:
    """How many points pay what is left of the reduction, if the price became too small for all of it."""
    points: int = hold.data["points"]
    amount: int = hold.data["amount"]
    return -(-points * min(hold.amount, amount) // amount)


def _locked(ctx: Ctx, hold: Hold) -> Any:
    """The hold as it stands, once its member's account is locked; None if there is none."""
    rows = ctx.sql("held", reservation=hold.reservation)
    if not rows:
        return None
    lock(ctx, [rows[0].member_id])
    return ctx.sql("held", reservation=hold.reservation)[0]


PAY = price_rule(
    "pay",
    stage=Stage.POINTS,
    quote=quote,
    reserve=reserve,
    confirm=confirm,
    release=release,
    returned=returned,
    always=True,
)
