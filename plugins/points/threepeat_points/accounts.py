"""What every change to members' points goes through: their accounts' locks, their lots, debts and the journal."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Context
from threepeat_points.events import PointsUnlocked
from threepeat_points.ledger import Movement, OpenLot
from threepeat_points.settings import PointsSettings
from threepeat_points.validity import Validity

Ctx = Context[PointsSettings]


@dataclass(frozen=True, slots=True)
class Settled:
    """A debt that a lot pays."""

    member: int
    lot: int
    points: int
    at: datetime


def validity(ctx: Ctx) -> Validity:
    """When points unlock and expire in this store."""
    return Validity(ctx.settings, ctx.tenant.timezone)


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


def mature(ctx: Ctx, members: Collection[int]) -> None:
    """Write down what time has done to the lots of members whose accounts are locked: unlocked and expired."""
    if not members:
        return
    unlocked = [row for row in ctx.sql("mature", members=sorted(members)) if row.unlocked and row.member_id > 0]
    for row in unlocked:
        ctx.emit(PointsUnlocked(points=row.unlocked), member=row.member_id, cause=f"unlock:{row.first_lot}")


def pay_debts(ctx: Ctx, fresh: Iterable[Row[Any]], debts: Mapping[int, int]) -> None:
    """Let fresh lots (rows of id, member_id, granted, earned_at) pay what their members owe."""
    owed = dict(debts)
    settled: list[Settled] = []
    for lot in fresh:
        paid = min(owed[lot.member_id], lot.granted)
        if paid:
            owed[lot.member_id] -= paid
            settled.append(Settled(lot.member_id, lot.id, paid, lot.earned_at))
    if settled:
        ctx.sql(
            "settle",
            members=[one.member for one in settled],
            lots=[one.lot for one in settled],
            paid=[one.points for one in settled],
            references=[f"settle:{one.lot}" for one in settled],
            times=[one.at for one in settled],
        )


def touchable(
    ctx: Ctx,
    members: Collection[int],
    since: datetime,
    *,
    orders: Sequence[str] = (),
    rewards: Sequence[str] = (),
) -> dict[int, list[OpenLot]]:
    """The lots that reversals may touch, by member, the earliest to expire first.

    Args:
        since: The earliest instant at which something is reversed: lots that have expired since are wanted.
        orders: Orders whose lots are wanted even if they are empty.
        rewards: Rewards whose lots are wanted even if they are empty, by key.
    """
    lots: dict[int, list[OpenLot]] = {member: [] for member in members}
    for row in ctx.sql("lots", members=sorted(members), since=since, orders=list(orders), keys=list(rewards)):
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
                row.waiting,
                row.unlocks_at,
                row.expired,
            )
        )
    return lots


def write(
    ctx: Ctx, lots: Mapping[int, Sequence[OpenLot]], debts: Mapping[int, int], journal: Sequence[Movement]
) -> None:
    """Write what is left of lots and debts, and the journal's lines, in one statement."""
    touched = [(member, lot) for member, mine in lots.items() for lot in mine]
    ctx.sql(
        "reverse",
        lot_members=[member for member, _ in touched],
        lots=[lot.id for _, lot in touched],
        remaining=[lot.remaining for _, lot in touched],
        expired=[lot.expired for _, lot in touched],
        waiting=[lot.waiting for _, lot in touched],
        reversed=[lot.reversed for _, lot in touched],
        order_refunded=[lot.order_refunded for _, lot in touched],
        members=list(debts),
        debts=list(debts.values()),
        **columns(journal),
    )
    for line in journal:
        if line.kind == "unlocked":
            ctx.emit(PointsUnlocked(points=line.available), member=line.member, cause=line.reference)


def columns(journal: Sequence[Movement]) -> dict[str, list[Any]]:
    """Lines of the journal as the arrays that statements take."""
    return {
        "entry_members": [line.member for line in journal],
        "entry_kinds": [line.kind for line in journal],
        "entry_references": [line.reference for line in journal],
        "entry_times": [line.at for line in journal],
        "available": [line.available for line in journal],
        "pending": [line.pending for line in journal],
        "debt": [line.debt for line in journal],
        "liability": [line.liability for line in journal],
        "expense": [line.expense for line in journal],
        "breakage": [line.breakage for line in journal],
    }
