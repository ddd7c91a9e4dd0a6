"""The newcomer pack."""

from collections.abc import Iterable
from datetime import time
from typing import Any

from threepeat.sdk import (
    Context,
    Fact,
    Invariant,
    Manifest,
    Metric,
    Plugin,
    Reaction,
    Route,
    Schedule,
    _,
    get,
    hookimpl,
    ngettext,
    schedule,
    when,
)
from threepeat.sdk.events import Event, MemberRegistered, OrderPaid, OrderRefunded
from threepeat_welcome import gifts, reactions, routes
from threepeat_welcome.events import PackReceived
from threepeat_welcome.facts import FACTS
from threepeat_welcome.metrics import METRICS
from threepeat_welcome.settings import WelcomeSettings


class Welcome(Plugin[WelcomeSettings]):
    """A pack for newcomers, once per person, and a reward for the second order."""

    manifest = Manifest(
        id="welcome",
        kind="tactic",
        title=_("Newcomer pack"),
        summary=_("New members get a pack once, and a reward for a second order in time."),
        requires=("orders",),
    )
    settings_model = WelcomeSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others."""
        yield PackReceived

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Packs are offers; what was promised with them, and reversals, go on."""
        yield when(MemberRegistered, reactions.registered)
        yield when(OrderPaid, reactions.first_order, unread={"lines"})
        yield when(OrderPaid, reactions.ordered, always=True, unread={"lines"})
        yield when(OrderRefunded, reactions.refunded, always=True, unread={"lines"})

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Promised rewards that could not be given are tried again each night."""
        yield schedule("settle", gifts.settle, at=time(4), always=True)

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """Who was welcomed, and whose second order is awaited."""
        return FACTS

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """How far newcomers come."""
        return METRICS

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The pack."""
        yield get("/pack", routes.pack, summary=_("My newcomer pack"))

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Each reward once, to somebody who was welcomed, and taken back for a reason."""
        yield Invariant("welcomed", "Whoever has a gift was welcomed.", "verify_welcomed")
        yield Invariant("once", "No reward stands under two gifts, no order brings one twice.", "verify_once")
        yield Invariant("taken", "No more is taken back than refunds ask for.", "verify_taken")

    @hookimpl
    def on_enabled(self, ctx: Context[Any]) -> None:
        """Newcomers are counted from now on."""
        ctx.sql("open")

    @hookimpl
    def on_closing(self, ctx: Context[Any]) -> None:
        """No new packs are shown."""
        ctx.sql("shut")

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Second orders that still bring a reward, and rewards that are owed."""
        row = ctx.sql("outstanding")[0]
        if row.promises:
            yield ngettext(
                "{n} newcomer may still earn the reward for a second order",
                "{n} newcomers may still earn the reward for a second order",
                row.promises,
                n=row.promises,
            )
        if row.owed:
            yield ngettext(
                "{n} reward for a second order is owed and could not be given yet",
                "{n} rewards for a second order are owed and could not be given yet",
                row.owed,
                n=row.owed,
            )

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person is welcomed once."""
        ctx.sql("merge", source=source, target=target)


plugin = Welcome()
