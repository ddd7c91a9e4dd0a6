"""The points tactic."""

from collections.abc import Iterable
from typing import Any

from threepeat.sdk import (
    CollectionOf,
    Context,
    Fact,
    Invariant,
    Manifest,
    MessageKind,
    Metric,
    Plugin,
    PriceRule,
    Reaction,
    Reward,
    Route,
    Schedule,
    Timer,
    _,
    get,
    hookimpl,
    ngettext,
    post,
    when,
)
from threepeat.sdk.events import Event, OrderCompleted, OrderPaid, OrderRefunded
from threepeat_points import maturing, merging, messages, participation, reactions, routes
from threepeat_points.bonus_days import BONUS_DAYS
from threepeat_points.catalogue import CATALOGUE
from threepeat_points.events import (
    PointsEarned,
    PointsExpiring,
    PointsRedeemed,
    PointsUnlocked,
    RedemptionCancelled,
)
from threepeat_points.facts import FACTS
from threepeat_points.metrics import METRICS
from threepeat_points.paying import PAY
from threepeat_points.redemptions import REDEMPTIONS
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
        yield PointsUnlocked
        yield PointsExpiring
        yield PointsRedeemed
        yield RedemptionCancelled

    @hookimpl
    def reactions(self) -> Iterable[Reaction]:
        """Payments earn, completion unlocks, refunds reverse, and taking part brings what the merchant says."""
        yield when(OrderPaid, reactions.earn, unread={"lines"})
        yield when(OrderCompleted, reactions.complete, always=True)
        yield when(OrderRefunded, reactions.claw_back, always=True, unread={"lines"})
        for activity in participation.ACTIVITIES:
            yield when(activity, participation.take_part, unread=participation.UNREAD.get(activity, ()))

    @hookimpl
    def schedules(self) -> Iterable[Schedule]:
        """Shortly after midnight points unlock and expire, and members are reminded."""
        return maturing.SCHEDULES

    @hookimpl
    def timers(self) -> Iterable[Timer]:
        """A store's members are gone through a stretch at a time."""
        return maturing.TIMERS

    @hookimpl
    def price_rules(self) -> Iterable[PriceRule]:
        """Points pay a part of an order."""
        yield PAY

    @hookimpl
    def message_kinds(self) -> Iterable[MessageKind]:
        """Points that are about to expire."""
        return messages.KINDS

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
        """Balance, history, and the catalogue. Redeeming goes on while the tactic is closing, for everybody."""
        yield get("/balance", routes.balance, summary=_("My points"))
        yield get("/history", routes.history, summary=_("How my points came about"))
        yield get("/catalogue", routes.catalogue, summary=_("What I can redeem points for"))
        yield post("/redeem", routes.redeem, summary=_("Redeem points"), always=True)
        yield get("/redemptions", routes.my_redemptions, summary=_("What I redeemed"))

    @hookimpl
    def collections(self) -> Iterable[CollectionOf[Any]]:
        """Days on which orders earn more, what points are redeemed for, and what was redeemed."""
        yield BONUS_DAYS
        yield CATALOGUE
        yield REDEMPTIONS

    @hookimpl
    def metrics(self) -> Iterable[Metric]:
        """Whether points come back to be spent, and what they will cost."""
        return METRICS

    @hookimpl
    def invariants(self) -> Iterable[Invariant]:
        """The journal is the truth."""
        yield Invariant(
            "journal", "A member's lots and debt are what the journal's accounts say.", "verify_journal"
        )
        yield Invariant("postings", "Each line of the journal adds up to zero.", "verify_postings")
        yield Invariant("orders", "No order holds more points than its remaining money earns.", "verify_orders")
        yield Invariant("payments", "What lots gave to a payment adds up to it.", "verify_payments")
        yield Invariant("returns", "No lot gets more back of a payment than it gave.", "verify_returns")
        yield Invariant("holds", "The journal says of what is held for orders what the holds say.", "verify_holds")
        yield Invariant("items", "What is left of an item is what was not redeemed.", "verify_items")
        yield Invariant("redemptions", "A redemption is paid, and a cancelled one is not.", "verify_redemptions")
        yield Invariant("lots", "No lot holds, has lost and gave more than it had.", "verify_lots")

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
        if row.held:
            yield ngettext(
                "{n} order that is not paid yet holds points",
                "{n} orders that are not paid yet hold points",
                row.held,
                n=row.held,
            )
        if row.open:
            yield ngettext(
                "{n} redemption is to be handed over",
                "{n} redemptions are to be handed over",
                row.open,
                n=row.open,
            )


plugin = Points()
