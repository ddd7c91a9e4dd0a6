"""Rows of quotes: read, locked for a change, and written in one statement for a batch."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import msgspec
from sqlalchemy import Row

from threepeat.sdk import Context, Hold, Quote, StoredQuote
from threepeat.sdk.pricing import State
from threepeat_checkout.settings import CheckoutSettings

Ctx = Context[CheckoutSettings]

TIMER = "release"
HELD = frozenset({"reserved", "confirmed"})
"""States in which rules hold something for a quote."""


@dataclass(slots=True)
class Kept:
    """A quote as its row has it, to be changed and written.

    Attributes:
        member: Whose it is; None while nobody is known.
        known: The member was known when prices were asked.
        row: What was read.
        held_until: Until when it is held, while it is reserved.
        times: How often it was held.
        order_id: The order that was placed or paid with it.
    """

    id: str
    member: int | None
    known: bool
    state: State
    quote: Quote
    delivery_back: bool
    whole: bool
    times: int
    order_id: str | None
    expires_at: datetime
    held_until: datetime | None
    row: Row[Any]

    @property
    def changed(self) -> bool:
        """Whether it stands otherwise than it was read."""
        row = self.row
        before = row.state, row.member_id, row.held_until, row.times, row.order_id
        return (self.state, self.member, self.held_until, self.times, self.order_id) != before

    @property
    def newly_held(self) -> bool:
        """Whether it is held or paid and was not when it was read, or its member is known only now."""
        return self.state in HELD and (self.row.state not in HELD or self.member != self.row.member_id)

    def stored(self, now: datetime) -> StoredQuote:
        """What others see; what is held beyond its time is released, even if nobody came to do it yet."""
        over = self.state == "reserved" and not self.holds(now)
        return StoredQuote(
            id=self.id,
            member=self.member,
            state="released" if over else self.state,
            quote=self.quote,
            expires_at=self.held_until or self.expires_at,
            order_id=self.order_id if self.state == "confirmed" else None,
        )

    def holds(self, now: datetime) -> bool:
        """Whether it is held for an order and the time is not over."""
        return self.held_until is not None and self.held_until > now

    def belongs_to(self, member: int) -> bool:
        """Whether a member may pay with it; a quote of nobody is whoever's pays with it."""
        return self.member is None or self.member == member

    def end_hold(self, state: State) -> None:
        """Let it be paid or released."""
        self.state, self.held_until = state, None

    @property
    def applied(self) -> list[int]:
        """The places of the reductions that are held."""
        return [number for number, one in enumerate(self.quote.applied) if one.held]

    def hold(self, number: int, *, late: bool = False) -> Hold:
        """What is held for a reduction, under the name of this time of holding.

        Args:
            late: It is paid already and held again.
        """
        one = self.quote.applied[number]
        paid = self.state == "confirmed"
        return Hold(
            reservation=self.id if self.times < 2 else f"{self.id}.{self.times}",
            plugin=one.plugin,
            rule=one.rule,
            key=one.key,
            member=self.member if self.known else None,
            amount=one.amount,
            shares=one.shares,
            shipping=one.shipping,
            data=one.data,
            until=None if paid else self.held_until,
            order_id=self.order_id if paid else None,
            prices=self.quote.lines,
            total=self.quote.total,
            late=late,
        )

    @property
    def all_holds(self) -> list[Hold]:
        """Everything that is held for it."""
        return [self.hold(number) for number in self.applied]


def read(ctx: Ctx, quote_id: str) -> Kept | None:
    """A quote, or None; one whose member was erased is none any more."""
    return next(iter(_kept(ctx.sql("read", id=quote_id))), None)


def lock(ctx: Ctx, ids: Collection[str], members: Collection[int] | None) -> dict[str, Kept]:
    """Lock quotes of members who are locked already, and quotes of nobody; the others are left alone.

    Args:
        members: Who is locked; None if that is whoever the quotes are of.
    """
    if not ids:
        return {}
    locked = None if members is None else sorted(set(members))
    return {one.id: one for one in _kept(ctx.sql("lock", ids=sorted(set(ids)), members=locked))}


def write(ctx: Ctx, kept: Sequence[Kept]) -> None:
    """Write how locked quotes stand now, and what those take off that are held for the first time.

    Raises:
        RuntimeError: A row has changed although it was locked.
    """
    kept = [one for one in kept if one.changed]
    if not kept:
        return
    rows = ctx.sql(
        "stand",
        ids=[one.id for one in kept],
        was=[one.row.state for one in kept],
        states=[one.state for one in kept],
        members=[one.member for one in kept],
        held_until=[one.held_until for one in kept],
        times=[one.times for one in kept],
        orders=[one.order_id for one in kept],
    )
    if len(rows) != len(kept):
        raise RuntimeError(f"{len(kept)} locked quotes were to be written, {len(rows)} stood as they were read")
    _take(ctx, [one for one in kept if one.newly_held])


def _take(ctx: Ctx, kept: Iterable[Kept]) -> None:
    parts = [(one, number, part) for one in kept for number, part in enumerate(one.quote.applied)]
    if parts:
        ctx.sql(
            "take",
            quotes=[one.id for one, _, _ in parts],
            numbers=[number for _, number, _ in parts],
            members=[one.member for one, _, _ in parts],
            plugins=[part.plugin for _, _, part in parts],
            rules=[part.rule for _, _, part in parts],
            held=[part.held for _, _, part in parts],
            amounts=[part.amount for _, _, part in parts],
            shippings=[part.shipping for _, _, part in parts],
        )


def _kept(rows: Iterable[Row[Any]]) -> list[Kept]:
    return [
        Kept(
            id=row.id,
            member=row.member_id,
            known=row.known,
            state=cast("State", row.state),
            quote=msgspec.json.decode(row.content, type=Quote),
            delivery_back=row.delivery_back,
            whole=row.whole,
            times=row.times,
            order_id=row.order_id,
            expires_at=row.expires_at,
            held_until=row.held_until,
            row=row,
        )
        for row in rows
        if row.content is not None
    ]
