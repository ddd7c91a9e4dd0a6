"""The check-in tactic."""

from collections.abc import Iterable
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
    _,
    get,
    hookimpl,
    post,
    when,
)
from threepeat.sdk.events import Event, OrderPaid
from threepeat_checkin import merging, reactions, routes
from threepeat_checkin.events import CheckinDone
from threepeat_checkin.facts import FACTS
from threepeat_checkin.metrics import METRICS
from threepeat_checkin.settings import CheckinSettings


class Checkin(Plugin[CheckinSettings]):
    """One check-in a day, a ladder for days in a row, and a look at whether those who check in also buy."""

    manifest = Manifest(
        id="checkin",
        kind="tactic",
        title=_("Check-in"),
        summary=_("Members check in once a day and get more for days in a row."),
    )
    settings_model = CheckinSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others."""
        yield CheckinDone

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Orders, to hold check-ins against."""
        yield when(OrderPaid, reactions.bought, always=True, unread={"lines"})

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """How long a member's streak is, and when the last check-in was."""
        return FACTS

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """The calendar, the check-in and the missed day."""
        yield get("/calendar", routes.calendar, summary=_("My check-ins of a month"))
        yield post("/check-in", routes.check_in, summary=_("Check in for today"))
        yield post("/make-up", routes.make_up, summary=_("Make up for a missed day"))

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """How many check in, how long, and whether they buy."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """Rewards stand on check-ins."""
        yield Invariant(
            "rewards", "A reward stands on a check-in, a step's on as many days in a row.", "verify_rewards"
        )
        yield Invariant("steps", "No streak gives a step more often than it is long enough for.", "verify_steps")
        yield Invariant("make_ups", "A month's count is that of the days made up for in it.", "verify_make_ups")

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person has one calendar."""
        merging.merge_members(ctx, source, target)


plugin = Checkin()
