"""What vouchers take off a basket, and what becomes of those that stand in an order."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import (
    Asked,
    Declined,
    Hold,
    PriceRule,
    Reduction,
    Refused,
    Returned,
    Stage,
    Wording,
    _,
    price_rule,
)
from threepeat_vouchers import codes, taking, terms, words
from threepeat_vouchers.events import VoucherReturned, VoucherUsed
from threepeat_vouchers.form import Template
from threepeat_vouchers.templates import Ctx, form

MOST_CHOSEN = 20
MOST_LOOKED_AT = 200
"""Templates of a wallet's vouchers among which the best is looked for, those that end first."""

VOUCHERS = _("Vouchers")
MALFORMED = _("Send a list of vouchers' ids and codes, at most {n}", n=MOST_CHOSEN)
NOBODY = _("Only members can use vouchers")
NO_CODES = _("No codes are taken any more")
UNKNOWN = _("There is no such voucher")
NOT_THESE = _("Not for these things")
ALL_USED = _("All of this offer has been used")
STANDING: dict[str, Wording] = {
    "locked": _("Held for another order"),
    "used": _("Used already"),
    "returned": _("Used already"),
    "void": _("Not valid any more"),
}


def quote(ctx: Ctx, asked: Asked) -> Iterator[Reduction | Declined]:
    """What takes off goods or goes along for nothing; what was chosen and is no voucher is told here."""
    yield from _quote(ctx, asked, terms.VOUCHER, tells=True)


def quote_delivery(ctx: Ctx, asked: Asked) -> Iterator[Reduction | Declined]:
    """What takes off delivery."""
    yield from _quote(ctx, asked, terms.DELIVERY, tells=False)


def reserve(ctx: Ctx, hold: Hold) -> None:
    """Lock a voucher for an order; a code becomes the member's first.

    Raises:
        Refused: It cannot be used any more, or its budget is used up.
    """
    if hold.member is None:
        raise Refused(NOBODY, code="not-usable")
    voucher = _voucher(ctx, hold)
    if voucher is None:
        voucher = _open(ctx, hold, hold.member)
    amount = hold.amount + hold.shipping + int(hold.data.get("cost", 0))
    place = {"reservation": hold.reservation, "voucher": voucher}
    rows = ctx.sql("reserve", member=hold.member, amount=amount, **place)
    if not rows:
        if _stands(ctx, place) == "held":
            return
        raise Refused(_("this voucher cannot be used any more"), code="not-usable")
    if rows[0].budgeted and amount and not ctx.sql("charge", template=rows[0].template_id, amount=amount):
        raise Refused(ALL_USED, code="none-left")


def confirm(ctx: Ctx, hold: Hold) -> None:
    """The order was paid: the voucher is used.

    Raises:
        Refused: It is not held for this order.
    """
    place = {"reservation": hold.reservation, "voucher": _voucher(ctx, hold)}
    rows = ctx.sql("confirm", order=hold.order_id, **place)
    if not rows:
        if _stands(ctx, place) == "used":
            return
        raise Refused(_("this voucher is not held for the order"), code="not-held")
    if rows[0].member_id > 0:  # an erased member's voucher is nobody's
        told = VoucherUsed(
            voucher_id=str(place["voucher"]),
            template=str(rows[0].template_id),
            amount=rows[0].amount,
            order_id=hold.order_id,
        )
        ctx.emit(told, member=rows[0].member_id, cause=f"used:{hold.reservation}:{place['voucher']}")


def release(ctx: Ctx, hold: Hold) -> None:
    """The order will not be paid: the voucher is the member's again, unless it was taken back meanwhile."""
    ctx.sql("release", reservation=hold.reservation, voucher=_voucher(ctx, hold))


def returned(ctx: Ctx, back: Returned) -> None:
    """Count what came back, and give the voucher back once everything did."""
    hold = back.hold
    voucher = _voucher(ctx, hold)
    place = {"reservation": hold.reservation, "voucher": voucher}
    rows = ctx.sql("returned", amount=back.amount, whole=back.whole, **place)
    if rows and rows[0].member_id > 0:
        told = VoucherReturned(voucher_id=str(voucher), template=str(rows[0].template_id), usable=rows[0].usable)
        ctx.emit(told, member=rows[0].member_id, cause=f"returned:{hold.reservation}:{voucher}")


RULES: tuple[PriceRule, ...] = tuple(
    price_rule(
        name,
        stage=stage,
        quote=asks,
        reserve=reserve,
        confirm=confirm,
        release=release,
        returned=returned,
        always=True,
    )
    for name, stage, asks in (
        ("voucher", Stage.VOUCHER, quote),
        ("delivery", Stage.DELIVERY, quote_delivery),
    )
)


def _quote(ctx: Ctx, asked: Asked, group: str, *, tells: bool) -> Iterator[Reduction | Declined]:
    choice = asked.choice
    if choice is None:
        if asked.member is not None and ctx.settings.choose_best:
            yield from _best(ctx, asked, group)
        return
    if not _is_list(choice):
        if tells:
            yield Declined(VOUCHERS, MALFORMED)
        return
    if asked.member is None:
        if tells and choice:
            yield Declined(VOUCHERS, NOBODY)
        return
    yield from _chosen(ctx, asked, asked.member, choice, group, tells=tells)


