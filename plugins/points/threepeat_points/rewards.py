"""Points as a reward that every tactic may give, and that members may pay with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from threepeat.sdk import Granted, Revoked, Spend, reward
from threepeat_points.accounts import Ctx, lock, pay_debts, touchable, validity, write
from threepeat_points.ledger import Movement, take
from threepeat_points.ledger import mature as aged
from threepeat_points.payments import pay


def grant(ctx: Ctx, granted: Sequence[Granted]) -> None:
    """Keep each grant as a lot of its own; a debt is paid first."""
    members = {one.grant.member for one in granted}
    debts = lock(ctx, members, opening=members)
    fresh = ctx.sql(
        "give",
        keys=[one.key for one in granted],
        members=[one.grant.member for one in granted],
        amounts=[one.grant.amount for one in granted],
        references=[f"reward:{one.plugin}:{one.key}" for one in granted],
        expires_at=validity(ctx).expires(ctx.now),
    )
    pay_debts(ctx, fresh, debts)


def revoke(ctx: Ctx, revoked: Sequence[Revoked]) -> None:
    """Take points back: from the grant's own lot, then from the others, and what is missing is owed."""
    members = {one.member for one in revoked}
    debts = lock(ctx, members, opening=members)
    lots = touchable(ctx, members, ctx.now, rewards=[one.key for one in revoked])
    journal = [line for member, mine in lots.items() for lot in mine for line in aged(lot, member, ctx.now)]
    for one in revoked:
        mine = lots[one.member]
        own = next(lot for lot in mine if lot.reward_key == one.key)
        own.reversed += one.amount
        reference = f"revoked:{one.plugin}:{one.key}:{own.reversed}"
        line = Movement(one.member, "revoked", reference, ctx.now)
        debts[one.member] += take(one.amount, own, mine, line)
        journal.append(line)
    write(ctx, lots, debts, journal)


def balance(ctx: Ctx, members: Collection[int]) -> Mapping[int, int]:
    """Points that members can spend now."""
    return {row.member_id: row.available for row in ctx.sql("balances", members=sorted(members))}


def spend(ctx: Ctx, spends: Sequence[Spend]) -> None:
    """Let members pay, from the lots that expire first.

    Raises:
        Refused: A member has too few; the reason says how many are missing.
    """
    pay(ctx, [replace(one, reference=f"spend:{one.reference}") for one in spends])


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
