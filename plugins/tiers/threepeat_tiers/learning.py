"""Learns from the log what members bought before the tactic was on, and where that puts them.

It is silent: nobody is told, and nothing is given for what lies in the past.
"""

from threepeat.sdk import Due
from threepeat.sdk.events import OrderPaid, OrderRefunded
from threepeat_tiers import growth, rising, standings
from threepeat_tiers.climbing import newcomer
from threepeat_tiers.growth import Order, Refund
from threepeat_tiers.rules import Rules
from threepeat_tiers.standings import Move
from threepeat_tiers.versions import Ctx, in_force, versions
from threepeat_tiers.windows import local_day, today

LEARN = "learn"
CHUNK = 20_000
"""How many positions of the log are read at a time."""
MOST = 2_000
"""How many members are placed at a time."""


def begin(ctx: Ctx) -> None:
    """Open the store again if it was closing, and have the log read, backwards from here."""
    if ctx.sql("opening")[0].learn_after:
        ctx.later(LEARN, LEARN, ctx.now)


def learn(ctx: Ctx, due: list[Due]) -> None:
    """Read a stretch of the log; when all is read, place a stretch of the members."""
    del due
    found = ctx.sql("learning")
    if not found:
        return
    force = in_force(ctx)
    if found[0].learn_after is not None:
        _read(ctx, force.rules)
    elif not _place(ctx, found[0].place_after):
        return
    ctx.later(LEARN, LEARN, ctx.now)


def _read(ctx: Ctx, rules: Rules) -> None:
    rows = ctx.sql("stretch", most=CHUNK, paid=OrderPaid.type, refunded=OrderRefunded.type)
    # Whoever was merged into another or erased stands in the log under the old id, and is left out.
    since = ctx.facts(["member.since"], {row.member_id for row in rows})["member.since"]
    present = [row for row in reversed(rows) if row.member_id in since]
    refunds = {row.refund_id: row for row in present if row.type == OrderRefunded.type}
    orders = {row.order_id: row for row in present if row.type == OrderPaid.type}
    days = {row.position: local_day(ctx, row.occurred_at) for row in present}
    growth.note_refunds(
        ctx,
        [
            Refund(row.refund_id, row.order_id, row.member_id, days[row.position], row.amount, rules)
            for row in refunds.values()
        ],
    )
    brought = growth.note_orders(
        ctx,
        [Order(row.order_id, row.member_id, days[row.position], row.total, rules) for row in orders.values()],
    )
    growth.add(
        ctx, ((orders[order].member_id, days[orders[order].position], value) for order, value in brought.items())
    )
    ctx.sql("learned", most=CHUNK)


def _place(ctx: Ctx, after: int) -> bool:
    """Give the next members a standing by what counts today; whether there were any."""
    rows = ctx.sql("to_place", after=after, most=MOST)
    if not rows:
        ctx.sql("placed", after=None)
        return False
    force = in_force(ctx)
    members = ctx.taking_part({row.member_id for row in rows})
    known = standings.read(ctx, members)
    rules = {**versions(ctx, {one.version for one in known.values()}), force.number: force.rules}
    before = {
        row.member_id: known.get(row.member_id)
        or newcomer(force.rules, force.number, row.member_id, row.first_day, today(ctx))
        for row in rows
        if row.member_id in members
    }
    after_all = [] if force.closing else rising.look(ctx, rules, list(before.values()))
    moves = [
        Move(one, before[one.member_id].level, "growth", ctx.now)
        for one in after_all
        if one.level != before[one.member_id].level
    ]
    standings.write(ctx, after_all, moves, rules, offers=False, silent=True)
    ctx.sql("placed", after=rows[-1].member_id)
    return True
