"""Points as a reward that every tactic may give, and that members may pay with."""

from collections.abc import Collection, Mapping, Sequence

from threepeat.sdk import Granted, Refused, Revoked, Spend, _, ngettext, reward
from threepeat_points.accounts import Ctx, Reversal, life, lock, pay_debts, touchable, write_reversals
from threepeat_points.ledger import take


def grant(ctx: Ctx, granted: Sequence[Granted]) -> None:
    """Keep each grant as a lot of its own; a debt is paid first."""
    members = {one.grant.member for one in granted}
    debts = lock(ctx, members, opening=members)
    lives = life(ctx)
    fresh = ctx.sql(
        "give",
        keys=[one.key for one in granted],
        members=[one.grant.member for one in granted],
        amounts=[one.grant.amount for one in granted],
        references=[f"reward:{one.plugin}:{one.key}" for one in granted],
        expires_at=ctx.now + lives if lives else None,
    )
    pay_debts(ctx, fresh, debts)


def revoke(ctx: Ctx, revoked: Sequence[Revoked]) -> None:
    """Take points back: from the grant's own lot, then from the others, and what is missing is owed."""
    members = {one.member for one in revoked}
    debts = lock(ctx, members, opening=members)
    lots = touchable(ctx, members, rewards=[one.key for one in revoked])
    journal: list[Reversal] = []
    for one in revoked:
        mine = lots[one.member]
        own = next(lot for lot in mine if lot.reward_key == one.key)
        own.reversed += one.amount
        debts[one.member] += take(one.amount, own, mine, ctx.now)
        reference = f"revoked:{one.plugin}:{one.key}:{own.reversed}"
        journal.append(Reversal(one.member, reference, one.amount, ctx.now))
    write_reversals(ctx, "revoked", lots, debts, journal)


def balance(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """Points that members can spend now."""
    return {row.member_id: row.available for row in ctx.sql("balances", members=sorted(members))}


def spend(ctx: Ctx, spends: Sequence[Spend]) -> None:
    """Let members pay, from the lots that expire first.

    Raises:
        Refused: A member has too few; the reason says how many are missing.
    """
    debts = lock(ctx, {one.member for one in spends})
    for one in spends:
        if one.member not in debts:
            raise _short(sum(other.amount for other in spends if other.member == one.member))
    asked = {
        "members": [one.member for one in spends],
        "references": [f"spend:{one.reference}" for one in spends],
        "amounts": [one.amount for one in spends],
    }
    rows = ctx.sql("spend", **asked)
    for row in rows:
        missing = row.points + debts[row.member_id] - row.available
        if missing > 0:
            raise _short(missing)
        if row.drawn != row.points:
            raise RuntimeError(f"{row.points} points were to be drawn from locked lots, {row.drawn} could be")
    if sum(row.payments for row in rows) < len(spends) and len(ctx.sql("paid", **asked)) < len(spends):
        raise Refused(_("a reference stands for another payment"), code="reference-taken")


def _short(missing: int) -> Refused:
    reason = ngettext("{n} point is missing", "{n} points are missing", missing, n=missing)
    return Refused(reason, code="not-enough")


def cost(ctx: Ctx, points: int) -> int:
    """What points are worth, in minor units, rounded up."""
    return ctx.settings.worth(points, ctx.tenant)


REWARD = reward(
    "points",
    title={"en": "points", "zh": "积分"},
    grant=grant,
    revoke=revoke,
    balance=balance,
    spend=spend,
    cost=cost,
)
