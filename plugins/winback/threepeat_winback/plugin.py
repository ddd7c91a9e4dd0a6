"""The wake-up of sleeping members."""

from collections.abc import Iterable
from datetime import time
from typing import Any

from threepeat.sdk import (
    Context,
    Fact,
    Invariant,
    Manifest,
    MessageKind,
    Metric,
    Plugin,
    Reaction,
    Route,
    Schedule,
    Timer,
    _,
    get,
    hookimpl,
    ngettext,
    schedule,
    timer,
    when,
)
from threepeat.sdk.events import AppointmentAttended, Event, OrderPaid, OrderRefunded, ServiceProgressed, VisitMade
from threepeat_winback import messages, offers, reactions, returns, routes
from threepeat_winback.events import Offered, Returned
from threepeat_winback.facts import FACTS
from threepeat_winback.metrics import METRICS
from threepeat_winback.settings import WinbackSettings


class Winback(Plugin[WinbackSettings]):
    """Offers for members who have stopped buying, kept when they come back."""

    manifest = Manifest(
        id="winback",
        kind="tactic",
        title=_("Win-back"),
        summary=_("Members who have stopped buying are promised a reward for an order within days."),
    )
    settings_model = WinbackSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others."""
        yield Offered
        yield Returned

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Activity is noted of everybody; the reward was promised, so it is given also while closing."""
        yield when(OrderPaid, reactions.ordered, always=True, unread={"lines"})
        yield when(VisitMade, reactions.active, always=True)
        yield when(AppointmentAttended, reactions.active, always=True)
        yield when(ServiceProgressed, reactions.active, always=True)
        yield when(OrderRefunded, reactions.refunded, always=True, unread={"lines"})

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Offers are made in the morning, when nobody is woken from real sleep."""
        yield schedule("wake", offers.wake, at=time(10))
        yield schedule("settle", returns.settle, at=time(4), always=True)

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """The log from before it was switched on is read a stretch at a time."""
        yield timer(offers.LEARN, offers.learn)

    @hookimpl
    def message_kinds(self) -> Iterable[MessageKind]:
        """The wake-up itself."""
        return messages.KINDS

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """Who sleeps, and for how long."""
        return FACTS

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Who sleeps, who comes back, and what it costs."""
        return METRICS

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The offer."""
        yield get("/offer", routes.offer, summary=_("What waits for me"))

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Offers are counted, brought in time, and taken back for a reason."""
        yield Invariant("offers", "A member was woken as often as offers were made.", "verify_offers")
        yield Invariant("in_time", "Rewards go to sleepers who ordered while their offer lived.", "verify_in_time")
        yield Invariant("taken", "No more is taken back than refunds ask for.", "verify_taken")

    @hookimpl
    def on_enabled(self, ctx: Context[Any]) -> None:
        """Learn who had been active before."""
        offers.begin(ctx)

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Offers that still live, and rewards that are owed."""
        row = ctx.sql("outstanding")[0]
        if row.living:
            yield ngettext(
                "{n} member was promised a reward for coming back",
                "{n} members were promised a reward for coming back",
                row.living,
                n=row.living,
            )
        if row.owed:
            yield ngettext(
                "{n} reward for coming back is owed and could not be given yet",
                "{n} rewards for coming back are owed and could not be given yet",
                row.owed,
                n=row.owed,
            )

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person sleeps once."""
        ctx.sql("merge", source=source, target=target)


plugin = Winback()
