"""The points tactic."""

from collections.abc import Iterable
from typing import Any

from threepeat.sdk import (
    CollectionOf,
    Context,
    Fact,
    Invariant,
    Manifest,
    Metric,
    Plugin,
    Reaction,
    Reward,
    Route,
    _,
    get,
    hookimpl,
    ngettext,
    when,
)
from threepeat.sdk.events import Event, OrderPaid, OrderRefunded
from threepeat_points import merging, reactions, routes
from threepeat_points.bonus_days import BONUS_DAYS
from threepeat_points.events import PointsEarned
from threepeat_points.facts import FACTS
from threepeat_points.metrics import METRICS
from threepeat_points.rewards import REWARD
from threepeat_points.settings import PointsSettings


class Points(Plugin[PointsSettings]):
    """Points for spending, in lots that expire, reversed to the last one when money goes back."""

    manifest = Manifest(
        id="points",
        kind="tactic",
        title=_("Points"),
        summary=_("Members earn points with every order and see them grow."),
        requires=("orders",),
    )
    settings_model = PointsSettings

    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        """What it tells others."""
        yield PointsEarned

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Payments earn, refunds reverse."""
        yield when(OrderPaid, reactions.earn, unread={"lines"})
        yield when(OrderRefunded, reactions.claw_back, always=True, unread={"lines"})

    @hookimpl
    def facts(self) -> Iterable[Fact]:
        """How many points a member has."""
        return FACTS

    @hookimpl
    def rewards(self) -> Iterable[Reward]:
        """Points that other tactics give, and that members pay with."""
        yield REWARD

    @hookimpl
    def routes(self) -> Iterable[Route]:
        """Balance and history."""
        yield get("/balance", routes.balance, summary=_("My points"))
        yield get("/history", routes.history, summary=_("How my points came about"))

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """Days on which orders earn more."""
        yield BONUS_DAYS

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether points come back to be spent, and what they will cost."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """The journal is the truth."""
        yield Invariant("journal", "A member's lots minus debt are the sum of the journal.", "verify_journal")
        yield Invariant("orders", "No order holds more points than its remaining money earns.", "verify_orders")
        yield Invariant("payments", "What lots gave to a payment adds up to it.", "verify_payments")
        yield Invariant("lots", "No lot gave more to payments than it had.", "verify_lots")

    @hookimpl
    def merge_members(self, ctx: Context[Any], source: int, target: int) -> None:
        """One person's points are one account."""
        merging.merge_members(ctx, source, target)

    @hookimpl
    def open_obligations(self, ctx: Context[Any]) -> Iterable[str]:
        """Points that members may still spend."""
        row = ctx.sql("outstanding")[0]
        if row.members:
            yield ngettext(
                "{members} member holds {points} points",
                "{members} members hold {points} points",
                row.members,
                members=row.members,
                points=row.points,
            )


plugin = Points()
