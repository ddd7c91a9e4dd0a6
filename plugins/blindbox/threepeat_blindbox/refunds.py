"""Money that goes back: asked for until the shop answers, and what comes back of orders with boxes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from threepeat.sdk import Due, Notice, Occurrence
from threepeat.sdk.events import OrderPaid, OrderRefunded, RefundFailed, RefundRequested
from threepeat_blindbox import closing
from threepeat_blindbox.pools import Ctx

Reason = Literal["caps", "sold_out", "declined", "expired", "not_on_sale"]

MOST = 1_000
"""Claims that are asked for again in one run."""


@dataclass(frozen=True, slots=True)
class Owed:
    """What a member is owed for boxes that are not drawn."""

    order: str
    series: int
    member: int
    amount: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class Back:
    """What came back of an order so far.

    Attributes:
        amount: In minor units.
        counted: Units by SKU.
    """

    amount: int
    counted: Mapping[str, int]

    def units(self, sku: str, total: int) -> int | None:
        """How many units of a SKU came back; None if the whole order did."""
        return None if total and self.amount >= total else self.counted.get(sku, 0)


def ask(ctx: Ctx, owed: Sequence[Owed]) -> None:
    """Ask the shop to pay back; what came to nothing is not asked for."""
    due = [one for one in owed if one.amount > 0]
    if not due:
        return
    rows = ctx.sql(
        "claims_add",
        orders=[one.order for one in due],
        series=[one.series for one in due],
        members=[one.member for one in due],
        amounts=[one.amount for one in due],
        reasons=[one.reason for one in due],
    )
    for row in rows:
        _request(ctx, row.id, row.order_id, row.amount, row.reason, row.member_id, 1)
    money = ctx.tenant.money
    notices = [Notice(row.member_id, f"claim:{row.id}", {"amount": money(row.amount)}) for row in rows]
    ctx.message("paid_back", notices)


def ask_again(ctx: Ctx, occurrence: Occurrence) -> None:
    """Ask once more for whatever the shop has not answered."""
    del occurrence
    for row in ctx.sql("claims_again", most=MOST):
        _request(ctx, row.id, row.order_id, row.amount, row.reason, row.member_id, row.times)


def before(ctx: Ctx, events: Sequence[OrderPaid]) -> dict[str, Back]:
    """What the log has of refunds before the payments of some orders."""
    rows = ctx.sql(
        "refunded",
        orders=[event.order_id for event in events],
        members=[event.member for event in events],
        positions=[event.position for event in events],
    )
    return {row.order_id: Back(row.amount, row.units) for row in rows}


def refunded(ctx: Ctx, events: list[OrderRefunded]) -> None:
    """Take back what came back: unopened boxes are void, opened ones stand and are marked."""
    named = {event.order_id: event for event in events if event.order_id is not None}
    if not named:
        return
    orders = ctx.sql("orders_with_boxes", orders=sorted(named))
    claimed = ctx.sql("claims_open", orders=sorted(named))
    ours = sorted({row.order_id for row in (*orders, *claimed)})
    if not ours:
        return
    rows = ctx.sql(
        "refunded",
        orders=ours,
        members=[named[order].member for order in ours],
        positions=[named[order].position for order in ours],
    )
    back = {row.order_id: Back(row.amount, row.units) for row in rows}
    answered = [row.id for row in claimed if back[row.order_id].amount >= row.owed]
    if answered:
        ctx.sql("claims_done", ids=answered)
    wanted = {(row.order_id, row.series_id): back[row.order_id].units(row.sku, row.total or 0) for row in orders}
    chosen: list[int] = []
    for row in orders:
        gone = wanted[row.order_id, row.series_id]
        chosen += list(row.still) if gone is None else list(row.still)[: max(gone - row.gone, 0)]
    take_back(ctx, chosen)


def failed(ctx: Ctx, events: list[RefundFailed]) -> None:
    """The shop cannot pay back: it is written down for the merchant to settle."""
    ctx.sql("claims_failed", orders=sorted({event.order_id for event in events}))


def take_back(ctx: Ctx, ids: Sequence[int]) -> None:
    """Void boxes that wait, and mark those that were opened; their draws stand, and nothing is drawn again."""
    if not ids:
        return
    rows = ctx.sql("boxes_back", ids=sorted(ids))
    _free(ctx, [row.id for row in rows if row.state == "void"])


def void(ctx: Ctx, ids: Sequence[int], reason: Reason) -> int:
    """Give up boxes that wait, and ask for their money; how many there were."""
    rows = ctx.sql("boxes_void", ids=sorted(ids)) if ids else ()
    _free(ctx, [row.id for row in rows])
    owed: dict[tuple[str, int, int], int] = {}
    for row in rows:
        if row.source == "order":
            place = (row.order_id, row.series_id, row.member_id)
            owed[place] = owed.get(place, 0) + row.money
    ask(ctx, [Owed(*place, amount, reason) for place, amount in owed.items()])
    return len(rows)


def give_up(ctx: Ctx, member: int) -> None:
    """Give up all that a member has waiting."""
    void(ctx, [row.id for row in ctx.sql("boxes_waiting", member=member)], "declined")


def expired(ctx: Ctx, dues: list[Due]) -> None:
    """Nobody opened the boxes of some orders in time."""
    orders = [due.key.partition(":") for due in dues]
    rows = ctx.sql(
        "boxes_unopened",
        series=[int(series) for series, _, _ in orders],
        orders=[order for _, _, order in orders],
    )
    void(ctx, [row.id for row in rows], "expired")


def _free(ctx: Ctx, ids: Sequence[int]) -> None:
    """Let go of the places and limits of boxes that were just voided."""
    if ids:
        ending = ctx.sql("boxes_free", ids=list(ids))
        closing.reveal(ctx, [row.id for row in ending])


def _request(ctx: Ctx, claim: int, order: str, amount: int, reason: str, member: int, times: int) -> None:
    asked = RefundRequested(
        order_id=order, amount=amount, currency=ctx.tenant.currency, reason=f"blindbox-{reason.replace('_', '-')}"
    )
    ctx.emit(asked, member=member, cause=f"claim:{claim}:{times}")
