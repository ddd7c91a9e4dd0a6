"""Vouchers as a reward that every tactic and every person of the store may give."""

from collections.abc import Collection, Mapping, Sequence

from threepeat.sdk import Granted, Revoked, item_number, reward
from threepeat_vouchers import messages, terms
from threepeat_vouchers.events import VoucherIssued
from threepeat_vouchers.templates import Ctx, form, over

MOST_AT_ONCE = 100
"""Vouchers of one grant."""


def grant(ctx: Ctx, granted: Sequence[Granted]) -> Collection[str]:
    """Give vouchers; returns the keys of the grants for which the number or the budget is short."""
    ids = sorted({item_number(one.grant.item) for one in granted})
    ctx.sql("template_lock", ids=ids)
    rows = {row.id: row for row in ctx.sql("templates", ids=ids)}
    known = {each: form(row) for each, row in rows.items()}
    left = {each: row.left_over for each, row in rows.items()}
    short: set[str] = set()
    counted = dict.fromkeys((each for each, many in left.items() if many is not None), 0)
    for one in granted:
        each, amount = item_number(one.grant.item), one.grant.amount
        row = rows.get(each)
        closed = row is None or row.state != "active" or over(ctx, known[each]) or _spent(row.room)
        if closed or (each in counted and left[each] < counted[each] + amount):
            short.add(one.key)
        elif each in counted:
            counted[each] += amount
    if short:
        return short
    numbers = {each: many for each, many in counted.items() if many}
    if len(ctx.sql("template_count", ids=list(numbers), numbers=list(numbers.values()))) != len(numbers):
        raise RuntimeError("templates were locked and do not have as many left as they had")
    spans = {each: terms.span(one, ctx.now, ctx.tenant.timezone) for each, one in known.items()}
    templates = [item_number(one.grant.item) for one in granted]
    ctx.sql(
        "give",
        keys=[one.key for one in granted],
        members=[one.grant.member for one in granted],
        templates=templates,
        amounts=[one.grant.amount for one in granted],
        begins=[spans[each][0] for each in templates],
        ends=[spans[each][1] for each in templates],
    )
    for one, each in zip(granted, templates, strict=True):
        told = VoucherIssued(
            template=str(each), vouchers=one.grant.amount, source="reward", valid_until=spans[each][1]
        )
        ctx.emit(told, member=one.grant.member, cause=f"granted:{one.key}")
    news = [
        messages.given(ctx, one, known[each], spans[each][1]) for one, each in zip(granted, templates, strict=True)
    ]
    ctx.message(messages.GIVEN, news)
    return ()


def revoke(ctx: Ctx, revoked: Sequence[Revoked]) -> None:
    """Void what is not used; what an order holds is void once it is released."""
    ctx.sql("revoke", keys=[one.key for one in revoked], amounts=[one.amount for one in revoked])


def balance(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """How many vouchers members can use now."""
    return {row.member_id: row.usable for row in ctx.sql("balances", members=sorted(members))}


def cost(ctx: Ctx, amount: int, item: str) -> int | None:
    """What so many cost whoever gives them; None of what is no template, and of too many at once.

    Whether there are any is for `grant` to say: a grant that was given before is known as such there.
    """
    rows = ctx.sql("templates", ids=[item_number(item)]) if amount <= MOST_AT_ONCE else ()
    return amount * form(rows[0]).price() if rows else None


def items(ctx: Ctx) -> Mapping[str, str]:
    """The templates of which vouchers can be given, newest first."""
    return {str(row.id): row.name for row in ctx.sql("template_items")}


def _spent(room: int | None) -> bool:
    return room is not None and room <= 0


REWARD = reward(
    "vouchers",
    title={"en": "vouchers", "zh": "优惠券"},
    grant=grant,
    revoke=revoke,
    balance=balance,
    cost=cost,
    items=items,
)
