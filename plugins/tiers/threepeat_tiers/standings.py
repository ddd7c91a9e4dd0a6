"""Where members stand: read under a lock, written together with the trail of changes, events and gifts."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Notice
from threepeat.sdk.events import Event
from threepeat_tiers import gifts
from threepeat_tiers.climbing import Standing
from threepeat_tiers.events import Reason, TierChanged
from threepeat_tiers.messages import CHANGED
from threepeat_tiers.rules import Rules
from threepeat_tiers.versions import Ctx
from threepeat_tiers.windows import local_day

COLUMNS = tuple(field.name for field in fields(Standing))
COLUMNS_OF = attrgetter(*COLUMNS)


@dataclass(frozen=True, slots=True)
class Move:
    """A change of where a member stands.

    Attributes:
        before: The tier that counted before.
        position: The change counts for events after it; None is the end of the log as it is now.
        at: When.
        cause: The event that brought it, if one did.
        again: It gives back what a review took: nothing is entered by it.
    """

    standing: Standing
    before: int
    reason: Reason
    at: datetime
    position: int | None = None
    cause: Event | None = None
    again: bool = False


def read(ctx: Ctx, members: Collection[int]) -> dict[int, Standing]:
    """The standings of members, locked in their order; whoever has none is absent."""
    return {row.member_id: of(row) for row in ctx.sql("standings", members=sorted(members))}


def of(row: Row[Any]) -> Standing:
    """A row of the table."""
    return Standing(*COLUMNS_OF(row))


def write(
    ctx: Ctx,
    standings: Iterable[Standing],
    moves: Sequence[Move],
    rules: Mapping[int, Rules],
    *,
    new: bool = True,
    offers: bool = True,
    silent: bool = False,
) -> None:
    """Write standings, and what became of it: the trail, events, and rewards for entering a tier.

    Args:
        moves: In their order; those that change neither tier nor version are left out by the caller.
        rules: Every version that a move names, by number.
        new: Whether members may be among them who had no standing.
        offers: Whether entering a tier brings anything; a tactic that is closing makes no new offer.
        silent: Nobody is told, for it lies in the past.
    """
    kept = {one.member_id: one for one in standings}
    if kept:
        ordered = [kept[member] for member in sorted(kept)]
        columns: dict[str, object] = {name: [getattr(one, name) for one in ordered] for name in COLUMNS}
        ctx.sql("stand" if new else "stand_again", levels=[one.level for one in ordered], **columns)
    if not moves:
        return
    made = ctx.sql(
        "changes",
        members=[move.standing.member_id for move in moves],
        positions=[move.position for move in moves],
        times=[move.at for move in moves],
        before=[move.before for move in moves],
        after=[move.standing.level for move in moves],
        versions=[move.standing.version for move in moves],
        reasons=[move.reason for move in moves],
    )
    for row, move in zip(made, moves, strict=True):
        if move.before != move.standing.level and not silent:
            _tell(ctx, row.id, move, rules[move.standing.version])
    if offers:
        rises = [move for move in moves if move.before < move.standing.level and not move.again]
        gifts.enter(ctx, [_entered(ctx, move, rules) for move in rises])


def _tell(ctx: Ctx, change: int, move: Move, rules: Rules) -> None:
    names = [tier.name if (tier := rules.at(level)) else "" for level in (move.before, move.standing.level)]
    changed = TierChanged(
        from_level=move.before,
        to_level=move.standing.level,
        reason=move.reason,
        version=move.standing.version,
        from_name=names[0],
        to_name=names[1],
    )
    cause = move.cause or f"change {change}"
    ctx.emit(changed, member=move.standing.member_id, cause=cause)
    if names[1]:
        ctx.message(CHANGED, [Notice(move.standing.member_id, cause, {"tier": names[1]})])


def _entered(ctx: Ctx, move: Move, rules: Mapping[int, Rules]) -> gifts.Entered:
    version = rules[move.standing.version]
    passed = [one for one in version.tiers if move.before < one.level <= move.standing.level]
    period = gifts.EVER if version.mode == "threshold" and version.window == "lifetime" else ""
    return gifts.Entered(
        move.standing.member_id,
        tuple(passed),
        period or str(local_day(ctx, move.at).year),
        paid=move.reason == "bought",
    )
