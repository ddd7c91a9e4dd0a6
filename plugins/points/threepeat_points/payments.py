"""Members pay with points, and points of a payment come back to the lots that gave them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from threepeat.sdk import Refused, Spend, _, ngettext
from threepeat_points.accounts import Ctx, columns, lock, mature, validity
from threepeat_points.ledger import Movement


@dataclass(frozen=True, slots=True)
class Return:
    """Points of a payment that come back.

    Attributes:
        payment: The reference of its line in the journal.
        points: How many; what is more than has not come back yet is not given.
        reference: Unique for ever in the store.
    """

    member: int
    payment: str
    points: int
    reference: str


def pay(ctx: Ctx, spends: Sequence[Spend]) -> None:
    """Let members pay, from the lots that expire first.

    Args:
        spends: Their references are unique in the whole journal.

    Raises:
        Refused: A member has too few; the reason says how many are missing.
    """
    members = {one.member for one in spends}
    debts = lock(ctx, members)
    for one in spends:
        if one.member not in debts:
            raise short(sum(other.amount for other in spends if other.member == one.member))
    mature(ctx, members)
    asked = {
        "members": [one.member for one in spends],
        "references": [one.reference for one in spends],
        "amounts": [one.amount for one in spends],
    }
    rows = ctx.sql("spend", **asked)
    for row in rows:
        missing = row.points + debts[row.member_id] - row.available
        if missing > 0:
            raise short(missing)
        if row.drawn != row.points:
            raise RuntimeError(f"{row.points} points were to be drawn from locked lots, {row.drawn} could be")
    if sum(row.payments for row in rows) < len(spends) and len(ctx.sql("paid", **asked)) < len(spends):
        raise Refused(_("a reference stands for another payment"), code="reference-taken")


def short(missing: int) -> Refused:
    """The refusal for whoever has too few points."""
    reason = ngettext("{n} point is missing", "{n} points are missing", missing, n=missing)
    return Refused(reason, code="not-enough")


def give_back(ctx: Ctx, returns: Sequence[Return]) -> None:
    """Give points of payments back to the lots that gave them, the one that expires last first.

    A lot that has expired meanwhile lives for the days of grace more, with these points alone; without grace they
    are written off. A debt is paid first. A reference that is known has come back already.
    """
    members = {one.member for one in returns}
    owed = lock(ctx, members)
    mature(ctx, members)
    known = {row.reference for row in ctx.sql("known", references=[one.reference for one in returns])}
    asked = [one for one in returns if one.reference not in known and one.member in owed]
    if not asked:
        return
    given: dict[str, list[_Part]] = {one.payment: [] for one in asked}
    for row in ctx.sql("given", members=sorted(members), payments=list(given)):
        given[row.payment].append(_Part(row, row.points))
    times = validity(ctx)
    days = ctx.settings.grace_days
    until = times.after(ctx.now, days) if days else None
    course = _Course(ctx.now, until, dict(owed))
    for one in asked:
        course.take(one, given[one.payment])
    ctx.sql("give_back", **course.binds(), **columns(course.journal))


@dataclass(slots=True)
class _Part:
    """What a lot gave to a payment and has not had back."""

    lot: Row[Any]
    points: int


class _Course:
    """A batch of returns while it is worked out.

    Attributes:
        journal: Its lines, of which each is named by its reference.
    """

    def __init__(self, now: datetime, until: datetime | None, owed: dict[int, int]) -> None:
        self._now, self._until, self._owed = now, until, owed
        self._before = dict(owed)
        self.journal: list[Movement] = []
        self._payments: list[int] = []
        self._allocated: list[tuple[str, int, int]] = []
        self._lots: dict[tuple[int, int], list[int]] = {}
        self._revived: set[tuple[int, int]] = set()

    def take(self, one: Return, parts: Sequence[_Part]) -> None:
        """Work out one return."""
        line = Movement(one.member, "returned", one.reference, self._now)
        left = one.points
        for part in parts:
            points = min(part.points, left)
            if points:
                part.points -= points
                left -= points
                self._allocated.append((one.reference, part.lot.lot_id, -points))
                self._place(line, part.lot, points)
        if left < one.points:
            line.liability -= one.points - left
            self.journal.append(line)
            self._payments.append(parts[0].lot.payment_id)

    def _place(self, line: Movement, lot: Row[Any], points: int) -> None:
        """Put points back into their lot, or where they go instead."""
        name = lot.member_id, lot.lot_id
        gone = lot.expires_at is not None and lot.expires_at <= self._now
        written_off = points if gone and self._until is None else 0
        paid = min(self._owed.get(line.member, 0), points - written_off)
        if paid:
            self._owed[line.member] -= paid
        kept = points - written_off - paid
        if gone and kept:
            self._revived.add(name)
        line.breakage += written_off
        line.debt += paid
        line.available += kept
        change = self._lots.setdefault(name, [0, 0])
        change[0] += kept
        change[1] += written_off

    def binds(self) -> dict[str, Any]:
        """What the statement takes besides the journal's lines."""
        changed = [member for member, debt in self._owed.items() if debt != self._before[member]]
        return {
            "payments": self._payments,
            "allocated_references": [reference for reference, _, _ in self._allocated],
            "allocated_lots": [lot for _, lot, _ in self._allocated],
            "allocated": [points for _, _, points in self._allocated],
            "lot_members": [member for member, _ in self._lots],
            "lots": [lot for _, lot in self._lots],
            "kept": [kept for kept, _ in self._lots.values()],
            "written_off": [gone for _, gone in self._lots.values()],
            "expiries": [self._until if name in self._revived else None for name in self._lots],
            "members": changed,
            "debts": [self._owed[member] for member in changed],
        }
