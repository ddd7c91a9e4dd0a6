"""What comes back of paid quotes: counted once, in whatever order, and told to the rules."""

from collections.abc import Iterable, Mapping

import msgspec

from threepeat.sdk import Returned
from threepeat_checkout.keeping import Ctx, Kept
from threepeat_checkout.worth import Back, Bill

UNITS = msgspec.json.Decoder(dict[str, int])


def bills(ctx: Ctx, kept: Mapping[str, Kept]) -> dict[str, tuple[Bill, Back]]:
    """What was paid with quotes and what came back of it, by quote."""
    found = {}
    for row in ctx.sql("returned", quotes=sorted(kept)):
        one = kept[row.quote_id]
        paid = one.quote.total if row.total is None else row.total
        back = Back.of(one.quote, zip(row.amounts, map(UNITS.decode, row.units), strict=True))
        found[one.id] = Bill(one.quote, paid, one.delivery_back), back
    return found


def count(ctx: Ctx, kept: Mapping[str, Kept]) -> None:
    """Tell the rules what came back of locked quotes that were paid, all refunds of each together."""
    if not kept:
        return
    before = {(row.quote_id, row.number): row.returned for row in ctx.sql("taken", quotes=sorted(kept))}
    grown: dict[tuple[str, int], int] = {}
    told: list[Returned] = []
    whole: list[str] = []
    for quote_id, (bill, back) in bills(ctx, kept).items():
        one = kept[quote_id]
        complete = one.whole or bill.whole(back)
        if complete and not one.whole:
            whole.append(quote_id)
        for number, amount in enumerate(bill.fallen(back)):
            more = amount > before[quote_id, number]
            if more:
                grown[quote_id, number] = amount
            if one.quote.applied[number].held and (more or complete != one.whole):
                told.append(_returned(one, number, max(amount, before[quote_id, number]), whole=complete))
    _write(ctx, grown, whole)
    if told:
        ctx.pricing.returned(told)


def _returned(one: Kept, number: int, amount: int, *, whole: bool) -> Returned:
    reference = f"{one.id}:{number}:{amount}{':whole' if whole else ''}"
    return Returned(hold=one.hold(number), reference=reference, amount=amount, whole=whole)


def attach(ctx: Ctx, refunds: Mapping[str, str]) -> None:
    """Say which quotes refunds belong to."""
    if refunds:
        ctx.sql("attach", refunds=list(refunds), quotes=list(refunds.values()))


def count_waiting(ctx: Ctx, kept: Iterable[Kept]) -> None:
    """Count what came back of quotes before they were paid."""
    paid = {one.id: one for one in kept}
    if not paid:
        return
    rows = ctx.sql(
        "attach_waiting",
        quotes=list(paid),
        orders=[one.order_id for one in paid.values()],
        members=[one.member for one in paid.values()],
    )
    count(ctx, {row.quote_id: paid[row.quote_id] for row in rows})


def _write(ctx: Ctx, grown: Mapping[tuple[str, int], int], whole: list[str]) -> None:
    if grown:
        rows = ctx.sql(
            "fall",
            quotes=[quote_id for quote_id, _ in grown],
            numbers=[number for _, number in grown],
            returned=list(grown.values()),
        )
        if len(rows) != len(grown):
            raise RuntimeError(
                f"{len(grown)} reductions of locked quotes were to be changed, {len(rows)} could be"
            )
    if whole:
        ctx.sql("whole", ids=whole)
