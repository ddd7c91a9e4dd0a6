"""The till. `STORM_PLANT` plants one of the classic mistakes into it or into the platform around it."""

import os
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from threepeat.sdk import (
    Call,
    Context,
    Due,
    Invariant,
    Manifest,
    Outbound,
    Plugin,
    PluginSettings,
    Reaction,
    Refused,
    Route,
    Spend,
    Timer,
    get,
    hookimpl,
    outbound,
    post,
    timer,
    when,
)
from threepeat.sdk.events import OrderPaid

PLANT = os.environ.get("STORM_PLANT", "")
RARE = 20
"""One order in so many rings a bell, and brings one piece into the stock, which is always nearly sold out."""
BELLS = os.environ.get("STORM_BELLS", os.devnull)

Ctx = Context[PluginSettings]


class Payment(BaseModel):
    """What a member pays."""

    amount: int = Field(ge=1, le=1000)
    reference: str = Field(max_length=64)


class Paid(BaseModel):
    """What is left afterwards."""

    left: int


class Till(Plugin[PluginSettings]):
    """Counts orders, sets a deadline for each, rings a bell for some, and sells what is in stock."""

    manifest = Manifest(
        id="till", kind="tactic", title="Till", summary="Counts.", requires=("orders",), holdout="none"
    )
    settings_model = PluginSettings

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        yield when(OrderPaid, self.paid, unread={"lines"})

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        yield timer("receipt", self.receipts)

    @hookimpl
    def outbounds(self) -> Iterable[Outbound]:
        yield outbound("bell", perform=self.ring, done=self.rung)

    @hookimpl
    def routes(self) -> Iterable[Route]:
        yield post("/pay", self.pay, summary="Pay one piece with points")
        yield get("/left", self.left, summary="What is left")

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        yield Invariant("stock", "What is left is what came in minus what was sold.", "verify_stock")

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        raise NotImplementedError

    def paid(self, ctx: Ctx, events: list[OrderPaid]) -> None:
        totals: dict[int, list[int]] = {}
        for event in events:
            totals.setdefault(event.member, []).append(event.total // 100)
            ctx.later("receipt", event.order_id, ctx.now + timedelta(milliseconds=300), member=event.member)
            if event.position % RARE == 0:
                ctx.call("bell", event.order_id, {"order": event.order_id}, member=event.member)
        members = sorted(totals)
        ctx.sql(
            "count",
            members=members,
            counts=[len(totals[one]) for one in members],
            sums=[sum(totals[one]) for one in members],
        )
        # What comes in later would hide that too much was sold.
        last = 10 * RARE if PLANT == "read-then-write" else events[-1].position
        ctx.sql("fill", n=sum(event.position % RARE == 0 and event.position <= last for event in events))

    def receipts(self, ctx: Ctx, due: list[Due]) -> None:
        counts: dict[int, int] = {}
        for one in due:
            counts[one.member or 0] = counts.get(one.member or 0, 0) + 1
        members = sorted(counts)
        ctx.sql("receipts", members=members, counts=[counts[one] for one in members])

    def ring(self, _settings: PluginSettings, call: Call) -> str:
        with Path(BELLS).open("a") as bells:
            bells.write(f"{call.id}\n")
        return call.id

    def rung(self, ctx: Ctx, call: Call, answer: str) -> None:
        ctx.sql("rung", bell=answer, member=call.member)

    def pay(self, ctx: Ctx, payment: Payment) -> Paid:
        ctx.spend("points", [Spend(ctx.member, payment.amount, payment.reference)])
        if PLANT == "read-then-write":
            if ctx.sql("stock")[0].left < 1:
                raise Refused("nothing is left", code="sold-out")
            time.sleep(0.02)
            ctx.sql("take_unchecked")
        elif not ctx.sql("take"):
            raise Refused("nothing is left", code="sold-out")
        ctx.sql("payment", member=ctx.member, amount=payment.amount, reference=payment.reference)
        return Paid(left=ctx.sql("stock")[0].left)

    def left(self, ctx: Ctx) -> Paid:
        rows = ctx.sql("stock")
        return Paid(left=rows[0].left if rows else 0)


plugin = Till()

if PLANT:
    from threepeat_till import plants

    plants.plant(PLANT)
