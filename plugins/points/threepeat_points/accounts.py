"""What every change to members' points goes through: their accounts' locks, their lots and their debts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Context
from threepeat_points.ledger import OpenLot
from threepeat_points.settings import PointsSettings

Ctx = Context[PointsSettings]


@dataclass(frozen=True, slots=True)
class Reversal:
    """A line for the journal: points that went back."""

    member: int
    reference: str
    points: int
    at: datetime


def life(ctx: Ctx) -> timedelta | None:
    """How long points live; None is for ever."""
    days = ctx.settings.expires_after_days
    return timedelta(days=days) if days is not None else None


def lock(ctx: Ctx, members: Collection[int], *, opening: Collection[int] = ()) -> dict[int, int]:
    """Lock the members' accounts, all in one order, and say what each owes.

    A member without an account is not locked and not in the answer: whatever is theirs came in after it and is
    not the caller's to touch.

    Args:
        opening: Whose missing accounts are opened first.
    """
    if opening:
        ctx.sql("accounts", members=sorted(opening))
    return {row.member_id: row.debt for row in ctx.sql("lock_accounts", members=sorted(members))}


def pay_debts(ctx: Ctx, fresh: Iterable[Row[Any]], debts: Mapping[int, int]) -> None:
    """Let fresh lots (rows of id, member_id, granted) pay what their members owe."""
    paid: dict[tuple[int, int], int] = {}
    changed: dict[int, int] = {}
    for lot in fresh:
        owed = changed.get(lot.member_id, debts[lot.member_id])
        if owed and lot.granted:
            paid[lot.member_id, lot.id] = min(owed, lot.granted)
            changed[lot.member_id] = owed - paid[lot.member_id, lot.id]
    if paid:
        ctx.sql(
            "settle",
            lot_members=[member for member, _ in paid],
            lots=[lot for _, lot in paid],
            paid=list(paid.values()),
            members=list(changed),
            debts=list(changed.values()),
        )


def touchable(
    ctx: Ctx, members: Collection[int], *, orders: Sequence[str] = (), rewards: Sequence[str] = ()
) -> dict[int, list[OpenLot]]:
    """The lots that reversals may touch, by member, the earliest to expire first.

    Args:
        orders: Orders whose lots are wanted even if they are empty.
        rewards: Rewards whose lots are wanted even if they are empty, by key.
    """
    lots: dict[int, list[OpenLot]] = {member: [] for member in members}
    for row in ctx.sql("lots", members=sorted(members), orders=list(orders), keys=list(rewards)):
        lots[row.member_id].append(
            OpenLot(
                row.id,
                row.order_id,
                row.order_total,
                row.order_refunded,
                row.minor_units,
                row.rate,
                row.granted,
                row.reversed,
                row.remaining,
                row.expires_at,
                row.reward_key,
                row.factor_numerator,
                row.factor_denominator,
            )
        )
    return lots


def write_reversals(
    ctx: Ctx,
    kind: str,
    lots: Mapping[int, Sequence[OpenLot]],
    debts: Mapping[int, int],
    journal: Sequence[Reversal],
) -> None:
    """Write what reversals left of lots and debts, and a line of a kind for each."""
    touched = [(member, lot) for member, mine in lots.items() for lot in mine]
    ctx.sql(
        "reverse",
        kind=kind,
        lot_members=[member for member, _ in touched],
        lots=[lot.id for _, lot in touched],
        remaining=[lot.remaining for _, lot in touched],
        reversed=[lot.reversed for _, lot in touched],
        order_refunded=[lot.order_refunded for _, lot in touched],
        entry_members=[line.member for line in journal],
        entry_references=[line.reference for line in journal],
        entry_points=[line.points for line in journal],
        entry_times=[line.at for line in journal],
        members=list(debts),
        debts=list(debts.values()),
    )