def _is_list(choice: Any) -> bool:
    return (
        isinstance(choice, list | tuple)
        and len(choice) <= MOST_CHOSEN
        and all(isinstance(one, str) and 0 < len(one) <= codes.LONGEST for one in choice)
    )


def _best(ctx: Ctx, asked: Asked, group: str) -> Iterable[Reduction]:
    """What of the wallet takes something off, the most first; core lets the largest count that may."""
    found = [
        one
        for row in ctx.sql("usable", member=asked.member, delivery=group == terms.DELIVERY, most=MOST_LOOKED_AT)
        if isinstance(one := _said(ctx, asked, row, form(row), group), Reduction)
        if one.amount or one.shipping or one.gifts
    ]
    return sorted(found, key=lambda one: -(one.amount + one.shipping))[:MOST_CHOSEN]


def _chosen(
    ctx: Ctx, asked: Asked, member: int, choice: Sequence[str], group: str, *, tells: bool
) -> Iterator[Reduction | Declined]:
    ids = {one: int(one) for one in choice if not codes.is_code(one)}
    hashes = {one: codes.hashed(ctx.tenant.id, codes.read(one)) for one in choice if codes.is_code(one)}
    wanted = [one for one in ids.values() if one < 2**63]
    hashed = sorted(hashes.values())
    rows = ctx.sql("chosen", member=member, ids=wanted, hashes=hashed, day=taking.today(ctx))
    by_id = {row.id: row for row in rows if row.id is not None}
    by_hash = {row.hash: row for row in rows if row.hash is not None}
    seen: set[str] = set()
    for place, one in enumerate(choice, 1):
        row = by_hash.get(hashes[one]) if one in hashes else by_id.get(ids[one])
        if row is None:
            # What was typed is not repeated: it may be somebody's code.
            if tells:
                yield Declined(VOUCHERS, UNKNOWN, key=f"choice-{place}")
            continue
        key = _key(row)
        if key not in seen:
            seen.add(key)
            said = _said(ctx, asked, row, form(row), group)
            if said is not None:
                yield said


def _said(ctx: Ctx, asked: Asked, row: Row[Any], template: Template, group: str) -> Reduction | Declined | None:
    """What a voucher says; None if it belongs to the other rule."""
    if terms.group(template) != group:
        return None
    key = _key(row)
    reason = _against(ctx, row, template)
    found = terms.reduce(template, asked.basket.lines, asked.standing, shipping=asked.shipping)
    if reason is None and isinstance(found, terms.Short):
        more = found.more
        reason = NOT_THESE if more is None else words.missing(template, ctx.tenant.money(more))
    elif reason is None and isinstance(found, terms.Reduced) and row.room is not None and found.counted > row.room:
        reason = ALL_USED
    if reason is not None or isinstance(found, terms.Short):
        return Declined(template.name, reason or NOT_THESE, key=key)
    data: dict[str, Any] = {"voucher": row.id} if row.id is not None else {"code": [row.batch_id, row.number]}
    if template.kind == "gift":
        data["cost"] = template.cost
    return Reduction(
        template.name,
        amount=found.amount,
        lines=found.lines,
        shipping=found.shipping,
        gifts=found.gifts,
        key=key,
        group=group,
        stacks_with=terms.stacks_with(template),
        data=data,
    )


def _against(ctx: Ctx, row: Row[Any], template: Template) -> Wording | None:
    """Why it cannot be used now, whatever is in the basket."""
    if row.state in STANDING:
        return STANDING[row.state]
    zone = ctx.tenant.timezone
    begin, end = (row.valid_from, row.valid_until) if row.id is not None else terms.span(template, ctx.now, zone)
    if row.id is None and ctx.closing:
        return NO_CODES
    if row.id is None and taking.reached(template, row.taken, row.today):
        return taking.limit(template)
    if end <= ctx.now:
        last: date = (end - timedelta(microseconds=1)).astimezone(zone).date()
        return _("Ended on {day}", day=last)
    if begin > ctx.now:
        return _("Counts from {day} on", day=begin.astimezone(zone).date())
    return None


def _key(row: Row[Any]) -> str:
    return str(row.id) if row.id is not None else f"code-{row.batch_id}-{row.number}"


def _voucher(ctx: Ctx, hold: Hold) -> int | None:
    """The voucher that a hold is about; None while its code is nobody's."""
    if "voucher" in hold.data:
        return int(hold.data["voucher"])
    batch, number = hold.data["code"]
    rows = ctx.sql("code_of", batch=batch, number=number)
    return rows[0].voucher_id if rows else None


def _open(ctx: Ctx, hold: Hold, member: int) -> int:
    if ctx.closing and not hold.late:
        raise Refused(NO_CODES, code="not-offered")
    batch, number = hold.data["code"]
    rows = ctx.sql("code_of", batch=batch, number=number)
    found = ctx.sql("code", hash=rows[0].hash) if rows else ()
    if not found or found[0].state != "ready":
        raise Refused(_("this voucher cannot be used any more"), code="not-usable")
    return taking.open_code(ctx, member, found[0])


def _stands(ctx: Ctx, place: dict[str, Any]) -> str | None:
    rows = ctx.sql("stands", **place)
    return rows[0].state if rows else None
